//! Changes of a session that is on: re-INVITE and UPDATE from either side.
//!
//! RFC 3261 §14, RFC 3311, RFC 6337. What concerns only the side that asks (a
//! new address, another codec, an ICE restart, a session refresh) is answered
//! here at once: the other side talks to our address and need not know. What
//! changes who hears whom, hold and resume, is carried across: the other side
//! gets an offer of ours, and its answer makes ours. One change at a time:
//! glare gets 491, a second request of the same side 500 with Retry-After.

use super::answer;
use super::around::Step;
use super::call::Call;
use super::cause::{Cause, Initiator, Internal};
use super::config::{Realm, Trunk};
use super::desk::{Use, Wait};
use super::event::EventKind;
use super::leg::{Asked, Asking, Side};
use super::output::Output;
use super::setup::{not_acceptable, read_session};
use super::teardown::{self, End};
use super::{headers, hunt, leftover, offer, session};
use crate::base::{Codec, Leg};
use crate::sdp::{self, Direction, Remote};
use crate::sip::dialog::SentAck;
use crate::sip::message::{HeaderName, Method, Request, Response};
use crate::sip::transaction::{FailReason, ServerKey};

/// A re-INVITE or UPDATE came from a side.
pub fn on_request(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: Request) {
    if let Some((status, retry_after)) = busy(call, step, leg, &request) {
        let mut response = headers::dialog_reply(step.config, call, leg, &request, status);
        if let Some(secs) = retry_after {
            response.headers.push(HeaderName::RetryAfter, secs.to_string());
        }
        return answered(call, step, leg, key, &request, response);
    }
    if request.body.is_empty() {
        return without_offer(call, step, leg, key, &request);
    }
    let Some((judged, next)) = judge(call, step, leg, key, &request) else { return };
    let other = leg.other();
    let before = call.party(leg).and_then(|p| p.side.as_ref()).and_then(|s| s.remote.as_ref());
    let turned = before.is_none_or(|b| b.direction != judged.direction);
    if turned && call.party(other).is_some() {
        carry(call, step, leg, Asking { key, request, judged: Box::new(judged), next: Box::new(next) });
    } else {
        let wish = next.local.direction;
        let asking = Asking { key, request, judged: Box::new(judged), next: Box::new(next) };
        // A service hears and talks as it is asked to.
        let wish = if call.party(other).is_some() { wish } else { Direction::SendRecv };
        agree(call, step, leg, asking, wish);
    }
}

/// Why a request cannot be taken at this moment.
fn busy(call: &Call, step: &mut Step<'_, '_>, leg: Leg, request: &Request) -> Option<(u16, Option<u64>)> {
    let party = call.party(leg)?;
    let refresh = request.method == Method::Update && request.body.is_empty();
    if !call.is_live() {
        return Some((481, None));
    }
    if refresh {
        return None;
    }
    // RFC 3261 §14.2: another INVITE of the same side is not answered yet.
    if !call.is_answered() || party.asking.is_some() {
        return Some((500, Some(step.desk.rng.below(RETRY_AFTER_BELOW_SECS))));
    }
    // §14.2 and RFC 3311 §5.2: glare with one of ours, on this side or for the other.
    let other = call.party(leg.other());
    let ours = party.asked.is_some() || party.accepted.as_ref().is_some_and(|a| a.late_offer);
    let theirs = other.is_some_and(|p| p.asking.is_some() || p.asked.is_some() || p.accepted.is_some());
    (ours || theirs).then_some((491, None))
}

/// A re-INVITE without offer gets ours in the 2xx; an UPDATE only refreshes.
fn without_offer(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: &Request) {
    if request.method == Method::Update {
        let response = headers::dialog_reply(step.config, call, leg, request, 200);
        return answered(call, step, leg, key, request, response);
    }
    let other = call.party(leg.other()).and_then(|p| p.side.as_ref()).and_then(|s| s.codec);
    let Some(side) = call.party_mut(leg).and_then(|p| p.side.as_mut()) else { return };
    let Some(realm) = step.config.realm(side.realm) else { return };
    let first: Vec<Codec> = other.or(side.codec).into_iter().collect();
    let direction = side.local.direction;
    offer::write_offer(side, &offer::shared_first(&realm.codecs, &first), direction, realm.ptime_ms);
    step.event(call.id, EventKind::InDialog { leg, method: "INVITE".to_owned(), status: 200 });
    answer::accept(call, step, leg, key, request, true);
}

