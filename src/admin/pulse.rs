//! The beat behind every open page: ask once a second, tell all who listen.
//!
//! However many pages are open, the engines are asked once, and nobody asks
//! while no page is open. What has not changed is not sent again; a page that
//! does not keep up loses frames and gets the next ones, which are complete.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::broadcast;

use super::line::{Ask, Line};
use super::redact;

/// One event for the pages.
#[derive(Debug)]
pub struct Frame {
    /// Its name.
    pub event: &'static str,
    /// Its data for who may see addresses.
    pub full: String,
    /// Its data for who may not.
    pub veiled: String,
}

/// The frames as they come.
pub type Frames = broadcast::Sender<Arc<Frame>>;

/// Time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// Frames kept for a page that is slow.
const KEPT: usize = 64;

/// A channel for frames.
pub fn channel() -> Frames {
    broadcast::channel(KEPT).0
}

/// Makes the frame of an answer.
pub fn frame(event: &'static str, mut value: Value) -> Frame {
    let full = value.to_string();
    redact::addresses(&mut value);
    Frame { event, full, veiled: value.to_string() }
}

/// What a page shows, with how many beats lie between two frames of it.
pub fn subjects() -> [(&'static str, Ask, u32); 5] {
    [
        ("status", Ask::Status, 1),
        ("calls", Ask::Calls { limit: 500 }, 1),
        ("trunks", Ask::Trunks, 2),
        ("bans", Ask::Bans, 2),
        ("registrations", Ask::Registrations, 2),
    ]
}

/// Asks and tells until the runtime ends.
pub async fn run(line: Line, frames: Frames) {
    let mut clock = tokio::time::interval(BEAT);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last: HashMap<&'static str, String> = HashMap::new();
    let mut beat = 0u32;
    loop {
        clock.tick().await;
        if frames.receiver_count() == 0 {
            last.clear();
            continue;
        }
        beat = beat.wrapping_add(1);
        for (event, ask, every) in subjects() {
            if !beat.is_multiple_of(every) {
                continue;
            }
            let Ok(value) = line.value(ask).await else { continue };
            let frame = frame(event, value);
            // The state goes out with every beat: it tells the page that the stream lives.
            if event != "status" && last.get(event) == Some(&frame.full) {
                continue;
            }
            last.insert(event, frame.full.clone());
            // Nobody listens any more: the next beat sees it.
            let _ = frames.send(Arc::new(frame));
        }
    }
}
