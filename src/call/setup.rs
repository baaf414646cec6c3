//! From an INVITE to a call with targets, or to its refusal.
//!
//! RFC 3261 §8.2 in the order of its clauses, with admission and routing
//! between them: what costs least and tells a stranger least comes first. An
//! INVITE that gets here is an attempt on record, whatever becomes of it:
//! Started, then Ending and Ended if it is refused.

use std::collections::VecDeque;

use super::around::Step;
use super::call::{Call, Caller, Invite, Phase};
use super::cause::{Cause, Initiator, Internal};
use super::config::{Auth, Realm};
use super::event::EventKind;
use super::headers::{self, SDP};
use super::leg::{Part, Party, Target};
use super::register::Verdict;
use super::{answer, hunt, offer, session, targets};
use crate::base::{CallId, Flow, Leg, TrunkId, limits};
use crate::sdp::{self, Remote, Session};
use crate::sip::dialog::Dialog;
use crate::sip::lead;
use crate::sip::message::{HeaderName, Request, Response, Scheme};
use crate::sip::transaction::ServerKey;

/// Why an INVITE is refused.
#[derive(Debug)]
pub struct Refused {
    /// What the record says.
    pub cause: Cause,
    /// Headers of the answer besides the usual ones.
    pub headers: Vec<(HeaderName, String)>,
    /// The whole answer, where another room wrote it: a challenge.
    pub response: Option<Box<Response>>,
}

impl Refused {
    /// A refusal with a status, our word for it and a sentence.
    pub fn new(status: u16, internal: Internal, reason: impl Into<String>) -> Self {
        Self { cause: Cause::new(status, internal, reason), headers: Vec::new(), response: None }
    }

