//! A flow: transport plus both addresses, and the connection where there is one.
//!
//! RFC 5626 §2 names the idea: requests to a peer behind a NAT go back on the
//! flow it opened. A flow is a value; the socket behind it belongs to `edge`.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ids::RealmId;

/// A SIP transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 3261 §18, datagrams.
    Udp,
    /// RFC 3261 §18, stream framed by Content-Length.
    Tcp,
    /// TCP inside TLS.
    Tls,
    /// RFC 7118 over HTTP.
    Ws,
    /// RFC 7118 over HTTPS.
    Wss,
}

impl Transport {
    /// False only for UDP: decides timers A, E, G and the final waits
    /// (RFC 3261 §17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// True for WS and WSS.
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// True for TLS and WSS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The name in a Via header: `UDP`.
    pub const fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The value of a URI's `transport` parameter: `udp`. RFC 7118 §5.2.3 has
    /// `ws` for both kinds of WebSocket.
    pub const fn uri_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }

    /// 5061 for TLS, 443 and 80 for WebSocket, 5060 otherwise.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        })
    }
}

/// Number of a connection in this process, never used twice; 0 for UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

/// Where a message came from, or is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// Transport of the flow.
    pub transport: Transport,
    /// The realm whose listener owns our end.
    pub realm: RealmId,
    /// Our address: of the listener, never a wildcard once a message came in.
    pub local: SocketAddr,
    /// The peer's address as the socket saw it, canonical (see `base::net`).
    pub remote: SocketAddr,
    /// The connection, 0 for UDP and for "open one".
    pub connection: ConnectionId,
}

impl Flow {
    /// A UDP flow.
    pub const fn udp(realm: RealmId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, realm, local, remote, connection: ConnectionId(0) }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}->{}", self.transport, self.remote, self.local)
    }
}
