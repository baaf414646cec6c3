//! What a packet costs in a shard, from the socket's buffer to the verdict:
//! relayed, unsealed and relayed, transcoded; with few and with many sessions,
//! whose packets come in turn, so that contexts fall out of the cache as they
//! do in life. `cargo bench --bench relay`.
#![allow(missing_docs)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sbc::base::redact::Secret;
use sbc::base::{CallId, Codec, Instant, MediaId, Now, RealmId, Rng};
use sbc::codec::tone::Sine;
use sbc::codec::{Encoder, EncoderConfig, PAYLOAD_BYTES};
use sbc::dtls::{self, Fingerprint, Handshake, Handshakes, HashKind, KeyingMaterial, Outputs, Role, SrtpProfile};
use sbc::ice::{Builder, Class, TransactionId, attribute};
use sbc::media::command::Command;
use sbc::media::config::Config;
use sbc::media::packet::Packet;
use sbc::media::plan::{self, Direction, DtlsRole, End, IceCredentials, Latch, Plan, Rtp, SidePlan, Stream, WebRtc};
use sbc::media::shard::{Output, PortId, Shard, Verdict};
use sbc::rtp::header::{Header, PayloadType, Ssrc};
use sbc::rtp::srtp::{self, Keys, Outbound, Profile};

const PWD: &str = "a password of 22 chars";

/// Packets handled between two looks at the clock: a batch of the media thread.
const BATCH: usize = 64;

/// A handshake that has its keys at the first datagram.
struct Ready(SrtpProfile);

struct Association(SrtpProfile);

impl Handshakes for Ready {
    fn make(&self, _: Role, _: &[Fingerprint]) -> Box<dyn Handshake> {
        Box::new(Association(self.0))
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(HashKind::Sha256, b"ours")
    }
}

impl Handshake for Association {
    fn start(&mut self, _: Now, _: &mut Outputs) {}

    fn handle_datagram(&mut self, _: Now, _: &[u8], out: &mut Outputs) {
        let keys = KeyingMaterial::new(self.0, &material(self.0)).expect("the profile's length");
        let hash = || Fingerprint::of(HashKind::Sha256, b"peer");
        let peer_fingerprints = Box::new([hash(), hash(), hash(), hash()]);
        out.push(dtls::Output::Connected { keys, profile: self.0, suite: "", role: Role::Server, peer_fingerprints });
    }

    fn handle_timeout(&mut self, _: Now, _: &mut Outputs) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

fn material(profile: SrtpProfile) -> Vec<u8> {
    (0..profile.exported_len() as u8).collect()
}

/// What the caller's side is, and what both sides speak.
#[derive(Clone, Copy)]
struct Mode {
    name: &'static str,
    srtp: Option<SrtpProfile>,
    codecs: [Codec; 2],
}

/// One caller: where it sends from and to, its numbers, its keys.
struct Caller {
    from: SocketAddr,
    port: PortId,
    seq: u16,
    time: u32,
    seal: Option<Outbound>,
}

struct Bench {
    shard: Shard,
    now: Now,
    callers: Vec<Caller>,
    mode: Mode,
    frames: Vec<Vec<u8>>,
    turn: usize,
    packets: Vec<Packet>,
}

impl Bench {
    fn new(mode: Mode, sessions: usize) -> Self {
        let profile = mode.srtp.unwrap_or(SrtpProfile::Aes128CmSha1_80);
        let config = Config { shared: vec![(shared(), 46)], ..Config::default() };
        let mut shard = Shard::new(config, Box::new(Ready(profile)), Rng::from_number(1));
        while shard.poll_output().is_some() {}
        let now = Now::from_millis(1000, 1_795_189_440_000);
        let callers = (0..sessions).map(|n| Caller::open(&mut shard, now, mode, n)).collect();
        let packets = (0..BATCH).map(|_| Packet::new()).collect();
        Self { shard, now, callers, mode, frames: frames(mode.codecs[0]), turn: 0, packets }
    }

