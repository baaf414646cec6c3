//! Calls through a whole engine, as text: what peers send and what they get.
//!
//! Two phones on UDP, browsers on WebSocket, two trunks; the shards are
//! scripted. After every case everything must have been given back and every
//! call must have told exactly one story (`World::check_idle`).

#[path = "engine_calls/world.rs"]
mod world;

use std::time::Duration;

use world::*;

const ALAW: &str = "8";

fn phone_call(w: &mut World) -> (Ua, Got, Got) {
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8 0")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE sip:+4930123@198.51.100.1:5060");
    w.send(acme(), &invite.reply("180 Ringing", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", ""));
    w.expect(a.at, "SIP/2.0 180");
    let answer = phone_sdp("198.51.100.1", ALAW);
    w.send(acme(), &invite.reply("200 OK", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", &answer));
    let ack = w.expect(acme(), "ACK sip:gw@198.51.100.1:5060");
    assert_eq!(ack.header("CSeq").split(' ').nth(1), Some("ACK"));
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    w.nothing(a.at);
    w.nothing(acme());
    (a, invite, ok)
}

#[test]
fn a_call_from_invite_to_bye() {
    let mut w = World::new();
    let (mut a, invite, ok) = phone_call(&mut w);
    assert!(ok.body().contains("m=audio 30000 RTP/AVP 8 101\r\n"), "{}", ok.body());
    assert!(invite.body().contains("m=audio 40000 RTP/AVP 8 101\r\n"), "{}", invite.body());
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE sip:gw@198.51.100.1:5060");
    assert_eq!(bye.header("Reason"), "Q.850;cause=16");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    assert_eq!(w.cause(), (200, "Hangup by Caller".to_owned()));
    assert_eq!(
        w.story(),
        [
            "started",
            "routed",
            "attempt_started",
            "progress",
            "answered",
            "negotiated",
            "negotiated",
            "ending",
            "media",
            "ended"
        ]
    );
    w.check_idle();
}

#[test]
fn nothing_of_one_side_is_seen_on_the_other() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    w.send(a.at, &a.request("BYE", "", ""));
    for (to, text) in &w.wire {
        let foreign: &[&str] = if *to == acme().remote {
            &["192.0.2.10", "call-anna", "atag", ":5060;branch=z9hG4bKcall", "203.0.113.1:5060"]
        } else {
            &["198.51.100", "b1", "203.0.113.1:5070", "gw@", "40000"]
        };
        for secret in foreign {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
    }
}

#[test]
fn the_called_side_hangs_up() {
    let mut w = World::new();
    let (a, invite, _) = phone_call(&mut w);
    let (from, to) = (invite.header("From").to_owned(), format!("{};tag=b1", invite.header("To")));
    let bye = format!(
        "BYE sip:203.0.113.1:5070 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKbye\nMax-Forwards: 70\n\
         From: {to}\nTo: {from}\nCall-ID: {}\nCSeq: 9 BYE\nReason: Q.850;cause=31;text=\"gw7.inside\"\n\
         Content-Length: 0\n\n",
        invite.header("Call-ID")
    );
    w.send(acme(), &bye);
    w.expect(acme(), "SIP/2.0 200");
    let got = w.expect(a.at, "BYE sip:anna@192.0.2.10:5060");
    assert_eq!(got.header("Reason"), "Q.850;cause=31");
    w.send(a.at, &got.reply("200 OK", "", "", ""));
    assert_eq!(w.cause(), (200, "Hangup by Callee".to_owned()));
    w.check_idle();
}

#[test]
fn early_media_gets_its_answer_once_and_the_same_in_the_200() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "0 8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    let contact = "Contact: <sip:gw@198.51.100.1:5060>\n";
    w.send(acme(), &invite.reply("183 Session Progress", "b1", contact, &phone_sdp("198.51.100.1", "8")));
    let early = w.expect(a.at, "SIP/2.0 183");
    assert!(early.body().contains("RTP/AVP 8 101"), "{}", early.body());
    w.send(acme(), &invite.reply("180 Ringing", "b1", contact, ""));
    assert_eq!(w.expect(a.at, "SIP/2.0 180").body(), early.body());
    w.send(acme(), &invite.reply("200 OK", "b1", contact, &phone_sdp("198.51.100.1", "8")));
    w.expect(acme(), "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    assert_eq!(ok.body(), early.body());
    assert_eq!(ok.tag("To"), early.tag("To"));
    w.send(a.at, &a.ack(&ok, ""));
    w.send(a.at, &a.request("BYE", "", ""));
    w.clear(a.at);
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}

#[test]
fn the_first_of_several_answers_wins_and_the_others_are_ended() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    let contact = |n| format!("Contact: <sip:gw{n}@198.51.100.1:5060>\n");
    for (tag, n) in [("b1", 1), ("b2", 2)] {
        w.send(acme(), &invite.reply("180 Ringing", tag, &contact(n), ""));
        w.expect(a.at, "SIP/2.0 180");
    }
    let sdp = phone_sdp("198.51.100.1", "8");
    w.send(acme(), &invite.reply("200 OK", "b2", &contact(2), &sdp));
    w.expect(acme(), "ACK sip:gw2@");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(acme(), &invite.reply("200 OK", "b1", &contact(1), &sdp));
    w.expect(acme(), "ACK sip:gw1@");
    let bye = w.expect(acme(), "BYE sip:gw1@");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    // The winner's 2xx comes again: so does its ACK, and nothing else.
    w.send(acme(), &invite.reply("200 OK", "b2", &contact(2), &sdp));
    w.expect(acme(), "ACK sip:gw2@");
    w.nothing(acme());
    w.send(a.at, &a.ack(&ok, ""));
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE sip:gw2@");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}

#[test]
fn a_2xx_without_ack_is_repeated_and_then_the_call_ends() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "echo");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    w.expect(a.at, "SIP/2.0 200");
    w.advance(Duration::from_millis(31_900));
    for _ in 0..10 {
        w.expect(a.at, "SIP/2.0 200");
    }
    w.nothing(a.at);
    w.advance(Duration::from_millis(200));
    w.expect(a.at, "BYE");
    assert_eq!(w.cause(), (408, "NoAck by Timer".to_owned()));
    w.clear(a.at);
    w.check_idle();
}

#[test]
fn an_offer_that_comes_late_is_made_in_the_200() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(""));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    assert!(invite.body().contains("m=audio 40000 RTP/AVP 8 101"), "{}", invite.body());
    let contact = "Contact: <sip:gw@198.51.100.1:5060>\n";
    w.send(acme(), &invite.reply("180 Ringing", "b1", contact, ""));
    assert_eq!(w.expect(a.at, "SIP/2.0 180").body(), "");
    w.send(acme(), &invite.reply("200 OK", "b1", contact, &phone_sdp("198.51.100.1", "8")));
    w.expect(acme(), "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    assert!(ok.body().contains("m=audio 30000 RTP/AVP 8 0 101"), "{}", ok.body());
    w.send(a.at, &a.ack(&ok, &phone_sdp("192.0.2.10", "8")));
    assert_eq!(w.story().iter().filter(|s| *s == "negotiated").count(), 2);
    w.send(a.at, &a.request("BYE", "", ""));
    w.clear(a.at);
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}

