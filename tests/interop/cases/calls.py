"""Calls with audio in both directions, between every pair of kinds of client, through the SBC."""

import time

from baresip import Baresip
from browser import Browser
from talk import BROWSER_HZ, PHONE_HZ, done, hears, microphone, secret_free
from world import INNER, OUTER, Sbc, expect


def pair(world, page, codec, phone_codecs=("PCMA",)):
    """(sbc, browser of alice, baresip of phone1), both registered."""
    sbc = Sbc(world)
    browser = Browser(world.host("b1", "outer"), microphone(world), page=page, codec=codec)
    phone = Baresip(world.host("p1", "inner"), "phone1", hz=PHONE_HZ, codecs=phone_codecs)
    browser.register("alice")
    phone.registered()
    return sbc, browser, phone


def talk(browser, phone, codec, seconds=3.0):
    """Both sides hear each other; the browser's transport is what it should be."""
    heard = browser.record(seconds)
    hears("the browser", heard, PHONE_HZ)
    stats = browser.do("stats")
    expect(stats["dtls"] == "connected", f"{stats}")
    expect(stats["codec_in"].lower() == f"audio/{codec}".lower() == stats["codec_out"].lower(), f"{stats}")
    expect(stats["lost"] <= 3, f"packets lost on a lossless path: {stats}")


def browser_calls_phone(sbc, browser, phone, codec):
    browser.call("phone1")
    phone.wait("CALL_INCOMING")
    expect(browser.wait("progress")["code"] == 180, "no 180")
    phone.answer()
    browser.wait("answered")
    talk(browser, phone, codec)
    browser.do("hangup")
    browser.wait("ended")
    phone.wait("CALL_CLOSED")
    hears("the phone", phone.recording(), BROWSER_HZ)
    secret_free(phone.process.log(), OUTER, "WebSocket", "JsSIP", "SIP.js", ".invalid", "a=candidate", "a=fingerprint", "sbc.test;transport=ws")


def phone_calls_browser(sbc, browser, phone, codec):
    phone.call("alice")
    incoming = browser.wait("incoming")
    expect(INNER not in incoming["from"], f"the phone's side is visible: {incoming}")
    browser.do("answer")
    browser.wait("answered")
    phone.wait("CALL_ESTABLISHED")
    talk(browser, phone, codec)
    phone.hangup()
    ended = browser.wait("ended")
    expect(ended["by"] == "remote", f"{ended}")
    phone.wait("CALL_CLOSED")
    hears("the phone", phone.recording(), BROWSER_HZ)


ANSWERED = {"cause.sip_code": 200, "attempt": 1}


def both_ways(world, page, codec, phone_codecs=("PCMA",)):
    sbc, browser, phone = pair(world, page, codec, phone_codecs)
    browser_calls_phone(sbc, browser, phone, codec)
    phone_calls_browser(sbc, browser, phone, codec)
    browser.close()
    return done(sbc, {**ANSWERED, "disconnect_initiator": "caller"}, {**ANSWERED, "disconnect_initiator": "caller"})


def case_jssip_opus_transcoded_to_phone_and_back(world):
    both_ways(world, "jssip", "opus")


def case_jssip_pcma_relayed_to_phone_and_back(world):
    both_ways(world, "jssip", "PCMA")


def case_jssip_pcmu_transcoded_to_pcma_and_back(world):
    both_ways(world, "jssip", "PCMU")


def case_sipjs_opus_transcoded_to_phone_and_back(world):
    both_ways(world, "sipjs", "opus")


def case_jssip_calls_sipjs(world):
    sbc = Sbc(world)
    a = Browser(world.host("b1", "outer"), microphone(world, BROWSER_HZ), page="jssip")
    b = Browser(world.host("b2", "outer"), microphone(world, PHONE_HZ), page="sipjs")
    a.register("alice")
    b.register("bob")
    a.call("bob")
    b.wait("incoming")
    b.do("answer")
    a.wait("answered")
    b.wait("answered")
    hears("the caller", a.record(2.5), PHONE_HZ)
    hears("the callee", b.record(2.5), BROWSER_HZ)
    for page, other in ((a, b.host.ip), (b, a.host.ip)):
        remote = page.js("phone.media.connections.at(-1).remoteDescription.sdp")
        secret_free(remote, other)
    b.do("hangup")
    expect(a.wait("ended")["by"] == "remote", "the callee's BYE")
    a.close()
    b.close()
    done(sbc, {**ANSWERED, "disconnect_initiator": "callee"})


def case_phone_calls_phone(world):
    sbc = Sbc(world)
    a = Baresip(world.host("p1", "inner"), "phone1", hz=BROWSER_HZ)
    b = Baresip(world.host("p2", "inner"), "phone2", hz=PHONE_HZ)
    a.registered()
    b.registered()
    a.call("phone2")
    b.wait("CALL_INCOMING")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    time.sleep(3)
    b.hangup()
    a.wait("CALL_CLOSED")
    hears("the caller", a.recording(), PHONE_HZ)
    hears("the callee", b.recording(), BROWSER_HZ)
    secret_free(b.process.log(), a.host.ip)
    secret_free(a.process.log(), b.host.ip)
    done(sbc, {**ANSWERED, "disconnect_initiator": "callee"})
