//! Format parameters: `a=fmtp` (RFC 8866 §6.15), for Opus (RFC 7587 §6.1) and events (RFC 4733 §2.4.1).
//!
//! Parameters are kept as text; [`OpusFmtp`] reads those that change what we
//! send. A parameter with an absurd value counts as not given: it says what the
//! peer prefers, never what we may trust.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The parameters of one payload type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fmtp {
    /// Payload type, 0 to 127.
    pub pt: u8,
    /// The parameters as one text.
    pub params: String,
}

impl Fmtp {
    /// Reads the value of an `a=fmtp`; `None` if the format is not a payload type.
    pub fn parse(value: &str) -> Option<Self> {
        let (pt, params) = value.trim_start().split_once(' ')?;
        let pt = pt.parse().ok().filter(|pt| *pt < 128)?;
        Some(Self { pt, params: params.trim().to_owned() })
    }

    /// The value of a parameter; names are compared without regard to case.
    pub fn param<'a>(params: &'a str, name: &str) -> Option<&'a str> {
        params
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

impl fmt::Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pt, self.params)
    }
}

/// What a receiver of Opus asks of its sender (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpusFmtp {
    /// Highest rate worth encoding, Hz: 8,000 to 48,000.
    pub max_playback_hz: u32,
    /// Highest average rate, bit/s, if bounded: 6,000 to 510,000.
    pub max_average_bitrate: Option<u32>,
    /// Whether stereo is welcome.
    pub stereo: bool,
    /// Whether in-band forward error correction is of use to it.
    pub in_band_fec: bool,
    /// Whether discontinuous transmission is welcome.
    pub dtx: bool,
    /// Whether it wants a constant bit rate.
    pub cbr: bool,
    /// Shortest packet it likes, ms.
    pub min_ptime_ms: u16,
}

impl Default for OpusFmtp {
    fn default() -> Self {
        Self {
            max_playback_hz: 48_000,
            max_average_bitrate: None,
            stereo: false,
            in_band_fec: false,
            dtx: false,
            cbr: false,
            min_ptime_ms: 3,
        }
    }
}

impl OpusFmtp {
    /// Reads the parameters; what is missing or absurd has the RFC's default.
    pub fn read(params: &str) -> Self {
        let default = Self::default();
        let number = |name| Fmtp::param(params, name).and_then(|v| v.parse::<u32>().ok());
        let flag = |name| number(name) == Some(1);
        Self {
            max_playback_hz: number("maxplaybackrate")
                .filter(|hz| (8_000..=48_000).contains(hz))
                .unwrap_or(default.max_playback_hz),
            max_average_bitrate: number("maxaveragebitrate").filter(|b| (6_000..=510_000).contains(b)),
            stereo: flag("stereo"),
            in_band_fec: flag("useinbandfec"),
            dtx: flag("usedtx"),
            cbr: flag("cbr"),
            min_ptime_ms: number("minptime")
                .and_then(|ms| u16::try_from(ms).ok())
                .filter(|ms| (3..=120).contains(ms))
                .unwrap_or(default.min_ptime_ms),
        }
    }
}

/// What we ask of who sends us Opus: packets from 10 ms on, and FEC because it costs nothing to read.
pub(super) const OPUS_PARAMS: &str = "minptime=10;useinbandfec=1";

/// The events we take: the sixteen DTMF digits.
pub(super) const EVENT_PARAMS: &str = "0-15";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_opus_parameters_of_a_browser() {
        let opus = OpusFmtp::read("maxplaybackrate=16000; stereo=1;useinbandfec=1; minptime=10;x");
        assert_eq!(
            opus,
            OpusFmtp {
                max_playback_hz: 16_000,
                stereo: true,
                in_band_fec: true,
                min_ptime_ms: 10,
                ..OpusFmtp::default()
            }
        );
    }

    #[test]
    fn absurd_parameters_count_as_missing() {
        let opus = OpusFmtp::read("maxplaybackrate=1;maxaveragebitrate=99999999999;minptime=-4;stereo=2");
        assert_eq!(opus, OpusFmtp::default());
    }

    #[test]
    fn only_payload_types_have_parameters() {
        assert_eq!(Fmtp::parse("101 0-15").map(|f| f.to_string()), Some("101 0-15".into()));
        assert_eq!(Fmtp::parse("webrtc-datachannel x=1"), None);
        assert_eq!(Fmtp::parse("128 0-15"), None);
        assert_eq!(Fmtp::parse("101"), None);
    }
}
