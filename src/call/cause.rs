//! Why a call, or one attempt of it, ended: in the field's codes and in ours.
//!
//! RFC 3326 carries the first two between networks; the internal code is what
//! `sbc why` starts from, and a closed set so that metrics may carry it.

use serde::{Deserialize, Serialize};

use crate::media::event::MediaFailure;

/// A cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Final status of the INVITE, or 200 for a call that ended after its answer.
    pub sip_code: u16,
    /// ITU-T Q.850 cause value.
    pub q850: u8,
    /// Reason text for people.
    pub reason: String,
    /// What happened, in our words.
    pub internal: Internal,
}

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initiator {
    /// The A leg's peer.
    Caller,
    /// The B leg's peer.
    Callee,
    /// The SBC by a rule: admission, routing, a protocol error.
    Sbc,
    /// An operator.
    Admin,
    /// A timer: no answer, session timer, lost ACK.
    Timer,
    /// Media: ICE, DTLS, inactivity.
    Media,
}

/// Our own cause codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Internal {
    /// A party hung up after the answer.
    Hangup,
    /// The caller gave up before the answer.
    Cancelled,
    /// The called party or the network beyond refused: its status stands in `sip_code`.
    Rejected,
    /// Nobody answered within the time.
    NoAnswer,
    /// No response at all from the target.
    TargetTimeout,
    /// The target's transport failed.
    TransportError,
    /// The target's name could not be resolved.
    ResolveFailed,
    /// No rule matched, or none of its targets could be used.
    NoRoute,
    /// The dialled user is not registered.
    UserOffline,
    /// Credentials are missing or wrong.
    AuthRequired,
    /// Policy refused: access list, realm, ban.
    Forbidden,
    /// A limit was reached: calls, calls a second.
    Limited,
    /// The SBC is overloaded or draining.
    Overloaded,
    /// The session description could not be served.
    BadSdp,
    /// No codec in common.
    NoCommonCodec,
    /// No media port was free.
    NoMediaPort,
    /// The request was malformed or could not be understood.
    BadRequest,
    /// Max-Forwards ran out or the call loops.
    Loop,
    /// The ACK never came.
    NoAck,
    /// The session timer ran out.
    SessionExpired,
    /// The browser's connection was lost and did not come back in time.
    FlowLost,
    /// Media failed.
    Media(MediaFailure),
    /// An operator ended the call.
    AdminHangup,
    /// The process ended before the call did.
    Restart,
    /// Our own error.
    Internal,
}

impl Cause {
    /// A cause with the Q.850 value that RFC 3398 §8.2.6.1 maps the status to.
    pub fn new(sip_code: u16, internal: Internal, reason: impl Into<String>) -> Self {
        Self { sip_code, q850: q850_of(sip_code), reason: reason.into(), internal }
    }
}

/// Q.850 cause for a SIP status (RFC 3398 §8.2.6.1; 200 is normal clearing).
pub fn q850_of(status: u16) -> u8 {
    match status {
        200..=299 => 16,
        400 | 481 | 500 => 41,
        401 | 402 | 403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 420 | 488 | 606 => 79,
        408 | 504 => 102,
        410 => 22,
        413 | 414 | 416 | 421 | 423 | 505 | 513 => 127,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        501 => 79,
        502 => 38,
        503 => 34,
        _ => 31,
    }
}
