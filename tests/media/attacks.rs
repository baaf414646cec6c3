//! What decided elsewhere: hello races, bleeding, injection, forged checks, bad tags.

use sbc::base::{Codec, Leg};
use sbc::dtls;
use sbc::ice::{Builder, Class, TransactionId, attribute};
use sbc::media::event::EventKind;
use sbc::media::plan::{Latch, SidePlan};
use sbc::media::shard::{Reason, Verdict};

use crate::browser::Browser;
use crate::phone::Phone;
use crate::world::{PAIR_A, PAIR_B, PEER_A, PEER_B, SHARED, STRANGER, World, at, phone_a, phone_b, with_rtp};

fn call() -> (World, Browser, Phone) {
    let mut world = World::new();
    let browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Pcmu, 0xa), phone_b(Codec::Pcmu));
    (world, browser, Phone::new(PEER_B, PAIR_B))
}

#[test]
fn hellos_from_foreign_addresses_change_nothing() {
    let (mut world, mut browser, mut phone) = call();
    let foreign = Browser::new(&world, STRANGER, "ours", dtls::Role::Client).hello(&world);
    let ports = [SHARED, PAIR_B, "192.0.2.1:30003"];
    let spray = |world: &mut World| {
        for port in ports {
            for hello in &foreign {
                for source in [STRANGER, "198.51.100.1:4002", "198.51.100.2:4000"] {
                    assert!(
                        matches!(world.arrive(at(source), at(port), hello), Verdict::Dropped(_)),
                        "{source} {port}"
                    );
                }
            }
        }
        assert!(world.sent.iter().all(|s| s.to == at(PEER_A)), "no answer to anybody else");
    };
    spray(&mut world);
    assert!(world.events.is_empty() && world.sent.is_empty());
    assert!(browser.check(&mut world, true));
    spray(&mut world);
    browser.shake(&mut world);
    assert!(browser.keys.is_some());
    spray(&mut world);
    let events: Vec<_> = world.take_events();
    assert!(matches!(events[..], [EventKind::IceConnected { .. }, EventKind::DtlsConnected { .. }]));
    phone.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(browser.heard(&mut world).len(), 1);
}

#[test]
fn a_plain_alert_from_the_proved_address_does_not_end_the_handshake() {
    let (mut world, mut browser, _) = call();
    browser.check(&mut world, true);
    for _ in 0..10 {
        world.arrive(at(PEER_A), at(SHARED), &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40]);
    }
    browser.shake(&mut world);
    assert!(browser.keys.is_some());
}

/// Sends RTP from somebody else to every port; nothing may leave.
fn bleed(world: &mut World, from: &str, ports: &[&str]) {
    let stranger = Phone::new(from, ports[0]);
    let before = world.sent.len();
    for port in ports {
        for pt in [0, 8, 101, 111] {
            let mut source = stranger.source.clone();
            source.seq = u16::from(pt);
            let bytes = source.packet(pt, true, &[0x55; 160]);
            let verdict = world.arrive(at(from), at(port), &bytes);
            assert!(matches!(verdict, Verdict::Dropped(Reason::Stranger | Reason::NoKeys)), "{verdict:?}");
        }
    }
    assert_eq!(world.sent.len(), before, "nothing to anybody");
}

#[test]
fn strangers_are_neither_heard_nor_sent_to() {
    let (mut world, mut browser, mut phone) = call();
    let sources = [STRANGER, "198.51.100.1:4002", "198.51.100.2:4002", "198.51.100.2:4001"];
    for source in sources {
        bleed(&mut world, source, &[SHARED, PAIR_B]);
    }
    browser.connect(&mut world);
    phone.say(&mut world, 0, &[1; 160], 160);
    browser.say(&mut world, 0, &[1; 160], 160);
    for source in sources {
        bleed(&mut world, source, &[SHARED, PAIR_B]);
    }
    // The browser's own address without its keys.
    let bytes = browser.source.packet(0, false, &[0x55; 160]);
    assert_eq!(world.arrive(at(PEER_A), at(SHARED), &bytes), Verdict::Dropped(Reason::Forged));
    let heard = (browser.heard(&mut world).len(), phone.heard(&mut world).len());
    assert_eq!(heard, (1, 1));
    assert!(world.sent.iter().all(|s| sources.iter().all(|x| s.to != at(x))), "0 packets");
    assert_eq!(world.report(Leg::B).strangers, 32);
    assert_eq!(world.report(Leg::B).packets_received, 1);
}

