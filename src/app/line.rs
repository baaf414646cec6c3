//! Joins the admin API to the threads: questions become requests to the
//! driver, answers get what other threads know.
//!
//! The driver answers for calls, trunks, registrations and bans; media threads
//! and the journal publish numbers of their own, which are added here.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::admin::line::{Answer, Ask};
use crate::edge::driver::Request;
use crate::edge::journal;
use crate::edge::media_thread::MediaHandle;
use crate::edge::panics;
use crate::engine::query::World;
use crate::engine::{Command, Done, Query, Reply};
use crate::media::shard::Reason;

/// What the API and the end of the process need of the running threads.
pub struct Node {
    /// The driver's inbox.
    pub driver: mpsc::Sender<Request>,
    /// The media threads.
    pub media: Vec<MediaHandle>,
    /// The journal's numbers.
    pub journal: Arc<journal::Status>,
    /// True if bans reach the kernel.
    pub kernel_bans: bool,
    /// Set by `sbc stop`.
    pub stop: Notify,
    /// True once calls are being ended.
    pub stopping: AtomicBool,
    /// Pairs of ports that the media threads share.
    pub ports_total: u64,
}

impl Node {
    /// Asks the driver; `None` if it is gone or has no room.
    pub async fn query(&self, query: Query) -> Option<Reply> {
        let (to, reply) = oneshot::channel();
        self.driver.try_send(Request::Query(query, to)).ok()?;
        reply.await.ok()
    }

    /// Orders the driver; `None` if it is gone or has no room.
    pub async fn command(&self, command: Command) -> Option<Done> {
        let (to, reply) = oneshot::channel();
        self.driver.try_send(Request::Command(command, to)).ok()?;
        match reply.await.ok()? {
            Reply::Done(done) => Some(done),
            _ => None,
        }
    }

    /// Answers the API.
    pub async fn answer(&self, ask: Ask) -> Option<Answer> {
        let query = match ask {
            Ask::Status => return self.status().await,
            Ask::Bans => return self.bans().await,
            Ask::Metrics => return self.metrics().await,
            Ask::Why { name } => Query::Why { id: name },
            Ask::Calls { limit } => Query::Calls { limit },
            Ask::Call { name } => Query::Call { id: name },
            Ask::Trunks => Query::Trunks,
            Ask::Registrations => Query::Registrations,
            Ask::Route { from, to, realm } => Query::Route { from, to, realm },
            Ask::Stop => {
                self.stop.notify_one();
                return Some(Answer::Done);
            }
            Ask::Hangup { call } => return self.command(Command::Hangup { call }).await.map(done),
            Ask::Ban { prefix, secs, reason } => return self.ban(Command::Ban { prefix, secs, reason }).await,
            Ask::Lift { prefix } => return self.command(Command::Lift { prefix }).await.map(done),
            Ask::Drain => return self.command(Command::Drain).await.map(done),
            Ask::Undrain => return self.command(Command::Undrain).await.map(done),
        };
        Some(match self.query(query).await? {
            Reply::Call(None) | Reply::Why(None) => Answer::Missing,
            Reply::Route(None) => {
                Answer::Refused { code: "no_such_realm", message: "there is no realm of that name".into() }
            }
            reply => Answer::Value(value(&reply)),
        })
    }

    async fn status(&self) -> Option<Answer> {
        let mut status = value(&self.query(Query::Status).await?);
        let fields = status.as_object_mut()?;
        if self.stopping.load(Relaxed) {
            fields.insert("state".into(), "stopping".into());
        }
        let free = fields.remove("ports_free").unwrap_or(Value::Null);
        let thread = |(id, handle): (usize, &MediaHandle)| {
            let g = handle.gauges();
            json!({
                "id": id,
                "sessions": g.sessions.load(Relaxed),
                "packets_per_sec": g.packets_per_sec.load(Relaxed),
                "load_ratio": g.load_permille.load(Relaxed) as f64 / 1000.0,
                "ports_free": free,
                "ports_total": self.ports_total,
            })
        };
        let threads: Vec<Value> = self.media.iter().enumerate().map(thread).collect();
        fields.insert("media_threads".into(), threads.into());
        Some(Answer::Value(status))
    }

    async fn metrics(&self) -> Option<Answer> {
        let dropped = |at: usize| self.media.iter().map(|m| m.gauges().dropped[at].load(Relaxed)).sum();
        let world = World {
            drops: Reason::ALL.iter().enumerate().map(|(at, reason)| (reason.name(), dropped(at))).collect(),
            cdr_spool_bytes: self.journal.waiting.load(Relaxed),
            panics: panics::count(),
        };
        match self.query(Query::Metrics(Box::new(world))).await? {
            Reply::Metrics(text) => Some(Answer::Text(text)),
            _ => None,
        }
    }

    async fn bans(&self) -> Option<Answer> {
        let mut bans = value(&self.query(Query::Bans).await?);
        for ban in bans.get_mut("bans").and_then(Value::as_array_mut).into_iter().flatten() {
            ban["enforced"] = if self.kernel_bans { "kernel" } else { "user_space" }.into();
        }
        Some(Answer::Value(bans))
    }

    /// Bans, and shows the ban as the list has it.
    async fn ban(&self, command: Command) -> Option<Answer> {
        let Command::Ban { prefix, .. } = &command else { return None };
        let name = format!("{}/{}", prefix.base(), prefix.bits());
        match self.command(command).await? {
            Done::Accepted => {}
            other => return Some(done(other)),
        }
        let Some(Answer::Value(mut list)) = self.bans().await else { return None };
        let rows = list.get_mut("bans").and_then(Value::as_array_mut)?;
        let row = rows.iter_mut().find(|ban| ban["prefix"] == name.as_str());
        Some(row.map_or(Answer::Done, |row| Answer::Value(row.take())))
    }
}

fn value(reply: &Reply) -> Value {
    serde_json::to_value(reply).unwrap_or(Value::Null)
}

fn done(done: Done) -> Answer {
    match done {
        Done::Accepted => Answer::Done,
        Done::NotFound => Answer::Missing,
        Done::Refused(message) => Answer::Refused { code: "refused", message },
    }
}
