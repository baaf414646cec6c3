//! The media session of a call: addresses of both sides, and the orders that
//! open, change and close it.
//!
//! A call has one session at a time. Attempts share the called side's address
//! as long as they need the same kind of it in the same realm, as the branches
//! of a forking proxy would. An attempt that needs another address gets
//! another session, at the same address of the caller's side: a side never
//! changes what it is. Addresses are given back when the shard has closed the
//! session, never before.

use std::net::SocketAddr;

use super::around::Step;
use super::call::{Call, Port, Session};
use super::config::Realm;
use super::event::EventKind;
use super::leg::Side;
use super::offer;
use crate::base::{Leg, RealmId};
use crate::media::command::Command;
use crate::media::plan::{End, Plan, SidePlan};
use crate::media::ports::Reserved;
use crate::sdp::LegKind;

/// A side of the call at an address of `realm`; an address the leg has already
/// is used again. `None` if no port is free.
pub fn make_side(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, realm: RealmId, kind: LegKind) -> Option<Side> {
    if let Some(port) = call.ports.iter().find(|p| p.leg == leg && p.realm == realm && p.kind == kind) {
        return Some(port.side.clone());
    }
    let session = match &call.media {
        Some(session) => session.clone(),
        None => {
            let shard = step.around.ports.open_session();
            let id = step.media_id(call.id);
            let session = Session { id, shard, open: false, b: None, before: Vec::new(), closing: false };
            call.media = Some(session.clone());
            session
        }
    };
    let at: Reserved = match kind {
        LegKind::WebRtc => step.around.ports.shared(session.shard, realm)?,
        LegKind::Sip => step.around.ports.reserve(step.now, realm)?,
    };
    let side = offer::fresh_side(step.config, &mut step.desk.rng, realm, kind, at);
    let pair = (kind == LegKind::Sip).then_some(at.local);
    call.ports.push(Port { leg, realm, kind, side: side.clone(), pair });
    Some(side)
}

/// Opens the session with this called side, or tells the one that is open.
pub fn open(call: &mut Call, step: &mut Step<'_, '_>, b: SidePlan) {
    let Some(a) = plan_of(call, step, Leg::A) else { return };
    let id = call.id;
    let Some(session) = &mut call.media else { return };
    let shard = session.shard;
    let at = address(&b);
    if session.open && session.b == at {
        let media = session.id;
        return step.media(shard, Command::Set { media, leg: Leg::B, plan: Box::new(b) });
    }
    if session.open {
        let old = session.id;
        step.media(shard, Command::Close { media: old });
        session.before.push(old);
        session.id = step.media_id(id);
    }
    session.open = true;
    session.b = at;
    let media = session.id;
    step.media(shard, Command::Open { media, call: id, plan: Box::new(Plan { sides: [a, b] }) });
}

/// Opens or tells the session with the called side as it answered.
pub fn open_called(call: &mut Call, step: &mut Step<'_, '_>) {
    if let Some(b) = plan_of(call, step, Leg::B) {
        open(call, step, b);
    }
}

/// Our address on a side; a service has none.
fn address(plan: &SidePlan) -> Option<SocketAddr> {
    match &plan.end {
        End::WebRtc(w) => Some(w.local),
        End::Rtp(r) => Some(r.local),
        End::Service(_) => None,
    }
}

/// Tells the shard what a side is from here on.
pub fn set(call: &Call, step: &mut Step<'_, '_>, leg: Leg) {
    if let Some(plan) = plan_of(call, step, leg) {
        set_plan(call, step, leg, plan);
    }
}

/// Tells the shard what a side is that no party has yet: an early dialog's.
pub fn set_plan(call: &Call, step: &mut Step<'_, '_>, leg: Leg, plan: SidePlan) {
    let Some(session) = call.media.as_ref().filter(|s| s.open && !s.closing) else { return };
    step.media(session.shard, Command::Set { media: session.id, leg, plan: Box::new(plan) });
}

/// Records what a side has agreed on.
pub fn negotiated(call: &Call, step: &mut Step<'_, '_>, leg: Leg) {
    let Some(side) = call.party(leg).and_then(|p| p.side.as_ref()) else { return };
    let Some(codec) = side.codec else { return };
    let transport = match side.local.kind {
        LegKind::WebRtc => "dtls-srtp",
        LegKind::Sip => "rtp",
    };
    let kind = EventKind::Negotiated {
        leg,
        codec,
        transport: transport.to_owned(),
        local: SocketAddr::new(side.local.address, side.local.rtp_port),
        // On a WebRTC side ICE finds the address; the description's is a placeholder.
        remote: side.remote.as_ref().filter(|_| side.local.kind == LegKind::Sip).map(|r| r.rtp),
    };
    step.event(call.id, kind);
}

/// Orders the session closed; false if there is nothing to wait for.
pub fn close(call: &mut Call, step: &mut Step<'_, '_>) -> bool {
    match &mut call.media {
        Some(session) if session.open => {
            if !session.closing {
                session.closing = true;
                let (shard, media) = (session.shard, session.id);
                step.media(shard, Command::Close { media });
            }
            true
        }
        Some(_) | None => false,
    }
}

/// Gives everything back: the shard has closed the session, or it was never open.
pub fn give_back(call: &mut Call, step: &mut Step<'_, '_>) {
    if let Some(session) = call.media.take() {
        step.around.ports.close_session(session.shard);
        for id in session.before.iter().chain([&session.id]) {
            step.desk.media.remove(id);
        }
    }
    for port in call.ports.drain(..) {
        if let Some(pair) = port.pair {
            step.around.ports.release(step.now, port.realm, pair.port());
        }
    }
}

/// The plan of a party's side.
fn plan_of(call: &Call, step: &Step<'_, '_>, leg: Leg) -> Option<SidePlan> {
    let party = call.party(leg)?;
    let side = party.side.as_ref()?;
    let realm: &Realm = step.config.realm(side.realm)?;
    Some(offer::side_plan(side, realm, party.dialog.flow.remote.ip()))
}
