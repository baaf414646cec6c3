//! Trying targets: one after the other, or the bindings of a user at once.
//!
//! Fail-over follows what the failure says of the target: no answer at all, a
//! broken transport, 408, 480 and 5xx are the target's trouble and lead on; any
//! other refusal is about the call and ends the hunt. A 6xx ends it at once,
//! for all branches (RFC 3261 §16.7 step 5). What the caller hears in the end
//! is the best of all failures (§16.7 step 6).

use std::cmp::Reverse;
use std::time::Duration;

use super::around::Step;
use super::call::{Call, Failure};
use super::cause::{Cause, Initiator, Internal};
use super::config::Trunk;
use super::desk::{Use, Wait};
use super::event::{EventKind, TargetName};
use super::leg::{Attempt, Hop, Part, Target};
use super::output::{Output, ResolveId};
use super::setup::{limited, trunk_of};
use super::teardown::{self, End};
use super::{headers, offer, service, session};
use crate::base::{Codec, Flow, Leg, RealmId, Transport, limits};
use crate::route::health::Outcome;
use crate::sip::digest::{self, Login};
use crate::sip::locate::{Answer, Locate, Step as Locating};
use crate::sip::message::{CSeq, HeaderName, Method, Response};
use crate::sip::transaction::FailReason;

/// Goes on to the next targets when no attempt is under way.
pub fn next(call: &mut Call, step: &mut Step<'_, '_>) {
    while call.attempts.is_empty() && call.invite.is_some() {
        let Some(wave) = call.targets.pop_front() else { return give_up(call, step) };
        for target in wave {
            attempt(call, step, target);
        }
    }
}

/// Nothing is left to try: the caller gets the best failure.
fn give_up(call: &mut Call, step: &mut Step<'_, '_>) {
    let none = || Failure::new(480, Internal::NoRoute, Initiator::Sbc, "no target could be used");
    let best = call.best.take().unwrap_or_else(none);
    let mut cause = best.cause;
    cause.sip_code = best.status;
    // A target's own Retry-After is about the target.
    let retry_after = best.retry_after.filter(|_| best.by == Initiator::Sbc);
    teardown::end(call, step, End { retry_after, ..End::new(best.by, cause) });
}

/// Begins one attempt.
fn attempt(call: &mut Call, step: &mut Step<'_, '_>, target: Target) {
    if usize::from(call.tried) >= limits::ATTEMPTS_PER_CALL {
        return;
    }
    call.tried += 1;
    let number = call.tried;
    call.target = Some(target.clone());
    if let Hop::Service(which) = target.hop {
        return service::take(call, step, number, target, which);
    }
    if let Some(trunk) = trunk_of(&target) {
        if let Err(refusal) = step.around.guard.admit_trunk(step.now, trunk, call.id, number) {
            let refused = limited(&refusal);
            step.noted(call.id, None, format!("target passed over: {}", refused.cause.reason));
            let retry_after = Some(refusal.retry_after_secs);
            keep_best(call, Failure { retry_after, ..Failure::of(refused.cause, Initiator::Sbc) });
            return;
        }
        call.admitted.push((trunk, number));
    }
    let tag = step.desk.tag(call.id, Part::Attempt(number));
    let hop = target.hop.clone();
    call.attempts.push(Attempt {
        number,
        target,
        flow: None,
        invite: None,
        key: None,
        tag,
        side: None,
        early: Vec::new(),
        heard: false,
        authorised: false,
    });
    match hop {
        Hop::Flow(flow) => start(call, step, number, flow),
        Hop::Addresses(flows) => start_first(call, step, number, flows),
        Hop::Locate(locate) => locating(call, step, number, *locate),
        Hop::Service(_) => {}
    }
}