#[test]
fn an_ack_that_answers_nothing_ends_a_call_with_a_late_offer() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "echo");
    w.send(a.at, &a.invite(""));
    w.expect(a.at, "SIP/2.0 100");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    let bye = w.expect(a.at, "BYE");
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    assert_eq!(w.cause(), (488, "BadSdp by Sbc".to_owned()));
    w.check_idle();
}

#[test]
fn cancel_before_and_after_ringing() {
    for ringing in [false, true] {
        let mut w = World::new();
        let mut a = Ua::new(phone_a(), "anna", "+4930123");
        w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
        w.expect(a.at, "SIP/2.0 100");
        let invite = w.expect(acme(), "INVITE");
        if ringing {
            w.send(acme(), &invite.reply("180 Ringing", "b1", "", ""));
            w.expect(a.at, "SIP/2.0 180");
        }
        w.send(a.at, &a.cancel());
        w.expect(a.at, "SIP/2.0 200");
        let end = w.expect(a.at, "SIP/2.0 487");
        w.send(a.at, &a.ack_failure(&end));
        if !ringing {
            // RFC 3261 §9.1: no CANCEL before a provisional response.
            w.nothing(acme());
            w.send(acme(), &invite.reply("100 Trying", "", "", ""));
        }
        let cancel = w.expect(acme(), "CANCEL");
        w.send(acme(), &cancel.reply("200 OK", "b1", "", ""));
        w.send(acme(), &invite.reply("487 Request Terminated", "b1", "", ""));
        w.expect(acme(), "ACK");
        assert_eq!(w.cause(), (487, "Cancelled by Caller".to_owned()));
        w.check_idle();
    }
}

