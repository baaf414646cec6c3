"""Endurance, only on demand."""

import time

from baresip import Baresip
from browser import Browser
from talk import BROWSER_HZ, PHONE_HZ, done, hears, microphone
from world import Sbc, expect



def registered(world):
    sbc = Sbc(world, level="info")
    browser = Browser(world.host("b1", "outer"), microphone(world), codec="opus")
    phone = Baresip(world.host("p1", "inner"), "phone1", hz=PHONE_HZ, answer="auto").registered()
    browser.register("alice")
    return sbc, browser, phone


def case_ten_minutes(world):
    """One transcoded call: the tone stands all the time, nothing drifts."""
    sbc, browser, phone = registered(world)
    browser.call("phone1")
    browser.wait("answered")
    for _ in range(20):
        time.sleep(27.5)
        hears("the browser", browser.record(2.5), PHONE_HZ)
    stats = browser.do("stats")
    expect(stats["packets_in"] > 28_000 and stats["lost"] < 30, f"{stats}")
    browser.do("hangup")
    phone.wait("CALL_CLOSED")
    hears("the phone", phone.recording(), BROWSER_HZ, windows=8000)
    done(sbc, {"cause.sip_code": 200})


def case_two_hundred_calls(world):
    """One after the other: every one has audio, nothing is left behind."""
    sbc, browser, phone = registered(world)
    for number in range(200):
        browser.call("phone1")
        browser.wait("answered")
        if number % 20 == 0:
            hears("the browser", browser.record(2.5), PHONE_HZ)
        browser.do("hangup")
        browser.wait("ended")
        phone.wait("CALL_CLOSED")
    done(sbc, *[{"cause.sip_code": 200}] * 200)
