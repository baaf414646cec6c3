"""baresip as a SIP phone, driven over ctrl_tcp (JSON in netstrings), sending a file and recording what it decodes.

A sound file is a source only: `sndfile` records behind the decoder, and without a player nothing would be decoded, hence
`aubridge`. The file's rate must equal `ausrc_srate`. `stdio` would need a terminal.
"""

import glob
import json
import os
import select
import time

import tone
from world import Failed, until

CONFIG = """\
poll_method epoll
sip_listen {ip}:5060
call_local_timeout 120
call_max_calls 4
audio_source aufile,{wav}
audio_player aubridge,{role}
audio_alert aubridge,{role}-alert
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
audio_telev_pt 101
opus_stereo no
opus_sprop_stereo no
opus_bitrate 32000
rtp_ports 20000-20100
jitter_buffer_delay 2-5
module_path /usr/lib/baresip/modules
{codecs}
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:4444
snd_path {record}
"""


class Baresip:
    def __init__(self, host, user, hz=1000, codecs=("PCMA", "PCMU"), answer="manual", registrar="10.77.2.1", register=True, password=None):
        world = host.world
        self.host, self.user, self.hz = host, user, hz
        home = world.path(f"baresip-{host.role}")
        self.recordings = os.path.join(world.short, host.role)
        os.makedirs(home, exist_ok=True)
        os.makedirs(self.recordings, exist_ok=True)
        opus = any(c.lower().startswith("opus") for c in codecs)
        rate = 48000 if opus else 8000
        wav = tone.write(os.path.join(home, "tone.wav"), hz, 20, rate)
        modules = (["module opus.so"] if opus else []) + (["module g711.so"] if any(c.startswith("PCM") for c in codecs) else [])
        with open(os.path.join(home, "config"), "w") as f:
            f.write(CONFIG.format(ip=host.ip, role=host.role, wav=wav, rate=rate, codecs="\n".join(modules), record=self.recordings))
        names = ",".join({"opus": "opus/48000/2"}.get(c, f"{c}/8000/1") for c in codecs)
        with open(os.path.join(home, "accounts"), "w") as f:
            f.write(f"<sip:{user}@{registrar}>;auth_user={user};auth_pass={password or user + '-secret'};answermode={answer};"
                    f"audio_codecs={names};regint={120 if register else 0}\n")
        open(os.path.join(home, "contacts"), "w").close()
        self.process = host.spawn(f"baresip-{host.role}", ["baresip", "-4", "-s", "-f", home], env={**os.environ, "HOME": home})
        self.sock = host.connect(4444)
        self.buffer, self.events, self.serial = b"", [], 0

    def _read(self, seconds):
        if not select.select([self.sock], [], [], max(0, seconds))[0]:
            return
        chunk = self.sock.recv(65536)
        if not chunk:
            raise Failed(f"baresip {self.user} ended: {self.process.log()[-500:]}")
        self.buffer += chunk
        while True:
            size, colon, rest = self.buffer.partition(b":")
            if not colon or len(rest) < int(size) + 1:
                return
            self.events.append(json.loads(rest[:int(size)]))
            self.buffer = rest[int(size) + 1:]

    def _take(self, what, seconds, match):
        end = time.monotonic() + seconds
        while True:
            for event in self.events:
                if match(event):
                    self.events.remove(event)
                    return event
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"baresip {self.user}: no {what} within {seconds} s; there were {[e.get('type') for e in self.events]}")
            self._read(left)

    def command(self, name, params="", seconds=5):
        self.serial += 1
        token = str(self.serial)
        message = json.dumps({"command": name, "params": params, "token": token}).encode()
        self.sock.sendall(b"%d:%s," % (len(message), message))
        return self._take(f"answer to {name}", seconds, lambda e: e.get("response") and e.get("token") == token)

    def wait(self, kind, seconds=10):
        """The next event of a type (or of several, `A|B`), such as CALL_ESTABLISHED."""
        kinds = kind.split("|")
        return self._take(kind, seconds, lambda e: e.get("event") and e.get("type") in kinds)

    def registered(self):
        """Waits for the registration, which begins before anybody can listen for its event: the SIP trace tells."""
        until(f"{self.user} registered: {self.process.log()[-300:]}", 10, lambda: "SIP/2.0 200 OK" in self.process.log())
        return self

    def call(self, target):
        self.command("dial", target if ":" in target else f"sip:{target}@10.77.2.1")

    def answer(self):
        self.command("accept")

    def hangup(self, params=""):
        self.command("hangup", params)

    def dtmf(self, digits):
        """Sends digits as RFC 4733 events: the menu takes keys while a call is up."""
        for digit in digits:
            self.command("sndcode", digit)

    def recording(self):
        """(rate, samples) of the newest file of decoded audio; the call should be over, so that it is closed."""
        files = until("a recording", 3, lambda: sorted(glob.glob(os.path.join(self.recordings, "*dec*.wav")), key=os.path.getmtime))
        return tone.read(files[-1])
