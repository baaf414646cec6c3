//! How calls end: BYE and CANCEL from either side, lost connections, media, operators.

use std::time::Duration;

use super::phone_call;
use super::world::*;

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
fn an_operator_hangs_up() {
    use sbc::engine::{Command, Query, Reply};
    let mut w = World::new();
    let (a, invite, _) = phone_call(&mut w);
    let Reply::Call(Some(row)) = w.engine.query(w.now, Query::Call { id: a.call_id.clone() }) else { panic!("a call") };
    let row = &row.call;
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

#[test]
fn a_page_that_registered_anew_before_its_old_connection_died_keeps_its_call() {
    let mut w = World::new();
    let contact = "<sip:b1@one.invalid;transport=ws>;+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    w.register(browser(1), "bob", "r1", contact);
    let mut a = Ua::new(phone_a(), "anna", "bob");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(browser(1), "INVITE");
    let answer = browser_sdp("active", "111");
    w.send(browser(1), &invite.reply("200 OK", "t1", "Contact: <sip:b1@one.invalid;transport=ws>\n", &answer));
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    w.register(browser(2), "bob", "r2", contact);
    w.engine.handle_flow_closed(w.now, browser(1));
    w.collect();
    w.send(a.at, &a.request("BYE", "", ""));
    let bye = w.expect(browser(2), "BYE sip:b1@one.invalid");
    w.send(browser(2), &bye.reply("200 OK", "", "", ""));
    w.check_idle();
}