    /// This refusal with a header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What was found out about an INVITE.
struct Admitted {
    targets: VecDeque<Vec<Target>>,
    offer: Option<(Session, Remote)>,
}

/// Takes an INVITE outside a dialog; gives a call if one begins.
pub fn on_invite(step: &mut Step<'_, '_>, key: ServerKey, flow: Flow, request: Request) -> Option<Call> {
    let id = step.desk.call_id(step.now);
    let Some(realm) = step.config.realm(flow.realm) else {
        step.reply(key, &request, 500);
        return None;
    };
    let mut caller = headers::read_caller(&request, realm);
    caller.realm = flow.realm;
    caller.source = Some(flow);
    caller.trunk = step.config.trunk_of(flow.realm, flow.remote.ip());
    let theirs = headers::read_session_id(request.headers.get(&HeaderName::SessionId));
    caller.session_a = theirs.unwrap_or_else(|| step.desk.session_id());
    started(step, id, &flow, &request, &caller);
    let admitted = admit(step, id, &flow, &request, realm, &mut caller);
    let stranger = caller.user.is_none() && caller.trunk.is_none();
    let begun = admitted.and_then(|admitted| {
        let tag = lead::tag(step.desk.engine, &mut step.desk.rng);
        let dialog = Dialog::uas_from(&request, &tag, flow)
            .map_err(|e| Refused::new(400, Internal::BadRequest, e.to_string()))?;
        begin(step, id, key, flow, request.clone(), caller, dialog, admitted)
    });
    match begun {
        Ok(mut call) => {
            hunt::next(&mut call, step);
            Some(call)
        }
        Err(refused) => {
            if stranger && refused.cause.sip_code == 404 {
                step.offence(&flow, crate::guard::Offence::UnknownUser);
            }
            refuse(step, id, key, &request, refused);
            None
        }
    }
}

fn started(step: &mut Step<'_, '_>, id: CallId, flow: &Flow, request: &Request, caller: &Caller) {
    let user_agent = request.headers.get_lossy(&HeaderName::UserAgent).map(|v| headers::bounded(&v));
    let kind = EventKind::Started {
        flow: *flow,
        realm: flow.realm,
        trunk: caller.trunk,
        from: caller.from.clone(),
        to: caller.to.clone(),
        request_uri: caller.request_uri.clone(),
        call_id: caller.call_id_header.clone(),
        session_id: caller.session_a.clone(),
        user_agent,
    };
    step.event(id, kind);
}

/// Everything that may refuse an INVITE, cheapest first.
fn admit(
    step: &mut Step<'_, '_>,
    id: CallId,
    flow: &Flow,
    request: &Request,
    realm: &Realm,
    caller: &mut Caller,
) -> Result<Admitted, Refused> {
    well_formed(request)?;
    caller.max_forwards = hops_left(request)?;
    no_extension(request)?;
    no_loop(step, request, caller)?;
    if step.desk.draining {
        return Err(Refused::new(503, Internal::Overloaded, "draining").with(HeaderName::RetryAfter, "30"));
    }
    authenticate(step, id, flow, request, realm, caller)?;
    let source = flow.remote.ip();
    let user = caller.user.as_deref();
    let judged = step.around.guard.judge_request(step.now, source, "INVITE", user);
    judged
        .and_then(|()| step.around.guard.admit_call(step.now, flow.realm, source, user, id))
        .map_err(|refusal| limited(&refusal))?;
    let offer = read_offer(step, flow, request, realm)?;
    let targets = targets::plan(step, id, flow, request, caller)?;
    Ok(Admitted { targets, offer })
}

/// A refusal of the guard's as an answer.
pub fn limited(refusal: &crate::guard::Refusal) -> Refused {
    Refused::new(refusal.status, Internal::Limited, refusal.reason.to_string())
        .with(HeaderName::RetryAfter, refusal.retry_after_secs.to_string())
}

/// RFC 3261 §8.1.1.8: exactly one Contact. §8.2.2.1: a scheme we know.
fn well_formed(request: &Request) -> Result<(), Refused> {
    let bad = |what: &str| Refused::new(400, Internal::BadRequest, what);
    let contacts = request.contacts().map_err(|e| bad(e.what))?;
    if contacts.list().len() != 1 {
        return Err(bad("an INVITE needs exactly one Contact"));
    }
    match request.uri.scheme {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(()),
        Scheme::Other(_) => Err(Refused::new(416, Internal::BadRequest, "Request-URI is neither sip, sips nor tel")),
    }
}

/// RFC 3261 §16.3 step 3: a B2BUA takes part in the count, or loops are endless.
fn hops_left(request: &Request) -> Result<u8, Refused> {
    match request.max_forwards() {
        Ok(Some(0)) => Err(Refused::new(483, Internal::Loop, "Max-Forwards ran out")),
        Ok(Some(n)) => Ok(n.min(MAX_FORWARDS) - 1),
        Ok(None) => Ok(MAX_FORWARDS - 1),
        Err(e) => Err(Refused::new(400, Internal::BadRequest, e.what)),
    }
}

/// RFC 3261 §8.2.2.3: what must be understood and is not.
fn no_extension(request: &Request) -> Result<(), Refused> {
    let unknown = request.headers.unknown_options(&HeaderName::Require, &[]);
    if unknown.is_empty() {
        return Ok(());
    }
    let list = headers::bounded(&unknown.join(", "));
    Err(Refused::new(420, Internal::BadRequest, format!("extension required: {list}"))
        .with(HeaderName::Unsupported, list))
}

/// RFC 3261 §16.3 step 4 for a B2BUA. Our Vias do not survive a hop through
/// ourselves, the session identifier does: the same session for the same
/// Request-URI while it is still being set up has come round. Proxies that
/// keep our Vias show it too; a few are let pass, as a PBX may send a call back.
fn no_loop(step: &Step<'_, '_>, request: &Request, caller: &Caller) -> Result<(), Refused> {
    let again = step.desk.setups.contains_key(&(caller.session_a.clone(), caller.request_uri.clone()));
    let ours = |via: &&crate::sip::message::Via| via.branch().and_then(lead::read_branch).is_some();
    let vias = request.headers.vias().unwrap_or_default();
    if again || vias.iter().filter(ours).count() >= limits::OWN_VIAS {
        return Err(Refused::new(482, Internal::Loop, "the call has been here before"));
    }
    Ok(())
}

/// Who calls: a trunk by its address, a user by digest, or whoever may.
fn authenticate(
    step: &mut Step<'_, '_>,
    id: CallId,
    flow: &Flow,
    request: &Request,
    realm: &Realm,
    caller: &mut Caller,
) -> Result<(), Refused> {
    if caller.trunk.is_some() || realm.auth == Auth::None {
        return Ok(());
    }
    if realm.auth == Auth::Trunks {
        step.offence(flow, crate::guard::Offence::Unauthorised);
        return Err(Refused::new(403, Internal::Forbidden, "only trunks call from this realm"));
    }
    match step.around.registrar.authenticate(step.now, flow.realm, request) {
        Verdict::Accepted { user } => {
            // RFC 3325 §5: whoever authenticates asserts the identity.
            let display = caller.display.clone();
            caller.asserted = Some((user.clone(), display));
            step.event(id, EventKind::Authenticated { user: user.clone() });
            caller.user = Some(user);
            Ok(())
        }
        Verdict::Challenge(response) => {
            unknown_user(step, flow, &caller.from);
            step.event(id, EventKind::Challenged { status: response.status });
            let refused = Refused::new(response.status, Internal::AuthRequired, "credentials are needed");
            Err(Refused { response: Some(response), ..refused })
        }
        Verdict::Refused { response, offence } => {
            if let Some(offence) = offence {
                step.offence(flow, offence);
            }
            let internal = if response.status == 403 { Internal::AuthRequired } else { Internal::BadRequest };
            let refused = Refused::new(response.status, internal, "credentials are not accepted");
            Err(Refused { response: Some(response), ..refused })
        }
    }
}

/// Somebody without credentials who claims to be nobody we know is trying
/// names. The answer does not tell; the count does.
fn unknown_user(step: &mut Step<'_, '_>, flow: &Flow, user: &str) {
    if !step.around.registrar.knows(user) {
        step.offence(flow, crate::guard::Offence::UnknownUser);
    }
}

/// The offer of an INVITE; `None` if it has none (RFC 3261 §13.2.1).
fn read_offer(
    step: &Step<'_, '_>,
    flow: &Flow,
    request: &Request,
    realm: &Realm,
) -> Result<Option<(Session, Remote)>, Refused> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let session = read_session(step, flow, request)?;
    let kind = offer::kind_of(realm, Some(&session), flow.transport);
    let caps = offer::capabilities(kind, &realm.codecs, realm.ptime_ms);
    let remote = offer::judge_offer(&session, &caps, realm).map_err(|r| not_acceptable(step, flow, &r))?;
    Ok(Some((session, remote)))
}

