//! The only place that reads the time.
//!
//! One reading per input: the driver stamps a batch of messages or packets
//! and everything that follows from it carries that stamp. The wall clock is
//! read anew each time, so a step of the system's time is seen at once; the
//! monotonic one never goes back.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::{Instant, Now, UnixMillis};

/// The process's clock; copies share their origin.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// Starts the clock. Monotonic time begins at one second, so that "long
    /// ago" can be told from "never" by subtraction.
    pub fn start() -> Self {
        let now = std::time::Instant::now();
        Self { origin: now.checked_sub(std::time::Duration::from_secs(1)).unwrap_or(now) }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono: Instant(self.origin.elapsed().as_nanos() as u64), wall: UnixMillis(wall.as_millis() as u64) }
    }

    /// The standard library's instant of one of ours, for timers of the runtime.
    pub fn std(&self, at: Instant) -> std::time::Instant {
        self.origin + std::time::Duration::from_nanos(at.0)
    }

    /// The standard library's instant of our origin, for libraries that count in it.
    pub fn origin(&self) -> std::time::Instant {
        self.origin
    }
}
