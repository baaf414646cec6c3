//! Echo, tone and hello, to a phone and to a browser.

use sbc::base::{Codec, Leg};
use sbc::codec::tone::{mean_square, share_at};
use sbc::media::plan::{Direction, Service};

use crate::browser::Browser;
use crate::phone::{Heard, Phone, Voice, assert_steady, listen};
use crate::world::{PAIR_A, PEER_A, World, directed, phone_a, service};

fn phone_to(what: Service) -> (World, Phone) {
    let world = World::of(phone_a(Codec::Pcmu), service(what));
    (world, Phone::new(PEER_A, PAIR_A))
}

fn browser_to(what: Service) -> (World, Browser) {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), service(what));
    browser.connect(&mut world);
    (world, browser)
}

#[test]
fn echo_returns_what_a_phone_says() {
    let (mut world, mut phone) = phone_to(Service::Echo);
    for n in 0..10u8 {
        phone.say(&mut world, 0, &[n; 160], 160);
    }
    let heard = phone.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload[0]).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert!(heard.iter().all(|h| (h.pt, h.ssrc) == (0, 0xa)));
    assert_steady(&heard, 160);
}

#[test]
fn echo_returns_what_a_browser_says() {
    let (mut world, mut browser) = browser_to(Service::Echo);
    for n in 0..10u8 {
        browser.say(&mut world, 111, &[0xfc, n], 960);
    }
    let heard = browser.heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.payload[1]).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_steady(&heard, 960);
}

#[test]
fn echo_speaks_the_codec_agreed_whatever_it_hears() {
    let (mut world, mut phone) = phone_to(Service::Echo);
    let mut voice = Voice::new(Codec::Pcma, 8, 440.0);
    let at = phone.at;
    let ear = move |w: &mut World| w.take(at).into_iter().map(|s| Heard::of(s.bytes)).collect();
    let heard = phone.talk(&mut world, &mut voice, 40, ear);
    assert_eq!(heard.len(), 40);
    assert!(heard.iter().all(|h| h.pt == 0));
    assert!(share_at(&listen(&heard, Codec::Pcmu), 8000, 440.0) > 0.98);
}

#[test]
fn tone_plays_one_kilohertz_on_time() {
    let (mut world, phone) = phone_to(Service::Tone);
    world.pass(1999);
    let heard = phone.heard(&mut world);
    assert_eq!(heard.len(), 100);
    assert_steady(&heard, 160);
    assert!(share_at(&listen(&heard, Codec::Pcmu), 8000, 1000.0) > 0.99);

    let (mut world, mut browser) = browser_to(Service::Tone);
    browser.heard(&mut world);
    world.pass(2000);
    let heard = browser.heard(&mut world);
    assert_eq!(heard.len(), 100);
    assert_steady(&heard, 960);
    assert!(share_at(&listen(&heard, Codec::Opus), 8000, 1000.0) > 0.95);
}

#[test]
fn tone_waits_for_keys_and_not_for_the_listener_to_speak() {
    let mut world = World::new();
    let mut browser = Browser::usual(&world, PEER_A, "ours");
    world.open(browser.side(Codec::Opus, 0xa), service(Service::Tone));
    world.pass(3000);
    assert!(world.sent.is_empty());
    browser.connect(&mut world);
    world.pass(100);
    let heard = browser.heard(&mut world);
    assert!((5..8).contains(&heard.len()), "no burst of what was missed: {}", heard.len());
}

#[test]
fn tone_pauses_on_hold_and_goes_on() {
    let (mut world, phone) = phone_to(Service::Tone);
    world.pass(1000);
    let before = phone.heard(&mut world);
    world.set(Leg::A, directed(phone_a(Codec::Pcmu), Direction::Inactive));
    world.pass(10_000);
    assert!(phone.heard(&mut world).is_empty());
    world.set(Leg::A, phone_a(Codec::Pcmu));
    world.pass(999);
    let after = phone.heard(&mut world);
    assert_eq!(after.len(), 50);
    assert_steady(&after, 160);
    let last = before.last().expect("it played");
    assert_eq!(after[0].seq, last.seq.wrapping_add(1));
    let later = after[0].time.wrapping_sub(last.time);
    assert!((80_000..82_000).contains(&later), "time has passed: {later}");
    assert!(after[0].marker);
}

#[test]
fn hello_speaks_and_then_echoes() {
    for webrtc in [false, true] {
        let said = if webrtc {
            let (mut world, mut browser) = browser_to(Service::Hello);
            world.pass(10_000);
            let said = listen(&browser.heard(&mut world), Codec::Opus);
            browser.say(&mut world, 111, b"me", 960);
            assert_eq!(browser.heard(&mut world)[0].payload, b"me");
            said
        } else {
            let (mut world, mut phone) = phone_to(Service::Hello);
            world.pass(100);
            phone.say(&mut world, 0, &[1; 160], 160);
            let mut all = phone.heard(&mut world);
            assert!(all.iter().all(|h| h.payload != [1; 160]), "not while it speaks");
            world.pass(10_000);
            all.extend(phone.heard(&mut world));
            assert_steady(&all, 160);
            phone.say(&mut world, 0, &[1; 160], 160);
            assert_eq!(phone.heard(&mut world)[0].payload, [1; 160]);
            listen(&all, Codec::Pcmu)
        };
        assert!((16_000..72_000).contains(&said.len()), "some seconds: {}", said.len());
        assert!(mean_square(&said) > 10_000.0, "audible");
    }
}
