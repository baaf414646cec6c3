//! Hosts: a name, an IPv4 or an IPv6 address (RFC 3261 §25.1 `host`).
//!
//! IPv6 references stand in brackets in URIs and Via; RFC 5118 §4.5 and §4.10
//! name two spellings that are tolerated and never written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::scan::{self, HOST};
use super::text::Text;
use crate::sip::error::ParseError;

/// A host as it stands in a URI or a Via.
#[derive(Clone, Debug, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Host {
    /// A domain name.
    Name(Text),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// The empty name: URIs that have no host.
    pub const NONE: Self = Self::Name(Text::EMPTY);

    /// Reads a host; IPv6 with or without brackets. `None` if it is none.
    pub fn parse(s: &str) -> Option<Self> {
        if let Some(inner) = s.strip_prefix('[') {
            return v6(inner.strip_suffix(']')?).map(Self::V6);
        }
        if s.contains(':') {
            return v6(s).map(Self::V6);
        }
        name_or_v4(s)
    }

    /// The address if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(ip) => Some(IpAddr::V4(*ip)),
            Self::V6(ip) => Some(IpAddr::V6(*ip)),
        }
    }

    /// True for [`Host::NONE`].
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Name(name) if name.is_empty())
    }
}

/// Reads `host[:port]`; gives back what follows.
pub(super) fn scan_host_port(s: &str) -> Result<(Host, Option<u16>, &str), ParseError> {
    let (host, rest) = scan_host(s)?;
    let Some(port) = rest.strip_prefix(':') else { return Ok((host, None, rest)) };
    let end = port.bytes().position(|c| !c.is_ascii_digit()).unwrap_or(port.len());
    let value = scan::decimal(&port.as_bytes()[..end]).and_then(|n| u16::try_from(n).ok());
    let value = value.ok_or(ParseError::new("bad port", s.len() - port.len()))?;
    Ok((host, Some(value), &port[end..]))
}

/// Reads a host, IPv6 only in brackets; gives back what follows.
pub(super) fn scan_host(s: &str) -> Result<(Host, &str), ParseError> {
    let bad = || ParseError::new("bad host", 0);
    if let Some(inner) = s.strip_prefix('[') {
        let end = inner.find(']').ok_or_else(bad)?;
        let ip = v6(&inner[..end]).ok_or_else(bad)?;
        return Ok((Host::V6(ip), &inner[end + 1..]));
    }
    let end = s.bytes().position(|c| !scan::is(c, HOST)).unwrap_or(s.len());
    let host = host_text(&s[..end]).ok_or_else(bad)?;
    Ok((host, &s[end..]))
}

fn name_or_v4(s: &str) -> Option<Host> {
    if !scan::all(s, HOST) {
        return None;
    }
    host_text(s)
}

/// A name or an IPv4 address, whose characters have been looked at.
fn host_text(s: &str) -> Option<Host> {
    match s.as_bytes().first()? {
        b'0'..=b'9' => Some(s.parse().map_or_else(|_| Host::Name(s.into()), Host::V4)),
        b'-' | b'.' => None,
        _ => Some(Host::Name(s.into())),
    }
}

/// RFC 5118 §4.10: `2001:db8:::192.0.2.1` follows from a bug of RFC 3261's
/// grammar and is read as two colons.
fn v6(s: &str) -> Option<Ipv6Addr> {
    s.parse().ok().or_else(|| s.replacen(":::", "::", 1).parse().ok())
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

/// Names compare without case.
impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) if name.bytes().all(|c| scan::is(c, HOST)) => f.write_str(name),
            Self::Name(name) => name
                .chars()
                .filter(|c| c.is_ascii() && scan::is(*c as u8, HOST))
                .try_for_each(|c| fmt::Write::write_char(f, c)),
            Self::V4(ip) => fmt::Display::fmt(ip, f),
            Self::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_both_families() {
        assert_eq!(Host::parse("Example.COM"), Some(Host::Name("example.com".into())));
        assert_eq!(Host::parse("192.0.2.1").and_then(|h| h.ip()), Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(
            Host::parse("[2001:db8:::192.0.2.1]").map(|h| h.to_string()).as_deref(),
            Some("[2001:db8::c000:201]")
        );
        assert_eq!(Host::parse("::1"), Host::parse("[::1]"));
        for bad in ["", "a b", "[::1", "-x", "a\u{e9}", ":::::"] {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ports_that_do_not_fit_are_errors() {
        assert_eq!(scan_host_port("h:65535;x").expect("fits"), (Host::Name("h".into()), Some(65535), ";x"));
        assert!(scan_host_port("h:65536").is_err() && scan_host_port("h:").is_err());
    }
}
