//! Log lines on standard error: text for people, JSON for programs.
//!
//! Under systemd the journal adds the time, so text has none of its own.

use std::io::IsTerminal;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::settings::Log;

/// Begins to log; the first call decides.
pub fn start(log: &Log) {
    let filter: Targets = log.filter.parse().unwrap_or_else(|_| Targets::new().with_default(tracing::Level::INFO));
    let registry = tracing_subscriber::registry().with(filter);
    let line = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(true);
    let journald = std::env::var_os("JOURNAL_STREAM").is_some();
    let done = if log.json {
        registry.with(line.json().flatten_event(true)).try_init()
    } else if journald {
        registry.with(line.with_ansi(false).without_time()).try_init()
    } else {
        registry.with(line.with_ansi(std::io::stderr().is_terminal())).try_init()
    };
    // Somebody logs already, in a test: his filter stays.
    drop(done);
}
