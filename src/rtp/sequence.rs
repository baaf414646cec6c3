//! Statistics of a received stream: RFC 3550 A.1 (extended sequence numbers)
//! and A.3 (loss), without the probation, since a stream that reaches us was
//! proved by signalling, ICE or SRTP.
//!
//! A late packet counts as reordered, a packet seen twice as a duplicate; a
//! jump too far is believed when its successor follows (A.1), and then counts
//! as a restart of the sender and not as loss.

use serde::{Deserialize, Serialize};

use super::rtcp::ReportBlock;

/// A gap up to which packets count as lost and not as a restart (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3000;

/// How far behind a packet still counts as reordered; the width of the window
/// in which duplicates are told apart.
const MAX_MISORDER: u16 = 128;

/// What a sequence number says about its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The first packet of all, or the first after a restart of the sender.
    First,
    /// The next one, after `lost` that are missing.
    Next {
        /// Packets between the highest one and this.
        lost: u16,
    },
    /// One that was missing, late.
    Late,
    /// One that was received already.
    Duplicate,
    /// Too far from the others; believed if its successor follows.
    Jump,
}

/// The tracker of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    stream: Option<Stream>,
    totals: Totals,
}

/// Counts over the whole life of a tracker, restarts included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Packets received, duplicates included (RFC 3550 A.3).
    pub received: u64,
    /// Packets received again.
    pub duplicates: u64,
    /// Packets received behind a later one.
    pub reordered: u64,
    /// Times the sender started anew.
    pub restarts: u64,
    /// Packets missing in streams that ended by a restart.
    lost_before: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stream {
    /// Extended number of the first packet. Extended numbers start one cycle
    /// up, so that a packet from before the first one has a number, too.
    base: u64,
    highest: u64,
    /// Bit n of the 128 is set if `highest - n` was received.
    window: [u64; 2],
    /// Duplicates included, as RTCP counts.
    received: u64,
    duplicates: u64,
    /// The number that would confirm a jump.
    bad_seq: Option<u16>,
    /// At the last report (RFC 3550 A.3).
    expected_prior: u64,
    received_prior: u64,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the sequence number of a packet.
    pub fn on_packet(&mut self, seq: u16) -> Seen {
        let Some(stream) = &mut self.stream else {
            self.totals.received += 1;
            self.stream = Some(Stream::starting(seq));
            return Seen::First;
        };
        let ahead = seq.wrapping_sub(stream.highest as u16);
        let behind = ahead.wrapping_neg();
        let seen = if ahead == 0 {
            Seen::Duplicate
        } else if ahead < MAX_DROPOUT {
            stream.advance(ahead);
            Seen::Next { lost: ahead - 1 }
        } else if behind < MAX_MISORDER {
            if stream.mark(behind) { Seen::Late } else { Seen::Duplicate }
        } else if stream.bad_seq == Some(seq) {
            // RFC 3550 A.1: two in a row, the other side started anew.
            self.totals.lost_before += stream.missing();
            self.totals.restarts += 1;
            self.totals.received += 1;
            self.stream = Some(Stream::starting(seq));
            return Seen::First;
        } else {
            stream.bad_seq = Some(seq.wrapping_add(1));
            return Seen::Jump;
        };
        stream.bad_seq = None;
        stream.received += 1;
        self.totals.received += 1;
        match seen {
            Seen::Duplicate => {
                stream.duplicates += 1;
                self.totals.duplicates += 1;
            }
            Seen::Late => self.totals.reordered += 1,
            Seen::First | Seen::Next { .. } | Seen::Jump => {}
        }
        seen
    }

    /// Counts over the tracker's life.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Packets missing and not merely late; duplicates do not make up for them.
    pub fn lost(&self) -> u64 {
        self.totals.lost_before + self.stream.as_ref().map_or(0, Stream::missing)
    }

    /// Packets that should have come, in the stream that is running.
    pub fn expected(&self) -> u64 {
        self.stream.as_ref().map_or(0, Stream::expected)
    }

    /// The extended highest sequence number as RTCP has it; 0 before the first.
    pub fn highest(&self) -> u32 {
        self.stream.as_ref().map_or(0, |s| (s.highest - CYCLE) as u32)
    }

    /// The loss part of a report block, and the start of the next interval
    /// (RFC 3550 A.3); `None` before the first packet.
    pub fn report(&mut self) -> Option<LossReport> {
        let stream = self.stream.as_mut()?;
        let (expected, received) = (stream.expected(), stream.received);
        let interval_expected = expected - stream.expected_prior;
        let interval_received = received - stream.received_prior;
        let lost = interval_expected.saturating_sub(interval_received);
        (stream.expected_prior, stream.received_prior) = (expected, received);
        Some(LossReport {
            // Eight bits of a fraction below one: 255 is 99.6 %.
            fraction_lost: (lost * 256).checked_div(interval_expected).unwrap_or(0).min(255) as u8,
            // RFC 3550 §6.4.1: signed, 24 bits, clamped; duplicates make it negative.
            cumulative_lost: (expected as i64 - received as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: (stream.highest - CYCLE) as u32,
        })
    }
}

/// The loss part of an RTCP report block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossReport {
    /// Lost in the interval, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the stream began; negative with duplicates.
    pub cumulative_lost: i32,
    /// Extended highest sequence number.
    pub highest: u32,
}