    /// The same after two packets of every session, so that none is the first.
    fn warm(mode: Mode, sessions: usize) -> Self {
        let mut bench = Self::new(mode, sessions);
        bench.run(2 * sessions as u64);
        bench
    }

    /// Time for `count` packets, their making left out.
    fn run(&mut self, count: u64) -> Duration {
        let (mut spent, mut left) = (Duration::ZERO, count as usize);
        while left > 0 {
            let batch = left.min(BATCH);
            let first = self.turn;
            for n in 0..batch {
                self.make((first + n) % self.callers.len(), n);
            }
            let start = Clock::now();
            for n in 0..batch {
                let caller = &self.callers[(first + n) % self.callers.len()];
                let verdict = self.shard.handle_packet(self.now, caller.port, caller.from, &mut self.packets[n]);
                debug_assert!(matches!(verdict, Verdict::Forward { .. }), "{verdict:?}");
                black_box(&verdict);
            }
            spent += start.elapsed();
            self.turn = (first + batch) % self.callers.len();
            left -= batch;
        }
        while self.shard.poll_output().is_some() {}
        spent
    }

    fn make(&mut self, caller: usize, slot: usize) {
        let caller = &mut self.callers[caller];
        let frame = &self.frames[usize::from(caller.seq) % self.frames.len()];
        let pt = payload_type(self.mode.codecs[0]);
        let room = self.packets[slot].room();
        Header::write(room, PayloadType(pt), false, caller.seq, caller.time, Ssrc(7));
        room[12..12 + frame.len()].copy_from_slice(frame);
        let mut len = 12 + frame.len();
        if let Some(seal) = &mut caller.seal {
            len = seal.protect(room, len).expect("a valid packet");
        }
        self.packets[slot].received(len);
        caller.seq = caller.seq.wrapping_add(1);
        caller.time = caller.time.wrapping_add(self.mode.codecs[0].clock_hz() / 50);
    }
}

impl Caller {
    fn open(shard: &mut Shard, now: Now, mode: Mode, n: usize) -> Self {
        let from = SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 4000));
        let caller = match mode.srtp {
            Some(_) => side(End::WebRtc(webrtc(n)), mode.codecs[0]),
            None => side(End::Rtp(rtp(n, 0, from)), mode.codecs[0]),
        };
        let called = SocketAddr::from(([10, 2, (n >> 8) as u8, n as u8], 4000));
        let plan = Box::new(Plan { sides: [caller, side(End::Rtp(rtp(n, 1, called)), mode.codecs[1])] });
        shard.handle_command(now, Command::Open { media: MediaId(n as u64), call: CallId(n as u64), plan });
        let mut port = PortId(0);
        while let Some(output) = shard.poll_output() {
            if let Output::Bind { port: bound, local, .. } = output
                && mode.srtp.is_none()
                && local == rtp(n, 0, from).local
            {
                port = bound;
            }
        }
        let mut caller = Self { from, port, seq: 100, time: 0, seal: None };
        if let Some(profile) = mode.srtp {
            caller.connect(shard, now, n, profile);
        }
        caller
    }

    fn connect(&mut self, shard: &mut Shard, now: Now, n: usize, profile: SrtpProfile) {
        let mut id = [1; 12];
        id[..8].copy_from_slice(&(n as u64).to_be_bytes());
        let check = Builder::binding(Class::Request, TransactionId(id))
            .attribute(attribute::USERNAME, format!("user{n}:peer").as_bytes())
            .attribute(attribute::ICE_CONTROLLING, &[7; 8])
            .attribute(attribute::USE_CANDIDATE, &[])
            .sign(PWD.as_bytes());
        for bytes in [check.as_slice(), &[22, 0xfe, 0xfd, 0]] {
            let verdict = shard.handle_packet(now, self.port, self.from, &mut Packet::of(bytes));
            assert_eq!(verdict, Verdict::Absorbed);
        }
        while shard.poll_output().is_some() {}
        let profile_in_srtp = match profile {
            SrtpProfile::Aes128CmSha1_80 => Profile::Aes128CmSha1_80,
            SrtpProfile::AeadAes128Gcm => Profile::AeadAes128Gcm,
            SrtpProfile::AeadAes256Gcm => Profile::AeadAes256Gcm,
        };
        let keys = Keys::from_export(profile_in_srtp, &material(profile)).expect("the profile's length");
        self.seal = Some(keys.contexts(srtp::Role::Client).0);
    }
}

