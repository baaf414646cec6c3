//! Asking trunks whether they live: OPTIONS outside any dialog (RFC 3261 §11).
//!
//! `route::Health` says when; here the trunk is located, the request written,
//! and what comes of it is told back. Any response proves that the trunk lives.

use super::around::Step;
use super::desk::Use;
use super::headers;
use super::output::{Output, ResolveId};
use super::targets;
use crate::base::{Flow, TrunkId};
use crate::route::health::Outcome;
use crate::sip::lead;
use crate::sip::locate::{Answer, Locate, Step as Locating};
use crate::sip::message::{HeaderName, Method, NameAddr, Request, Response, Uri};
use crate::sip::transaction::FailReason;

/// Begins a probe.
pub fn start(step: &mut Step<'_, '_>, trunk: TrunkId) {
    let Some(config) = step.config.trunk(trunk) else { return };
    let locate = Locate::new(&config.target, &targets::transports(step, config.realm));
    locating(step, trunk, locate);
}

/// Feeds the resolver's answer.
pub fn on_resolved(step: &mut Step<'_, '_>, trunk: TrunkId, mut locate: Locate, answer: Answer) {
    locate.handle_answer(answer, &mut step.desk.rng);
    locating(step, trunk, locate);
}

fn locating(step: &mut Step<'_, '_>, trunk: TrunkId, locate: Locate) {
    match locate.step() {
        Locating::Ask(query) => {
            let query = query.clone();
            step.desk.questions += 1;
            let id = ResolveId(step.desk.questions);
            step.desk.probes.insert(id, (trunk, locate));
            step.desk.out.push_back(Output::Resolve { id, query });
        }
        Locating::Found(found) => {
            let found: Vec<_> = found.iter().map(|t| (t.transport, t.address)).collect();
            step.desk
                .out
                .push_back(Output::TrunkAddresses { trunk, addresses: found.iter().map(|(_, at)| at.ip()).collect() });
            let realm = step.config.trunk(trunk).map(|t| t.realm).unwrap_or_default();
            let flow = found.iter().find_map(|(transport, at)| {
                let listener = step.config.realm(realm)?.listener(*transport)?;
                (listener.local.is_ipv4() == at.is_ipv4())
                    .then(|| Flow { transport: *transport, ..Flow::udp(realm, listener.local, *at) })
            });
            match flow {
                Some(flow) => ask(step, trunk, flow),
                None => step.around.health.handle_probe(step.now, trunk, Outcome::Unreachable),
            }
        }
    }
}

fn ask(step: &mut Step<'_, '_>, trunk: TrunkId, flow: Flow) {
    let config = step.config;
    let (Some(to), Some(realm)) = (config.trunk(trunk), config.realm(flow.realm)) else { return };
    let mut request = Request::new(Method::Options, to.target.clone());
    let from = NameAddr::new(Uri::sip(headers::host(config, realm, &flow), None));
    let from = from.with_tag(&lead::tag(step.desk.engine, &mut step.desk.rng));
    let h = &mut request.headers;
    h.push(HeaderName::MaxForwards, "70");
    h.push(HeaderName::From, from.to_string());
    h.push(HeaderName::To, NameAddr::new(to.target.clone()).to_string());
    h.push(HeaderName::CallId, step.desk.call_id_header());
    h.push(HeaderName::CSeq, "1 OPTIONS");
    h.push(HeaderName::Contact, headers::contact(config, &flow, None).to_string());
    h.push(HeaderName::Accept, headers::SDP);
    h.push(HeaderName::UserAgent, &config.product);
    step.send(flow, request, Use::Probe { trunk });
}

/// A response came to a probe.
pub fn on_response(step: &mut Step<'_, '_>, trunk: TrunkId, response: &Response) {
    let retry_after = response.headers.retry_after().map(|r| std::time::Duration::from_secs(u64::from(r.secs)));
    step.around.health.handle_probe(step.now, trunk, Outcome::Answer { status: response.status, retry_after });
}

/// The transaction of a probe failed.
pub fn on_failed(step: &mut Step<'_, '_>, trunk: TrunkId, why: FailReason) {
    let outcome = match why {
        FailReason::Timeout => Outcome::Timeout,
        FailReason::TransportError => Outcome::Unreachable,
        // Our own trouble; the next probe will tell.
        FailReason::Overload => return,
    };
    step.around.health.handle_probe(step.now, trunk, outcome);
}
