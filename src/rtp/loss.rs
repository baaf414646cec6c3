//! Bursts of loss (RFC 3611 §4.7.2 and A.2): a Markov chain of four states, as
//! Gilbert and Elliott have it.
//!
//! A burst is a time in which fewer than [`GMIN`] packets in a row arrive
//! between losses. The same mean loss sounds worse in bursts; a quality score
//! needs both densities and the lengths.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Packets received in a row that end a burst (RFC 3611 §4.7.2 recommends 16).
pub const GMIN: u32 = 16;

/// The counters of the chain; names are the RFC's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bursts {
    /// Received since the last loss.
    pkt: u32,
    /// Lost within the burst that may be running.
    lost: u32,
    c11: u64,
    c13: u64,
    c14: u64,
    c22: u64,
    c23: u64,
    c33: u64,
    losses: u64,
}

/// What the counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BurstReport {
    /// Share lost within bursts, 0 to 1.
    pub burst_density: f64,
    /// Share lost between bursts, 0 to 1.
    pub gap_density: f64,
    /// Mean length of a burst.
    pub burst: Duration,
    /// Mean length of a gap.
    pub gap: Duration,
    /// Bursts counted.
    pub bursts: u64,
}

impl Bursts {
    /// A chain without packets.
    pub fn new() -> Self {
        Self::default()
    }

    /// A packet arrived.
    pub fn on_received(&mut self) {
        self.pkt = self.pkt.saturating_add(1);
    }

    /// `n` packets in a row are missing.
    pub fn on_lost(&mut self, n: u16) {
        for _ in 0..n {
            self.on_one_lost();
        }
    }

    fn on_one_lost(&mut self) {
        self.losses += 1;
        if self.lost == 0 || self.pkt >= GMIN {
            // A gap ends here; before it one loss stood alone, or a burst ended.
            match self.lost {
                0 => {}
                1 => self.c14 += 1,
                _ => self.c13 += 1,
            }
            self.lost = 1;
            self.c11 += u64::from(self.pkt);
        } else {
            self.lost = self.lost.saturating_add(1);
            if self.pkt == 0 {
                self.c33 += 1;
            } else {
                self.c23 += 1;
                self.c22 += u64::from(self.pkt - 1);
            }
        }
        self.pkt = 0;
    }

    /// Densities and mean lengths; `packet` is the time that one packet holds.
    pub fn report(&self, packet: Duration) -> BurstReport {
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        // What the next loss would settle: the last losses, and the packets since.
        let c13 = self.c13 + u64::from(self.lost > 1);
        let c14 = self.c14 + u64::from(self.lost == 1);
        let in_gaps = self.c11 + c14 + if self.pkt >= GMIN { u64::from(self.pkt) } else { 0 };
        let (c31, c32) = (c13, self.c23);
        let in_bursts = self.c22 + self.c23 + c31 + c32 + self.c33;
        let p32 = ratio(c32, c31 + c32 + self.c33);
        let p23 = if self.c22 + self.c23 == 0 { 1.0 } else { 1.0 - ratio(self.c22, self.c22 + self.c23) };
        let mean = |packets: u64| {
            let each = ratio(packets, c13.max(1));
            Duration::from_nanos((each * packet.as_nanos() as f64) as u64)
        };
        BurstReport {
            burst_density: if c13 == 0 { 0.0 } else { p23 / (p23 + p32) },
            gap_density: ratio(c14, in_gaps),
            burst: mean(in_bursts),
            gap: mean(in_gaps),
            bursts: c13,
        }
    }

    /// Packets lost in all.
    pub fn losses(&self) -> u64 {
        self.losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    fn run(pattern: &[(u32, u16)]) -> BurstReport {
        let mut bursts = Bursts::new();
        for (received, lost) in pattern {
            for _ in 0..*received {
                bursts.on_received();
            }
            bursts.on_lost(*lost);
        }
        bursts.report(PACKET)
    }

    #[test]
    fn single_losses_far_apart_are_a_gap() {
        let report = run(&[(100, 1), (99, 1), (99, 1), (99, 1), (100, 0)]);
        assert_eq!((report.burst_density, report.bursts, report.burst), (0.0, 0, Duration::ZERO));
        assert_eq!(report.gap_density, 4.0 / 501.0);
    }

    #[test]
    fn losses_close_together_are_a_burst() {
        // Five losses with one received between each, and one far from them.
        let report = run(&[(100, 1), (1, 1), (1, 1), (1, 1), (1, 1), (100, 1), (50, 0)]);
        assert!((report.burst_density - 5.0 / 9.0).abs() < 1e-9, "{report:?}");
        assert_eq!(report.gap_density, 1.0 / 251.0);
        assert_eq!((report.bursts, report.burst), (1, 9 * PACKET));
        assert_eq!(report.gap, 251 * PACKET);
    }

    #[test]
    fn losses_in_a_row_are_a_burst_of_density_one() {
        let report = run(&[(50, 10), (50, 10), (50, 10), (50, 0)]);
        assert_eq!(report.burst_density, 1.0);
        assert_eq!((report.bursts, report.burst), (3, 10 * PACKET));
    }

    #[test]
    fn nothing_lost_is_no_burst() {
        let report = run(&[(1000, 0)]);
        assert_eq!((report.burst_density, report.gap_density, report.bursts), (0.0, 0.0, 0));
        assert_eq!(Bursts::new().report(PACKET), BurstReport::default());
    }
}
