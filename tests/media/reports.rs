//! RTCP is made and read on each side and crosses to none.

use std::time::Duration;

use sbc::base::{Codec, Leg};
use sbc::media::plan::{Direction, Service};
use sbc::media::shard::{Reason, Verdict};
use sbc::rtp::header::{Ssrc, is_rtcp};
use sbc::rtp::rtcp::{Compound, Ntp, Packet, Report, ReportBlock, SenderInfo, Size};

use crate::browser::Browser;
use crate::phone::{Phone, Voice};
use crate::world::{PAIR_A, PAIR_B, PEER_A, PEER_B, Sent, World, at, directed, phone_a, phone_b, service, with_rtp};

const RTCP_A: &str = "198.51.100.1:4001";

fn phones() -> (World, Phone, Phone) {
    let world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    (world, Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B))
}

/// A report as read.
#[derive(Default)]
struct Told {
    ssrc: u32,
    /// Packets and octets that we say we sent.
    sent: Option<(u32, u32)>,
    blocks: Vec<ReportBlock>,
    name: Vec<u8>,
}

fn read(bytes: &[u8]) -> Told {
    let mut told = Told::default();
    for packet in Compound::parse(bytes, Size::Full).expect("a full compound").packets() {
        match packet {
            Packet::SenderReport(r) => {
                (told.ssrc, told.sent) = (r.ssrc.0, Some((r.info.packets, r.info.octets)));
                told.blocks.extend(r.blocks());
            }
            Packet::ReceiverReport(r) => {
                told.ssrc = r.ssrc.0;
                told.blocks.extend(r.blocks());
            }
            Packet::Sdes(s) => told.name = s.cname().expect("a name").1.to_vec(),
            Packet::Bye(_) | Packet::Feedback(_) | Packet::Other { .. } => {}
        }
    }
    told
}

#[test]
fn each_side_gets_our_reports_with_our_names() {
    let (mut world, mut a, b) = phones();
    let mut voice = Voice::new(Codec::Pcmu, 0, 440.0);
    let mut count = 0;
    for n in 0..1000 {
        if n % 10 == 7 {
            a.source.step(160);
        }
        count += a.talk(&mut world, &mut voice, 1, |w| b.heard(w)).len();
    }
    assert_eq!(count, 1000);
    let to_a = world.take(at(RTCP_A));
    assert!((3..=8).contains(&to_a.len()), "one in five seconds, about: {}", to_a.len());
    assert!(to_a.iter().all(|s| s.from == at("192.0.2.1:30001")));
    let Told { ssrc, sent, blocks, name } = read(&to_a.last().expect("reports").bytes);
    assert_eq!((ssrc, sent, name.as_slice()), (0xa, None, b"name10".as_slice()), "we sent nothing to A");
    assert_eq!((blocks.len(), blocks[0].ssrc), (1, Ssrc(0x0050_0050)));
    assert!((20..=28).contains(&blocks[0].fraction_lost), "a tenth: {}", blocks[0].fraction_lost);
    let to_b = world.take(at("198.51.100.2:4001"));
    let Told { ssrc, sent, blocks, .. } = read(&to_b.last().expect("reports").bytes);
    let (packets, octets) = sent.expect("we sent to B");
    assert_eq!((ssrc, octets, blocks.len()), (0xb, packets * 160, 0));
    assert!(to_b.len() > 2);
}

