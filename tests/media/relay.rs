//! Packets that the other peer understands go through untouched but for their numbers.

use sbc::base::{Codec, Leg};
use sbc::media::event::EventKind;
use sbc::media::plan::Direction;
use sbc::media::shard::{Reason, Verdict};

use crate::browser::Browser;
use crate::phone::{Heard, Phone, assert_steady};
use crate::world::{
    MEDIA, PAIR_A, PAIR_B, PEER_A, PEER_B, World, at, directed, phone_a, phone_b, rtp, stream, with_rtp,
};

fn phones() -> (World, Phone, Phone) {
    let world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    (world, Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B))
}

fn numbers(heard: &[Heard]) -> Vec<(u16, u32)> {
    let Some(first) = heard.first() else { return Vec::new() };
    heard.iter().map(|h| (h.seq.wrapping_sub(first.seq), h.time.wrapping_sub(first.time))).collect()
}

#[test]
fn payload_is_byte_exact_and_numbers_keep_their_gaps() {
    let (mut world, mut a, b) = phones();
    a.source.seq = 65_534;
    a.source.time = u32::MAX - 200;
    let mut sent = Vec::new();
    for n in 0..6u8 {
        let payload = [n; 160];
        if n == 3 {
            a.source.step(160);
            continue;
        }
        let verdict = a.say(&mut world, 0, &payload, 160);
        assert!(matches!(verdict, Verdict::Forward { to, .. } if to == at(PEER_B)));
        sent.push(payload.to_vec());
    }
    let heard = b.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload.clone()).collect::<Vec<_>>(), sent);
    assert!(heard.iter().all(|h| (h.pt, h.ssrc, h.marker) == (0, 0xb, false)), "our source and the peer's type");
    assert_eq!(numbers(&heard), [(0, 0), (1, 160), (2, 320), (4, 640), (5, 800)]);
    assert_ne!(heard[0].seq, 65_534, "numbers are our own");
    assert_eq!(world.report(Leg::A).packets_lost, 1);
    assert_eq!(world.take_events(), [EventKind::FirstPacket { leg: Leg::A, remote: at(PEER_A) }]);
}

#[test]
fn the_payload_type_is_that_of_the_peer_that_hears_it() {
    let mut called = stream(Codec::Opus, 0xb);
    called.send_pt = 96;
    let mut world = World::of(phone_a(Codec::Opus), rtp(PAIR_B, PEER_B, called));
    let (mut a, mut b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    a.say(&mut world, 111, &[0xfc, 1, 2], 960);
    assert_eq!(b.heard(&mut world)[0].pt, 96);
    b.say(&mut world, 111, &[0xfc, 3], 960);
    let heard = a.heard(&mut world);
    assert_eq!((heard[0].pt, heard[0].ssrc, heard[0].payload.clone()), (111, 0xa, vec![0xfc, 3]));
}

#[test]
fn wide_band_g722_is_relayed_though_not_spoken() {
    let mut world = World::of(phone_a(Codec::G722), phone_b(Codec::G722));
    let (mut a, b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    a.say(&mut world, 9, &[5; 160], 160);
    assert_eq!(b.heard(&mut world)[0].payload, [5; 160]);
    assert_eq!(a.say(&mut world, 0, &[5; 160], 160), Verdict::Dropped(Reason::NotNegotiated), "none to encode it");
}

#[test]
fn extension_padding_and_sources_end_at_the_border() {
    let (mut world, a, b) = phones();
    let mut bytes = a.source.packet(0, true, &[]);
    bytes[0] = 0x80 | 0x20 | 0x10;
    bytes.extend([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]);
    bytes.extend([7; 160]);
    bytes.extend([0, 0, 0, 4]);
    a.send(&mut world, &bytes);
    let heard = b.heard(&mut world);
    assert_eq!((heard[0].payload.clone(), heard[0].marker, heard[0].bytes.len()), (vec![7; 160], true, 172));
}

#[test]
fn contributing_sources_stay_behind() {
    let (mut world, a, b) = phones();
    let mut bytes = a.source.packet(0, false, &[]);
    bytes[0] = 0x81;
    bytes.extend([1, 2, 3, 4]);
    bytes.extend([7; 160]);
    a.send(&mut world, &bytes);
    assert_eq!(b.heard(&mut world)[0].payload, [7; 160]);
}

#[test]
fn browser_and_phone_relay_opus_both_ways() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), phone_b(Codec::Opus));
    browser.connect(&mut world);
    let mut b = Phone::new(PEER_B, PAIR_B);
    for n in 0..5u8 {
        browser.say(&mut world, 111, &[0xfc, n], 960);
        b.say(&mut world, 111, &[0xfc, 0x80 | n], 960);
    }
    let (to_b, to_browser) = (b.heard(&mut world), browser.heard(&mut world));
    assert_eq!(to_b.iter().map(|h| h.payload[1]).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(to_browser.iter().map(|h| h.payload[1]).collect::<Vec<_>>(), [0x80, 0x81, 0x82, 0x83, 0x84]);
    assert_steady(&to_b, 960);
    assert_steady(&to_browser, 960);
    let [a, b] = world.shard.report(MEDIA).expect("live");
    assert_eq!((a.packets_received, a.packets_sent, b.packets_received, b.packets_sent), (5, 5, 5, 5));
    assert_eq!((a.codec, a.remote, b.crypto.as_str()), (Some(Codec::Opus), Some(at(PEER_A)), "rtp"));
    assert!(a.crypto.contains("AES"), "{}", a.crypto);
}

