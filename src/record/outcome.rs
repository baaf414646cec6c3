//! How attempts and calls came out, as the closed words of metrics and ratios.
//!
//! One attempt has one outcome, taken when its record is final; ASR and NER
//! (ITU-T E.425) are counts of them. A challenge has none: its INVITE comes
//! again with credentials, and counting both would halve every ratio.

use super::fold::{Attempt, Fold, Path};
use crate::base::TrunkId;
use crate::call::cause::{Cause, Internal};

/// How an attempt came out: label `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Answered, however it ended.
    Answered,
    /// 486 or 600.
    Busy,
    /// It rang and nobody answered.
    NoAnswer,
    /// The called party would not: 603, or its own 403.
    Declined,
    /// The caller gave up, or another branch was first.
    Cancelled,
    /// No such number or user.
    NotFound,
    /// Our own policy, limits or guard.
    Refused,
    /// Everything else.
    Failed,
}

impl Outcome {
    /// The label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::NotFound => "not_found",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// True if the network did its part, whatever people did (NER, ITU-T E.425).
    pub const fn is_effective(self) -> bool {
        matches!(self, Self::Answered | Self::Busy | Self::NoAnswer | Self::Declined | Self::Cancelled)
    }

    /// The outcome that a cause means.
    pub const fn of(cause: &Cause, answered: bool, rang: bool) -> Self {
        if answered {
            return Self::Answered;
        }
        match cause.internal {
            Internal::Cancelled => Self::Cancelled,
            Internal::NoAnswer => Self::NoAnswer,
            Internal::UserOffline => Self::NotFound,
            Internal::AuthRequired | Internal::Forbidden | Internal::Limited | Internal::Overloaded => Self::Refused,
            Internal::AdminHangup => Self::Refused,
            Internal::Rejected | Internal::NoRoute => Self::of_status(cause.sip_code, rang),
            Internal::Hangup
            | Internal::TargetTimeout
            | Internal::TransportError
            | Internal::ResolveFailed
            | Internal::BadSdp
            | Internal::NoCommonCodec
            | Internal::NoMediaPort
            | Internal::BadRequest
            | Internal::Loop
            | Internal::NoAck
            | Internal::SessionExpired
            | Internal::FlowLost
            | Internal::Media(_)
            | Internal::Restart
            | Internal::Internal => Self::Failed,
        }
    }

    const fn of_status(status: u16, rang: bool) -> Self {
        match status {
            486 | 600 => Self::Busy,
            403 | 603 => Self::Declined,
            404 | 484 | 604 => Self::NotFound,
            408 | 480 if rang => Self::NoAnswer,
            _ => Self::Failed,
        }
    }
}

/// The label `cause` beside `result`: one of a closed set for answered calls
/// (`normal`, `media_timeout` …), one of another for the rest (`sip_4xx`, `timeout` …).
pub const fn cause_label(cause: &Cause, answered: bool) -> &'static str {
    if answered {
        return match cause.internal {
            Internal::Hangup => "normal",
            Internal::Media(_) => "media_timeout",
            Internal::SessionExpired => "session_timer",
            Internal::FlowLost | Internal::TransportError => "transport",
            Internal::AdminHangup => "admin",
            Internal::Restart | Internal::Overloaded => "shutdown",
            _ => "error",
        };
    }
    match cause.internal {
        Internal::NoAnswer | Internal::TargetTimeout | Internal::NoAck | Internal::SessionExpired => "timeout",
        Internal::TransportError | Internal::ResolveFailed | Internal::FlowLost => "transport",
        Internal::Media(_) | Internal::NoMediaPort => "media",
        Internal::Limited | Internal::Overloaded => "limit",
        Internal::AuthRequired | Internal::Forbidden | Internal::AdminHangup => "policy",
        Internal::Rejected
        | Internal::Cancelled
        | Internal::NoRoute
        | Internal::UserOffline
        | Internal::BadSdp
        | Internal::NoCommonCodec
        | Internal::BadRequest
        | Internal::Loop => status_class(cause.sip_code),
        Internal::Hangup | Internal::Restart | Internal::Internal => "error",
    }
}

const fn status_class(status: u16) -> &'static str {
    match status {
        300..=399 => "sip_3xx",
        400..=499 => "sip_4xx",
        500..=599 => "sip_5xx",
        600..=699 => "sip_6xx",
        _ => "error",
    }
}

/// What of a call the gauges hang on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub(super) active: bool,
    pub(super) counted: bool,
    pub(super) trunk: Option<TrunkId>,
    pub(super) path: Option<Path>,
    pub(super) attempts: usize,
    pub(super) ringing: usize,
    pub(super) answered: bool,
}

impl Marks {
    /// The marks of a call.
    pub fn of(fold: &Fold) -> Self {
        let active = fold.ending.is_none();
        Self {
            active,
            // A challenge is no call; its INVITE comes again with credentials.
            counted: fold.routed.is_some() || fold.ending.is_some() && !fold.challenged,
            trunk: fold.main_trunk(),
            path: fold.path().filter(|_| active),
            attempts: fold.attempts.len(),
            ringing: fold.attempts.iter().filter(|a| a.ringing.is_some()).count(),
            answered: fold.answered.is_some(),
        }
    }
}

/// Result and cause of an attempt that has ended.
pub fn attempt_outcome(fold: &Fold, attempt: &Attempt) -> Option<(Outcome, &'static str)> {
    let end = attempt.ending.as_deref().or(fold.ending.as_deref())?;
    let answered = fold.answered.is_some_and(|(winner, _)| winner == attempt.number);
    let rang = attempt.ringing.is_some();
    Some((Outcome::of(&end.cause, answered, rang), cause_label(&end.cause, answered)))
}

/// Result and cause of a call that has ended; `None` for a challenge.
pub fn session_outcome(fold: &Fold) -> Option<(Outcome, &'static str)> {
    let end = fold.ending.as_deref().filter(|_| Marks::of(fold).counted)?;
    let answered = fold.answered.is_some();
    Some((Outcome::of(&end.cause, answered, fold.ringing.is_some()), cause_label(&end.cause, answered)))
}

#[cfg(test)]
mod tests {
    use super::super::names::INTERNALS;
    use super::*;

    #[test]
    fn results_follow_who_refused() {
        let of = |status, internal, rang| Outcome::of(&Cause::new(status, internal, ""), false, rang).label();
        assert_eq!(of(486, Internal::Rejected, true), "busy");
        assert_eq!(of(480, Internal::Rejected, true), "no_answer");
        assert_eq!(of(480, Internal::Rejected, false), "failed");
        assert_eq!(of(403, Internal::Rejected, false), "declined");
        assert_eq!(of(403, Internal::Forbidden, false), "refused");
        assert_eq!(of(404, Internal::NoRoute, false), "not_found");
        assert_eq!(of(503, Internal::Rejected, false), "failed");
        assert_eq!(Outcome::of(&Cause::new(200, Internal::Hangup, ""), true, true), Outcome::Answered);
    }

    #[test]
    fn causes_are_from_the_closed_sets() {
        let answered = ["normal", "media_timeout", "session_timer", "transport", "admin", "shutdown", "error"];
        let failed =
            ["sip_4xx", "sip_5xx", "sip_6xx", "sip_3xx", "timeout", "transport", "media", "limit", "policy", "error"];
        for internal in INTERNALS {
            let cause = Cause::new(480, internal, "");
            assert!(answered.contains(&cause_label(&cause, true)) && failed.contains(&cause_label(&cause, false)));
        }
    }
}
