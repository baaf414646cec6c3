//! What stays after the call: the journal, as it would lie on disk.
//!
//! It must be sound at the end of every story: numbers without a gap, one final
//! line for every attempt and for every call. After a crash it is recovered the
//! way a start of the process does it.

use std::collections::{BTreeMap, BTreeSet};

use sbc::base::EngineId;
use sbc::record;
use serde_json::Value;

use crate::sip::Msg;
use crate::ua::{Purpose, Ua};

/// The journal and what writes it.
pub struct Records {
    pub lines: Vec<String>,
    /// Call-IDs of callers by call.
    names: BTreeMap<String, String>,
    /// Call-IDs of callers with an answered call.
    started: BTreeSet<String>,
    /// Final lines of calls by the caller's Call-ID.
    pub ended: BTreeMap<String, usize>,
    /// INVITEs refused, by Call-ID and branch.
    refused: BTreeMap<String, BTreeSet<String>>,
    pub last_seq: u64,
}

impl Records {
    pub fn new() -> Self {
        Self {
            lines: Vec::new(),
            names: BTreeMap::new(),
            started: BTreeSet::new(),
            ended: BTreeMap::new(),
            refused: BTreeMap::new(),
            last_seq: 0,
        }
    }

    /// A line that an engine wrote.
    pub fn take(&mut self, line: Vec<u8>) {
        let value: Value = serde_json::from_slice(&line).expect("a journal line is JSON");
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        // Later lines of a call leave out what its first one says.
        if !text("call_id_a").is_empty() {
            self.names.insert(text("call"), text("call_id_a"));
        }
        let name = self.names.get(&text("call")).cloned().unwrap_or_default();
        match text("kind").as_str() {
            "start" => drop(self.started.insert(name)),
            "session" => *self.ended.entry(name).or_default() += 1,
            _ => {}
        }
        self.lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
    }

    /// Closes what the last process left open.
    pub fn recover(&mut self) {
        let recovery = record::recover(self.lines.iter().map(String::as_str));
        self.last_seq = recovery.last_seq(0);
        for line in recovery.final_lines {
            self.take(line);
        }
    }

    /// A final answer to an INVITE goes out: what the journal lacks that has to
    /// be on disk before.
    pub fn before_answer(&mut self, answer: &Msg) -> Option<String> {
        let (status, call_id, branch) = (answer.status()?, answer.call_id(), answer.branch());
        let ended = self.ended.get(call_id).copied().unwrap_or(0);
        let refused = self.refused.entry(call_id.to_owned()).or_default();
        if status >= 300 {
            refused.insert(branch.to_owned());
        }
        match status {
            200..300 if !self.started.contains(call_id) => {
                Some(format!("call {call_id} is answered before its start is on record"))
            }
            300.. if ended < refused.len() => Some(format!("call {call_id} is refused before its end is on record")),
            _ => None,
        }
    }

    /// What is wrong with the journal when no call is on.
    pub fn problems(&self) -> Vec<String> {
        let report = record::verify(self.lines.iter().map(String::as_str));
        let mut out = Vec::new();
        if !report.is_sound() || !report.open.is_empty() {
            out.push(format!("the journal is not sound: {report:?}"));
            out.extend(self.lines.iter().cloned());
        }
        out
    }

    /// Callers whose INVITEs and records do not match: one record for each that
    /// was answered, and none for what was never sent. A crash may make two.
    pub fn mismatches(&self, ua: &Ua, crashed: bool) -> Vec<String> {
        let mut out = Vec::new();
        for call in ua.calls.iter().filter(|c| c.outgoing) {
            let invite =
                |c: &&crate::ua::Client| matches!(c.purpose, Purpose::Invite(_)) && c.request.call_id() == call.call_id;
            let sent = ua.clients.iter().filter(invite).count();
            let answered = ua.clients.iter().filter(invite).filter(|c| !c.finals.is_empty()).count();
            let records = self.ended.get(&call.call_id).copied().unwrap_or(0);
            if records < answered || (records > sent && !crashed) {
                out.push(format!("{}: {sent} INVITEs, {answered} answered, {records} records", call.call_id));
            }
        }
        out
    }

    /// Final lines of calls so far.
    pub fn sessions(&self) -> u64 {
        record::verify(self.lines.iter().map(String::as_str)).sessions
    }
}

/// The record room's settings of an engine that goes on after `last_seq`.
pub fn room(last_seq: u64) -> record::Config {
    record::Config {
        node: "sim".to_owned(),
        engine: EngineId(0),
        realms: ["browsers", "phones", "carriers"].map(str::to_owned).to_vec(),
        trunks: ["alpha", "beta"].map(str::to_owned).to_vec(),
        last_seq,
        ..Default::default()
    }
}
