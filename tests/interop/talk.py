"""What every call case does: find the tones in both directions, and the records that the call must have left."""

import time

import tone
from world import Failed, expect, until

BROWSER_HZ, PHONE_HZ = 440, 1000
SHARE, WINDOWS = 0.8, 18


def microphone(world, hz=BROWSER_HZ):
    return tone.write(world.path(f"mic-{hz}.wav"), hz, 10, 48000)


def hears(who, recording, hz, windows=WINDOWS):
    """Fails unless a recording holds a tone in 80 % of its windows."""
    share, count, median = tone.heard(*recording, hz)
    expect(share >= SHARE and count >= windows, f"{who} heard {hz} Hz in {share:.0%} of {count} windows, median {median:.0f} Hz")


def line_kind(record):
    """`start`, `final` or another kind of journal line."""
    return record.get("record") or record.get("kind") or record.get("type")


def finals(sbc):
    """The final records in the journal, oldest first."""
    return [r for r in sbc.records() if line_kind(r) in ("final", "attempt", "end")]


def records(sbc, *wanted, seconds=8):
    """Waits until as many final records stand as `wanted` has, then compares fields: {"cause.sip_code": 486, ...}.

    A value may be a set of allowed values. Exactly one final an attempt: more than wanted is a failure too.
    """
    until(f"{len(wanted)} final records, there are {[brief(r) for r in finals(sbc)]}", seconds, lambda: len(finals(sbc)) >= len(wanted))
    time.sleep(0.3)
    found = finals(sbc)
    expect(len(found) == len(wanted), f"{len(found)} final records instead of {len(wanted)}: {[brief(r) for r in found]}")
    for number, (record, fields) in enumerate(zip(found, wanted)):
        for path, value in fields.items():
            got = record
            for part in path.split("."):
                got = got.get(part) if isinstance(got, dict) else None
            allowed = value if isinstance(value, (set, frozenset, tuple)) else {value}
            expect(got in allowed, f"record {number}: {path} is {got!r}, not {value!r}; {brief(record)}")
    keys = [(r.get("session_id"), r.get("call_id_a"), r.get("attempt"), r.get("seq")) for r in found]
    expect(len(set(keys)) == len(keys), f"two final records of one attempt: {keys}")
    return found


def brief(record):
    return {k: v for k, v in record.items() if k in ("seq", "attempt", "cause", "disconnect_initiator", "trunk", "to_in", "talk_ms", "result")}


def idle(sbc, seconds=8):
    """Nothing is left of a call: none active, every media session closed, every port back."""
    def gone():
        status = sbc.api("/api/v1/status")
        return status["calls_active"] == 0 and all(t["sessions"] == 0 for t in status["media_threads"])
    until("no call and no media session left", seconds, gone)


def alive(sbc):
    """The process under test still runs and logged no panic."""
    expect(sbc.process.running(), f"sbc ended: {sbc.process.log()[-800:]}")
    text = sbc.process.log()
    expect("panicked at" not in text, f"a panic in the log: {text[text.find('panicked at') - 200:][:800]}")


def done(sbc, *wanted):
    """The end of every case: records, idleness, no panic, and the journal proves itself."""
    found = records(sbc, *wanted)
    idle(sbc)
    alive(sbc)
    sbc.cli("cdr", "verify")
    return found


def secret_free(text, *secrets):
    """Topology hiding: none of these stands in what a peer received."""
    for secret in secrets:
        at = text.find(secret)
        if at >= 0:
            raise Failed(f"{secret!r} is visible to the other side: ...{text[max(0, at - 120):at + 80]}...")
