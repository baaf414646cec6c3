//! Answers: early media, several 2xx, lost ACKs, offers that come late.

use std::time::Duration;

use super::phone_call;
use super::world::*;

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
fn a_user_at_a_browser_and_at_a_phone_is_reached_at_either() {
    use sbc::media::command::Command;
    let mut w = World::with(|c| c.call.realms[0].auth = sbc::call::config::Auth::None);
    w.register(browser(1), "bob", "r1", "<sip:b1@one.invalid;transport=ws>");
    w.register(phone_b(), "bob", "r2", "<sip:bob@192.0.2.20:5060>");
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let at_browser = w.expect(browser(1), "INVITE");
    let at_phone = w.expect(phone_b(), "INVITE sip:bob@192.0.2.20:5060");
    assert!(at_phone.body().contains("RTP/AVP 8 0 101") && at_browser.body().contains("SAVPF 8 111 0"));
    w.send(
        browser(1),
        &at_browser.reply("200 OK", "t1", "Contact: <sip:b1@one.invalid;transport=ws>\n", &browser_sdp("active", "8")),
    );
    w.expect(browser(1), "ACK");
    let cancel_late = w.wire.iter().filter(|(_, t)| t.starts_with("CANCEL")).count();
    assert_eq!(cancel_late, 0, "nothing was heard of the phone yet");
    w.send(phone_b(), &at_phone.reply("100 Trying", "", "", ""));
    w.expect(phone_b(), "CANCEL");
    w.send(phone_b(), &at_phone.reply("487 Request Terminated", "t2", "", ""));
    w.expect(phone_b(), "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    let last = w.media.iter().rev().find_map(|c| match c {
        Command::Open { plan, .. } => Some(plan.sides[1].end.clone()),
        _ => None,
    });
    assert!(matches!(last, Some(sbc::media::plan::End::WebRtc(_))), "{last:?}");
    w.send(a.at, &a.request("BYE", "", ""));
    w.expect(a.at, "SIP/2.0 200");
    let bye = w.expect(browser(1), "BYE");
    w.send(browser(1), &bye.reply("200 OK", "", "", ""));
    w.clear(phone_b());
    w.check_idle();
}

#[test]
fn a_browser_calls_an_address_that_only_another_realm_reaches() {
    let mut w = World::new();
    let alice = browser(1);
    let mut a = Ua::new(alice, "alice", "phone-b");
    a.target = "sip:phone-b@192.0.2.20:5060".to_owned();
    w.send(alice, &a.invite(&browser_sdp("actpass", "111 0 8")));
    w.expect(alice, "SIP/2.0 100");
    let challenge = w.expect(alice, "SIP/2.0 407");
    w.send(alice, &a.ack_failure(&challenge));
    a.cseq = 2;
    let sdp = browser_sdp("actpass", "111 0 8");
    w.send(alice, &authorise(&a.invite(&sdp), &challenge, "alice"));
    w.expect(alice, "SIP/2.0 100");
    let invite = w.expect(phone_b(), "INVITE sip:phone-b@192.0.2.20:5060 SIP/2.0");
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP 203.0.113.1:5060"), "{}", invite.0);
    assert!(invite.body().contains("RTP/AVP"), "{}", invite.body());
    w.send(phone_b(), &invite.reply("486 Busy Here", "b1", "", ""));
    w.expect(phone_b(), "ACK");
    let busy = w.expect(alice, "SIP/2.0 486");
    w.send(alice, &a.ack_failure(&busy));
    w.check_idle();
}
