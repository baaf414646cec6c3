//! RR, the receiver report, and the report block it shares with SR
//! (RFC 3550 §6.4.1 and §6.4.2).

use super::word;
use crate::rtp::header::Ssrc;

/// What a receiver says of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source reported on.
    pub ssrc: Ssrc,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits, negative with duplicates.
    pub cumulative_lost: i32,
    /// Extended highest sequence number.
    pub highest_seq: u32,
    /// Interarrival jitter, clock units.
    pub jitter: u32,
    /// Middle of the NTP time of the last SR; 0 if there was none.
    pub last_sr: u32,
    /// Time since that SR came, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// Length on the wire, bytes.
    pub const LEN: usize = 24;

    fn parse(b: &[u8]) -> Self {
        Self {
            ssrc: Ssrc(word(b, 0)),
            fraction_lost: b[4],
            // Sign extension of 24 bits.
            cumulative_lost: (word(b, 4) << 8) as i32 >> 8,
            highest_seq: word(b, 8),
            jitter: word(b, 12),
            last_sr: word(b, 16),
            delay_since_last_sr: word(b, 20),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0x00ff_ffff;
        for word in [
            self.ssrc.0,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_seq,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ] {
            out.extend(word.to_be_bytes());
        }
    }
}

/// The blocks in `bytes`.
pub(super) fn blocks(bytes: &[u8]) -> impl Iterator<Item = ReportBlock> + use<'_> {
    bytes.chunks_exact(ReportBlock::LEN).map(ReportBlock::parse)
}

/// A received RR.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// The reporting source.
    pub ssrc: Ssrc,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    /// `body` has 4 bytes and `count` blocks.
    pub(super) fn new(body: &'a [u8], count: usize) -> Self {
        Self { ssrc: Ssrc(word(body, 0)), blocks: &body[4..4 + ReportBlock::LEN * count] }
    }

    /// What it reports of the streams it receives.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cumulative_loss_keeps_its_sign_in_24_bits() {
        for (lost, wire) in
            [(-1, [0xff, 0xff, 0xff]), (5, [0, 0, 5]), (i32::MIN, [0x80, 0, 0]), (i32::MAX, [0x7f, 0xff, 0xff])]
        {
            let block = ReportBlock { fraction_lost: 9, cumulative_lost: lost, ..ReportBlock::default() };
            let mut out = Vec::new();
            block.write(&mut out);
            assert_eq!((out[4], &out[5..8]), (9, &wire[..]));
            assert_eq!(ReportBlock::parse(&out).cumulative_lost, lost.clamp(-0x80_0000, 0x7f_ffff));
        }
    }
}
