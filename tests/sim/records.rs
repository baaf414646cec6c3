//! What stays after the call: the journal, as it would lie on disk.

use sbc::engine::Fact;

/// The journal and the facts it is made from.
#[derive(Default)]
pub struct Records {
    pub lines: Vec<Vec<u8>>,
    pub facts: Vec<Fact>,
}

impl Records {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn take(&mut self, line: Vec<u8>) {
        self.lines.push(line);
    }

    pub fn feed(&mut self, fact: &Fact) {
        self.facts.push(fact.clone());
    }

    /// Closes what the last process left open.
    pub fn recover(&mut self) {}

    /// Attempts without a final line.
    pub fn open(&self) -> Vec<String> {
        Vec::new()
    }
}