/// Goes on with the location of a target's name (RFC 3263).
fn locating(call: &mut Call, step: &mut Step<'_, '_>, number: u8, locate: Locate) {
    let Some(attempt) = call.attempt_mut(number) else { return };
    let (realm, dialled) = (attempt.target.realm, matches!(attempt.target.name, TargetName::Uri(_)));
    match locate.step() {
        Locating::Ask(query) => {
            let query = query.clone();
            attempt.target.hop = Hop::Locate(Box::new(locate));
            step.desk.questions += 1;
            let id = ResolveId(step.desk.questions);
            step.desk.resolves.insert(id, (call.id, number));
            step.desk.out.push_back(Output::Resolve { id, query });
        }
        Locating::Found(found) => {
            let way = |t: &crate::sip::locate::Target| match dialled {
                true => flow_towards(step, realm, t.transport, t.address),
                false => flow_to(step, realm, t.transport, t.address),
            };
            let flows = found.iter().filter_map(way).collect();
            start_first(call, step, number, flows);
        }
    }
}

/// Feeds the resolver's answer.
pub fn on_resolved(call: &mut Call, step: &mut Step<'_, '_>, number: u8, answer: Answer) {
    let Some(attempt) = call.attempt_mut(number) else { return };
    let Hop::Locate(locate) = &attempt.target.hop else { return };
    let mut locate = (**locate).clone();
    locate.handle_answer(answer, &mut step.desk.rng);
    locating(call, step, number, locate);
    next(call, step);
}

/// Our flow to an address, from the realm's listener for that transport.
fn flow_to(step: &Step<'_, '_>, realm: RealmId, transport: Transport, at: std::net::SocketAddr) -> Option<Flow> {
    let listener = step.config.realm(realm)?.listener(transport)?;
    // A socket of one family reaches no address of the other.
    let fits = listener.local.is_ipv4() == at.is_ipv4();
    fits.then(|| Flow { transport, ..Flow::udp(realm, listener.local, at) })
}

/// Our flow to an address that somebody dialled: by the realm it was dialled in
/// if that has a way there, else by the first one that has. Loopback is reached
/// from loopback and everything else from everywhere else; what leads back to
/// ourselves is no way.
fn flow_towards(step: &Step<'_, '_>, realm: RealmId, transport: Transport, at: std::net::SocketAddr) -> Option<Flow> {
    if step.config.is_ours(at) {
        return None;
    }
    let others = (0..step.config.realms.len()).map(|index| RealmId(index as u16)).filter(|id| *id != realm);
    let mut ways = std::iter::once(realm).chain(others).filter_map(|realm| flow_to(step, realm, transport, at));
    ways.find(|flow| flow.local.ip().is_loopback() == at.ip().is_loopback())
}

/// Starts at the first address; the rest stays for fail-over.
fn start_first(call: &mut Call, step: &mut Step<'_, '_>, number: u8, mut flows: Vec<Flow>) {
    if flows.is_empty() {
        let failure = Failure::new(502, Internal::ResolveFailed, Initiator::Sbc, "the target has no usable address");
        return drop_attempt(call, step, number, failure);
    }
    let first = flows.remove(0);
    if let Some(attempt) = call.attempt_mut(number) {
        attempt.target.hop = Hop::Addresses(flows);
    }
    start(call, step, number, first);
}

/// Writes and sends the INVITE of an attempt.
fn start(call: &mut Call, step: &mut Step<'_, '_>, number: u8, flow: Flow) {
    let config = step.config;
    let Some(realm) = config.realm(flow.realm) else { return };
    let Some(target) = call.attempt_mut(number).map(|a| a.target.clone()) else { return };
    let trunk = trunk_of(&target).and_then(|t| config.trunk(t));
    let kind = offer::kind_of(realm, None, flow.transport);
    let Some(mut side) = session::make_side(call, step, Leg::B, flow.realm, kind) else {
        let failure = Failure::new(503, Internal::NoMediaPort, Initiator::Sbc, "no media port is free");
        return drop_attempt(call, step, number, Failure { retry_after: Some(5), ..failure });
    };
    let heard = call.a.side.as_ref().and_then(|s| s.remote.as_ref());
    let theirs = heard.map(offer::codecs_of).unwrap_or_default();
    // What the caller will not receive, the called side need not send.
    let direction = heard.map_or(crate::sdp::Direction::SendRecv, |r| r.direction);
    let ours = codecs_for(&realm.codecs, trunk);
    let body = offer::write_offer(&mut side, &offer::shared_first(ours, &theirs), direction, realm.ptime_ms);
    session::open(call, step, offer::side_plan(&side, realm, flow.remote.ip()));
    let call_id = step.desk.call_id_header();
    let Some(tag) = call.attempt_mut(number).map(|a| a.tag.clone()) else { return };
    let cseq = 1 + step.desk.rng.below(FIRST_CSEQ_BELOW) as u32;
    let mut invite = headers::invite(config, call, &target, &flow, headers::Ids { call_id: &call_id, tag: &tag, cseq });
    invite.set_body(headers::SDP, body.to_bytes());
    let from = target.from.clone();
    let to = target.to.clone();
    let name = target.name.clone();
    step.event(
        call.id,
        EventKind::AttemptStarted {
            attempt: number,
            target: name,
            realm: flow.realm,
            flow: Some(flow),
            from,
            to,
            call_id,
        },
    );
    if step.desk.due.at(&(call.id, Wait::Answer)).is_none() {
        step.wait(call.id, Wait::Answer, step.now.mono + config.timing.no_answer);
    }
    step.wait(call.id, Wait::Response(number), step.now.mono + config.timing.silent);
    step.send(flow, invite.clone(), Use::Attempt { call: call.id, number });
    if let Some(attempt) = call.attempt_mut(number) {
        attempt.flow = Some(flow);
        attempt.invite = Some(invite);
        attempt.side = Some(side);
    }
}

