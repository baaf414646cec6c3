//! Strangers: whoever sprays media ports gets nothing and is heard by nobody.

use std::net::SocketAddr;

use sbc::dtls::{Handshake as _, Role};
use sbc::ice::attribute::{PRIORITY, USE_CANDIDATE, USERNAME};
use sbc::ice::{Builder, Class, TransactionId};

use super::*;
use crate::dtls::Script;
use crate::house::at;

/// RTP, RTCP, STUN in several forms, and a ClientHello.
fn volleys(w: &mut World, n: u32) -> Vec<Vec<u8>> {
    let mut rtp = vec![0x80, 0];
    rtp.extend((n as u16).to_be_bytes());
    rtp.extend((n * 160).to_be_bytes());
    rtp.extend([6, 6, 6, 6]);
    rtp.extend([0x55; 160]);
    let rtcp = vec![0x80, 201, 0, 1, 6, 6, 6, 6];
    let id = TransactionId([n as u8; 12]);
    let plain = Builder::binding(Class::Request, id).finish();
    let forged = Builder::binding(Class::Request, id)
        .attribute(USERNAME, b"abcd:efgh")
        .attribute(PRIORITY, &[1, 2, 3, 4])
        .attribute(USE_CANDIDATE, &[])
        .sign(b"no such password at all");
    let response =
        Builder::binding(Class::Success, id).mapped_address(at("192.0.2.1:9")).sign(b"no such password at all");
    let mut hello = Vec::new();
    let mut handshake = Script::new("mallory", u64::from(n)).scripted(Role::Client, &[]);
    handshake.start(w.now, &mut hello);
    let hello = hello.into_iter().filter_map(|o| match o {
        sbc::dtls::Output::Transmit(bytes) => Some(bytes),
        _ => None,
    });
    [rtp, rtcp, plain, forged, response].into_iter().chain(hello).collect()
}

/// Sprays every open media socket for a while.
fn spray(w: &mut World, from: SocketAddr, times: u32) {
    for n in 0..times {
        let volleys = volleys(w, n);
        for to in w.media_sockets() {
            for bytes in &volleys {
                w.inject(from, to, bytes.clone());
            }
        }
        w.millis(20);
    }
}

fn pairs(w: &mut World) -> Vec<(usize, usize, &'static str)> {
    let (a, b) = (phone(w, "alice"), phone(w, "bob"));
    let (c, d) = (browser(w, "carol"), browser(w, "dave"));
    vec![(a, b, "bob"), (c, a, "alice"), (b, d, "dave"), (c, d, "dave")]
}

#[test]
fn a_stranger_gets_no_packet_and_is_not_heard() {
    let mut w = World::new(100);
    let stranger = at("198.18.0.66:4444");
    for (x, y, to) in pairs(&mut w) {
        let (ca, cb) = answered(&mut w, x, y, to);
        spray(&mut w, stranger, 50);
        w.millis(500);
        spray(&mut w, stranger, 50);
        both_hear(&w, ca, cb);
        w.hang_up(ca);
        w.settle();
    }
    assert_eq!(w.stray.get(&stranger), None, "nothing was sent to the stranger");
}

/// The hello race: sprayed from before the first port opens until the call is up.
#[test]
fn hellos_sprayed_while_calls_are_set_up_change_nothing() {
    let mut w = World::new(101);
    let stranger = at("198.18.0.66:4444");
    let (a, b) = (browser(&mut w, "alice"), browser(&mut w, "bob"));
    let ca = w.dial(a, "bob");
    for _ in 0..150 {
        spray(&mut w, stranger, 1);
    }
    assert_eq!(w.call(ca).state, State::Answered);
    both_hear(&w, ca, w.last(b));
    assert_eq!(w.stray.get(&stranger), None);
    w.hang_up(ca);
    w.settle();
}

/// From the signalling host's own address, at a port that was not announced, after the window.
#[test]
fn a_latch_closes_after_its_window() {
    let mut w = World::new(102);
    let (a, b) = (phone(&mut w, "alice"), w.natted_phone("bob"));
    w.register(b);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    let public = w.net.public_ip(w.uas[b].profile.ip);
    let thief = SocketAddr::new(public, 61_000);
    spray(&mut w, thief, 30);
    both_hear(&w, ca, cb);
    assert_eq!(w.stray.get(&thief), None);
    w.hang_up(ca);
    w.settle();
}

/// Nobody is behind the announced address: the first foreign packet must not win.
#[test]
fn a_stranger_does_not_win_the_latch_of_a_natted_phone() {
    let mut w = World::new(103);
    let (a, b) = (phone(&mut w, "alice"), w.natted_phone("bob"));
    w.register(b);
    let stranger = at("198.18.0.66:4444");
    let ca = w.dial(a, "bob");
    for _ in 0..100 {
        spray(&mut w, stranger, 1);
    }
    assert!(w.run_until(LONG, |w| w.call(ca).state == State::Answered));
    w.secs(2);
    both_hear(&w, ca, w.last(b));
    assert_eq!(w.stray.get(&stranger), None);
    w.hang_up(ca);
    w.settle();
}

/// SRTP from the right address with wrong keys: dropped, however many.
#[test]
fn forged_srtp_ends_nothing() {
    let mut w = World::new(104);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    let from = w.call(ca).media.as_ref().map(|m| m.local).expect("media");
    for n in 0..500 {
        let volleys = volleys(&mut w, n);
        w.inject(from, at("203.0.113.1:8189"), volleys[0].clone());
        w.inject(from, at("203.0.113.1:8189"), volleys[1].clone());
    }
    w.secs(2);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

/// A BYE, CANCEL or re-INVITE of somebody who does not know the tags changes nothing.
#[test]
fn forged_requests_do_not_end_calls() {
    let mut w = World::new(105);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    let call_id = w.call(ca).call_id.clone();
    w.check.known_outside.insert(call_id.clone());
    for method in ["BYE", "CANCEL", "INVITE", "ACK", "UPDATE", "INFO"] {
        let text = format!(
            "{method} sip:bob@sbc.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.66:5060;branch=z9hG4bK{method}\r\n\
             From: <sip:alice@sbc.example>;tag=guess\r\nTo: <sip:bob@sbc.example>;tag=00guess\r\nCall-ID: {call_id}\r\n\
             CSeq: 900 {method}\r\nMax-Forwards: 70\r\nContact: <sip:x@198.18.0.66>\r\nContent-Length: 0\r\n\r\n"
        );
        w.inject(at("198.18.0.66:5060"), crate::house::listener(crate::house::PHONES), text.into_bytes());
    }
    w.secs(2);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}
