//! What a SIP message can be wrong about, as values.
//!
//! [`ParseError`] says what could not be read and where, and carries the
//! answer to send where an answer is possible; [`Refusal`] is the status for
//! a message that was read and must not be served. Neither holds text from
//! the peer, so both may be logged and counted.

use super::message::Response;

/// Something in a message that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct ParseError {
    /// What is wrong, from a closed set: fit for a metric label's help and a reason phrase.
    pub what: &'static str,
    /// Byte offset in the message, or in the header value if one was parsed alone.
    pub at: usize,
    /// The answer to a request whose Via, From, To, Call-ID and CSeq could be
    /// read: 400, or 505 for a foreign version. `None` for responses, for ACK,
    /// and where nobody could be answered.
    pub reply: Option<Box<Response>>,
}

impl ParseError {
    /// An error without an answer.
    pub const fn new(what: &'static str, at: usize) -> Self {
        Self { what, at, reply: None }
    }
}

/// The status with which a readable message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Refusal {
    /// The status code of the answer.
    pub status: u16,
    /// The reason phrase; RFC 3261 §21.4.1 wants it to name the problem.
    pub reason: &'static str,
}

impl Refusal {
    /// A refusal with this status and reason phrase.
    pub const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// What cannot be read in a request is its sender's fault.
impl From<ParseError> for Refusal {
    fn from(error: ParseError) -> Self {
        Self { status: 400, reason: error.what }
    }
}