/// The codecs for a target.
pub fn codecs_for<'a>(realm: &'a [Codec], trunk: Option<&'a Trunk>) -> &'a [Codec] {
    trunk.map(|t| t.codecs.as_slice()).filter(|c| !c.is_empty()).unwrap_or(realm)
}

/// A final failure came for an attempt.
pub fn on_failure(call: &mut Call, step: &mut Step<'_, '_>, number: u8, response: &Response) {
    if matches!(response.status, 401 | 407) && authorise(call, step, number, response) {
        return;
    }
    failed(call, step, number, Failure::from_response(response));
}

/// The transaction of an attempt failed.
pub fn on_transaction_failed(call: &mut Call, step: &mut Step<'_, '_>, number: u8, why: FailReason) {
    let failure = match why {
        FailReason::Timeout => {
            Failure::new(408, Internal::TargetTimeout, Initiator::Timer, "the target did not answer")
        }
        FailReason::TransportError => {
            Failure::new(502, Internal::TransportError, Initiator::Sbc, "the target could not be reached")
        }
        FailReason::Overload => Failure::new(503, Internal::Overloaded, Initiator::Sbc, "too many transactions"),
    };
    failed(call, step, number, failure);
}

/// No response of any kind came in time: the target is given up.
pub fn on_silence(call: &mut Call, step: &mut Step<'_, '_>, number: u8) {
    let Some(attempt) = call.attempt_mut(number) else { return };
    if attempt.heard {
        return;
    }
    let failure = Failure::new(408, Internal::TargetTimeout, Initiator::Timer, "the target did not respond");
    cancel(attempt, step);
    failed(call, step, number, failure);
}

/// Ends an attempt with a failure and goes on.
pub fn failed(call: &mut Call, step: &mut Step<'_, '_>, number: u8, failure: Failure) {
    drop_attempt(call, step, number, failure);
    next(call, step);
}

/// Takes an attempt out of the call and decides whether others follow.
fn drop_attempt(call: &mut Call, step: &mut Step<'_, '_>, number: u8, failure: Failure) {
    let Some(at) = call.attempts.iter().position(|a| a.number == number) else { return };
    let attempt = call.attempts.remove(at);
    let status = failure.cause.sip_code;
    let unreachable = !attempt.heard || status == 503 || failure.cause.internal == Internal::TransportError;
    if let Hop::Addresses(rest) = &attempt.target.hop
        && unreachable
        && !rest.is_empty()
    {
        // RFC 3263 §4.3: the next address of the same target.
        call.targets.push_front(vec![attempt.target.clone()]);
    }
    release(call, step, &attempt);
    on_record(call, step, &attempt);
    note_health(step, &attempt.target, &failure);
    step.event(call.id, EventKind::AttemptEnded { attempt: number, cause: failure.cause.clone(), by: failure.by });
    keep_best(call, failure);
    if status >= 600 {
        abandon_all(call, step, "another branch was refused for all");
    }
    if !leads_on(status) {
        call.targets.clear();
    }
}

