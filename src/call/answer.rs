//! The answer: 2xx of the called side, our own 2xx to the caller, both ACKs.
//!
//! The called side's 2xx is acknowledged at once: offer and answer on that side
//! are complete, and a callee that waits for the caller's ACK would repeat its
//! 2xx for as long as ours takes to arrive. Our 2xx is repeated until the
//! caller's ACK (RFC 3261 §13.3.1.4); if that never comes both sides get a BYE.
//! The first 2xx wins; later ones of other branches get ACK and BYE (§13.2.2.4).

use super::around::Step;
use super::call::{Call, Failure, Phase};
use super::cause::{Cause, Initiator, Internal};
use super::config::Config;
use super::desk::{Use, Wait};
use super::event::{EventKind, TargetName};
use super::leg::{Accepted, Attempt, Part, Party, Side};
use super::output::Output;
use super::setup::trunk_of;
use super::{headers, hunt, leftover, offer, progress, session};
use crate::base::{Flow, Leg, Transport, net};
use crate::route::health::Outcome;
use crate::sdp::{self, Remote};
use crate::sip::dialog::{Dialog, Due, Repeat2xx, SentAck};
use crate::sip::message::{HeaderName, Request, Response};
use crate::sip::transaction::{ServerKey, Timing};

/// A 2xx came for an attempt that is under way.
pub fn on_success(call: &mut Call, step: &mut Step<'_, '_>, number: u8, response: &Response) {
    let Some(at) = call.attempts.iter().position(|a| a.number == number) else { return };
    let mut attempt = call.attempts.remove(at);
    let (Some(invite), Some(flow), Some(key)) = (attempt.invite.take(), attempt.flow, attempt.key) else { return };
    step.unwait(call.id, Wait::Response(number));
    let dialog = match Dialog::uac_from(&invite, response, flow) {
        Ok(dialog) => dialog,
        Err(_) => return unusable(call, step, attempt, "the 2xx makes no dialog"),
    };
    let mut party = Party::new(dialog);
    party.trunk = trunk_of(&attempt.target);
    if let TargetName::User(user) = &attempt.target.name {
        party.user = Some(user.clone());
        party.instance = step.around.registrar.instance_on(user, flow.connection);
    }
    party.dialog.flow = next_flow(step.config, &party.dialog, flow, party.user.is_some());
    let ack = party.dialog.ack(&invite);
    let sent = SentAck::new(&party.dialog, &ack);
    step.ack(party.dialog.flow, ack);
    // Whatever else this INVITE brings is looked after apart from the call.
    let flow = party.dialog.flow;
    step.desk.clients.insert(key, Use::Settled { invite: Box::new(invite), flow, acked: vec![sent] });
    leftover::forget_later(step, key);
    match answered_side(step, &attempt, response) {
        Ok(side) => {
            party.side = Some(side);
            win(call, step, attempt, party, response);
        }
        Err(why) => {
            leftover::bye(step, &mut party, Vec::new());
            unusable(call, step, attempt, why);
        }
    }
}

/// A 2xx that cannot be used ends the attempt.
fn unusable(call: &mut Call, step: &mut Step<'_, '_>, attempt: Attempt, why: &str) {
    let number = attempt.number;
    call.attempts.push(attempt);
    hunt::failed(call, step, number, Failure::new(488, Internal::BadSdp, Initiator::Sbc, why));
}

/// The called side's media: from the 2xx, or from the early answer of the same dialog.
fn answered_side(step: &Step<'_, '_>, attempt: &Attempt, response: &Response) -> Result<Side, &'static str> {
    let mut side = attempt.side.clone().ok_or("nothing was offered")?;
    let realm = step.config.realm(side.realm).ok_or("no such realm")?;
    let remote: Remote = if response.body.is_empty() {
        let to = response.to().map_err(|_| "the 2xx has no To")?;
        let early = attempt.early.iter().find(|e| e.tag == to.tag().unwrap_or_default());
        early.and_then(|e| e.remote.clone()).ok_or("the 2xx has no answer to our offer")?
    } else {
        let session = sdp::parse(&response.body).map_err(|e| e.what)?;
        offer::judge_answer(&side, &session, realm).map_err(|r| r.text)?
    };
    offer::take_answer(&mut side, remote);
    Ok(side)
}

