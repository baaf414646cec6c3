//! `sbc cdr verify`: proves that a journal has exactly one final line an
//! attempt and one a call, and no number missing.
//!
//! A call that is still running has no final line yet; only the caller knows
//! whether the node lives, so such calls are listed apart from errors. An
//! attempt without a final line in a call that has one is always an error.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::cdr::{Kind, Record};
use super::json;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Lines that are not empty.
    pub lines: u64,
    /// Final lines of calls.
    pub sessions: u64,
    /// Final lines of attempts.
    pub attempts: u64,
    /// Attempts (0: the call itself) with more than one final line.
    pub duplicate_finals: Vec<Key>,
    /// Attempts without a final line in a call that has one.
    pub missing_finals: Vec<Key>,
    /// Calls without a final line: running, or cut off and not yet recovered.
    pub open: Vec<Key>,
    /// Numbers that are missing, or that go back.
    pub gaps: Vec<Gap>,
    /// Lines that cannot be read, by their number from 1, with the reason.
    pub torn: Vec<(u64, String)>,
}

/// A call and its attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// The node.
    pub node_id: String,
    /// The call.
    pub call: String,
    /// The attempt; 0 is the call itself.
    pub attempt: u8,
}

/// A break in the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The node.
    pub node_id: String,
    /// The engine.
    pub engine: u8,
    /// The number that was expected.
    pub expected: u64,
    /// The number that stands there.
    pub found: u64,
}

impl Report {
    /// True if nothing is wrong; calls that are open are nothing wrong.
    pub fn is_sound(&self) -> bool {
        self.duplicate_finals.is_empty()
            && self.missing_finals.is_empty()
            && self.gaps.is_empty()
            && self.torn.is_empty()
    }
}

/// Checks a journal. It may begin anywhere: the first number of an engine is
/// taken as it stands.
pub fn verify<'a>(lines: impl Iterator<Item = &'a str>) -> Report {
    let mut check = Check::default();
    for (at, line) in lines.enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        check.report.lines += 1;
        match json::parse(line) {
            Ok(record) => check.take(&record),
            Err(why) => check.report.torn.push((at as u64 + 1, why)),
        }
    }
    check.finish()
}

#[derive(Default)]
struct Check {
    report: Report,
    next: BTreeMap<(String, u8), u64>,
    begun: BTreeSet<Key>,
    finals: BTreeSet<Key>,
}

impl Check {
    fn take(&mut self, record: &Record) {
        let expected = self.next.insert((record.node_id.clone(), record.engine), record.seq + 1);
        if let Some(expected) = expected.filter(|e| *e != record.seq) {
            let (node_id, engine) = (record.node_id.clone(), record.engine);
            self.report.gaps.push(Gap { node_id, engine, expected, found: record.seq });
        }
        let key = |attempt| Key { node_id: record.node_id.clone(), call: record.call.clone(), attempt };
        let own = match record.kind {
            Kind::Session => key(0),
            Kind::Open | Kind::Start | Kind::Attempt => key(record.attempt),
        };
        self.begun.insert(key(0));
        self.begun.insert(own.clone());
        match record.kind {
            Kind::Open | Kind::Start => return,
            Kind::Attempt => self.report.attempts += 1,
            Kind::Session => self.report.sessions += 1,
        }
        if !self.finals.insert(own.clone()) {
            self.report.duplicate_finals.push(own);
        }
    }

    fn finish(mut self) -> Report {
        for key in self.begun.difference(&self.finals) {
            let call_is_final = self.finals.contains(&Key { attempt: 0, ..key.clone() });
            match key.attempt {
                0 => self.report.open.push(key.clone()),
                _ if call_is_final => self.report.missing_finals.push(key.clone()),
                // An attempt of an open call is open with it.
                _ => {}
            }
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, kind: &str, call: &str, attempt: u8) -> String {
        format!(
            "{{\"schema\":1,\"kind\":\"{kind}\",\"seq\":{seq},\"node_id\":\"n\",\"call\":\"{call}\",\"attempt\":{attempt}}}"
        )
    }

    fn key(call: &str, attempt: u8) -> Key {
        Key { node_id: "n".into(), call: call.into(), attempt }
    }

    #[test]
    fn a_whole_journal_is_sound() {
        let lines = [
            line(7, "open", "a", 0),
            line(8, "open", "a", 1),
            line(9, "attempt", "a", 1),
            line(10, "session", "a", 1),
            line(11, "session", "b", 0),
            line(12, "open", "c", 0),
        ];
        let report = verify(lines.iter().map(String::as_str));
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.sessions, report.attempts, report.open), (2, 1, vec![key("c", 0)]));
    }

    #[test]
    fn names_what_is_double_missing_or_torn() {
        let lines = [
            line(1, "open", "a", 1),
            line(2, "open", "a", 2),
            line(4, "attempt", "a", 1),
            line(5, "attempt", "a", 1),
            line(6, "session", "a", 2),
            line(7, "session", "a", 2)[..40].to_owned(),
        ];
        let report = verify(lines.iter().map(String::as_str));
        assert_eq!(report.duplicate_finals, [key("a", 1)]);
        assert_eq!(report.missing_finals, [key("a", 2)]);
        assert_eq!(report.gaps, [Gap { node_id: "n".into(), engine: 0, expected: 3, found: 4 }]);
        assert_eq!(report.torn.iter().map(|t| t.0).collect::<Vec<_>>(), [6]);
        assert!(!report.is_sound());
    }
}
