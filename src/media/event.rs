//! What a shard tells of its sessions.
//!
//! Events go to the call machine and, through it, into records. They are rare
//! (a handful a call); numbers that change with every packet are in
//! [`SideReport`] and are read on demand or at the end.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::{CallId, Codec, Leg, MediaId, Now};

/// An event with its session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the shard saw it.
    pub at: Now,
    /// The session.
    pub media: MediaId,
    /// Its call.
    pub call: CallId,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen to a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An authenticated ICE check nominated the peer's address.
    IceConnected {
        /// The side.
        leg: Leg,
        /// The peer's address.
        remote: SocketAddr,
        /// Since the side was set up, milliseconds.
        after_ms: u32,
    },
    /// The peer's address changed by a later nomination.
    IceMoved {
        /// The side.
        leg: Leg,
        /// The new address.
        remote: SocketAddr,
    },
    /// DTLS is up and the fingerprint matched; SRTP may flow.
    DtlsConnected {
        /// The side.
        leg: Leg,
        /// SRTP profile by its RFC name.
        profile: String,
        /// From the first ClientHello, milliseconds.
        after_ms: u32,
    },
    /// The first valid RTP packet of a side arrived.
    FirstPacket {
        /// The side that sent it.
        leg: Leg,
        /// From where.
        remote: SocketAddr,
    },
    /// A plain-RTP source was learned within its window.
    Latched {
        /// The side.
        leg: Leg,
        /// The address learned.
        remote: SocketAddr,
    },
    /// A digit from a side's peer ended; it has been passed to the other side.
    Digit {
        /// The side it came from.
        leg: Leg,
        /// The digit.
        digit: char,
        /// Its length, milliseconds.
        duration_ms: u32,
    },
    /// A side cannot go on; the call ends with this cause.
    Failed {
        /// The side.
        leg: Leg,
        /// Why.
        why: MediaFailure,
    },
    /// The session is closed. Always the last event, once for every `Open`.
    Closed {
        /// Both sides' numbers.
        reports: Box<[SideReport; 2]>,
    },
}

/// Why media could not start or go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaFailure {
    /// No authenticated ICE check within the bound.
    IceTimeout,
    /// Consent ended: no authenticated check for 30 s (RFC 7675).
    ConsentExpired,
    /// The handshake did not end within the bound.
    DtlsTimeout,
    /// The peer's certificate is not the one its SDP promised.
    FingerprintMismatch,
    /// The handshake failed otherwise.
    DtlsFailed,
    /// The peer closed DTLS.
    DtlsClosed,
    /// Nothing came from the peer for the realm's time-out.
    Inactive,
    /// A port could not be bound.
    PortUnavailable,
    /// The shard has no room for more sessions.
    ShardFull,
}

/// The numbers of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SideReport {
    /// Codec received from the peer last.
    pub codec: Option<Codec>,
    /// `rtp`, or the SRTP profile's name.
    pub crypto: String,
    /// The peer's media address.
    pub remote: Option<SocketAddr>,
    /// RTP packets and payload bytes from the peer.
    pub packets_received: u64,
    /// See `packets_received`.
    pub bytes_received: u64,
    /// RTP packets to the peer.
    pub packets_sent: u64,
    /// Payload bytes to the peer.
    pub bytes_sent: u64,
    /// Packets that the peer sent and that never came (RFC 3550 A.3).
    pub packets_lost: u64,
    /// Duplicates, replays, forgeries and malformed packets dropped.
    pub packets_discarded: u64,
    /// Interarrival jitter (RFC 3550 A.8), milliseconds.
    pub jitter_ms: f32,
    /// Highest jitter seen, milliseconds.
    pub jitter_max_ms: f32,
    /// Round trip by RTCP, milliseconds.
    pub rtt_ms: Option<f32>,
    /// Mean opinion score of what came from the peer, 1 to 4.5 (G.107); `None` without packets.
    pub mos: Option<f32>,
    /// Packets lost as the peer reported of what we sent, fraction 0 to 1.
    pub remote_loss: Option<f32>,
    /// Digits received.
    pub digits: u32,
    /// Packets that came from an address that was not proved.
    pub strangers: u64,
}
