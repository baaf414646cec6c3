//! `kill -9` at every moment of a call: records are complete, and life goes on.

use super::*;
use crate::ua::Script;

/// After a crash peers hang up what they think is a call, and call again.
fn after_crash(w: &mut World, a: usize, b: usize) {
    w.crash();
    w.secs(1);
    for ua in [a, b] {
        if w.uas[ua].profile.websocket {
            w.connect(ua);
        }
        for call in 0..w.uas[ua].calls.len() {
            w.hang_up(CallRef { ua, call });
        }
    }
    w.secs(70);
    for ua in [a, b] {
        for call in 0..w.uas[ua].calls.len() {
            if w.uas[ua].calls[call].is_live() {
                let now = w.now.mono;
                w.uas[ua].on_refused(now, call, 999);
            }
        }
        w.uas[ua].clients.clear();
        w.uas[ua].script = Script::answers();
        w.register(ua);
    }
    let (ca, cb) = talk(w, a, b, "bob");
    both_hear(w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn the_process_dies_at_any_moment_of_a_call() {
    for ms in (0..1200).step_by(37).chain([2000, 2600]) {
        let mut w = World::new(110 + ms);
        let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
        w.uas[b].script = Script::of(&[(100, 180), (400, 183), (700, 200)]);
        let ca = w.dial(a, "bob");
        w.millis(ms);
        if ms == 2600 {
            w.hang_up(ca);
            w.millis(6);
        }
        after_crash(&mut w, a, b);
    }
}

#[test]
fn the_process_dies_while_a_call_is_cancelled_or_refused() {
    for ms in 0..30 {
        let mut w = World::new(111);
        let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
        w.uas[b].script = if ms % 2 == 0 { Script::of(&[(100, 180), (500, 486)]) } else { Script::rings() };
        let ca = w.dial(a, "bob");
        w.millis(500);
        w.hang_up(ca);
        w.millis(ms);
        after_crash(&mut w, a, b);
    }
}

/// Ids of calls must not begin again with the process.
#[test]
fn a_call_right_after_a_restart_has_a_record_of_its_own() {
    let mut w = World::new(112);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    let ca = w.dial(a, "bob");
    w.millis(300);
    w.crash();
    let now = w.now.mono;
    w.uas[a].on_refused(now, ca.call, 999);
    for ua in [a, b] {
        w.uas[ua].clients.clear();
    }
    let again = w.dial(a, "echo");
    assert!(w.run_until(LONG, |w| w.call(again).state == State::Answered));
    w.hang_up(again);
    w.secs(200);
    assert_eq!(w.records.problems(), Vec::<String>::new());
    // The challenged INVITE and the one with credentials, of each call.
    assert_eq!(w.records.sessions(), 4);
}
