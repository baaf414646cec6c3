//! Targets that fail, are silent, ask for credentials, have to be located.

use std::time::Duration;

use super::phone_call;
use super::world::*;

#[test]
fn nobody_answers_in_time() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("180 Ringing", "b1", "", ""));
    w.expect(a.at, "SIP/2.0 180");
    w.advance(Duration::from_secs(181));
    let end = w.expect(a.at, "SIP/2.0 480");
    w.send(a.at, &a.ack_failure(&end));
    w.expect(acme(), "CANCEL");
    assert_eq!(w.cause(), (480, "NoAnswer by Timer".to_owned()));
    w.clear(acme());
    w.check_idle();
}

#[test]
fn a_failing_trunk_leads_to_the_next_and_a_busy_one_does_not() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("503 Service Unavailable", "b1", "Retry-After: 9\n", ""));
    w.expect(acme(), "ACK");
    let invite = w.expect(backup(), "INVITE sip:+4930123@198.51.100.2:5060");
    w.send(backup(), &invite.reply("486 Busy Here", "b2", "Warning: 399 gw.inside \"x\"\n", ""));
    w.expect(backup(), "ACK");
    let end = w.expect(a.at, "SIP/2.0 486 Busy Here");
    assert_eq!((end.header("Warning"), end.header("Retry-After")), ("", ""));
    w.send(a.at, &a.ack_failure(&end));
    assert_eq!(w.cause(), (486, "Rejected by Callee".to_owned()));
    let story = w.story();
    let last = &story[story.len() - 3..];
    assert_eq!(last, ["attempt_ended", "ending", "ended"]);
    w.check_idle();
}

#[test]
fn a_decline_ends_the_hunt() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("603 Decline", "b1", "", ""));
    w.expect(acme(), "ACK");
    let end = w.expect(a.at, "SIP/2.0 603");
    w.send(a.at, &a.ack_failure(&end));
    w.nothing(backup());
    w.check_idle();
}

#[test]
fn a_silent_trunk_is_given_up_early() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    w.advance(Duration::from_millis(6_100));
    w.clear(acme());
    let invite = w.expect(backup(), "INVITE");
    w.send(backup(), &invite.reply("404 Not Found", "b2", "", ""));
    let end = w.expect(a.at, "SIP/2.0 404");
    w.send(a.at, &a.ack_failure(&end));
    w.clear(backup());
    w.check_idle();
}

#[test]
fn only_the_trunks_own_challenge_is_answered_and_only_once() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let challenge = "Proxy-Authenticate: Digest realm=\"acme\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\n";
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("407 Proxy Authentication Required", "b1", challenge, ""));
    w.expect(acme(), "ACK");
    let again = w.expect(acme(), "INVITE");
    assert!(again.header("Proxy-Authorization").contains("username=\"u1\""), "{}", again.0);
    assert_eq!(again.header("Call-ID"), invite.header("Call-ID"));
    let number = |m: &Got| m.header("CSeq").split(' ').next().and_then(|n| n.parse::<u32>().ok());
    assert_eq!(number(&again), number(&invite).map(|n| n + 1));
    w.send(acme(), &again.reply("407 Proxy Authentication Required", "b1", challenge, ""));
    w.expect(acme(), "ACK");
    w.nothing(acme());
    let end = w.expect(a.at, "SIP/2.0 403");
    w.send(a.at, &a.ack_failure(&end));
    assert_eq!(end.header("Proxy-Authenticate"), "");
    w.check_idle();
}