fn shared() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 8189))
}

fn rtp(n: usize, leg: usize, remote: SocketAddr) -> Rtp {
    // Addresses of ours are as many as it takes; nothing is bound here.
    let local = SocketAddr::from(([192, 0, 3 + (n / 10_000) as u8, leg as u8], 10_000 + 2 * (n % 10_000) as u16));
    Rtp { local, remote: Some(remote), remote_rtcp: None, rtcp_mux: false, latch: Latch::Never }
}

fn webrtc(n: usize) -> WebRtc {
    let credentials = |ufrag: String| IceCredentials { ufrag, pwd: Secret::new(PWD) };
    WebRtc {
        local: shared(),
        ice: credentials(format!("user{n}")),
        remote_ice: Some(credentials("peer".to_owned())),
        dtls: Some(DtlsRole::Server),
        fingerprints: vec![plan::Fingerprint { hash: "sha-256".to_owned(), digest: vec![1; 32] }],
    }
}

fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(111)
}

fn side(end: End, codec: Codec) -> SidePlan {
    let pt = payload_type(codec);
    let stream = Stream {
        codec,
        send_pt: pt,
        receive: vec![(pt, codec)],
        send_events: vec![(101, 8000)],
        receive_events: vec![(101, 8000)],
        ptime_ms: 20,
        ssrc: 9,
        cname: "name".to_owned(),
    };
    SidePlan { realm: RealmId(0), end, direction: Direction::SendRecv, stream: Some(stream) }
}

fn frames(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, EncoderConfig::default()).expect("8 kHz");
    let mut voices: Vec<Sine> = (1..=12).map(|h| Sine::new(8000, 110.0 * f64::from(h), (6000 / h) as i16)).collect();
    (0..50)
        .map(|_| {
            let (mut pcm, mut out) = ([0; 160], [0; PAYLOAD_BYTES]);
            voices.iter_mut().for_each(|v| v.add(&mut pcm));
            let len = encoder.encode(&pcm, &mut out).expect("20 ms");
            out[..len].to_vec()
        })
        .collect()
}

fn relay(c: &mut Criterion) {
    let plain = [Codec::Pcmu; 2];
    let modes = [
        Mode { name: "rtp to rtp", srtp: None, codecs: plain },
        Mode { name: "srtp cm to rtp", srtp: Some(SrtpProfile::Aes128CmSha1_80), codecs: plain },
        Mode { name: "srtp gcm to rtp", srtp: Some(SrtpProfile::AeadAes128Gcm), codecs: plain },
        Mode { name: "opus to pcma", srtp: None, codecs: [Codec::Opus, Codec::Pcma] },
    ];
    for mode in modes {
        let mut group = c.benchmark_group(mode.name);
        group.throughput(Throughput::Elements(1));
        for sessions in [1, 100, 2000, 10_000] {
            if mode.codecs[0] != mode.codecs[1] && sessions > 2000 {
                continue;
            }
            let mut bench = None;
            group.bench_function(format!("{sessions} sessions"), |b| {
                let bench = bench.get_or_insert_with(|| Bench::warm(mode, sessions));
                b.iter_custom(|n| bench.run(n));
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(2));
    targets = relay
}
criterion_main!(benches);
