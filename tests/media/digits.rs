//! Telephone events cross with their length in milliseconds, each digit once.

use sbc::base::{Codec, Leg};
use sbc::media::command::Command;
use sbc::media::event::EventKind;
use sbc::media::plan::SidePlan;
use sbc::media::shard::{Reason, Verdict};
use sbc::rtp::telephone_event::{Digit, EventPacket, EventReceiver, EventSender, TelephoneEvent};

use crate::browser::Browser;
use crate::phone::{Heard, Phone, Source, Voice};
use crate::world::{MEDIA, PAIR_A, PAIR_B, PEER_A, PEER_B, World, phone_a, phone_b};

/// 48 kHz at the browser, 8 kHz at the phone.
fn call(phone: SidePlan) -> (World, Browser, Phone) {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), phone);
    browser.connect(&mut world);
    world.take_events();
    (world, browser, Phone::new(PEER_B, PAIR_B))
}

fn press(digit: char, clock_hz: u32, ms: u32, time: u32) -> Vec<EventPacket> {
    let digit = Digit::from_char(digit).expect("a digit");
    let mut sender = EventSender::new(digit, clock_hz, 20, time).with_duration(ms);
    std::iter::from_fn(|| sender.next_packet()).collect()
}

fn packet(source: &mut Source, pt: u8, event: &EventPacket) -> Vec<u8> {
    let event_source = Source { time: event.timestamp, ..source.clone() };
    source.seq = source.seq.wrapping_add(1);
    event_source.packet(pt, event.marker, &event.payload)
}

fn read(heard: &[Heard]) -> Vec<(bool, u32, u16, bool)> {
    let Some(first) = heard.first() else { return Vec::new() };
    heard
        .iter()
        .map(|h| {
            let e = TelephoneEvent::parse(&h.payload).expect("four bytes");
            (h.marker, h.time.wrapping_sub(first.time), e.duration, e.end)
        })
        .collect()
}

/// What a far end makes of the packets: digits with their lengths.
fn understood(heard: &[Heard], pt: u8, clock_hz: u32) -> Vec<(char, u32)> {
    let mut receiver = EventReceiver::new(clock_hz);
    let mut digits = Vec::new();
    for h in heard.iter().filter(|h| h.pt == pt) {
        let event = TelephoneEvent::parse(&h.payload).expect("four bytes");
        let told = receiver.on_packet(sbc::base::Instant::ZERO, h.time, event);
        digits.extend(told.filter(|t| t.end).map(|t| (t.digit.as_char(), t.duration_ms)));
    }
    digits
}

fn told(world: &mut World) -> Vec<(Leg, char, u32)> {
    let digit = |event| match event {
        EventKind::Digit { leg, digit, duration_ms } => Some((leg, digit, duration_ms)),
        _ => None,
    };
    world.take_events().into_iter().filter_map(digit).collect()
}

#[test]
fn a_browsers_digit_keeps_its_length_at_8_khz() {
    let (mut world, mut browser, phone) = call(phone_b(Codec::Pcma));
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let before = browser.talk(&mut world, &mut voice, 5, |w| phone.heard(w));
    for event in press('5', 48_000, 70, browser.source.time) {
        let bytes = packet(&mut browser.source, 110, &event);
        browser.send(&mut world, &bytes);
        world.pass(20);
    }
    browser.source.time = browser.source.time.wrapping_add(6 * 960);
    let events = phone.heard(&mut world);
    let end = (false, 0, 560, true);
    assert_eq!(read(&events), [(true, 0, 160, false), (false, 0, 320, false), (false, 0, 480, false), end, end, end]);
    assert!(events.iter().all(|h| (h.pt, h.ssrc) == (101, 0xb)));
    assert_eq!(events[0].seq, before[4].seq.wrapping_add(1));
    assert_eq!(told(&mut world), [(Leg::A, '5', 70)], "once");
    let after = browser.talk(&mut world, &mut voice, 5, |w| phone.heard(w));
    assert_eq!(after[0].seq, events[5].seq.wrapping_add(1), "one sequence");
    assert!(after[0].time.wrapping_sub(events[0].time) >= 560, "time does not go back");
    assert_eq!(world.report(Leg::A).digits, 1);
}

#[test]
fn a_phones_digit_keeps_its_length_at_48_khz() {
    let (mut world, mut browser, mut phone) = call(phone_b(Codec::Pcma));
    for event in press('#', 8000, 160, 320_000) {
        let bytes = packet(&mut phone.source, 101, &event);
        phone.send(&mut world, &bytes);
    }
    let events = browser.heard(&mut world);
    assert_eq!(understood(&events, 110, 48_000), [('#', 160)]);
    assert_eq!(read(&events).last(), Some(&(false, 0, 7680, true)));
    assert_eq!(told(&mut world), [(Leg::B, '#', 160)]);
}

#[test]
fn a_long_press_is_one_digit_on_both_clocks() {
    let (mut world, mut browser, mut phone) = call(phone_b(Codec::Pcma));
    for event in press('1', 48_000, 5000, 77) {
        let bytes = packet(&mut browser.source, 110, &event);
        browser.send(&mut world, &bytes);
    }
    assert_eq!(understood(&phone.heard(&mut world), 101, 8000), [('1', 5000)]);
    for event in press('2', 8000, 5000, 77) {
        let bytes = packet(&mut phone.source, 101, &event);
        phone.send(&mut world, &bytes);
    }
    assert_eq!(understood(&browser.heard(&mut world), 110, 48_000), [('2', 5000)]);
    assert_eq!(told(&mut world), [(Leg::A, '1', 5000), (Leg::B, '2', 5000)]);
}

