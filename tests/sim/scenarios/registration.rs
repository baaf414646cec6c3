//! Registrations: credentials, expiry, connections that break.

use super::*;
use crate::house::{PHONES, listener};
use crate::net::{Datagram, Order, What, is_response};
use crate::ua::Script;

#[test]
fn md5_and_sha256_are_both_accepted() {
    for sha256 in [false, true] {
        let mut w = World::new(40);
        let a = w.phone("alice");
        w.uas[a].profile.sha256 = sha256;
        w.register(a);
        assert!(w.uas[a].registration.until.is_some(), "sha256: {sha256}");
        w.settle();
    }
}

/// Whoever guesses sees no difference between a wrong user and a wrong password.
#[test]
fn unknown_users_and_wrong_passwords_look_the_same() {
    let mut answers = Vec::new();
    for (user, password) in [("alice", "wrong"), ("zoe", "wrong")] {
        let mut w = World::new(41);
        let a = w.phone(user);
        w.uas[a].profile.password = password.to_owned();
        w.register(a);
        answers.push((w.uas[a].registration.refused, w.uas[a].registration.attempts));
        w.settle();
    }
    assert_eq!(answers[0], answers[1]);
    assert!(matches!(answers[0].0, Some(401 | 403)), "{answers:?}");
}

#[test]
fn a_call_without_the_right_password_is_refused() {
    let mut w = World::new(42);
    let (a, b) = (w.phone("alice"), phone(&mut w, "bob"));
    w.uas[a].profile.password = "wrong".to_owned();
    let ca = refused(&mut w, a, "bob");
    assert!(matches!(w.call(ca).status, Some(401 | 403 | 407)), "{:?}", w.call(ca).status);
    assert!(w.uas[b].calls.is_empty());
    w.settle();
}

#[test]
fn an_expired_binding_is_gone() {
    let mut w = World::new(43);
    let (a, b) = (phone(&mut w, "alice"), w.phone("bob"));
    w.uas[b].profile.expires = 60;
    w.register(b);
    w.uas[b].registration.refresh = None;
    w.secs(59);
    let (ca, _) = answered(&mut w, a, b, "bob");
    w.hang_up(ca);
    w.secs(2);
    let late = refused(&mut w, a, "bob");
    assert_eq!(w.call(late).status, Some(480));
    w.settle();
}

#[test]
fn refreshes_keep_a_binding() {
    let mut w = World::new(44);
    let (a, b) = (phone(&mut w, "alice"), w.phone("bob"));
    w.uas[b].profile.expires = 60;
    w.register(b);
    w.secs(300);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn a_phone_takes_its_binding_back() {
    let mut w = World::new(45);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    let now = w.now.mono;
    w.uas[b].unregister(now);
    w.flush_ua(b);
    w.secs(2);
    let ca = refused(&mut w, a, "bob");
    assert_eq!(w.call(ca).status, Some(480));
    w.settle();
}

#[test]
fn a_closed_connection_ends_its_binding() {
    let mut w = World::new(46);
    let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
    w.disconnect(b);
    w.secs(1);
    let ca = refused(&mut w, a, "bob");
    assert_eq!(w.call(ca).status, Some(480));
    w.connect(b);
    w.register(b);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

/// The page stays, the network changes: the call goes on and the new connection ends it.
#[test]
fn a_call_survives_the_loss_of_its_connection() {
    for browser_calls in [true, false] {
        let mut w = World::new(47);
        let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
        let (ca, cb) = if browser_calls {
            talk(&mut w, a, b, "bob")
        } else {
            let (cb, ca) = talk(&mut w, b, a, "alice");
            (ca, cb)
        };
        w.disconnect(a);
        w.secs(3);
        both_hear(&w, ca, cb);
        w.connect(a);
        w.register(a);
        w.secs(2);
        both_hear(&w, ca, cb);
        w.hang_up(ca);
        w.secs(2);
        assert!(w.call(cb).remote_bye, "browser calls: {browser_calls}");
        w.settle();
    }
}

#[test]
fn a_hang_up_finds_the_connection_that_came_back() {
    let mut w = World::new(48);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    w.disconnect(a);
    w.secs(3);
    w.connect(a);
    w.register(a);
    w.hang_up(cb);
    w.secs(2);
    assert!(w.call(ca).remote_bye);
    w.settle();
}

#[test]
fn a_connection_that_does_not_come_back_ends_the_call() {
    let mut w = World::new(49);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    w.disconnect(a);
    w.hang_up(ca);
    w.secs(100);
    assert!(w.call(cb).remote_bye);
    w.settle();
}

#[test]
fn a_caller_whose_connection_breaks_while_it_rings_is_gone() {
    let mut w = World::new(50);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::rings();
    let ca = w.dial(a, "bob");
    assert!(w.run_until(LONG, |w| w.call(ca).statuses.contains(&180)));
    w.disconnect(a);
    w.secs(3);
    assert_eq!(w.call(w.last(b)).status, Some(487));
    let now = w.now.mono;
    w.uas[a].on_refused(now, ca.call, 999);
    w.settle();
}

#[test]
fn the_called_browsers_connection_breaks_while_it_rings() {
    let mut w = World::new(51);
    let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
    w.uas[b].script = Script::rings();
    let ca = w.dial(a, "bob");
    assert!(w.run_until(LONG, |w| w.call(ca).statuses.contains(&180)));
    w.disconnect(b);
    let now = w.now.mono;
    let cb = w.last(b);
    w.uas[b].on_refused(now, cb.call, 999);
    assert!(w.run_until(LONG, |w| !w.call(ca).is_live()), "{:?}", w.call(ca).statuses);
    w.settle();
}

#[test]
fn a_phone_behind_a_nat_registers_and_is_called() {
    let mut w = World::new(52);
    let (a, b) = (browser(&mut w, "alice"), w.natted_phone("bob"));
    w.register(b);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
    assert!(w.call(ca).remote_bye);
}

#[test]
fn two_phones_behind_nats_hear_each_other() {
    let mut w = World::new(53);
    let (a, b) = (w.natted_phone("alice"), w.natted_phone("bob"));
    w.register(a);
    w.register(b);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

/// The answer is lost twice: the caller talks a second and a half after it was sent.
#[test]
fn a_natted_caller_is_heard_although_the_answer_was_lost() {
    let mut w = World::new(54);
    let (a, b) = (w.natted_phone("alice"), phone(&mut w, "bob"));
    w.register(a);
    let lost = |d: &Datagram| is_response(d, 200, "INVITE") && d.from == listener(PHONES);
    w.net.orders.push(Order { applies: lost, skip: 0, times: 2, what: What::Lose });
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}
