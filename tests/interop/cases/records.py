"""A record for every attempt, also after `kill -9`."""

import json
import signal
import time

from baresip import Baresip
from cases.failures import route, trunk
from sipp import Sipp
from talk import finals, records
from world import Sbc, expect, until


def case_killed_in_a_call_leaves_one_final_record(world):
    sbc = Sbc(world)
    a = Baresip(world.host("p1", "inner"), "phone1", hz=440).registered()
    b = Baresip(world.host("p2", "inner"), "phone2").registered()
    a.call("phone2")
    b.wait("CALL_INCOMING")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    time.sleep(1)
    before = sbc.records()
    expect(before and not finals(sbc), f"an open record stands while the call lasts: {before}")
    sbc.process.signal(signal.SIGKILL)
    sbc.process.wait(5)
    sbc.start()
    found = records(sbc, {})
    expect(found[0]["cause"].get("internal_code"), f"the record says why: {found[0]}")
    sbc.cli("cdr", "verify")
    # Once more: nothing is closed twice.
    sbc.process.signal(signal.SIGKILL)
    sbc.process.wait(5)
    sbc.start()
    time.sleep(0.5)
    records(sbc, {})
    sbc.cli("cdr", "verify")


def case_stopped_in_a_call_says_goodbye(world):
    sbc = Sbc(world)
    a = Baresip(world.host("p1", "inner"), "phone1", hz=440).registered()
    b = Baresip(world.host("p2", "inner"), "phone2").registered()
    a.call("phone2")
    b.wait("CALL_INCOMING")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    sbc.cli("stop", ok=None)
    a.wait("CALL_CLOSED", 10)
    b.wait("CALL_CLOSED", 10)
    code = sbc.process.wait(10)
    expect(code == 0, f"exit {code}")
    found = records(sbc, {"disconnect_initiator": ("sbc", "admin")})
    expect(found[0]["cause"]["sip_code"] == 200, f"{found}")


def case_operator_sees_and_explains_a_call(world):
    """`sbc calls`, `sbc why`, hang-up by the operator, and the same by the API."""
    sbc = Sbc(world)
    a = Baresip(world.host("p1", "inner"), "phone1", hz=440).registered()
    b = Baresip(world.host("p2", "inner"), "phone2").registered()
    a.call("phone2")
    b.wait("CALL_INCOMING")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    call = until("the call is listed", 5, lambda: sbc.api("/api/v1/calls")["calls"])[0]
    expect(call["state"] == "answered" and call["from"] == "phone1" and call["to"] == "phone2", f"{call}")
    expect("phone1" in sbc.cli("calls"), "sbc calls")
    listed = json.loads(sbc.cli("calls", "--json"))
    expect(len(listed["calls"] if isinstance(listed, dict) else listed) == 1, f"{listed}")
    expect("1" in sbc.cli("status"), "sbc status")
    sbc.cli("hangup", call["id"])
    a.wait("CALL_CLOSED", 5)
    b.wait("CALL_CLOSED", 5)
    records(sbc, {"disconnect_initiator": "admin", "cause.sip_code": 200})
    why = sbc.cli("why", call["id"])
    expect(len(why.splitlines()) >= 2, f"sbc why: {why!r}")
    detail = sbc.api(f"/api/v1/calls/{call['id']}")
    expect(detail["disconnect_initiator"] == "admin" and detail["events"], f"{detail}")


def case_why_names_the_first_cause_of_a_failure(world):
    carrier = world.host("t1", "inner")
    sbc = Sbc(world, trunks=trunk(carrier), routes=route('["carrier"]', r"^\+49.*"))
    phone = Baresip(world.host("p1", "inner"), "phone1").registered()
    uas = Sipp(carrier, "uas_486", target="")
    phone.call("+4930123456")
    phone.wait("CALL_CLOSED")
    uas.finish()
    found = records(sbc, {"cause.sip_code": 486})
    why = sbc.cli("why", found[0]["call"])
    expect("486" in why or "busy" in why.lower(), why)
    metrics = sbc.host.get(8080, "/metrics")[1]
    expect('result="busy"' in metrics, "the busy call is counted")