fn natted() -> SidePlan {
    with_rtp(phone_a(Codec::Pcmu), |end| {
        end.remote = Some(at("10.0.0.5:4000"));
        end.latch = Latch::Signalling { signalling: at(PEER_A).ip(), window_ms: 250 };
    })
}

#[test]
fn behind_nat_only_the_signalling_host_is_learned_once_within_its_window() {
    let mut world = World::of(natted(), phone_b(Codec::Pcmu));
    let mut b = Phone::new(PEER_B, PAIR_B);
    bleed(&mut world, STRANGER, &[PAIR_A]);
    world.pass(200);
    let mut a = Phone::new("198.51.100.1:40000", PAIR_A);
    assert!(matches!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Forward { .. }));
    assert_eq!(
        world.take_events(),
        [EventKind::Latched { leg: Leg::A, remote: a.at }, EventKind::FirstPacket { leg: Leg::A, remote: a.at }]
    );
    b.say(&mut world, 0, &[2; 160], 160);
    assert_eq!(a.heard(&mut world).len(), 1);
    // The same host, another port: too late, even within the window.
    bleed(&mut world, "198.51.100.1:40002", &[PAIR_A]);
    bleed(&mut world, "10.0.0.5:4000", &[PAIR_A]);
    world.pass(10_000);
    bleed(&mut world, "198.51.100.1:40002", &[PAIR_A]);
    assert!(matches!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Forward { .. }));
    assert_eq!(world.take(at("198.51.100.1:40001")).len(), 0, "nothing proves where a NAT has put its RTCP socket");
}

#[test]
fn behind_nat_nobody_is_learned_after_the_window() {
    let mut world = World::of(natted(), phone_b(Codec::Pcmu));
    world.pass(251);
    bleed(&mut world, "198.51.100.1:40000", &[PAIR_A]);
    bleed(&mut world, STRANGER, &[PAIR_A]);
    assert_eq!(world.take_events(), []);
}

#[test]
fn a_repeated_description_does_not_open_the_window_again_once_the_peer_was_heard() {
    let mut world = World::of(natted(), phone_b(Codec::Pcmu));
    let mut a = Phone::new("10.0.0.5:4000", PAIR_A);
    assert!(matches!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Forward { .. }));
    world.pass(1000);
    world.set(Leg::A, natted());
    bleed(&mut world, "198.51.100.1:40000", &[PAIR_A]);
    bleed(&mut world, STRANGER, &[PAIR_A]);
}

#[test]
fn forged_checks_are_not_answered_and_nominate_nobody() {
    let (mut world, mut browser, mut phone) = call();
    browser.connect(&mut world);
    world.take_events();
    let check = |user: &str, class: Class| {
        Builder::binding(class, TransactionId([user.len() as u8; 12]))
            .attribute(attribute::USERNAME, user.as_bytes())
            .attribute(attribute::ICE_CONTROLLING, &[7; 8])
            .attribute(attribute::USE_CANDIDATE, &[])
    };
    let forged = [
        check("ours:peer", Class::Request).finish(),
        check("ours:peer", Class::Request).sign(b"not the password"),
        check("ours:other", Class::Request).sign(crate::world::PWD.as_bytes()),
        check("nobody:peer", Class::Request).sign(crate::world::PWD.as_bytes()),
        check("ours:peer", Class::Success).sign(crate::world::PWD.as_bytes()),
        check("ours:peer", Class::Indication).sign(crate::world::PWD.as_bytes()),
        vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        vec![0; 3],
    ];
    for (n, bytes) in forged.iter().enumerate() {
        assert_eq!(world.arrive(at(STRANGER), at(SHARED), bytes), Verdict::Dropped(Reason::Stun), "{n}");
    }
    assert!(world.take(at(STRANGER)).is_empty() && world.take_events().is_empty());
    phone.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(browser.heard(&mut world).len(), 1, "media stay where they were");
}

#[test]
fn a_nomination_behind_the_integrity_is_none() {
    let (mut world, mut browser, mut phone) = call();
    browser.connect(&mut world);
    world.take_events();
    // What a third party can do with a check that it holds up on the way.
    let mut check = browser.check_bytes(false);
    check.extend([0x00, 0x25, 0, 0]);
    let len = check.len() as u16 - 20;
    check[2..4].copy_from_slice(&len.to_be_bytes());
    world.arrive(at(STRANGER), at(SHARED), &check);
    world.take(at(STRANGER));
    phone.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(browser.heard(&mut world).len(), 1, "media stay where they were");
    assert!(world.take_events().iter().all(|e| !matches!(e, EventKind::IceMoved { .. })));
}

