//! Inside a call: hold, resume, glare, digits.

use super::*;
use crate::ua::Script;

#[test]
fn hold_and_resume_from_either_side() {
    for (a_browser, holder) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        let mut w = World::new(70);
        let a = if a_browser { browser(&mut w, "alice") } else { phone(&mut w, "alice") };
        let b = phone(&mut w, "bob");
        let (ca, cb) = talk(&mut w, a, b, "bob");
        both_hear(&w, ca, cb);
        let (holder, other) = if holder == 0 { (ca, cb) } else { (cb, ca) };
        w.update(holder, "sendonly");
        w.secs(2);
        assert_eq!(w.call(holder).updates, [200]);
        assert_eq!(w.call(other).remote_direction, "sendonly");
        let before = w.call(holder).media.as_ref().map(|m| m.heard);
        w.secs(2);
        assert_eq!(w.call(holder).media.as_ref().map(|m| m.heard), before, "who holds hears nothing");
        assert_eq!(hears(&w, other), says(&w, holder), "the held one hears music");
        w.update(holder, "sendrecv");
        w.secs(3);
        both_hear(&w, ca, cb);
        w.hang_up(ca);
        w.settle();
    }
}

#[test]
fn both_sides_hold_at_once() {
    for gap in [0, 1, 3, 5, 8, 12] {
        let mut w = World::new(71);
        let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
        let (ca, cb) = talk(&mut w, a, b, "bob");
        w.update(ca, "sendonly");
        w.millis(gap);
        w.update(cb, "sendonly");
        w.secs(15);
        assert_eq!((w.call(ca).updates.last(), w.call(cb).updates.last()), (Some(&200), Some(&200)), "gap {gap} ms");
        w.hang_up(ca);
        w.settle();
    }
}

#[test]
fn a_refused_update_leaves_the_call_as_it_was() {
    let mut w = World::new(72);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::answers();
    w.uas[b].script.update_status = 488;
    let (ca, cb) = talk(&mut w, a, b, "bob");
    w.update(ca, "sendonly");
    w.secs(3);
    assert_eq!(w.call(ca).updates, [488]);
    w.uas[a].calls[ca.call].direction = "sendrecv";
    assert!(w.call(ca).is_live() && w.call(cb).is_live());
    w.hang_up(cb);
    w.settle();
}

#[test]
fn a_hang_up_crosses_an_update() {
    for ms in [0, 2, 5, 7, 10, 12, 20] {
        let mut w = World::new(73);
        let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
        let (ca, cb) = talk(&mut w, a, b, "bob");
        w.update(ca, "sendonly");
        w.millis(ms);
        w.hang_up(cb);
        w.settle();
        assert!(!w.call(ca).is_live());
    }
}

#[test]
fn both_hang_up_at_once() {
    for ms in [0, 1, 4, 5, 6, 9, 10, 11] {
        let mut w = World::new(74);
        let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
        let (ca, cb) = talk(&mut w, a, b, "bob");
        w.hang_up(ca);
        w.millis(ms);
        w.hang_up(cb);
        w.settle();
    }
}

#[test]
fn digits_cross_between_every_kind_of_peer() {
    for (a_browser, b_browser) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut w = World::new(75);
        let a = if a_browser { browser(&mut w, "alice") } else { phone(&mut w, "alice") };
        let b = if b_browser { browser(&mut w, "bob") } else { phone(&mut w, "bob") };
        let (ca, cb) = talk(&mut w, a, b, "bob");
        for (c, digits) in [(ca, "1590*#"), (cb, "77D")] {
            if let Some(media) = &mut w.uas[c.ua].calls[c.call].media {
                media.dial(digits, 120);
            }
        }
        w.secs(4);
        let heard = |c: CallRef| w.call(c).media.as_ref().map(|m| m.digits.clone()).unwrap_or_default();
        assert_eq!((heard(ca).as_str(), heard(cb).as_str()), ("77D", "1590*#"), "browsers: {a_browser} {b_browser}");
        both_hear(&w, ca, cb);
        w.hang_up(ca);
        w.settle();
    }
}