#[test]
fn browser_to_browser_each_with_keys_of_its_own() {
    let mut world = World::new();
    let mut a = Browser::usual(&world, PEER_A, "oura");
    let mut b = Browser::new(&world, PEER_B, "ourb", sbc::dtls::Role::Server);
    let called =
        crate::world::webrtc("ourb", &b.fingerprint(), sbc::media::plan::DtlsRole::Client, stream(Codec::Opus, 0xb));
    world.open(a.side(Codec::Opus, 0xa), called);
    a.connect(&mut world);
    b.connect(&mut world);
    a.say(&mut world, 111, b"voice", 960);
    assert_eq!(b.heard(&mut world)[0].payload, b"voice");
    b.say(&mut world, 111, b"answer", 960);
    assert_eq!(a.heard(&mut world)[0].payload, b"answer");
}

#[test]
fn a_new_source_goes_on_in_ours() {
    let (mut world, mut a, b) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    world.pass(20);
    a.source = crate::phone::Source { ssrc: 0xffff, seq: 40_000, time: 7 };
    a.say(&mut world, 0, &[2; 160], 160);
    world.pass(20);
    a.say(&mut world, 0, &[3; 160], 160);
    let heard = b.heard(&mut world);
    assert_eq!(numbers(&heard), [(0, 0), (1, 320), (2, 480)]);
    assert_eq!(heard.iter().map(|h| h.marker).collect::<Vec<_>>(), [false, true, false]);
    let report = world.report(Leg::A);
    assert_eq!((report.packets_received, report.packets_lost), (3, 0), "counts go on over sources");
}