#[test]
fn a_2xx_that_crosses_the_cancel_gets_ack_and_bye() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("180 Ringing", "b1", "", ""));
    w.expect(a.at, "SIP/2.0 180");
    w.send(a.at, &a.cancel());
    w.expect(a.at, "SIP/2.0 200");
    let end = w.expect(a.at, "SIP/2.0 487");
    w.send(a.at, &a.ack_failure(&end));
    let cancel = w.expect(acme(), "CANCEL");
    let sdp = phone_sdp("198.51.100.1", "8");
    w.send(acme(), &invite.reply("200 OK", "b1", "Contact: <sip:gw@198.51.100.1>\n", &sdp));
    w.expect(acme(), "ACK sip:gw@198.51.100.1");
    let bye = w.expect(acme(), "BYE sip:gw@198.51.100.1");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.send(acme(), &cancel.reply("200 OK", "b1", "", ""));
    w.check_idle();
}

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
fn browsers_register_and_call_each_other() {
    let mut w = World::new();
    let (alice, bob) = (browser(1), browser(2));
    w.register(alice, "alice", "r1", "<sip:a1@df7jal23ls0d.invalid;transport=ws>");
    w.register(bob, "bob", "r2", "<sip:b1@xyz.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=1");
    let mut a = Ua::new(alice, "alice", "bob");
    a.target = "sip:bob@sbc.example".to_owned();
    w.send(alice, &a.invite(&browser_sdp("actpass", "111 0 8")));
    w.expect(alice, "SIP/2.0 100");
    let challenge = w.expect(alice, "SIP/2.0 407");
    w.send(alice, &a.ack_failure(&challenge));
    a.cseq = 2;
    let sdp = browser_sdp("actpass", "111 0 8");
    let invite = authorise(&a.invite(&sdp), &challenge, "alice");
    w.send(alice, &invite);
    w.expect(alice, "SIP/2.0 100");
    let invite = w.expect(bob, "INVITE sip:b1@xyz.invalid;transport=ws");
    assert!(invite.header("Contact").contains("203.0.113.1:8088;transport=ws"), "{}", invite.0);
    assert!(invite.header("From").contains("sip:alice@203.0.113.1>"), "{}", invite.0);
    assert!(invite.body().contains("UDP/TLS/RTP/SAVPF 111 0 8"), "{}", invite.body());
    assert!(invite.body().contains("a=ice-lite"));
    w.send(bob, &invite.reply("180 Ringing", "b1", "Contact: <sip:b1@xyz.invalid;transport=ws>\n", ""));
    w.expect(alice, "SIP/2.0 180");
    let answer = browser_sdp("active", "111");
    w.send(bob, &invite.reply("200 OK", "b1", "Contact: <sip:b1@xyz.invalid;transport=ws>\n", &answer));
    w.expect(bob, "ACK sip:b1@xyz.invalid;transport=ws");
    let ok = w.expect(alice, "SIP/2.0 200");
    assert!(ok.body().contains("SAVPF 111"), "{}", ok.body());
    w.send(alice, &a.ack(&ok, ""));
    w.send(alice, &a.request("BYE", "", ""));
    w.expect(alice, "SIP/2.0 200");
    let bye = w.expect(bob, "BYE sip:b1@xyz.invalid;transport=ws");
    w.send(bob, &bye.reply("200 OK", "", "", ""));
    for flow in [alice, bob] {
        w.engine.handle_flow_closed(w.now, flow);
    }
    w.collect();
    w.check_idle();
}