/// The first answer: the call is on.
fn win(call: &mut Call, step: &mut Step<'_, '_>, attempt: Attempt, party: Party, response: &Response) {
    let number = attempt.number;
    let local_tag = party.dialog.id.local_tag.to_string();
    hunt::abandon_all(call, step, "answered elsewhere");
    call.targets.clear();
    call.winner = Some(number);
    if let Some(trunk) = party.trunk {
        step.around.health.handle_call(step.now, trunk, Outcome::Answer { status: response.status, retry_after: None });
    }
    if let Some(id) = headers::read_session_id(response.headers.get(&HeaderName::SessionId)) {
        call.caller.session_b = Some(id);
    }
    step.desk.dialogs.insert(local_tag, (call.id, Part::Leg(Leg::B)));
    step.desk.on_connection(&party.dialog.flow, call.id, Leg::B);
    let wish = party.side.as_ref().and_then(|s| s.remote.as_ref()).map_or(sdp::Direction::SendRecv, |r| r.direction);
    let codec = party.side.as_ref().and_then(|s| s.codec);
    call.b = Some(party);
    connect(call, step, number, codec, wish);
}

/// Both sides' media on, the caller's 2xx out. Also for services.
pub fn connect(
    call: &mut Call,
    step: &mut Step<'_, '_>,
    number: u8,
    other: Option<crate::base::Codec>,
    wish: sdp::Direction,
) {
    step.event(call.id, EventKind::Answered { attempt: number });
    call.answered = Some(step.now);
    call.phase = Phase::Answered;
    step.unwait(call.id, Wait::Answer);
    if let Some(flow) = call.caller.source.filter(|_| call.caller.user.is_some()) {
        step.merit(&flow);
    }
    step.desk.setups.remove(&(call.caller.session_a.clone(), call.caller.request_uri.clone()));
    if let Some(longest) = step.config.timing.longest {
        step.wait(call.id, Wait::Longest, step.now.mono + longest);
    }
    let Some(invite) = call.invite.take() else { return };
    if invite.late_offer {
        offer_caller(call, step, other, wish);
    } else if !invite.early_answer {
        progress::answer_caller(call, step, other, wish);
    }
    if call.b.is_some() {
        session::open_called(call, step);
        session::negotiated(call, step, Leg::B);
    }
    if !invite.late_offer {
        session::set(call, step, Leg::A);
        session::negotiated(call, step, Leg::A);
    }
    accept(call, step, Leg::A, invite.key, &invite.request, invite.late_offer);
}

/// Our offer to a caller that made none (RFC 3261 §13.2.1).
fn offer_caller(call: &mut Call, step: &Step<'_, '_>, other: Option<crate::base::Codec>, direction: sdp::Direction) {
    let Some(side) = call.a.side.as_mut() else { return };
    let Some(realm) = step.config.realm(side.realm) else { return };
    let first: Vec<_> = other.into_iter().collect();
    offer::write_offer(side, &offer::shared_first(&realm.codecs, &first), direction, realm.ptime_ms);
}

/// Sends a 2xx with the side's last description and waits for its ACK.
pub fn accept(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: &Request, late_offer: bool) {
    let mut response = headers::dialog_reply(step.config, call, leg, request, 200);
    if let Some(session) = call.party(leg).and_then(|p| p.side.as_ref()).and_then(|s| s.sent.as_ref()) {
        response.set_body(headers::SDP, session.to_bytes());
    }
    let repeat = Repeat2xx::start(step.now.mono, timing(step.config));
    step.wait(call.id, Wait::Ack(leg), repeat.poll_timeout());
    if let Some(party) = call.party_mut(leg) {
        party.dialog.confirm_local();
        let cseq = request.cseq().map_or(0, |c| c.seq);
        party.accepted = Some(Accepted { repeat, cseq, key, late_offer });
    }
    step.respond(key, response);
}

