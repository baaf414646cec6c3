//! What an operator may order.

use super::Engine;
use super::query::Reply;
use crate::base::net::Prefix;
use crate::base::{CallId, Now};

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Ends a call: its id, a Call-ID header of it, or its session identifier.
    Hangup {
        /// Which.
        call: String,
    },
    /// Bans a block.
    Ban {
        /// The block.
        prefix: Prefix,
        /// For how long; `None`: the longest there is.
        secs: Option<u32>,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Lifts a ban.
    Lift {
        /// The block.
        prefix: Prefix,
    },
    /// Takes no new calls.
    Drain,
    /// Takes new calls again.
    Undrain,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It is done, or under way.
    Accepted,
    /// There is nothing of that name.
    NotFound,
    /// It may not be done, for this reason.
    Refused(String),
}

impl Engine {
    /// Does what an operator orders.
    pub fn command(&mut self, now: Now, command: Command) -> Reply {
        let done = match command {
            Command::Hangup { call } => self.hang_up(now, &call),
            Command::Ban { prefix, secs, reason } => {
                match self.guard.ban(now, prefix, secs.unwrap_or(u32::MAX), &reason) {
                    Ok(()) => Done::Accepted,
                    Err(e) => Done::Refused(e.to_string()),
                }
            }
            Command::Lift { prefix } if self.guard.lift(now, prefix) => Done::Accepted,
            Command::Lift { .. } => Done::NotFound,
            Command::Drain => {
                self.calls.drain(true);
                Done::Accepted
            }
            Command::Undrain => {
                self.calls.drain(false);
                Done::Accepted
            }
        };
        self.pump(now);
        Reply::Done(done)
    }

    fn hang_up(&mut self, now: Now, name: &str) -> Done {
        let Some(id) = self.calls.find(name).map(|c: &crate::call::Call| -> CallId { c.id }) else {
            return Done::NotFound;
        };
        if self.with_calls(|calls, around| calls.hang_up(now, around, id)) { Done::Accepted } else { Done::NotFound }
    }
}
