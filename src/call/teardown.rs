//! The end of a call: BYE, and everything given back.
//!
//! Whatever ends a call comes through [`end`], once. The record comes first:
//! `Ending` before any message, and `Ended` before the final answer of a call
//! that was never answered, whose media numbers are not waited for. An
//! answered call ends when the shard has closed its media and told the last
//! numbers, or when that takes too long.

use super::around::Step;
use super::call::{Call, Phase};
use super::cause::{Cause, Initiator, Internal};
use super::desk::Wait;
use super::event::EventKind;
use super::{headers, hunt, leftover, session};
use crate::base::{Flow, Leg};
use crate::media;
use crate::sip::message::{HeaderName, Reason, Request};
use crate::sip::transaction::ServerKey;

/// How a call ends.
#[derive(Clone, Debug)]
pub struct End {
    /// Who ended it.
    pub by: Initiator,
    /// Why; its status is the final answer of a call that was not answered.
    pub cause: Cause,
    /// Seconds for the Retry-After of that answer.
    pub retry_after: Option<u32>,
    /// The side that is gone already and gets no BYE.
    pub gone: Option<Leg>,
    /// Causes for the BYE, as far as they cross; empty: made from the cause.
    pub reasons: Vec<Reason>,
}

impl End {
    /// An end that both sides are told of.
    pub fn new(by: Initiator, cause: Cause) -> Self {
        Self { by, cause, retry_after: None, gone: None, reasons: Vec::new() }
    }
}

/// A BYE came from a side.
pub fn on_bye(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: &Request) {
    let response = headers::dialog_reply(step.config, call, leg, request, 200);
    step.respond(key, response);
    let by = match leg {
        Leg::A => Initiator::Caller,
        Leg::B => Initiator::Callee,
    };
    let reasons = headers::crossing_reasons(request);
    if call.is_answered() {
        let mut cause = Cause::new(200, Internal::Hangup, "normal call clearing");
        if let Some(q850) = reasons.iter().find_map(Reason::q850_cause) {
            cause.q850 = u8::try_from(q850).unwrap_or(cause.q850);
        }
        return end(call, step, End { gone: Some(leg), reasons, ..End::new(by, cause) });
    }
    // RFC 3261 §15: the caller may end an early dialog by BYE as well.
    end(call, step, End::new(by, Cause::new(487, Internal::Cancelled, "the caller hung up before the answer")));
}

/// Ends a call. Does nothing if it is ending.
pub fn end(call: &mut Call, step: &mut Step<'_, '_>, end: End) {
    if !call.is_live() {
        return;
    }
    let answered = call.is_answered();
    call.targets.clear();
    hunt::abandon_all(call, step, "the call ended");
    step.event(call.id, EventKind::Ending { by: end.by, cause: end.cause.clone() });
    call.phase = Phase::Ending { by: end.by, cause: end.cause.clone() };
    let waiting = session::close(call, step);
    if !answered {
        ended(call, step);
    }
    refuse_invite(call, step, &end);
    for leg in [Leg::A, Leg::B] {
        close_leg(call, step, leg, &end, answered);
    }
    for wait in [
        Wait::Answer,
        Wait::Longest,
        Wait::Update(Leg::A),
        Wait::Update(Leg::B),
        Wait::Flow(Leg::A),
        Wait::Flow(Leg::B),
    ] {
        step.unwait(call.id, wait);
    }
    release_guard(call, step);
    if waiting {
        step.wait(call.id, Wait::Media, step.now.mono + step.config.timing.media_close);
    } else {
        session::give_back(call, step);
    }
    settle(call, step);
}