#[test]
fn all_bindings_of_a_user_ring_and_the_first_wins() {
    let mut w = World::new();
    let (one, two) = (browser(1), browser(2));
    w.register(one, "bob", "r1", "<sip:b1@one.invalid;transport=ws>");
    w.register(two, "bob", "r2", "<sip:b2@two.invalid;transport=ws>");
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let first = w.expect(one, "INVITE sip:b1@one.invalid");
    let second = w.expect(two, "INVITE sip:b2@two.invalid");
    w.send(one, &first.reply("180 Ringing", "t1", "", ""));
    w.expect(a.at, "SIP/2.0 180");
    w.send(two, &second.reply("180 Ringing", "t2", "", ""));
    w.expect(a.at, "SIP/2.0 180");
    w.send(
        two,
        &second.reply("200 OK", "t2", "Contact: <sip:b2@two.invalid;transport=ws>\n", &browser_sdp("active", "111")),
    );
    w.expect(two, "ACK");
    w.expect(one, "CANCEL");
    w.send(one, &first.reply("487 Request Terminated", "t1", "", ""));
    w.expect(one, "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    assert!(ok.body().contains("RTP/AVP 8 101"), "{}", ok.body());
    w.send(a.at, &a.ack(&ok, ""));
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(two, "BYE");
    w.send(two, &bye.reply("200 OK", "", "", ""));
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
fn a_connection_that_comes_back_keeps_its_call() {
    let mut w = World::new();
    w.register(browser(1), "bob", "r1", "<sip:b1@one.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\"");
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    let invite = w.expect(browser(1), "INVITE");
    w.send(
        browser(1),
        &invite.reply("200 OK", "t1", "Contact: <sip:b1@one.invalid;transport=ws>\n", &browser_sdp("active", "111")),
    );
    w.clear(a.at);
    w.clear(browser(1));
    a.peer_tag.clear();
    let ok =
        w.wire.iter().rev().find(|(to, t)| *to == a.at.remote && t.starts_with("SIP/2.0 200")).expect("200").1.clone();
    w.send(a.at, &a.ack(&Got(ok), ""));
    w.engine.handle_flow_closed(w.now, browser(1));
    w.collect();
    w.advance(Duration::from_secs(30));
    w.nothing(a.at);
    w.register(browser(3), "bob", "r3", "<sip:b1@one.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\"");
    w.send(a.at, &a.request("BYE", "", ""));
    let bye = w.expect(browser(3), "BYE sip:b1@one.invalid");
    w.send(browser(3), &bye.reply("200 OK", "", "", ""));
    w.engine.handle_flow_closed(w.now, browser(3));
    w.collect();
    w.check_idle();
}

#[test]
fn a_connection_that_stays_away_ends_its_call() {
    let mut w = World::new();
    w.register(browser(1), "bob", "r1", "<sip:b1@one.invalid;transport=ws>");
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    let invite = w.expect(browser(1), "INVITE");
    w.send(
        browser(1),
        &invite.reply("200 OK", "t1", "Contact: <sip:b1@one.invalid;transport=ws>\n", &browser_sdp("active", "111")),
    );
    w.expect(a.at, "SIP/2.0 100");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    w.engine.handle_flow_closed(w.now, browser(1));
    w.collect();
    w.advance(Duration::from_secs(61));
    let bye = w.expect(a.at, "BYE");
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    assert_eq!(w.cause(), (480, "FlowLost by Timer".to_owned()));
    w.clear(browser(1));
    w.check_idle();
}

#[test]
fn hold_and_resume_are_carried_across() {
    let mut w = World::new();
    let (mut a, _, ok) = phone_call(&mut w);
    let hold = phone_sdp("192.0.2.10", "8").replace("sendrecv", "sendonly").replace("77 1", "77 2");
    w.send(a.at, &a.request("INVITE", "", &hold));
    w.expect(a.at, "SIP/2.0 100");
    let offer = w.expect(acme(), "INVITE sip:gw@198.51.100.1:5060");
    assert!(offer.body().contains("a=sendonly"), "{}", offer.body());
    let answer = phone_sdp("198.51.100.1", "8").replace("sendrecv", "recvonly").replace("77 1", "77 2");
    w.send(acme(), &offer.reply("200 OK", "", "Contact: <sip:gw@198.51.100.1:5060>\n", &answer));
    w.expect(acme(), "ACK");
    let held = w.expect(a.at, "SIP/2.0 200");
    assert!(held.body().contains("a=recvonly"), "{}", held.body());
    let version =
        |g: &Got| g.body().lines().nth(1).and_then(|o| o.split(' ').nth(2).and_then(|v| v.parse::<u64>().ok()));
    assert_eq!(version(&held), version(&ok).map(|v| v + 1));
    w.send(a.at, &a.ack(&held, ""));
    assert!(w.story().contains(&"held".to_owned()));
    // Resume.
    w.send(a.at, &a.request("INVITE", "", &phone_sdp("192.0.2.10", "8").replace("77 1", "77 3")));
    w.expect(a.at, "SIP/2.0 100");
    let offer = w.expect(acme(), "INVITE");
    assert!(offer.body().contains("a=sendrecv"), "{}", offer.body());
    w.send(
        acme(),
        &offer.reply("200 OK", "", "Contact: <sip:gw@198.51.100.1:5060>\n", &phone_sdp("198.51.100.1", "8")),
    );
    w.expect(acme(), "ACK");
    let resumed = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&resumed, ""));
    assert!(w.story().contains(&"resumed".to_owned()));
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}

