//! What a process that ended left open in its journal, and its closing.
//!
//! [`recover`] reads the lines of the last process and gives the final lines
//! that are missing: exactly one an attempt, exactly one a call. Slim lines are
//! joined with those of their call, so that a record made here has the columns
//! that the process would have written, as far as it knew them. The property
//! tests below cut random journals at any byte.

use std::collections::BTreeMap;

use super::cdr::{CauseField, Kind, Record};
use super::{json, names};
use crate::base::UnixMillis;
use crate::call::cause::{Initiator, Internal, q850_of};

/// What the journal of a process that ended says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// The highest number of each engine, those of `final_lines` included.
    pub last_seq: BTreeMap<u8, u64>,
    /// Lines to append, without LF, before anything else is written.
    pub final_lines: Vec<Vec<u8>>,
    /// Calls that were open.
    pub calls: u64,
    /// Lines that could not be read; the last one may be torn by a crash.
    pub unreadable: u64,
}

impl Recovery {
    /// Where [`Journal::new`](super::journal::Journal::new) goes on for an engine.
    pub fn last_seq(&self, engine: u8) -> u64 {
        self.last_seq.get(&engine).copied().unwrap_or(0)
    }
}

/// What is known of a call whose end is not in the journal.
#[derive(Clone, Debug, Default)]
struct Left {
    session: Record,
    attempts: BTreeMap<u8, (Record, bool)>,
    winner: Option<u8>,
}

/// Reads a journal and closes what it leaves open: a final line for every
/// attempt and every call that has none, with the cause `restart`. Lines that
/// cannot be read are passed over.
///
/// When the process ended nobody wrote down, so `ended` is the latest stamp of
/// the whole journal: the call lived at least until then, and `talk_ms` is the
/// least that was talked.
pub fn recover<'a>(lines: impl Iterator<Item = &'a str>) -> Recovery {
    let mut out = Recovery::default();
    let mut left: BTreeMap<(String, u8, String), Left> = BTreeMap::new();
    let mut latest = String::new();
    for line in lines.filter(|l| !l.trim().is_empty()) {
        let Ok(record) = json::parse(line) else {
            out.unreadable += 1;
            continue;
        };
        let last = out.last_seq.entry(record.engine).or_default();
        *last = record.seq.max(*last);
        let stamps = [record.ended.as_ref(), record.answered.as_ref(), Some(&record.started)];
        if let Some(stamp) = stamps.into_iter().flatten().max().filter(|s| **s > latest) {
            latest.clone_from(stamp);
        }
        let key = (record.node_id.clone(), record.engine, record.call.clone());
        match record.kind {
            Kind::Session => {
                left.remove(&key);
            }
            Kind::Open | Kind::Start | Kind::Attempt => left.entry(key).or_default().take(record),
        }
    }
    out.calls = left.len() as u64;
    for call in left.into_values() {
        call.close(&latest, &mut out);
    }
    out
}

impl Left {
    fn take(&mut self, record: Record) {
        let number = record.attempt;
        match record.kind {
            Kind::Open if number == 0 => self.session = record,
            Kind::Open => {
                self.attempts.entry(number).or_insert((record, false));
            }
            Kind::Start => {
                self.winner = Some(number);
                let (attempt, _) = self.attempts.entry(number).or_insert_with(|| (record.clone(), false));
                (attempt.ringing, attempt.answered) = (record.ringing, record.answered);
                (attempt.setup_ms, attempt.pdd_ms) = (record.setup_ms, record.pdd_ms);
                (attempt.ring_ms, attempt.early_media) = (record.ring_ms, record.early_media);
            }
            Kind::Attempt => {
                self.attempts.insert(number, (record, true));
            }
            Kind::Session => {}
        }
    }

