//! Which trunks live: probing by OPTIONS and listening to calls, without I/O.
//!
//! A probed trunk is asked at its interval; so many failures in a row take it
//! down, so many answers bring it up. One without probe goes down by failed
//! calls, and after a while is given one more chance. A 503 with Retry-After
//! gives any trunk the rest it asks for (RFC 3261 §21.5.4).
//!
//! In: time, outcomes of probes and calls. Out: who is to be probed, and events.
//! A trunk nothing is known of is used.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::explain::Skip;
use super::trunk::{Passive, Probe, Trunk};
use crate::base::{Deadlines, Instant, Now, Rng, TrunkId, UnixMillis};

/// The health of every trunk.
#[derive(Clone, Debug)]
pub struct Health {
    trunks: Vec<Watch>,
    deadlines: Deadlines<(TrunkId, Timer)>,
    outputs: VecDeque<Output>,
    rng: Rng,
}

/// One trunk under watch.
#[derive(Clone, Copy, Debug)]
struct Watch {
    probe: Option<Probe>,
    passive: Passive,
    state: TrunkState,
    failures: u32,
    answers: u32,
    /// When the probe under way was sent.
    asked: Option<Instant>,
    /// It was down by failed calls and may be tried again.
    on_trial: bool,
    resting: bool,
    last_answer_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Timer {
    /// The next probe.
    Probe,
    /// The answer to the one under way is late.
    Answer,
    /// A trunk that is down without a probe gets one more chance.
    Trial,
    /// The rest it asked for is over.
    Rest,
}

/// Up, down, or nothing known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrunkState {
    /// Neither answer nor failure yet; it is used.
    Unknown,
    /// It answers.
    Up {
        /// Since when.
        since: UnixMillis,
    },
    /// It is not used.
    Down {
        /// Since when.
        since: UnixMillis,
        /// The failure that took it down.
        why: Failure,
    },
}

/// What came of a probe or of a call's INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response from the trunk itself.
    Answer {
        /// Its status.
        status: u16,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// None came.
    Timeout,
    /// It could not be sent, or DNS knows no address.
    Unreachable,
}

/// What counts as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No answer in time.
    Timeout,
    /// It could not be sent.
    Unreachable,
    /// It answered a probe with 503.
    Unavailable,
}

/// What is wanted from the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send an OPTIONS to this trunk and say what came of it.
    Probe {
        /// The trunk.
        trunk: TrunkId,
    },
    /// For the record.
    Event(TrunkEvent),
}

/// Something happened to a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkEvent {
    /// When.
    pub at: Now,
    /// Which.
    pub trunk: TrunkId,
    /// What.
    #[serde(flatten)]
    pub change: Change,
}

/// The kinds of [`TrunkEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Change {
    /// A probe was answered.
    Answered {
        /// With which status.
        status: u16,
        /// After how long, milliseconds.
        after_ms: u64,
    },
    /// It is used from here on.
    Up,
    /// It is not used from here on.
    Down {
        /// The failure that took it down.
        why: Failure,
    },
    /// It asked to be left alone for so long.
    Rests {
        /// Seconds.
        secs: u64,
    },
}

/// A trunk as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkView {
    /// Which.
    pub trunk: TrunkId,
    /// Up or down, and since when.
    #[serde(flatten)]
    pub state: TrunkState,
    /// Failures in a row.
    pub failures: u32,
    /// True while it rests.
    pub resting: bool,
    /// How long the last probe's answer took, milliseconds.
    pub last_answer_ms: Option<u64>,
}

impl Health {
    /// Watches trunks, in the order of their ids. The first probes are spread
    /// over the first second, so that a restart does not ask everyone at once.
    pub fn new(now: Now, trunks: &[Trunk], rng: Rng) -> Self {
        let watch = |trunk: &Trunk| Watch {
            probe: trunk.probe,
            passive: trunk.passive,
            state: TrunkState::Unknown,
            failures: 0,
            answers: 0,
            asked: None,
            on_trial: false,
            resting: false,
            last_answer_ms: None,
        };
        let trunks: Vec<Watch> = trunks.iter().map(watch).collect();
        let mut health = Self { trunks, deadlines: Deadlines::new(), outputs: VecDeque::new(), rng };
        for index in 0..health.trunks.len() {
            if let Some(probe) = health.trunks[index].probe {
                let spread = probe.every.min(Duration::from_secs(1)).as_nanos() as u64;
                let first = now.mono + Duration::from_nanos(health.rng.below(spread));
                health.deadlines.set((TrunkId(index as u16), Timer::Probe), first);
            }
        }
        health
    }

