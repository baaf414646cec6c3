//! Set-up, moves, failures and the end of a session.

use sbc::base::{CallId, Codec, Leg, MediaId};
use sbc::media::command::Command;
use sbc::media::config::Config;
use sbc::media::event::{EventKind, MediaFailure};
use sbc::media::plan::{Direction, DtlsRole, Plan, Service, SidePlan};
use sbc::media::shard::{Reason, Verdict};
use sbc::rtp::rtcp::{Compound, Packet, Size};

use crate::browser::Browser;
use crate::phone::Phone;
use crate::world::{
    MEDIA, PAIR_A, PAIR_B, PEER_A, PEER_B, STRANGER, World, at, directed, phone_a, phone_b, service, stream, webrtc,
    with_webrtc,
};

fn call() -> (World, Browser, Phone) {
    let mut world = World::new();
    let browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Pcmu, 0xa), phone_b(Codec::Pcmu));
    (world, browser, Phone::new(PEER_B, PAIR_B))
}

fn connected() -> (World, Browser, Phone) {
    let (mut world, mut browser, phone) = call();
    browser.connect(&mut world);
    world.take_events();
    (world, browser, phone)
}

fn failures(world: &mut World) -> Vec<(Leg, MediaFailure)> {
    let failure = |event| match event {
        EventKind::Failed { leg, why } => Some((leg, why)),
        _ => None,
    };
    world.take_events().into_iter().filter_map(failure).collect()
}

#[test]
fn a_browser_connects_as_dtls_client() {
    let (mut world, mut browser, _) = call();
    world.pass(100);
    browser.connect(&mut world);
    let events = world.take_events();
    assert_eq!(events[0], EventKind::IceConnected { leg: Leg::A, remote: at(PEER_A), after_ms: 100 });
    let EventKind::DtlsConnected { leg: Leg::A, profile, after_ms } = &events[1] else { panic!("{events:?}") };
    assert!(profile.contains("AES") && *after_ms < 20, "{profile} {after_ms}");
    assert_eq!(events.len(), 2);
}

#[test]
fn we_send_the_hello_the_moment_a_pair_is_proved() {
    let mut world = World::new();
    let mut browser = Browser::new(&world, PEER_A, "ours", sbc::dtls::Role::Server);
    let plan = webrtc("ours", &browser.fingerprint(), DtlsRole::Client, stream(Codec::Opus, 0xa));
    world.open(plan, service(Service::Echo));
    assert!(world.sent.is_empty());
    assert!(browser.check(&mut world, false), "not nominated yet");
    assert!(matches!(world.sent.first(), Some(sent) if sent.to == at(PEER_A) && sent.bytes[0] == 22));
    browser.connect(&mut world);
}

#[test]
fn media_starts_with_a_description_that_comes_after_the_checks() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    let plan = browser.side(Codec::Pcmu, 0xa);
    let early = with_webrtc(SidePlan { stream: None, ..plan.clone() }, |end| {
        (end.remote_ice, end.dtls) = (None, None);
        end.fingerprints.clear();
    });
    world.open(early, phone_b(Codec::Pcmu));
    assert!(browser.check(&mut world, true));
    let hello = browser.hello(&world);
    assert_eq!(world.arrive(at(PEER_A), at(crate::world::SHARED), &hello[0]), Verdict::Dropped(Reason::Unexpected));
    world.set(Leg::A, plan);
    // The library repeats its hello.
    world.arrive(at(PEER_A), at(crate::world::SHARED), &hello[0]);
    browser.shake(&mut world);
    assert!(browser.keys.is_some());
}

#[test]
fn no_check_in_time_is_told_once() {
    let (mut world, _, _) = call();
    world.pass(14_999);
    assert_eq!(world.take_events(), []);
    world.pass(1);
    assert_eq!(world.take_events(), [EventKind::Failed { leg: Leg::A, why: MediaFailure::IceTimeout }]);
    world.pass(200_000);
    assert_eq!(world.take_events(), []);
}

#[test]
fn orders_in_between_do_not_lengthen_the_bound() {
    let (mut world, browser, _) = call();
    for _ in 0..3 {
        world.pass(5000);
        world.set(Leg::A, browser.side(Codec::Pcmu, 0xa));
    }
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::IceTimeout)]);
}

#[test]
fn a_handshake_that_stalls_is_told() {
    let (mut world, mut browser, _) = call();
    browser.check(&mut world, true);
    let hello = browser.hello(&world);
    world.arrive(at(PEER_A), at(crate::world::SHARED), &hello[0]);
    for _ in 0..9 {
        browser.check(&mut world, false);
        world.pass(1000);
    }
    assert_eq!(failures(&mut world), []);
    world.pass(1500);
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::DtlsTimeout)]);
}