#[test]
fn between_phones_an_event_keeps_its_place_in_time() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    let (mut a, b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    a.say(&mut world, 0, &[1; 160], 160);
    let audio = b.heard(&mut world);
    for event in press('9', 8000, 40, a.source.time) {
        let bytes = packet(&mut a.source, 101, &event);
        a.send(&mut world, &bytes);
    }
    let events = b.heard(&mut world);
    assert_eq!(events[0].time.wrapping_sub(audio[0].time), 160);
    assert_eq!(understood(&events, 101, 8000), [('9', 40)]);
}

#[test]
fn a_lost_end_is_told_in_time() {
    let (mut world, mut browser, phone) = call(phone_b(Codec::Pcma));
    for event in press('7', 48_000, 100, 77).iter().take(3) {
        let bytes = packet(&mut browser.source, 110, event);
        browser.send(&mut world, &bytes);
    }
    assert_eq!(told(&mut world), []);
    world.pass(199);
    assert_eq!(told(&mut world), []);
    world.pass(1);
    assert_eq!(told(&mut world), [(Leg::A, '7', 60)]);
    assert_eq!(phone.heard(&mut world).len(), 3);
}

#[test]
fn a_peer_without_events_gets_none() {
    let mut plan = phone_b(Codec::Pcma);
    plan.stream.as_mut().expect("agreed").send_events.clear();
    let (mut world, mut browser, phone) = call(plan);
    for event in press('3', 48_000, 60, 77) {
        let bytes = packet(&mut browser.source, 110, &event);
        assert_eq!(browser.send(&mut world, &bytes), Verdict::Absorbed);
    }
    assert!(phone.heard(&mut world).is_empty());
    assert_eq!(told(&mut world), [(Leg::A, '3', 60)], "signalling may carry it");
}

#[test]
fn an_event_too_short_to_be_one_is_dropped() {
    let (mut world, mut browser, _) = call(phone_b(Codec::Pcma));
    assert_eq!(browser.say(&mut world, 110, &[5, 0], 0), Verdict::Dropped(Reason::NotNegotiated));
}

fn order(world: &mut World, digit: char, duration_ms: u32) {
    world.command(Command::Digit { media: MEDIA, leg: Leg::B, digit, duration_ms });
}

#[test]
fn ordered_digits_go_beside_relayed_audio_in_one_sequence() {
    let mut world = World::of(phone_a(Codec::Pcmu), phone_b(Codec::Pcmu));
    let (mut a, b) = (Phone::new(PEER_A, PAIR_A), Phone::new(PEER_B, PAIR_B));
    let mut voice = Voice::new(Codec::Pcmu, 0, 440.0);
    let mut heard = a.talk(&mut world, &mut voice, 5, |w| b.heard(w));
    for digit in ['4', '4', 'x', '2'] {
        order(&mut world, digit, 80);
    }
    heard.extend(a.talk(&mut world, &mut voice, 40, |w| b.heard(w)));
    heard.extend(b.heard(&mut world));
    assert!(heard.windows(2).all(|w| w[1].seq == w[0].seq.wrapping_add(1)), "one sequence");
    assert_eq!(understood(&heard, 101, 8000), [('4', 80), ('4', 80), ('2', 80)]);
    let audio: Vec<_> = heard.iter().filter(|h| h.pt == 0).cloned().collect();
    assert_eq!(audio.len(), 45);
    assert!(audio.windows(2).all(|w| w[1].time.wrapping_sub(w[0].time) == 160), "audio keeps its own time");
    let first = heard.iter().find(|h| h.pt == 101).expect("an event");
    assert_eq!(first.time.wrapping_sub(audio[0].time), 5 * 160, "at the time it was ordered");
    assert_eq!(told(&mut world), [], "our own digits are no news");
}

#[test]
fn ordered_digits_go_beside_transcoded_audio_and_in_silence() {
    let (mut world, mut browser, phone) = call(phone_b(Codec::Pcma));
    let mut voice = Voice::new(Codec::Opus, 111, 440.0);
    let mut heard = browser.talk(&mut world, &mut voice, 5, |w| phone.heard(w));
    order(&mut world, '8', 60);
    heard.extend(browser.talk(&mut world, &mut voice, 20, |w| phone.heard(w)));
    order(&mut world, '9', 60);
    world.pass(500);
    heard.extend(phone.heard(&mut world));
    assert!(heard.windows(2).all(|w| w[1].seq == w[0].seq.wrapping_add(1)));
    assert_eq!(understood(&heard, 101, 8000), [('8', 60), ('9', 60)]);
    let audio: Vec<_> = heard.iter().filter(|h| h.pt == 8).collect();
    assert!(audio.windows(2).all(|w| w[1].time.wrapping_sub(w[0].time) == 160));
}

#[test]
fn a_digit_to_a_browser_is_sealed_at_48_khz() {
    let (mut world, mut browser, _) = call(phone_b(Codec::Pcma));
    world.command(Command::Digit { media: MEDIA, leg: Leg::A, digit: '*', duration_ms: 100 });
    world.pass(500);
    assert_eq!(understood(&browser.heard(&mut world), 110, 48_000), [('*', 100)]);
}
