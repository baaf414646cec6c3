//! A token bucket with exact integer arithmetic.
//!
//! The level is kept in nanotokens, so that `elapsed nanoseconds * tokens a
//! second` is the refill without rounding: after any number of calls, and
//! after years of uptime, the tokens handed out are exactly those the rate
//! allows. A bucket is sixteen bytes and does not know its rate; whoever owns
//! it passes the rate in, which lets a reload change rates under live buckets.
//!
//! In: the time and the rate. Out: may this one pass. It counts nothing else.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::base::Instant;

/// Nanotokens in a token.
const TOKEN: u64 = 1_000_000_000;

/// How much is left of a [`Rate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    level: u64,
    at: Instant,
}

impl Bucket {
    /// A bucket that has been left alone for long: a whole burst is there.
    pub fn full(now: Instant, rate: Rate) -> Self {
        Self { level: rate.capacity(), at: now }
    }

    /// Takes one token; false, and nothing taken, if there is none.
    pub fn take(&mut self, now: Instant, rate: Rate) -> bool {
        self.level = self.level_at(now, rate);
        // A stamp from before the last one refills nothing and must not let
        // the same time be counted twice.
        self.at = self.at.max(now);
        match self.level.checked_sub(TOKEN) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }

    /// True if [`take`](Self::take) would succeed.
    pub fn has_token(&self, now: Instant, rate: Rate) -> bool {
        self.level_at(now, rate) >= TOKEN
    }

    /// Whole tokens there at `now`.
    pub fn tokens(&self, now: Instant, rate: Rate) -> u32 {
        (self.level_at(now, rate) / TOKEN) as u32
    }

    /// Time until the next token; zero if there is one.
    pub fn wait(&self, now: Instant, rate: Rate) -> Duration {
        let missing = TOKEN.saturating_sub(self.level_at(now, rate));
        Duration::from_nanos(missing.div_ceil(u64::from(rate.per_sec.get())))
    }

    fn level_at(&self, now: Instant, rate: Rate) -> u64 {
        let elapsed = now.since(self.at).as_nanos() as u64;
        // Saturation only ever meets the cap: a burst is below u64::MAX nanotokens.
        let refill = elapsed.saturating_mul(u64::from(rate.per_sec.get()));
        self.level.saturating_add(refill).min(rate.capacity())
    }
}

/// A rate and how far it may be exceeded for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Tokens a second.
    pub per_sec: NonZeroU32,
    /// Tokens that may be used at once after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// `per_sec` a second with bursts of `burst`; `None` if either is zero.
    pub const fn new(per_sec: u32, burst: u32) -> Option<Self> {
        match (NonZeroU32::new(per_sec), NonZeroU32::new(burst)) {
            (Some(per_sec), Some(burst)) => Some(Self { per_sec, burst }),
            _ => None,
        }
    }

    /// The rate and its burst times `factor`, saturating.
    #[must_use]
    pub const fn times(self, factor: NonZeroU32) -> Self {
        Self { per_sec: self.per_sec.saturating_mul(factor), burst: self.burst.saturating_mul(factor) }
    }

    const fn capacity(self) -> u64 {
        self.burst.get() as u64 * TOKEN
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_sec: u32, burst: u32) -> Rate {
        Rate::new(per_sec, burst).expect("both above zero")
    }

    #[test]
    fn a_rate_of_nothing_is_no_rate() {
        assert_eq!(Rate::new(0, 5), None);
        assert_eq!(Rate::new(5, 0), None);
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let r = rate(2, 3);
        let mut b = Bucket::full(Instant::ZERO, r);
        let taken: Vec<bool> = (0..4).map(|_| b.take(Instant::ZERO, r)).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert_eq!(b.wait(Instant::ZERO, r), Duration::from_millis(500));
        assert!(!b.take(Instant::from_millis(499), r));
        assert!(b.take(Instant::from_millis(500), r));
        assert!(!b.take(Instant::from_millis(999), r));
        assert!(b.take(Instant::from_millis(1000), r));
    }

    #[test]
    fn thirds_of_a_second_lose_nothing_in_a_day() {
        let r = rate(3, 1);
        let mut b = Bucket::full(Instant::ZERO, r);
        let mut passed = 0;
        for ms in 0..86_400_u64 * 10 {
            passed += u64::from(b.take(Instant::from_millis(ms * 100), r));
        }
        // Asked every 100 ms, a burst of one gives a token each 400 ms: the
        // part of a token left over is capped away, never rounded away.
        assert_eq!(passed, 86_400 * 10 / 4);
        let r = rate(3, 2);
        let mut b = Bucket::full(Instant::ZERO, r);
        let passed = (0..86_400_u64 * 10).filter(|i| b.take(Instant::from_millis(i * 100), r)).count();
        assert_eq!(passed as u64, 86_400 * 3 + 1);
    }

    #[test]
    fn time_that_steps_back_refills_nothing() {
        let r = rate(1, 1);
        let mut b = Bucket::full(Instant::from_millis(5000), r);
        assert!(b.take(Instant::from_millis(5000), r));
        assert!(!b.take(Instant::from_millis(1000), r));
        assert!(!b.take(Instant::from_millis(5999), r));
        assert!(b.take(Instant::from_millis(6000), r));
    }

    proptest! {
        /// Over any sequence of times nobody gets more than burst + rate * time,
        /// and an always hungry taker gets within one token of it.
        #[test]
        fn never_more_than_the_rate_allows(
            per_sec in 1_u32..5000, burst in 1_u32..500,
            steps in prop::collection::vec(0_u64..50_000_000_000, 1..60),
        ) {
            let r = rate(per_sec, burst);
            let mut now = Instant::ZERO;
            let mut b = Bucket::full(now, r);
            let mut passed = 0_u128;
            for step in steps {
                now += Duration::from_nanos(step);
                for _ in 0..burst + 1 {
                    passed += u128::from(b.take(now, r));
                }
                prop_assert!(!b.has_token(now, r));
            }
            let allowed = u128::from(burst) * 1_000_000_000 + u128::from(now.0) * u128::from(per_sec);
            prop_assert!(passed * 1_000_000_000 <= allowed);
        }

        /// The same stretch of time refills the same, in one step or in many.
        #[test]
        fn refill_does_not_depend_on_how_often_one_asks(
            per_sec in 1_u32..1000, cuts in prop::collection::vec(1_u64..1_000_000_000, 1..40),
        ) {
            let r = rate(per_sec, u32::MAX);
            let empty = Bucket { level: 0, at: Instant::ZERO };
            let (mut often, mut now) = (empty, Instant::ZERO);
            let mut taken = 0;
            for cut in cuts {
                now += Duration::from_nanos(cut);
                taken += u32::from(often.take(now, r));
            }
            prop_assert_eq!(often.tokens(now, r) + taken, empty.tokens(now, r));
        }

        #[test]
        fn decades_do_not_overflow(per_sec in 1_u32.., burst in 1_u32.., at in any::<u64>()) {
            let r = rate(per_sec, burst);
            let b = Bucket { level: 0, at: Instant::ZERO };
            prop_assert!(b.tokens(Instant(at), r) <= burst);
        }
    }
}
