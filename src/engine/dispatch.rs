//! Outputs of one machine become inputs of another, until all are quiet.
//!
//! This alone moves them, and it decides nothing: what a message means was
//! decided before. After each single output everything that follows from it is
//! moved first, so that the order in which things were asked for is the order
//! in which they happen.

use super::facts::Fact;
use super::rates::Kind;
use super::{Engine, Output};
use crate::base::{Flow, Now};
use crate::call;
use crate::call::event::EventKind;
use crate::call::register;
use crate::guard::{self, Merit, Offence};
use crate::record::Way;
use crate::route::health;
use crate::sip::endpoint;
use crate::sip::message::{HeaderName, Method, Request, Response};
use crate::sip::transaction::ServerKey;

impl Engine {
    /// Moves until nothing is left to move.
    pub(super) fn pump(&mut self, now: Now) {
        loop {
            if let Some(output) = self.endpoint.poll_output() {
                self.move_sip(now, output);
            } else if let Some(output) = self.registrar.poll_output() {
                self.move_registration(now, output);
            } else if let Some(output) = self.calls.poll_output() {
                self.move_call(now, output);
            } else if let Some(output) = self.guard.poll_output() {
                self.move_guard(output);
            } else if let Some(output) = self.health.poll_output() {
                self.move_health(now, output);
            } else {
                return;
            }
        }
    }

    fn move_sip(&mut self, now: Now, output: endpoint::Output) {
        use endpoint::Output as Sip;
        match output {
            Sip::Transmit { flow, bytes } => self.out.push_back(Output::Transmit { flow, bytes }),
            Sip::Request { key, flow, request } => {
                self.request(now, request.method.as_str(), Way::In);
                if self.is_scanner(now, &flow, &request) {
                    self.endpoint.ignore(key);
                } else {
                    self.on_request(now, key, flow, request);
                }
            }
            Sip::Ack { request, .. } => {
                self.request(now, "ACK", Way::In);
                self.with_calls(|calls, around| calls.handle_ack(now, around, &request));
            }
            Sip::Cancel { key, request } => {
                self.request(now, "CANCEL", Way::In);
                self.with_calls(|calls, around| calls.handle_cancel(now, around, key, &request));
            }
            Sip::Response { key, response, .. } => {
                self.response(now, &response, Way::In);
                self.with_calls(|calls, around| calls.handle_response(now, around, key, &response));
            }
            Sip::StrayResponse { .. } => self.counters.stray_responses += 1,
            Sip::Failed { key, why } => self.with_calls(|calls, around| calls.handle_failed(now, around, key, why)),
            Sip::ServerFailed { key, .. } => {
                self.with_calls(|calls, around| calls.handle_server_failed(now, around, key));
            }
            Sip::Malformed { flow, answered, .. } => self.on_malformed(now, flow, answered),
            Sip::KeepAlive { .. } => {}
            Sip::CloseFlow { flow, why } => self.out.push_back(Output::CloseFlow { flow, code: PROTOCOL_ERROR, why }),
        }
    }

    fn is_scanner(&mut self, now: Now, flow: &Flow, request: &Request) -> bool {
        let user_agent = request.headers.get_lossy(&HeaderName::UserAgent);
        let from = request.headers.get_lossy(&HeaderName::From).unwrap_or_default();
        let (source, transport) = (flow.remote.ip(), flow.transport);
        !self.guard.judge_user_agent(now, flow.realm, source, transport, user_agent.as_deref(), &from).passes()
    }

    fn on_request(&mut self, now: Now, key: ServerKey, flow: Flow, request: Request) {
        if request.method == Method::Register {
            self.registrar.handle_register(now, key, flow, &request);
        } else {
            self.with_calls(|calls, around| calls.handle_request(now, around, key, flow, request));
        }
    }

    /// What cannot be read counts against its source; over a WebSocket, where
    /// every frame is a whole message, it also ends the connection when no
    /// answer was possible (RFC 7118 §5.3, RFC 6455 §7.4.1).
    fn on_malformed(&mut self, now: Now, flow: Flow, answered: bool) {
        self.guard.note(now, flow.realm, flow.remote.ip(), flow.transport, Offence::Malformed);
        if flow.transport.is_websocket() && !answered {
            self.out.push_back(Output::CloseFlow { flow, code: BAD_PAYLOAD, why: "not a SIP message" });
        }
    }