    fn close(mut self, latest: &str, out: &mut Recovery) {
        if self.session.schema == 0 {
            // The line of the call itself is lost: any other has its columns.
            self.session = self.attempts.values().next().map(|(r, _)| r.clone()).unwrap_or_default();
        }
        let session = self.session.clone();
        let mut lines = Vec::new();
        for (number, (record, done)) in &self.attempts {
            if !done {
                let record = Record { kind: Kind::Attempt, ..with_session(record, &session) };
                lines.push(cut(record, self.winner == Some(*number), latest));
            }
        }
        lines.push(self.summary(latest));
        for mut record in lines {
            let last = out.last_seq.entry(record.engine).or_default();
            *last += 1;
            record.seq = *last;
            out.final_lines.push(json::line(&record));
        }
    }

    /// The call's own final record: with the B side of its winner, else of the
    /// last attempt.
    fn summary(&self, latest: &str) -> Record {
        let leading = self.winner.or_else(|| self.attempts.keys().next_back().copied());
        let Some((attempt, done)) = leading.and_then(|n| self.attempts.get(&n)) else {
            return cut(Record { kind: Kind::Session, ..self.session.clone() }, false, latest);
        };
        let full = with_session(attempt, &self.session);
        let (started, kind) = (self.session.started.clone(), Kind::Session);
        let answered = self.winner.is_some();
        let mut record = Record { started, kind, ..full };
        if answered {
            // The attempt began later than the call and counts from there.
            let before = millis_between(&self.session.started, &attempt.started);
            let longer = |ms: Option<u64>| Some(ms? + before?);
            (record.setup_ms, record.pdd_ms) = (longer(record.setup_ms), longer(record.pdd_ms));
        }
        // A winner whose final line was written has ended as that line says.
        if answered && *done { record } else { cut(record, answered, latest) }
    }
}

/// An attempt's line with the columns of its call, which `open` lines leave out.
fn with_session(record: &Record, session: &Record) -> Record {
    let mut full = record.clone();
    if !full.call_id_a.is_empty() {
        return full;
    }
    full.config_version.clone_from(&session.config_version);
    full.session_id.clone_from(&session.session_id);
    full.call_id_a.clone_from(&session.call_id_a);
    full.from_in.clone_from(&session.from_in);
    full.to_in.clone_from(&session.to_in);
    full.from_routing.clone_from(&session.from_routing);
    full.to_routing.clone_from(&session.to_routing);
    full.user.clone_from(&session.user);
    full.realm_a.clone_from(&session.realm_a);
    full.trunk_a.clone_from(&session.trunk_a);
    full.transport_a.clone_from(&session.transport_a);
    full.signalling_a.clone_from(&session.signalling_a);
    full.signalling_local_a.clone_from(&session.signalling_local_a);
    full
}

/// Ends a record by the end of the process.
fn cut(mut record: Record, answered: bool, latest: &str) -> Record {
    record.ended = Some(latest.to_owned());
    if answered {
        record.talk_ms = record.answered.as_deref().and_then(|at| millis_between(at, latest));
    } else {
        (record.answered, record.setup_ms, record.talk_ms) = (None, None, None);
    }
    let sip_code = if answered { 200 } else { 503 };
    record.disconnect_initiator = Some(Initiator::Sbc);
    record.cause = Some(CauseField {
        sip_code,
        // 41: temporary failure.
        q850: q850_of(500),
        reason: "the process ended before the call did".to_owned(),
        internal_code: names::internal_code(Internal::Restart).to_owned(),
    });
    record
}

