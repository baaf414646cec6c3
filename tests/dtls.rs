//! The real DTLS handshake, against itself over a bad network in simulated
//! time, and against forged datagrams. It stands here and not beside the code
//! because the library needs an instant of the real clock to count from.

use std::collections::BTreeMap;
use std::time::Duration;

use sbc::base::{Instant, Now, Rng};
use sbc::dtls::{
    Anchor, Certificate, Config, Counters, DimplHandshakes, Failure, Fingerprint, Handshake, Handshakes, HashKind,
    KeyingMaterial, Output, Outputs, Role, SrtpProfile, Versions,
};

fn maker(config: Config) -> DimplHandshakes {
    let anchor = Anchor { std: std::time::Instant::now(), base: Instant::from_millis(1000) };
    DimplHandshakes::new(config, Certificate::self_signed().expect("entropy"), anchor).expect("a valid configuration")
}

fn of(versions: Versions) -> Config {
    Config { versions, limit: Duration::from_secs(120), ..Config::default() }
}

/// What [`Output::Connected`] carries.
type Agreed = (KeyingMaterial, SrtpProfile, &'static str, Role, Box<[Fingerprint; 4]>);

/// What one end came to.
#[derive(Default)]
struct End {
    connected: Option<Agreed>,
    failed: Option<Failure>,
    closed: bool,
    sent: usize,
}

/// How bad the network is.
#[derive(Clone, Copy)]
struct Net {
    loss: f64,
    duplication: f64,
    delay_ms: u64,
}

const GOOD: Net = Net { loss: 0.0, duplication: 0.0, delay_ms: 1 };
const BAD: Net = Net { loss: 0.2, duplication: 0.15, delay_ms: 120 };

/// Two ends and the datagrams between them.
struct World {
    now: Now,
    rng: Rng,
    net: Net,
    flying: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    count: u64,
    ends: [End; 2],
    shakes: [Box<dyn Handshake>; 2],
}

impl World {
    fn new(client: Box<dyn Handshake>, server: Box<dyn Handshake>, net: Net, seed: u64) -> Self {
        Self {
            now: Now::from_millis(5000, 0),
            rng: Rng::from_number(seed),
            net,
            flying: BTreeMap::new(),
            count: 0,
            ends: Default::default(),
            shakes: [client, server],
        }
    }

    fn start(&mut self) {
        for end in 0..2 {
            let mut out = Outputs::new();
            self.shakes[end].start(self.now, &mut out);
            self.take(end, out);
        }
    }

    fn take(&mut self, from: usize, out: Outputs) {
        for output in out {
            match output {
                Output::Transmit(datagram) => {
                    assert!(datagram.len() <= 1200, "fits the path");
                    self.ends[from].sent += 1;
                    let copies =
                        u32::from(!self.rng.chance(self.net.loss)) + u32::from(self.rng.chance(self.net.duplication));
                    for _ in 0..copies {
                        let at = self.now.mono + Duration::from_millis(1 + self.rng.below(self.net.delay_ms));
                        self.count += 1;
                        self.flying.insert((at, self.count), (1 - from, datagram.clone()));
                    }
                }
                Output::Connected { keys, profile, suite, role, peer_fingerprints } => {
                    assert!(self.ends[from].connected.is_none(), "connects once");
                    self.ends[from].connected = Some((keys, profile, suite, role, peer_fingerprints));
                }
                Output::Failed { why } => self.ends[from].failed = Some(why),
                Output::Closed => self.ends[from].closed = true,
            }
        }
    }

    /// Runs to the next thing that happens; false if nothing ever will.
    fn step(&mut self) -> bool {
        let arrival = self.flying.keys().next().map(|k| k.0);
        let timers = [self.shakes[0].poll_timeout(), self.shakes[1].poll_timeout()];
        let Some(next) = arrival.into_iter().chain(timers.into_iter().flatten()).min() else { return false };
        self.now = self.now.after(next.since(self.now.mono));
        if arrival == Some(next) {
            let Some((_, (to, datagram))) = self.flying.pop_first() else { return false };
            let mut out = Outputs::new();
            self.shakes[to].handle_datagram(self.now, &datagram, &mut out);
            self.take(to, out);
        } else {
            for (end, timer) in timers.into_iter().enumerate() {
                if timer == Some(next) {
                    let mut out = Outputs::new();
                    self.shakes[end].handle_timeout(self.now, &mut out);
                    self.take(end, out);
                }
            }
        }
        true
    }

    fn run(&mut self) {
        for _ in 0..5000 {
            let settled = |e: &End| e.connected.is_some() || e.failed.is_some();
            if self.ends.iter().all(settled) || !self.step() {
                return;
            }
        }
        panic!("no end after 5000 steps at {:?}", self.now.mono);
    }
}

fn pair(client: Versions, server: Versions, net: Net, seed: u64) -> World {
    let (a, b) = (maker(of(client)), maker(of(server)));
    let client = a.make(Role::Client, &[b.fingerprint()]);
    let server = b.make(Role::Server, &[a.fingerprint()]);
    World::new(client, server, net, seed)
}

fn assert_agreed(world: &World, what: &str) {
    let [a, b] = &world.ends;
    assert_eq!((&a.failed, &b.failed), (&None, &None), "{what}");
    let (Some(a), Some(b)) = (&a.connected, &b.connected) else { panic!("{what}: not connected") };
    assert_eq!(a.0.bytes(), b.0.bytes(), "{what}: the same keys");
    assert_eq!((a.1, a.2), (b.1, b.2), "{what}: the same profile and suite");
    assert_eq!((a.3, b.3), (Role::Client, Role::Server));
    assert_eq!(a.0.ours(Role::Client).key, b.0.peers(Role::Server).key);
}

#[test]
fn agrees_on_keys_and_names_suite_and_certificate() {
    let (a, b) = (maker(of(Versions::Dtls12)), maker(of(Versions::Dtls12)));
    let mut world =
        World::new(a.make(Role::Client, &[b.fingerprint()]), b.make(Role::Server, &[a.fingerprint()]), GOOD, 1);
    world.start();
    world.run();
    assert_agreed(&world, "clean network");
    let Some((keys, profile, suite, _, peer)) = &world.ends[0].connected else { panic!("connected") };
    assert_eq!(*profile, SrtpProfile::AeadAes256Gcm);
    assert_eq!(keys.bytes().len(), 88);
    assert!(suite.starts_with("TLS_ECDHE_ECDSA_WITH_AES_"), "{suite}");
    assert_eq!(peer[0], b.fingerprint());
    assert_eq!(
        peer.each_ref().map(Fingerprint::hash),
        [HashKind::Sha256, HashKind::Sha384, HashKind::Sha512, HashKind::Sha1]
    );
    assert!(world.now.mono < Instant::from_millis(5020), "no repetition was needed: {:?}", world.now.mono);
}

#[test]
fn agrees_in_every_mix_of_versions() {
    for client in [Versions::Dtls12, Versions::Auto] {
        for server in [Versions::Dtls12, Versions::Auto] {
            let mut world = pair(client, server, GOOD, 2);
            world.start();
            world.run();
            assert_agreed(&world, &format!("{client:?} to {server:?}"));
            let tls13 = world.ends[0].connected.as_ref().is_some_and(|c| !c.2.contains("ECDHE"));
            assert_eq!(tls13, client == Versions::Auto && server == Versions::Auto);
        }
    }
}

#[test]
fn survives_loss_duplication_and_reordering() {
    for seed in 0..60 {
        let client = if seed % 2 == 0 { Versions::Dtls12 } else { Versions::Auto };
        let server = if seed % 4 < 2 { Versions::Dtls12 } else { Versions::Auto };
        let mut world = pair(client, server, BAD, seed);
        world.start();
        world.run();
        assert_agreed(&world, &format!("seed {seed}, {client:?} to {server:?}"));
        let [a, b] = &world.ends;
        assert!(a.sent + b.sent < 200, "seed {seed}: {} + {} datagrams", a.sent, b.sent);
    }
}

#[test]
fn refuses_a_certificate_that_the_sdp_did_not_name() {
    for versions in [Versions::Dtls12, Versions::Auto] {
        for deceived in [0, 1] {
            let [a, b, stranger] = [(); 3].map(|()| maker(of(versions)));
            let mut expected = [b.fingerprint(), a.fingerprint()];
            expected[deceived] = stranger.fingerprint();
            let (client, server) = (a.make(Role::Client, &expected[..1]), b.make(Role::Server, &expected[1..]));
            let mut world = World::new(client, server, GOOD, 3);
            world.start();
            for _ in 0..50 {
                world.step();
            }
            assert_eq!(world.ends[deceived].failed, Some(Failure::FingerprintMismatch));
            assert!(world.ends[deceived].connected.is_none());
            // A DTLS 1.3 client has its keys before the server judges it
            // (RFC 8446 §2); nobody else ever gets those.
            let early = versions == Versions::Auto && deceived == 1;
            assert_eq!(world.ends[1 - deceived].connected.is_some(), early);
        }
    }
}

#[test]
fn accepts_any_fingerprint_of_the_best_hash_and_nothing_without_one() {
    let (a, b, stranger) = (maker(Config::default()), maker(Config::default()), maker(Config::default()));
    let expected = [stranger.fingerprint(), a.fingerprint()];
    let mut world = World::new(a.make(Role::Client, &[b.fingerprint()]), b.make(Role::Server, &expected), GOOD, 4);
    world.start();
    world.run();
    assert_agreed(&world, "second of two fingerprints");
    let mut world = World::new(a.make(Role::Client, &[]), b.make(Role::Server, &[a.fingerprint()]), GOOD, 4);
    world.start();
    world.run();
    assert_eq!(world.ends[0].failed, Some(Failure::FingerprintMismatch));
}

#[test]
fn forged_plain_alerts_and_rubbish_change_nothing() {
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let rubbish: [&[u8]; 4] = [b"\x16", b"\x14\xfe\xfd", &[0x3f; 40], b"\x19\xfe\xfd\0\0\0\0\0\0\0\0\xff\xff"];
    for versions in [Versions::Dtls12, Versions::Auto] {
        let mut world = pair(versions, versions, GOOD, 5);
        world.start();
        loop {
            for end in 0..2 {
                let mut out = Outputs::new();
                world.shakes[end].handle_datagram(world.now, &alert, &mut out);
                for bytes in rubbish {
                    world.shakes[end].handle_datagram(world.now, bytes, &mut out);
                }
                world.shakes[end].handle_datagram(world.now, &[22; 3000], &mut out);
                assert!(!out.iter().any(|o| matches!(o, Output::Failed { .. } | Output::Closed)), "{out:?}");
                world.take(end, out);
            }
            if world.ends.iter().all(|e| e.connected.is_some()) || !world.step() {
                break;
            }
        }
        assert_agreed(&world, &format!("{versions:?} with rubbish"));
        let Counters { plain_alerts, not_dtls, oversized, .. } = world.shakes[1].counters();
        assert!(plain_alerts > 3 && not_dtls > 9 && oversized > 3);
    }
}

#[test]
fn random_and_mutated_datagrams_never_panic_or_connect() {
    let mut rng = Rng::from_number(6);
    for seed in 0..40 {
        let versions = if seed % 2 == 0 { Versions::Dtls12 } else { Versions::Auto };
        let mut world = pair(versions, versions, GOOD, seed);
        world.start();
        for _ in 0..40 {
            for (_, datagram) in world.flying.values_mut() {
                if rng.chance(0.3) && !datagram.is_empty() {
                    let at = rng.below(datagram.len() as u64) as usize;
                    datagram[at] ^= 1 << rng.below(8);
                }
            }
            if !world.step() {
                break;
            }
        }
        for end in &world.ends {
            assert_ne!(end.failed, Some(Failure::Library), "seed {seed}: no panic inside");
        }
    }
}

#[test]
fn gives_up_when_the_time_is_over_and_names_the_alert() {
    let a = maker(Config::default());
    for role in [Role::Client, Role::Server] {
        let mut shake = a.handshake(role, &[a.fingerprint()]);
        let (begin, mut out) = (Now::from_millis(5000, 0), Outputs::new());
        assert_eq!(shake.poll_timeout(), None);
        shake.start(begin, &mut out);
        assert_eq!(out.len(), usize::from(role == Role::Client));
        shake.handle_datagram(begin, &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 71], &mut out);
        let mut repeats = 0;
        while let Some(at) = shake.poll_timeout() {
            out.clear();
            shake.handle_timeout(begin.after(at.since(begin.mono)), &mut out);
            repeats += usize::from(matches!(out.as_slice(), [Output::Transmit(_)]));
            assert!(at <= begin.mono + Duration::from_secs(10));
        }
        let [Output::Failed { why }] = out.as_slice() else { panic!("{out:?}") };
        assert_eq!(*why, Failure::Timeout { alert: Some(71) });
        assert!(repeats == if role == Role::Client { 5 } else { 0 }, "{repeats} repetitions in 10 s");
        out.clear();
        shake.handle_datagram(begin.after(Duration::from_secs(11)), &[22, 0xfe, 0xfd], &mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn server_repeats_its_last_flight_when_it_was_lost() {
    for versions in [Versions::Dtls12, Versions::Auto] {
        let mut world = pair(versions, versions, GOOD, 7);
        world.start();
        while world.ends[1].connected.is_none() {
            assert!(world.step());
        }
        // The server is done; everything it sent last is lost.
        world.flying.clear();
        world.run();
        assert_agreed(&world, &format!("{versions:?}, last flight lost"));
    }
}

#[test]
fn a_close_is_told_to_the_peer_once() {
    for versions in [Versions::Dtls12, Versions::Auto] {
        let mut world = pair(versions, versions, GOOD, 8);
        world.start();
        world.run();
        let mut out = Outputs::new();
        world.shakes[0].close(world.now, &mut out);
        world.take(0, out);
        assert_eq!(world.shakes[0].poll_timeout(), None);
        while !world.ends[1].closed {
            assert!(world.step(), "{versions:?}: the close arrives");
        }
        assert_eq!(world.shakes[1].poll_timeout(), None);
    }
}
