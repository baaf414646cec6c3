//! Addresses in one canonical spelling, prefixes, and what must never be a
//! media target.
//!
//! `::ffff:127.0.0.1` is `127.0.0.1` to every rule that judges it: access
//! lists, rate limits and media targets see only canonical addresses.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The canonical form: IPv4-mapped IPv6 becomes IPv4, scope and flow label go.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// [`canonical`] with a port.
pub fn canonical_socket(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(canonical(at.ip()), at.port())
}

/// True for addresses a peer may not name as its media target unless its realm
/// allows them: unspecified, loopback, link-local, multicast, broadcast.
pub fn is_special(ip: IpAddr) -> bool {
    match canonical(ip) {
        IpAddr::V4(v4) => {
            v4.is_unspecified()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.octets()[0] == 0
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || (v6.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}

/// An address block: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    base: IpAddr,
    len: u8,
}

impl Prefix {
    /// The block of `len` bits around `ip`; bits beyond `len` are cleared.
    ///
    /// Returns `None` if `len` exceeds the family's width.
    pub fn new(ip: IpAddr, len: u8) -> Option<Self> {
        let ip = canonical(ip);
        let base = match ip {
            IpAddr::V4(v4) if len <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
                IpAddr::V4((u32::from(v4) & mask).into())
            }
            IpAddr::V6(v6) if len <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => return None,
        };
        Some(Self { base, len })
    }

    /// One address.
    pub fn host(ip: IpAddr) -> Self {
        let ip = canonical(ip);
        Self { base: ip, len: if ip.is_ipv4() { 32 } else { 128 } }
    }

    /// What limits are counted by: an IPv4 address, or an IPv6 /64, since one
    /// IPv6 customer owns at least that many addresses.
    pub fn of_source(ip: IpAddr) -> Self {
        let ip = canonical(ip);
        let len = if ip.is_ipv4() { 32 } else { 64 };
        Self::new(ip, len).expect("32 and 64 fit their families")
    }

    /// True if `ip` lies in the block.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = canonical(ip);
        ip.is_ipv4() == self.base.is_ipv4() && Self::new(ip, self.len).is_some_and(|p| p.base == self.base)
    }

    /// First address of the block.
    pub fn base(&self) -> IpAddr {
        self.base
    }

    /// Number of fixed bits.
    pub fn bits(&self) -> u8 {
        self.len
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == if self.base.is_ipv4() { 32 } else { 128 } {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.len)
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{s}' is not an address or a block such as 10.0.0.0/8");
        match s.split_once('/') {
            None => s.parse().map(Self::host).map_err(|_| wrong()),
            Some((ip, len)) => {
                let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
                Self::new(ip, len.parse().map_err(|_| wrong())?).ok_or_else(wrong)
            }
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}

impl From<Prefix> for String {
    fn from(p: Prefix) -> Self {
        p.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(s: &str) -> IpAddr {
        s.parse().expect("test address")
    }

    #[test]
    fn mapped_addresses_are_judged_as_ipv4() {
        let block: Prefix = "127.0.0.0/8".parse().expect("block");
        assert!(block.contains(ip("::ffff:127.0.0.1")));
        assert!(is_special(ip("::ffff:127.0.0.1")));
        assert!(!block.contains(ip("::1")));
    }

    #[test]
    fn blocks_clear_their_host_bits() {
        assert_eq!("10.1.2.3/8".parse::<Prefix>().expect("block").to_string(), "10.0.0.0/8");
        assert_eq!(Prefix::of_source(ip("2001:db8::1:2:3:4")).to_string(), "2001:db8::/64");
        assert!("0.0.0.0/0".parse::<Prefix>().expect("all").contains(ip("203.0.113.9")));
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
    }
}
