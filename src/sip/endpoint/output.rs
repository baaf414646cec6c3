//! What an endpoint says, and what it has counted.

use bytes::Bytes;

use crate::base::Flow;
use crate::sip::message::{Request, Response};
use crate::sip::transaction::{ClientKey, FailReason, ServerKey};

/// One thing an endpoint wants done or known; in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Where to.
        flow: Flow,
        /// A whole message, or a keep-alive.
        bytes: Bytes,
    },
    /// A request that begins a transaction: no retransmission, ACK or CANCEL.
    Request {
        /// To answer it by.
        key: ServerKey,
        /// Where it came from.
        flow: Flow,
        /// With `received` and `rport` in its top Via.
        request: Request,
    },
    /// An ACK that is not for a non-2xx final: its dialog has to be found.
    Ack {
        /// Where it came from.
        flow: Flow,
        /// The ACK.
        request: Request,
    },
    /// An unanswered INVITE is cancelled. The CANCEL has been answered; the
    /// INVITE is to be answered 487.
    Cancel {
        /// The INVITE's key.
        key: ServerKey,
        /// The CANCEL, for its Reason.
        request: Request,
    },
    /// A response to a request of ours; every 2xx of a forked INVITE.
    Response {
        /// The request's key.
        key: ClientKey,
        /// Where it came from.
        flow: Flow,
        /// Provisional (100 too) or final.
        response: Response,
    },
    /// A 2xx to an INVITE of ours whose transaction has ended.
    StrayResponse {
        /// Where it came from.
        flow: Flow,
        /// The 2xx.
        response: Response,
    },
    /// A client transaction ended without a final response. RFC 3261 §8.1.3.1:
    /// to be treated as 408 or 503.
    Failed {
        /// The request's key.
        key: ClientKey,
        /// Why.
        why: FailReason,
    },
    /// A server transaction failed: its answer cannot arrive or was never
    /// acknowledged, or none was given in time.
    ServerFailed {
        /// The request's key.
        key: ServerKey,
        /// Why.
        why: FailReason,
    },
    /// Something came that is no proper message.
    Malformed {
        /// Where it came from.
        flow: Flow,
        /// What is wrong, from a closed set.
        what: &'static str,
        /// True if its sender was told.
        answered: bool,
    },
    /// A keep-alive came; it has been answered if its transport asks for that.
    KeepAlive {
        /// Where it came from.
        flow: Flow,
    },
    /// Close this connection: its stream cannot be read any further.
    CloseFlow {
        /// The connection.
        flow: Flow,
        /// Why, from a closed set.
        why: &'static str,
    },
}

/// What an endpoint has counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages sent again by a transaction.
    pub retransmissions_sent: u64,
    /// Requests that came again.
    pub retransmissions_received: u64,
    /// What could not be read, or was refused as malformed.
    pub malformed: u64,
    /// Well-formed requests refused before a transaction was made, malformed,
    /// merged and overload not counted.
    pub refused: u64,
    /// Merged requests answered 482 (RFC 3261 §8.2.2.2).
    pub merged: u64,
    /// Requests refused because the table is full, and ours that were not sent.
    pub overload: u64,
    /// Responses that match no transaction, 2xx to INVITE not counted.
    pub responses_dropped: u64,
    /// 2xx to INVITE that match no transaction.
    pub responses_stray: u64,
    /// ACKs to failures, absorbed.
    pub acks_absorbed: u64,
    /// Answers of the user that had no place in their transaction.
    pub answers_dropped: u64,
    /// Keep-alives received.
    pub keep_alives: u64,
    /// Connections that had to be closed.
    pub streams_broken: u64,
}
