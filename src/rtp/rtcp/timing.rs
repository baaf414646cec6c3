//! Times in reports: NTP, and the round trip from a report's echo
//! (RFC 3550 §4 and §6.4.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::receiver_report::ReportBlock;
use crate::base::{Instant, UnixMillis};

/// Seconds from 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;

/// A 64-bit NTP time: seconds since 1900 and their fraction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ntp(pub u64);

impl Ntp {
    /// The NTP time of a wall time; wraps in 2036, as the format does.
    pub const fn from_unix(at: UnixMillis) -> Self {
        let (secs, ms) = (at.0 / 1000, at.0 % 1000);
        Self(((secs + EPOCH) << 32) | ((ms << 32) / 1000))
    }

    /// The middle 32 bits: 1/65536 s, as report blocks echo it.
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// The last SR of a source, to be echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    ntp: Ntp,
    came: Instant,
}

impl LastReport {
    /// An SR with `ntp` that came at `now`.
    pub const fn new(ntp: Ntp, now: Instant) -> Self {
        Self { ntp, came: now }
    }

    /// Fills a block's echo.
    pub fn fill(&self, now: Instant, block: &mut ReportBlock) {
        block.last_sr = self.ntp.middle();
        let nanos = now.since(self.came).as_nanos();
        block.delay_since_last_sr = (nanos * 65_536 / 1_000_000_000).min(u128::from(u32::MAX)) as u32;
    }
}

/// The round trip that a block about our stream shows, if it echoes an SR of
/// ours; `now` is the wall time of its arrival. Zero if the clocks disagree;
/// nothing if it is over a minute, which is another clock.
pub fn round_trip(now: UnixMillis, block: &ReportBlock) -> Option<Duration> {
    if block.last_sr == 0 {
        return None;
    }
    let spent = Ntp::from_unix(now).middle().wrapping_sub(block.last_sr);
    let trip = (spent.wrapping_sub(block.delay_since_last_sr) as i32).max(0) as u64;
    (trip < 60 << 16).then(|| Duration::from_micros(trip * 1_000_000 / 65_536))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_gives_the_round_trip() {
        let sent = UnixMillis(1_795_189_440_000);
        let mut block = ReportBlock::default();
        assert_eq!(round_trip(sent, &block), None, "no report was echoed");
        // The peer gets our SR, waits 1,500 ms, and its RR comes 1,580 ms after the SR left.
        LastReport::new(Ntp::from_unix(sent), Instant::from_millis(10)).fill(Instant::from_millis(1510), &mut block);
        assert_eq!(block.delay_since_last_sr, 98_304);
        let trip = round_trip(UnixMillis(sent.0 + 1580), &block).expect("an echo");
        assert!((trip.as_millis() as i64 - 80).abs() <= 1, "{trip:?}");
        assert_eq!(round_trip(UnixMillis(sent.0 + 1000), &block), Some(Duration::ZERO));
        assert_eq!(round_trip(UnixMillis(sent.0 + 600_000), &block), None);
    }

    #[test]
    fn ntp_counts_from_1900() {
        assert_eq!(Ntp::from_unix(UnixMillis(0)).0 >> 32, EPOCH);
        assert_eq!(Ntp::from_unix(UnixMillis(500)).0 & 0xffff_ffff, 0x8000_0000);
        assert_eq!(Ntp::from_unix(UnixMillis(500)).middle(), 0x7e80_8000);
    }
}
