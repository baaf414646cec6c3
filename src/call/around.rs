//! What a transition may look at and count with besides its own call.
//!
//! Look-ups without timers and outputs are arguments (ARCHITECTURE, "the
//! verbs"): routing, admission, ports, who is registered. Nothing here is kept.

use super::call::Call;
use super::cause::{Cause, Initiator};
use super::config::Config;
use super::desk::{Desk, Use, Wait};
use super::event::{Event, EventKind};
use super::output::{Output, Token};
use super::register::Registrar;
use crate::base::{CallId, Flow, Instant, Leg, MediaId, Now, ShardId};
use crate::guard::Guard;
use crate::media::command::Command;
use crate::media::ports::Ports;
use crate::route;
use crate::sip::message::{Request, Response};
use crate::sip::transaction::ServerKey;

/// The rooms beside the call machine, for the time of one input.
pub struct Around<'a> {
    /// Rules and trunks.
    pub route: &'a route::Table,
    /// Which trunks are up.
    pub health: &'a mut route::Health,
    /// Admission.
    pub guard: &'a mut Guard,
    /// Media ports.
    pub ports: &'a mut Ports,
    /// Users and where they are.
    pub registrar: &'a mut Registrar,
}

/// One input being worked on: its stamp, what all calls share, and what lies around.
pub struct Step<'a, 'b> {
    /// The stamp of the input.
    pub now: Now,
    /// The configuration.
    pub config: &'a Config,
    /// What all calls share.
    pub desk: &'a mut Desk,
    /// The other rooms.
    pub around: &'a mut Around<'b>,
}

impl Step<'_, '_> {
    /// Records a fact of a call.
    pub fn event(&mut self, call: CallId, kind: EventKind) {
        self.desk.out.push_back(Output::Event(Event { at: self.now, call, kind }));
    }

    /// Records a sentence.
    pub fn noted(&mut self, call: CallId, leg: Option<Leg>, what: impl Into<String>) {
        self.event(call, EventKind::Noted { leg, what: what.into() });
    }

    /// Answers a request.
    pub fn respond(&mut self, key: ServerKey, response: Response) {
        if response.status >= 200 {
            self.desk.servers.remove(&key);
        }
        self.desk.out.push_back(Output::Respond { key, response });
    }

    /// Answers with a status of ours and nothing else.
    pub fn reply(&mut self, key: ServerKey, request: &Request, status: u16) {
        let response = super::headers::reply(self.config, request, status);
        self.respond(key, response);
    }

    /// Sends a request; its key comes back under `used`.
    pub fn send(&mut self, flow: Flow, request: Request, used: Use) -> Token {
        self.desk.tokens += 1;
        let token = Token(self.desk.tokens);
        self.desk.sending.insert(token, used);
        self.desk.out.push_back(Output::Request { token, flow, request });
        token
    }

    /// Sends an ACK for a 2xx.
    pub fn ack(&mut self, flow: Flow, request: Request) {
        self.desk.out.push_back(Output::Ack { flow, request });
    }

    /// Orders something of a shard.
    pub fn media(&mut self, shard: ShardId, command: Command) {
        self.desk.out.push_back(Output::Media { shard, command });
    }

    /// A number for a media session.
    pub fn media_id(&mut self, call: CallId) -> MediaId {
        self.desk.opened += 1;
        let id = MediaId(u64::from(self.desk.engine.0) << 56 | self.desk.opened);
        self.desk.media.insert(id, call);
        id
    }

    /// Sets or moves a wait of a call.
    pub fn wait(&mut self, call: CallId, wait: Wait, until: Instant) {
        self.desk.due.set((call, wait), until);
    }

    /// Ends a wait of a call.
    pub fn unwait(&mut self, call: CallId, wait: Wait) {
        self.desk.due.stop(&(call, wait));
    }

    /// Counts something against a source.
    pub fn offence(&mut self, flow: &Flow, offence: crate::guard::Offence) {
        self.desk.out.push_back(Output::Offence { flow: *flow, offence });
    }

    /// Counts something for a source.
    pub fn merit(&mut self, flow: &Flow) {
        self.desk.out.push_back(Output::Merit { flow: *flow });
    }

    /// Ends a call; see `teardown`.
    pub fn end(&mut self, call: &mut Call, by: Initiator, cause: Cause) {
        super::teardown::end(call, self, super::teardown::End::new(by, cause));
    }
}