#[test]
fn names_of_trunks_are_located_first() {
    use sbc::sip::locate::{Answer, Query};
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+44123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let mut asked = Vec::new();
    while let Some((id, query)) = w.resolves.pop() {
        asked.push(format!("{query:?}"));
        let answer = match query {
            Query::Naptr(_) => Answer::Naptr(Vec::new()),
            Query::Srv(_) => Answer::Srv(Vec::new()),
            Query::Addresses(_) => Answer::Addresses(vec!["198.51.100.3".parse().expect("address")]),
        };
        w.engine.handle_resolved(w.now, id, answer);
        w.collect();
    }
    assert_eq!(asked.len(), 3, "{asked:?}");
    let named = udp(CARRIERS, "203.0.113.1:5070", "198.51.100.3:5060");
    let invite = w.expect(named, "INVITE sip:+44123@sip.named.example");
    w.send(named, &invite.reply("404 Not Found", "b1", "", ""));
    w.clear(named);
    let end = w.expect(a.at, "SIP/2.0 404");
    w.send(a.at, &a.ack_failure(&end));
    w.check_idle();
}

#[test]
fn a_user_who_is_not_there_and_one_who_is_nobody() {
    let mut w = World::new();
    for (to, status, internal) in
        [("bob", 480, "UserOffline by Sbc"), ("nobody", 404, "UserOffline by Sbc"), ("x", 404, "NoRoute by Sbc")]
    {
        let mut a = Ua::new(phone_a(), "anna", to);
        w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
        w.expect(a.at, "SIP/2.0 100");
        let end = w.expect(a.at, &format!("SIP/2.0 {status}"));
        w.send(a.at, &a.ack_failure(&end));
        assert_eq!(w.cause(), (status, internal.to_owned()));
    }
    w.check_idle();
}

#[test]
fn a_box_without_ports_refuses_with_503() {
    let mut w = World::with(|c| c.ports.realms[0].range = Some((30000, 30001)));
    let mut a = Ua::new(phone_a(), "anna", "echo");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    let mut b = Ua::new(phone_b(), "berta", "echo");
    w.send(b.at, &b.invite(&phone_sdp("192.0.2.20", "8")));
    w.expect(b.at, "SIP/2.0 100");
    let end = w.expect(b.at, "SIP/2.0 503");
    assert_ne!(end.header("Retry-After"), "");
    w.send(b.at, &b.ack_failure(&end));
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    w.check_idle();
}

#[test]
fn a_full_trunk_is_answered_503_with_a_time() {
    let mut w = World::with(|c| {
        c.guard.trunks[0].calls.calls = Some(0);
        c.guard.trunks[1].calls.calls = Some(0);
    });
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let end = w.expect(a.at, "SIP/2.0 503");
    assert_ne!(end.header("Retry-After"), "", "{}", end.0);
    w.send(a.at, &a.ack_failure(&end));
    assert_eq!(w.cause(), (503, "Limited by Sbc".to_owned()));
    w.check_idle();
}

#[test]
fn draining_refuses_new_calls_and_keeps_old_ones() {
    use sbc::engine::Command;
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    w.engine.command(w.now, Command::Drain);
    let mut b = Ua::new(phone_b(), "berta", "echo");
    w.send(b.at, &b.invite(&phone_sdp("192.0.2.20", "8")));
    w.expect(b.at, "SIP/2.0 100");
    let end = w.expect(b.at, "SIP/2.0 503");
    w.send(b.at, &b.ack_failure(&end));
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    w.clear(acme());
    w.check_idle();
}

#[test]
fn a_call_that_comes_round_is_a_loop() {
    let mut w = World::new();
    let session = "Session-ID: ab30317f1a784dc48ff824d0d3715d86\n";
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite_with(session, &phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    assert_eq!(invite.header("Session-ID"), "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000");
    let mut b = Ua::new(phone_b(), "anna", "+4930123");
    w.send(b.at, &b.invite_with(session, &phone_sdp("192.0.2.20", "8")));
    w.expect(b.at, "SIP/2.0 100");
    let end = w.expect(b.at, "SIP/2.0 482");
    w.send(b.at, &b.ack_failure(&end));
    w.send(acme(), &invite.reply("486 Busy Here", "b1", "", ""));
    let end = w.expect(a.at, "SIP/2.0 486");
    w.send(a.at, &a.ack_failure(&end));
    w.clear(acme());
    w.check_idle();
}
