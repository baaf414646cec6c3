//! All calls of an engine: the table machine.
//!
//! Inputs are what the endpoint, the resolver, the shards, the clock and the
//! operator say; each finds its call and runs the transition that is in the
//! file of its name. Outputs stand in the [`Desk`]'s queue in the order in
//! which they are to happen. One input, one stamp.

use std::collections::BTreeMap;

use super::around::{Around, Step};
use super::call::Call;
use super::cause::{Cause, Initiator, Internal};
use super::config::Config;
use super::desk::{Desk, Use, Wait};
use super::leg::Part;
use super::output::{Output, ResolveId, Token};
use super::teardown::{self, End};
use super::{answer, cancel, headers, hunt, info, leftover, options, probe, progress, setup, update};
use crate::base::{CallId, Flow, Instant, Leg, Now, Rng, TrunkId};
use crate::media;
use crate::sip::locate::Answer;
use crate::sip::message::{HeaderName, Method, Request, Response};
use crate::sip::transaction::{ClientKey, FailReason, ServerKey};

/// See the file's head.
#[derive(Debug)]
pub struct Calls {
    config: Config,
    table: BTreeMap<CallId, Call>,
    desk: Desk,
}

impl Calls {
    /// No calls.
    pub fn new(config: Config, rng: Rng) -> Self {
        Self { table: BTreeMap::new(), desk: Desk::new(config.engine, rng), config }
    }

    /// A request that begins a transaction, other than REGISTER.
    pub fn handle_request(&mut self, now: Now, around: &mut Around<'_>, key: ServerKey, flow: Flow, request: Request) {
        let inside = request.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let (table, mut step) = self.step(now, around);
        let Some(tag) = inside else {
            if request.method == Method::Invite {
                if let Some(call) = setup::on_invite(&mut step, key, flow, request)
                    && !call.done
                {
                    table.insert(call.id, call);
                }
            } else {
                options::on_request(&mut step, key, &request);
            }
            return;
        };
        let found = step.desk.dialogs.get(&tag).copied();
        match found.and_then(|(id, part)| Some((table.get_mut(&id)?, part))) {
            Some((call, part)) if same_dialog(call, part, &request) => {
                let id = call.id;
                in_dialog(call, &mut step, part, key, flow, request);
                self.forget_if_done(id);
            }
            // RFC 3261 §12.2.2: a dialog that we do not know.
            Some(_) | None => step.reply(key, &request, 481),
        }
    }

    /// An ACK of a 2xx.
    pub fn handle_ack(&mut self, now: Now, around: &mut Around<'_>, request: &Request) {
        let Some(tag) = request.to().ok().and_then(|to| to.tag().map(str::to_owned)) else { return };
        let Some((id, Part::Leg(leg))) = self.desk.dialogs.get(&tag).copied() else { return };
        self.with(now, around, id, |call, step| {
            if same_dialog(call, Part::Leg(leg), request) {
                answer::on_ack(call, step, leg, request);
            }
        });
    }

    /// A CANCEL of an INVITE that is not answered.
    pub fn handle_cancel(&mut self, now: Now, around: &mut Around<'_>, key: ServerKey, request: &Request) {
        let Some(id) = self.desk.servers.get(&key).copied() else { return };
        self.with(now, around, id, |call, step| {
            if call.invite.as_ref().is_some_and(|i| i.key == key) {
                return cancel::on_cancel(call, step, request);
            }
            // RFC 3261 §9.2: a re-INVITE is cancelled by itself; the session goes on.
            for leg in [Leg::A, Leg::B] {
                let asking = call.party_mut(leg).and_then(|p| p.asking.take_if(|a| a.key == key));
                if let Some(asking) = asking {
                    let response = headers::dialog_reply(step.config, call, leg, &asking.request, 487);
                    step.respond(key, response);
                    let asked = call.party(leg.other()).and_then(|p| p.asked.as_ref()).and_then(|a| a.key);
                    if let Some(key) = asked {
                        step.desk.out.push_back(Output::Cancel { key });
                    }
                }
            }
        });
    }

