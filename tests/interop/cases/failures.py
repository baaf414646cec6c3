"""Calls that do not come about, and how each side and the records see it."""

import time

from baresip import Baresip
from browser import Browser
from rtp import Peer
from sipp import Sipp
from talk import attempts, done, finals, microphone
from world import Sbc, expect, until


def trunk(host, name="carrier", more=""):
    return f'[trunk.{name}]\nrealm = "phones"\ntarget = "sip:{host.ip}"\nprobe = {{ every = "0s" }}\n{more}\n'


def route(to, match):
    return f"[[route]]\nmatch = {{ to = '{match}' }}\nto = {to}\n"


def browser_of(world, user="alice", page="jssip"):
    browser = Browser(world.host(f"b-{user}", "outer"), microphone(world), page=page)
    browser.register(user)
    return browser


def case_caller_cancels_from_the_browser(world):
    sbc = Sbc(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    for page in ("jssip", "sipjs"):
        browser = Browser(world.host(page, "outer"), microphone(world), page=page)
        browser.register("alice")
        browser.call("phone1")
        phone.wait("CALL_INCOMING")
        browser.wait("progress")
        browser.do("hangup")
        browser.wait("failed")
        phone.wait("CALL_CLOSED")
        browser.close()
    done(sbc, *[{"cause.sip_code": 487, "disconnect_initiator": "caller"}] * 2)


def case_caller_cancels_from_the_phone(world):
    sbc = Sbc(world)
    browser = browser_of(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    phone.call("alice")
    browser.wait("incoming")
    phone.wait("CALL_RINGING")
    phone.hangup()
    browser.wait("failed")
    browser.close()
    done(sbc, {"cause.sip_code": 487, "disconnect_initiator": "caller"})


def case_busy_phone(world):
    sbc = Sbc(world)
    browser = browser_of(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    browser.call("phone1")
    phone.wait("CALL_INCOMING")
    phone.hangup()  # 486
    expect(browser.wait("failed")["code"] == 486, "486 reaches the browser")
    browser.close()
    done(sbc, {"cause.sip_code": 486, "disconnect_initiator": "callee"})


def case_browser_declines_or_is_busy(world):
    sbc = Sbc(world)
    browser = browser_of(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    for code in (603, 486):
        phone.call("alice")
        browser.wait("incoming")
        browser.do("reject", code)
        closed = phone.wait("CALL_CLOSED")
        expect(str(code) in closed["param"], f"{closed}")
    browser.close()
    done(sbc, {"cause.sip_code": 603, "disconnect_initiator": "callee"}, {"cause.sip_code": 486, "disconnect_initiator": "callee"})


def case_nobody_answers(world):
    sbc = Sbc(world, extra='[sip]\nno_answer = "2s"')
    browser = browser_of(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    browser.call("phone1")
    phone.wait("CALL_INCOMING")
    failed = browser.wait("failed", 8)
    expect(failed["code"] in (408, 480), f"{failed}")
    phone.wait("CALL_CLOSED")
    browser.close()
    done(sbc, {"cause.sip_code": (408, 480), "disconnect_initiator": ("timer", "sbc")})


def case_unknown_and_absent_users(world):
    sbc = Sbc(world)
    browser = browser_of(world)
    browser.call("nobody")
    expect(browser.wait("failed")["code"] == 404, "unknown user: 404")
    browser.call("phone2")  # configured, but not registered
    expect(browser.wait("failed")["code"] in (404, 480), "absent user: 480")
    browser.close()
    done(sbc, {"cause.sip_code": 404}, {"cause.sip_code": (404, 480)})


def case_wrong_password_tells_nothing(world):
    sbc = Sbc(world)
    codes = []
    for number, user in enumerate(("alice", "nobody")):
        browser = Browser(world.host(f"b{number}", "outer"), microphone(world))
        codes.append(browser.register(user, password="wrong", expect_event="refused")["code"])
        browser.close()
    expect(codes[0] == codes[1] and codes[0] in (401, 403), f"known and unknown user differ: {codes}")
    done(sbc)


def case_unregistered_browser_may_not_call(world):
    """A browser without credentials is challenged and gets no call."""
    sbc = Sbc(world)
    browser = Browser(world.host("b1", "outer"), microphone(world))
    browser.do("start", {"ws": "ws://10.77.1.1:8088/sip", "user": "alice", "domain": "sbc.test", "password": "wrong", "register": False})
    browser.wait("connected")
    browser.call("echo")
    expect(browser.wait("failed")["code"] in (401, 403), "refused")
    browser.close()
    until("the attempts have records", 5, lambda: finals(sbc, challenged=True))


def case_next_trunk_takes_over(world):
    """503 from the first trunk, the second answers: one session, two attempts."""
    one, two = world.host("t1", "inner"), world.host("t2", "inner")
    sbc = Sbc(world, trunks=trunk(one, "first") + trunk(two, "second"), routes=route('["first", "second"]', r"^\+49.*"))
    media = Peer(two, 40000)
    first, second = Sipp(one, "uas_503", target=""), Sipp(two, "uas", target="")
    browser = browser_of(world)
    browser.call("+4930123456")
    browser.wait("answered")
    time.sleep(1)
    browser.do("hangup")
    browser.wait("ended")
    first.finish()
    second.finish()
    media.close()
    browser.close()
    done(sbc, {"cause.sip_code": 200, "attempt": 2, "trunk_b": "second"})
    tried = [(r["attempt"], r["trunk_b"], r["cause"]["sip_code"]) for r in attempts(sbc)]
    expect(tried == [(1, "first", 503), (2, "second", 200)], f"{tried}")


def case_trunk_over_its_limit(world):
    """The second call over a trunk with room for one is told 503 with Retry-After."""
    carrier, client = world.host("t1", "inner"), world.host("t2", "inner")
    sbc = Sbc(world, trunks=trunk(carrier, "small", "limits = { calls = 1, cps = 100 }") + trunk(client, "source"),
              routes=route('["small"]', r"^\+49.*"))
    media = [Peer(carrier, 40000), Peer(client, 40000, send=True)]
    uas = Sipp(carrier, "uas", target="")
    first = Sipp(client, "uac", user="+49301")
    until("a call", 5, lambda: sbc.api("/api/v1/status")["calls_active"] == 1)
    second = Sipp(client, "uac_503", user="+49302", port=5070)
    second.finish()
    expect("Retry-After:" in second.log(), "503 without Retry-After")
    first.finish()
    uas.finish()
    for peer in media:
        peer.close()
    done(sbc, {"cause.sip_code": 503}, {"cause.sip_code": 200})


def case_websocket_lost_in_a_call(world):
    """The browser's connection goes: the call ends for the phone, with a record, within the configured time."""
    sbc = Sbc(world, extra='[sip]\nflow_lost = "1s"')
    browser = browser_of(world)
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    browser.call("phone1")
    phone.wait("CALL_INCOMING")
    phone.answer()
    browser.wait("answered")
    time.sleep(0.5)
    browser.close()
    phone.wait("CALL_CLOSED", 12)
    done(sbc, {"cause.sip_code": 200})