/// The final answer of an INVITE that has none.
fn refuse_invite(call: &mut Call, step: &mut Step<'_, '_>, end: &End) {
    let Some(invite) = call.invite.take() else { return };
    let status = if end.cause.sip_code >= 300 { end.cause.sip_code } else { 480 };
    let mut response = headers::dialog_reply(step.config, call, Leg::A, &invite.request, status);
    if let Some(secs) = end.retry_after {
        response.headers.push(HeaderName::RetryAfter, secs.to_string());
    }
    // RFC 3326 §2: the cause of the other network in its own numbers.
    response.headers.push(HeaderName::Reason, q850(&end.cause).to_string());
    step.respond(invite.key, response);
}

/// Ends one side: what it asked gets its answer, what it has is ended by BYE.
fn close_leg(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, end: &End, answered: bool) {
    let asking = call.party_mut(leg).and_then(|p| p.asking.take());
    if let Some(asking) = asking {
        // RFC 3261 §15.1.2: requests that are pending are answered 487.
        let response = headers::dialog_reply(step.config, call, leg, &asking.request, 487);
        step.respond(asking.key, response);
    }
    let id = call.id;
    let session_id = headers::session_id(&call.caller, leg);
    let Some(party) = call.party_mut(leg) else { return };
    let flow = party.dialog.flow;
    if let Some(key) = party.asked.take().and_then(|a| a.key) {
        step.desk.clients.remove(&key);
    }
    let mut owed = None;
    if answered && end.gone != Some(leg) && party.lost.is_none() {
        let reasons = if end.reasons.is_empty() { vec![q850(&end.cause)] } else { end.reasons.clone() };
        let mut request = leftover::bye_request(step, party, &reasons);
        request.headers.push(HeaderName::SessionId, session_id);
        if party.accepted.is_some() {
            // RFC 3261 §15: not before the ACK, or 64*T1 without one.
            party.bye_owed = Some(request);
        } else {
            owed = Some(request);
        }
    } else {
        party.accepted = None;
        step.unwait(id, Wait::Ack(leg));
    }
    if let Some(user) = party.user.clone().filter(|_| party.lost.is_some()) {
        forget_lost(step, &user, id, leg);
    }
    step.desk.off_connection(&flow, id, leg);
    if let Some(request) = owed {
        leftover::send_bye(step, call, leg, request);
    }
}

/// Takes a leg off the list of those whose connection is gone.
pub fn forget_lost(step: &mut Step<'_, '_>, user: &str, call: crate::base::CallId, leg: Leg) {
    if let Some(set) = step.desk.lost.get_mut(user) {
        set.remove(&(call, leg));
        if set.is_empty() {
            step.desk.lost.remove(user);
        }
    }
}

fn q850(cause: &Cause) -> Reason {
    Reason { text: None, ..Reason::q850(u16::from(cause.q850), "") }
}

fn release_guard(call: &mut Call, step: &mut Step<'_, '_>) {
    for (trunk, number) in call.admitted.drain(..) {
        step.around.guard.release_trunk(trunk, call.id, number);
    }
    step.around.guard.release_call(call.id);
}

/// A media event came.
pub fn on_media(call: &mut Call, step: &mut Step<'_, '_>, kind: media::event::EventKind) {
    use media::event::EventKind as Media;
    if !call.ended {
        step.event(call.id, EventKind::Media(kind.clone()));
    }
    match kind {
        Media::Failed { leg, why } => {
            let cause = Cause::new(500, Internal::Media(why), format!("media of leg {leg} failed"));
            end(call, step, End::new(Initiator::Media, cause));
        }
        Media::Closed { .. } => {
            step.unwait(call.id, Wait::Media);
            if call.is_live() {
                // A shard closes by itself only when it stops.
                call.media = call.media.take().map(media_gone);
                let cause = Cause::new(500, Internal::Internal, "the media session is gone");
                end(call, step, End::new(Initiator::Sbc, cause));
            } else {
                session::give_back(call, step);
                settle(call, step);
            }
        }
        Media::DtlsConnected { leg, profile, .. } => call.crypto[leg.index()] = Some(profile),
        Media::IceConnected { .. }
        | Media::IceMoved { .. }
        | Media::FirstPacket { .. }
        | Media::Latched { .. }
        | Media::Digit { .. } => {}
    }
}