/// An attempt that ends before its INVITE was written has its beginning on
/// record all the same.
fn on_record(call: &Call, step: &mut Step<'_, '_>, attempt: &Attempt) {
    if attempt.flow.is_none() {
        let target = &attempt.target;
        let kind = EventKind::AttemptStarted {
            attempt: attempt.number,
            target: target.name.clone(),
            realm: target.realm,
            flow: None,
            from: target.from.clone(),
            to: target.to.clone(),
            call_id: String::new(),
        };
        step.event(call.id, kind);
    }
}

/// True for failures that say something of the target and not of the call.
fn leads_on(status: u16) -> bool {
    matches!(status, 408 | 430 | 480 | 500..=599)
}

fn note_health(step: &mut Step<'_, '_>, target: &Target, failure: &Failure) {
    let Some(trunk) = trunk_of(target) else { return };
    let outcome = match failure.cause.internal {
        Internal::TargetTimeout => Outcome::Timeout,
        Internal::TransportError | Internal::ResolveFailed => Outcome::Unreachable,
        Internal::Rejected => Outcome::Answer {
            status: failure.cause.sip_code,
            retry_after: failure.retry_after.map(|secs| Duration::from_secs(u64::from(secs))),
        },
        // Our own reasons say nothing of the trunk.
        _ => return,
    };
    step.around.health.handle_call(step.now, trunk, outcome);
}

/// Gives back what an attempt held besides media.
pub fn release(call: &mut Call, step: &mut Step<'_, '_>, attempt: &Attempt) {
    step.unwait(call.id, Wait::Response(attempt.number));
    step.desk.dialogs.remove(&attempt.tag);
    if let Some(key) = attempt.key
        && matches!(step.desk.clients.get(&key), Some(Use::Attempt { .. }))
    {
        step.desk.clients.remove(&key);
    }
    call.admitted.retain(|(trunk, number)| {
        let ours = *number == attempt.number;
        if ours {
            step.around.guard.release_trunk(*trunk, call.id, *number);
        }
        !ours
    });
}

/// Ends every attempt that is under way: somebody else answered, or nobody
/// waits any more.
pub fn abandon_all(call: &mut Call, step: &mut Step<'_, '_>, why: &str) {
    for mut attempt in std::mem::take(&mut call.attempts) {
        on_record(call, step, &attempt);
        cancel(&mut attempt, step);
        release(call, step, &attempt);
        let cause = Cause::new(487, Internal::Cancelled, why);
        step.event(call.id, EventKind::AttemptEnded { attempt: attempt.number, cause, by: Initiator::Sbc });
    }
}

/// Cancels an attempt's INVITE; what still comes for it is looked after apart
/// from the call (RFC 3261 §9.1: a 2xx may cross the CANCEL).
pub fn cancel(attempt: &mut Attempt, step: &mut Step<'_, '_>) {
    let (Some(key), Some(invite), Some(flow)) = (attempt.key.take(), attempt.invite.take(), attempt.flow) else {
        return;
    };
    step.desk.clients.insert(key, Use::Settled { invite: Box::new(invite), flow, acked: Vec::new() });
    step.desk.out.push_back(Output::Cancel { key });
}

/// Answers a challenge of the trunk that owns credentials, once; nobody else's
/// challenge gets anything (NUMBERS, attack 5).
fn authorise(call: &mut Call, step: &mut Step<'_, '_>, number: u8, challenge: &Response) -> bool {
    let config = step.config;
    let Some(attempt) = call.attempt_mut(number) else { return false };
    let (Some(flow), Some(invite)) = (attempt.flow, attempt.invite.as_mut()) else { return false };
    let login = trunk_of(&attempt.target).and_then(|t| config.trunk(t)).and_then(Trunk::login);
    let Some(login) = login.filter(|_| !attempt.authorised) else { return false };
    if !authorise_request(step, invite, challenge, &login) {
        return false;
    }
    attempt.authorised = true;
    attempt.heard = false;
    let (key, again) = (attempt.key.take(), invite.clone());
    if let Some(key) = key {
        step.desk.clients.remove(&key);
    }
    step.wait(call.id, Wait::Response(number), step.now.mono + config.timing.silent);
    step.send(flow, again, Use::Attempt { call: call.id, number });
    true
}