    /// A response to a request of ours.
    pub fn handle_response(&mut self, now: Now, around: &mut Around<'_>, key: ClientKey, response: &Response) {
        match self.desk.clients.get(&key) {
            Some(Use::Attempt { call, number }) => {
                let (id, number) = (*call, *number);
                self.with(now, around, id, |call, step| match response.status {
                    ..200 => progress::on_provisional(call, step, number, response),
                    200..300 => answer::on_success(call, step, number, response),
                    _ => hunt::on_failure(call, step, number, response),
                });
            }
            Some(Use::Asked { call, leg }) => {
                let (id, leg) = (*call, *leg);
                self.with(now, around, id, |call, step| update::on_response(call, step, leg, response));
            }
            Some(Use::Settled { .. } | Use::Bye { .. }) => {
                leftover::on_response(&mut self.step(now, around).1, key, response);
            }
            Some(Use::Probe { trunk }) if response.status >= 200 => {
                let trunk = *trunk;
                self.desk.clients.remove(&key);
                probe::on_response(&mut self.step(now, around).1, trunk, response);
            }
            Some(Use::Probe { .. }) | None => {}
        }
    }

    /// A client transaction failed.
    pub fn handle_failed(&mut self, now: Now, around: &mut Around<'_>, key: ClientKey, why: FailReason) {
        match self.desk.clients.get(&key) {
            Some(Use::Attempt { call, number }) => {
                let (id, number) = (*call, *number);
                self.with(now, around, id, |call, step| hunt::on_transaction_failed(call, step, number, why));
            }
            Some(Use::Asked { call, leg }) => {
                let (id, leg) = (*call, *leg);
                self.desk.clients.remove(&key);
                self.with(now, around, id, |call, step| update::on_failed(call, step, leg, why));
            }
            Some(Use::Settled { .. } | Use::Bye { .. }) => leftover::on_failed(&mut self.step(now, around).1, key),
            Some(Use::Probe { trunk }) => {
                let trunk = *trunk;
                self.desk.clients.remove(&key);
                probe::on_failed(&mut self.step(now, around).1, trunk, why);
            }
            None => {}
        }
    }

    /// A server transaction failed: nobody is there to hear our answer.
    pub fn handle_server_failed(&mut self, now: Now, around: &mut Around<'_>, key: ServerKey) {
        let Some(id) = self.desk.servers.remove(&key) else { return };
        self.with(now, around, id, |call, step| {
            if call.invite.as_ref().is_some_and(|i| i.key == key) {
                let cause = Cause::new(487, Internal::TransportError, "the caller cannot be reached any more");
                step.end(call, Initiator::Caller, cause);
            }
        });
    }

    /// A media event.
    pub fn handle_media(&mut self, now: Now, around: &mut Around<'_>, event: media::event::Event) {
        let Some(id) = self.desk.media.get(&event.media).copied() else { return };
        self.with(now, around, id, |call, step| {
            if call.media.as_ref().is_some_and(|s| s.id == event.media) {
                teardown::on_media(call, step, event.kind);
            }
        });
    }

    /// An answer of the resolver.
    pub fn handle_resolved(&mut self, now: Now, around: &mut Around<'_>, id: ResolveId, answer: Answer) {
        if let Some((trunk, locate)) = self.desk.probes.remove(&id) {
            return probe::on_resolved(&mut self.step(now, around).1, trunk, locate, answer);
        }
        let Some((call, number)) = self.desk.resolves.remove(&id) else { return };
        self.with(now, around, call, |call, step| hunt::on_resolved(call, step, number, answer));
    }

    /// A connection is closed.
    pub fn handle_flow_closed(&mut self, now: Now, around: &mut Around<'_>, flow: &Flow) {
        for (id, leg) in self.desk.connections.remove(&flow.connection).unwrap_or_default() {
            self.with(now, around, id, |call, step| teardown::on_flow_lost(call, step, leg));
        }
    }

    /// A user is registered on a flow: calls that wait for him go on there.
    pub fn handle_registered(
        &mut self,
        now: Now,
        around: &mut Around<'_>,
        user: &str,
        instance: Option<&str>,
        flow: Flow,
    ) {
        let waiting: Vec<_> = self.desk.lost.get(user).into_iter().flatten().copied().collect();
        for (id, leg) in waiting {
            self.with(now, around, id, |call, step| teardown::on_flow_back(call, step, leg, instance, flow));
        }
    }