#[test]
fn a_new_address_is_answered_at_once_and_refusals_change_nothing() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    let moved = phone_sdp("192.0.2.11", "8").replace("77 1", "77 2");
    w.send(a.at, &a.request("UPDATE", "", &moved));
    let ok = w.expect(a.at, "SIP/2.0 200");
    assert!(ok.body().contains("RTP/AVP 8 101"), "{}", ok.body());
    w.nothing(acme());
    // A codec we do not have.
    w.send(a.at, &a.request("INVITE", "", &phone_sdp("192.0.2.10", "18")));
    w.expect(a.at, "SIP/2.0 100");
    let refused = w.expect(a.at, "SIP/2.0 488");
    assert!(refused.header("Warning").starts_with("305 203.0.113.1 "), "{}", refused.0);
    w.send(a.at, &a.ack_failure(&refused));
    // A hold that the other side refuses.
    let hold = phone_sdp("192.0.2.10", "8").replace("sendrecv", "sendonly");
    w.send(a.at, &a.request("INVITE", "", &hold));
    w.expect(a.at, "SIP/2.0 100");
    let offer = w.expect(acme(), "INVITE");
    // Meanwhile: overlapping from the same side, glare from the other.
    w.send(a.at, &a.request("UPDATE", "", &hold));
    let busy = w.expect(a.at, "SIP/2.0 500");
    assert_ne!(busy.header("Retry-After"), "");
    w.send(acme(), &offer.reply("491 Request Pending", "", "", ""));
    w.expect(acme(), "ACK");
    w.expect(a.at, "SIP/2.0 491");
    w.clear(a.at);
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.clear(a.at);
    w.check_idle();
}

#[test]
fn requests_inside_a_dialog_get_what_they_deserve() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    for (method, more, body, status) in [
        ("OPTIONS", "", "", 200),
        ("REFER", "Refer-To: <sip:x@y>\n", "", 603),
        ("MESSAGE", "", "", 405),
        ("NOTIFY", "Event: x\n", "", 489),
        ("PRACK", "RAck: 1 1 INVITE\n", "", 481),
        ("FOO", "", "", 501),
        ("INFO", "", "", 200),
        ("UPDATE", "", "", 200),
        ("UPDATE", "Require: 100rel\n", "", 420),
    ] {
        w.send(a.at, &a.request(method, more, body));
        let got = w.next(a.at);
        assert!(got.start().starts_with(&format!("SIP/2.0 {status}")), "{method}: {}", got.0);
    }
    let info = a.request("INFO", "", "x").replace("application/sdp", "application/dtmf-relay");
    w.send(
        a.at,
        &info
            .replace("\r\n\r\nx", "\r\n\r\nSignal=5\r\nDuration=200")
            .replace("Content-Length: 1", "Content-Length: 22"),
    );
    w.expect(a.at, "SIP/2.0 200");
    let digit =
        w.media.iter().find(|c| matches!(c, sbc::media::command::Command::Digit { digit: '5', duration_ms: 200, .. }));
    assert!(digit.is_some(), "{:?}", w.media);
    // A CSeq from the past.
    a.cseq = 1;
    w.send(a.at, &a.request("OPTIONS", "", "").replace("CSeq: 2", "CSeq: 1").replace("=z9hG4bK", "=z9hG4bKold"));
    w.expect(a.at, "SIP/2.0 500");
    a.cseq = 100;
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    w.clear(acme());
    // The dialog is gone.
    w.send(a.at, &a.request("OPTIONS", "", ""));
    w.expect(a.at, "SIP/2.0 481");
    w.check_idle();
}

