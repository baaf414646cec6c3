//! Transport protocols of media lines, and the two kinds of leg they make.
//!
//! RFC 3551 (RTP/AVP), 4585 (AVPF), 3711 (SAVP), 5124 (SAVPF), 5764 and 7850
//! (the same over DTLS). Names are matched without regard to case; one that is
//! not known is kept as it came.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a leg's media is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LegKind {
    /// A browser: ICE, DTLS-SRTP, rtcp-mux.
    WebRtc,
    /// A phone or trunk: plain RTP.
    Sip,
}

/// The `<proto>` field of a media line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// `RTP/AVP`
    Avp,
    /// `RTP/AVPF`
    Avpf,
    /// `RTP/SAVP`: keys by `a=crypto`, or by DTLS if there is a fingerprint.
    Savp,
    /// `RTP/SAVPF`: the same with feedback.
    Savpf,
    /// `UDP/TLS/RTP/SAVP`
    UdpTlsSavp,
    /// `UDP/TLS/RTP/SAVPF`: what browsers offer.
    UdpTlsSavpf,
    /// `TCP/TLS/RTP/SAVP`
    TcpTlsSavp,
    /// `TCP/TLS/RTP/SAVPF`
    TcpTlsSavpf,
    /// `TCP/DTLS/RTP/SAVP`
    TcpDtlsSavp,
    /// `TCP/DTLS/RTP/SAVPF`: a browser whose default candidate is TCP.
    TcpDtlsSavpf,
    /// `udptl`: T.38 fax.
    Udptl,
    /// Anything else.
    Other(String),
}

const NAMES: [(Protocol, &str); 11] = [
    (Protocol::Avp, "RTP/AVP"),
    (Protocol::Avpf, "RTP/AVPF"),
    (Protocol::Savp, "RTP/SAVP"),
    (Protocol::Savpf, "RTP/SAVPF"),
    (Protocol::UdpTlsSavp, "UDP/TLS/RTP/SAVP"),
    (Protocol::UdpTlsSavpf, "UDP/TLS/RTP/SAVPF"),
    (Protocol::TcpTlsSavp, "TCP/TLS/RTP/SAVP"),
    (Protocol::TcpTlsSavpf, "TCP/TLS/RTP/SAVPF"),
    (Protocol::TcpDtlsSavp, "TCP/DTLS/RTP/SAVP"),
    (Protocol::TcpDtlsSavpf, "TCP/DTLS/RTP/SAVPF"),
    (Protocol::Udptl, "udptl"),
];

impl Protocol {
    /// Reads a `<proto>` word.
    pub fn parse(word: &str) -> Self {
        NAMES
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(word))
            .map_or_else(|| Self::Other(word.to_owned()), |(protocol, _)| protocol.clone())
    }

    /// Whether the formats are RTP payload types.
    pub fn is_rtp(&self) -> bool {
        self.is_plain() || self.is_secure()
    }

    /// Plain RTP: what a SIP leg takes.
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Avp | Self::Avpf)
    }

    /// SRTP, whichever way it gets its keys.
    pub fn is_secure(&self) -> bool {
        self.is_dtls() || matches!(self, Self::Savp | Self::Savpf)
    }

    /// SRTP that names DTLS for its keys.
    pub fn is_dtls(&self) -> bool {
        matches!(
            self,
            Self::UdpTlsSavp
                | Self::UdpTlsSavpf
                | Self::TcpTlsSavp
                | Self::TcpTlsSavpf
                | Self::TcpDtlsSavp
                | Self::TcpDtlsSavpf
        )
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(word) = self {
            return f.write_str(word);
        }
        NAMES.iter().find(|(p, _)| p == self).map_or(Ok(()), |(_, name)| f.write_str(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for (protocol, name) in &NAMES {
            assert_eq!(&Protocol::parse(&name.to_lowercase()), protocol);
            assert_eq!(protocol.to_string(), *name);
        }
        assert_eq!(Protocol::parse("UDP/DTLS/SCTP").to_string(), "UDP/DTLS/SCTP");
        assert!(!Protocol::parse("UDP/DTLS/SCTP").is_rtp());
    }
}
