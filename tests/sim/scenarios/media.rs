//! What is heard: services, untouched relays, failures of media.

use std::collections::BTreeSet;

use super::*;
use crate::house::House;
use crate::media::Transport;

#[test]
fn services_answer_and_are_heard() {
    for is_browser in [false, true] {
        let mut w = World::new(80);
        let a = if is_browser { browser(&mut w, "alice") } else { phone(&mut w, "alice") };
        for (service, hz) in [("tone", Some(1000)), ("echo", Some(400))] {
            let ca = w.dial(a, service);
            assert!(w.run_until(LONG, |w| w.call(ca).state == State::Answered), "{service}");
            w.secs(3);
            assert_eq!(hears(&w, ca), hz, "{service}, browser: {is_browser}");
            w.hang_up(ca);
            w.settle();
        }
        let ca = w.dial(a, "hello");
        w.secs(1);
        let heard = w.call(ca).media.as_ref().map_or(0, |m| m.heard);
        assert!(heard > 20, "the announcement is sent: {heard}");
        w.secs(25);
        assert_eq!(hears(&w, ca), Some(400), "then echo");
        w.hang_up(ca);
        w.settle();
    }
}

#[test]
fn digits_to_echo_come_back_or_are_ignored() {
    let mut w = World::new(81);
    let a = browser(&mut w, "alice");
    let ca = w.dial(a, "echo");
    w.secs(2);
    if let Some(media) = &mut w.uas[a].calls[ca.call].media {
        media.dial("42", 100);
    }
    w.secs(2);
    assert_eq!(hears(&w, ca), Some(400));
    w.hang_up(ca);
    w.settle();
}

/// The same codec on both sides: payloads come through as they were sent.
#[test]
fn equal_codecs_are_relayed_untouched() {
    let house = House { codecs: [0, 1, 2].map(|_| vec![sbc::base::Codec::Pcmu]), ..House::default() };
    let mut w = World::with(82, house);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    for ua in [a, b] {
        w.uas[ua].profile.voice = Voice::Count;
    }
    let (ca, cb) = talk(&mut w, a, b, "bob");
    for c in [ca, cb] {
        let counts = w.call(c).media.as_ref().map(|m| m.counts.clone()).unwrap_or_default();
        let (first, last) = (counts.first().copied().unwrap_or(0), counts.last().copied().unwrap_or(0));
        assert!(counts.len() > 100, "{} packets", counts.len());
        assert_eq!(counts, (first..=last).collect::<BTreeSet<u32>>(), "none is lost or changed");
    }
    w.hang_up(ca);
    w.settle();
}

#[test]
fn g711_laws_are_converted() {
    let mut house = House::default();
    house.codecs[1] = vec![sbc::base::Codec::Pcmu];
    house.codecs[2] = vec![sbc::base::Codec::Pcma];
    let mut w = World::with(83, house);
    let (a, b) = (phone(&mut w, "alice"), w.trunk(0));
    let (ca, cb) = talk(&mut w, a, b, "+4930");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn no_codec_in_common_is_488() {
    let mut w = World::new(84);
    let (a, b) = (phone(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[a].profile.codecs = vec![sbc::base::Codec::G722];
    let ca = refused(&mut w, a, "bob");
    assert_eq!(w.call(ca).status, Some(488));
    assert!(w.uas[b].calls.is_empty());
    w.settle();
}

#[test]
fn a_wrong_fingerprint_ends_the_call() {
    let mut w = World::new(85);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[a].wrong_fingerprint = true;
    let (ca, cb) = answered(&mut w, a, b, "bob");
    assert!(w.run_until(LONG, |w| !w.call(ca).is_live() && !w.call(cb).is_live()));
    assert!(w.call(cb).remote_bye);
    w.settle();
}

#[test]
fn checks_with_a_wrong_password_connect_nothing() {
    let mut w = World::new(86);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    w.uas[a].forges_stun = true;
    let (ca, cb) = answered(&mut w, a, b, "bob");
    assert!(w.run_until(LONG, |w| !w.call(ca).is_live() && !w.call(cb).is_live()), "ICE never comes up");
    w.settle();
}

#[test]
fn a_peer_that_falls_silent_is_hung_up() {
    let mut w = World::new(87);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = talk(&mut w, a, b, "bob");
    // The browser's machine is gone: no media, no consent.
    w.uas[a].calls[ca.call].media = None;
    assert!(w.run_until(Duration::from_secs(120), |w| !w.call(cb).is_live()));
    w.settle();
}

#[test]
fn media_survives_loss_and_overtaking() {
    let mut w = World::new(88);
    let (a, b) = (browser(&mut w, "alice"), phone(&mut w, "bob"));
    let (ca, cb) = answered(&mut w, a, b, "bob");
    w.net.faults.loss = 0.1;
    w.net.faults.duplication = 0.05;
    w.net.faults.spread = Duration::from_millis(30);
    w.secs(5);
    let heard = |w: &World, c: CallRef| w.call(c).media.as_ref().map_or(0, |m| m.heard);
    assert!(heard(&w, ca) > 150 && heard(&w, cb) > 150, "{} {}", heard(&w, ca), heard(&w, cb));
    w.net.faults = Default::default();
    w.secs(2);
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
}

#[test]
fn ice_and_dtls_come_up_through_heavy_loss() {
    for seed in 0..10 {
        let mut w = World::new(900 + seed);
        let (a, b) = (browser(&mut w, "alice"), browser(&mut w, "bob"));
        w.net.faults.loss = 0.3;
        let (ca, cb) = answered(&mut w, a, b, "bob");
        w.secs(8);
        for c in [ca, cb] {
            let up =
                w.call(c).media.as_ref().is_some_and(|m| matches!(&m.transport, Transport::WebRtc(r) if r.is_up()));
            assert!(up, "seed {seed}");
        }
        w.net.faults.loss = 0.0;
        w.secs(2);
        both_hear(&w, ca, cb);
        w.hang_up(cb);
        w.settle();
    }
}
