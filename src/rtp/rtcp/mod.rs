//! RTCP: compounds read without copying, and our own reports written.
//!
//! RFC 3550 §6 and A.2 (validity), RFC 5506 (reduced size), RFC 4585 (feedback).
//! One packet type a file. A compound is checked as a whole; what its SDES, XR
//! or application packets hold is never trusted further than it can be read.

mod build;
mod bye;
mod feedback;
mod receiver_report;
mod sdes;
mod sender_report;
mod timing;

pub use build::{Report, write_bye};
pub use bye::Bye;
pub use feedback::Feedback;
pub use receiver_report::{ReceiverReport, ReportBlock};
pub use sdes::{Item, Sdes};
pub use sender_report::{SenderInfo, SenderReport};
pub use timing::{LastReport, Ntp, round_trip};

use crate::base::limits::RTCP_PACKETS;

/// Sender report.
pub const SR: u8 = 200;
/// Receiver report.
pub const RR: u8 = 201;
/// Source description.
pub const SDES: u8 = 202;
/// Goodbye.
pub const BYE: u8 = 203;
/// Application-defined.
pub const APP: u8 = 204;
/// Transport-layer feedback.
pub const RTPFB: u8 = 205;
/// Payload-specific feedback.
pub const PSFB: u8 = 206;
/// Extended report (RFC 3611).
pub const XR: u8 = 207;

/// What a compound has to start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A sender or receiver report (RFC 3550 §6.1).
    Full,
    /// Anything, where signalling agreed on reduced size (RFC 5506).
    Reduced,
}

/// A compound whose packets all have sound bounds.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a datagram (RFC 3550 A.2).
    ///
    /// # Errors
    ///
    /// Says which rule it breaks; nothing of it may be used then.
    pub fn parse(bytes: &'a [u8], size: Size) -> Result<Self, RtcpError> {
        let mut rest = bytes;
        for n in 0..RTCP_PACKETS {
            let (raw, after) = Raw::split(rest)?;
            if n == 0 && size == Size::Full && !matches!(raw.kind, SR | RR) {
                return Err(RtcpError::First);
            }
            if raw.padded && !after.is_empty() {
                // RFC 3550 §6.4.1: only the last packet is padded.
                return Err(RtcpError::Padding);
            }
            raw.check()?;
            if after.is_empty() {
                return Ok(Self { bytes });
            }
            rest = after;
        }
        Err(RtcpError::TooMany)
    }

    /// Its packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            let (raw, after) = Raw::split(rest).ok()?;
            rest = after;
            Some(raw.into_packet())
        })
    }
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// SR.
    SenderReport(SenderReport<'a>),
    /// RR.
    ReceiverReport(ReceiverReport<'a>),
    /// SDES.
    Sdes(Sdes<'a>),
    /// BYE.
    Bye(Bye<'a>),
    /// RTPFB or PSFB.
    Feedback(Feedback<'a>),
    /// Anything else: XR, APP and what is not known here.
    Other {
        /// Its packet type.
        kind: u8,
    },
}

/// Why bytes are not a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RtcpError {
    /// A packet exceeds the datagram, or its counts exceed the packet.
    #[error("packet does not fit its length")]
    Truncated,
    /// Not version 2, or a type outside 192 to 223.
    #[error("not an RTCP packet")]
    NotRtcp,
    /// The first packet is not a report.
    #[error("compound does not start with a report")]
    First,
    /// Padding before the last packet, or a count that does not fit.
    #[error("padding is misplaced")]
    Padding,
    /// More packets than `base::limits` allows.
    #[error("too many packets")]
    TooMany,
}

/// A packet by its common header.
struct Raw<'a> {
    kind: u8,
    /// Report, source or chunk count, or feedback format.
    count: u8,
    padded: bool,
    /// After the first four bytes, without padding.
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let [first, kind, high, low, ..] = *bytes else { return Err(RtcpError::Truncated) };
        if first >> 6 != 2 || !(192..=223).contains(&kind) {
            return Err(RtcpError::NotRtcp);
        }
        let len = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let (packet, after) = bytes.split_at_checked(len).ok_or(RtcpError::Truncated)?;
        let padded = first & 0x20 != 0;
        let mut body = &packet[4..];
        if padded {
            let pad = usize::from(*body.last().ok_or(RtcpError::Padding)?);
            if pad == 0 || pad % 4 != 0 || pad > body.len() {
                return Err(RtcpError::Padding);
            }
            body = &body[..body.len() - pad];
        }
        Ok((Self { kind, count: first & 0x1f, padded, body }, after))
    }

    /// Length by type: every count has to fit.
    fn check(&self) -> Result<(), RtcpError> {
        let count = usize::from(self.count);
        let least = match self.kind {
            SR => 24 + ReportBlock::LEN * count,
            RR => 4 + ReportBlock::LEN * count,
            BYE => 4 * count,
            RTPFB | PSFB => 8,
            _ => 0,
        };
        if self.body.len() < least { Err(RtcpError::Truncated) } else { Ok(()) }
    }

    fn into_packet(self) -> Packet<'a> {
        let count = usize::from(self.count);
        match self.kind {
            SR => Packet::SenderReport(SenderReport::new(self.body, count)),
            RR => Packet::ReceiverReport(ReceiverReport::new(self.body, count)),
            SDES => Packet::Sdes(Sdes::new(self.body, count)),
            BYE => Packet::Bye(Bye::new(self.body, count)),
            RTPFB | PSFB => Packet::Feedback(Feedback::new(self.kind, self.count, self.body)),
            kind => Packet::Other { kind },
        }
    }
}

