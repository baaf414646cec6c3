//! The end of the process, in two steps.
//!
//! The first signal lets calls end by themselves: no new ones are taken (503
//! with Retry-After), those in progress go on for as long as configured. The
//! second one, or the end of that time, ends them with a BYE; their records
//! are written before the process goes.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::line::Node;
use crate::engine::{Command, Query, Reply};

/// How often the calls in progress are counted.
const LOOK: Duration = Duration::from_millis(100);

/// How long calls that are being ended may take: BYE and its answer, media's last numbers.
const FAREWELL: Duration = Duration::from_secs(5);

/// Calls ended in one go.
const BATCH: usize = 10_000;

/// Number of calls in progress; `None` if the driver does not answer.
pub async fn active(node: &Node) -> Option<usize> {
    match node.query(Query::Status).await? {
        Reply::Status(status) => Some(status.calls_active),
        _ => None,
    }
}

/// Takes no new calls and waits until none is left, at most `most`.
pub async fn drain(node: &Node, most: Duration) {
    node.command(Command::Drain).await;
    let wait = async {
        while active(node).await.is_some_and(|calls| calls > 0) {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(most, wait).await.is_err() {
        tracing::warn!("calls are still in progress after the time for draining");
    }
}

/// Ends every call and waits for their records.
pub async fn end_calls(node: &Node) {
    node.stopping.store(true, Relaxed);
    node.command(Command::Drain).await;
    let end = async {
        loop {
            let Some(Reply::Calls { calls, total }) = node.query(Query::Calls { limit: BATCH }).await else { return };
            if total == 0 {
                return;
            }
            for call in calls.into_iter().filter(|call| call.state != "ending") {
                node.command(Command::Hangup { call: call.id }).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(FAREWELL, end).await.is_err() {
        tracing::warn!("some calls did not end in time; their records are closed at the next start");
    }
}
