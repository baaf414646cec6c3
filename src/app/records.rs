//! The journal at start: what a crash left open is closed before anything new.

use std::io;
use std::path::Path;

use crate::edge::clock::Clock;
use crate::edge::journal::{self, Journal};
use crate::record;

/// An open journal and what its past says.
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// Where the numbers of its lines go on.
    pub recovery: record::Recovery,
}

/// Days read back: a call may have begun the day before the last file.
const FILES: usize = 3;

/// Opens the journal and closes what is open in it.
///
/// # Errors
///
/// If a file cannot be read or written: without a journal no call is taken.
pub fn open(dir: &Path, clock: Clock) -> io::Result<Opened> {
    let lines = journal::read_back(dir, FILES)?;
    let recovery = record::recover(lines.iter().map(String::as_str));
    let wall = clock.now().wall;
    let mut journal = Journal::open(dir, wall)?;
    for line in &recovery.final_lines {
        journal.append(wall, line.clone());
    }
    Ok(Opened { journal, recovery })
}
