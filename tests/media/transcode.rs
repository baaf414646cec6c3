//! Sides with different codecs hear each other's tone.

use sbc::base::{Codec, Leg};
use sbc::codec::tone::share_at;
use sbc::media::shard::{Reason, Verdict};

use crate::browser::Browser;
use crate::phone::{Phone, Source, Voice, assert_steady, listen};
use crate::world::{PAIR_A, PAIR_B, PEER_A, PEER_B, World, at, phone_a, phone_b};

fn call() -> (World, Browser, Phone) {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), phone_b(Codec::Pcma));
    browser.connect(&mut world);
    (world, browser, Phone::new(PEER_B, PAIR_B))
}

#[test]
fn opus_of_a_browser_is_heard_in_pcma() {
    let (mut world, mut browser, phone) = call();
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let heard = browser.talk(&mut world, &mut voice, 100, |w| phone.heard(w));
    assert_eq!(heard.len(), 100, "each frame at once");
    assert!(heard.iter().all(|h| (h.pt, h.payload.len()) == (8, 160)));
    assert_eq!(heard.iter().filter(|h| h.marker).count(), 1, "the first packet's");
    assert_steady(&heard, 160);
    assert!(share_at(&listen(&heard, Codec::Pcma), 8000, 440.0) > 0.95);
    assert_eq!(world.report(Leg::A).codec, Some(Codec::Opus));
}

#[test]
fn pcma_of_a_phone_is_heard_in_opus() {
    let (mut world, mut browser, mut phone) = call();
    let mut voice = Voice::new(Codec::Pcma, 8, 1000.0);
    let heard = phone.talk(&mut world, &mut voice, 100, |w| browser.heard(w));
    assert_eq!(heard.len(), 100);
    assert!(heard.iter().all(|h| h.pt == 111));
    assert_steady(&heard, 960);
    assert!(share_at(&listen(&heard, Codec::Opus), 8000, 1000.0) > 0.95);
}

#[test]
fn pcmu_and_pcma_phones_hear_each_other() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcma));
    let (mut a, b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    let mut voice = Voice::new(Codec::Pcmu, 0, 1000.0);
    let heard = a.talk(&mut world, &mut voice, 50, |w| b.heard(w));
    assert_steady(&heard, 160);
    assert!(share_at(&listen(&heard, Codec::Pcma), 8000, 1000.0) > 0.98);
}

#[test]
fn a_source_that_changes_while_it_speaks_is_heard_on() {
    let (mut world, mut browser, phone) = call();
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let mut heard = browser.talk(&mut world, &mut voice, 50, |w| phone.heard(w));
    // Numbers and times that look far behind those before.
    browser.source = Source { ssrc: 0x1111, seq: 7, time: browser.source.time.wrapping_sub(1 << 30) };
    heard.extend(browser.talk(&mut world, &mut voice, 50, |w| phone.heard(w)));
    assert_eq!(heard.len(), 100);
    assert_steady(&heard[..50], 160);
    assert_steady(&heard[50..], 160);
    assert_eq!(heard[50].seq, heard[49].seq.wrapping_add(1));
    assert_eq!(heard[50].time.wrapping_sub(heard[49].time), 320, "a frame later than due");
    assert!(share_at(&listen(&heard[50..], Codec::Pcma), 8000, 440.0) > 0.95);
}

#[test]
fn a_sender_that_sets_its_time_back_is_heard_on() {
    let (mut world, mut browser, mut phone) = call();
    let mut voice = Voice::new(Codec::Pcma, 8, 440.0);
    phone.talk(&mut world, &mut voice, 20, |w| browser.heard(w));
    phone.source.time = phone.source.time.wrapping_sub(8000 * 60);
    let heard = phone.talk(&mut world, &mut voice, 20, |w| browser.heard(w));
    assert_eq!(heard.len(), 20);
    assert_steady(&heard, 960);
}

#[test]
fn lost_packets_are_concealed_and_late_ones_dropped() {
    let (mut world, mut browser, mut phone) = call();
    let mut voice = Voice::new(Codec::Pcma, 8, 1000.0);
    let (mut heard, mut late) = (Vec::new(), None);
    for n in 0..100 {
        let bytes = phone.source.packet(8, false, &voice.frame());
        phone.source.step(160);
        match n {
            40 | 60 | 61 => {}
            80 => late = Some(bytes),
            _ => drop(phone.send(&mut world, &bytes)),
        }
        if n == 81
            && let Some(bytes) = late.take()
        {
            assert_eq!(phone.send(&mut world, &bytes), Verdict::Dropped(Reason::Late));
        }
        heard.extend(browser.heard(&mut world));
        world.pass(20);
    }
    assert_eq!(heard.len(), 100, "no frame is missing");
    heard.sort_by_key(|h| h.time);
    assert_steady(&heard, 960);
    assert!(share_at(&listen(&heard, Codec::Opus), 8000, 1000.0) > 0.8);
    let report = world.report(Leg::B);
    assert_eq!((report.packets_lost, report.packets_received), (3, 97));
}

#[test]
fn a_pause_of_the_talker_is_a_pause_for_the_listener() {
    let (mut world, mut browser, phone) = call();
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let first = browser.talk(&mut world, &mut voice, 10, |w| phone.heard(w));
    // Discontinuous transmission: time goes on, numbers do not.
    browser.source.time = browser.source.time.wrapping_add(48_000);
    world.pass(1000);
    let second = browser.talk(&mut world, &mut voice, 10, |w| phone.heard(w));
    assert_eq!(second[0].seq, first[9].seq.wrapping_add(1));
    assert_eq!(second[0].time.wrapping_sub(first[9].time), 8160);
}

#[test]
fn a_codec_changed_by_signalling_is_spoken_at_once() {
    let (mut world, mut browser, phone) = call();
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let first = browser.talk(&mut world, &mut voice, 10, |w| phone.heard(w));
    world.set(Leg::B, phone_b(Codec::Opus));
    let second = browser.talk(&mut world, &mut voice, 10, |w| phone.heard(w));
    assert!(second.iter().all(|h| h.pt == 111), "relayed from here on");
    assert_steady(&second, 960);
    assert_eq!(second[0].seq, first[9].seq.wrapping_add(1));
    assert_eq!(second[0].ssrc, first[0].ssrc);
    assert_eq!(world.report(Leg::B).remote, Some(at(PEER_B)));
}

#[test]
fn rubbish_for_a_codec_is_concealed() {
    let (mut world, mut browser, phone) = call();
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    browser.talk(&mut world, &mut voice, 10, |w| phone.heard(w));
    browser.say(&mut world, 111, &[0xff; 3], 960);
    browser.say(&mut world, 111, &[], 960);
    let heard = phone.heard(&mut world);
    assert!(heard.iter().all(|h| h.payload.len() == 160), "{}", heard.len());
}
