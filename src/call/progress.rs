//! Provisional responses of the called side, passed on to the caller.
//!
//! Each goes on with our own tag: the caller has one early dialog with us,
//! however many the called side forks into (RFC 3261 §13.2.2.4). Where several
//! early dialogs carry media, that of the latest counts until the answer. The
//! caller's own answer is written once, with the first early media, and stays
//! the same in every later response up to the 2xx (§13.2.1).

use super::around::Step;
use super::call::{Call, Phase};
use super::desk::Wait;
use super::event::EventKind;
use super::leg::Early;
use super::{headers, offer, session};
use crate::base::{Leg, limits};
use crate::sdp::{self, Remote};
use crate::sip::message::{HeaderName, Response};

/// A provisional response came for an attempt.
pub fn on_provisional(call: &mut Call, step: &mut Step<'_, '_>, number: u8, response: &Response) {
    step.unwait(call.id, Wait::Response(number));
    let Some(attempt) = call.attempt_mut(number) else { return };
    attempt.heard = true;
    // 100 says only that somebody is there; 199 ends one early dialog of several.
    if matches!(response.status, 100 | 199) {
        return;
    }
    if call.caller.session_b.is_none() {
        call.caller.session_b = headers::read_session_id(response.headers.get(&HeaderName::SessionId));
    }
    let tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
    let heard = early_media(call, step, number, response);
    let early_media = heard.is_some();
    note_early(call, number, tag, heard.clone());
    step.event(call.id, EventKind::Progress { attempt: number, status: response.status, early_media });
    if let Some(remote) = heard {
        connect_early(call, step, number, remote);
    }
    pass_on(call, step, response.status);
}

/// The early answer of a provisional response, if it has one that can be used.
fn early_media(call: &mut Call, step: &mut Step<'_, '_>, number: u8, response: &Response) -> Option<Remote> {
    let is_sdp = response.content_type().ok().flatten().is_some_and(|t| t.is_sdp());
    if response.body.is_empty() || !is_sdp {
        return None;
    }
    let id = call.id;
    let side = call.attempt_mut(number)?.side.as_ref()?;
    let realm = step.config.realm(side.realm)?;
    let parsed = sdp::parse(&response.body).map_err(|e| e.what.to_string());
    match parsed.and_then(|session| offer::judge_answer(side, &session, realm).map_err(|r| r.text.to_owned())) {
        Ok(remote) => Some(remote),
        Err(why) => {
            step.noted(id, Some(Leg::B), format!("early media not used: {why}"));
            None
        }
    }
}

/// Keeps the early dialog, the latest last.
fn note_early(call: &mut Call, number: u8, tag: String, remote: Option<Remote>) {
    let Some(attempt) = call.attempt_mut(number) else { return };
    let before = attempt.early.iter().position(|e| e.tag == tag).map(|at| attempt.early.remove(at));
    let remote = remote.or(before.and_then(|e| e.remote));
    if attempt.early.len() >= limits::EARLY_DIALOGS {
        attempt.early.remove(0);
    }
    attempt.early.push(Early { tag, remote });
}

/// Lets early media flow: to the called side's latest answer, and to the
/// caller as soon as he has one.
fn connect_early(call: &mut Call, step: &mut Step<'_, '_>, number: u8, remote: Remote) {
    let Some(attempt) = call.attempt_mut(number) else { return };
    let (Some(mut side), Some(flow)) = (attempt.side.clone(), attempt.flow) else { return };
    let Some(realm) = step.config.realm(side.realm) else { return };
    let wish = remote.direction;
    offer::take_answer(&mut side, remote);
    session::open(call, step, offer::side_plan(&side, realm, flow.remote.ip()));
    if answer_caller(call, step, side.codec, wish) {
        session::set(call, step, Leg::A);
        session::negotiated(call, step, Leg::A);
    }
}

/// Writes the caller's answer if he made an offer that has none yet; true if
/// it was written.
pub fn answer_caller(
    call: &mut Call,
    step: &Step<'_, '_>,
    other: Option<crate::base::Codec>,
    wish: sdp::Direction,
) -> bool {
    let Some(side) = call.a.side.as_mut() else { return false };
    let Some(realm) = step.config.realm(side.realm) else { return false };
    let Some(judged) = side.remote.clone().filter(|_| side.offer.is_some()) else { return false };
    let Some(codec) = offer::choose(&judged, other, &realm.codecs) else { return false };
    let written = offer::write_answer(side, judged, codec, wish, realm.ptime_ms).is_some();
    if let Some(invite) = call.invite.as_mut().filter(|_| written) {
        invite.early_answer = true;
    }
    written
}

/// Sends a provisional response to the caller.
fn pass_on(call: &mut Call, step: &mut Step<'_, '_>, status: u16) {
    let Some(invite) = call.invite.as_ref() else { return };
    let status = if (180..200).contains(&status) { status } else { 183 };
    let mut response = headers::dialog_reply(step.config, call, Leg::A, &invite.request, status);
    if let Some(session) = call.a.side.as_ref().and_then(|s| s.sent.as_ref()).filter(|_| invite.early_answer) {
        response.set_body(headers::SDP, session.to_bytes());
    }
    let key = invite.key;
    call.phase = Phase::Setup { ringing: true };
    step.respond(key, response);
}
