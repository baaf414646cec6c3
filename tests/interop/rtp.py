"""A plain RTP peer in Python: sends a G.711 tone, receives, and reads RFC 4733 events."""

import math
import struct
import threading
import time


def alaw(sample):
    sign = 0x80 if sample >= 0 else 0
    value = min(abs(sample) >> 4, 0x7FF) if sample >= 0 else min((abs(sample) - 1) >> 4, 0x7FF)
    if value < 32:
        code = value >> 1
    else:
        exponent = value.bit_length() - 5
        code = (exponent << 4) | ((value >> exponent) & 0x0F)
    return (code | sign) ^ 0x55


def alaw_decode(byte):
    byte ^= 0x55
    exponent, mantissa = (byte >> 4) & 7, byte & 0x0F
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return value if byte & 0x80 else -value


DECODE = [alaw_decode(b) for b in range(256)]


class Peer:
    """An RTP socket in a host: records PCMA and events, and once it knows whom to talk to sends a tone."""

    def __init__(self, host, port, hz=1000, send=True, event_type=101):
        self.sock = host.socket()
        self.sock.bind((host.ip, port))
        self.sock.settimeout(0.02)
        self.hz, self.send, self.event_type = hz, send, event_type
        self.peer, self.samples, self.events, self.types, self.sources = None, [], [], set(), set()
        self.running = True
        self.packets = 0
        self.digit_out = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        at, sequence, due = 0, 1, time.monotonic()
        while self.running:
            try:
                data, source = self.sock.recvfrom(2048)
                self._take(data, source)
            except (TimeoutError, OSError):
                pass
            if self.peer and self.send and time.monotonic() >= due:
                due = max(due + 0.02, time.monotonic() - 0.1)
                tone = bytes(alaw(int(12000 * math.sin(2 * math.pi * self.hz * (at + i) / 8000))) for i in range(160))
                self._emit(8, sequence, at, tone)
                at, sequence = at + 160, sequence + 1

    def _emit(self, kind, sequence, timestamp, payload):
        head = struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, 0x5BC5BC01)
        try:
            self.sock.sendto(head + payload, self.peer)
        except OSError:
            pass

    def _take(self, data, source):
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        self.packets += 1
        self.sources.add(source)
        if self.peer is None:
            self.peer = source
        first, kind, _, timestamp, _ = struct.unpack("!BBHII", data[:12])
        marker, kind = kind >> 7, kind & 0x7F
        body = data[12 + 4 * (first & 15):]
        self.types.add(kind)
        if kind == self.event_type and len(body) >= 4:
            event, flags, duration = struct.unpack("!BBH", body[:4])
            self.events.append((timestamp, "0123456789*#ABCD"[event] if event < 16 else "?", bool(flags & 0x80), duration, marker))
        elif kind == 8:
            self.samples.extend(DECODE[b] for b in body)

    def digits(self):
        """[(digit, final duration in ms at 8 kHz)] by event, in order."""
        last = {}
        for timestamp, digit, end, duration, _ in self.events:
            _, was_end, was = last.get(timestamp, (digit, False, 0))
            last[timestamp] = (digit, end or was_end, max(duration, was))
        return [(digit, duration / 8) for digit, _, duration in (last[t] for t in sorted(last))]

    def close(self):
        self.running = False
        self.thread.join(1)
        self.sock.close()