/// The session description of a request.
///
/// # Errors
/// 415 for another body (RFC 3261 §8.2.3), 488 for one that cannot be read.
pub fn read_session(step: &Step<'_, '_>, flow: &Flow, request: &Request) -> Result<Session, Refused> {
    let other = || Refused::new(415, Internal::BadSdp, "the body is not application/sdp").with(HeaderName::Accept, SDP);
    let kind = request.content_type().map_err(|_| other())?.ok_or_else(other)?;
    if !kind.is("application", "sdp") {
        return Err(other());
    }
    if request.headers.get(&HeaderName::ContentEncoding).is_some_and(|e| !e.eq_ignore_ascii_case("identity")) {
        return Err(other().with(HeaderName::AcceptEncoding, "identity"));
    }
    sdp::parse(&request.body).map_err(|e| {
        let agent = headers::contact(step.config, flow, None).uri.host.to_string();
        Refused::new(488, Internal::BadSdp, format!("session description line {}: {}", e.at, e.what))
            .with(HeaderName::Warning, format!("399 {agent} \"Malformed session description: {}\"", e.what))
    })
}

/// 488 with its Warning (RFC 3261 §21.4.26).
pub fn not_acceptable(step: &Step<'_, '_>, flow: &Flow, refusal: &sdp::Refusal) -> Refused {
    let agent = headers::contact(step.config, flow, None).uri.host.to_string();
    let internal = if refusal.warning_code == 305 { Internal::NoCommonCodec } else { Internal::BadSdp };
    Refused::new(488, internal, refusal.text).with(HeaderName::Warning, refusal.warning(&agent))
}