#[test]
fn another_certificate_than_promised_gets_no_media() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    let plan = with_webrtc(browser.side(Codec::Pcmu, 0xa), |end| end.fingerprints[0].digest[0] ^= 1);
    world.open(plan, phone_b(Codec::Pcmu));
    browser.check(&mut world, true);
    browser.shake(&mut world);
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::FingerprintMismatch)]);
    let mut phone = Phone::new(PEER_B, PAIR_B);
    assert_eq!(phone.say(&mut world, 0, &[1; 160], 160), Verdict::Absorbed);
    assert_eq!(world.report(Leg::A).crypto, "none");
}

#[test]
fn consent_ends_thirty_seconds_after_the_last_check() {
    let (mut world, mut browser, mut phone) = connected();
    for _ in 0..10 {
        world.pass(10_000);
        assert!(browser.check(&mut world, false));
        phone.say(&mut world, 0, &[1; 160], 160);
        // Reports keep the peers alive, not the consent.
        browser.heard(&mut world);
    }
    let mut events = failures(&mut world);
    events.retain(|f| f.1 != MediaFailure::Inactive);
    assert_eq!(events, []);
    let (mut world, _, mut phone) = connected();
    world.pass(29_000);
    assert_eq!(failures(&mut world), []);
    assert!(matches!(phone.say(&mut world, 0, &[1; 160], 160), Verdict::Forward { .. }));
    world.pass(1500);
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::ConsentExpired)]);
    assert_eq!(phone.say(&mut world, 0, &[1; 160], 160), Verdict::Absorbed, "nothing is sent any more");
}

#[test]
fn authentic_media_gives_consent_too() {
    let (mut world, mut browser, _) = connected();
    for _ in 0..100 {
        world.pass(1000);
        browser.say(&mut world, 0, &[1; 160], 160);
    }
    assert!(failures(&mut world).iter().all(|f| f.1 == MediaFailure::Inactive));
    world.pass(29_000);
    assert!(failures(&mut world).iter().all(|f| f.1 == MediaFailure::Inactive));
    world.pass(2000);
    let mut phone = Phone::new(PEER_B, PAIR_B);
    assert_eq!(phone.say(&mut world, 0, &[1; 160], 160), Verdict::Absorbed);
}

#[test]
fn media_follow_a_later_nomination() {
    let (mut world, mut browser, mut phone) = connected();
    phone.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(browser.heard(&mut world).len(), 1);
    browser.at = at("198.51.100.77:7777");
    assert!(browser.check(&mut world, false));
    phone.say(&mut world, 0, &[2; 160], 160);
    assert!(browser.heard(&mut world).is_empty(), "proved is not nominated");
    assert!(browser.check(&mut world, true));
    phone.say(&mut world, 0, &[3; 160], 160);
    assert_eq!(browser.heard(&mut world)[0].payload[0], 3);
    let moved = EventKind::IceMoved { leg: Leg::A, remote: browser.at };
    assert!(world.take_events().contains(&moved));
    browser.say(&mut world, 0, &[4; 160], 160);
    assert_eq!(phone.heard(&mut world)[0].payload[0], 4);
}

#[test]
fn an_ice_restart_leaves_no_gap() {
    let (mut world, mut browser, mut phone) = connected();
    phone.say(&mut world, 0, &[1; 160], 160);
    let next = with_webrtc(browser.side(Codec::Pcmu, 0xa), |end| end.ice.ufrag = "next".to_owned());
    world.set(Leg::A, next);
    phone.say(&mut world, 0, &[2; 160], 160);
    browser.say(&mut world, 0, &[2; 160], 160);
    assert!(browser.check(&mut world, false), "checks of the old generation are answered");
    browser.ufrag = "next".to_owned();
    let old = std::mem::replace(&mut browser.at, at("198.51.100.77:7777"));
    assert!(browser.check(&mut world, true));
    phone.say(&mut world, 0, &[3; 160], 160);
    let heard: Vec<_> = world.take(old).into_iter().chain(world.take(browser.at)).collect();
    world.sent = heard.into_iter().map(|s| crate::world::Sent { to: browser.at, ..s }).collect();
    let heard = browser.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload[0]).collect::<Vec<_>>(), [1, 2, 3]);
    crate::phone::assert_steady(&heard, 160);
    browser.say(&mut world, 0, &[3; 160], 160);
    let said = world.report(Leg::A);
    assert_eq!((said.packets_received, said.packets_lost, said.packets_discarded), (2, 0, 0));
    assert_eq!(world.dropped(Reason::Forged) + world.dropped(Reason::NoKeys), 0, "the keys are the same");
}