/// An ACK came in a dialog.
pub fn on_ack(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, ack: &Request) {
    let Some(party) = call.party_mut(leg) else { return };
    let seq = ack.cseq().map_or(0, |c| c.seq);
    // Any other ACK is a late repetition: what it stopped has stopped.
    let Some(accepted) = party.accepted.take_if(|a| a.cseq == seq) else { return };
    let owed = party.bye_owed.take();
    step.unwait(call.id, Wait::Ack(leg));
    step.desk.out.push_back(Output::Acknowledged { key: accepted.key });
    if let Some(bye) = owed {
        leftover::send_bye(step, call, leg, bye);
        return super::teardown::settle(call, step);
    }
    if accepted.late_offer && call.is_live() {
        take_late_answer(call, step, leg, ack);
    } else if call.is_live() {
        // A caller behind a NAT talks from here on, perhaps only after the third
        // repetition of our 2xx: the time to learn where from begins with the ACK.
        session::set(call, step, leg);
    }
}

/// The answer to an offer that our 2xx made comes in the ACK.
fn take_late_answer(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, ack: &Request) {
    let Some(side) = call.party(leg).and_then(|p| p.side.as_ref()) else { return };
    let Some(realm) = step.config.realm(side.realm) else { return };
    let parsed = sdp::parse(&ack.body).map_err(|e| e.what.to_string());
    match parsed.and_then(|session| offer::judge_answer(side, &session, realm).map_err(|r| r.text.to_owned())) {
        Ok(remote) => {
            if let Some(side) = call.party_mut(leg).and_then(|p| p.side.as_mut()) {
                offer::take_answer(side, remote);
            }
            session::set(call, step, leg);
            session::negotiated(call, step, leg);
        }
        Err(why) => {
            // RFC 6337 §3.1.1: an ACK without a usable answer leaves no session.
            let cause = Cause::new(488, Internal::BadSdp, format!("the ACK has no usable answer: {why}"));
            step.end(call, Initiator::Sbc, cause);
        }
    }
}

/// The wait for an ACK is over, or it is time to repeat the 2xx.
pub fn on_ack_wait(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg) {
    let Some(party) = call.party_mut(leg) else { return };
    let Some(accepted) = party.accepted.as_mut() else { return };
    match accepted.repeat.handle_timeout(step.now.mono) {
        Due::Wait => {
            let at = accepted.repeat.poll_timeout();
            step.wait(call.id, Wait::Ack(leg), at);
        }
        Due::Resend => {
            let (at, key) = (accepted.repeat.poll_timeout(), accepted.key);
            step.desk.out.push_back(Output::Resend { key });
            step.wait(call.id, Wait::Ack(leg), at);
        }
        Due::GiveUp => {
            party.accepted = None;
            if let Some(bye) = party.bye_owed.take() {
                leftover::send_bye(step, call, leg, bye);
                return super::teardown::settle(call, step);
            }
            // RFC 3261 §13.3.1.4: the dialog is confirmed, the session is to be ended.
            let cause = Cause::new(408, Internal::NoAck, "the 2xx was never acknowledged");
            step.end(call, Initiator::Timer, cause);
        }
    }
}

/// Where requests of a dialog go. A registered user is behind whatever let his
/// REGISTER through: always back on the flow. So is whoever came over a
/// connection. Others are sent to what their Contact or Record-Route names, if
/// that is an address, unless it is a private one that a NAT hides.
pub fn next_flow(config: &Config, dialog: &Dialog, heard: Flow, user: bool) -> Flow {
    if user || heard.transport != Transport::Udp {
        return heard;
    }
    let hop = dialog.next_hop();
    let (Some(ip), None | Some("udp")) = (hop.ip(), hop.transport().map(str::to_ascii_lowercase).as_deref()) else {
        return heard;
    };
    let ip = net::canonical(ip);
    let hidden = is_private(ip) && !is_private(heard.remote.ip());
    let at = std::net::SocketAddr::new(ip, hop.port.unwrap_or(5060));
    if hidden || ip.is_unspecified() || ip.is_ipv4() != heard.local.is_ipv4() || config.is_ours(at) {
        return heard;
    }
    Flow { remote: at, ..heard }
}

fn is_private(ip: std::net::IpAddr) -> bool {
    match ip {
        std::net::IpAddr::V4(v4) => v4.is_private() || net::is_special(ip),
        std::net::IpAddr::V6(v6) => v6.is_unique_local() || net::is_special(ip),
    }
}

/// The timer values as the dialog layer wants them.
pub fn timing(config: &Config) -> Timing {
    let ms = |d: std::time::Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX);
    Timing { t1_ms: ms(config.timing.t1).max(1), t2_ms: ms(config.timing.t2).max(1), t4_ms: 5000 }
}