    fn move_registration(&mut self, now: Now, output: register::Output) {
        match output {
            register::Output::Respond { key, response } => self.respond(now, key, response),
            register::Output::Offence { flow, offence } => self.note(now, &flow, offence),
            register::Output::Event(event) => {
                if let register::EventKind::Registered { flow, instance, .. } = &event.kind {
                    self.guard.trust(now, flow.remote.ip(), Merit::Registration);
                    let (user, instance, flow) = (event.user.clone(), instance.clone(), *flow);
                    self.with_calls(|calls, around| {
                        calls.handle_registered(now, around, &user, instance.as_deref(), flow);
                    });
                }
                self.tell(Fact::Registration(event));
            }
        }
    }

    fn move_call(&mut self, now: Now, output: call::Output) {
        use call::Output as Call;
        match output {
            Call::Respond { key, response } => self.respond(now, key, response),
            Call::Request { token, flow, request } => {
                self.request(now, request.method.as_str(), Way::Out);
                let key = self.endpoint.send_request(now, flow, request);
                self.calls.sent(token, key);
            }
            Call::Ack { flow, request } => {
                self.request(now, "ACK", Way::Out);
                self.endpoint.send_ack(now, flow, request);
            }
            Call::Cancel { key } => {
                self.request(now, "CANCEL", Way::Out);
                self.endpoint.cancel(now, key);
            }
            Call::Resend { key } => {
                self.endpoint.resend_2xx(now, key);
            }
            Call::Acknowledged { key } => self.endpoint.acknowledged(key),
            Call::Resolve { id, query } => self.out.push_back(Output::Resolve { id, query }),
            Call::Media { shard, command } => self.out.push_back(Output::Media { shard, command }),
            Call::TrunkAddresses { trunk, addresses } => self.guard.set_trunk_addresses(now, trunk, addresses),
            Call::Event(event) => {
                match event.kind {
                    EventKind::Started { .. } => self.counters.attempts_total += 1,
                    EventKind::Answered { .. } => self.counters.calls_total += 1,
                    _ => {}
                }
                self.tell(Fact::Call(event));
            }
            Call::Offence { flow, offence } => self.note(now, &flow, offence),
            Call::Merit { flow } => self.guard.trust(now, flow.remote.ip(), Merit::Call),
        }
    }

    fn request(&mut self, now: Now, method: &str, way: Way) {
        self.rates.count(now, Kind::Request);
        self.records.feed_request(method, way);
    }

    fn response(&mut self, now: Now, response: &Response, way: Way) {
        self.rates.response(now, response.status);
        self.records.feed_response(&method_of(response), response.status, way);
    }

    fn respond(&mut self, now: Now, key: ServerKey, response: Response) {
        self.response(now, &response, Way::Out);
        self.endpoint.respond(now, key, response);
    }

    fn note(&mut self, now: Now, flow: &Flow, offence: Offence) {
        self.guard.note(now, flow.realm, flow.remote.ip(), flow.transport, offence);
    }

    fn move_guard(&mut self, output: guard::Output) {
        match output {
            guard::Output::Event(event) => self.tell(Fact::Guard(event)),
            order @ (guard::Output::Ban { .. } | guard::Output::Lift { .. }) => {
                self.out.push_back(Output::Firewall(order));
            }
        }
    }

    fn move_health(&mut self, now: Now, output: health::Output) {
        match output {
            health::Output::Probe { trunk } => {
                self.with_calls(|calls, around| calls.handle_probe(now, around, trunk));
            }
            health::Output::Event(event) => self.tell(Fact::Trunk(event)),
        }
    }
}

/// The method that a response answers.
fn method_of(response: &Response) -> String {
    response.headers.cseq().map_or_else(|_| String::new(), |cseq| cseq.method.as_str().to_owned())
}

/// RFC 6455 §7.4.1: protocol error.
const PROTOCOL_ERROR: u16 = 1002;

/// RFC 6455 §7.4.1: a message that cannot be.
const BAD_PAYLOAD: u16 = 1007;
