//! Via: where a message came from and where its answer goes.
//!
//! RFC 3261 §20.42 and §18.2, RFC 3581 (`rport`). A header value may hold
//! several; [`Via::parse`] reads one of them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{Host, scan_host};
use super::params::Params;
use super::scan::Scan;
use super::text::Text;
use crate::base::Transport;
use crate::sip::error::ParseError;

/// One Via.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Via {
    /// The transport as written: `UDP`, `WSS`, or one we do not know.
    pub transport: Text,
    /// The sent-by host.
    pub host: Host,
    /// The sent-by port if it is written.
    pub port: Option<u16>,
    /// All parameters, `branch`, `received` and `rport` among them.
    pub params: Params,
}

/// What every branch of RFC 3261 starts with (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    /// Our own Via: sent-by, branch, and `rport` asked for (RFC 3581 §3).
    pub fn new(transport: Transport, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", branch);
        params.set_flag("rport");
        Self { transport: transport.via_name().into(), host, port, params }
    }

    /// The `branch` parameter.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|b| !b.is_empty())
    }

    /// The `received` parameter if it is an address; brackets around IPv6 are
    /// tolerated (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        self.params.get("received").and_then(Host::parse).and_then(|h| h.ip())
    }

    /// `Some(None)` if `rport` asks to be filled in, `Some(Some(port))` if it is.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.get("rport")?;
        Some(value.parse().ok())
    }

    /// The transport if it is one of ours.
    pub fn known_transport(&self) -> Option<Transport> {
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss]
            .into_iter()
            .find(|t| t.via_name().eq_ignore_ascii_case(&self.transport))
    }

    /// Notes where the request came from: `received` if sent-by is another
    /// address or a name (RFC 3261 §18.2.1), and `rport` if it was asked for,
    /// in which case `received` always goes with it (RFC 3581 §4).
    pub fn note_source(&mut self, from: SocketAddr) {
        let ip = from.ip().to_canonical();
        let asked = self.params.has("rport");
        self.params.remove("received");
        if asked {
            self.params.set("rport", &from.port().to_string());
        }
        if asked || self.host.ip().map(|h| h.to_canonical()) != Some(ip) {
            self.params.set("received", &ip.to_string());
        }
    }

    /// Reads one Via, to the end of `s`.
    ///
    /// # Errors
    /// If it is none or something follows.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let name = scan.token("bad Via protocol")?;
        let slash = scan.take(b'/');
        // Any version: a request of another one is answered 505 by way of this Via.
        scan.token("bad Via version")?;
        if !(name.eq_ignore_ascii_case("SIP") && slash && scan.take(b'/')) {
            return Err(scan.fail("Via is not SIP"));
        }
        let transport = scan.token("bad Via transport")?;
        if !matches!(scan.peek(), Some(b' ' | b'\t')) {
            return Err(scan.fail("bad Via"));
        }
        scan.blanks();
        let rest = scan.rest();
        let (host, after) = scan_host(rest)?;
        scan.skip(rest.len() - after.len());
        let port = if scan.take(b':') { Some(scan.number("bad Via port")?) } else { None };
        let params = Params::scan(&mut scan)?;
        if !scan.at_end() {
            return Err(scan.fail("rubbish after Via"));
        }
        Ok(Self { transport: transport.into(), host, port, params })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        fmt::Display::fmt(&self.params, f)
    }
}

impl FromStr for Via {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        Self::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blanks_wherever_the_grammar_allows_them() {
        let v = Via::parse("SIP / 2.0 / TCP     spindle.example.com : 4000  ;  branch  =   z9hG4bK9ikj8 ;rport")
            .expect("well-formed");
        assert_eq!(v.to_string(), "SIP/2.0/TCP spindle.example.com:4000;branch=z9hG4bK9ikj8;rport");
        assert_eq!(
            (v.branch(), v.rport(), v.known_transport()),
            (Some("z9hG4bK9ikj8"), Some(None), Some(Transport::Tcp))
        );
    }

    #[test]
    fn notes_the_source_where_it_differs_or_is_asked_for() {
        let from = "203.0.113.7:40000".parse().expect("address");
        let mut v =
            Via::parse("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa;received=1.2.3.4").expect("well-formed");
        v.note_source(from);
        assert_eq!(v.to_string(), "SIP/2.0/UDP 10.0.0.1:5060;rport=40000;branch=z9hG4bKa;received=203.0.113.7");
        assert_eq!((v.received(), v.rport()), (Some(from.ip()), Some(Some(40000))));
        let mut same = Via::parse("SIP/2.0/UDP 203.0.113.7;branch=z9hG4bKa").expect("well-formed");
        same.note_source(from);
        assert_eq!(same.to_string(), "SIP/2.0/UDP 203.0.113.7;branch=z9hG4bKa");
    }

    #[test]
    fn received_is_read_with_and_without_brackets() {
        for text in ["[2001:db8::9:255]", "2001:db8::9:255"] {
            let v = Via::parse(&format!("SIP/2.0/UDP [2001:db8::9:1];received={text};branch=z9hG4bKas3"))
                .expect("well-formed");
            assert_eq!(v.received(), "2001:db8::9:255".parse().ok());
        }
    }

    #[test]
    fn bad_vias_are_refused() {
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDPh",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h:65536",
            "SIP/2.0/UDP h, SIP/2.0/UDP i",
            "SIP 2.0/UDP h",
        ] {
            assert!(Via::parse(bad).is_err(), "{bad}");
        }
    }
}
