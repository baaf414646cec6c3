//! Candidates (RFC 8445 §5.1): an address, its kind and its priority.
//!
//! An ICE-lite agent has host candidates only, one for each address its socket
//! is reached by; signalling writes them down.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// How an agent came by a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// An address of its own.
    Host,
    /// Seen by a peer in a check.
    PeerReflexive,
    /// Seen by a STUN server.
    ServerReflexive,
    /// At a TURN server.
    Relayed,
}

impl Kind {
    /// The recommended type preference (RFC 8445 §5.1.2.2).
    pub const fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::PeerReflexive => "prflx",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }
}

/// A UDP candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Same for candidates of one kind and base; pairs are unfrozen by it.
    pub foundation: u32,
    /// 1 for RTP (and RTCP muxed onto it), 2 for RTCP.
    pub component: u8,
    /// See [`priority`].
    pub priority: u32,
    /// Where it is reached.
    pub address: SocketAddr,
    /// How it was found.
    pub kind: Kind,
}

impl Candidate {
    /// Our own address number `n`, most wanted first.
    pub fn host(n: u16, component: u8, address: SocketAddr) -> Self {
        // RFC 8421 §4: IPv6 first, of otherwise equal addresses.
        let family = if matches!(address.ip(), IpAddr::V6(_)) { 1 } else { 0 };
        let local = u16::MAX - n.saturating_mul(2).saturating_add(1 - family);
        Self {
            foundation: u32::from(n) + 1,
            component,
            priority: priority(Kind::Host, local, component),
            address,
            kind: Kind::Host,
        }
    }
}

/// The priority of a candidate (RFC 8445 §5.1.2.1); `component` is 1 to 255.
pub const fn priority(kind: Kind, local_preference: u16, component: u8) -> u32 {
    kind.preference() << 24 | (local_preference as u32) << 8 | (256 - component as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_those_of_the_formula() {
        assert_eq!(priority(Kind::Host, 65_535, 1), 2_130_706_431);
        let v4 = Candidate::host(0, 1, "192.0.2.1:8189".parse().expect("an address"));
        let v6 = Candidate::host(0, 1, "[2001:db8::1]:8189".parse().expect("an address"));
        let next = Candidate::host(1, 1, "[2001:db8::2]:8189".parse().expect("an address"));
        assert!(v6.priority > v4.priority && v4.priority > next.priority);
        assert_eq!(v6.priority, 2_130_706_431);
    }
}