fn millis_between(from: &str, to: &str) -> Option<u64> {
    let (from, to) = (UnixMillis::parse(from)?, UnixMillis::parse(to)?);
    Some(to.0.saturating_sub(from.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::scene::*;
    use super::super::verify::verify;
    use super::super::{Config, Records};
    use super::*;
    use crate::call::event::{Event, EventKind};

    /// What one call of a random journal does.
    #[derive(Clone, Debug)]
    struct Plan {
        challenged: bool,
        /// Failures before the end; true: some ended before their INVITE went out.
        failures: Vec<bool>,
        /// Attempts that run at the same time as the last.
        forks: u8,
        answers: bool,
        rings: bool,
    }

    fn plan() -> impl Strategy<Value = Plan> {
        let failures = prop::collection::vec(any::<bool>(), 0..4);
        (any::<bool>(), failures, 0u8..3, any::<bool>(), any::<bool>()).prop_map(
            |(challenged, failures, forks, answers, rings)| Plan { challenged, failures, forks, answers, rings },
        )
    }

    /// The events of a call as the call machine makes them.
    fn events(call: u64, plan: &Plan) -> Vec<Event> {
        if plan.challenged {
            return challenged_call(call);
        }
        let mut kinds = vec![started(call), routed(&[ACME, BACKUP], &[])];
        let mut number = 0;
        for unsent in &plan.failures {
            number += 1;
            if !unsent {
                kinds.push(attempt(call, number, ACME));
            }
            kinds.push(failed(number, 503, Internal::Rejected, Initiator::Callee));
        }
        let forks: Vec<u8> = (number + 1..=number + plan.forks).collect();
        kinds.extend(forks.iter().map(|n| attempt(call, *n, BACKUP)));
        if plan.rings {
            kinds.extend(forks.iter().map(|n| progress(*n, 180)));
        }
        let winner = forks.last().filter(|_| plan.answers);
        let losers = forks.iter().filter(|n| winner != Some(n));
        if let Some(winner) = winner {
            kinds.push(EventKind::Answered { attempt: *winner });
            kinds.extend(losers.map(|n| failed(*n, 487, Internal::Cancelled, Initiator::Sbc)));
            kinds.push(ending(200, Internal::Hangup, Initiator::Callee));
            kinds.push(closed(report(10, 10), report(10, 10)));
        } else {
            kinds.extend(losers.map(|n| failed(*n, 480, Internal::NoAnswer, Initiator::Timer)));
            kinds.push(ending(480, Internal::NoAnswer, Initiator::Timer));
        }
        kinds.push(EventKind::Ended);
        kinds.into_iter().enumerate().map(|(n, kind)| event(call, n as u64 * 10, kind)).collect()
    }

    /// Feeds calls interleaved by `order`, up to `most` events in all; gives the journal.
    fn write(first_call: u64, plans: &[Plan], order: &[usize], last_seq: u64, most: usize) -> Vec<String> {
        let mut records = Records::new(Config { last_seq, ..config() });
        let mut queues: Vec<_> =
            plans.iter().enumerate().map(|(n, plan)| events(first_call + n as u64, plan).into_iter()).collect();
        let mut fed = 0;
        let mut turn = 0;
        while fed < most && queues.iter().any(|q| q.len() > 0) {
            let pick = order[turn % order.len()] % queues.len();
            turn += 1;
            let Some(at) = (0..queues.len()).map(|n| (pick + n) % queues.len()).find(|n| queues[*n].len() > 0) else {
                break;
            };
            if let Some(event) = queues[at].next() {
                records.feed_call(&event);
                fed += 1;
            }
        }
        lines(&mut records)
    }

    fn texts(lines: Vec<Vec<u8>>) -> Vec<String> {
        lines.into_iter().map(|l| String::from_utf8(l).expect("UTF-8")).collect()
    }

    proptest! {
        #[test]
        fn every_attempt_has_one_final_line_wherever_the_process_ends(
            plans in prop::collection::vec(plan(), 1..6),
            order in prop::collection::vec(0usize..6, 1..20),
            most in 0usize..80,
            keep in 0.0f64..=1.0,
            torn in 0usize..200,
        ) {
            // A crash after any event, with any number of bytes on disk.
            let written = write(1, &plans, &order, 0, most);
            let mut journal: Vec<String> = written[..(written.len() as f64 * keep) as usize].to_vec();
            if let Some(next) = written.get(journal.len()) {
                let cut = next.char_indices().map(|(at, _)| at).nth(torn).unwrap_or(0);
                let part = &next[..cut];
                if !part.is_empty() {
                    journal.push(part.to_owned());
                }
            }
            let torn = journal.iter().filter(|l| json::parse(l).is_err()).count();
            let recovery = recover(journal.iter().map(String::as_str));
            prop_assert_eq!(recovery.unreadable as usize, torn);
            journal.extend(texts(recovery.final_lines.clone()));
            // The next process goes on with other calls, and they all end.
            journal.extend(write(1_000, &plans, &order, recovery.last_seq(0), usize::MAX));
            let report = verify(journal.iter().map(String::as_str));
            prop_assert_eq!(&report.duplicate_finals, &vec![]);
            prop_assert_eq!(&report.missing_finals, &vec![]);
            prop_assert_eq!(&report.open, &vec![]);
            prop_assert_eq!(&report.gaps, &vec![]);
            prop_assert_eq!(report.torn.len(), torn);
            // And nothing is left for another recovery.
            let again = recover(journal.iter().map(String::as_str));
            prop_assert_eq!((again.calls, again.final_lines.len()), (0, 0));
        }

        #[test]
        fn a_process_that_ends_well_leaves_nothing_to_recover(
            plans in prop::collection::vec(plan(), 1..6),
            order in prop::collection::vec(0usize..6, 1..20),
        ) {
            let journal = write(1, &plans, &order, 41, usize::MAX);
            let report = verify(journal.iter().map(String::as_str));
            prop_assert!(report.is_sound() && report.open.is_empty(), "{:?}", report);
            prop_assert_eq!(report.sessions, plans.len() as u64);
            let attempts: usize = plans
                .iter()
                .filter(|p| !p.challenged)
                .map(|p| p.failures.len() + usize::from(p.forks))
                .sum();
            prop_assert_eq!(report.attempts, attempts as u64);
        }
    }

    #[test]
    fn a_call_that_was_cut_off_keeps_what_was_known() {
        let mut records = super::super::scene::records();
        for event in &answered_call(7)[..5] {
            records.feed_call(event);
        }
        for event in challenged_call(8) {
            records.feed_call(&Event { at: at(60_000), ..event });
        }
        let journal = lines(&mut records);
        let recovery = recover(journal.iter().map(String::as_str));
        assert_eq!((recovery.calls, recovery.last_seq(0)), (1, 6));
        let all: Vec<Record> = texts(recovery.final_lines).iter().map(|l| json::parse(l).expect("a record")).collect();
        let [attempt, session] = &all[..] else { panic!("two lines: {all:?}") };
        assert_eq!((attempt.kind, attempt.attempt, attempt.seq), (Kind::Attempt, 1, 5));
        assert_eq!((session.kind, session.attempt, session.seq), (Kind::Session, 1, 6));
        assert_eq!((session.setup_ms, session.talk_ms), (Some(2_380), Some(57_620)));
        assert_eq!(session.ended.as_deref(), Some("2026-11-20T15:45:00.000Z"));
        assert_eq!((session.trunk_b.as_deref(), session.from_out.as_deref()), (Some("acme"), Some("4989")));
        let cause = session.cause.as_ref().expect("a cause");
        assert_eq!((cause.sip_code, cause.internal_code.as_str()), (200, "restart"));
        assert_eq!(session.disconnect_initiator, Some(Initiator::Sbc));
    }

    #[test]
    fn each_engine_has_its_own_numbers() {
        let mut second = Records::new(Config { engine: crate::base::EngineId(1), last_seq: 100, ..config() });
        let mut first = super::super::scene::records();
        for (mine, other) in answered_call(1)[..3].iter().zip(&failed_call(2)[..3]) {
            first.feed_call(mine);
            second.feed_call(other);
        }
        let mut journal = lines(&mut first);
        journal.extend(lines(&mut second));
        let recovery = recover(journal.iter().map(String::as_str));
        assert_eq!((recovery.calls, recovery.last_seq(0), recovery.last_seq(1)), (2, 4, 104));
        journal.extend(texts(recovery.final_lines));
        let report = verify(journal.iter().map(String::as_str));
        assert!(report.is_sound() && report.open.is_empty(), "{report:?}");
    }
}