#[test]
fn requests_outside_a_dialog_get_what_they_deserve() {
    let mut w = World::new();
    for (method, more, status) in [
        ("OPTIONS", "", 200),
        ("OPTIONS", "Require: foo\n", 420),
        ("MESSAGE", "", 405),
        ("SUBSCRIBE", "Event: x\n", 405),
        ("BYE", "", 481),
        ("INFO", "", 481),
        ("FOO", "", 501),
    ] {
        let mut a = Ua::new(phone_a(), "anna", "echo");
        a.call_id = format!("{method}{status}");
        w.send(a.at, &a.request(method, more, ""));
        let got = w.next(a.at);
        assert!(got.start().starts_with(&format!("SIP/2.0 {status}")), "{method}: {}", got.0);
    }
    let mut a = Ua::new(phone_a(), "anna", "echo");
    for (n, (more, change, status)) in [
        ("Require: 100rel\n", ("x", "x"), 420),
        ("", ("Max-Forwards: 70", "Max-Forwards: 0"), 483),
        ("", ("sip:echo@203.0.113.1:5060 SIP", "mailto:x@y SIP"), 416),
        ("", ("Contact: ", "X-Contact: "), 400),
        ("", ("application/sdp", "text/plain"), 415),
        ("", ("m=audio 41000 RTP/AVP 8", "m=audio 41000 RTP/AVP 18"), 488),
        ("", ("c=IN IP4 192.0.2.10", "c=IN IP4 127.0.0.001"), 488),
        ("", ("v=0", "v=7"), 488),
    ]
    .into_iter()
    .enumerate()
    {
        a.call_id = format!("bad{n}");
        let invite = a.invite_with(more, &phone_sdp("192.0.2.10", "8")).replacen(change.0, change.1, 1);
        let length = invite.split_once("\r\n\r\n").map_or(0, |(_, b)| b.len());
        let head = invite.split("Content-Length: ").next().unwrap_or_default().to_owned();
        let body = invite.split_once("\r\n\r\n").map_or("", |(_, b)| b);
        w.send(a.at, &format!("{head}Content-Length: {length}\r\n\r\n{body}"));
        let mut got = w.next(a.at);
        if got.start().contains(" 100 ") {
            got = w.next(a.at);
        }
        assert!(got.start().starts_with(&format!("SIP/2.0 {status}")), "{change:?}: {}", got.0);
        if status == 488 {
            assert_ne!(got.header("Warning"), "", "{}", got.0);
        }
        w.clear(a.at);
    }
    w.check_idle();
}

#[test]
fn registrations_are_kept_as_rfc_3261_says() {
    let mut w = World::new();
    let at = browser(1);
    let ask = |w: &mut World, cseq: u32, more: &str| -> Got {
        w.send(at, &register("alice", "r", cseq, more));
        let challenge = w.expect(at, "SIP/2.0 401");
        w.send(at, &authorise(&register("alice", "r", cseq + 1, more), &challenge, "alice"));
        w.next(at)
    };
    let brief = ask(&mut w, 1, "Contact: <sip:a@x.invalid>;expires=5\n");
    assert!(brief.start().starts_with("SIP/2.0 423") && brief.header("Min-Expires") == "60", "{}", brief.0);
    let two = ask(&mut w, 3, "Contact: <sip:a@x.invalid>, <sip:b@x.invalid>;expires=90\n");
    assert_eq!(two.headers("Contact"), ["<sip:a@x.invalid>;expires=300", "<sip:b@x.invalid>;expires=90"]);
    assert_eq!(ask(&mut w, 5, "").headers("Contact").len(), 2);
    w.advance(Duration::from_secs(91));
    assert_eq!(ask(&mut w, 7, "").headers("Contact").len(), 1);
    let bad = ask(&mut w, 9, "Contact: *\n");
    assert!(bad.start().starts_with("SIP/2.0 400"), "{}", bad.0);
    assert_eq!(ask(&mut w, 11, "Contact: *\nExpires: 0\n").headers("Contact").len(), 0);
    ask(&mut w, 13, "Contact: <sip:a@x.invalid>\n");
    w.engine.handle_flow_closed(w.now, at);
    w.collect();
    assert_eq!(ask(&mut w, 15, "").headers("Contact").len(), 0);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut w = World::new();
    let mut answers = Vec::new();
    for user in ["alice", "mallory"] {
        let at = browser(1);
        w.send(at, &register(user, user, 1, ""));
        let challenge = w.expect(at, "SIP/2.0 401");
        let request = register(user, user, 2, "");
        let wrong = authorise(&request, &challenge, "somebody")
            .replace("username=\"somebody\"", &format!("username=\"{user}\""));
        w.send(at, &wrong);
        let got = w.next(at);
        answers.push((got.start().to_owned(), got.headers("WWW-Authenticate").len()));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].0.starts_with("SIP/2.0 403"), "{answers:?}");
}