/// The big-endian word at `at`; the caller has checked the bounds.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rr() -> Vec<u8> {
        vec![0x80, 201, 0, 1, 0, 0, 0, 7]
    }

    fn error(bytes: &[u8]) -> RtcpError {
        Compound::parse(bytes, Size::Full).map(|_| ()).expect_err("must be refused")
    }

    #[test]
    fn accepts_reduced_size_only_where_agreed() {
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(error(&pli), RtcpError::First);
        assert!(Compound::parse(&pli, Size::Reduced).is_ok());
        let mut whole = rr();
        whole.extend(pli);
        assert!(Compound::parse(&whole, Size::Full).is_ok());
    }

    #[test]
    fn refuses_lengths_that_do_not_fit() {
        for cut in 0..8 {
            assert_eq!(error(&rr()[..cut]), RtcpError::Truncated);
        }
        let mut short = rr();
        short[0] = 0x81;
        assert_eq!(error(&short), RtcpError::Truncated, "one block is announced, none is there");
        short[0] = 0x40;
        assert_eq!(error(&short), RtcpError::NotRtcp);
        let mut trailing = rr();
        trailing.push(0x80);
        assert_eq!(error(&trailing), RtcpError::Truncated);
        let mut foreign = rr();
        foreign.extend([0x80, 100, 0, 0]);
        assert_eq!(error(&foreign), RtcpError::NotRtcp);
        let many: Vec<u8> = (0..=RTCP_PACKETS).flat_map(|_| rr()).collect();
        assert_eq!(error(&many), RtcpError::TooMany);
    }

    #[test]
    fn padding_belongs_to_the_last_packet() {
        let mut padded = vec![0xa0, 201, 0, 2, 0, 0, 0, 7, 0, 0, 0, 4];
        assert!(Compound::parse(&padded, Size::Full).is_ok());
        padded[11] = 12;
        assert_eq!(error(&padded), RtcpError::Padding);
        padded[11] = 8;
        assert_eq!(error(&padded), RtcpError::Truncated, "the padding covers the source");
        padded[11] = 4;
        padded.extend(rr());
        assert_eq!(error(&padded), RtcpError::Padding);
        assert_eq!(error(&[0xa0, 201, 0, 0]), RtcpError::Padding);
    }

    #[test]
    fn oddities_of_xr_and_sdes_are_passed_over() {
        let mut bytes = rr();
        bytes.extend([0x80, 207, 0, 2, 0, 0, 0, 7, 9, 0, 0xff, 0xff]); // XR block longer than the packet.
        bytes.extend([0x9f, 202, 0, 1, 0, 0, 0, 1]); // 31 chunks announced, half a one there.
        bytes.extend([0x80, 204, 0, 0]); // APP without a name.
        let compound = Compound::parse(&bytes, Size::Full).expect("bounds are sound");
        let kinds: Vec<u8> = compound
            .packets()
            .map(|p| match p {
                Packet::SenderReport(_) => SR,
                Packet::ReceiverReport(_) => RR,
                Packet::Sdes(sdes) => {
                    assert_eq!((sdes.items().count(), sdes.cname()), (0, None));
                    SDES
                }
                Packet::Bye(_) => BYE,
                Packet::Feedback(_) => RTPFB,
                Packet::Other { kind } => kind,
            })
            .collect();
        assert_eq!(kinds, [RR, XR, SDES, APP]);
    }
}