/// The offer of a request and the side as it would be; answers what cannot be
/// served, and the session stays as it was (RFC 3261 §14.2).
fn judge(
    call: &mut Call,
    step: &mut Step<'_, '_>,
    leg: Leg,
    key: ServerKey,
    request: &Request,
) -> Option<(Remote, Side)> {
    let party = call.party(leg)?;
    let mut next = party.side.clone()?;
    let realm: &Realm = step.config.realm(next.realm)?;
    let flow = party.dialog.flow;
    let trunk = party.trunk.and_then(|t| step.config.trunk(t));
    let caps = offer::capabilities(next.local.kind, hunt::codecs_for(&realm.codecs, trunk), realm.ptime_ms);
    let judged = read_session(step, &flow, request).and_then(|session| {
        let remote = offer::judge_offer(&session, &caps, realm).map_err(|r| not_acceptable(step, &flow, &r))?;
        Ok((session, remote))
    });
    match judged {
        Ok((session, remote)) => {
            if next.remote.as_ref().is_some_and(|before| offer::ice_restarted(before, &remote)) {
                offer::renew_ice(&mut next, &mut step.desk.rng);
            }
            next.offer = Some(session);
            Some((remote, next))
        }
        Err(refused) => {
            let mut response = headers::dialog_reply(step.config, call, leg, request, refused.cause.sip_code);
            for (name, value) in refused.headers {
                response.headers.push(name, value);
            }
            answered(call, step, leg, key, request, response);
            None
        }
    }
}

/// Carries a change across: an offer of ours to the other side.
fn carry(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, asking: Asking) {
    let other = leg.other();
    let direction = asking.judged.direction;
    let first = offer::codecs_of(&asking.judged);
    let config = step.config;
    let Some(party) = call.party_mut(other) else { return };
    let Some(mut next) = party.side.clone() else { return };
    let Some(realm) = config.realm(next.realm) else { return };
    let trunk = party.trunk.and_then(|t| config.trunk(t));
    let current: Vec<Codec> = next.codec.into_iter().filter(|c| first.contains(c)).collect();
    let first = if current.is_empty() { first } else { current };
    let codecs = offer::shared_first(hunt::codecs_for(&realm.codecs, trunk), &first);
    let body = offer::write_offer(&mut next, &codecs, direction, realm.ptime_ms);
    let mut request = party.dialog.request(Method::Invite);
    let flow = party.dialog.flow;
    leftover::dress(step, call, other, &mut request);
    request.set_body(headers::SDP, body.to_bytes());
    step.wait(call.id, Wait::Update(other), step.now.mono + config.timing.update);
    step.send(flow, request.clone(), Use::Asked { call: call.id, leg: other });
    if let Some(party) = call.party_mut(other) {
        party.asked = Some(Asked { key: None, request, next: Box::new(next), authorised: false, carried: true });
    }
    if let Some(party) = call.party_mut(leg) {
        party.asking = Some(asking);
    }
}

/// A response came to a request of ours inside a dialog.
pub fn on_response(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, response: &Response) {
    if response.is_provisional() {
        return;
    }
    if response.is_success() {
        return on_success(call, step, leg, response);
    }
    if matches!(response.status, 401 | 407) && authorise(call, step, leg, response) {
        return;
    }
    step.unwait(call.id, Wait::Update(leg));
    let Some(party) = call.party_mut(leg) else { return };
    if let Some(key) = party.asked.take().and_then(|a| a.key) {
        step.desk.clients.remove(&key);
    }
    if party.dialog.is_ended_by(response.status) {
        // RFC 3261 §12.2.1.2: that side has no dialog any more.
        let cause = Cause::new(response.status, Internal::Rejected, "a side does not know the dialog any more");
        return teardown::end(call, step, End { gone: Some(leg), ..End::new(by(leg), cause) });
    }
    let status = match response.status {
        491 => 491,
        400..=499 | 600..=699 => 488,
        _ => 500,
    };
    refuse_asking(call, step, leg.other(), status);
}

/// The other side agreed: both sides change.
fn on_success(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, response: &Response) {
    step.unwait(call.id, Wait::Update(leg));
    let Some(party) = call.party_mut(leg) else { return };
    let Some(asked) = party.asked.take() else { return };
    party.dialog.on_response(&Method::Invite, response);
    let ack = party.dialog.ack(&asked.request);
    let sent = SentAck::new(&party.dialog, &ack);
    let flow = party.dialog.flow;
    step.ack(flow, ack);
    if let Some(key) = asked.key {
        // A 2xx that comes again gets its ACK again, also after the call.
        step.desk.clients.insert(key, Use::Settled { invite: Box::new(asked.request), flow, acked: vec![sent] });
        leftover::forget_later(step, key);
    }
    let mut next = *asked.next;
    let Some(realm) = step.config.realm(next.realm) else { return };
    let parsed = sdp::parse(&response.body).map_err(|e| e.what.to_string());
    let judged = parsed.and_then(|s| offer::judge_answer(&next, &s, realm).map_err(|r| r.text.to_owned()));
    let remote = match judged {
        Ok(remote) => remote,
        Err(why) => {
            step.noted(call.id, Some(leg), format!("the answer to our offer cannot be used: {why}"));
            return refuse_asking(call, step, leg.other(), 488);
        }
    };
    let wish = remote.direction;
    offer::take_answer(&mut next, remote);
    if let Some(party) = call.party_mut(leg) {
        party.side = Some(next);
    }
    session::set(call, step, leg);
    session::negotiated(call, step, leg);
    if let Some(asking) = call.party_mut(leg.other()).and_then(|p| p.asking.take()) {
        agree(call, step, leg.other(), asking, wish);
    }
}

