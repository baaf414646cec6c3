//! Interarrival jitter (RFC 3550 §6.4.1 and A.8), in clock units.
//!
//! Feed it packets whose timestamps rise with time: not telephone events, whose
//! timestamp stands still.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Instant;

/// The jitter of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jitter {
    clock_hz: u32,
    transit: Option<u32>,
    /// Sixteen times the jitter.
    scaled: u32,
}

impl Jitter {
    /// No packets yet; `clock_hz` is the payload type's clock, at least 1.
    pub fn new(clock_hz: u32) -> Self {
        Self { clock_hz: clock_hz.max(1), transit: None, scaled: 0 }
    }

    /// Follows a change of clock; the estimate is carried over.
    pub fn set_clock(&mut self, clock_hz: u32) {
        let clock_hz = clock_hz.max(1);
        if clock_hz != self.clock_hz {
            let scaled = u64::from(self.scaled) * u64::from(clock_hz) / u64::from(self.clock_hz);
            *self = Self { clock_hz, transit: None, scaled: scaled.min(u64::from(u32::MAX)) as u32 };
        }
    }

    /// Takes a packet's timestamp and its time of arrival.
    pub fn on_packet(&mut self, now: Instant, timestamp: u32) {
        let arrival = (u128::from(now.0) * u128::from(self.clock_hz) / 1_000_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let d = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of over ten seconds is another time base, not jitter.
            if u64::from(d) > 10 * u64::from(self.clock_hz) {
                return;
            }
            self.scaled = self.scaled - ((self.scaled + 8) >> 4) + d;
        }
    }

    /// Forgets the last packet, not the estimate: after a restart of the sender.
    pub fn restart(&mut self) {
        self.transit = None;
    }

    /// The jitter in clock units, as RTCP reports it.
    pub fn units(&self) -> u32 {
        self.scaled >> 4
    }

    /// The jitter as time.
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(u64::from(self.scaled) * 1_000_000_000 / 16 / u64::from(self.clock_hz))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zero_for_an_even_stream_and_grows_with_variance() {
        let mut jitter = Jitter::new(8000);
        for n in 0..100u32 {
            let ts = (u32::MAX - 160 * 50).wrapping_add(n * 160);
            jitter.on_packet(Instant::from_millis(u64::from(n) * 20), ts);
        }
        assert_eq!((jitter.units(), jitter.duration()), (0, Duration::ZERO));
        // Every other packet 10 ms late: differences of 80 units.
        for n in 100..400u32 {
            let late = if n % 2 == 0 { 10 } else { 0 };
            let ts = (u32::MAX - 160 * 50).wrapping_add(n * 160);
            jitter.on_packet(Instant::from_millis(u64::from(n) * 20 + late), ts);
        }
        assert_eq!(jitter.units(), 79);
        assert_eq!(jitter.duration().as_millis(), 9);
        jitter.set_clock(48_000);
        assert_eq!(jitter.duration().as_millis(), 9, "the estimate outlives a change of clock");
    }

    #[test]
    fn another_time_base_is_not_jitter() {
        let mut jitter = Jitter::new(8000);
        jitter.on_packet(Instant::from_millis(0), 0);
        jitter.on_packet(Instant::from_millis(20), 0x7000_0000);
        jitter.on_packet(Instant::from_millis(40), 0x7000_00a0);
        assert_eq!(jitter.units(), 0);
    }
}
