"""Digits as RFC 4733 events, their clock rate converted where the sides differ."""

import time

from baresip import Baresip
from browser import Browser
from cases.failures import route, trunk
from rtp import Peer
from sipp import Sipp
from talk import BROWSER_HZ, digits_arrive, done, hears, microphone
from world import Sbc, expect, until

DIGITS = "159#"


def browser_to_receiver(world, codec):
    """Opus browsers send events at 48 kHz; at the phone they must count in 8 kHz and last as long as they were pressed."""
    carrier = world.host("t1", "inner")
    sbc = Sbc(world, trunks=trunk(carrier), routes=route('["carrier"]', r"^\+49.*"))
    media = Peer(carrier, 40000)
    uas = Sipp(carrier, "uas", target="")
    browser = Browser(world.host("b1", "outer"), microphone(world), codec=codec)
    browser.register("alice")
    browser.call("+4930123456")
    browser.wait("answered")
    until("audio at the phone", 5, lambda: media.packets > 20)
    browser.do("dtmf", DIGITS)
    time.sleep(0.3)
    browser.do("hangup")
    uas.finish()
    media.close()
    browser.close()
    got = media.digits()
    expect("".join(d for d, _ in got) == DIGITS, f"{got} arrived for {DIGITS}")
    for digit, ms in got:
        expect(180 <= ms <= 330, f"{digit} lasts {ms:.0f} ms at the phone, pressed for 240 ms")
    ends = {t for t, _, end, _, _ in media.events if end}
    expect(len(ends) == len(DIGITS), f"{len(ends)} of {len(DIGITS)} events ended")
    hears("the phone", (8000, media.samples), BROWSER_HZ)
    done(sbc, {"cause.sip_code": 200, "trunk_b": "carrier"})


def case_opus_browser_to_phone(world):
    browser_to_receiver(world, "opus")


def case_pcma_browser_to_phone(world):
    browser_to_receiver(world, "PCMA")


def case_baresip_to_browser_and_back(world):
    """Digits of the phone are heard in the browser; those of the browser stand in baresip's log."""
    sbc = Sbc(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    browser = Browser(world.host("b1", "outer"), microphone(world), codec="opus")
    browser.register("alice")
    browser.call("phone1")
    phone.wait("CALL_INCOMING")
    phone.answer()
    browser.wait("answered")
    browser.record(0.5)

    def press():
        for digit in DIGITS:
            phone.dtmf(digit)
            time.sleep(0.35)
    digits_arrive(browser, press, DIGITS)
    browser.do("dtmf", DIGITS)
    time.sleep(0.3)
    browser.do("hangup")
    phone.wait("CALL_CLOSED")
    log = phone.process.log()
    seen = "".join(line.split("'")[1] for line in log.splitlines() if "received event:" in line and "end=1" in line)
    browser.close()
    expect(seen == DIGITS, f"the phone saw {seen!r} for {DIGITS!r}")
    done(sbc, {"cause.sip_code": 200})
