//! The timers of RFC 3261 §17 and RFC 6026, by their letters.
//!
//! A leaf machine asks for a timer by name and duration; the table keeps the
//! deadlines. [`Timing`] turns T1, T2 and T4 into the value of each letter, in
//! one place, so that a letter cannot mean two things.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A timer of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// INVITE client over UDP: the request again, T1 doubling (§17.1.1.2).
    A,
    /// INVITE client: nobody answered for 64*T1 (§17.1.1.2).
    B,
    /// A call that rings: the proxy's limit on an INVITE (§16.6). It belongs to
    /// the call, not to a transaction; the letter is here for completeness.
    C,
    /// INVITE client: waits for repeated non-2xx finals, 32 s or 0 (§17.1.1.2).
    D,
    /// Non-INVITE client over UDP: the request again, T1 doubling to T2 (§17.1.2.2).
    E,
    /// Non-INVITE client: no final answer for 64*T1 (§17.1.2.2).
    F,
    /// INVITE server over UDP: the non-2xx final again, T1 doubling to T2 (§17.2.1).
    G,
    /// INVITE server: no ACK for 64*T1 (§17.2.1).
    H,
    /// INVITE server: waits for repeated ACKs, T4 or 0 (§17.2.1).
    I,
    /// Non-INVITE server: waits for repeated requests, 64*T1 or 0 (§17.2.2).
    J,
    /// Non-INVITE client: waits for repeated finals, T4 or 0 (§17.1.2.2).
    K,
    /// INVITE server: absorbs repeated INVITEs after a 2xx, 64*T1 (RFC 6026 §7.1).
    L,
    /// INVITE client: collects the 2xx of every fork, 64*T1 (RFC 6026 §7.2).
    M,
    /// Non-INVITE server without an answer: 100 when the client's timer E has
    /// reached T2 (RFC 4320 §4.1).
    Trying,
    /// Non-INVITE server without an answer: the client's timer F has fired, so
    /// that no answer is of use any more (RFC 4320 §4.2).
    Late,
    /// INVITE client whose CANCEL was sent: no final for 64*T1 (RFC 3261 §9.1).
    Cancel,
}

impl Timer {
    /// Every timer, in order of its number.
    pub const ALL: [Self; 16] = [
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
        Self::Trying,
        Self::Late,
        Self::Cancel,
    ];

    /// The bit of this timer in a set of timers.
    pub const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// T1, T2 and T4 (RFC 3261 appendix A), milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Estimate of the round trip; 500.
    pub t1_ms: u32,
    /// Longest interval of repeated non-INVITE requests and INVITE responses; 4000.
    pub t2_ms: u32,
    /// Longest time a message stays in the network; 5000.
    pub t4_ms: u32,
}

impl Timing {
    /// The values of RFC 3261 table 4.
    pub const RFC: Self = Self { t1_ms: 500, t2_ms: 4000, t4_ms: 5000 };

    /// The first interval of timers A, E and G.
    pub const fn first(self) -> Duration {
        Duration::from_millis(self.t1_ms as u64)
    }

    /// The interval that follows `interval` for timer A: doubled, not capped.
    pub const fn doubled(interval: Duration) -> Duration {
        interval.saturating_mul(2)
    }

    /// The interval that follows `interval` for timers E and G: doubled up to T2.
    pub fn doubled_to_t2(self, interval: Duration) -> Duration {
        interval.saturating_mul(2).min(self.t2())
    }

    /// T2.
    pub const fn t2(self) -> Duration {
        Duration::from_millis(self.t2_ms as u64)
    }

    /// Timers B, F, H, J over UDP, L, M and the wait after CANCEL: 64*T1.
    pub const fn give_up(self) -> Duration {
        Duration::from_millis(64 * self.t1_ms as u64)
    }

    /// Timer D over UDP. RFC 3261 §17.1.1.2 asks for at least 32 s; the peer's
    /// timer H is 64 of its T1, so a longer T1 of ours makes it longer.
    pub fn d(self) -> Duration {
        self.give_up().max(Duration::from_secs(32))
    }

    /// Timers I and K over UDP: T4.
    pub const fn t4(self) -> Duration {
        Duration::from_millis(self.t4_ms as u64)
    }

    /// When a peer's timer E has been reset to T2, counted from its first
    /// request (RFC 4320 §4.1): T1 + 2*T1 + ... up to the first that is T2.
    pub fn trying(self) -> Duration {
        let (mut interval, mut at) = (self.first(), Duration::ZERO);
        while interval < self.t2() && !interval.is_zero() {
            at += interval;
            interval = interval.saturating_mul(2);
        }
        at
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::RFC
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_have_the_values_of_table_4() {
        let t = Timing::RFC;
        assert_eq!(t.first(), Duration::from_millis(500));
        assert_eq!(t.give_up(), Duration::from_secs(32));
        assert_eq!(t.d(), Duration::from_secs(32));
        assert_eq!(t.t4(), Duration::from_secs(5));
        assert_eq!(t.trying(), Duration::from_millis(3500));
    }

    #[test]
    fn e_and_g_double_up_to_t2_and_a_without_end() {
        let t = Timing::RFC;
        let mut seen = vec![t.first()];
        for _ in 0..5 {
            seen.push(t.doubled_to_t2(seen[seen.len() - 1]));
        }
        let ms: Vec<_> = seen.iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(Timing::doubled(Duration::from_secs(16)), Duration::from_secs(32));
    }

    #[test]
    fn every_timer_has_its_own_bit() {
        let all = Timer::ALL.iter().fold(0u16, |all, t| all ^ t.bit());
        assert_eq!(all, u16::MAX);
    }

    #[test]
    fn a_zero_t1_does_not_hang() {
        assert_eq!(Timing { t1_ms: 0, t2_ms: 4000, t4_ms: 5000 }.trying(), Duration::ZERO);
    }
}
