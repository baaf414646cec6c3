//! What a media session is to be: two sides, each described completely.
//!
//! The call machine writes plans from session descriptions; the shard obeys
//! them. A side that is not yet negotiated is one without a stream: it owns its
//! address and receives nothing that counts. Whether packets are relayed or
//! transcoded follows from the two sides' codecs and is not said here.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::base::{Codec, RealmId};

/// Both sides of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The caller's side and the called side, indexed by [`Leg`](crate::base::Leg).
    pub sides: [SidePlan; 2],
}

/// One side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SidePlan {
    /// The realm it belongs to: DSCP, time-outs and what addresses are allowed.
    pub realm: RealmId,
    /// What answers here.
    pub end: End,
    /// What may flow, from the SBC's point of view: `SendOnly` sends to the peer and ignores what it sends.
    pub direction: Direction,
    /// What we send to the peer and take from it; `None` until negotiated.
    pub stream: Option<Stream>,
}

/// The far end of a side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum End {
    /// DTLS-SRTP over ICE on the shard's shared socket.
    WebRtc(WebRtc),
    /// RTP and RTCP over a port pair of its own.
    Rtp(Rtp),
    /// A service inside the SBC.
    Service(Service),
}

/// A side with ICE and DTLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebRtc {
    /// The shared socket's address, as written in our candidates.
    pub local: SocketAddr,
    /// Our ICE credentials; the ufrag leads packets from unknown addresses to this side.
    pub ice: IceCredentials,
    /// The peer's, once known.
    pub remote_ice: Option<IceCredentials>,
    /// Who sends the ClientHello; `None` until negotiated.
    pub dtls: Option<DtlsRole>,
    /// What the peer's certificate must hash to: any one of them.
    pub fingerprints: Vec<Fingerprint>,
}

/// A side with plain RTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rtp {
    /// Our RTP address; the port is even and RTCP is at the next one unless `rtcp_mux`.
    pub local: SocketAddr,
    /// Where the peer's SDP wants RTP; `None` until known or while on old-style hold.
    pub remote: Option<SocketAddr>,
    /// Where the peer wants RTCP.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP on the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// From whom besides `remote` a first packet may be learned.
    pub latch: Latch,
}

/// Whether a source that the SDP did not name may be learned (NUMBERS: RTP bleed).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Latch {
    /// Only the SDP's address and port.
    Never,
    /// Within `window_ms` of the plan, from `signalling`'s address (any port), once.
    Signalling {
        /// The address that signalling comes from.
        signalling: std::net::IpAddr,
        /// Length of the window, milliseconds.
        window_ms: u32,
    },
}

/// A service that the SBC itself is the far end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Sends back what it hears.
    Echo,
    /// A 1 kHz tone.
    Tone,
    /// A short announcement, then echo.
    Hello,
}

/// RFC 8445 §5.3 credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceCredentials {
    /// At least 4 characters.
    pub ufrag: String,
    /// At least 22 characters.
    pub pwd: crate::base::redact::Secret,
}

/// RFC 5763 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DtlsRole {
    /// `a=setup:active`: we send the ClientHello as soon as a pair is proved.
    Client,
    /// `a=setup:passive`.
    Server,
}

/// RFC 8122 fingerprint of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// `sha-256` and its like, lower case.
    pub hash: String,
    /// The digest.
    pub digest: Vec<u8>,
}

/// What a side sends and understands, as negotiated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// What we send.
    pub codec: Codec,
    /// The payload type we send it with: the peer's number.
    pub send_pt: u8,
    /// What we take: our payload types with their codecs.
    pub receive: Vec<(u8, Codec)>,
    /// Telephone events (RFC 4733) we may send: payload type and clock, hertz.
    pub send_events: Vec<(u8, u32)>,
    /// Telephone events we take.
    pub receive_events: Vec<(u8, u32)>,
    /// Length of a packet we make, milliseconds.
    pub ptime_ms: u16,
    /// Our SSRC towards this peer.
    pub ssrc: u32,
    /// Our RTCP name towards this peer.
    pub cname: String,
}

/// RFC 3264 direction, as the SBC sees the side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send, and ignore what comes.
    SendOnly,
    /// We take, and send nothing.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// True if we send to the peer.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// True if we listen to the peer.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}
