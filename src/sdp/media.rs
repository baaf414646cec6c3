//! A media section: the `m=` line and what belongs to it (RFC 8866 §5.14).
//!
//! On RTP profiles every format must be a payload type from 0 to 127; a
//! description that says otherwise is refused as a whole, because such numbers
//! have overrun tables elsewhere. Formats of other protocols are words.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::profile::Protocol;
use super::rtpmap::RtpMap;
use super::session::{Connection, Line};
use crate::base::limits::SDP_FORMATS;

/// One media section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// What kind of media.
    pub kind: MediaKind,
    /// Transport port; 0 rejects or removes the stream (RFC 3264 §6, §8.2),
    /// except for `a=bundle-only` in an offer.
    pub port: u16,
    /// How many ports, if the line has a slash.
    pub port_count: Option<u16>,
    /// Transport protocol and profile.
    pub protocol: Protocol,
    /// Payload types as text, or what the protocol has in their place.
    pub formats: Vec<String>,
    /// `c=` of this section.
    pub connection: Option<Connection>,
    /// All other lines, in the order of RFC 8866 §9.
    pub lines: Vec<Line>,
    /// `a=` lines of this section.
    pub attributes: Attributes,
}

impl Media {
    /// A section without lines of its own.
    pub fn bare(kind: MediaKind, port: u16, protocol: Protocol, formats: Vec<String>) -> Self {
        Self {
            kind,
            port,
            port_count: None,
            protocol,
            formats,
            connection: None,
            lines: Vec::new(),
            attributes: Attributes::default(),
        }
    }

    /// Reads the value of an `m=` line.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(value: &str) -> Result<Self, &'static str> {
        let mut words = value.split_ascii_whitespace();
        let (Some(kind), Some(ports), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err("m= line is too short");
        };
        let (port, port_count) = match ports.split_once('/') {
            Some((port, count)) => (port, Some(count.parse().map_err(|_| "port count is not a number")?)),
            None => (ports, None),
        };
        let port = port.parse().map_err(|_| "port is not a number below 65536")?;
        let protocol = Protocol::parse(protocol);
        let mut formats = Vec::new();
        for format in words {
            if formats.len() == SDP_FORMATS {
                return Err("too many formats on one m= line");
            }
            if protocol.is_rtp() && !format.parse::<u8>().is_ok_and(|pt| pt < 128) {
                return Err("payload type is not a number below 128");
            }
            formats.push(format.to_owned());
        }
        // Some peers reject a stream without repeating a format of it.
        if formats.is_empty() && port != 0 {
            return Err("m= line without formats");
        }
        Ok(Self { port_count, ..Self::bare(MediaKind::parse(kind), port, protocol, formats) })
    }

    /// The section's `a=mid` (RFC 5888 §4).
    pub fn mid(&self) -> Option<&str> {
        self.attributes.value("mid").map(str::trim).filter(|mid| !mid.is_empty())
    }

    /// Whether the stream is wanted: a port, or `a=bundle-only` in its place (RFC 9143 §6).
    pub fn is_open(&self) -> bool {
        self.port != 0 || self.attributes.has("bundle-only")
    }

    /// The payload types of the `m=` line in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        self.formats.iter().filter_map(|f| f.parse().ok()).filter(|pt| *pt < 128)
    }

    /// What payload type `pt` is: its first `a=rtpmap`, or the static table.
    pub fn rtpmap(&self, pt: u8) -> Option<RtpMap> {
        self.explicit_rtpmap(pt).or_else(|| RtpMap::fixed(pt))
    }

    /// The first `a=rtpmap` of `pt`.
    pub(super) fn explicit_rtpmap(&self, pt: u8) -> Option<RtpMap> {
        self.attributes.all("rtpmap").filter_map(RtpMap::parse).find(|map| map.pt == pt)
    }
}

/// The media type of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `video`
    Video,
    /// `application`: data channels, floor control.
    Application,
    /// `image`: T.38 fax.
    Image,
    /// Any other word.
    Other(String),
}

impl MediaKind {
    fn parse(word: &str) -> Self {
        match word {
            _ if word.eq_ignore_ascii_case("audio") => Self::Audio,
            _ if word.eq_ignore_ascii_case("video") => Self::Video,
            _ if word.eq_ignore_ascii_case("application") => Self::Application,
            _ if word.eq_ignore_ascii_case("image") => Self::Image,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Application => "application",
            Self::Image => "image",
            Self::Other(word) => word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_type_over_127_is_refused() {
        assert_eq!(Media::parse("audio 4000 RTP/AVP 0 128"), Err("payload type is not a number below 128"));
        assert_eq!(Media::parse("audio 4000 RTP/AVP -1"), Err("payload type is not a number below 128"));
        assert!(Media::parse("application 9 UDP/DTLS/SCTP webrtc-datachannel").is_ok());
    }

    #[test]
    fn absurd_ports_and_empty_lines_are_refused() {
        for bad in [
            "audio 65536 RTP/AVP 0",
            "audio -1 RTP/AVP 0",
            "audio 4000/x RTP/AVP 0",
            "audio 4000",
            "audio 4000 RTP/AVP",
        ] {
            assert!(Media::parse(bad).is_err(), "{bad}");
        }
        assert!(Media::parse("image 0 udptl").is_ok(), "a rejected stream may list nothing");
        assert_eq!(Media::parse("audio 4000/2 RTP/AVP 0").map(|m| m.port_count), Ok(Some(2)));
    }
}