/// Answers a request with our answer to its offer, and makes it so.
fn agree(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, asking: Asking, wish: Direction) {
    let Asking { key, request, judged, mut next } = asking;
    let other = call.party(leg.other()).and_then(|p| p.side.as_ref()).and_then(|s| s.codec);
    let Some(realm) = step.config.realm(next.realm) else { return };
    let talks = next.codec.filter(|c| judged.codec(*c).is_some());
    let held = judged.held;
    let codec = offer::choose(&judged, other.or(talks), &realm.codecs);
    let written = codec.and_then(|codec| offer::write_answer(&mut next, *judged, codec, wish, realm.ptime_ms));
    let Some(session) = written else {
        let response = headers::dialog_reply(step.config, call, leg, &request, 488);
        return answered(call, step, leg, key, &request, response);
    };
    if let Some(party) = call.party_mut(leg) {
        let changed = party.holds != held;
        party.holds = held;
        party.side = Some(*next);
        if changed {
            let kind = if held { EventKind::Held { leg } } else { EventKind::Resumed { leg } };
            step.event(call.id, kind);
        }
    }
    session::set(call, step, leg);
    session::negotiated(call, step, leg);
    if request.method == Method::Invite {
        step.event(call.id, EventKind::InDialog { leg, method: "INVITE".to_owned(), status: 200 });
        answer::accept(call, step, leg, key, &request, false);
    } else {
        let mut response = headers::dialog_reply(step.config, call, leg, &request, 200);
        response.set_body(headers::SDP, session.to_bytes());
        answered(call, step, leg, key, &request, response);
    }
}

/// The side that asked is told that nothing changes.
fn refuse_asking(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, status: u16) {
    let Some(asking) = call.party_mut(leg).and_then(|p| p.asking.take()) else { return };
    let response = headers::dialog_reply(step.config, call, leg, &asking.request, status);
    answered(call, step, leg, asking.key, &asking.request, response);
}

fn answered(call: &Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: &Request, response: Response) {
    // A call that only owes an ACK has told its end already.
    if !call.ended {
        let method = request.method.as_str().to_owned();
        step.event(call.id, EventKind::InDialog { leg, method, status: response.status });
    }
    step.respond(key, response);
}

/// The transaction of our request failed.
pub fn on_failed(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, why: FailReason) {
    step.unwait(call.id, Wait::Update(leg));
    if let Some(party) = call.party_mut(leg) {
        party.asked = None;
    }
    if call.party(leg).is_some_and(|p| p.lost.is_some()) {
        return refuse_asking(call, step, leg.other(), 500);
    }
    // RFC 3261 §14.1: no answer to a re-INVITE is a 408, which ends the dialog.
    let (internal, what) = match why {
        FailReason::Timeout => (Internal::TargetTimeout, "a side does not answer any more"),
        FailReason::TransportError => (Internal::TransportError, "a side cannot be reached any more"),
        FailReason::Overload => (Internal::Overloaded, "too many transactions"),
    };
    teardown::end(call, step, End::new(by(leg), Cause::new(408, internal, what)));
}

/// The other side takes too long: the asking side is told, the change undone.
pub fn on_wait(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg) {
    if let Some(key) = call.party(leg).and_then(|p| p.asked.as_ref()).and_then(|a| a.key) {
        step.desk.out.push_back(Output::Cancel { key });
    }
    refuse_asking(call, step, leg.other(), 500);
}

/// Answers a challenge to our request by the credentials of its trunk, once.
fn authorise(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, challenge: &Response) -> bool {
    let id = call.id;
    let Some(party) = call.party_mut(leg) else { return false };
    let flow = party.dialog.flow;
    let login = party.trunk.and_then(|t| step.config.trunk(t)).and_then(Trunk::login);
    let (Some(login), Some(asked)) = (login, party.asked.as_mut()) else { return false };
    if asked.authorised || !hunt::authorise_request(step, &mut asked.request, challenge, &login) {
        return false;
    }
    asked.authorised = true;
    if let Some(key) = asked.key.take() {
        step.desk.clients.remove(&key);
    }
    // RFC 3261 §12.2.1.1: the dialog counts what was sent in it.
    party.dialog.local_cseq = asked.request.cseq().map_or(party.dialog.local_cseq, |c| c.seq);
    let request = asked.request.clone();
    step.send(flow, request, Use::Asked { call: id, leg });
    true
}

fn by(leg: Leg) -> Initiator {
    match leg {
        Leg::A => Initiator::Caller,
        Leg::B => Initiator::Callee,
    }
}

/// RFC 3261 §14.2: Retry-After of 0 to 10 seconds.
const RETRY_AFTER_BELOW_SECS: u64 = 11;
