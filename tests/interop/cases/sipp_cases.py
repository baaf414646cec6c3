"""SIPp as carrier and as phone over UDP."""

import re
import time

from baresip import Baresip
from cases.failures import route, trunk
from rtp import Peer
from sipp import Sipp
from talk import BROWSER_HZ, PHONE_HZ, done, finals, hears, secret_free
from world import INNER, Sbc, expect


def carriers(world, more=""):
    """(sbc, caller's host, callee's host): calls of the first trunk go to the second."""
    a, b = world.host("t1", "inner"), world.host("t2", "inner")
    sbc = Sbc(world, trunks=trunk(a, "source") + trunk(b, "sink"), routes=route('["sink"]', r"^\+49.*"), extra=more)
    return sbc, a, b


def case_basic_call_with_audio(world):
    sbc, a, b = carriers(world)
    here, there = Peer(a, 40000, hz=BROWSER_HZ), Peer(b, 40000, hz=PHONE_HZ)
    uas, uac = Sipp(b, "uas", target=""), Sipp(a, "uac", user="+4930123456")
    here.peer = uac.remote_media()
    uac.finish()
    uas.finish()
    here.close()
    there.close()
    hears("the caller", (8000, here.samples), PHONE_HZ)
    hears("the callee", (8000, there.samples), BROWSER_HZ)
    expect({s[0] for s in there.sources} == {f"{INNER}.1"}, f"media came from {there.sources}")
    received = "".join(uas.received())
    secret_free(received, a.ip, "inside-secret", "insider")
    call_id = re.search(r"Call-ID: (\S+)", uac.log())[1]
    secret_free(received, call_id)
    secret_free("".join(uac.received()), b.ip, "inside-secret/2.0")
    done(sbc, {"cause.sip_code": 200, "trunk_b": "sink", "disconnect_initiator": "caller"})


def case_cancel(world):
    sbc, a, b = carriers(world)
    uas, uac = Sipp(b, "uas_ring", target=""), Sipp(a, "uac_cancel", user="+4930123456")
    uac.finish()
    uas.finish()
    done(sbc, {"cause.sip_code": 487, "disconnect_initiator": "caller"})


def case_busy(world):
    sbc, a, b = carriers(world)
    uas, uac = Sipp(b, "uas_486", target=""), Sipp(a, "uac_486", user="+4930123456")
    uac.finish()
    uas.finish()
    done(sbc, {"cause.sip_code": 486, "disconnect_initiator": "callee"})


def case_unknown_number(world):
    sbc, a, _ = carriers(world)
    Sipp(a, "uac_404", user="nobody").finish()
    done(sbc, {"cause.sip_code": 404})


def case_early_media_late_answer_and_bye_from_the_callee(world):
    carrier = world.host("t1", "inner")
    sbc = Sbc(world, trunks=trunk(carrier), routes=route('["carrier"]', r"^\+49.*"))
    phone = Baresip(world.host("p1", "inner"), "phone1", hz=BROWSER_HZ).registered()
    media = Peer(carrier, 40000, hz=PHONE_HZ)
    uas = Sipp(carrier, "uas_late", target="")
    phone.call("+4930123456")
    media.peer = uas.remote_media()  # early media: the callee talks first
    phone.wait("CALL_PROGRESS")
    phone.wait("CALL_ESTABLISHED")
    phone.wait("CALL_CLOSED", 12)
    uas.finish()
    media.close()
    hears("the callee", (8000, media.samples), BROWSER_HZ)
    hears("the caller", phone.recording(), PHONE_HZ, windows=40)  # four seconds: two of them before the answer
    done(sbc, {"cause.sip_code": 200, "disconnect_initiator": "callee"})


def case_registration_with_digest(world):
    sbc = Sbc(world)
    phone = world.host("p1", "inner")
    Sipp(phone, "uac_register", "-au", "phone1", "-ap", "phone1-secret", user="phone1").finish()
    registrations = sbc.api("/api/v1/registrations")["registrations"]
    expect([r["user"] for r in registrations] == ["phone1"], f"{registrations}")
    done(sbc)


def case_call_with_digest_to_echo(world):
    sbc = Sbc(world)
    phone = world.host("p1", "inner")
    media = Peer(phone, 40000, hz=BROWSER_HZ)
    uac = Sipp(phone, "uac_auth", "-au", "phone1", "-ap", "phone1-secret", "-auth_uri", f"echo@{INNER}.1:5060", user="echo")
    time.sleep(0.2)
    media.peer = uac.remote_media()
    uac.finish()
    media.close()
    hears("the caller", (8000, media.samples), BROWSER_HZ, windows=12)
    done(sbc, {"cause.sip_code": 200, "user": "phone1"})
    expect([r["cause"]["sip_code"] for r in finals(sbc, challenged=True)] == [407, 200], "the challenged INVITE has its record too")


def case_a_hundred_calls_at_twenty_a_second(world):
    sbc, a, b = carriers(world)
    uas = Sipp(b, "uas", target="", calls=100)
    uac = Sipp(a, "uac", user="+4930123456", calls=100, rate=20)
    uac.finish()
    uas.finish()
    done(sbc, *[{"cause.sip_code": 200}] * 100)
