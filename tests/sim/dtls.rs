//! A DTLS handshake by script: four datagrams, no randomness of its own.
//!
//! The real library draws entropy; the simulator must not. Hello, hello with
//! certificate, certificate, finished: each is repeated until the next comes,
//! certificates are compared with the fingerprints of the SDP, and both sides
//! derive the same keys from the two hellos. Datagrams look like handshake
//! records from outside (first byte 22).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sbc::base::{Instant, Now};
use sbc::dtls::{
    Failure, Fingerprint, Handshake, Handshakes, HashKind, KeyingMaterial, Output, Outputs, Role, SrtpProfile,
};
use sha2::{Digest as _, Sha256};

use crate::ua::earlier;

/// Makes scripted handshakes with one certificate.
pub struct Script {
    certificate: Vec<u8>,
    made: AtomicU64,
}

impl Script {
    pub fn new(name: &str, seed: u64) -> Self {
        Self { certificate: format!("certificate of {name} {seed}").into_bytes(), made: AtomicU64::new(seed) }
    }

    pub fn scripted(&self, role: Role, expected: &[Fingerprint]) -> Scripted {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let mut hasher = Sha256::new();
        hasher.update(&self.certificate);
        hasher.update(number.to_be_bytes());
        let mut ours = [0; 8];
        ours.copy_from_slice(&hasher.finalize()[..8]);
        Scripted {
            role,
            certificate: self.certificate.clone(),
            expected: expected.to_vec(),
            ours,
            theirs: None,
            state: State::Idle,
            repeat: None,
            limit: None,
            last: Vec::new(),
            peer: Vec::new(),
        }
    }
}

impl Handshakes for Script {
    fn make(&self, role: Role, expected: &[Fingerprint]) -> Box<dyn Handshake> {
        Box::new(self.scripted(role, expected))
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(HashKind::Sha256, &self.certificate)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Shaking,
    Connected,
    Over,
}

/// One scripted association.
pub struct Scripted {
    role: Role,
    certificate: Vec<u8>,
    expected: Vec<Fingerprint>,
    ours: [u8; 8],
    theirs: Option<[u8; 8]>,
    state: State,
    repeat: Option<Instant>,
    limit: Option<Instant>,
    last: Vec<u8>,
    /// The peer's certificate, once seen.
    peer: Vec<u8>,
}

const HELLO: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const FINISHED: u8 = 4;
const CLOSE: u8 = 5;
const REPEAT: Duration = Duration::from_millis(250);
const LIMIT: Duration = Duration::from_secs(10);

impl Scripted {
    fn datagram(&self, kind: u8) -> Vec<u8> {
        let mut out = vec![22, 0xfe, 0xfd, kind];
        out.extend(self.ours);
        if matches!(kind, SERVER | CLIENT) {
            out.extend(&self.certificate);
        }
        out
    }

    fn say(&mut self, now: Now, kind: u8, out: &mut Outputs) {
        self.last = self.datagram(kind);
        self.repeat = Some(now.mono + REPEAT);
        out.push(Output::Transmit(self.last.clone()));
    }

    fn fail(&mut self, why: Failure, out: &mut Outputs) {
        self.state = State::Over;
        (self.repeat, self.limit) = (None, None);
        out.push(Output::Failed { why });
    }

    fn connect(&mut self, certificate: &[u8], out: &mut Outputs) {
        let (client, server) = match (self.role, self.theirs) {
            (Role::Client, Some(theirs)) => (self.ours, theirs),
            (Role::Server, Some(theirs)) => (theirs, self.ours),
            (_, None) => return,
        };
        let mut bytes = Vec::new();
        for n in 0..4u8 {
            let mut hasher = Sha256::new();
            hasher.update([n]);
            hasher.update(client);
            hasher.update(server);
            bytes.extend(hasher.finalize());
        }
        let profile = SrtpProfile::AeadAes128Gcm;
        bytes.truncate(profile.exported_len());
        let Some(keys) = KeyingMaterial::new(profile, &bytes) else { return };
        self.state = State::Connected;
        self.limit = None;
        if self.role == Role::Client {
            self.repeat = None;
        }
        let hash = |kind| Fingerprint::of(kind, certificate);
        let peer_fingerprints =
            Box::new([hash(HashKind::Sha256), hash(HashKind::Sha384), hash(HashKind::Sha512), hash(HashKind::Sha1)]);
        out.push(Output::Connected { keys, profile, suite: "SCRIPTED", role: self.role, peer_fingerprints });
    }

    fn is_expected(&mut self, certificate: &[u8], out: &mut Outputs) -> bool {
        let fits = sbc::dtls::fingerprint::matches(certificate, &self.expected);
        if !fits {
            self.fail(Failure::FingerprintMismatch, out);
        }
        fits
    }
}

impl Handshake for Scripted {
    fn start(&mut self, now: Now, out: &mut Outputs) {
        self.state = State::Shaking;
        self.limit = Some(now.mono + LIMIT);
        if self.role == Role::Client {
            self.say(now, HELLO, out);
        }
    }

    fn handle_datagram(&mut self, now: Now, datagram: &[u8], out: &mut Outputs) {
        let (Some(kind), Some(random), Some(rest)) = (datagram.get(3), datagram.get(4..12), datagram.get(12..)) else {
            return;
        };
        let mut theirs = [0; 8];
        theirs.copy_from_slice(random);
        match (self.state, self.role, *kind) {
            (State::Shaking, Role::Server, HELLO) => {
                self.theirs = Some(theirs);
                self.say(now, SERVER, out);
            }
            (State::Shaking, Role::Client, SERVER) if self.theirs.is_none() && self.is_expected(rest, out) => {
                self.theirs = Some(theirs);
                self.say(now, CLIENT, out);
                self.peer = rest.to_vec();
            }
            (State::Shaking, Role::Server, CLIENT) if self.theirs == Some(theirs) && self.is_expected(rest, out) => {
                self.say(now, FINISHED, out);
                self.repeat = None;
                self.connect(rest, out);
            }
            // The last flight was lost: the client repeats its own.
            (State::Connected, Role::Server, CLIENT) => out.push(Output::Transmit(self.last.clone())),
            (State::Shaking, Role::Client, FINISHED) if self.theirs == Some(theirs) => {
                let certificate = self.peer.clone();
                self.connect(&certificate, out);
            }
            (State::Connected, _, CLOSE) if self.theirs == Some(theirs) => {
                self.state = State::Over;
                out.push(Output::Closed);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Now, out: &mut Outputs) {
        if self.limit.is_some_and(|at| at <= now.mono) {
            return self.fail(Failure::Timeout { alert: None }, out);
        }
        if self.repeat.is_some_and(|at| at <= now.mono) {
            self.repeat = Some(now.mono + REPEAT);
            out.push(Output::Transmit(self.last.clone()));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.repeat, self.limit)
    }

    fn close(&mut self, _now: Now, out: &mut Outputs) {
        if self.state == State::Connected {
            out.push(Output::Transmit(self.datagram(CLOSE)));
        }
        self.state = State::Over;
        (self.repeat, self.limit) = (None, None);
    }
}