#[test]
fn an_ice_restart_that_nobody_answers_fails() {
    let (mut world, mut browser, _) = connected();
    let next = with_webrtc(browser.side(Codec::Pcmu, 0xa), |end| end.ice.ufrag = "next".to_owned());
    world.set(Leg::A, next);
    for _ in 0..15 {
        assert!(browser.check(&mut world, false));
        world.pass(1000);
    }
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::IceTimeout)]);
}

#[test]
fn another_certificate_means_another_handshake() {
    let (mut world, mut browser, mut phone) = connected();
    phone.say(&mut world, 0, &[1; 160], 160);
    let first = browser.heard(&mut world);
    // The call moved to another browser, at another place, with its own credentials.
    browser.renew(&world, sbc::dtls::Role::Client);
    browser.at = at("198.51.100.77:7777");
    browser.ufrag = "next".to_owned();
    world.set(Leg::A, browser.side(Codec::Pcmu, 0xa));
    browser.connect(&mut world);
    assert!(world.take_events().iter().any(|e| matches!(e, EventKind::DtlsConnected { leg: Leg::A, .. })));
    phone.say(&mut world, 0, &[2; 160], 160);
    let second = browser.heard(&mut world);
    assert_eq!((second[0].payload[0], second[0].seq), (2, first[0].seq.wrapping_add(1)));
    browser.say(&mut world, 0, &[3; 160], 160);
    assert_eq!(phone.heard(&mut world)[0].payload[0], 3);
}

#[test]
fn our_hello_of_another_handshake_waits_for_the_other_place() {
    let mut world = World::new();
    let mut browser = Browser::new(&world, PEER_A, "ours", sbc::dtls::Role::Server);
    let plan = |b: &Browser| webrtc(&b.ufrag, &b.fingerprint(), DtlsRole::Client, stream(Codec::Pcmu, 0xa));
    world.open(plan(&browser), phone_b(Codec::Pcmu));
    browser.connect(&mut world);
    browser.renew(&world, sbc::dtls::Role::Server);
    browser.ufrag = "next".to_owned();
    browser.at = at("198.51.100.77:7777");
    world.set(Leg::A, plan(&browser));
    assert!(world.take(at(PEER_A)).is_empty(), "no hello to the old place");
    browser.connect(&mut world);
}

#[test]
fn silence_is_told_once_and_not_of_who_may_be_silent() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    let (mut a, mut b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    a.say(&mut world, 0, &[1; 160], 160);
    world.pass(30_000);
    b.say(&mut world, 0, &[1; 160], 160);
    world.set(Leg::A, directed(phone_a(Codec::Pcmu), Direction::SendOnly));
    world.pass(59_999);
    assert_eq!(failures(&mut world), []);
    world.pass(1);
    assert_eq!(failures(&mut world), [(Leg::B, MediaFailure::Inactive)]);
    world.pass(300_000);
    assert_eq!(failures(&mut world), []);
}

#[test]
fn after_a_hold_the_bound_begins_anew() {
    let mut world = World::of(phone_a(Codec::Pcmu), service(Service::Tone));
    world.set(Leg::A, directed(phone_a(Codec::Pcmu), Direction::Inactive));
    world.pass(300_000);
    world.set(Leg::A, phone_a(Codec::Pcmu));
    world.pass(59_999);
    assert_eq!(failures(&mut world), []);
    world.pass(1);
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::Inactive)]);
}

#[test]
fn reports_of_a_silent_peer_are_life() {
    let mut world = World::of(phone_a(Codec::Pcmu), service(Service::Tone));
    let a = Phone::new(PEER_A, PAIR_A);
    let mut report = Vec::new();
    sbc::rtp::rtcp::Report { ssrc: sbc::rtp::header::Ssrc(1), cname: "x", sender: None, blocks: &[] }
        .write(&mut report);
    for _ in 0..10 {
        world.pass(50_000);
        assert_eq!(a.rtcp(&mut world, &report), Verdict::Absorbed);
    }
    assert_eq!(failures(&mut world), []);
}