fn media_gone(session: super::call::Session) -> super::call::Session {
    super::call::Session { open: false, ..session }
}

/// The last numbers did not come in time.
pub fn on_media_wait(call: &mut Call, step: &mut Step<'_, '_>) {
    if !call.ended {
        step.noted(call.id, None, "media numbers did not come in time");
    }
    session::give_back(call, step);
    settle(call, step);
}

/// Marks a call as done once nothing is held or owed.
pub fn settle(call: &mut Call, step: &mut Step<'_, '_>) {
    if call.is_live() || call.media.is_some() {
        return;
    }
    ended(call, step);
    let owes = [Some(&call.a), call.b.as_ref()].into_iter().flatten().any(|p| p.accepted.is_some());
    if owes {
        return;
    }
    call.done = true;
    step.desk.dialogs.remove(&*call.a.dialog.id.local_tag);
    if let Some(b) = &call.b {
        step.desk.dialogs.remove(&*b.dialog.id.local_tag);
    }
    step.desk.setups.remove(&(call.caller.session_a.clone(), call.caller.request_uri.clone()));
    if let Some(list) = step.desk.sessions.get_mut(&call.caller.session_a) {
        list.retain(|id| *id != call.id);
        if list.is_empty() {
            step.desk.sessions.remove(&call.caller.session_a);
        }
    }
}

fn ended(call: &mut Call, step: &mut Step<'_, '_>) {
    if !call.ended {
        call.ended = true;
        step.event(call.id, EventKind::Ended);
    }
}

/// The connection of a leg is gone. A caller who waits for an answer is gone
/// with it; a call that is on goes on without signalling for a while.
pub fn on_flow_lost(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg) {
    if !call.is_live() {
        return;
    }
    if !call.is_answered() {
        return end(
            call,
            step,
            End::new(Initiator::Caller, Cause::new(487, Internal::FlowLost, "the caller's connection was lost")),
        );
    }
    let until = step.now.mono + step.config.timing.flow_lost;
    let Some(party) = call.party_mut(leg) else { return };
    party.lost = Some(step.now.mono);
    if let Some(user) = party.user.clone() {
        step.desk.lost.entry(user).or_default().insert((call.id, leg));
    }
    step.wait(call.id, Wait::Flow(leg), until);
    step.noted(call.id, Some(leg), "the connection was lost; the call waits for it");
    // A page that was loaded anew registers before its old connection is found dead.
    let party = call.party(leg).and_then(|p| Some((p.user.clone()?, p.instance.clone()?)));
    let Some((user, instance)) = party else { return };
    let bindings = step.around.registrar.bindings(step.now, &user);
    if let Some(there) = bindings.into_iter().find(|b| b.instance.as_deref() == Some(instance.as_str())) {
        on_flow_back(call, step, leg, Some(&instance), there.flow);
    }
}

/// A side did not come back in time.
pub fn on_flow_wait(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg) {
    let cause = Cause::new(480, Internal::FlowLost, "the connection was lost and did not come back");
    end(call, step, End { gone: Some(leg), ..End::new(Initiator::Timer, cause) });
}

/// A user whose connection was lost is back on another.
pub fn on_flow_back(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, instance: Option<&str>, flow: Flow) {
    let id = call.id;
    let Some(party) = call.party_mut(leg) else { return };
    let other_device = matches!((party.instance.as_deref(), instance), (Some(a), Some(b)) if a != b);
    if party.lost.is_none() || other_device {
        return;
    }
    party.lost = None;
    party.dialog.flow = flow;
    if let Some(user) = party.user.clone() {
        forget_lost(step, &user, id, leg);
    }
    step.unwait(id, Wait::Flow(leg));
    step.desk.on_connection(&flow, id, leg);
    step.noted(id, Some(leg), "the connection is back");
}
