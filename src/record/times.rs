//! From stamps to durations, in one place for every record, metric and view.
//!
//! The session is seen from the caller's side, an attempt from the called side:
//!
//! | | session (A side) | attempt (B side) |
//! |---|---|---|
//! | `started` | the INVITE came | its INVITE went out |
//! | `pdd_ms` | to the first 18x of any attempt, else to the answer | to its own first 18x, else to its answer |
//! | `setup_ms` | to the answer | to the answer |
//! | `ring_ms` | from that 18x to the answer or the end | the same, its own |
//! | `talk_ms` | from the answer to the end | the same |
//!
//! RFC 6076 §4.3.1 calls `pdd_ms` the session request delay; a duration without
//! both its ends is absent, so a call that failed without ringing has none.
//! The end is the stamp of the hang-up, not of the last number of media after it.

use std::time::Duration;

use crate::base::Now;

/// Stamps and durations of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// First ringing.
    pub ringing: Option<Now>,
    /// The answer.
    pub answered: Option<Now>,
    /// The end.
    pub ended: Option<Now>,
    /// See the file's head.
    pub setup_ms: Option<u64>,
    /// See the file's head.
    pub pdd_ms: Option<u64>,
    /// See the file's head.
    pub ring_ms: Option<u64>,
    /// See the file's head.
    pub talk_ms: Option<u64>,
}

pub(super) fn times(started: Now, ringing: Option<Now>, answered: Option<Now>, ended: Option<Now>) -> Times {
    let between = |from: Option<Now>, to: Option<Now>| Some(ms(to?.mono - from?.mono));
    Times {
        ringing,
        answered,
        ended,
        setup_ms: between(Some(started), answered),
        pdd_ms: between(Some(started), ringing.or(answered)),
        ring_ms: between(ringing, answered.or(ended)),
        talk_ms: between(answered, ended),
    }
}

pub(super) fn ms(d: Duration) -> u64 {
    d.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_both_their_ends() {
        let at = |ms| Now::from_millis(ms, 1_000 + ms);
        let all = times(at(0), Some(at(80)), Some(at(2_380)), Some(at(14_380)));
        assert_eq!(
            (all.pdd_ms, all.ring_ms, all.setup_ms, all.talk_ms),
            (Some(80), Some(2_300), Some(2_380), Some(12_000))
        );
        let unanswered = times(at(0), Some(at(80)), None, Some(at(30_080)));
        assert_eq!((unanswered.setup_ms, unanswered.ring_ms, unanswered.talk_ms), (None, Some(30_000), None));
        let silent = times(at(0), None, Some(at(50)), None);
        assert_eq!((silent.pdd_ms, silent.ring_ms, silent.talk_ms), (Some(50), None, None));
    }

    #[test]
    fn a_jump_of_the_wall_clock_changes_no_duration() {
        let start = Now::from_millis(0, 5_000_000);
        let answer = Now::from_millis(100, 1);
        assert_eq!(times(start, None, Some(answer), None).setup_ms, Some(100));
    }
}
