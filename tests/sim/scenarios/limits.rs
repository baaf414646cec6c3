//! Limits and bans: 503 with Retry-After, scanners, floods.

use super::*;
use crate::house::House;
use crate::ua::Script;
use sbc::guard::config::CallLimit;

#[test]
fn calls_beyond_the_limit_of_a_trunk_get_503_with_retry_after() {
    let mut house = House::default();
    for trunk in &mut house.guard.trunks {
        trunk.calls = CallLimit { calls: Some(1), rate: None };
    }
    let mut w = World::with(90, house);
    let (a, b1, b2) = (phone(&mut w, "alice"), w.trunk(0), w.trunk(1));
    let (c1, _) = answered(&mut w, a, b1, "+4930");
    let (c2, _) = answered(&mut w, a, b2, "+4930");
    let c3 = refused(&mut w, a, "+4930");
    assert_eq!(w.call(c3).status, Some(503));
    w.hang_up(c1);
    w.secs(1);
    let (c4, _) = answered(&mut w, a, b1, "+4930");
    w.hang_up(c2);
    w.hang_up(c4);
    w.settle();
}

#[test]
fn calls_beyond_the_ports_get_503() {
    let mut w = World::with(91, House { port_pairs: 1, ..House::default() });
    let (a, b) = (phone(&mut w, "alice"), browser(&mut w, "bob"));
    let c = browser(&mut w, "carol");
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    let full = refused(&mut w, c, "alice");
    assert!(matches!(w.call(full).status, Some(500 | 503)), "{:?}", w.call(full).status);
    w.hang_up(ca);
    w.secs(7);
    let (ca, cb) = talk(&mut w, c, a, "alice");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn draining_refuses_calls_and_lets_the_others_end() {
    let mut w = World::new(92);
    let (a, b, c) = (phone(&mut w, "alice"), phone(&mut w, "bob"), phone(&mut w, "carol"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    let now = w.now;
    w.engine.command(now, sbc::engine::Command::Drain);
    let refused = refused(&mut w, c, "bob");
    assert_eq!(w.call(refused).status, Some(503));
    w.secs(2);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn an_operator_hangs_up() {
    let mut w = World::new(93);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    let now = w.now;
    let id = w.engine.calls().iter().next().map(|c| c.id.to_string()).expect("a call");
    w.engine.command(now, sbc::engine::Command::Hangup { call: id });
    w.pump();
    w.settle();
    assert!(w.call(ca).remote_bye && w.call(cb).remote_bye);
}

#[test]
fn a_scanner_is_banned_and_hears_nothing_more() {
    let mut w = World::new(94);
    let a = w.phone("alice");
    w.uas[a].profile.agent = "friendly-scanner".to_owned();
    let now = w.now.mono;
    w.uas[a].register(now);
    w.flush_ua(a);
    w.secs(40);
    assert!(w.uas[a].registration.until.is_none());
    assert!(w.firewall.iter().any(|o| matches!(o, sbc::guard::Output::Ban { .. })), "{:?}", w.firewall);
}

#[test]
fn password_guessing_is_banned() {
    let mut w = World::new(95);
    let a = w.phone("alice");
    w.uas[a].profile.password = "wrong".to_owned();
    for _ in 0..12 {
        let now = w.now.mono;
        w.uas[a].register(now);
        w.flush_ua(a);
        w.secs(2);
    }
    assert!(w.firewall.iter().any(|o| matches!(o, sbc::guard::Output::Ban { .. })));
}

#[test]
fn rubbish_on_a_websocket_closes_it_with_a_code() {
    let mut w = World::new(96);
    let a = browser(&mut w, "alice");
    w.send_raw(a, b"\x00\x01\x02 this is not SIP\r\n\r\n".to_vec());
    w.secs(1);
    assert_eq!(w.uas[a].connection, None);
    assert!(w.closed.iter().any(|(_, code)| (1002..=1009).contains(code)), "{:?}", w.closed);
    w.settle();
}

#[test]
fn a_flood_from_one_source_does_not_hurt_the_others() {
    let mut w = World::new(97);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[b].script = Script::answers();
    let invite = |n: u32| {
        format!(
            "OPTIONS sip:x@sbc.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.250:5060;branch=z9hG4bKf{n}\r\nFrom: <sip:x@x>;tag={n}\r\n\
             To: <sip:x@x>\r\nCall-ID: f{n}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for n in 0..5000u32 {
        w.inject(
            crate::house::at("198.51.100.250:5060"),
            crate::house::listener(crate::house::PHONES),
            invite(n).into_bytes(),
        );
    }
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    let answers = w.stray.get(&crate::house::at("198.51.100.250:5060")).copied().unwrap_or(0);
    assert!(answers < 1000, "{answers} answers to a flood");
    w.hang_up(ca);
    w.settle();
}
