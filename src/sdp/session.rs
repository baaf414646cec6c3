//! A session description as a value (RFC 8866 §5).
//!
//! Modelled are the lines that offer/answer looks at: origin, connection,
//! timing, attributes and media. Every other line is kept as a letter and a
//! text, in the order of RFC 8866 §9, so that writing what was read loses
//! nothing but spelling (line ends, doubled blanks, the order of sections).

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::media::Media;

/// A whole session description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `o=`: who made this description, and which version of it this is.
    pub origin: Origin,
    /// `s=`: never empty; `-` stands for no name.
    pub name: String,
    /// `c=` for media lines without one of their own.
    pub connection: Option<Connection>,
    /// The first `t=`; `0 0` (unbounded) if the peer sent none.
    pub timing: String,
    /// All other lines, in the order of RFC 8866 §9.
    pub lines: Vec<Line>,
    /// Session-level `a=` lines.
    pub attributes: Attributes,
    /// The media sections, in order: offer/answer counts them.
    pub media: Vec<Media>,
}

impl Session {
    /// A description without media by `origin`, valid for all time.
    pub fn by(origin: Origin) -> Self {
        Self {
            origin,
            name: "-".into(),
            connection: None,
            timing: "0 0".into(),
            lines: Vec::new(),
            attributes: Attributes::default(),
            media: Vec::new(),
        }
    }

    /// The text of it as a message body.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::from(self.to_string())
    }

    /// The mids of the first BUNDLE group, if there is one (RFC 9143 §5).
    pub fn bundle(&self) -> Option<impl Iterator<Item = &str>> {
        self.attributes.all("group").find_map(|group| {
            let mut words = group.split_ascii_whitespace();
            words.next().filter(|semantics| semantics.eq_ignore_ascii_case("BUNDLE"))?;
            Some(words)
        })
    }

    /// Whether the media section `mid` is in the BUNDLE group.
    pub fn bundles(&self, mid: &str) -> bool {
        self.bundle().is_some_and(|mut mids| mids.any(|m| m == mid))
    }
}

/// The `o=` line (RFC 8866 §5.2).
///
/// Identifier and version are text: the RFC sets no upper end, and all that is
/// ever asked of a peer's is whether they changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Login name, `-` for none.
    pub username: String,
    /// Session identifier, decimal.
    pub id: String,
    /// Version, decimal; counts up by one with every changed description.
    pub version: String,
    /// The machine that made the session; need not be reachable.
    pub address: Address,
}

/// The `c=` line (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Where media is to be sent.
    pub address: Address,
    /// What follows the slash of a multicast address: TTL and count.
    pub suffix: Option<String>,
}

impl Connection {
    /// A unicast connection address.
    pub fn to(ip: IpAddr) -> Self {
        Self { address: Address::Ip(ip), suffix: None }
    }

    /// Reads the value of a `c=` line.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (network, kind, rest) = (words.next()?, words.next()?, words.next()?);
        let (address, suffix) = match rest.split_once('/') {
            Some((address, suffix)) => (address, Some(suffix.to_owned())),
            None => (rest, None),
        };
        Some(Self { address: Address::from_words(network, kind, address)?, suffix })
    }
}

/// Network type, address type and address, as `o=`, `c=` and `a=rtcp` have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// An address literal. Its own family counts, not the word `IP4` or `IP6`.
    Ip(IpAddr),
    /// A name, or anything that is not a plain literal; media is never sent to one.
    Name {
        /// Whether `IP6` stood before it.
        v6: bool,
        /// The name.
        name: String,
    },
    /// A network that is not `IN`: the three words with one blank between.
    Other(String),
}

impl Address {
    /// Reads the three words; `None` if one is empty.
    pub fn from_words(network: &str, kind: &str, address: &str) -> Option<Self> {
        if network.is_empty() || kind.is_empty() || address.is_empty() {
            return None;
        }
        let v6 = kind.eq_ignore_ascii_case("IP6");
        if !network.eq_ignore_ascii_case("IN") || !(v6 || kind.eq_ignore_ascii_case("IP4")) {
            return Some(Self::Other(format!("{network} {kind} {address}")));
        }
        // Octal, hexadecimal and short spellings fail to parse and so stay names.
        Some(match address.parse::<IpAddr>() {
            Ok(ip) => Self::Ip(ip),
            Err(_) => Self::Name { v6, name: address.to_owned() },
        })
    }

    /// The address in its canonical form (`::ffff:1.2.3.4` is `1.2.3.4`), if it is a literal.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip.to_canonical()),
            Self::Name { .. } | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip @ IpAddr::V4(_)) => write!(f, "IN IP4 {ip}"),
            Self::Ip(ip @ IpAddr::V6(_)) => write!(f, "IN IP6 {ip}"),
            Self::Name { v6: false, name } => write!(f, "IN IP4 {name}"),
            Self::Name { v6: true, name } => write!(f, "IN IP6 {name}"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// A line that nothing here reads: its letter and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The type letter.
    pub kind: char,
    /// What follows the equals sign.
    pub value: String,
}

impl Line {
    /// Where the line belongs among the others of a section (RFC 8866 §9).
    pub(super) fn rank(&self) -> u8 {
        match self.kind {
            'i' => 0,
            'u' => 1,
            'e' => 2,
            'p' => 3,
            'c' => 4,
            'b' => 5,
            // r= belongs to the t= before it, so these keep their own order.
            't' | 'r' | 'z' => 6,
            'k' => 7,
            _ => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn mapped_address_is_judged_by_what_it_means() {
        let Some(address) = Address::from_words("IN", "IP6", "::ffff:127.0.0.1") else {
            panic!("an address");
        };
        assert_eq!(address.ip(), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(address.to_string(), "IN IP6 ::ffff:127.0.0.1");
    }

    #[test]
    fn odd_spelling_of_an_address_is_a_name() {
        for odd in ["0177.0.0.1", "127.1", "0x7f.0.0.1", "[::1]", "fe80::1%eth0", "2130706433"] {
            let address = Address::from_words("IN", "IP4", odd);
            assert_eq!(address.as_ref().and_then(Address::ip), None, "{odd}");
        }
    }

    #[test]
    fn multicast_suffix_is_kept_apart() {
        let connection = Connection::parse("IN  IP4 224.2.36.42/127/3").expect("a c= value");
        assert_eq!(connection.suffix.as_deref(), Some("127/3"));
        assert_eq!(connection.address.to_string(), "IN IP4 224.2.36.42");
        assert_eq!(Connection::parse("IN IP4"), None);
    }
}
