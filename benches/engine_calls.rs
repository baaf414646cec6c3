//! A whole call through an engine: INVITE, 180, 200, ACK, BYE, 200, both legs.
//!
//! Text in, bytes out, no sockets and no media packets. One iteration is one
//! call; the answers of both peers are made from what the engine sent.

#[allow(dead_code, reason = "the world serves the tests as well")]
#[path = "../tests/engine_calls/world.rs"]
mod world;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use world::{Ua, World, acme, phone_a, phone_sdp};

fn call(w: &mut World, n: u64) {
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    a.call_id = format!("bench-{n}");
    let caller = phone_sdp("192.0.2.10", "8 0");
    let called = phone_sdp("198.51.100.1", "8");
    w.send(a.at, &a.invite(&caller));
    w.next(a.at);
    let invite = w.next(acme());
    w.send(acme(), &invite.reply("180 Ringing", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", ""));
    w.next(a.at);
    w.send(acme(), &invite.reply("200 OK", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", &called));
    w.next(acme());
    let ok = w.next(a.at);
    w.send(a.at, &a.ack(&ok, ""));
    w.send(a.at, &a.request("BYE", "", ""));
    w.next(a.at);
    let bye = w.next(acme());
    w.send(acme(), &bye.reply("200 OK", "", "", ""));
    w.wire.clear();
    w.media.clear();
    w.facts.clear();
}

fn calls(c: &mut Criterion) {
    // Ports rest after a call: enough of them for the calls of that time.
    let mut w = World::with(|config| {
        config.ports.realms[0].range = Some((10_000, 29_999));
        config.ports.realms[2].range = Some((30_000, 59_999));
        // One peer makes all calls: it is no stranger.
        config.guard.realms.iter_mut().for_each(|realm| realm.trust = sbc::guard::config::Trust::High);
    });
    let mut n = 0;
    let mut group = c.benchmark_group("engine");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    group.bench_function("call_invite_to_bye", |b| {
        b.iter(|| {
            n += 1;
            call(black_box(&mut w), n);
            // 1,000 calls a second of simulated time: timers fire as they would.
            w.advance(Duration::from_millis(1));
        });
    });
    group.finish();
}

criterion_group!(benches, calls);
criterion_main!(benches);