#[test]
fn the_peers_reports_give_round_trip_and_loss_and_cross_to_nobody() {
    let (mut world, mut a, b) = phones();
    for _ in 0..200 {
        a.say(&mut world, 0, &[1; 160], 160);
        b.heard(&mut world);
        world.pass(20);
    }
    let to_b = world.take(at("198.51.100.2:4001"));
    let Some(Packet::SenderReport(ours)) =
        Compound::parse(&to_b[0].bytes, Size::Full).expect("a compound").packets().next()
    else {
        panic!("a sender report")
    };
    let middle = ours.info.ntp.middle();
    let before = world.now;
    world.sent.clear();
    // B answers our first report; half a second of the time since was its own.
    let since = Duration::from_millis(before.wall.0 - wall_of(ours.info.ntp));
    let held = since.checked_sub(Duration::from_millis(120)).expect("later");
    let block = ReportBlock {
        ssrc: Ssrc(0xb),
        fraction_lost: 25,
        cumulative_lost: 20,
        highest_seq: 0,
        jitter: 0,
        last_sr: middle,
        delay_since_last_sr: (held.as_millis() * 65_536 / 1000) as u32,
    };
    let other = ReportBlock { ssrc: Ssrc(0xdead), cumulative_lost: 1000, ..block };
    let mut bytes = Vec::new();
    Report { ssrc: Ssrc(9), cname: "b", sender: None, blocks: &[other, block] }.write(&mut bytes);
    assert_eq!(b.rtcp(&mut world, &bytes), Verdict::Absorbed);
    assert!(world.sent.is_empty(), "not passed on");
    let report = world.report(Leg::B);
    let rtt = report.rtt_ms.expect("measured");
    assert!((118.0..122.0).contains(&rtt), "{rtt}");
    assert!((report.remote_loss.expect("told") - 0.1).abs() < 0.001, "20 of 200");
    assert_eq!(world.report(Leg::A).rtt_ms, None);
}

fn wall_of(ntp: Ntp) -> u64 {
    let (secs, fraction) = (ntp.0 >> 32, ntp.0 & 0xffff_ffff);
    (secs - 2_208_988_800) * 1000 + ((fraction * 1000) >> 32)
}

#[test]
fn a_sender_report_is_echoed() {
    let (mut world, mut a, _) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    world.take(at(RTCP_A));
    let info = SenderInfo { ntp: Ntp(0x1111_2222_3333_4444), rtp_timestamp: 0, packets: 1, octets: 160 };
    let mut bytes = Vec::new();
    Report { ssrc: Ssrc(a.source.ssrc), cname: "a", sender: Some(info), blocks: &[] }.write(&mut bytes);
    a.rtcp(&mut world, &bytes);
    let start = world.now.mono;
    let mut report: Vec<Sent> = Vec::new();
    while report.is_empty() {
        world.pass(1);
        report = world.take(at(RTCP_A));
    }
    let waited = (world.now.mono - start).as_millis() as u32;
    let block = read(&report[0].bytes).blocks[0];
    assert_eq!(block.last_sr, 0x2222_3333);
    let told = block.delay_since_last_sr * 1000 / 65_536;
    assert!(told.abs_diff(waited) <= 1, "{told} {waited}");
}

#[test]
fn a_browser_gets_sealed_reports_held_or_not() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), service(Service::Tone));
    browser.connect(&mut world);
    world.set(Leg::A, directed(browser.side(Codec::Opus, 0xa), Direction::Inactive));
    let mut reports = Vec::new();
    for _ in 0..4 {
        world.pass(5000);
        assert!(browser.check(&mut world, false));
        reports.extend(browser.reports(&mut world));
    }
    assert!(reports.len() >= 3, "RFC 3264 §8.4: {}", reports.len());
    assert_eq!(read(&reports[0]).ssrc, 0xa);
    let mut bytes = Vec::new();
    Report { ssrc: Ssrc(9), cname: "b", sender: None, blocks: &[] }.write(&mut bytes);
    assert_eq!(browser.send(&mut world, &bytes), Verdict::Absorbed);
    let sealed = browser.seal(&bytes);
    assert_eq!(world.arrive(browser.at, at(crate::world::SHARED), &sealed), Verdict::Absorbed);
    assert_eq!(world.arrive(browser.at, at(crate::world::SHARED), &sealed), Verdict::Dropped(Reason::Replayed));
    let mut forged = browser.seal(&bytes);
    *forged.last_mut().expect("a tag") ^= 1;
    assert_eq!(world.arrive(browser.at, at(crate::world::SHARED), &forged), Verdict::Dropped(Reason::Forged));
}

