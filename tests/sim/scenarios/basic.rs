//! Calls in both directions between every kind of peer, hung up by either.

use super::*;
use crate::ua::Script;

#[test]
fn phone_calls_phone_and_hangs_up() {
    let mut w = World::new(1);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
    assert!(w.call(cb).remote_bye);
    assert_eq!(w.call(ca).bye_answered, Some(200));
}

#[test]
fn browser_calls_phone_and_phone_hangs_up() {
    let mut w = World::new(2);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
    assert!(w.call(ca).remote_bye);
}

#[test]
fn phone_calls_browser_and_browser_hangs_up() {
    let mut w = World::new(3);
    let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
    assert!(w.call(ca).remote_bye);
}

#[test]
fn browser_calls_browser() {
    let mut w = World::new(4);
    let (a, b) = (browser(&mut w, "alice"), browser(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn browser_calls_a_number_at_a_trunk() {
    let mut w = World::new(5);
    let (a, b) = (browser(&mut w, "alice"), w.trunk(0));
    let (ca, cb) = talk(&mut w, a, b, "+4930123456");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn trunk_calls_browser() {
    let mut w = World::new(6);
    let (a, b) = (w.trunk(0), browser(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn provisional_answers_cross_in_order() {
    let mut w = World::new(7);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::of(&[(100, 180), (500, 183), (900, 200)]);
    let (ca, _) = talk(&mut w, a, b, "bob");
    let seen: Vec<u16> = w.call(ca).statuses.iter().copied().filter(|s| *s != 100).collect();
    assert_eq!(seen, [180, 183, 200]);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn early_media_is_heard_before_the_answer() {
    for caller_is_browser in [false, true] {
        let mut w = World::new(8);
        let a = if caller_is_browser { browser(&mut w, "alice") } else { phone(&mut w, "alice") };
        let b = w.trunk(0);
        w.uas[b].script = Script::of(&[(100, 183), (3000, 200)]);
        let ca = w.dial(a, "+4930");
        w.millis(2500);
        assert_eq!(w.call(ca).state, State::Ringing);
        let cb = w.last(b);
        assert_eq!(hears(&w, ca), says(&w, cb), "browser: {caller_is_browser}");
        assert!(w.run_until(LONG, |w| w.call(ca).state == State::Answered));
        w.secs(2);
        both_hear(&w, ca, cb);
        w.hang_up(cb);
        w.settle();
    }
}

#[test]
fn caller_cancels_before_any_ringing() {
    let mut w = World::new(9);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::of(&[(5000, 180)]);
    let ca = w.dial(a, "bob");
    w.secs(1);
    w.hang_up(ca);
    w.settle();
    assert_eq!(w.call(ca).status, Some(487));
}

#[test]
fn caller_cancels_while_it_rings() {
    for (a_browser, b_browser) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut w = World::new(10);
        let a = if a_browser { browser(&mut w, "alice") } else { phone(&mut w, "alice") };
        let b = if b_browser { browser(&mut w, "bob") } else { phone(&mut w, "bob") };
        w.uas[b].script = Script::rings();
        let ca = w.dial(a, "bob");
        assert!(w.run_until(LONG, |w| w.call(ca).statuses.contains(&180)));
        w.hang_up(ca);
        w.settle();
        assert_eq!(w.call(ca).status, Some(487));
        assert_eq!(w.call(w.last(b)).status, Some(487));
    }
}

/// The CANCEL of the caller and the answer of the called side cross somewhere.
#[test]
fn cancel_crosses_the_answer_at_every_moment() {
    for ms in 0..40 {
        let mut w = World::new(11 + ms);
        let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
        w.uas[b].script = Script::of(&[(100, 180), (1000, 200)]);
        let ca = w.dial(a, "bob");
        assert!(w.run_until(LONG, |w| w.call(ca).statuses.contains(&180)));
        w.millis(870 + ms);
        w.hang_up(ca);
        w.settle();
        assert!(matches!(w.call(ca).status, Some(200 | 487)), "{:?}", w.call(ca).status);
        assert!(w.uas[b].calls.iter().all(|c| !c.is_live()));
    }
}

#[test]
fn busy_and_decline_reach_the_caller() {
    for (status, expected) in [(486, 486), (600, 600), (603, 603), (404, 404), (480, 480), (488, 488)] {
        let mut w = World::new(20);
        let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
        w.uas[b].script = Script::of(&[(100, 180), (500, status)]);
        let ca = refused(&mut w, a, "bob");
        assert_eq!(w.call(ca).status, Some(expected));
        w.settle();
    }
}

#[test]
fn nobody_answers() {
    let mut w = World::new(21);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::rings();
    let ca = refused(&mut w, a, "bob");
    assert!(matches!(w.call(ca).status, Some(408 | 480 | 487)), "{:?}", w.call(ca).status);
    w.settle();
    assert_eq!(w.call(w.last(b)).status, Some(487));
}

#[test]
fn an_unknown_user_and_one_who_is_away() {
    let mut w = World::new(22);
    let a = phone(&mut w, "alice");
    let unknown = refused(&mut w, a, "zoe");
    let away = refused(&mut w, a, "bob");
    assert_eq!((w.call(unknown).status, w.call(away).status), (Some(404), Some(480)));
    w.settle();
}

#[test]
fn several_calls_at_once_keep_apart() {
    let mut w = World::new(23);
    let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
    let (c, d) = (browser(&mut w, "carol"), phone(&mut w, "dave"));
    let (a1, b1) = answered(&mut w, a, b, "bob");
    let (c1, d1) = answered(&mut w, c, d, "dave");
    w.secs(3);
    both_hear(&w, a1, b1);
    both_hear(&w, c1, d1);
    w.hang_up(a1);
    w.secs(2);
    both_hear(&w, c1, d1);
    w.hang_up(d1);
    w.settle();
}

#[test]
fn a_user_calls_himself_to_another_device() {
    let mut w = World::new(24);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "alice"));
    w.uas[a].script = Script::of(&[(50, 486)]);
    let (ca, cb) = talk(&mut w, a, b, "alice");
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
}
