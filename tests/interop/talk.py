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


def finals(sbc, challenged=False):
    """The final records of calls, oldest first; those of mere challenges (401, 407) only if asked for."""
    found = [r for r in sbc.records() if r["kind"] == "session"]
    return [r for r in found if challenged or r["cause"]["internal_code"] != "auth_required"]


def records(sbc, *wanted, seconds=8, challenged=False):
    """Waits until as many calls have a final record as `wanted` has, then compares fields: {"cause.sip_code": 486, ...}.

    A value may be a tuple of allowed values. More records than wanted, or two of one call or attempt, is a failure too.
    """
    until(f"{len(wanted)} final records", seconds, lambda: len(finals(sbc, challenged)) >= len(wanted))
    time.sleep(0.3)
    found = finals(sbc, challenged)
    expect(len(found) == len(wanted), f"{len(found)} final records instead of {len(wanted)}: {[brief(r) for r in found]}")
    for number, (record, fields) in enumerate(zip(found, wanted)):
        for path, value in fields.items():
            got = record
            for part in path.split("."):
                got = got.get(part) if isinstance(got, dict) else None
            allowed = value if isinstance(value, tuple) else (value,)
            expect(got in allowed, f"record {number}: {path} is {got!r}, not {value!r}; {brief(record)}")
    keys = [(r["kind"], r["call"], r["attempt"] if r["kind"] == "attempt" else 0) for r in sbc.records() if r["kind"] in ("attempt", "session")]
    twice = {k for k in keys if keys.count(k) > 1} if len(keys) < 500 else set()
    expect(not twice, f"two final records of one thing: {twice}")
    return found


def attempts(sbc):
    """The final records of attempts, oldest first."""
    return [r for r in sbc.records() if r["kind"] == "attempt"]


def brief(record):
    return {k: v for k, v in record.items() if k in ("call", "attempt", "target", "cause", "disconnect_initiator", "to_in", "talk_ms")}


def digits_arrive(browser, press, wanted, tries=3):
    """A browser plays the events it receives, which is how they are seen there. With Opus beside them Chromium sometimes
    plays one too briefly to be told from the speech around it, hence more than one try."""
    heard = []
    for _ in range(tries):
        heard.append(tone.digits(*browser.record(0.6 * len(wanted) + 0.6, press)))
        if heard[-1] == wanted:
            return
    raise Failed(f"heard digits {heard} for {wanted!r}")


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
