"""Tones: writes them to files, finds them in recordings by frequency.

Level proves nothing (browsers lower it); frequency does. A recording holds a tone when, from its first sound to its last,
at least 80 % of the windows have their strongest frequency within 12 Hz of it.
"""

import array
import cmath
import math
import struct
import wave

RATE = 8000
WINDOW = 1024  # 128 ms at 8 kHz: bins of 7.8 Hz, interpolated to about 1 Hz
HOP = 512
SILENCE = 120.0  # rms of 16-bit samples below which a window is silent
HANN = [0.5 - 0.5 * math.cos(2 * math.pi * i / WINDOW) for i in range(WINDOW)]
TWIDDLE = {}


def write(path, hz, seconds, rate, level=0.5):
    """A mono 16-bit wav with a whole number of periods, so that it loops without a click."""
    samples = int(round(hz * seconds)) * rate // hz
    data = array.array("h", (int(level * 32767 * math.sin(2 * math.pi * hz * i / rate)) for i in range(samples)))
    with wave.open(path, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(rate)
        w.writeframes(data.tobytes())
    return path


def read(path):
    """(rate, samples) of the first channel of a 16-bit wav, also of one whose writer was killed before it fixed the header."""
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(b"fmt ")
    _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at + 8)
    if bits != 16:
        raise ValueError(f"{path}: {bits} bits a sample")
    body = data[data.find(b"data") + 8:]
    body = body[:len(body) // (2 * channels) * 2 * channels]
    samples = array.array("h", body)
    return rate, samples[::channels]


def resample(rate, samples):
    """Down to 8 kHz by averaging whole groups; tones here are far below the fold."""
    if rate % RATE:
        raise ValueError(f"{rate} Hz is no multiple of {RATE} Hz")
    step = rate // RATE
    if step <= 1:
        return samples
    return [sum(samples[i:i + step]) / step for i in range(0, len(samples) - step + 1, step)]


def fft(x):
    n = len(x)
    if n == 1:
        return x
    even, odd = fft(x[0::2]), fft(x[1::2])
    w = TWIDDLE.get(n)
    if w is None:
        w = TWIDDLE[n] = [cmath.exp(-2j * math.pi * k / n) for k in range(n // 2)]
    t = [w[k] * odd[k] for k in range(n // 2)]
    return [even[k] + t[k] for k in range(n // 2)] + [even[k] - t[k] for k in range(n // 2)]


def spectrum(window):
    return [abs(c) for c in fft([s * h for s, h in zip(window, HANN)])[:WINDOW // 2]]


def windows(rate, samples):
    """(rms, strongest frequency in Hz, spectrum) of each window, from the first sound to the last."""
    samples = resample(rate, samples)
    out = []
    for at in range(0, len(samples) - WINDOW + 1, HOP):
        window = samples[at:at + WINDOW]
        rms = math.sqrt(sum(s * s for s in window) / WINDOW)
        if rms < SILENCE:
            out.append((rms, 0.0, None))
            continue
        bins = spectrum(window)
        peak = max(range(4, WINDOW // 2 - 1), key=bins.__getitem__)
        a, b, c = (math.log(bins[peak + d] + 1e-9) for d in (-1, 0, 1))
        shift = 0.5 * (a - c) / (a - 2 * b + c) if a - 2 * b + c else 0.0
        out.append((rms, (peak + shift) * RATE / WINDOW, bins))
    loud = [i for i, w in enumerate(out) if w[0] >= SILENCE]
    return out[loud[0]:loud[-1] + 1] if loud else []


def heard(rate, samples, hz, within=12.0):
    """(share of windows within 12 Hz, number of windows, median frequency)."""
    found = windows(rate, samples)
    if not found:
        return 0.0, 0, 0.0
    hits = sum(abs(w[1] - hz) <= within for w in found)
    return hits / len(found), len(found), sorted(w[1] for w in found)[len(found) // 2]


LOW, HIGH = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
DTMF = {pair: d for pair, d in zip(((low, high) for low in LOW for high in HIGH), "123A456B789C*0#D")}
DIGIT_WINDOW = 320  # 40 ms at 8 kHz: the shortest digit that a receiver must accept (ITU-T Q.24)


def goertzel(window, hz):
    """Share of the window's energy at a frequency, 0 to 1."""
    w = 2 * math.cos(2 * math.pi * hz / RATE)
    a = b = 0.0
    for s in window:
        a, b = s + w * a - b, a
    power = a * a + b * b - w * a * b
    energy = sum(s * s for s in window)
    return 2 * power / (energy * len(window)) if energy else 0.0


def digits(rate, samples):
    """DTMF digits heard as tones; a digit counts when three of four windows in a row hold both its frequencies."""
    samples = resample(rate, samples)
    found = []
    for at in range(0, len(samples) - DIGIT_WINDOW + 1, DIGIT_WINDOW // 4):
        window = samples[at:at + DIGIT_WINDOW]
        if sum(s * s for s in window) < DIGIT_WINDOW * SILENCE * SILENCE:
            found.append("")
            continue
        low, high = (max((goertzel(window, f), f) for f in group) for group in (LOW, HIGH))
        clear = low[0] > 0.15 and high[0] > 0.15 and low[0] + high[0] > 0.7
        found.append(DTMF[low[1], high[1]] if clear else "")
    out, last = "", ""
    for at in range(len(found) - 3):
        group = found[at:at + 4]
        best = max(group, key=group.count)
        digit = best if best and group.count(best) >= 3 else ""
        if digit and digit != last:
            out += digit
        if digit or not any(group):
            last = digit
    return out
