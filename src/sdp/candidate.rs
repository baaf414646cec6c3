//! ICE candidates: `a=candidate` (RFC 8839 §5.1).
//!
//! We are ICE-lite and speak UDP, so only UDP candidates of type host, srflx or
//! relay with an address literal can ever send us a check. Browsers hide their
//! host addresses behind mDNS names (`….local`), offer TCP, or prflx; all of
//! these are counted and not kept. A name is never resolved.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A candidate worth keeping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Groups candidates of one base and server; 1 to 32 characters.
    pub foundation: String,
    /// 1 for RTP (and for everything with rtcp-mux), 2 for RTCP.
    pub component: u8,
    /// Higher is better (RFC 8445 §5.1.2).
    pub priority: u32,
    /// Where it can be reached, in canonical form.
    pub address: SocketAddr,
    /// How its owner came by it.
    pub kind: CandidateKind,
}

/// How a candidate was gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CandidateKind {
    /// On the peer's own interface.
    Host,
    /// Seen by a STUN server.
    ServerReflexive,
    /// On a TURN server.
    Relayed,
}

impl CandidateKind {
    fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::Relayed => "relay",
        }
    }
}

impl Candidate {
    /// Our own host candidate number `index` (from 0, the preferred first) for all components.
    pub fn host(index: u16, address: SocketAddr) -> Self {
        // RFC 8445 §5.1.2.1: type preference 126, then a local preference that falls.
        let local = u32::from(u16::MAX - index);
        Self {
            foundation: (u32::from(index) + 1).to_string(),
            component: 1,
            priority: (126 << 24) | (local << 8) | 255,
            address,
            kind: CandidateKind::Host,
        }
    }

    /// Reads the value of an `a=candidate`; `None` for one that cannot reach us.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next().filter(|f| f.len() <= 32)?;
        let component = words.next()?.parse().ok().filter(|c| matches!(c, 1 | 2))?;
        words.next().filter(|transport| transport.eq_ignore_ascii_case("udp"))?;
        let priority = words.next()?.parse().ok().filter(|p| (1..=MAX_PRIORITY).contains(p))?;
        // A name, mDNS or not, fails here.
        let ip = words.next()?.parse::<IpAddr>().ok()?.to_canonical();
        let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
        words.next().filter(|typ| typ.eq_ignore_ascii_case("typ"))?;
        let word = words.next()?;
        let kind = [CandidateKind::Host, CandidateKind::ServerReflexive, CandidateKind::Relayed]
            .into_iter()
            .find(|kind| word.eq_ignore_ascii_case(kind.name()))?;
        (!ip.is_unspecified() && !ip.is_multicast()).then(|| Self {
            foundation: foundation.to_owned(),
            component,
            priority,
            address: SocketAddr::new(ip, port),
            kind,
        })
    }
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, priority, address, kind } = self;
        write!(f, "{foundation} {component} udp {priority} {} {} typ {}", address.ip(), address.port(), kind.name())
    }
}

/// RFC 8445 §5.1.2: a positive number below 2^31.
const MAX_PRIORITY: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_udp_literals_only() {
        let kept = |value| Candidate::parse(value).map(|c| c.address.to_string());
        assert_eq!(
            kept(
                "842163049 1 udp 1677729535 203.0.113.7 41203 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-cost 999"
            ),
            Some("203.0.113.7:41203".into())
        );
        assert_eq!(kept("1 1 UDP 2122252543 2001:db8::1 5000 typ host"), Some("[2001:db8::1]:5000".into()));
        for lost in [
            "1 1 udp 2113937151 2a6d5a5d-0b2b-4c5e-9f57-2f2ab3a8b1f0.local 54321 typ host",
            "2 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active",
            "3 1 udp 1 192.0.2.1 5000 typ prflx",
            "4 3 udp 1 192.0.2.1 5000 typ host",
            "5 1 udp 4294967295 192.0.2.1 5000 typ host",
            "6 1 udp 1 192.0.2.1 0 typ host",
            "7 1 udp 1 192.0.2.1 70000 typ host",
            "8 1 udp 1 0.0.0.0 5000 typ host",
            "9 1 udp 1 224.0.0.1 5000 typ host",
            "",
        ] {
            assert_eq!(kept(lost), None, "{lost}");
        }
    }

    #[test]
    fn our_first_host_candidate_has_the_top_priority() {
        let ours = Candidate::host(0, SocketAddr::from(([192, 0, 2, 1], 40_000)));
        assert_eq!(ours.to_string(), "1 1 udp 2130706431 192.0.2.1 40000 typ host");
        assert_eq!(Candidate::parse(&ours.to_string()), Some(ours.clone()));
        assert!(Candidate::host(1, ours.address).priority < ours.priority);
    }
}
