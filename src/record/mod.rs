//! What is written down: CDRs, metrics, log lines, `why`, views of calls.
//!
//! Typed events come in, each with its stamp; everything here is a fold of
//! them, so that a record, a counter and a log line about the same thing cannot
//! disagree. No I/O and no clock: journal lines and log lines are outputs, in
//! the order in which they are to be written, and the driver writes a journal
//! line before it sends the message that follows from it.
//!
//! [`Records`] belongs to one engine. `merge` adds up the metrics of several.

pub mod causal;
pub mod cdr;
pub mod csv;
pub mod explain;
pub mod fold;
pub mod journal;
pub mod json;
pub mod ladder;
pub mod live;
pub mod log;
pub mod merge;
pub mod metrics;
pub mod names;
pub mod outcome;
pub mod recover;
pub mod series;
pub mod stats;
pub mod times;
pub mod verify;
pub mod words;

use std::collections::VecDeque;

use crate::base::{CallId, EngineId, Now, TrunkId, UnixMillis, limits};
use crate::call::event::{Event, EventKind};
use crate::guard;
use crate::media::event::SideReport;

pub use explain::Why;
pub use live::{CallDetail, CallView, LiveEvent, Totals};
pub use log::{BindingChange, Level, LogLine};
pub use metrics::{Metrics, Snapshot, Way};
pub use names::Names;
pub use recover::{Recovery, recover};
pub use stats::TrunkStats;
pub use verify::verify;

use causal::{Stories, Story};
use outcome::Marks;
use stats::Stats;

/// All that [`Records::new`] needs.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The node's name.
    pub node: String,
    /// The engine whose records these are.
    pub engine: EngineId,
    /// Version of the configuration, as it stands in every record.
    pub config_version: String,
    /// Version of the program.
    pub version: String,
    /// When the process started.
    pub started: UnixMillis,
    /// Names of realms, by `RealmId`.
    pub realms: Vec<String>,
    /// Names of trunks, by `TrunkId`.
    pub trunks: Vec<String>,
    /// Number of this engine's last line in the journal: `Recovery::last_seq`.
    pub last_seq: u64,
    /// Lines below it are not made.
    pub log: Level,
}

/// What is to be written or shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A line of the journal, without LF; to be written before anything that
    /// was asked for later.
    Journal(Vec<u8>),
    /// A log line.
    Log(LogLine),
    /// A step of a call for whoever watches (see [`Records::watch`]).
    Live(LiveEvent),
}

/// The records of one engine.
#[derive(Debug)]
pub struct Records {
    stories: Stories,
    journal: journal::Journal,
    metrics: Metrics,
    stats: Stats,
    names: Names,
    log: Level,
    watched: bool,
    out: VecDeque<Output>,
    calls_total: u64,
    attempts_total: u64,
    one_way_total: u64,
}

impl Records {
    /// Records with nothing in them.
    pub fn new(config: Config) -> Self {
        let names = Names { realms: config.realms, trunks: config.trunks };
        let writer = cdr::Writer {
            node_id: config.node,
            engine: config.engine.0,
            config_version: config.config_version,
            names: names.clone(),
        };
        Self {
            stories: Stories::default(),
            journal: journal::Journal::new(writer, config.last_seq),
            metrics: Metrics::new(names.clone(), &config.version, config.started),
            stats: Stats::new(names.trunks.len()),
            names,
            log: config.log,
            watched: false,
            out: VecDeque::new(),
            calls_total: 0,
            attempts_total: 0,
            one_way_total: 0,
        }
    }

    /// Folds an event of a call in.
    pub fn feed_call(&mut self, event: &Event) {
        let before = self.stories.get(event.call).map(|s| Marks::of(&s.fold)).unwrap_or_default();
        let Some(story) = self.stories.feed(event) else {
            // After its last event a call is over whatever still comes.
            return self.log_at(Level::Error, || log::stray_line(event.at, event.call));
        };
        let fold = &story.fold;
        let lines = self.journal.feed(fold, &event.kind);
        self.metrics.feed(fold, before, &event.kind, &lines.closed);
        self.stats.feed(event.at, fold, &lines.closed);
        let after = Marks::of(fold);
        match &event.kind {
            EventKind::AttemptStarted { attempt, .. } if after != before => {
                self.attempts_total += 1;
                let trunk = fold.attempt(*attempt).and_then(fold::Attempt::trunk);
                self.stats.begun(event.at, trunk, false);
            }
            EventKind::Started { .. } => self.stats.begun(event.at, fold.trunk, true),
            EventKind::Answered { .. } if after != before => self.calls_total += 1,
            EventKind::Ended => self.one_way_total += fold.silent_sides().len() as u64,
            _ => {}
        }
        self.out.extend(lines.lines.into_iter().map(Output::Journal));
        if log::level(fold, &event.kind) >= self.log {
            self.out.push_back(Output::Log(log::call_line(fold, event, &self.names)));
        }
        if self.watched {
            let steps = ladder::last(story, &self.names).into_iter();
            self.out.extend(steps.map(|event| Output::Live(LiveEvent { id: fold.call.to_string(), event })));
        }
    }