    /// What came of a probe. One whose time was over already is ignored.
    pub fn handle_probe(&mut self, now: Now, trunk: TrunkId, outcome: Outcome) {
        let Some(asked) = self.watch(trunk).and_then(|watch| watch.asked.take()) else { return };
        self.deadlines.stop(&(trunk, Timer::Answer));
        match outcome {
            Outcome::Answer { status, retry_after } => {
                let after_ms = (now.mono - asked).as_millis() as u64;
                if let Some(watch) = self.watch(trunk) {
                    watch.last_answer_ms = Some(after_ms);
                }
                self.event(now, trunk, Change::Answered { status, after_ms });
                // Any other answer, a 404 or 405 too, shows that it lives.
                if status == 503 {
                    self.rest(now, trunk, retry_after);
                    self.fail(now, trunk, Failure::Unavailable);
                } else {
                    self.succeed(now, trunk);
                }
            }
            Outcome::Timeout => self.fail(now, trunk, Failure::Timeout),
            Outcome::Unreachable => self.fail(now, trunk, Failure::Unreachable),
        }
    }

    /// What came of an INVITE to the trunk: its first response, or none.
    pub fn handle_call(&mut self, now: Now, trunk: TrunkId, outcome: Outcome) {
        match outcome {
            // RFC 3261 §21.5.4: without Retry-After a 503 is as a 500: this call
            // failed. It says nothing of the next one.
            Outcome::Answer { status: 503, retry_after } => self.rest(now, trunk, retry_after),
            Outcome::Answer { .. } => self.succeed(now, trunk),
            Outcome::Timeout => self.fail(now, trunk, Failure::Timeout),
            Outcome::Unreachable => self.fail(now, trunk, Failure::Unreachable),
        }
    }

    /// Sends what is due and gives up what is late.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((trunk, timer)) = self.deadlines.pop(now.mono) {
            match timer {
                Timer::Probe => self.ask(now, trunk),
                Timer::Answer => {
                    if let Some(watch) = self.watch(trunk) {
                        watch.asked = None;
                    }
                    self.fail(now, trunk, Failure::Timeout);
                }
                Timer::Trial => {
                    if let Some(watch) = self.watch(trunk) {
                        watch.on_trial = true;
                    }
                }
                Timer::Rest => {
                    if let Some(watch) = self.watch(trunk) {
                        watch.resting = false;
                    }
                }
            }
        }
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes one output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// May calls be sent to a trunk?
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn usable(&self, trunk: TrunkId) -> Result<(), Skip> {
        let Some(watch) = self.trunks.get(usize::from(trunk.0)) else { return Err(Skip::Unknown) };
        match watch.state {
            TrunkState::Down { .. } if !watch.on_trial => Err(Skip::Down),
            _ if watch.resting => Err(Skip::Resting),
            TrunkState::Unknown | TrunkState::Up { .. } | TrunkState::Down { .. } => Ok(()),
        }
    }

    /// Every trunk as it is listed.
    pub fn view(&self) -> impl Iterator<Item = TrunkView> {
        self.trunks.iter().enumerate().map(|(index, watch)| TrunkView {
            trunk: TrunkId(index as u16),
            state: watch.state,
            failures: watch.failures,
            resting: watch.resting,
            last_answer_ms: watch.last_answer_ms,
        })
    }

    fn ask(&mut self, now: Now, trunk: TrunkId) {
        let Some(Watch { probe: Some(probe), asked, .. }) = self.watch(trunk).copied() else { return };
        // A tenth earlier or later: trunks of one start do not stay in step.
        let tenth = (probe.every / 10).as_nanos() as u64;
        let vary = Duration::from_nanos(self.rng.below(2 * tenth + 1));
        self.deadlines.set((trunk, Timer::Probe), now.mono + (probe.every - probe.every / 10 + vary));
        // The one before is still under way: its time-out is what counts.
        if asked.is_none() {
            if let Some(watch) = self.watch(trunk) {
                watch.asked = Some(now.mono);
            }
            self.deadlines.set((trunk, Timer::Answer), now.mono + probe.timeout);
            self.outputs.push_back(Output::Probe { trunk });
        }
    }

    fn succeed(&mut self, now: Now, trunk: TrunkId) {
        let Some(watch) = self.watch(trunk) else { return };
        watch.failures = 0;
        watch.answers = watch.answers.saturating_add(1);
        let enough = match watch.state {
            TrunkState::Up { .. } => return,
            TrunkState::Unknown => true,
            TrunkState::Down { .. } => watch.answers >= watch.probe.map_or(1, |probe| probe.up_after.get()),
        };
        if enough {
            watch.state = TrunkState::Up { since: now.wall };
            watch.on_trial = false;
            self.deadlines.stop(&(trunk, Timer::Trial));
            self.event(now, trunk, Change::Up);
        }
    }

    fn fail(&mut self, now: Now, trunk: TrunkId, why: Failure) {
        let Some(watch) = self.watch(trunk) else { return };
        watch.answers = 0;
        watch.failures = watch.failures.saturating_add(1);
        let retry = watch.probe.is_none().then_some(watch.passive.retry_after);
        let down_after = watch.probe.map_or(watch.passive.down_after, |probe| probe.down_after).get();
        let was_down = matches!(watch.state, TrunkState::Down { .. });
        if was_down && !watch.on_trial || !was_down && watch.failures < down_after {
            return;
        }
        watch.on_trial = false;
        if !was_down {
            watch.state = TrunkState::Down { since: now.wall, why };
            self.event(now, trunk, Change::Down { why });
        }
        if let Some(retry) = retry {
            self.deadlines.set((trunk, Timer::Trial), now.mono + retry);
        }
    }

    fn rest(&mut self, now: Now, trunk: TrunkId, retry_after: Option<Duration>) {
        let Some(rest) = retry_after.filter(|rest| !rest.is_zero()).map(|rest| rest.min(LONGEST_REST)) else { return };
        let Some(watch) = self.watch(trunk) else { return };
        watch.resting = true;
        self.deadlines.set((trunk, Timer::Rest), now.mono + rest);
        self.event(now, trunk, Change::Rests { secs: rest.as_secs() });
    }

    fn watch(&mut self, trunk: TrunkId) -> Option<&mut Watch> {
        self.trunks.get_mut(usize::from(trunk.0))
    }

    fn event(&mut self, at: Now, trunk: TrunkId, change: Change) {
        self.outputs.push_back(Output::Event(TrunkEvent { at, trunk, change }));
    }
}

