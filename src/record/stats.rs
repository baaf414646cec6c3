//! What each trunk did in the last quarter of an hour: ASR, NER, ACD, PDD, MOS.
//!
//! A ring of 15 minutes a trunk. A value covers the running minute and the 14
//! before it, so that a rate has between 14 and 15 minutes behind it. An
//! attempt counts for the trunk it went to, a call for the one it came from,
//! when their records are final (ITU-T E.425: ASR and NER by their outcome).

use serde::Serialize;

use super::fold::{Attempt, Fold};
use super::journal::Closed;
use super::outcome::{Outcome, attempt_outcome, session_outcome};
use crate::base::{Now, TrunkId};

/// All trunks.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    trunks: Vec<Ring>,
    /// Attempts and calls of the whole engine in each of the last seconds.
    seconds: [(u64, u32); CPS_SECS],
}

#[derive(Clone, Debug, Default)]
struct Ring {
    minutes: [Minute; MINUTES],
    seconds: [(u64, u32); CPS_SECS],
}

/// Sums of one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    /// Which minute of the monotonic clock, counted from 1; 0 is unused.
    number: u64,
    attempts: u32,
    answered: u32,
    effective: u32,
    talks: u32,
    talk_ms: u64,
    scores: u32,
    score_sum: f64,
    pdd: [u32; PDD_MS.len() + 1],
}

/// A trunk's numbers as the API shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TrunkStats {
    /// Attempts and calls that became final.
    pub attempts: u32,
    /// Begun a second, mean of the last 10 s.
    pub cps: f64,
    /// Answered of all.
    pub asr_ratio: Option<f64>,
    /// Answered, busy, unanswered, declined or given up, of all.
    pub ner_ratio: Option<f64>,
    /// Mean length of answered calls.
    pub acd_secs: Option<f64>,
    /// 95th percentile of post-dial delay.
    pub pdd_p95_ms: Option<u64>,
    /// Mean MOS of calls that ended.
    pub mos_avg: Option<f64>,
}

impl Stats {
    /// Room for `trunks` trunks.
    pub fn new(trunks: usize) -> Self {
        Self { trunks: vec![Ring::default(); trunks], seconds: Default::default() }
    }

    /// Makes room for more trunks; what is known of the others stays.
    pub fn resize(&mut self, trunks: usize) {
        self.trunks.resize_with(trunks, Ring::default);
    }

    /// Counts the beginning of a call or attempt for calls a second; `None`: the call itself.
    pub fn begun(&mut self, at: Now, trunk: Option<TrunkId>, call: bool) {
        if call {
            tick(&mut self.seconds, at);
        }
        if let Some(ring) = trunk.and_then(|t| self.trunks.get_mut(usize::from(t.0))) {
            tick(&mut ring.seconds, at);
        }
    }

    /// Counts what became final.
    pub fn feed(&mut self, at: Now, fold: &Fold, closed: &[Closed]) {
        for closed in closed {
            match closed {
                Closed::Attempt(number) => self.attempt(at, fold, *number),
                Closed::Session => self.session(at, fold),
            }
        }
    }

    fn attempt(&mut self, at: Now, fold: &Fold, number: u8) {
        let Some(attempt) = fold.attempt(number) else { return };
        let (Some(minute), Some((outcome, _))) = (self.minute(at, attempt.trunk()), attempt_outcome(fold, attempt))
        else {
            return;
        };
        let times = fold.attempt_times(attempt);
        minute.count(outcome, times.talk_ms, times.pdd_ms);
        if outcome == Outcome::Answered {
            minute.score(fold);
        }
    }

    fn session(&mut self, at: Now, fold: &Fold) {
        // A call from a trunk to itself has been counted by its attempt.
        if fold.trunk.is_none() || fold.leading().and_then(Attempt::trunk) == fold.trunk {
            return;
        }
        let (Some(minute), Some((outcome, _))) = (self.minute(at, fold.trunk), session_outcome(fold)) else { return };
        let times = fold.times();
        minute.count(outcome, times.talk_ms, times.pdd_ms);
        if outcome == Outcome::Answered {
            minute.score(fold);
        }
    }

    fn minute(&mut self, at: Now, trunk: Option<TrunkId>) -> Option<&mut Minute> {
        let ring = self.trunks.get_mut(usize::from(trunk?.0))?;
        let number = minute_of(at);
        let minute = &mut ring.minutes[(number % MINUTES as u64) as usize];
        if minute.number != number {
            *minute = Minute { number, ..Minute::default() };
        }
        Some(minute)
    }

    /// A trunk's numbers now.
    pub fn trunk(&self, at: Now, trunk: TrunkId) -> TrunkStats {
        let Some(ring) = self.trunks.get(usize::from(trunk.0)) else { return TrunkStats::default() };
        let oldest = minute_of(at).saturating_sub(MINUTES as u64 - 1);
        let mut sum = Minute::default();
        for minute in ring.minutes.iter().filter(|m| m.number >= oldest.max(1)) {
            sum.add(minute);
        }
        let of = |part: u32| (sum.attempts > 0).then(|| super::cdr::ratio(part.into(), sum.attempts.into()));
        let mean = |total: f64, n: u32| (n > 0).then(|| (total / f64::from(n) * 100.0).round() / 100.0);
        TrunkStats {
            attempts: sum.attempts,
            cps: rate(&ring.seconds, at),
            asr_ratio: of(sum.answered),
            ner_ratio: of(sum.effective),
            acd_secs: mean(sum.talk_ms as f64 / 1000.0, sum.talks),
            pdd_p95_ms: p95(&sum.pdd),
            mos_avg: mean(sum.score_sum, sum.scores),
        }
    }

