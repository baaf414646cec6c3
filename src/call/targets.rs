//! From a routing plan to targets that can be called.
//!
//! `route` says "this trunk", "whoever registered as that", "a service"; here
//! they get a Request-URI and a way: an address, an open flow, a name still to
//! be located. The bindings of a user make one wave: they are tried at the
//! same time. Every reason of the plan goes on record.

use std::collections::VecDeque;

use super::around::Step;
use super::call::Caller;
use super::cause::Internal;
use super::event::{EventKind, TargetName};
use super::leg::{Hop, Target};
use super::setup::Refused;
use crate::base::{CallId, Flow, RealmId, TrunkId, limits};
use crate::media::plan::Service;
use crate::route::{self, Choice, Query, TargetRef};
use crate::sip::locate::Locate;
use crate::sip::message::{HeaderName, Request, Uri};

/// The waves of targets for a call.
///
/// # Errors
/// 404 for what nobody is, 480 for a user who is not there, 503 if all
/// that could be is down or full.
pub fn plan(
    step: &mut Step<'_, '_>,
    id: CallId,
    flow: &Flow,
    request: &Request,
    caller: &Caller,
) -> Result<VecDeque<Vec<Target>>, Refused> {
    let host = request.uri.host.to_string();
    let query = Query {
        realm: flow.realm,
        trunk: caller.trunk,
        from_user: &caller.from,
        to_user: &caller.to,
        to_host: &host,
        wall: step.now.wall,
    };
    let guard = &*step.around.guard;
    let load = |trunk| guard.trunk_calls(trunk);
    let plan = step.around.route.plan(&query, step.around.health, &load, &mut step.desk.rng);
    let mut reasons: Vec<String> = plan.reasons.iter().map(|r| r.with(step.around.route).to_string()).collect();
    let mut waves = VecDeque::new();
    let mut offline = None;
    for choice in &plan.targets {
        match resolve(step, flow, request, choice) {
            Ok(wave) => waves.push_back(wave),
            Err(refused) => {
                reasons.push(refused.cause.reason.clone());
                offline = Some(refused);
            }
        }
    }
    let first = plan.targets.first();
    step.event(
        id,
        EventKind::Routed {
            from: first.map_or_else(|| caller.from.clone(), |c| c.from_user.clone()),
            to: first.map_or_else(|| caller.to.clone(), |c| c.to_user.clone()),
            targets: waves.iter().flatten().map(|t: &Target| t.name.clone()).collect(),
            reasons,
        },
    );
    match (waves.is_empty(), plan.status(), offline) {
        (false, _, _) => Ok(waves),
        (true, Some(503), _) => {
            // Every target is full or down: that passes, RFC 3261 §21.5.4.
            let refused = Refused::new(503, Internal::NoRoute, "no target can be used");
            Err(refused.with(HeaderName::RetryAfter, "5"))
        }
        (true, _, Some(refused)) => Err(refused),
        (true, _, None) => Err(Refused::new(404, Internal::NoRoute, "no rule is for this call")),
    }
}

/// The targets that one choice means.
fn resolve(step: &Step<'_, '_>, flow: &Flow, request: &Request, choice: &Choice) -> Result<Vec<Target>, Refused> {
    match choice.target {
        TargetRef::Trunk(id) => to_trunk(step, id, choice),
        TargetRef::Registered => to_user(step, choice),
        TargetRef::Service(service) => Ok(vec![to_service(flow.realm, service, choice)]),
        TargetRef::Dialled => dialled(step, flow, request, choice),
    }
}

fn to_trunk(step: &Step<'_, '_>, id: TrunkId, choice: &Choice) -> Result<Vec<Target>, Refused> {
    let missing = || Refused::new(503, Internal::NoRoute, "the trunk is not configured");
    let trunk = step.config.trunk(id).ok_or_else(missing)?;
    let uri = trunk.target.clone().with_user(&choice.to_user);
    let hop = Hop::Locate(Box::new(Locate::new(&trunk.target, &transports(step, trunk.realm))));
    Ok(vec![target(TargetName::Trunk(id), trunk.realm, uri, hop, choice)])
}

/// Every binding of the user, at most [`limits::FORKS_PER_TARGET`].
fn to_user(step: &Step<'_, '_>, choice: &Choice) -> Result<Vec<Target>, Refused> {
    let registrar = &*step.around.registrar;
    let bindings = registrar.bindings(step.now, &choice.to_user);
    if bindings.is_empty() {
        return Err(if registrar.knows(&choice.to_user) {
            Refused::new(480, Internal::UserOffline, "the user is not registered")
        } else {
            Refused::new(404, Internal::UserOffline, "there is no such user")
        });
    }
    let one = |b: super::register::Binding| {
        let name = TargetName::User(choice.to_user.clone());
        target(name, b.flow.realm, b.contact, Hop::Flow(b.flow), choice)
    };
    Ok(bindings.into_iter().take(limits::FORKS_PER_TARGET).map(one).collect())
}

fn to_service(realm: RealmId, service: route::Service, choice: &Choice) -> Target {
    let service = match service {
        route::Service::Echo => Service::Echo,
        route::Service::Tone => Service::Tone,
        route::Service::Hello => Service::Hello,
    };
    let uri = Uri::sip(crate::sip::message::Host::NONE, None).with_user(&choice.to_user);
    target(TargetName::Service(service), realm, uri, Hop::Service(service), choice)
}

/// The URI that was dialled; never ourselves. By which realm it is reached is
/// known once it has an address (`hunt`).
fn dialled(step: &Step<'_, '_>, flow: &Flow, request: &Request, choice: &Choice) -> Result<Vec<Target>, Refused> {
    let host = request.uri.host.to_string();
    let at = request.uri.ip().map(|ip| std::net::SocketAddr::new(ip, request.uri.port.unwrap_or(5060)));
    let is_domain = |r: &super::config::Realm| r.domain.as_deref().is_some_and(|d| d.eq_ignore_ascii_case(&host));
    // A domain that is an address says nothing of what listens at its other ports.
    let ours = at.is_none() && step.config.realms.iter().any(is_domain);
    let own_domain = step.config.realm(flow.realm).is_some_and(is_domain) && request.uri.port.is_none();
    if ours || own_domain || at.is_some_and(|at| step.config.is_ours(at)) {
        return Err(Refused::new(404, Internal::NoRoute, "the dialled URI is our own"));
    }
    let mut uri = request.uri.clone().with_user(&choice.to_user);
    uri.headers = None;
    uri.password = None;
    let hop = Hop::Locate(Box::new(Locate::new(&uri, &every_transport(step, flow.realm))));
    let name = TargetName::Uri(uri.to_string());
    Ok(vec![target(name, flow.realm, uri, hop, choice)])
}

fn target(name: TargetName, realm: RealmId, uri: Uri, hop: Hop, choice: &Choice) -> Target {
    Target { name, realm, uri, hop, to: choice.to_user.clone(), from: choice.from_user.clone() }
}

/// The transports of a realm, then those of the others.
fn every_transport(step: &Step<'_, '_>, realm: RealmId) -> Vec<crate::base::Transport> {
    let mut all = transports(step, realm);
    for listener in step.config.realms.iter().flat_map(|r| &r.listeners) {
        if !all.contains(&listener.transport) {
            all.push(listener.transport);
        }
    }
    all
}

/// The transports that a realm speaks, its preferred one first.
pub fn transports(step: &Step<'_, '_>, realm: RealmId) -> Vec<crate::base::Transport> {
    let listeners = step.config.realm(realm).map(|r| r.listeners.as_slice()).unwrap_or_default();
    listeners.iter().map(|l| l.transport).collect()
}
