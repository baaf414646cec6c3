"""Signalling under load, only on demand: CPU and memory of the SBC for SIPp calls without audio. Figures are printed."""

import os
import time

from cases.failures import trunk
from sipp import Sipp
from talk import alive, finals, idle
from world import Sbc, expect, until

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_secs(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def case_calls_a_second(world):
    a, b = world.host("t1", "inner"), world.host("t2", "inner")
    routes = "[[route]]\nmatch = { to = '^\\+49.*' }\nto = [\"sink\"]\n"
    allow = f'[guard]\nallow = ["{a.ip}", "{b.ip}"]\nlimits = {{ calls = 100000, cps = 20000 }}\n'
    sbc = Sbc(world, trunks=trunk(a, "source") + trunk(b, "sink"), routes=routes, extra=allow, level="warn")
    pid = sbc.process.pid
    total = 0
    for rate, calls in ((100, 1000), (300, 3000), (1000, 10000)):
        before, begun = cpu_secs(pid), time.monotonic()
        uas = Sipp(b, "uas_load", "-nd", target="", calls=calls)
        uac = Sipp(a, "uac_load", "-d", "0", "-l", "20000", user="+4930123456", calls=calls, rate=rate)
        uac.finish(120)
        uas.process.stop()
        total += calls
        print(f"\n    {rate} calls/s: {(cpu_secs(pid) - before) * 1000 / calls:.3f} CPU-seconds per 1,000 calls, "
              f"{calls / (time.monotonic() - begun):.0f} calls/s, {memory_kib(pid)} KiB", end="", flush=True)
    print("\n    ", end="")
    until(f"{total} records", 30, lambda: len(finals(sbc)) >= total, every=1)
    expect(len(finals(sbc)) == total, "one record a call")
    idle(sbc, 60)
    alive(sbc)