    /// Calls a second of the engine, mean of the last 10 s.
    pub fn cps(&self, at: Now) -> f64 {
        rate(&self.seconds, at)
    }
}

impl Minute {
    fn count(&mut self, outcome: Outcome, talk_ms: Option<u64>, pdd_ms: Option<u64>) {
        self.attempts += 1;
        self.answered += u32::from(outcome == Outcome::Answered);
        self.effective += u32::from(outcome.is_effective());
        if let Some(ms) = talk_ms {
            self.talks += 1;
            self.talk_ms += ms;
        }
        if let Some(ms) = pdd_ms {
            self.pdd[PDD_MS.partition_point(|bound| *bound < ms)] += 1;
        }
    }

    fn score(&mut self, fold: &Fold) {
        for mos in fold.reports.iter().flat_map(|r| r.iter()).filter_map(|r| r.mos) {
            self.scores += 1;
            self.score_sum += f64::from(mos);
        }
    }

    fn add(&mut self, more: &Self) {
        self.attempts += more.attempts;
        self.answered += more.answered;
        self.effective += more.effective;
        self.talks += more.talks;
        self.talk_ms += more.talk_ms;
        self.scores += more.scores;
        self.score_sum += more.score_sum;
        for (sum, n) in self.pdd.iter_mut().zip(more.pdd) {
            *sum += n;
        }
    }
}

fn minute_of(at: Now) -> u64 {
    at.mono.as_millis() / 60_000 + 1
}

fn tick(seconds: &mut [(u64, u32); CPS_SECS], at: Now) {
    let number = at.mono.as_millis() / 1000 + 1;
    let slot = &mut seconds[(number % CPS_SECS as u64) as usize];
    *slot = if slot.0 == number { (number, slot.1 + 1) } else { (number, 1) };
}

fn rate(seconds: &[(u64, u32); CPS_SECS], at: Now) -> f64 {
    let oldest = (at.mono.as_millis() / 1000 + 2).saturating_sub(CPS_SECS as u64);
    let sum: u32 = seconds.iter().filter(|(number, _)| *number >= oldest.max(1)).map(|(_, n)| n).sum();
    f64::from(sum) / CPS_SECS as f64
}

/// The 95th percentile, on a straight line within its bucket; the last bound
/// stands for what is above it.
fn p95(buckets: &[u32; PDD_MS.len() + 1]) -> Option<u64> {
    let total: u32 = buckets.iter().sum();
    let rank = f64::from(total) * 0.95;
    let mut below = 0.0;
    for (place, n) in buckets.iter().enumerate() {
        let up_to = below + f64::from(*n);
        if *n > 0 && up_to >= rank {
            let Some(high) = PDD_MS.get(place) else { return PDD_MS.last().copied() };
            let low = if place == 0 { 0 } else { PDD_MS[place - 1] };
            let part = (rank - below) / f64::from(*n);
            return Some(low + ((high - low) as f64 * part).round() as u64);
        }
        below = up_to;
    }
    None
}

/// The window, minutes.
const MINUTES: usize = 15;

/// The window of calls a second, seconds.
const CPS_SECS: usize = 10;

/// Bounds for post-dial delay, milliseconds: a quarter more each.
const PDD_MS: [u64; 28] = [
    20, 30, 40, 50, 65, 80, 100, 125, 160, 200, 250, 320, 400, 500, 650, 800, 1000, 1250, 1600, 2000, 2500, 3200, 4000,
    5000, 6500, 8000, 12_000, 20_000,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Now {
        Now::from_millis(secs * 1000, secs * 1000)
    }

    #[test]
    fn ratios_forget_after_a_quarter_of_an_hour() {
        let mut stats = Stats::new(1);
        let trunk = Some(TrunkId(0));
        for (outcome, talk, pdd) in [
            (Outcome::Answered, Some(10_000), Some(900)),
            (Outcome::Answered, Some(20_000), Some(1_100)),
            (Outcome::Busy, None, None),
            (Outcome::Failed, None, None),
        ] {
            stats.minute(at(30), trunk).expect("the trunk").count(outcome, talk, pdd);
        }
        let now = stats.trunk(at(14 * 60), TrunkId(0));
        assert_eq!((now.attempts, now.asr_ratio, now.ner_ratio), (4, Some(0.5), Some(0.75)));
        assert_eq!((now.acd_secs, now.pdd_p95_ms), (Some(15.0), Some(1225)));
        assert_eq!(stats.trunk(at(15 * 60), TrunkId(0)), TrunkStats::default());
    }

    #[test]
    fn calls_a_second_are_a_mean_of_ten() {
        let mut stats = Stats::new(1);
        for ms in 0..20 {
            stats.begun(Now::from_millis(5_000 + ms * 50, 0), Some(TrunkId(0)), true);
        }
        assert_eq!((stats.cps(at(6)), stats.trunk(at(6), TrunkId(0)).cps), (2.0, 2.0));
        assert_eq!((stats.cps(at(14)), stats.cps(at(15))), (2.0, 0.0));
    }

    #[test]
    fn an_unknown_trunk_has_no_numbers() {
        assert_eq!(Stats::new(0).trunk(at(1), TrunkId(7)), TrunkStats::default());
    }
}