    /// Folds an event of the guard in.
    pub fn feed_guard(&mut self, event: &guard::Event) {
        let line = log::guard_line(event);
        self.log_at(line.level, || line);
    }

    /// Folds a change of a binding in.
    pub fn feed_registration(&mut self, at: Now, user: &str, realm: crate::base::RealmId, change: BindingChange) {
        let line = log::registration_line(at, user, self.names.realm(realm), change);
        self.log_at(line.level, || line);
    }

    /// Folds a trunk that went up or down in; `why` is one sentence.
    pub fn feed_trunk(&mut self, at: Now, trunk: TrunkId, up: bool, why: &str) {
        let line = log::trunk_line(at, trunk, up, why, &self.names);
        self.log_at(line.level, || line);
    }

    /// Folds the answer to a probe of a trunk in.
    pub fn feed_probe(&mut self, trunk: TrunkId, after_ms: u64) {
        self.metrics.probed(trunk, after_ms);
    }

    /// Counts a SIP request that came or was sent (repetitions not counted).
    pub fn feed_request(&mut self, method: &str, way: Way) {
        self.metrics.request(method, way);
    }

    /// Counts a SIP response that came or was sent (repetitions not counted).
    pub fn feed_response(&mut self, method: &str, status: u16, way: Way) {
        self.metrics.response(method, status, way);
    }

    /// Takes numbers of a call's media while it runs: for its view and its MOS
    /// curve. Every 5 s is enough. `count` puts a sample into the MOS
    /// histogram too, which wants one a minute.
    pub fn feed_sample(&mut self, at: Now, call: CallId, reports: &[SideReport; 2], count: bool) {
        if let Some(story) = self.stories.sample(at, call, reports)
            && count
        {
            self.metrics.sample(&story.fold, reports);
        }
    }

    fn log_at(&mut self, level: Level, line: impl FnOnce() -> LogLine) {
        if level >= self.log {
            self.out.push_back(Output::Log(line()));
        }
    }

    /// What is to be written next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Turns [`Output::Live`] on while somebody watches.
    pub fn watch(&mut self, on: bool) {
        self.watched = on;
    }

    /// Takes the names and the version of a new configuration. Ids that calls
    /// in progress use must keep their meaning: what is gone keeps its place,
    /// what is added stands behind it.
    pub fn reconfigure(&mut self, config_version: &str, names: Names) {
        self.stats.resize(names.trunks.len());
        self.journal.reconfigure(config_version, names.clone());
        self.metrics.rename(names.clone());
        self.names = names;
    }

    /// Changes the level below which no line is made.
    pub fn set_log_level(&mut self, level: Level) {
        self.log = level;
    }

    /// Finds a call by our id, a Call-ID header of either leg or a Session-ID.
    pub fn find(&self, name: &str) -> Option<CallId> {
        self.stories.find(name)
    }

    /// Calls in progress, the newest first, at most `limit`.
    pub fn live_calls(&self, now: Now, limit: usize) -> Vec<CallView> {
        self.stories.live().take(limit).map(|s| CallView::of(&s.fold, &self.names, now)).collect()
    }

    /// Number of calls in progress.
    pub fn live_count(&self) -> usize {
        self.stories.live_count()
    }

    /// All of one call; `addresses` is false for who may not see them.
    pub fn view(&self, call: CallId, now: Now, addresses: bool) -> Option<CallDetail> {
        self.story(call).map(|s| CallDetail::of(s, &self.names, now, addresses))
    }

    /// Why the call did what it did: the first cause first.
    pub fn why(&self, call: CallId) -> Option<Why> {
        self.story(call).map(|s| explain::why(s, &self.names))
    }

    /// The causal record of a call.
    pub fn story(&self, call: CallId) -> Option<&Story> {
        self.stories.get(call)
    }

    /// Sums for the status page.
    pub fn totals(&self, now: Now) -> Totals {
        let mut totals = Totals {
            calls_active: self.stories.live_count() as u64,
            calls_total: self.calls_total,
            attempts_total: self.attempts_total,
            cps: self.stats.cps(now),
            cdr_written_total: self.journal.written(),
            cdr_journal_bytes: self.journal.written_bytes(),
            ..Totals::default()
        };
        totals.quality = live::quality(self.stories.live().take(limits::CALLS), self.one_way_total);
        totals.calls_by_realm = live::by_realm(self.stories.live(), self.names.realms.len());
        totals
    }

    /// A trunk's numbers of the last quarter of an hour.
    pub fn trunk(&self, now: Now, trunk: TrunkId) -> TrunkStats {
        self.stats.trunk(now, trunk)
    }

    /// The metrics in the text exposition format.
    pub fn render(&self, snapshot: &Snapshot) -> String {
        self.metrics.render(snapshot)
    }

    /// The metrics, to be added to those of other engines by [`merge::merge`].
    pub fn gather(&self, snapshot: &Snapshot) -> Vec<prometheus::proto::MetricFamily> {
        self.metrics.gather(snapshot)
    }
}

#[cfg(test)]
mod scene;

#[cfg(test)]
mod tests;
