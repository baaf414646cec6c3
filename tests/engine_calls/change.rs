//! Requests inside a dialog: hold and resume, moves, ICE restarts, refusals.

use std::time::Duration;

use super::phone_call;
use super::world::*;

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
fn the_called_phone_holds_the_call() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "anna", "phone-b");
    a.target = "sip:phone-b@192.0.2.20:5060".to_owned();
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "0")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(phone_b(), "INVITE sip:phone-b@192.0.2.20:5060 SIP/2.0");
    let contact = "Contact: <sip:phone-b@192.0.2.20:5060>\n";
    w.send(phone_b(), &invite.reply("200 OK", "b1", contact, &phone_sdp("192.0.2.20", "0")));
    w.expect(phone_b(), "ACK");
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    let mut b = Ua::new(phone_b(), "phone-b", "anna");
    b.call_id = invite.header("Call-ID").to_owned();
    b.tag = "b1".to_owned();
    b.peer_tag = invite.tag("From");
    b.target = invite.contact().to_owned();
    // The old way to hold: an unspecified address (RFC 2543).
    let hold = phone_sdp("192.0.2.20", "0").replace("c=IN IP4 192.0.2.20", "c=IN IP4 0.0.0.0");
    w.send(b.at, &b.request("INVITE", "", &hold));
    w.expect(b.at, "SIP/2.0 100");
    let offer = w.expect(a.at, "INVITE sip:anna@192.0.2.10:5060");
    assert!(offer.body().contains("a=sendonly"), "{}", offer.body());
    assert!(offer.body().contains("m=audio 30000 RTP/AVP 0"), "{}", offer.body());
    let answer = phone_sdp("192.0.2.10", "0").replace("sendrecv", "recvonly");
    w.send(a.at, &offer.reply("200 OK", "", "Contact: <sip:anna@192.0.2.10:5060>\n", &answer));
    w.expect(a.at, "ACK");
    let held = w.expect(b.at, "SIP/2.0 200");
    assert!(held.body().contains("a=recvonly"), "{}", held.body());
    let peer_tag = b.peer_tag.clone();
    let ack = b.ack(&held, "");
    b.peer_tag = peer_tag;
    w.send(b.at, &ack);
    w.send(b.at, &b.request("BYE", "", ""));
    w.expect(b.at, "SIP/2.0 200");
    let bye = w.expect(a.at, "BYE");
    assert_eq!(bye.header("Session-ID").len(), 32 + ";remote=".len() + 32);
    w.send(a.at, &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}