#[test]
fn with_mux_reports_share_the_media_port() {
    let mux = with_rtp(phone_a(Codec::Pcmu), |end| end.rtcp_mux = true);
    let mut world = World::of(mux, phone_b(Codec::Pcmu));
    world.pass(10_000);
    let to_a = world.take(at(PEER_A));
    assert!(to_a.len() > 1 && to_a.iter().all(|s| is_rtcp(&s.bytes) && s.from == at(PAIR_A)));
    let mut bytes = Vec::new();
    Report { ssrc: Ssrc(9), cname: "a", sender: None, blocks: &[] }.write(&mut bytes);
    assert_eq!(world.arrive(at(PEER_A), at(PAIR_A), &bytes), Verdict::Absorbed);
}

#[test]
fn reports_go_where_the_description_says() {
    let elsewhere = at("198.51.100.1:9999");
    let mut world =
        World::of(with_rtp(phone_a(Codec::Pcmu), |end| end.remote_rtcp = Some(elsewhere)), phone_b(Codec::Pcmu));
    world.pass(10_000);
    assert!(world.take(elsewhere).len() > 1 && world.take(at(RTCP_A)).is_empty());
}

#[test]
fn malformed_and_foreign_reports_change_nothing() {
    let (mut world, mut a, _) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(a.rtcp(&mut world, &[0x80, 200, 0, 50, 1]), Verdict::Dropped(Reason::Malformed));
    let mut bytes = Vec::new();
    let block = ReportBlock { ssrc: Ssrc(0xa), cumulative_lost: 5, ..ReportBlock::default() };
    Report { ssrc: Ssrc(9), cname: "a", sender: None, blocks: &[block] }.write(&mut bytes);
    let rtcp = at("192.0.2.1:30001");
    assert_eq!(world.arrive(at(crate::world::STRANGER), rtcp, &bytes), Verdict::Dropped(Reason::Stranger));
    assert_eq!((world.report(Leg::A).remote_loss, world.report(Leg::A).strangers), (None, 1));
    let rtp = a.source.packet(0, false, &[1; 160]);
    assert_eq!(world.arrive(at(RTCP_A), rtcp, &rtp), Verdict::Dropped(Reason::Unexpected), "no media on the RTCP port");
}

#[test]
fn the_score_follows_loss_and_stays_on_its_scale() {
    let score = |lost_in_ten: usize| {
        let (mut world, mut a, b) = phones();
        for n in 0..400 {
            if n % 10 < lost_in_ten {
                a.source.step(160);
            } else {
                a.say(&mut world, 0, &[1; 160], 160);
            }
            b.heard(&mut world);
            world.pass(20);
        }
        let report = world.report(Leg::A);
        assert!(report.jitter_ms < 1.0, "{}", report.jitter_ms);
        report.mos.expect("enough packets")
    };
    let (clean, some, much) = (score(0), score(1), score(5));
    assert!(clean > 4.3 && clean <= 4.5, "{clean}");
    assert!(some < clean && much < some && much >= 1.0, "{some} {much}");
    let (mut world, mut a, _) = phones();
    a.say(&mut world, 0, &[1; 160], 160);
    assert_eq!(world.report(Leg::A).mos, None, "a packet says nothing");
}

#[test]
fn jitter_is_measured_in_milliseconds() {
    let (mut world, mut a, _) = phones();
    for n in 0..500u64 {
        a.say(&mut world, 0, &[1; 160], 160);
        world.pass(if n % 2 == 0 { 10 } else { 30 });
    }
    let report = world.report(Leg::A);
    assert!((8.0..12.0).contains(&report.jitter_ms), "{}", report.jitter_ms);
    assert!(report.jitter_max_ms >= report.jitter_ms && report.jitter_max_ms < 12.0);
}
