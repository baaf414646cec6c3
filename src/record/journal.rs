//! The journal: what is written when, and what a crash left open.
//!
//! A line is output before the message that follows from it goes out, and the
//! driver writes it first. So `kill -9` at any moment leaves at least the
//! `open` line of everything a peer has seen, and [`recover`] writes what is
//! missing: exactly one final line an attempt, exactly one a call.
//!
//! An INVITE that is refused at once has only its `session` line: between its
//! first event and its last nothing has left the process, so that nothing can
//! be lost between them, and a flood of strangers costs one line each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cdr::{CauseField, Kind, Record, SCHEMA, Writer};
use super::fold::Fold;
use super::{json, names};
use crate::base::{Now, UnixMillis};
use crate::call::cause::{Initiator, Internal, q850_of};
use crate::call::event::EventKind;

/// Numbers lines and knows what is open.
#[derive(Clone, Debug)]
pub struct Journal {
    writer: Writer,
    seq: u64,
    open: BTreeMap<u64, Open>,
    written: u64,
    written_bytes: u64,
}

/// Lines of one call so far.
#[derive(Clone, Debug, Default)]
struct Open {
    session: bool,
    /// True once the call's final line is written.
    done: bool,
    /// Attempts with an `open` line, and whether their final one is written.
    attempts: BTreeMap<u8, bool>,
}

/// What a line made final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// An attempt of the call.
    Attempt(u8),
    /// The call itself.
    Session,
}

/// What an event added to the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines in order, without LF.
    pub lines: Vec<Vec<u8>>,
    /// What became final, in order.
    pub closed: Vec<Closed>,
}

/// The slim line written when a call was routed, an attempt began or answered:
/// the lines of a call together have what a final line needs.
#[derive(Serialize)]
struct SlimLine<'a> {
    schema: u32,
    kind: Kind,
    seq: u64,
    node_id: &'a str,
    engine: u8,
    call: String,
    attempt: u8,
    started: String,
    #[serde(flatten)]
    part: Part<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Session {
        config_version: &'a str,
        session_id: &'a str,
        call_id_a: &'a str,
        from_in: &'a str,
        to_in: &'a str,
        from_routing: Option<&'a str>,
        to_routing: Option<&'a str>,
        user: Option<&'a str>,
        realm_a: &'a str,
        trunk_a: Option<&'a str>,
        transport_a: &'a str,
        signalling_a: String,
        signalling_local_a: String,
    },
    Start {
        ringing: Option<String>,
        answered: Option<String>,
        setup_ms: Option<u64>,
        pdd_ms: Option<u64>,
        ring_ms: Option<u64>,
        early_media: bool,
    },
    Attempt {
        call_id_b: Option<&'a str>,
        target: Option<String>,
        from_out: Option<&'a str>,
        to_out: Option<&'a str>,
        realm_b: Option<&'a str>,
        trunk_b: Option<&'a str>,
        transport_b: Option<&'a str>,
        signalling_b: Option<String>,
        signalling_local_b: Option<String>,
    },
}

impl Journal {
    /// A journal whose next line has the number `last_seq` + 1.
    pub fn new(writer: Writer, last_seq: u64) -> Self {
        Self { writer, seq: last_seq, open: BTreeMap::new(), written: 0, written_bytes: 0 }
    }

    /// Final lines written since the start.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Bytes of all lines since the start, with their LF.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Takes the version and the names of a new configuration.
    pub fn reconfigure(&mut self, config_version: &str, names: names::Names) {
        config_version.clone_into(&mut self.writer.config_version);
        self.writer.names = names;
    }

    /// Writes the lines that an event asks for; `fold` has it already.
    pub fn feed(&mut self, fold: &Fold, kind: &EventKind) -> Lines {
        let mut out = Lines::default();
        if self.open.get(&fold.call.0).is_some_and(|o| o.done) {
            if matches!(kind, EventKind::Ended) {
                self.open.remove(&fold.call.0);
            }
            return out;
        }
        match kind {
            EventKind::Routed { .. } => self.open_session(fold, &mut out),
            EventKind::AttemptStarted { attempt, .. } => self.open_attempt(fold, *attempt, &mut out),
            EventKind::AttemptEnded { attempt, .. } => {
                self.open_session(fold, &mut out);
                self.close_attempt(fold, *attempt, &mut out);
            }
            EventKind::Answered { attempt } => self.start(fold, *attempt, &mut out),
            // The record of a failed call is written before its final answer
            // goes out; an answered one waits for the numbers of its media.
            EventKind::Ending { .. } if fold.answered.is_none() => self.close(fold, &mut out),
            EventKind::Ended => {
                self.close(fold, &mut out);
                self.open.remove(&fold.call.0);
            }
            EventKind::Ending { .. }
            | EventKind::Started { .. }
            | EventKind::Authenticated { .. }
            | EventKind::Challenged { .. }
            | EventKind::Progress { .. }
            | EventKind::Negotiated { .. }
            | EventKind::Held { .. }
            | EventKind::Resumed { .. }
            | EventKind::InDialog { .. }
            | EventKind::Noted { .. }
            | EventKind::Media(_) => {}
        }
        self.written += out.closed.len() as u64;
        self.written_bytes += out.lines.iter().map(|l| l.len() as u64 + 1).sum::<u64>();
        out
    }

    fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn open_session(&mut self, fold: &Fold, out: &mut Lines) {
        let open = self.open.entry(fold.call.0).or_default();
        if std::mem::replace(&mut open.session, true) {
            return;
        }
        let seq = self.next_seq();
        let routed = fold.routed.as_deref();
        let part = Part::Session {
            config_version: &self.writer.config_version,
            session_id: &fold.session_id,
            call_id_a: &fold.call_id,
            from_in: &fold.from,
            to_in: &fold.to,
            from_routing: routed.map(|r| r.from.as_str()),
            to_routing: routed.map(|r| r.to.as_str()),
            user: fold.user.as_deref(),
            realm_a: self.writer.names.realm(fold.realm),
            trunk_a: fold.trunk.map(|t| self.writer.names.trunk(t)),
            transport_a: names::transport(fold.flow.transport),
            signalling_a: fold.flow.remote.to_string(),
            signalling_local_a: fold.flow.local.to_string(),
        };
        out.lines.push(self.slim_line(Kind::Open, fold, 0, fold.started, seq, part));
    }

    fn open_attempt(&mut self, fold: &Fold, number: u8, out: &mut Lines) {
        self.open_session(fold, out);
        let open = self.open.entry(fold.call.0).or_default();
        if open.attempts.contains_key(&number) {
            return;
        }
        open.attempts.insert(number, false);
        let seq = self.next_seq();
        let Some(attempt) = fold.attempt(number) else { return };
        let sent = attempt.sent.as_deref();
        let flow = sent.and_then(|s| s.flow);
        let part = Part::Attempt {
            call_id_b: sent.map(|s| s.call_id.as_str()).filter(|id| !id.is_empty()),
            target: attempt.target.as_ref().map(|t| self.writer.names.target(t)),
            from_out: sent.map(|s| s.from.as_str()),
            to_out: sent.map(|s| s.to.as_str()),
            realm_b: sent.map(|s| self.writer.names.realm(s.realm)),
            trunk_b: attempt.trunk().map(|t| self.writer.names.trunk(t)),
            transport_b: flow.map(|f| names::transport(f.transport)),
            signalling_b: flow.map(|f| f.remote.to_string()),
            signalling_local_b: flow.map(|f| f.local.to_string()),
        };
        out.lines.push(self.slim_line(Kind::Open, fold, number, attempt.started, seq, part));
    }

    fn slim_line(&self, kind: Kind, fold: &Fold, attempt: u8, started: Now, seq: u64, part: Part<'_>) -> Vec<u8> {
        let (node_id, engine) = (self.writer.node_id.as_str(), self.writer.engine);
        let (call, started) = (fold.call.to_string(), started.wall.to_string());
        json::line(&SlimLine { schema: SCHEMA, kind, seq, node_id, engine, call, attempt, started, part })
    }

    fn start(&mut self, fold: &Fold, number: u8, out: &mut Lines) {
        self.open_attempt(fold, number, out);
        let first = fold.answered.is_some_and(|(winner, _)| winner == number);
        let Some(attempt) = fold.attempt(number).filter(|_| first) else { return };
        let times = fold.attempt_times(attempt);
        let wall = |at: Option<Now>| at.map(|at| at.wall.to_string());
        let seq = self.next_seq();
        let part = Part::Start {
            ringing: wall(times.ringing),
            answered: wall(times.answered),
            setup_ms: times.setup_ms,
            pdd_ms: times.pdd_ms,
            ring_ms: times.ring_ms,
            early_media: attempt.early_media,
        };
        out.lines.push(self.slim_line(Kind::Start, fold, number, attempt.started, seq, part));
    }

    /// Writes an attempt's final line if it is not written; gives the record.
    fn close_attempt(&mut self, fold: &Fold, number: u8, out: &mut Lines) -> Option<Record> {
        let attempt = fold.attempt(number)?;
        let open = self.open.entry(fold.call.0).or_default();
        if open.attempts.insert(number, true) == Some(true) {
            return None;
        }
        let record = self.writer.attempt(fold, attempt, self.seq + 1);
        self.seq += 1;
        out.lines.push(json::line(&record));
        out.closed.push(Closed::Attempt(number));
        Some(record)
    }

    fn close(&mut self, fold: &Fold, out: &mut Lines) {
        let mut last = None;
        for attempt in &fold.attempts {
            let record = self.close_attempt(fold, attempt.number, out);
            if fold.leading().is_some_and(|l| l.number == attempt.number) {
                last = record.or_else(|| Some(self.writer.attempt(fold, attempt, 0)));
            }
        }
        let seq = self.next_seq();
        out.lines.push(json::line(&self.writer.session(fold, last, seq)));
        out.closed.push(Closed::Session);
        self.open.entry(fold.call.0).or_default().done = true;
    }
}

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
    /// Where [`Journal::new`] goes on for an engine.
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
    use crate::call::event::Event;

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