#[test]
fn a_restart_of_the_same_source_is_no_gap() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Pcmu, 0xa), phone_b(Codec::Pcmu));
    browser.connect(&mut world);
    let mut b = Phone::new(PEER_B, PAIR_B);
    b.say(&mut world, 0, &[0; 160], 160);
    // So far ahead that the other side's SRTP would take it for far behind.
    b.source.seq = b.source.seq.wrapping_add(40_000);
    assert_eq!(b.say(&mut world, 0, &[1; 160], 160), Verdict::Dropped(Reason::Jump));
    for n in 2..5u8 {
        b.say(&mut world, 0, &[n; 160], 160);
    }
    let heard = browser.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload[0]).collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert_eq!(numbers(&heard).iter().map(|n| n.0).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn reordered_packets_keep_their_numbers_and_duplicates_end_here() {
    let (mut world, mut a, b) = phones();
    let mut packets = Vec::new();
    for n in 0..5u8 {
        packets.push(a.source.packet(0, false, &[n; 160]));
        a.source.step(160);
    }
    // The second one overtakes the first of all.
    for n in [1, 0, 3, 2, 4] {
        assert!(matches!(a.send(&mut world, &packets[n]), Verdict::Forward { .. }), "{n}");
    }
    assert_eq!(a.send(&mut world, &packets[3]), Verdict::Dropped(Reason::Replayed));
    let heard = b.heard(&mut world);
    let first = heard[1].seq;
    let order: Vec<_> = heard.iter().map(|h| (h.seq.wrapping_sub(first), h.payload[0])).collect();
    assert_eq!(order, [(1, 1), (0, 0), (3, 3), (2, 2), (4, 4)]);
    let report = world.report(Leg::A);
    assert_eq!((report.packets_received, report.packets_lost, report.packets_discarded), (5, 0, 1));
}

#[test]
fn a_reordered_first_packet_reaches_a_browser_too() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Pcmu, 0xa), phone_b(Codec::Pcmu));
    browser.connect(&mut world);
    let b = Phone::new(PEER_B, PAIR_B);
    let mut source = b.source.clone();
    source.seq = 0;
    let first = source.packet(0, false, &[1; 160]);
    source.seq = 65_535;
    let late = source.packet(0, false, &[0; 160]);
    b.send(&mut world, &first);
    b.send(&mut world, &late);
    assert_eq!(browser.heard(&mut world).iter().map(|h| h.payload[0]).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn what_was_not_agreed_is_dropped_and_counted() {
    let (mut world, mut a, b) = phones();
    assert_eq!(a.say(&mut world, 13, &[1], 160), Verdict::Dropped(Reason::NotNegotiated));
    assert_eq!(a.send(&mut world, &[0x80, 0, 1]), Verdict::Dropped(Reason::Malformed));
    assert_eq!(a.send(&mut world, &[0x00; 20]), Verdict::Dropped(Reason::Unexpected));
    assert!(b.heard(&mut world).is_empty());
    assert_eq!(world.report(Leg::A).packets_discarded, 2);
    assert_eq!((world.dropped(Reason::NotNegotiated), world.dropped(Reason::Malformed)), (1, 1));
}

#[test]
fn hold_stops_media_and_resuming_goes_on_without_a_gap() {
    let (mut world, mut a, mut b) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    // B holds A: we neither send to B nor pass on what it sends.
    world.set(Leg::B, directed(phone_b(Codec::Pcmu), Direction::Inactive));
    for _ in 0..500 {
        world.pass(20);
        assert_eq!(a.say(&mut world, 0, &[2; 160], 160), Verdict::Absorbed);
        assert_eq!(b.say(&mut world, 0, &[3; 160], 160), Verdict::Absorbed);
    }
    world.pass(20);
    world.set(Leg::B, phone_b(Codec::Pcmu));
    a.say(&mut world, 0, &[4; 160], 160);
    b.say(&mut world, 0, &[5; 160], 160);
    let heard = b.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload[0]).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(numbers(&heard), [(0, 0), (1, 501 * 160 + 160)], "numbers go on, time has passed");
    assert_eq!(a.heard(&mut world).iter().map(|h| h.payload[0]).collect::<Vec<_>>(), [5]);
}

#[test]
fn one_way_hold_lets_the_other_way_through() {
    let (mut world, mut a, mut b) = phones();
    // B plays music to A and does not listen.
    world.set(Leg::B, directed(phone_b(Codec::Pcmu), Direction::RecvOnly));
    assert_eq!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Absorbed);
    assert!(matches!(b.say(&mut world, 0, &[2; 160], 160), Verdict::Forward { .. }));
    world.set(Leg::B, directed(phone_b(Codec::Pcmu), Direction::SendOnly));
    assert!(matches!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Forward { .. }));
    assert_eq!(b.say(&mut world, 0, &[2; 160], 160), Verdict::Absorbed);
}

#[test]
fn a_moved_peer_is_sent_to_and_believed_at_its_new_place() {
    let (mut world, mut a, mut b) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    b.say(&mut world, 0, &[1; 160], 160);
    let moved = at("198.51.100.9:9000");
    world.set(Leg::B, with_rtp(phone_b(Codec::Pcmu), |end| end.remote = Some(moved)));
    a.say(&mut world, 0, &[2; 160], 160);
    assert_eq!(b.heard(&mut world).len(), 1, "only what was before");
    assert_eq!(b.say(&mut world, 0, &[2; 160], 160), Verdict::Dropped(Reason::Stranger));
    b.at = moved;
    assert!(matches!(b.say(&mut world, 0, &[3; 160], 160), Verdict::Forward { .. }));
    let heard = b.heard(&mut world);
    assert_eq!((heard.len(), heard[0].payload[0]), (1, 2));
}

#[test]
fn nothing_flows_before_the_other_side_is_agreed() {
    let mut world = World::new();
    let early = with_rtp(phone_b(Codec::Pcmu), |end| end.remote = None);
    world.open(phone_a(Codec::Pcmu), sbc::media::plan::SidePlan { stream: None, ..early });
    let (mut a, mut b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    assert_eq!(a.say(&mut world, 0, &[1; 160], 160), Verdict::Absorbed);
    assert_eq!(b.say(&mut world, 0, &[1; 160], 160), Verdict::Dropped(Reason::Stranger));
    // Early media: B is agreed before it answers.
    world.set(Leg::B, phone_b(Codec::Pcmu));
    assert!(matches!(b.say(&mut world, 0, &[2; 160], 160), Verdict::Forward { .. }));
    assert!(matches!(a.say(&mut world, 0, &[2; 160], 160), Verdict::Forward { .. }));
}