impl LossReport {
    /// Fills a block's loss fields.
    pub fn fill(&self, block: &mut ReportBlock) {
        block.fraction_lost = self.fraction_lost;
        block.cumulative_lost = self.cumulative_lost;
        block.highest_seq = self.highest;
    }
}

const CYCLE: u64 = 1 << 16;

impl Stream {
    fn starting(seq: u16) -> Self {
        let at = CYCLE + u64::from(seq);
        Self {
            base: at,
            highest: at,
            window: [1, 0],
            received: 1,
            duplicates: 0,
            bad_seq: None,
            expected_prior: 0,
            received_prior: 0,
        }
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    fn missing(&self) -> u64 {
        self.expected().saturating_sub(self.received - self.duplicates)
    }

    fn advance(&mut self, by: u16) {
        self.highest += u64::from(by);
        let bits = if by < MAX_MISORDER { self.bits() << by | 1 } else { 1 };
        self.window = [bits as u64, (bits >> 64) as u64];
    }

    /// Marks the packet `behind` the highest; false if it was received before.
    fn mark(&mut self, behind: u16) -> bool {
        let bits = self.bits();
        if bits >> behind & 1 == 1 {
            return false;
        }
        let bits = bits | 1 << behind;
        self.window = [bits as u64, (bits >> 64) as u64];
        // A packet from before the first: the stream began earlier than it looked.
        self.base = self.base.min(self.highest - u64::from(behind));
        true
    }

    fn bits(&self) -> u128 {
        u128::from(self.window[1]) << 64 | u128::from(self.window[0])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feed(tracker: &mut Tracker, seqs: &[u16]) -> Vec<Seen> {
        seqs.iter().map(|s| tracker.on_packet(*s)).collect()
    }

    #[test]
    fn tells_loss_reordering_and_duplicates_apart() {
        let mut t = Tracker::new();
        let seen = feed(&mut t, &[65_534, 65_535, 2, 1, 2, 1, 3]);
        let next = |lost| Seen::Next { lost };
        assert_eq!(seen, [Seen::First, next(0), next(2), Seen::Late, Seen::Duplicate, Seen::Duplicate, next(0)]);
        assert_eq!((t.expected(), t.lost(), t.highest()), (6, 1, 0x1_0003));
        let totals = t.totals();
        assert_eq!((totals.received, totals.duplicates, totals.reordered), (7, 2, 1));
    }

    #[test]
    fn reports_the_fraction_of_each_interval() {
        let mut t = Tracker::new();
        assert_eq!(t.report(), None);
        feed(&mut t, &(0..100).filter(|s| s % 4 != 3).collect::<Vec<_>>());
        let first = t.report().expect("packets came");
        assert_eq!(first, LossReport { fraction_lost: 62, cumulative_lost: 24, highest: 98 });
        feed(&mut t, &(99..199).collect::<Vec<_>>());
        let second = t.report().expect("packets came");
        assert_eq!(second, LossReport { fraction_lost: 0, cumulative_lost: 24, highest: 198 });
        assert_eq!(t.report().map(|r| r.fraction_lost), Some(0), "an interval without packets");
        feed(&mut t, &[198, 198, 198]);
        assert_eq!(t.report().map(|r| r.cumulative_lost), Some(21), "as RFC 3550 counts duplicates");
        assert_eq!(t.lost(), 24);
    }

    #[test]
    fn one_stray_number_is_ignored_and_two_are_a_restart() {
        let mut t = Tracker::new();
        feed(&mut t, &[10, 12]);
        assert_eq!(feed(&mut t, &[40_000, 13]), [Seen::Jump, Seen::Next { lost: 0 }]);
        assert_eq!(feed(&mut t, &[30_000, 30_001, 30_002]), [Seen::Jump, Seen::First, Seen::Next { lost: 0 }]);
        assert_eq!((t.totals().restarts, t.expected(), t.highest()), (1, 2, 30_002));
        assert_eq!(t.totals().lost_before, 1);
    }

    #[test]
    fn a_packet_from_before_the_first_moves_the_base() {
        let mut t = Tracker::new();
        assert_eq!(feed(&mut t, &[0, 65_535]), [Seen::First, Seen::Late]);
        assert_eq!((t.expected(), t.lost(), t.highest()), (2, 0, 0));
    }

    proptest! {
        #[test]
        fn never_counts_more_lost_than_expected(seqs in prop::collection::vec(any::<u16>(), 0..300), near: bool) {
            let mut t = Tracker::new();
            for (n, seq) in seqs.iter().enumerate() {
                t.on_packet(if near { (n as u16).wrapping_add(seq % 40) } else { *seq });
                prop_assert!(t.lost() <= t.expected() + t.totals().lost_before);
                if n % 50 == 7 {
                    let _ = t.report();
                }
            }
        }
    }
}