/// Makes the call and the caller's side of its media.
#[expect(clippy::too_many_arguments, reason = "what is known at the one place where a call begins")]
fn begin(
    step: &mut Step<'_, '_>,
    id: CallId,
    key: ServerKey,
    flow: Flow,
    request: Request,
    caller: Caller,
    dialog: Dialog,
    admitted: Admitted,
) -> Result<Call, Refused> {
    let config = step.config;
    let mut a = Party::new(dialog);
    a.trunk = caller.trunk;
    a.user = caller.user.clone();
    a.dialog.flow = answer::next_flow(config, &a.dialog, flow, a.user.is_some());
    a.instance = a.user.as_deref().and_then(|u| step.around.registrar.instance_on(u, flow.connection));
    let realm = config.realm(flow.realm).ok_or_else(|| Refused::new(500, Internal::Internal, "no such realm"))?;
    let offered = admitted.offer.as_ref().map(|(session, _)| session);
    let kind = offer::kind_of(realm, offered, flow.transport);
    let mut call = Call {
        id,
        started: step.now,
        answered: None,
        phase: Phase::Setup { ringing: false },
        caller,
        a,
        invite: Some(Invite { key, request, early_answer: false, late_offer: admitted.offer.is_none() }),
        targets: admitted.targets,
        attempts: Vec::new(),
        tried: 0,
        best: None,
        winner: None,
        b: None,
        service: None,
        target: None,
        media: None,
        ports: Vec::new(),
        admitted: Vec::new(),
        crypto: [None, None],
        ended: false,
        done: false,
    };
    let Some(mut side) = session::make_side(&mut call, step, Leg::A, flow.realm, kind) else {
        session::give_back(&mut call, step);
        return Err(Refused::new(503, Internal::NoMediaPort, "no media port is free").with(HeaderName::RetryAfter, "5"));
    };
    if let Some((session, remote)) = admitted.offer {
        side.offer = Some(session);
        side.remote = Some(remote);
    }
    call.a.side = Some(side);
    step.desk.dialogs.insert(call.a.dialog.id.local_tag.to_string(), (id, Part::Leg(Leg::A)));
    step.desk.servers.insert(key, id);
    step.desk.on_connection(&flow, id, Leg::A);
    step.desk.sessions.entry(call.caller.session_a.clone()).or_default().push(id);
    step.desk.setups.insert((call.caller.session_a.clone(), call.caller.request_uri.clone()), id);
    Ok(call)
}

/// Answers an INVITE that makes no call, on record before it is on the wire.
fn refuse(step: &mut Step<'_, '_>, id: CallId, key: ServerKey, request: &Request, refused: Refused) {
    step.around.guard.release_call(id);
    let status = refused.cause.sip_code;
    step.event(id, EventKind::Ending { by: Initiator::Sbc, cause: refused.cause });
    step.event(id, EventKind::Ended);
    let mut response = match refused.response {
        Some(response) => *response,
        None => headers::reply(step.config, request, status),
    };
    for (name, value) in refused.headers {
        response.headers.push(name, value);
    }
    step.respond(key, response);
}

/// RFC 3261 §8.1.1.6 recommends 70; more is of no use to anybody.
const MAX_FORWARDS: u8 = 70;

/// The trunk of a target, if it is one.
pub fn trunk_of(target: &Target) -> Option<TrunkId> {
    match target.name {
        super::event::TargetName::Trunk(trunk) => Some(trunk),
        super::event::TargetName::User(_) | super::event::TargetName::Service(_) | super::event::TargetName::Uri(_) => {
            None
        }
    }
}
