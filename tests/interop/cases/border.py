"""The border: who does not belong is kept out, in the kernel."""

import json
import os
import re
import time

from sipp import Sipp
from talk import alive
from world import INNER, Sbc, expect, until


def banned(sbc, address):
    listed = sbc.host.run("nft", "list", "set", "inet", "sbc", "ban4", ok=None).stdout
    return address in listed and listed


def scanned(world, *argv, seconds=60):
    """A scanner runs from its own host until it is banned: in the kernel's set and in `sbc bans`."""
    sbc = Sbc(world)
    evil, phone = world.host("evil", "inner"), world.host("p1", "inner")
    scanner = evil.spawn(argv[0], list(argv))
    try:
        until(f"{evil.ip} in inet sbc ban4", seconds, lambda: banned(sbc, evil.ip), every=0.2)
    except Exception:
        print(scanner.log()[-500:], sbc.cli("bans", ok=None))
        raise
    expect(re.search(r"timeout|expires", banned(sbc, evil.ip)), "the ban has a time-out")
    listed = json.loads(sbc.cli("bans", "--json"))
    bans = listed["bans"] if isinstance(listed, dict) else listed
    mine = [b for b in bans if b["prefix"].startswith(evil.ip)]
    expect(len(mine) == 1 and mine[0]["reason"], f"{bans}")
    expect(mine[0]["enforced"] == "kernel", f"{mine}")
    scanner.stop()
    # Nothing answers the banned host; another one is served.
    sock = evil.socket()
    sock.settimeout(1.0)
    sock.sendto(OPTIONS.format(ip=evil.ip).encode(), (f"{INNER}.1", 5060))
    try:
        answer = sock.recv(2000)
        expect(False, f"a banned host got {answer[:80]!r}")
    except TimeoutError:
        pass
    sock.close()
    Sipp(phone, "uac_register", "-au", "phone1", "-ap", "phone1-secret", user="phone1").finish()
    # Lifting opens kernel and user space.
    sbc.cli("bans", "del", mine[0]["prefix"])
    until("lifted in the kernel", 3, lambda: not banned(sbc, evil.ip))
    alive(sbc)
    return mine[0]["reason"]


OPTIONS = ("OPTIONS sip:x@10.77.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:5099;branch=z9hG4bKprobe;rport\r\nFrom: <sip:a@{ip}>;tag=1\r\n"
           "To: <sip:x@10.77.2.1>\r\nCall-ID: probe@{ip}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n")


def case_svmap_is_banned(world):
    scanned(world, "svmap", f"{INNER}.1")


def case_svwar_is_banned(world):
    scanned(world, "svwar", "-e100-400", "-m", "INVITE", f"{INNER}.1")


def case_svcrack_is_banned(world):
    scanned(world, "svcrack", "-u", "phone1", "-r", "1000-1200", f"{INNER}.1")


def case_quiet_password_guesser_is_banned(world):
    """No scanner's name, no flood: only wrong passwords."""
    sbc = Sbc(world, extra="[guard]\nauth_failures = 3")
    evil = world.host("evil", "inner")
    for number in range(4):
        Sipp(evil, "uac_register", "-au", "phone1", "-ap", f"guess{number}", user="phone1", port=5060 + number).process.wait(45)
        if banned(sbc, evil.ip):
            break
    until("banned", 3, lambda: banned(sbc, evil.ip))
    bans = json.loads(sbc.cli("bans", "--json"))
    expect("auth_failure" in json.dumps(bans), f"{bans}")
    alive(sbc)


def case_operator_bans_and_lifts(world):
    sbc = Sbc(world)
    sbc.cli("bans", "add", "10.77.2.200", "--secs", "60")
    until("in the kernel", 3, lambda: banned(sbc, "10.77.2.200"))
    expect("10.77.2.200" in sbc.cli("bans"), "listed")
    sbc.cli("bans", "del", "10.77.2.200")
    until("lifted", 3, lambda: not banned(sbc, "10.77.2.200"))


def case_rubbish_on_every_door(world):
    """Bytes without sense at SIP, WebSocket, HTTP and media ports change nothing."""
    sbc = Sbc(world)
    evil = world.host("evil", "outer")
    sock = evil.socket()
    for size in (0, 1, 4, 20, 200, 1400):
        for port in (8189, 5060, 30000):
            sock.sendto(os.urandom(size), (evil.gateway, port))
    sock.close()
    tcp = evil.connect(8088, evil.gateway)
    tcp.settimeout(5)
    tcp.sendall(b"GET /sip HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n")
    head = tcp.recv(1000)
    expect(b" 101 " in head.split(b"\r\n")[0], f"{head[:100]}")
    tcp.sendall(b"\xff\xff" + os.urandom(300))
    end = time.monotonic() + 5
    closed = False
    while time.monotonic() < end:
        try:
            if not tcp.recv(1000):
                closed = True
                break
        except (TimeoutError, ConnectionError):
            closed = True
            break
    expect(closed, "a WebSocket with rubbish stays open")
    tcp.close()
    alive(sbc)
    status, _ = sbc.host.get(8080, "/healthz")
    expect(status == 200, "healthy afterwards")