#[test]
fn media_that_fails_ends_the_call_on_both_sides() {
    let mut w = World::new();
    let (a, ..) = phone_call(&mut w);
    let media = w.session();
    let why = sbc::media::event::MediaFailure::Inactive;
    w.media_event(media, sbc::media::event::EventKind::Failed { leg: sbc::base::Leg::A, why });
    let bye = w.expect(a.at, "BYE");
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    assert_eq!(w.cause(), (500, "Media(Inactive) by Media".to_owned()));
    w.check_idle();
}

#[test]
fn a_shard_that_never_answers_does_not_hold_a_call() {
    let mut w = World::new();
    w.shards_answer = false;
    let (mut a, ..) = phone_call(&mut w);
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    assert_eq!(w.story().last().map(String::as_str), Some("ending"));
    w.advance(Duration::from_millis(2_100));
    assert_eq!(w.story().last().map(String::as_str), Some("ended"));
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
fn an_operator_hangs_up() {
    use sbc::engine::{Command, Query, Reply};
    let mut w = World::new();
    let (a, invite, _) = phone_call(&mut w);
    let Reply::Call(Some(row)) = w.engine.query(w.now, Query::Call { id: a.call_id.clone() }) else { panic!("a call") };
    assert_eq!((row.state, row.path, row.trunk.as_deref()), ("answered", Some("relay"), Some("acme")));
    w.engine.command(w.now, Command::Hangup { call: invite.header("Call-ID").to_owned() });
    w.collect();
    w.expect(a.at, "BYE");
    w.expect(acme(), "BYE");
    w.clear(a.at);
    w.clear(acme());
    assert_eq!(w.cause(), (200, "AdminHangup by Admin".to_owned()));
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

#[test]
fn rubbish_on_a_websocket_closes_it() {
    let mut w = World::new();
    w.send(browser(1), "hello world, this is no SIP at all");
    assert_eq!(w.closed, [(browser(1), 1007)]);
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let run = || {
        let mut w = World::new();
        let (mut a, ..) = phone_call(&mut w);
        w.send(a.at, &a.request("BYE", "", ""));
        w.wire
    };
    assert_eq!(run(), run());
}

#[test]
fn a_call_can_be_written_down() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    let call = w.engine.calls().iter().next().expect("a call");
    let text = serde_json::to_string(call).expect("a call is data");
    let back: sbc::call::Call = serde_json::from_str(&text).expect("and can be read");
    assert_eq!(serde_json::to_string(&back).expect("again"), text);
    w.send(a.at, &a.request("BYE", "", ""));
    w.clear(a.at);
    w.clear(acme());
    w.check_idle();
}

#[test]
fn a_caller_whose_connection_breaks_while_it_rings_is_gone() {
    let mut w = World::new();
    w.register(browser(1), "alice", "r1", "<sip:a1@one.invalid;transport=ws>");
    let mut a = Ua::new(browser(1), "alice", "+4930123");
    let sdp = browser_sdp("actpass", "111 8");
    w.send(a.at, &a.invite(&sdp));
    w.expect(a.at, "SIP/2.0 100");
    let challenge = w.expect(a.at, "SIP/2.0 407");
    w.send(a.at, &a.ack_failure(&challenge));
    a.cseq = 2;
    let again = authorise(&a.invite(&sdp), &challenge, "alice");
    w.send(a.at, &again);
    let invite = w.expect(acme(), "INVITE");
    assert!(invite.header("P-Asserted-Identity").contains("sip:alice@203.0.113.1"), "{}", invite.0);
    assert!(invite.body().contains("RTP/AVP 8 101"), "{}", invite.body());
    w.send(acme(), &invite.reply("180 Ringing", "b1", "", ""));
    w.engine.handle_flow_closed(w.now, browser(1));
    w.collect();
    let cancel = w.expect(acme(), "CANCEL");
    w.send(acme(), &cancel.reply("200 OK", "b1", "", ""));
    w.send(acme(), &invite.reply("487 Request Terminated", "b1", "", ""));
    w.expect(acme(), "ACK");
    assert_eq!(w.cause(), (487, "FlowLost by Caller".to_owned()));
    w.check_idle();
}

#[test]
fn a_browser_restarts_ice_and_gets_new_credentials() {
    let mut w = World::new();
    w.register(browser(1), "bob", "r1", "<sip:b1@one.invalid;transport=ws>");
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    let invite = w.expect(browser(1), "INVITE");
    w.send(
        browser(1),
        &invite.reply("200 OK", "t1", "Contact: <sip:b1@one.invalid;transport=ws>\n", &browser_sdp("active", "111")),
    );
    w.expect(browser(1), "ACK");
    w.expect(a.at, "SIP/2.0 100");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    let mut b = Ua::new(browser(1), "bob", "anna");
    b.call_id = invite.header("Call-ID").to_owned();
    b.tag = "t1".to_owned();
    b.peer_tag = invite.tag("From");
    b.target = invite.contact().to_owned();
    let sdp = browser_sdp("actpass", "111").replace("ufrag:abcd", "ufrag:wxyz").replace("pwd:0", "pwd:9");
    w.send(b.at, &b.request("INVITE", "", &sdp));
    w.expect(b.at, "SIP/2.0 100");
    let restarted = w.expect(b.at, "SIP/2.0 200");
    let ufrag = |body: &str| body.lines().find(|l| l.starts_with("a=ice-ufrag:")).map(str::to_owned);
    assert!(ufrag(restarted.body()).is_some() && ufrag(restarted.body()) != ufrag(invite.body()));
    // The DTLS role stays what it was: we are the server.
    assert!(restarted.body().contains("a=setup:passive"), "{}", restarted.body());
    b.peer_tag.clear();
    let ack = b.ack(&restarted, "");
    w.send(b.at, &ack);
    w.nothing(a.at);
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(browser(1), "BYE");
    w.send(browser(1), &bye.reply("200 OK", "", "", ""));
    w.engine.handle_flow_closed(w.now, browser(1));
    w.collect();
    w.check_idle();
}

#[test]
fn a_side_that_does_not_answer_a_change_lets_the_other_go_on() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    let hold = phone_sdp("192.0.2.10", "8").replace("sendrecv", "sendonly");
    w.send(a.at, &a.request("INVITE", "", &hold));
    w.expect(a.at, "SIP/2.0 100");
    let offer = w.expect(acme(), "INVITE");
    w.send(acme(), &offer.reply("100 Trying", "", "", ""));
    w.advance(Duration::from_millis(10_100));
    let refused = w.expect(a.at, "SIP/2.0 500");
    w.send(a.at, &a.ack_failure(&refused));
    let cancel = w.expect(acme(), "CANCEL");
    w.send(acme(), &cancel.reply("200 OK", "", "", ""));
    w.send(acme(), &offer.reply("487 Request Terminated", "", "", ""));
    w.expect(acme(), "ACK");
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(acme(), "BYE");
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}

