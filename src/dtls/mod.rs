//! The DTLS handshake as a value, and the keys it leaves for SRTP.
//!
//! RFC 6347 and RFC 9147 (DTLS 1.2 and 1.3), RFC 5764 (use_srtp and the
//! exporter), RFC 8122 (fingerprints of self-signed certificates). Datagrams
//! and times go in, [`Output`]s come out: `media` drives a [`Handshake`] from
//! the ICE-proved pair, the simulator scripts one, [`DimplHandshake`] is the
//! real one. The peer's certificate is compared with the fingerprints of its
//! SDP in this room, before any key leaves it. SRTP itself is not known here.

pub mod certificate;
pub mod export;
pub mod fingerprint;
pub mod handshake;
mod record;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::base::{Instant, Now};

pub use certificate::Certificate;
pub use export::{KeyingMaterial, MasterKey, SrtpProfile};
pub use fingerprint::{Fingerprint, HashKind};
pub use handshake::{Anchor, DimplHandshake, DimplHandshakes};

/// One DTLS association, from the first hello to the end of the call.
///
/// It stays in use after [`Output::Connected`]: a lost last flight is repeated
/// when the peer repeats its own, and a `close_notify` is noticed.
pub trait Handshake: Send {
    /// Begins: the client sends its ClientHello, the server starts the time
    /// that the handshake may take.
    fn start(&mut self, now: Now, out: &mut Outputs);

    /// Takes a datagram whose first byte is in 20..=63 (RFC 7983 §7), read
    /// from a pair that ICE has proved.
    fn handle_datagram(&mut self, now: Now, datagram: &[u8], out: &mut Outputs);

    /// Repeats a flight or gives up, when [`Self::poll_timeout`] has come.
    fn handle_timeout(&mut self, now: Now, out: &mut Outputs);

    /// When [`Self::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Says `close_notify` if the association is up; nothing follows it.
    fn close(&mut self, now: Now, out: &mut Outputs) {
        let _ = (now, out);
    }

    /// What has been dropped so far.
    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// Makes handshakes; one per process or media thread, shared by its calls.
pub trait Handshakes: Send {
    /// A handshake in `role` with a peer whose SDP gave `expected`.
    fn make(&self, role: Role, expected: &[Fingerprint]) -> Box<dyn Handshake>;

    /// The SHA-256 fingerprint of our certificate, for our SDP.
    fn fingerprint(&self) -> Fingerprint;
}

/// Where a handshake puts its outputs, in the order in which they happened.
pub type Outputs = Vec<Output>;

/// What a handshake wants or tells.
#[derive(Debug)]
pub enum Output {
    /// Send this datagram to the peer.
    Transmit(Vec<u8>),
    /// The peer is who its SDP says, and both sides have the keys.
    Connected {
        /// RFC 5764 §4.2 exporter output.
        keys: KeyingMaterial,
        /// The protection profile that both chose.
        profile: SrtpProfile,
        /// IANA's name of the cipher suite, for records.
        suite: &'static str,
        /// Our role.
        role: Role,
        /// The peer's certificate, hashed by SHA-256, SHA-384, SHA-512, SHA-1.
        peer_fingerprints: Box<[Fingerprint; 4]>,
    },
    /// There will be no keys; nothing follows.
    Failed {
        /// The reason.
        why: Failure,
    },
    /// The peer closed the association with an authenticated alert.
    Closed,
}

/// Who sends the ClientHello (RFC 4145 `a=setup`: active is the client).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `a=setup:active`.
    Client,
    /// `a=setup:passive`.
    Server,
}

/// Why a handshake ended without keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The peer's certificate has none of the fingerprints of its SDP.
    #[error("the certificate does not match the fingerprint of the SDP")]
    FingerprintMismatch,
    /// The handshake took longer than [`Config::limit`].
    #[error("no end of the handshake in time (plain alert seen: {alert:?})")]
    Timeout {
        /// Description of the last plain alert that was dropped; anybody can
        /// have sent it, but it is usually the peer's reason (RFC 5246 §7.2).
        alert: Option<u8>,
    },
    /// The peer chose no SRTP protection profile that we have.
    #[error("no srtp profile was agreed")]
    NoSrtpProfile,
    /// The peer broke the protocol, or asks for what the library has not.
    #[error("handshake failed: {0}")]
    Protocol(String),
    /// The library panicked; the association is lost and nothing else.
    #[error("the dtls library failed")]
    Library,
}

/// Which versions are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// DTLS 1.2 only.
    Dtls12,
    /// DTLS 1.3 with a peer that offers it, 1.2 otherwise.
    #[default]
    Auto,
}

/// How handshakes behave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Versions offered and accepted.
    pub versions: Versions,
    /// Time from start to keys before the handshake fails.
    pub limit: Duration,
    /// Wait before the first repetition of a flight; doubles each time.
    pub first_repeat: Duration,
    /// Largest datagram sent, bytes of UDP payload.
    pub mtu_bytes: usize,
}

/// 10 s in all. RFC 6347 §4.2.4.1 suggests 1 s for the first repetition, and
/// less where the delay is known: ICE has just shown a path that is far below
/// a quarter of a second, and each lost flight costs that much audio.
impl Default for Config {
    fn default() -> Self {
        Self {
            versions: Versions::default(),
            limit: Duration::from_secs(10),
            first_repeat: Duration::from_millis(250),
            mtu_bytes: 1150,
        }
    }
}

/// What a handshake dropped without looking further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Plain alerts: anybody who can spoof an address can send them.
    pub plain_alerts: u32,
    /// Datagrams or tails of datagrams that are not DTLS records.
    pub not_dtls: u32,
    /// Datagrams over the size bound.
    pub oversized: u32,
    /// Datagrams that came after the end, or that the version probe could not
    /// place.
    pub unexpected: u32,
}
