//! What a peer's description means for a call: [`Remote`], or a [`Refusal`].
//!
//! These are the values that `negotiate` yields and that the call keeps. A
//! `Remote` holds nothing of the peer's that we will not do: codecs we do not
//! speak, further media, candidates that cannot reach us are gone.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::direction::Direction;
use super::fingerprint::Fingerprint;
use super::profile::LegKind;
use super::rtpmap::Codec;
use super::session::Origin;
use super::setup::Setup;
use crate::base::redact::Secret;

/// What we can do on a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Which kind of leg it is.
    pub kind: LegKind,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// Whether DTMF goes as telephone-event.
    pub dtmf: bool,
    /// Packet length that we ask for, ms; 0 asks for none.
    pub ptime_ms: u16,
}

/// A peer's offer or answer, restricted to what we can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Which kind of leg it makes.
    pub kind: LegKind,
    /// `o=`, to see whether a later description is a new one.
    pub origin: Origin,
    /// Which media section is the audio, counted from 0.
    pub audio_index: usize,
    /// Its `a=mid`.
    pub mid: Option<String>,
    /// Where the peer wants RTP. Unspecified when held the old way; on a WebRTC leg only the
    /// default candidate, often `0.0.0.0:9`, and never to be used: ICE proves the pair.
    pub rtp: SocketAddr,
    /// Where it wants RTCP if not together with RTP; `None` on WebRTC legs, or if there is no such port.
    pub rtcp: Option<SocketAddr>,
    /// In an offer: RTCP may share the port; in an answer: it does (RFC 5761).
    pub rtcp_mux: bool,
    /// Told from the peer's side: `SendOnly` is a peer that holds us.
    pub direction: Direction,
    /// The peer does not want to receive (its direction says so, or its address is 0.0.0.0).
    pub held: bool,
    /// Codecs in common, in the peer's order; never empty.
    pub codecs: Vec<RemoteCodec>,
    /// telephone-event in common, one a clock rate.
    pub dtmf: Vec<RemoteEvent>,
    /// Packet length the peer likes to receive, ms.
    pub ptime_ms: Option<u16>,
    /// Longest packet it takes, ms.
    pub max_ptime_ms: Option<u16>,
    /// ICE; always there on WebRTC legs and never on others.
    pub ice: Option<RemoteIce>,
    /// Hashes of the certificates it may present; not empty on WebRTC legs.
    pub fingerprints: Vec<Fingerprint>,
    /// Its DTLS role; always there on WebRTC legs.
    pub setup: Option<Setup>,
    /// SSRCs it announces.
    pub ssrcs: Vec<u32>,
}

impl Remote {
    /// The codec of the peer's that stands first in `preference`.
    pub fn best(&self, preference: &[Codec]) -> Option<&RemoteCodec> {
        preference.iter().find_map(|codec| self.codec(*codec))
    }

    /// The peer's entry for `codec`.
    pub fn codec(&self, codec: Codec) -> Option<&RemoteCodec> {
        self.codecs.iter().find(|remote| remote.codec == codec)
    }

    /// The peer's telephone-event at `clock_hz`.
    pub fn events(&self, clock_hz: u32) -> Option<&RemoteEvent> {
        self.dtmf.iter().find(|event| event.clock_hz == clock_hz)
    }
}

/// A codec that both sides know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteCodec {
    /// Which.
    pub codec: Codec,
    /// Payload type to send it with.
    pub pt: u8,
    /// Payload type we receive it with: that of the offer (RFC 3264 §5.1 lets them differ).
    pub receive_pt: u8,
    /// Rate of RTP timestamps, Hz.
    pub clock_hz: u32,
    /// Channels as written.
    pub channels: u8,
    /// The peer's `a=fmtp`, see `OpusFmtp::read`.
    pub fmtp: Option<String>,
}

/// telephone-event at one clock rate (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteEvent {
    /// Payload type to send it with.
    pub pt: u8,
    /// Payload type we receive it with.
    pub receive_pt: u8,
    /// Rate of RTP timestamps, Hz: 8,000 or 48,000.
    pub clock_hz: u32,
}

/// A peer's ICE parameters (RFC 8839 §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteIce {
    /// User name fragment, 4 to 256 characters.
    pub ufrag: String,
    /// Password, 22 to 256 characters.
    pub pwd: Secret,
    /// The peer is itself ICE-lite: nobody would send checks.
    pub lite: bool,
    /// Candidates for component 1 that can reach us.
    pub candidates: Vec<Candidate>,
    /// How many were left out: mDNS names, TCP, component 2, over the bound.
    pub ignored: usize,
}

/// Why a description cannot be served: the Warning of a 488 (RFC 3261 §20.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{warning_code} {text}")]
pub struct Refusal {
    /// `warn-code`.
    pub warning_code: u16,
    /// `warn-text`, without quotes in it.
    pub text: &'static str,
}

impl Refusal {
    /// The value of a Warning header; `agent` is our host name.
    pub fn warning(&self, agent: &str) -> String {
        format!("{} {agent} \"{}\"", self.warning_code, self.text)
    }
}

impl Refusal {
    pub(super) const NETWORK: Self = Self::of(300, "Incompatible network protocol");
    pub(super) const NO_ADDRESS: Self = Self::of(301, "No connection address");
    pub(super) const ADDRESS: Self = Self::of(301, "Incompatible network address format");
    pub(super) const TRANSPORT: Self = Self::of(302, "Incompatible transport protocol");
    pub(super) const NO_AUDIO: Self = Self::of(304, "No audio offered");
    pub(super) const AUDIO_REJECTED: Self = Self::of(304, "Audio rejected");
    pub(super) const NO_CODEC: Self = Self::of(305, "No codec in common");
    pub(super) const MULTICAST: Self = Self::of(330, "Multicast not available");
    pub(super) const NO_ICE: Self = Self::of(399, "ICE credentials missing or malformed");
    pub(super) const BOTH_LITE: Self = Self::of(399, "Peer is ICE-lite as we are");
    pub(super) const NO_FINGERPRINT: Self = Self::of(399, "No fingerprint of SHA-256 or better");
    pub(super) const NO_MUX: Self = Self::of(399, "rtcp-mux is required");
    pub(super) const SETUP: Self = Self::of(399, "DTLS role missing or impossible");
    pub(super) const SHAPE: Self = Self::of(399, "Answer does not fit the offer");

    const fn of(warning_code: u16, text: &'static str) -> Self {
        Self { warning_code, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warning_is_a_header_value() {
        assert_eq!(Refusal::NO_CODEC.warning("sbc.example"), "305 sbc.example \"No codec in common\"");
    }
}
