//! The journal: what is written when, and what a crash left open.
//!
//! A line is output before the message that follows from it goes out, and the
//! driver writes it first. So `kill -9` at any moment leaves at least the
//! `open` line of everything a peer has seen, and [`recover`](super::recover::recover) writes what is
//! missing: exactly one final line an attempt, exactly one a call.
//!
//! An INVITE that is refused at once has only its `session` line: between its
//! first event and its last nothing has left the process, so that nothing can
//! be lost between them, and a flood of strangers costs one line each.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cdr::{Kind, Record, SCHEMA, Writer};
use super::fold::Fold;
use super::{json, names};
use crate::base::Now;
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
