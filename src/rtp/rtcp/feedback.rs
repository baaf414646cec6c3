//! RTPFB and PSFB, feedback (RFC 4585 §6; REMB as browsers send it).
//!
//! For audio little of it matters: NACKs tell of loss towards the peer, and a
//! REMB of its bandwidth. Picture requests are read so that they can be counted.

use super::{PSFB, RTPFB, word};
use crate::rtp::header::Ssrc;

/// A received feedback packet.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    /// [`RTPFB`](super::RTPFB) or [`PSFB`](super::PSFB).
    pub kind: u8,
    /// The format (RFC 4585 §6.2 and §6.3).
    pub format: u8,
    /// Who sends it.
    pub sender: Ssrc,
    /// The stream it is about.
    pub media: Ssrc,
    /// The feedback itself.
    pub control: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// `body` has 8 bytes.
    pub(super) fn new(kind: u8, format: u8, body: &'a [u8]) -> Self {
        Self { kind, format, sender: Ssrc(word(body, 0)), media: Ssrc(word(body, 4)), control: &body[8..] }
    }

    /// The sequence numbers of a generic NACK (RFC 4585 §6.2.1); none for
    /// other feedback.
    pub fn nacks(&self) -> impl Iterator<Item = u16> + use<'a> {
        let control = if self.kind == RTPFB && self.format == 1 { self.control } else { &[] };
        control.chunks_exact(4).flat_map(|b| {
            let (first, mask) = (u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]]));
            let more = (0..16u16).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| first.wrapping_add(bit + 1));
            std::iter::once(first).chain(more)
        })
    }

    /// True for a picture loss indication (RFC 4585 §6.3.1).
    pub fn is_pli(&self) -> bool {
        self.kind == PSFB && self.format == 1
    }

    /// The bit rate of a REMB (draft-alvestrand-rmcat-remb-03 §2.2).
    pub fn remb_bps(&self) -> Option<u64> {
        if self.kind != PSFB || self.format != 15 {
            return None;
        }
        let [b'R', b'E', b'M', b'B', _, a, b, c, ..] = *self.control else { return None };
        let mantissa = u64::from(a & 3) << 16 | u64::from(b) << 8 | u64::from(c);
        Some(mantissa.checked_shl(u32::from(a >> 2)).filter(|bps| bps >> (a >> 2) == mantissa).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_numbers_of_a_nack() {
        let body = [0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x80, 0x03];
        let nack = Feedback::new(RTPFB, 1, &body);
        assert_eq!((nack.sender, nack.media), (Ssrc(1), Ssrc(2)));
        assert_eq!(nack.nacks().collect::<Vec<_>>(), [0xfffe, 0xffff, 0, 14]);
        assert_eq!(Feedback::new(PSFB, 1, &body).nacks().count(), 0);
        assert!(Feedback::new(PSFB, 1, &body).is_pli());
    }

    #[test]
    fn reads_the_rate_of_a_remb() {
        let mut body = [0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0b, 0, 0x10, 0, 0, 0, 9];
        assert_eq!(Feedback::new(PSFB, 15, &body).remb_bps(), Some((3 << 16 | 0x10) << 2));
        body[13] = 0xff;
        assert_eq!(Feedback::new(PSFB, 15, &body).remb_bps(), Some(u64::MAX));
        assert_eq!(Feedback::new(PSFB, 15, &body[..12]).remb_bps(), None);
    }
}
