//! What is wrong with a configuration, all of it at once.
//!
//! A problem names the line and column, the key, what was found and what is
//! allowed; an operator mends a file in one go instead of one error a start.

use std::fmt;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line, from 1; 0 if the problem has no place in the file.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// The key with its sections: `trunk.acme.limits.cps`.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

/// `12:8: trunk.acme.limits.cps: found "many"; allowed: a number from 1 to 10000`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.found)?;
        if !self.allowed.is_empty() {
            write!(f, "; allowed: {}", self.allowed)?;
        }
        Ok(())
    }
}

/// Problems being collected, with the text that gives them their lines.
#[derive(Debug)]
pub struct Problems<'t> {
    text: &'t str,
    list: Vec<Problem>,
}

impl<'t> Problems<'t> {
    /// Nothing wrong so far with `text`.
    pub fn of(text: &'t str) -> Self {
        Self { text, list: Vec::new() }
    }

    /// Adds a problem at a byte offset.
    pub fn add(&mut self, at: usize, key: &str, found: impl Into<String>, allowed: impl Into<String>) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
        self.list.push(Problem { line, column, key: key.into(), found: found.into(), allowed: allowed.into() });
    }

    /// True if nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Problem> {
        self.list.sort();
        self.list.dedup();
        self.list
    }
}