    /// A trunk is to be probed.
    pub fn handle_probe(&mut self, now: Now, around: &mut Around<'_>, trunk: TrunkId) {
        probe::start(&mut self.step(now, around).1, trunk);
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Now, around: &mut Around<'_>) {
        while let Some((id, wait)) = self.desk.due.pop(now.mono) {
            self.with(now, around, id, |call, step| match wait {
                Wait::Answer => cancel::on_no_answer(call, step),
                Wait::Response(number) => hunt::on_silence(call, step, number),
                Wait::Ack(leg) => answer::on_ack_wait(call, step, leg),
                Wait::Update(leg) => update::on_wait(call, step, leg),
                Wait::Flow(leg) => teardown::on_flow_wait(call, step, leg),
                Wait::Media => teardown::on_media_wait(call, step),
                Wait::Longest => {
                    let cause = Cause::new(200, Internal::SessionExpired, "the longest time for a call is over");
                    step.end(call, Initiator::Timer, cause);
                }
            });
        }
        while let Some(key) = self.desk.forget.pop(now.mono) {
            self.desk.clients.remove(&key);
        }
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.desk.due.next(), self.desk.forget.next()].into_iter().flatten().min()
    }

    /// Takes one output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.desk.out.pop_front()
    }

    /// The endpoint's key for a request.
    pub fn sent(&mut self, token: Token, key: ClientKey) {
        let Some(used) = self.desk.sending.remove(&token) else { return };
        match &used {
            Use::Attempt { call, number } => match self.table.get_mut(call).and_then(|c| c.attempt_mut(*number)) {
                Some(attempt) => attempt.key = Some(key),
                None => return,
            },
            Use::Asked { call, leg } => {
                match self.table.get_mut(call).and_then(|c| c.party_mut(*leg)).and_then(|p| p.asked.as_mut()) {
                    Some(asked) => asked.key = Some(key),
                    None => return,
                }
            }
            Use::Settled { .. } | Use::Bye { .. } | Use::Probe { .. } => {}
        }
        self.desk.clients.insert(key, used);
    }

    /// Hangs a call up for an operator; false if there is none.
    pub fn hang_up(&mut self, now: Now, around: &mut Around<'_>, id: CallId) -> bool {
        if !self.table.get(&id).is_some_and(Call::is_live) {
            return false;
        }
        self.with(now, around, id, |call, step| {
            let status = if call.is_answered() { 200 } else { 480 };
            let cause = Cause::new(status, Internal::AdminHangup, "an operator ended the call");
            teardown::end(call, step, End::new(Initiator::Admin, cause));
        });
        true
    }

    /// Takes no new call from here on, or takes them again.
    pub fn drain(&mut self, on: bool) {
        self.desk.draining = on;
    }

    /// True while no new call is taken.
    pub fn is_draining(&self) -> bool {
        self.desk.draining
    }

    /// Every call, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.table.values()
    }

    /// A call by its id.
    pub fn get(&self, id: CallId) -> Option<&Call> {
        self.table.get(&id)
    }

    /// A call by its id, a Call-ID header of one of its legs, or its session identifier.
    pub fn find(&self, name: &str) -> Option<&Call> {
        if let Some(call) = name.parse().ok().and_then(|id| self.table.get(&id)) {
            return Some(call);
        }
        if let Some(id) = self.desk.sessions.get(name).and_then(|list| list.last()) {
            return self.table.get(id);
        }
        self.table
            .values()
            .find(|c| c.caller.call_id_header == name || c.b.as_ref().is_some_and(|b| *b.dialog.id.call_id == *name))
    }

    /// Number of calls.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True without calls.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// True if nothing is held: no call, no transaction, no wait, no index.
    pub fn is_idle(&self) -> bool {
        let d = &self.desk;
        self.table.is_empty()
            && d.clients.is_empty()
            && d.sending.is_empty()
            && d.servers.is_empty()
            && d.dialogs.is_empty()
            && d.media.is_empty()
            && d.resolves.is_empty()
            && d.sessions.is_empty()
            && d.setups.is_empty()
            && d.lost.is_empty()
            && d.connections.is_empty()
            && d.due.is_empty()
            && d.forget.is_empty()
            && d.out.is_empty()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn step<'a, 'b>(
        &'a mut self,
        now: Now,
        around: &'a mut Around<'b>,
    ) -> (&'a mut BTreeMap<CallId, Call>, Step<'a, 'b>) {
        (&mut self.table, Step { now, config: &self.config, desk: &mut self.desk, around })
    }

    /// Runs a transition of a call, if there is one of that id.
    fn with(&mut self, now: Now, around: &mut Around<'_>, id: CallId, run: impl FnOnce(&mut Call, &mut Step<'_, '_>)) {
        let (table, mut step) = self.step(now, around);
        if let Some(call) = table.get_mut(&id) {
            run(call, &mut step);
        }
        self.forget_if_done(id);
    }

    fn forget_if_done(&mut self, id: CallId) {
        if self.table.get(&id).is_some_and(|c| c.done) {
            self.table.remove(&id);
        }
    }
}