#[test]
fn closing_says_goodbye_and_gives_everything_back() {
    let (mut world, mut browser, mut phone) = connected();
    phone.say(&mut world, 0, &[1; 160], 160);
    browser.heard(&mut world);
    world.take_events();
    world.shard.handle_command(world.now, Command::Close { media: MEDIA });
    let mut outputs = Vec::new();
    while let Some(output) = world.shard.poll_output() {
        outputs.push(output);
    }
    use sbc::media::shard::Output;
    let kinds: Vec<&str> = outputs
        .iter()
        .map(|output| match output {
            Output::Transmit { bytes, .. } if bytes[0] >= 128 => "rtcp",
            Output::Transmit { .. } => "dtls",
            Output::Event(_) => "event",
            Output::Unbind { .. } => "unbind",
            Output::Bind { .. } => "bind",
        })
        .collect();
    assert_eq!(kinds, ["rtcp", "dtls", "rtcp", "event", "unbind", "unbind"]);
    let Output::Event(event) = &outputs[3] else { panic!("an event") };
    let EventKind::Closed { reports } = &event.kind else { panic!("{event:?}") };
    assert_eq!((reports[1].packets_received, reports[0].packets_sent), (1, 1));
    let Output::Transmit { to, bytes, .. } = &outputs[2] else { panic!("a report") };
    assert_eq!(*to, at("198.51.100.2:4001"));
    let compound = Compound::parse(bytes, Size::Full).expect("a compound");
    let bye = compound.packets().last().expect("packets");
    assert!(matches!(bye, Packet::Bye(bye) if bye.sources().map(|s| s.0).collect::<Vec<_>>() == [0xb]));
    assert_eq!((world.shard.sessions(), world.shard.poll_timeout()), (0, None));
    // What still comes is nobody's.
    let mut late = sbc::media::packet::Packet::of(&phone.source.packet(0, false, &[1; 160]));
    let port = world.bound[&at(PAIR_B)];
    assert_eq!(world.shard.handle_packet(world.now, port, at(PEER_B), &mut late), Verdict::Dropped(Reason::Closed));
    assert_eq!(browser.say(&mut world, 0, &[1; 160], 160), Verdict::Dropped(Reason::Stranger));
    assert!(!browser.check(&mut world, true));
    world.close();
    assert!(world.take_events().is_empty(), "closed once");
}

#[test]
fn ports_and_places_are_used_again() {
    let mut world = World::new();
    for _ in 0..50 {
        let mut browser = Browser::usual(&world, PEER_A, "ours");
        world.open(browser.side(Codec::Pcmu, 0xa), phone_b(Codec::Pcmu));
        assert!(browser.check(&mut world, true));
        world.close();
        assert_eq!(world.bound.len(), 1, "the shared socket");
    }
    assert_eq!(world.shard.sessions(), 0);
}

#[test]
fn orders_that_cross_events_do_no_harm() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    let other = MediaId(99);
    world.command(Command::Close { media: other });
    world.command(Command::Digit { media: other, leg: Leg::A, digit: '1', duration_ms: 100 });
    world.command(Command::Set { media: other, leg: Leg::A, plan: Box::new(phone_a(Codec::Pcmu)) });
    assert!(world.take_events().is_empty());
    // The same order twice leaves the session as it is.
    world.open(phone_a(Codec::Pcma), phone_b(Codec::Pcma));
    assert!(world.take_events().is_empty());
    assert_eq!((world.shard.sessions(), world.bound.len()), (1, 5));
    world.close();
    assert!(matches!(world.take_events()[..], [EventKind::Closed { .. }]));
}

#[test]
fn a_full_shard_says_so() {
    let mut world = World::with(Config { sessions: 1, ..Config::default() });
    world.open(phone_a(Codec::Pcmu), service(Service::Echo));
    let plan = Box::new(Plan { sides: [phone_b(Codec::Pcmu), service(Service::Echo)] });
    world.command(Command::Open { media: MediaId(8), call: CallId(2), plan });
    let events = world.take_events();
    assert_eq!(events[0], EventKind::Failed { leg: Leg::A, why: MediaFailure::ShardFull });
    assert!(matches!(events[1..], [EventKind::Closed { .. }]));
    assert_eq!(world.bound.len(), 3);
}

#[test]
fn a_socket_that_does_not_open_ends_its_session() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    let port = world.bound[&at(PAIR_B)];
    world.shard.handle_bind_failed(world.now, port);
    world.shard.handle_bind_failed(world.now, port);
    world.pass(0);
    world.command(Command::Close { media: MediaId(99) });
    assert_eq!(failures(&mut world), [(Leg::B, MediaFailure::PortUnavailable)]);
}

#[test]
fn a_peer_that_closes_dtls_ends_its_side() {
    let (mut world, mut browser, _) = connected();
    let goodbye = browser.goodbye(&world);
    for datagram in goodbye {
        world.arrive(at(STRANGER), at(crate::world::SHARED), &datagram);
        assert_eq!(failures(&mut world), [], "not from a stranger");
        world.arrive(at(PEER_A), at(crate::world::SHARED), &datagram);
    }
    world.pass(1900);
    assert_eq!(failures(&mut world), [], "the goodbye of signalling may be under way");
    world.pass(200);
    assert_eq!(failures(&mut world), [(Leg::A, MediaFailure::DtlsClosed)]);
}
