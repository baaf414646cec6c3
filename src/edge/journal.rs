//! The CDR journal on disk: one append per record, synced in groups.
//!
//! The driver appends a line before it sends what the line is about, so a
//! record can be missing only for a call that the peer never heard of. An
//! append is one `write` (1.6 µs); the kernel has it, so `kill -9` loses
//! nothing. A thread calls `fdatasync` (4 ms) for all that gathered, which
//! bounds what a power cut can take. One file a UTC day; whatever was open
//! when the process died is closed at the next start by `record::journal`.
//! A full disk holds lines in memory, within a bound, and says so.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::base::UnixMillis;
use crate::base::limits::CDR_QUEUE;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    day: u64,
    file: Arc<File>,
    waiting: VecDeque<Vec<u8>>,
    sync: SyncSender<Arc<File>>,
    status: Arc<Status>,
}

/// Numbers about the journal, readable from other threads.
#[derive(Debug, Default)]
pub struct Status {
    /// Bytes in today's file.
    pub bytes: AtomicU64,
    /// Lines that wait in memory because the disk refused them.
    pub waiting: AtomicU64,
    /// Lines that found no room even in memory.
    pub lost: AtomicU64,
}

/// How long appended lines gather before a sync.
const SYNC_EVERY: Duration = Duration::from_millis(20);

impl Journal {
    /// Opens or creates today's file in `dir`. A last line cut by a power
    /// failure is ended, so that the next one stands alone.
    ///
    /// # Errors
    ///
    /// If the directory cannot be made or the file not opened.
    pub fn open(dir: &Path, wall: UnixMillis) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let day = wall.secs() / 86_400;
        let status = Arc::new(Status::default());
        let file = open_day(dir, day, &status)?;
        let (sync, inbox) = sync_channel::<Arc<File>>(1);
        std::thread::Builder::new().name("cdr-sync".into()).spawn(move || {
            while let Ok(file) = inbox.recv() {
                if let Err(error) = file.sync_data() {
                    tracing::error!(%error, "the CDR journal cannot be synced");
                }
                std::thread::sleep(SYNC_EVERY);
            }
        })?;
        Ok(Self { dir: dir.into(), day, file, waiting: VecDeque::new(), sync, status })
    }

    /// The journal's numbers.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Appends one line, without its line feed.
    pub fn append(&mut self, wall: UnixMillis, mut line: Vec<u8>) {
        line.push(b'\n');
        if self.waiting.len() < CDR_QUEUE {
            self.waiting.push_back(line);
        } else {
            self.status.lost.fetch_add(1, Ordering::Relaxed);
        }
        if let Err(error) = self.write_waiting(wall) {
            if self.waiting.len() == 1 {
                tracing::error!(%error, "the CDR journal cannot be written, lines wait in memory");
            }
        } else {
            // A full channel means that a sync of this file is about to run anyway.
            let _ = self.sync.try_send(Arc::clone(&self.file));
        }
        self.status.waiting.store(self.waiting.len() as u64, Ordering::Relaxed);
    }

    fn write_waiting(&mut self, wall: UnixMillis) -> io::Result<()> {
        let day = wall.secs() / 86_400;
        if day != self.day {
            self.file.sync_data()?;
            self.file = open_day(&self.dir, day, &self.status)?;
            self.day = day;
        }
        while let Some(line) = self.waiting.front() {
            (&*self.file).write_all(line)?;
            self.status.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Syncs now: at the end of the process.
    ///
    /// # Errors
    ///
    /// As `fdatasync`.
    pub fn close(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Every complete line of the last `files` files, oldest first.
///
/// # Errors
///
/// If the directory or a file cannot be read; a missing directory is empty.
pub fn read_back(dir: &Path, files: usize) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    for path in day_files(dir)?.iter().rev().take(files).rev() {
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            lines.push(String::from_utf8_lossy(&line?).into_owned());
        }
    }
    Ok(lines)
}

/// The journal's files, oldest first.
///
/// # Errors
///
/// If the directory cannot be read; a missing one is empty.
pub fn day_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| {
            let name = p.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.starts_with("cdr-") && name.ends_with(".jsonl")
        })
        .collect();
    paths.sort();
    Ok(paths)
}

fn open_day(dir: &Path, day: u64, status: &Status) -> io::Result<Arc<File>> {
    let date = UnixMillis(day * 86_400_000).to_string();
    let path = dir.join(format!("cdr-{}.jsonl", &date[..10]));
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let len = file.metadata()?.len();
    if len > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(len - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    status.bytes.store(file.metadata()?.len(), Ordering::Relaxed);
    Ok(Arc::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("sbc-journal-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn days_have_their_own_files() {
        let dir = scratch("days");
        let wall = UnixMillis(1_795_189_440_000);
        let mut journal = Journal::open(&dir, wall).expect("journal opens");
        journal.append(wall, b"{\"n\":1}".to_vec());
        journal.append(UnixMillis(wall.0 + 86_400_000), b"{\"n\":2}".to_vec());
        assert_eq!(read_back(&dir, 2).expect("files"), ["{\"n\":1}", "{\"n\":2}"]);
        let names: Vec<_> = day_files(&dir).expect("files");
        assert!(names[0].ends_with("cdr-2026-11-20.jsonl") && names[1].ends_with("cdr-2026-11-21.jsonl"));
        fs::remove_dir_all(&dir).expect("scratch is ours");
    }

    #[test]
    fn a_torn_last_line_is_ended_before_the_next() {
        let dir = scratch("torn");
        let wall = UnixMillis(1_795_189_440_000);
        fs::create_dir_all(&dir).expect("directory");
        fs::write(dir.join("cdr-2026-11-20.jsonl"), b"{\"a\":1}\n{\"to").expect("file");
        Journal::open(&dir, wall).expect("journal opens").append(wall, b"{\"b\":2}".to_vec());
        assert_eq!(read_back(&dir, 1).expect("file"), ["{\"a\":1}", "{\"to", "{\"b\":2}"]);
        fs::remove_dir_all(&dir).expect("scratch is ours");
    }
}
