//! Messages a second: means of the last few seconds, for the status page.
//!
//! One slot a second in a ring; a slot that is met again after its time begins
//! anew. The second in progress is not counted, so that the mean does not saw.

use serde::Serialize;

use crate::base::Now;

/// Whole seconds that the means are taken of.
const SECONDS: u64 = 5;

/// Counts of the last seconds.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    slots: [(u64, [u32; KINDS]); SECONDS as usize + 1],
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request, sent or received.
    Request,
    /// A final answer of class 2xx.
    Success,
    /// 4xx.
    ClientError,
    /// 5xx.
    ServerError,
    /// 6xx.
    GlobalError,
    /// A message dropped.
    Drop,
}

const KINDS: usize = 6;

/// The means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Requests, sent and received.
    pub requests_per_sec: f64,
    /// Final answers by class, sent and received.
    pub responses_2xx_per_sec: f64,
    /// See there.
    pub responses_4xx_per_sec: f64,
    /// See there.
    pub responses_5xx_per_sec: f64,
    /// See there.
    pub responses_6xx_per_sec: f64,
    /// Messages dropped.
    pub drops_per_sec: f64,
}

impl Ring {
    /// Counts one.
    pub fn count(&mut self, now: Now, kind: Kind) {
        let second = now.mono.as_millis() / 1000;
        let slot = &mut self.slots[(second % (SECONDS + 1)) as usize];
        if slot.0 != second {
            *slot = (second, [0; KINDS]);
        }
        slot.1[kind as usize] += 1;
    }

    /// Counts an answer, if it is a final one of a class that is shown.
    pub fn response(&mut self, now: Now, status: u16) {
        let kind = match status / 100 {
            2 => Kind::Success,
            4 => Kind::ClientError,
            5 => Kind::ServerError,
            6 => Kind::GlobalError,
            _ => return,
        };
        self.count(now, kind);
    }

    /// The means at `now`.
    pub fn of(&self, now: Now) -> Rates {
        let second = now.mono.as_millis() / 1000;
        let recent = self.slots.iter().filter(|(at, _)| *at < second && second - at <= SECONDS);
        let mut sums = [0u32; KINDS];
        for (_, counts) in recent {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        let mean = |kind: Kind| f64::from(sums[kind as usize]) / SECONDS as f64;
        Rates {
            requests_per_sec: mean(Kind::Request),
            responses_2xx_per_sec: mean(Kind::Success),
            responses_4xx_per_sec: mean(Kind::ClientError),
            responses_5xx_per_sec: mean(Kind::ServerError),
            responses_6xx_per_sec: mean(Kind::GlobalError),
            drops_per_sec: mean(Kind::Drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_the_last_whole_seconds() {
        let mut ring = Ring::default();
        let at = |ms: u64| Now::from_millis(ms, 0);
        for ms in 0..10_000u64 {
            ring.count(at(ms), Kind::Request);
            if ms >= 9_000 {
                ring.response(at(ms), 486);
                ring.response(at(ms), 180);
            }
        }
        assert_eq!(ring.of(at(10_500)).requests_per_sec, 1000.0);
        assert_eq!(ring.of(at(10_500)).responses_4xx_per_sec, 200.0);
        assert_eq!(ring.of(at(12_000)).requests_per_sec, 600.0);
        assert_eq!(ring.of(at(16_000)).requests_per_sec, 0.0);
    }
}
