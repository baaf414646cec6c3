//! What a payload type is: `a=rtpmap` and the static table (RFC 8866 §6.6, RFC 3551 §6).
//!
//! Encoding names are compared without regard to case. The clock rate is the
//! rate of RTP timestamps, which for G.722 is 8,000 although it samples at
//! 16,000 (RFC 3551 §4.5.2), and for Opus 48,000 always (RFC 7587 §4.1).

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::base::Codec;

/// A payload type's encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtpMap {
    /// Payload type, 0 to 127.
    pub pt: u8,
    /// Encoding name as the peer spelled it.
    pub encoding: String,
    /// Rate of RTP timestamps, Hz; never 0.
    pub clock_hz: u32,
    /// Channels, 1 if not said.
    pub channels: u8,
}

impl RtpMap {
    /// Reads the value of an `a=rtpmap`.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let pt = words.next()?.parse().ok().filter(|pt| *pt < 128)?;
        let mut parts = words.next()?.split('/');
        let encoding = parts.next().filter(|name| !name.is_empty())?.to_owned();
        let clock_hz = parts.next()?.parse().ok().filter(|hz| (1..=MAX_CLOCK_HZ).contains(hz))?;
        let channels = match parts.next() {
            Some(channels) => channels.parse().ok().filter(|n| *n > 0)?,
            None => 1,
        };
        Some(Self { pt, encoding, clock_hz, channels })
    }

    /// The `a=rtpmap` of `codec` as payload type `pt`.
    pub fn of(codec: Codec, pt: u8) -> Self {
        // RFC 7587 §7: Opus always says 2, whatever is sent.
        let channels = if codec == Codec::Opus { 2 } else { 1 };
        Self { pt, encoding: codec.rtpmap_name().to_owned(), clock_hz: codec.clock_hz(), channels }
    }

    /// The static payload types that need no `a=rtpmap` (RFC 3551 table 4), as far as we speak them.
    pub fn fixed(pt: u8) -> Option<Self> {
        match pt {
            0 => Some(Self::of(Codec::Pcmu, pt)),
            8 => Some(Self::of(Codec::Pcma, pt)),
            9 => Some(Self::of(Codec::G722, pt)),
            _ => None,
        }
    }

    /// `telephone-event` at a clock rate (RFC 4733).
    pub fn events(pt: u8, clock_hz: u32) -> Self {
        Self { pt, encoding: TELEPHONE_EVENT.to_owned(), clock_hz, channels: 1 }
    }

    /// The codec, if it is one of ours.
    pub fn codec(&self) -> Option<Codec> {
        // Some phones leave out the /2 of Opus; the stream is the same.
        Codec::ALL
            .into_iter()
            .find(|c| self.encoding.eq_ignore_ascii_case(c.rtpmap_name()) && self.clock_hz == c.clock_hz())
            .filter(|c| *c == Codec::Opus || self.channels == 1)
    }

    /// Whether it is `telephone-event`.
    pub fn is_events(&self) -> bool {
        self.encoding.eq_ignore_ascii_case(TELEPHONE_EVENT)
    }
}

impl fmt::Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.pt, self.encoding, self.clock_hz)?;
        match self.channels {
            1 => Ok(()),
            n => write!(f, "/{n}"),
        }
    }
}

const TELEPHONE_EVENT: &str = "telephone-event";

/// Fastest clock believed, Hz: 90 kHz video times ten; audio ends at 192 kHz.
const MAX_CLOCK_HZ: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_codecs_without_regard_to_case() {
        let codec = |value| RtpMap::parse(value).and_then(|map| map.codec());
        assert_eq!(codec("111 OPUS/48000/2"), Some(Codec::Opus));
        assert_eq!(codec("96 opus/48000"), Some(Codec::Opus));
        assert_eq!(codec("0 pcmu/8000"), Some(Codec::Pcmu));
        assert_eq!(codec("9 G722/8000/1"), Some(Codec::G722));
        assert_eq!(codec("9 G722/16000"), None);
        assert_eq!(codec("10 PCMA/8000/2"), None);
    }

    #[test]
    fn absurd_numbers_are_no_rtpmap() {
        for bad in
            ["128 PCMU/8000", "0 PCMU/0", "0 PCMU/99999999999", "0 PCMU", "0 /8000", "0 PCMU/8000/0", "", "x PCMU/8000"]
        {
            assert_eq!(RtpMap::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn static_types_need_no_line_and_dynamic_ones_do() {
        assert_eq!(RtpMap::fixed(8).and_then(|m| m.codec()), Some(Codec::Pcma));
        assert_eq!(RtpMap::fixed(96), None);
        assert_eq!(RtpMap::of(Codec::Opus, 111).to_string(), "111 opus/48000/2");
        assert_eq!(RtpMap::events(101, 8000).to_string(), "101 telephone-event/8000");
    }
}