/// Puts the answer to a challenge into a request and counts its CSeq up
/// (RFC 3261 §22.2). False if the challenge cannot be answered.
pub fn authorise_request(
    step: &mut Step<'_, '_>,
    request: &mut crate::sip::message::Request,
    challenge: &Response,
    login: &Login,
) -> bool {
    let cnonce = step.desk.rng.token(CNONCE_CHARS);
    let Ok(cseq) = request.cseq() else { return false };
    if digest::answer(challenge, request, login, &cnonce).is_err() {
        return false;
    }
    let method: Method = request.method.clone();
    request.headers.set(HeaderName::CSeq, CSeq::new(cseq.seq + 1, method).to_string());
    true
}

/// Keeps the better one of two failures.
pub fn keep_best(call: &mut Call, failure: Failure) {
    let better = |new: &Failure, old: &Failure| Reverse(rank(new.cause.sip_code)) > Reverse(rank(old.cause.sip_code));
    if call.best.as_ref().is_none_or(|old| better(&failure, old)) {
        call.best = Some(failure);
    }
}

/// RFC 3261 §16.7 step 6: 6xx first, then the lowest class; within 4xx what
/// tells the caller most.
fn rank(status: u16) -> u8 {
    match status {
        600.. => 0,
        486 => 1,
        484 => 2,
        404 => 3,
        480 => 5,
        408 => 6,
        400..=499 => 4,
        500..=599 => 7,
        _ => 8,
    }
}

impl Failure {
    /// A failure of ours.
    pub fn new(status: u16, internal: Internal, by: Initiator, reason: &str) -> Self {
        Self::of(Cause::new(status, internal, reason), by)
    }

    /// A failure with its cause as it stands.
    pub fn of(cause: Cause, by: Initiator) -> Self {
        Self { status: cause.sip_code, cause, by, retry_after: None }
    }

    /// What a failure response means. The phrase is ours: what the peer wrote
    /// there is its own affair.
    fn from_response(response: &Response) -> Self {
        let status = response.status;
        let mut cause = Cause::new(status, Internal::Rejected, crate::sip::message::reason_phrase(status));
        if let Some(q850) = response.headers.reasons().iter().find_map(|r| r.q850_cause()) {
            cause.q850 = u8::try_from(q850).unwrap_or(cause.q850);
        }
        let retry_after = response.headers.retry_after().map(|r| r.secs);
        Self { status: outward(status), cause, by: Initiator::Callee, retry_after }
    }
}

/// The status that the caller gets for a target's. Redirections are not
/// followed; a trunk's challenge and what it says of our own message are not
/// the caller's affair; 503 would make the caller's proxy think that we are
/// down (RFC 3261 §16.7 step 6).
fn outward(status: u16) -> u16 {
    match status {
        402..=404 | 408 | 410 | 480 | 482..=486 | 488 | 500..=502 | 504 | 580 | 600..=699 => status,
        300..=399 | 430 | 487 => 480,
        401 | 407 => 403,
        415 => 488,
        _ => 500,
    }
}

/// A first CSeq is random below this, so that it tells nothing and can count up (RFC 3261 §8.1.1.5).
const FIRST_CSEQ_BELOW: u64 = 1 << 16;

/// 100 bits.
const CNONCE_CHARS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_something_of_the_target_leads_on() {
        let on: Vec<u16> = [404, 408, 480, 486, 488, 500, 503, 600, 603].into_iter().filter(|s| leads_on(*s)).collect();
        assert_eq!(on, [408, 480, 500, 503]);
    }

    #[test]
    fn the_caller_hears_the_most_telling_failure() {
        let mut list = [503, 408, 480, 404, 486, 603, 403];
        list.sort_by_key(|s| rank(*s));
        assert_eq!(list, [603, 486, 404, 403, 480, 408, 503]);
    }

    #[test]
    fn what_is_not_the_callers_affair_becomes_something_else() {
        let mapped: Vec<u16> = [302, 401, 407, 486, 487, 503, 400, 604].into_iter().map(outward).collect();
        assert_eq!(mapped, [480, 403, 403, 486, 480, 500, 500, 604]);
    }
}
