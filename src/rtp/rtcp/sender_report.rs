//! SR, the sender report (RFC 3550 §6.4.1): what a source has sent, and which
//! wall time its media time belongs to.

use super::receiver_report::{ReportBlock, blocks};
use super::timing::Ntp;
use super::word;
use crate::rtp::header::Ssrc;

/// What a source says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall time of the report.
    pub ntp: Ntp,
    /// The same moment in the stream's clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// A received SR.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// The reporting source.
    pub ssrc: Ssrc,
    /// Its figures.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    /// `body` has 24 bytes and `count` blocks.
    pub(super) fn new(body: &'a [u8], count: usize) -> Self {
        Self {
            ssrc: Ssrc(word(body, 0)),
            info: SenderInfo {
                ntp: Ntp(u64::from(word(body, 4)) << 32 | u64::from(word(body, 8))),
                rtp_timestamp: word(body, 12),
                packets: word(body, 16),
                octets: word(body, 20),
            },
            blocks: &body[24..24 + ReportBlock::LEN * count],
        }
    }

    /// What it reports of the streams it receives.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        blocks(self.blocks)
    }
}