#[test]
fn an_authentic_check_repeated_by_a_third_party_draws_nothing() {
    let (mut world, mut browser, mut phone) = call();
    browser.connect(&mut world);
    let check = browser.check_bytes(true);
    world.arrive(at(PEER_A), at(SHARED), &check);
    world.sent.clear();
    assert_eq!(world.arrive(at(STRANGER), at(SHARED), &check), Verdict::Dropped(Reason::Stun));
    phone.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(browser.heard(&mut world).len(), 1);
    assert!(world.take(at(STRANGER)).is_empty());
}

#[test]
fn bad_tags_by_the_hundred_thousand_end_nothing_and_keep_nothing() {
    let (mut world, mut browser, mut phone) = call();
    browser.connect(&mut world);
    browser.say(&mut world, 0, &[1; 160], 160);
    phone.heard(&mut world);
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
    };
    let flood = |world: &mut World| {
        let mut source = browser.source.clone();
        for n in 0..100_000u32 {
            (source.ssrc, source.seq) = (n % 5000, n as u16);
            let bytes = source.packet(0, false, &[n as u8; 60]);
            assert_eq!(world.arrive(at(PEER_A), at(SHARED), &bytes), Verdict::Dropped(Reason::Forged));
        }
    };
    flood(&mut world);
    // The memory is the process's, and other tests run beside: what leaks would show in every round.
    let mut rounds = 1;
    let flat = (0..5).any(|_| {
        let before = resident();
        flood(&mut world);
        rounds += 1;
        resident() <= before + (4 << 20)
    });
    assert!(flat, "memory stays flat");
    assert_eq!(world.dropped(Reason::Forged), rounds * 100_000);
    assert!(world.sent.is_empty());
    browser.say(&mut world, 0, &[2; 160], 160);
    assert_eq!(phone.heard(&mut world)[0].payload[0], 2);
    phone.say(&mut world, 0, &[3; 160], 160);
    assert_eq!(browser.heard(&mut world)[0].payload[0], 3);
    assert_eq!(world.take_events().len(), 4, "connected twice, first packets twice");
}

#[test]
fn replayed_packets_are_heard_once() {
    let (mut world, mut browser, phone) = call();
    browser.connect(&mut world);
    let packet = browser.source.packet(0, false, &[1; 160]);
    let sealed = browser.seal(&packet);
    assert!(matches!(world.arrive(at(PEER_A), at(SHARED), &sealed), Verdict::Forward { .. }));
    for source in [PEER_A, STRANGER] {
        let expected = if source == PEER_A { Reason::Replayed } else { Reason::Stranger };
        assert_eq!(world.arrive(at(source), at(SHARED), &sealed), Verdict::Dropped(expected));
    }
    assert_eq!(phone.heard(&mut world).len(), 1);
}

#[test]
fn authentic_sources_without_end_are_bounded() {
    let (mut world, mut browser, _) = call();
    browser.connect(&mut world);
    let mut limited = 0;
    for ssrc in 0..100 {
        browser.source.ssrc = ssrc;
        browser.keys.as_mut().expect("connected").0 = fresh(&browser);
        limited += u32::from(browser.say(&mut world, 0, &[1; 160], 160) == Verdict::Dropped(Reason::Limit));
    }
    assert_eq!(limited, 100 - 64);
}

/// The browser's sending context without the sources it has used, whose number is bounded, too.
fn fresh(browser: &Browser) -> sbc::rtp::srtp::Outbound {
    let (out, _) = browser.keys.as_ref().expect("connected");
    let mut state = serde_json::to_value(out.state()).expect("state is data");
    state["sources"] = serde_json::json!([]);
    let mut out = sbc::rtp::srtp::Outbound::restore(serde_json::from_value(state).expect("state"), 0);
    out.add_source(sbc::rtp::header::Ssrc(browser.source.ssrc), 0).expect("room");
    out
}

#[test]
fn a_check_on_another_realms_socket_is_nobodys() {
    let config = sbc::media::config::Config { shared: Vec::new(), ..sbc::media::config::Config::default() };
    let mut world = World::with(config);
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    let other = "192.0.2.9:8189";
    let plan = crate::world::with_webrtc(browser.side(Codec::Pcmu, 0xa), |end| end.local = at(other));
    world.open(plan, phone_b(Codec::Pcmu));
    let check = browser.check_bytes(true);
    assert_eq!(world.arrive(at(PEER_A), at(SHARED), &check), Verdict::Dropped(Reason::Stun));
    assert_eq!(world.arrive(at(PEER_A), at(other), &check), Verdict::Absorbed);
}
