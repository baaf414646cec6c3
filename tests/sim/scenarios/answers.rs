//! Forks: several devices, several branches, several answers.

use std::time::Duration;

use super::*;
use crate::ua::{Script, Step};

fn step(ms: u64, status: u16, fork: u8) -> Step {
    Step { after: Duration::from_millis(ms), status, sdp: matches!(status, 183 | 200), fork }
}

#[test]
fn the_first_device_that_answers_has_the_call() {
    let mut w = World::new(30);
    let (a, b1, b2) = (phone(&mut w, "alice"), browser(&mut w, "bob"), phone(&mut w, "bob"));
    w.uas[b1].script = Script::of(&[(100, 180), (5000, 200)]);
    w.uas[b2].script = Script::of(&[(150, 180), (1000, 200)]);
    let (ca, cb) = talk(&mut w, a, b2, "bob");
    both_hear(&w, ca, cb);
    assert_eq!(w.call(w.last(b1)).status, Some(487));
    w.hang_up(ca);
    w.settle();
}

#[test]
fn one_device_declines_and_the_other_answers() {
    let mut w = World::new(31);
    let (a, b1, b2) = (browser(&mut w, "alice"), phone(&mut w, "bob"), browser(&mut w, "bob"));
    w.uas[b1].script = Script::of(&[(100, 180), (400, 486)]);
    w.uas[b2].script = Script::of(&[(150, 180), (2000, 200)]);
    let (ca, cb) = talk(&mut w, a, b2, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
}

#[test]
fn both_devices_answer_at_the_same_time() {
    for (x, y) in [(1000, 1000), (1000, 1001), (1000, 1005), (1000, 1009), (1010, 1000)] {
        let mut w = World::new(32);
        let (a, b1, b2) = (phone(&mut w, "alice"), phone(&mut w, "bob"), browser(&mut w, "bob"));
        w.uas[b1].script = Script::of(&[(100, 180), (x, 200)]);
        w.uas[b2].script = Script::of(&[(100, 180), (y, 200)]);
        let ca = w.dial(a, "bob");
        assert!(w.run_until(LONG, |w| w.call(ca).state == State::Answered));
        w.secs(3);
        let live: Vec<usize> = [b1, b2].into_iter().filter(|b| w.has_call(*b, State::Answered)).collect();
        assert_eq!(live.len(), 1, "one of them has the call");
        both_hear(&w, ca, w.last(live[0]));
        w.hang_up(ca);
        w.settle();
    }
}

#[test]
fn all_devices_are_busy() {
    let mut w = World::new(33);
    let (a, b1, b2) = (phone(&mut w, "alice"), phone(&mut w, "bob"), phone(&mut w, "bob"));
    w.uas[b1].script = Script::of(&[(100, 180), (300, 486)]);
    w.uas[b2].script = Script::of(&[(100, 180), (900, 480)]);
    let ca = refused(&mut w, a, "bob");
    assert_eq!(w.call(ca).status, Some(486));
    w.settle();
}

/// A trunk forks: several early dialogs, one of them answers.
#[test]
fn provisional_answers_of_a_fork_beyond_the_trunk() {
    let mut w = World::new(34);
    let (a, b) = (browser(&mut w, "alice"), w.trunk(0));
    w.uas[b].script.steps = vec![step(100, 180, 1), step(200, 183, 2), step(300, 180, 3), step(2000, 200, 2)];
    let (ca, cb) = talk(&mut w, a, b, "+4930");
    both_hear(&w, ca, cb);
    let seen: Vec<u16> = w.call(ca).statuses.iter().copied().filter(|s| *s > 100 && *s != 407 && *s != 401).collect();
    assert_eq!(seen.last(), Some(&200));
    w.hang_up(ca);
    w.settle();
}

/// RFC 3261 §13.2.2.4: the second answer is acknowledged and hung up.
#[test]
fn a_second_answer_of_a_fork_is_ended() {
    let mut w = World::new(35);
    let (a, b) = (browser(&mut w, "alice"), w.trunk(0));
    w.uas[b].script = Script::answers();
    w.uas[b].script.second_answer = true;
    let ca = w.dial(a, "+4930");
    assert!(w.run_until(LONG, |w| w.call(ca).state == State::Answered));
    w.secs(5);
    let calls = &w.uas[b].calls;
    assert_eq!(calls.len(), 2);
    assert!(calls[0].is_live() && calls[0].acked);
    assert!(!calls[1].is_live() && calls[1].acked && calls[1].remote_bye, "the second one is acknowledged, then ended");
    w.hang_up(ca);
    w.settle();
}
