//! What one 20 ms frame costs in each codec, and both ways of a transcoded
//! call. 50 frames a second and direction: calls a core = 10^9 / (50 * ns of
//! "call, both ways").
#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sbc::base::Rng;
use sbc::codec::conceal::Concealer;
use sbc::codec::opus::{OpusApplication, OpusConfig};
use sbc::codec::resample::Resampler;
use sbc::codec::tone::Sine;
use sbc::codec::{CodecKind, Decoder, Encoder, EncoderConfig, PAYLOAD_BYTES};

/// Two seconds that resemble a voice: harmonics of a gliding pitch, and noise.
fn voice(hz: u32) -> Vec<Vec<i16>> {
    let mut rng = Rng::from_number(1);
    let mut frames = Vec::new();
    for i in 0..100 {
        let pitch = 110.0 + f64::from(i % 40);
        let mut pcm = vec![0; hz as usize / 50];
        for harmonic in 1..=12 {
            Sine::new(hz, pitch * f64::from(harmonic), (6000 / harmonic) as i16).add(&mut pcm);
        }
        let loudness = f64::from((i * 7) % 25) / 25.0;
        for sample in &mut pcm {
            *sample = (f64::from(*sample) * loudness) as i16 + (rng.below(200) as i16 - 100);
        }
        frames.push(pcm);
    }
    frames
}

fn encoded(kind: CodecKind, config: EncoderConfig) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(kind, config).expect("a valid configuration");
    let mut out = [0; PAYLOAD_BYTES];
    let mut encode = |pcm: &Vec<i16>| {
        let len = encoder.encode(pcm, &mut out).expect("20 ms");
        out[..len].to_vec()
    };
    voice(config.pcm_hz).iter().map(&mut encode).collect()
}

fn opus(application: OpusApplication, complexity: u8) -> EncoderConfig {
    EncoderConfig { pcm_hz: 8000, opus: OpusConfig { application, complexity, ..OpusConfig::default() } }
}

/// What a browser sends: 48 kHz, speech, 32 kbit/s.
fn browser() -> EncoderConfig {
    let opus = OpusConfig { application: OpusApplication::Voip, complexity: 9, ..OpusConfig::default() };
    EncoderConfig { pcm_hz: 48_000, opus }
}

fn encoders(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode 20 ms");
    let mut run = |name: &str, kind, config: EncoderConfig| {
        let (frames, mut out) = (voice(config.pcm_hz), [0; PAYLOAD_BYTES]);
        let mut encoder = Encoder::new(kind, config).expect("a valid configuration");
        let mut next = frames.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| next.next().map(|pcm| encoder.encode(black_box(pcm), &mut out)));
        });
    };
    run("PCMA", CodecKind::Pcma, EncoderConfig::default());
    run("PCMU", CodecKind::Pcmu, EncoderConfig::default());
    for complexity in [0, 5, 10] {
        run(
            &format!("opus 8 kHz CELT, complexity {complexity}"),
            CodecKind::Opus,
            opus(OpusApplication::LowDelay, complexity),
        );
        run(
            &format!("opus 8 kHz SILK, complexity {complexity}"),
            CodecKind::Opus,
            opus(OpusApplication::Voip, complexity),
        );
    }
    run(
        "opus 48 kHz CELT, complexity 5",
        CodecKind::Opus,
        EncoderConfig { pcm_hz: 48_000, ..EncoderConfig::default() },
    );
    group.finish();
}

fn decoders(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode 20 ms");
    let mut run = |name: &str, kind, pcm_hz, payloads: &[Vec<u8>]| {
        let mut pcm = vec![0; 5760];
        let mut decoder = Decoder::new(kind, pcm_hz).expect("a valid rate");
        let mut next = payloads.iter().cycle();
        group.bench_function(name, |b| {
            b.iter(|| next.next().map(|payload| decoder.decode(black_box(payload), &mut pcm)));
        });
    };
    run("PCMA", CodecKind::Pcma, 8000, &encoded(CodecKind::Pcma, EncoderConfig::default()));
    run("browser's opus at 8 kHz", CodecKind::Opus, 8000, &encoded(CodecKind::Opus, browser()));
    run("browser's opus at 48 kHz", CodecKind::Opus, 48_000, &encoded(CodecKind::Opus, browser()));
    group.finish();
}

fn calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("call, both ways, 20 ms");
    let (from_browser, from_trunk) =
        (encoded(CodecKind::Opus, browser()), encoded(CodecKind::Pcma, EncoderConfig::default()));
    for complexity in [0, 5, 10] {
        let mut of_browser = Decoder::new(CodecKind::Opus, 8000).expect("8 kHz");
        let mut to_trunk = Encoder::new(CodecKind::Pcma, EncoderConfig::default()).expect("8 kHz");
        let mut of_trunk = Decoder::new(CodecKind::Pcma, 8000).expect("8 kHz");
        let mut to_browser = Encoder::new(CodecKind::Opus, opus(OpusApplication::LowDelay, complexity)).expect("8 kHz");
        let mut pairs = from_browser.iter().zip(&from_trunk).cycle();
        let (mut pcm, mut out) = ([0; 960], [0; PAYLOAD_BYTES]);
        group.bench_function(format!("opus to PCMA and back, complexity {complexity}"), |b| {
            b.iter(|| {
                let (browser, trunk) = pairs.next()?;
                let len = of_browser.decode(browser, &mut pcm).ok()?;
                to_trunk.encode(&pcm[..len], &mut out).ok()?;
                let len = of_trunk.decode(trunk, &mut pcm).ok()?;
                to_browser.encode(&pcm[..len], &mut out).ok()
            });
        });
    }
    group.finish();
}

fn the_rest(c: &mut Criterion) {
    let mut group = c.benchmark_group("other, 20 ms");
    let frames = voice(8000);
    let mut concealer = Concealer::new();
    let mut next = frames.iter().cycle();
    group.bench_function("G.711: one packet received, one concealed", |b| {
        let (mut pcm, mut gap) = ([0; 160], [0; 160]);
        b.iter(|| {
            if let Some(frame) = next.next() {
                pcm.copy_from_slice(frame);
            }
            concealer.received(&mut pcm);
            concealer.lost(&mut gap);
        });
    });
    for (from, to) in [(8000, 48_000), (48_000, 8000)] {
        let mut resampler = Resampler::new(from, to).expect("a whole ratio");
        let input = &voice(from)[3];
        let mut output = [0; 960];
        group.bench_function(format!("resample {from} to {to}"), |b| {
            b.iter(|| resampler.process(black_box(input), &mut output))
        });
    }
    group.finish();
}

criterion_group!(benches, encoders, decoders, calls, the_rest);
criterion_main!(benches);