/// Longest rest a Retry-After can ask for: a wrong or hostile one must not take
/// a trunk out of service for hours.
const LONGEST_REST: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::base::RealmId;

    const T: TrunkId = TrunkId(0);
    const OK: Outcome = Outcome::Answer { status: 200, retry_after: None };

    fn at(ms: u64) -> Now {
        Now::from_millis(ms, ms)
    }

    fn health(probe: Option<Probe>) -> Health {
        let trunk = Trunk { probe, ..Trunk::new("a", RealmId(0), "sip:a.example") };
        Health::new(at(0), &[trunk], Rng::from_number(1))
    }

    fn outputs(health: &mut Health) -> Vec<Output> {
        std::iter::from_fn(|| health.poll_output()).collect()
    }

    fn event(ms: u64, change: Change) -> Output {
        Output::Event(TrunkEvent { at: at(ms), trunk: T, change })
    }

    /// Lets time pass to the next deadline.
    fn step(health: &mut Health) -> Now {
        let due = health.poll_timeout().expect("something is due");
        let now = Now { mono: due, wall: UnixMillis(due.as_millis()) };
        health.handle_timeout(now);
        now
    }

    #[test]
    fn three_silent_probes_take_a_trunk_down_and_two_answers_bring_it_up() {
        let change = |at, change| Output::Event(TrunkEvent { at, trunk: T, change });
        let ask = Output::Probe { trunk: T };
        let mut h = health(Some(Probe::default()));
        for n in 1..=3 {
            assert_eq!(h.usable(T), Ok(()));
            let sent = step(&mut h);
            assert_eq!(outputs(&mut h), [ask]);
            let late = step(&mut h);
            assert_eq!(late, sent.after(Duration::from_secs(5)));
            let down = (n == 3).then_some(change(late, Change::Down { why: Failure::Timeout }));
            assert_eq!(outputs(&mut h), Vec::from_iter(down));
        }
        for n in 1..=2 {
            assert_eq!(h.usable(T), Err(Skip::Down));
            let answered = step(&mut h).after(Duration::from_millis(40));
            assert_eq!(outputs(&mut h), [ask]);
            h.handle_probe(answered, T, OK);
            let answer = change(answered, Change::Answered { status: 200, after_ms: 40 });
            let up = (n == 2).then_some(change(answered, Change::Up));
            assert_eq!(outputs(&mut h), Vec::from_iter([answer].into_iter().chain(up)));
        }
        assert_eq!(h.usable(T), Ok(()));
    }

    #[test]
    fn probes_come_at_their_interval_varied_by_a_tenth() {
        let mut h = health(Some(Probe::default()));
        let mut last = step(&mut h);
        assert!(last.mono < Instant::from_millis(1000));
        for _ in 0..50 {
            h.handle_probe(last, T, OK);
            let next = step(&mut h);
            let pause = next.mono - last.mono;
            assert!((Duration::from_secs(27)..=Duration::from_secs(33)).contains(&pause), "{pause:?}");
            last = next;
        }
        assert!(matches!(h.view().next(), Some(TrunkView { state: TrunkState::Up { .. }, failures: 0, .. })));
    }

    #[test]
    fn an_answer_that_comes_too_late_is_ignored() {
        let mut h = health(Some(Probe { down_after: NonZeroU32::MIN, ..Probe::default() }));
        step(&mut h);
        let late = step(&mut h);
        assert_eq!(h.usable(T), Err(Skip::Down));
        outputs(&mut h);
        h.handle_probe(late, T, OK);
        assert_eq!(outputs(&mut h), []);
        assert_eq!(h.usable(T), Err(Skip::Down));
    }

    #[test]
    fn a_refused_probe_is_an_answer_and_a_503_is_not() {
        let mut h = health(Some(Probe { down_after: NonZeroU32::MIN, ..Probe::default() }));
        let sent = step(&mut h);
        h.handle_probe(sent, T, Outcome::Answer { status: 405, retry_after: None });
        assert_eq!(h.usable(T), Ok(()));
        let sent = step(&mut h);
        h.handle_probe(sent, T, Outcome::Answer { status: 503, retry_after: None });
        assert_eq!(h.usable(T), Err(Skip::Down));
    }

    #[test]
    fn without_a_probe_failed_calls_take_it_down_and_it_gets_another_chance() {
        let mut h = health(None);
        assert_eq!(h.poll_timeout(), None);
        for ms in [0, 10] {
            h.handle_call(at(ms), T, Outcome::Unreachable);
        }
        // A 503 for one call neither counts nor clears.
        h.handle_call(at(15), T, Outcome::Answer { status: 503, retry_after: None });
        assert_eq!(outputs(&mut h), []);
        h.handle_call(at(20), T, Outcome::Timeout);
        assert_eq!(outputs(&mut h), [event(20, Change::Down { why: Failure::Timeout })]);
        assert_eq!((h.usable(T), h.poll_timeout()), (Err(Skip::Down), Some(Instant::from_millis(30_020))));
        h.handle_timeout(at(30_020));
        assert_eq!((h.usable(T), h.poll_timeout()), (Ok(()), None));
        // The chance is lost with one call, and comes again.
        h.handle_call(at(31_000), T, Outcome::Timeout);
        assert_eq!((h.usable(T), h.poll_timeout()), (Err(Skip::Down), Some(Instant::from_millis(61_000))));
        h.handle_timeout(at(61_000));
        h.handle_call(at(61_500), T, Outcome::Answer { status: 180, retry_after: None });
        assert_eq!(outputs(&mut h), [event(61_500, Change::Up)]);
        assert_eq!(h.usable(T), Ok(()));
    }

    #[test]
    fn a_rest_ends_exactly_and_is_never_long() {
        let mut h = health(None);
        let busy = |secs| Outcome::Answer { status: 503, retry_after: Some(Duration::from_secs(secs)) };
        h.handle_call(at(0), T, busy(86_400));
        assert_eq!(outputs(&mut h), [event(0, Change::Rests { secs: 300 })]);
        h.handle_timeout(at(299_999));
        assert_eq!(h.usable(T), Err(Skip::Resting));
        h.handle_timeout(at(300_000));
        assert_eq!((h.usable(T), h.poll_timeout()), (Ok(()), None));
        h.handle_call(at(300_000), T, busy(0));
        assert_eq!(h.usable(T), Ok(()));
    }

    #[test]
    fn ids_out_of_the_table_change_nothing() {
        let mut h = health(None);
        h.handle_call(at(0), TrunkId(7), Outcome::Timeout);
        h.handle_probe(at(0), TrunkId(7), OK);
        assert_eq!((h.usable(TrunkId(7)), outputs(&mut h)), (Err(Skip::Unknown), vec![]));
    }
}
