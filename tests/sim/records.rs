//! What stays after the call: the journal, as it would lie on disk.
//!
//! It must be sound at the end of every story: numbers without a gap, one final
//! line for every attempt and for every call. After a crash it is recovered the
//! way a start of the process does it.

use sbc::base::EngineId;
use sbc::record;

/// The journal and what writes it.
pub struct Records {
    pub lines: Vec<String>,
    pub last_seq: u64,
}

impl Records {
    pub fn new() -> Self {
        Self { lines: Vec::new(), last_seq: 0 }
    }

    /// A line that an engine wrote.
    pub fn take(&mut self, line: Vec<u8>) {
        self.lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
    }

    /// Closes what the last process left open.
    pub fn recover(&mut self) {
        let recovery = record::recover(self.lines.iter().map(String::as_str));
        self.lines.extend(recovery.final_lines.iter().map(|l| String::from_utf8_lossy(l).into_owned()));
        self.last_seq = recovery.last_seq(0);
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
