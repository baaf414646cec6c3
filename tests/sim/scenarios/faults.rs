//! Each message lost, doubled or late, one at a time.
//!
//! A story runs once to count its messages, then once for each of them with
//! that one lost, doubled, or delayed by more than a retransmission.

use std::time::Duration;

use super::*;
use crate::net::{Order, What, is_request, is_response, is_sip};
use crate::ua::Script;

/// Runs a story for every single fault of its SIP datagrams.
fn every_message(seed: u64, story: fn(&mut World)) {
    let mut w = World::new(seed);
    story(&mut w);
    let total = w.net.sip_datagrams;
    assert!(total > 0);
    for what in [What::Lose, What::Double, What::Delay(Duration::from_millis(700)), What::Delay(Duration::from_secs(3))]
    {
        for skip in 0..total {
            let mut w = World::new(seed);
            w.net.orders.push(Order { applies: |d| is_sip(&d.bytes), skip, times: 1, what });
            w.trace(&format!("fault {what:?} of message {skip}"));
            eprintln!("{what:?} {skip} of {total}");
            story(&mut w);
        }
    }
}

fn quiet(w: &mut World) {
    for ua in &mut w.uas {
        ua.profile.voice = Voice::Silent;
    }
}

fn call_and_caller_hangs_up(w: &mut World) {
    let (a, b) = (phone(w, "alice"), phone(w, "bob"));
    quiet(w);
    let (ca, cb) = answered(w, a, b, "bob");
    w.secs(1);
    w.hang_up(ca);
    w.settle();
    assert!(!w.call(cb).is_live());
}

fn browser_calls_phone_that_hangs_up(w: &mut World) {
    let (a, b) = (browser(w, "alice"), phone(w, "bob"));
    quiet(w);
    let (ca, cb) = answered(w, a, b, "bob");
    w.secs(1);
    w.hang_up(cb);
    w.settle();
    assert!(!w.call(ca).is_live());
}

fn call_is_cancelled(w: &mut World) {
    let (a, b) = (phone(w, "alice"), phone(w, "bob"));
    quiet(w);
    w.uas[b].script = Script::rings();
    let ca = w.dial(a, "bob");
    w.run_until(LONG, |w| w.call(ca).statuses.contains(&180));
    w.hang_up(ca);
    w.settle();
    assert_eq!(w.call(ca).status, Some(487));
}

fn call_is_refused(w: &mut World) {
    let (a, b) = (phone(w, "alice"), w.trunk(0));
    quiet(w);
    w.uas[b].script = Script::of(&[(100, 180), (300, 486)]);
    let ca = refused(w, a, "+4930");
    assert_eq!(w.call(ca).status, Some(486));
    w.settle();
}

fn call_goes_to_the_second_trunk(w: &mut World) {
    let (a, b1, b2) = (phone(w, "alice"), w.trunk(0), w.trunk(1));
    quiet(w);
    w.uas[b1].script = Script::of(&[(100, 503)]);
    let (ca, cb) = answered(w, a, b2, "+4930");
    w.hang_up(cb);
    w.settle();
    assert!(!w.call(ca).is_live());
}

fn call_is_held(w: &mut World) {
    let (a, b) = (phone(w, "alice"), phone(w, "bob"));
    quiet(w);
    let (ca, cb) = answered(w, a, b, "bob");
    w.update(ca, "sendonly");
    w.secs(12);
    w.update(cb, "sendonly");
    w.secs(12);
    assert_eq!((w.call(ca).updates.last(), w.call(cb).updates.last()), (Some(&200), Some(&200)));
    w.hang_up(ca);
    w.settle();
}

#[test]
fn every_message_of_a_call() {
    every_message(120, call_and_caller_hangs_up);
}

#[test]
fn every_message_of_a_browsers_call() {
    every_message(121, browser_calls_phone_that_hangs_up);
}

#[test]
fn every_message_of_a_cancelled_call() {
    every_message(122, call_is_cancelled);
}

#[test]
fn every_message_of_a_refused_call() {
    every_message(123, call_is_refused);
}

#[test]
fn every_message_of_a_call_that_fails_over() {
    every_message(124, call_goes_to_the_second_trunk);
}

#[test]
fn every_message_of_a_call_on_hold() {
    every_message(125, call_is_held);
}

#[test]
fn an_ack_that_never_comes_ends_the_call() {
    let mut w = World::new(126);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[a].script.never_acks = true;
    let ca = w.dial(a, "bob");
    assert!(w.run_until(LONG, |w| w.has_call(b, State::Answered)));
    let cb = w.last(b);
    let before = w.now.mono;
    assert!(w.run_until(Duration::from_secs(60), |w| !w.call(cb).is_live()));
    let waited = (w.now.mono - before).as_secs();
    assert!((31..=34).contains(&waited), "64*T1 is 32 s, not {waited}");
    let now = w.now.mono;
    w.uas[a].on_refused(now, ca.call, 999);
    w.settle();
}

#[test]
fn a_peer_that_ignores_bye_holds_nothing() {
    let mut w = World::new(127);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script.ignores_bye = true;
    let (ca, cb) = talk(&mut w, a, b, "bob");
    w.hang_up(ca);
    w.secs(40);
    let now = w.now.mono;
    w.uas[b].on_refused(now, cb.call, 999);
    w.settle();
}

#[test]
fn a_2xx_is_repeated_until_its_ack() {
    let mut w = World::new(128);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.net.orders.push(Order {
        applies: |d| is_request(d, "ACK") && d.to.ip().to_string() == "198.51.100.1",
        skip: 1,
        times: 4,
        what: What::Lose,
    });
    let (ca, cb) = talk(&mut w, a, b, "bob");
    w.secs(20);
    both_hear(&w, ca, cb);
    w.hang_up(cb);
    w.settle();
}

#[test]
fn all_answers_to_invite_are_lost_for_a_while() {
    let mut w = World::new(129);
    let (a, b) = (phone(&mut w, "alice"), w.trunk(0));
    w.net.orders.push(Order { applies: |d| is_response(d, 200, "INVITE"), skip: 0, times: 5, what: What::Lose });
    let (ca, cb) = talk(&mut w, a, b, "+4930");
    w.secs(20);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}
