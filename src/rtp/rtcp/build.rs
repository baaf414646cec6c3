//! Our own compounds: SR or RR with SDES, and BYE (RFC 3550 §6.1).
//!
//! The canonical name is the caller's and should be random for each call
//! (RFC 7022): it crosses the border.

use super::receiver_report::ReportBlock;
use super::sender_report::SenderInfo;
use super::{BYE, RR, SDES, SR, sdes};
use crate::rtp::header::Ssrc;

/// A report of ours.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Our source.
    pub ssrc: Ssrc,
    /// Its canonical name, at most 255 bytes.
    pub cname: &'a str,
    /// What we have sent; `None` makes it an RR.
    pub sender: Option<SenderInfo>,
    /// What we receive; at most 31 are written.
    pub blocks: &'a [ReportBlock],
}

impl Report<'_> {
    /// Appends SR or RR, and SDES.
    pub fn write(&self, out: &mut Vec<u8>) {
        let blocks = &self.blocks[..self.blocks.len().min(31)];
        let kind = if self.sender.is_some() { SR } else { RR };
        let start = begin(out, kind, blocks.len() as u8, self.ssrc);
        if let Some(info) = self.sender {
            out.extend(info.ntp.0.to_be_bytes());
            for word in [info.rtp_timestamp, info.packets, info.octets] {
                out.extend(word.to_be_bytes());
            }
        }
        for block in blocks {
            block.write(out);
        }
        end(out, start);

        let start = begin(out, SDES, 1, self.ssrc);
        let name = &self.cname.as_bytes()[..self.cname.len().min(255)];
        out.extend([sdes::CNAME, name.len() as u8]);
        out.extend(name);
        // The list ends with a zero, and the chunk with its word.
        out.push(0);
        end(out, start);
    }
}

/// Appends a BYE of our source; it goes behind a [`Report`]. `reason` is cut
/// at 255 bytes, and left out if empty.
pub fn write_bye(out: &mut Vec<u8>, ssrc: Ssrc, reason: &str) {
    let start = begin(out, BYE, 1, ssrc);
    if !reason.is_empty() {
        let text = &reason.as_bytes()[..reason.len().min(255)];
        out.push(text.len() as u8);
        out.extend(text);
    }
    end(out, start);
}

fn begin(out: &mut Vec<u8>, kind: u8, count: u8, ssrc: Ssrc) -> usize {
    let start = out.len();
    out.extend([0x80 | count, kind, 0, 0]);
    out.extend(ssrc.0.to_be_bytes());
    start
}

/// Fills up to a word and writes the length.
fn end(out: &mut Vec<u8>, start: usize) {
    out.resize(start + (out.len() - start).next_multiple_of(4), 0);
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Ntp, Packet, Size};
    use super::*;

    const INFO: SenderInfo = SenderInfo { ntp: Ntp(0x0102_0304_0506_0708), rtp_timestamp: 9, packets: 10, octets: 11 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: Ssrc(8),
        fraction_lost: 3,
        cumulative_lost: -2,
        highest_seq: 0x1_0005,
        jitter: 12,
        last_sr: 13,
        delay_since_last_sr: 14,
    };

    #[test]
    fn writes_a_sender_report_with_its_name() {
        let mut out = Vec::new();
        Report { ssrc: Ssrc(7), cname: "abc", sender: Some(INFO), blocks: &[BLOCK] }.write(&mut out);
        assert_eq!(
            out,
            [
                0x81, 200, 0, 12, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11, //
                0, 0, 0, 8, 3, 0xff, 0xff, 0xfe, 0, 1, 0, 5, 0, 0, 0, 12, 0, 0, 0, 13, 0, 0, 0, 14, //
                0x81, 202, 0, 3, 0, 0, 0, 7, 1, 3, b'a', b'b', b'c', 0, 0, 0,
            ]
        );
    }

    #[test]
    fn what_is_written_is_read() {
        for cname in ["", "a", "ab", "abc", "abcd", &"n".repeat(400)] {
            let mut out = Vec::new();
            Report { ssrc: Ssrc(7), cname, sender: None, blocks: &[BLOCK; 40] }.write(&mut out);
            write_bye(&mut out, Ssrc(7), "gone");
            let compound = Compound::parse(&out, Size::Full).expect("our own compound");
            let packets: Vec<_> = compound.packets().collect();
            let [Packet::ReceiverReport(rr), Packet::Sdes(sdes), Packet::Bye(bye)] = packets[..] else {
                panic!("three packets were written: {packets:?}");
            };
            assert_eq!(rr.blocks().collect::<Vec<_>>(), vec![BLOCK; 31]);
            assert_eq!(sdes.cname(), Some((Ssrc(7), &cname.as_bytes()[..cname.len().min(255)])));
            assert_eq!(bye.sources().collect::<Vec<_>>(), [Ssrc(7)]);
            assert_eq!(bye.reason(), Some(&b"gone"[..]));
        }
        let mut out = Vec::new();
        Report { ssrc: Ssrc(7), cname: "x", sender: Some(INFO), blocks: &[] }.write(&mut out);
        write_bye(&mut out, Ssrc(7), "");
        let compound = Compound::parse(&out, Size::Full).expect("our own compound");
        let Some(Packet::SenderReport(sr)) = compound.packets().next() else { panic!("an SR was written") };
        assert_eq!((sr.ssrc, sr.info, sr.blocks().count()), (Ssrc(7), INFO, 0));
    }
}
