//! CANCEL from the caller, and the end of everybody's patience.
//!
//! A CANCEL that comes before the final answer ends the call with 487
//! (RFC 3261 §9.2); one that crosses our 2xx on the way changes nothing, as the
//! endpoint does not pass it on. Branches are cancelled in turn; whoever of
//! them answers all the same gets ACK and BYE.

use super::around::Step;
use super::call::{Call, Failure};
use super::cause::{Cause, Initiator, Internal};
use super::headers;
use super::hunt;
use super::teardown::{self, End};
use crate::sip::message::{Reason, Request};

/// The caller gave up.
pub fn on_cancel(call: &mut Call, step: &mut Step<'_, '_>, request: &Request) {
    let reasons = headers::crossing_reasons(request);
    let mut cause = Cause::new(487, Internal::Cancelled, "the caller gave up");
    if let Some(q850) = reasons.iter().find_map(Reason::q850_cause) {
        cause.q850 = u8::try_from(q850).unwrap_or(cause.q850);
    }
    teardown::end(call, step, End { reasons, ..End::new(Initiator::Caller, cause) });
}

/// Nobody answered within the time. What was heard before still counts: a busy
/// branch says more than a silent one.
pub fn on_no_answer(call: &mut Call, step: &mut Step<'_, '_>) {
    let cause = Cause::new(480, Internal::NoAnswer, "nobody answered");
    hunt::keep_best(call, Failure::of(cause.clone(), Initiator::Timer));
    let best = call.best.take().filter(|b| b.cause.sip_code == 486 || b.cause.sip_code >= 600);
    let end = match best {
        Some(best) => End::new(best.by, Cause { sip_code: best.status, ..best.cause }),
        None => End::new(Initiator::Timer, cause),
    };
    teardown::end(call, step, end);
}