/// The tag led here; the other two identifiers of the dialog have to fit as
/// well (RFC 3261 §12).
fn same_dialog(call: &Call, part: Part, request: &Request) -> bool {
    let theirs = request.from().ok().and_then(|f| f.tag().map(str::to_owned)).unwrap_or_default();
    match part {
        Part::Leg(leg) => call
            .party(leg)
            .is_some_and(|p| *p.dialog.id.call_id == *request.call_id() && *p.dialog.id.remote_tag == *theirs),
        Part::Attempt(number) => call
            .attempts
            .iter()
            .any(|a| a.number == number && a.invite.as_ref().is_some_and(|i| i.call_id() == request.call_id())),
    }
}

/// A request inside a dialog of a call.
fn in_dialog(call: &mut Call, step: &mut Step<'_, '_>, part: Part, key: ServerKey, flow: Flow, request: Request) {
    let Part::Leg(leg) = part else {
        // An early dialog of a branch: nothing can be changed in it without
        // reliable provisional responses, and only the caller may end it.
        let status = if request.method == Method::Options { 200 } else { 481 };
        return step.reply(key, &request, status);
    };
    if let Some(refusal) = call.party_mut(leg).and_then(|p| p.dialog.on_request(&request).err()) {
        let response = headers::dialog_reply(step.config, call, leg, &request, refusal.status);
        return step.respond(key, response);
    }
    let unknown = request.headers.unknown_options(&HeaderName::Require, &[]);
    if !unknown.is_empty() {
        let mut response = headers::dialog_reply(step.config, call, leg, &request, 420);
        response.headers.push(HeaderName::Unsupported, headers::bounded(&unknown.join(", ")));
        return step.respond(key, response);
    }
    moved(call, step, leg, flow);
    match &request.method {
        Method::Invite | Method::Update => {
            step.desk.servers.insert(key, call.id);
            update::on_request(call, step, leg, key, request);
        }
        Method::Bye => teardown::on_bye(call, step, leg, key, &request),
        Method::Info => info::on_info(call, step, leg, key, &request),
        other => {
            let status = match other {
                Method::Options => 200,
                // Transfers are declined honestly (RFC 3515 §2.4.2).
                Method::Refer => 603,
                Method::Notify | Method::Subscribe => 489,
                Method::Prack => 481,
                Method::Message | Method::Publish | Method::Register => 405,
                _ => 501,
            };
            let mut response = headers::dialog_reply(step.config, call, leg, &request, status);
            if status == 200 {
                options::capabilities(&mut response.headers);
            }
            step.respond(key, response);
        }
    }
}

/// The peer of a connection talks from another one: it has come back before
/// its registration told us.
fn moved(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, flow: Flow) {
    let Some(party) = call.party(leg) else { return };
    if party.dialog.flow == flow || !flow.transport.is_reliable() || flow.realm != party.dialog.flow.realm {
        return;
    }
    if party.lost.is_some() {
        return teardown::on_flow_back(call, step, leg, None, flow);
    }
    let old = party.dialog.flow;
    let id = call.id;
    if let Some(party) = call.party_mut(leg) {
        party.dialog.flow = flow;
    }
    step.desk.off_connection(&old, id, leg);
    step.desk.on_connection(&flow, id, leg);
}
