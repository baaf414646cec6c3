//! The API's line to the engines: questions and orders as values.
//!
//! Values in the JSON shapes of the API come back. An answer that does not
//! come within a few seconds is "busy": the page tries again, nothing piles up.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::problem::Problem;
use crate::base::net::Prefix;

/// A question or an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The node's state.
    Status,
    /// Live calls, the youngest first.
    Calls {
        /// At most so many.
        limit: usize,
    },
    /// One call, live or ended, by our id, a Call-ID header or a Session-ID.
    Call {
        /// Which.
        name: String,
    },
    /// Why a call did what it did.
    Why {
        /// Which.
        name: String,
    },
    /// The trunks.
    Trunks,
    /// The registrations.
    Registrations,
    /// The bans.
    Bans,
    /// Metrics as text.
    Metrics,
    /// Where a call would go.
    Route {
        /// Calling user.
        from: String,
        /// Dialled user or SIP address.
        to: String,
        /// Name of the realm it comes in by; the first one if `None`.
        realm: Option<String>,
    },
    /// End a call.
    Hangup {
        /// Which.
        call: String,
    },
    /// Ban a block.
    Ban {
        /// The block.
        prefix: Prefix,
        /// For how long; `None` until it is lifted.
        secs: Option<u32>,
        /// Why, in the operator's words.
        reason: String,
    },
    /// Lift a ban.
    Lift {
        /// The block.
        prefix: Prefix,
    },
    /// Take no new calls.
    Drain,
    /// Take calls again.
    Undrain,
    /// End every call, then the process.
    Stop,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A value in the API's shape.
    Value(Value),
    /// Text: metrics.
    Text(String),
    /// It is done, and there is nothing to show.
    Done,
    /// There is no such call or ban.
    Missing,
    /// It cannot be done.
    Refused {
        /// A word for programs.
        code: &'static str,
        /// A sentence for people.
        message: String,
    },
}

/// An answer on its way; `None` if whoever answers is gone or has no room.
pub type Pending = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// The way to whoever answers.
#[derive(Clone)]
pub struct Line(Arc<dyn Fn(Ask) -> Pending + Send + Sync>);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Line {
    /// A line that hands questions to `send`.
    pub fn new<F: Future<Output = Option<Answer>> + Send + 'static>(
        send: impl Fn(Ask) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |ask| Box::pin(send(ask))))
    }

    /// Asks and waits for the answer.
    ///
    /// # Errors
    ///
    /// What is answered to the client: busy, missing, refused.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Problem> {
        match timeout(PATIENCE, (self.0)(ask)).await {
            Ok(Some(Answer::Missing)) => Err(Problem::missing()),
            Ok(Some(Answer::Refused { code, message })) => Err(Problem::unprocessable(code, message)),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => Err(Problem::busy()),
        }
    }

    /// [`Self::ask`] for a value.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub async fn value(&self, ask: Ask) -> Result<Value, Problem> {
        match self.ask(ask).await? {
            Answer::Value(value) => Ok(value),
            Answer::Text(text) => Ok(Value::String(text)),
            Answer::Done | Answer::Missing | Answer::Refused { .. } => Ok(Value::Null),
        }
    }
}