#[test]
fn a_side_that_forgot_the_dialog_ends_the_call() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    let hold = phone_sdp("192.0.2.10", "8").replace("sendrecv", "inactive");
    w.send(a.at, &a.request("INVITE", "", &hold));
    w.expect(a.at, "SIP/2.0 100");
    let offer = w.expect(acme(), "INVITE");
    w.send(acme(), &offer.reply("481 Call/Transaction Does Not Exist", "", "", ""));
    w.expect(acme(), "ACK");
    let end = w.expect(a.at, "SIP/2.0 487");
    w.send(a.at, &a.ack_failure(&end));
    let bye = w.expect(a.at, "BYE");
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    w.nothing(acme());
    w.check_idle();
}

#[test]
fn a_reinvite_without_offer_gets_ours() {
    let mut w = World::new();
    let (mut a, ..) = phone_call(&mut w);
    w.send(a.at, &a.request("INVITE", "", ""));
    w.expect(a.at, "SIP/2.0 100");
    let ok = w.expect(a.at, "SIP/2.0 200");
    assert!(ok.body().contains("m=audio 30000 RTP/AVP 8 0 101"), "{}", ok.body());
    w.send(a.at, &a.ack(&ok, &phone_sdp("192.0.2.12", "8")));
    w.nothing(acme());
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    w.clear(acme());
    w.check_idle();
}

#[test]
fn a_bye_that_comes_before_the_ack_waits_for_it_on_the_other_side() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE");
    w.send(acme(), &invite.reply("200 OK", "b1", "Contact: <sip:gw@198.51.100.1>\n", &phone_sdp("198.51.100.1", "8")));
    w.expect(acme(), "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    let mut b = Ua::new(acme(), "gw", "x");
    b.call_id = invite.header("Call-ID").to_owned();
    b.tag = "b1".to_owned();
    b.peer_tag = invite.tag("From");
    w.send(acme(), &b.request("BYE", "", ""));
    w.expect(acme(), "SIP/2.0 200");
    w.nothing(a.at);
    w.send(a.at, &a.ack(&ok, ""));
    let bye = w.expect(a.at, "BYE");
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}
