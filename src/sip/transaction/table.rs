//! The transactions of an engine, how they are found, and their deadlines.
//!
//! A leaf machine says what should happen; the table performs what concerns
//! time and existence (timers, the CANCEL of an INVITE, the end) and passes
//! on what concerns others as [`Effect`]s, in order. It knows no messages but
//! the responses it hands to leaves, and no bytes but those it repeats.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

use bytes::Bytes;

use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::key::{ClientKey, ServerKey, ServerMatch, TransactionKey};
use super::non_invite_client::NonInviteClient;
use super::non_invite_server::NonInviteServer;
use super::{Action, Actions, Timer, Timing, UserEvent};
use crate::base::{ConnectionId, Deadlines, Flow, Instant, Rng};
use crate::sip::message::{Method, Response};

/// Client and server transactions by key.
#[derive(Debug)]
pub struct Table {
    timing: Timing,
    clients: HashMap<TransactionKey, Client>,
    servers: HashMap<ServerKey, Server>,
    by_match: HashMap<ServerMatch, ServerKey>,
    /// Requests without a To tag by their RFC 3261 §8.2.2.2 identity.
    merged: HashMap<u64, ServerKey>,
    /// Who fails with a flow: clients, and servers on connections.
    by_flow: BTreeSet<(Flow, TransactionKey)>,
    deadlines: Deadlines<(TransactionKey, Timer)>,
    effects: VecDeque<Effect>,
    next_server: u64,
    scratch: Actions,
}

/// What the endpoint has to do for a transaction.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send bytes; `again` if they were sent before.
    Send {
        /// Where to.
        flow: Flow,
        /// What.
        bytes: Bytes,
        /// True for a retransmission.
        again: bool,
    },
    /// Tell the user of a transaction.
    User {
        /// Which transaction.
        key: TransactionKey,
        /// Its flow.
        flow: Flow,
        /// What happened.
        event: UserEvent,
    },
}

#[derive(Debug)]
struct Client {
    machine: ClientMachine,
    method: Method,
    flow: Flow,
    timers: u16,
}

#[derive(Debug)]
enum ClientMachine {
    Invite(InviteClient),
    NonInvite(NonInviteClient),
}

#[derive(Debug)]
struct Server {
    machine: ServerMachine,
    /// Where answers go.
    flow: Flow,
    timers: u16,
    matched: ServerMatch,
    merged: Option<u64>,
    /// A non-INVITE request as it came, until its answer: a 100 is made from it.
    received: Bytes,
}

#[derive(Debug)]
enum ServerMachine {
    Invite(InviteServer),
    NonInvite(NonInviteServer),
}

/// How a server transaction begins.
#[derive(Debug)]
pub struct NewServer {
    /// True for INVITE.
    pub invite: bool,
    /// What its repetitions are found by.
    pub matched: ServerMatch,
    /// Its identity among merged requests, if it has no To tag.
    pub merged: Option<u64>,
    /// Where its answers go.
    pub flow: Flow,
    /// The bytes as they came, of a non-INVITE request.
    pub received: Bytes,
}

impl Table {
    /// An empty table.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            clients: HashMap::new(),
            servers: HashMap::new(),
            by_match: HashMap::new(),
            merged: HashMap::new(),
            by_flow: BTreeSet::new(),
            deadlines: Deadlines::new(),
            effects: VecDeque::new(),
            next_server: 1,
            scratch: Actions::new(),
        }
    }

    /// Number of live transactions.
    pub fn len(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// True if there is no live transaction; then nothing else is held either.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
            && self.by_match.is_empty()
            && self.merged.is_empty()
            && self.by_flow.is_empty()
            && self.deadlines.is_empty()
    }

    /// The earliest deadline.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes the next effect.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// A key no client transaction has.
    pub fn fresh_client_key(&self, rng: &mut Rng) -> ClientKey {
        loop {
            let key = ClientKey(rng.u64());
            if !self.clients.contains_key(&TransactionKey::Client(key)) {
                return key;
            }
        }
    }

    /// Starts the client transaction of `request`, whose branch carries `key`.
    pub fn start_client(&mut self, now: Instant, key: ClientKey, method: Method, flow: Flow, request: Bytes) {
        self.start(now, TransactionKey::Client(key), method, flow, request);
    }

    /// A response for the client transaction `key` came on `flow`. Gives it back
    /// if there is none, or none of that CSeq method.
    pub fn on_response(
        &mut self,
        now: Instant,
        key: TransactionKey,
        method: &Method,
        flow: Flow,
        response: Response,
    ) -> Option<Response> {
        let Some(client) = self.clients.get_mut(&key) else { return Some(response) };
        // RFC 3261 §17.1.3: the method has to match as well. The realm has to,
        // because nobody on another side of the border has seen the branch.
        if client.method != *method || client.flow.realm != flow.realm {
            return Some(response);
        }
        // A connection opened for this request has a number by now.
        if client.flow.connection != flow.connection && client.flow.connection == ConnectionId(0) {
            self.move_client(key, flow);
        }
        self.step_client(now, key, |machine, out| match machine {
            ClientMachine::Invite(machine) => machine.on_response(response, out),
            ClientMachine::NonInvite(machine) => machine.on_response(response, out),
        });
        None
    }

    /// Cancels an INVITE client transaction; nothing happens for another or none.
    pub fn cancel(&mut self, now: Instant, key: ClientKey) {
        self.step_client(now, TransactionKey::Client(key), |machine, out| match machine {
            ClientMachine::Invite(machine) => machine.cancel(out),
            ClientMachine::NonInvite(_) => {}
        });
    }

    /// The server transaction with this key.
    pub fn find(&self, matched: &ServerMatch) -> Option<ServerKey> {
        self.by_match.get(matched).copied()
    }

    /// True if a live server transaction has this §8.2.2.2 identity.
    pub fn is_merged(&self, identity: u64) -> bool {
        self.merged.contains_key(&identity)
    }

    /// Starts a server transaction.
    pub fn start_server(&mut self, now: Instant, new: NewServer) -> ServerKey {
        let key = ServerKey(self.next_server);
        self.next_server += 1;
        let NewServer { invite, matched, merged, flow, received } = new;
        let mut actions = std::mem::take(&mut self.scratch);
        let reliable = flow.transport.is_reliable();
        let machine = if invite {
            ServerMachine::Invite(InviteServer::start(self.timing, reliable))
        } else {
            ServerMachine::NonInvite(NonInviteServer::start(self.timing, reliable, &mut actions))
        };
        self.by_match.insert(matched.clone(), key);
        if let Some(identity) = merged {
            self.merged.insert(identity, key);
        }
        if reliable {
            self.by_flow.insert((flow, TransactionKey::Server(key)));
        }
        self.servers.insert(key, Server { machine, flow, timers: 0, matched, merged, received });
        self.perform(now, TransactionKey::Server(key), &mut actions);
        self.scratch = actions;
        key
    }

    /// The request of a server transaction came again.
    pub fn on_request(&mut self, now: Instant, key: ServerKey) {
        self.step_server(now, key, |machine, out| match machine {
            ServerMachine::Invite(machine) => machine.on_request(out),
            ServerMachine::NonInvite(machine) => machine.on_request(out),
        });
    }

    /// An ACK with the key of an INVITE server transaction.
    pub fn on_ack(&mut self, now: Instant, key: ServerKey) {
        self.step_server(now, key, |machine, out| match machine {
            ServerMachine::Invite(machine) => machine.on_ack(out),
            ServerMachine::NonInvite(_) => {}
        });
    }

    /// The user's answer; true if it had a place.
    pub fn respond(&mut self, now: Instant, key: ServerKey, status: u16, bytes: Bytes) -> bool {
        if let Some(server) = self.servers.get_mut(&key) {
            server.received = Bytes::new();
        }
        let mut placed = false;
        self.step_server(now, key, |machine, out| {
            placed = match machine {
                ServerMachine::Invite(machine) => machine.respond(status, bytes, out),
                ServerMachine::NonInvite(machine) => machine.respond(status, bytes, out),
            }
        });
        placed
    }

    /// Forgets a server transaction that is not to be answered at all.
    pub fn forget_server(&mut self, key: ServerKey) {
        let key = TransactionKey::Server(key);
        if let Some((_, timers)) = self.flow_and_timers(key) {
            self.remove(key, timers);
        }
    }

    /// Sends the 2xx of an INVITE server transaction again; true if it is there.
    pub fn resend_2xx(&mut self, now: Instant, key: ServerKey) -> bool {
        let mut sent = false;
        self.step_server(now, key, |machine, out| {
            if let ServerMachine::Invite(machine) = machine {
                sent = machine.resend_2xx(out);
            }
        });
        sent
    }

    /// The user has seen the ACK of its 2xx.
    pub fn acknowledged(&mut self, key: ServerKey) {
        if let Some(Server { machine: ServerMachine::Invite(machine), .. }) = self.servers.get_mut(&key) {
            machine.acknowledged();
        }
    }

    /// True for an INVITE server transaction without a final answer.
    pub fn is_unanswered_invite(&self, key: ServerKey) -> bool {
        self.servers.get(&key).is_some_and(|server| match &server.machine {
            ServerMachine::Invite(machine) => machine.is_unanswered(),
            ServerMachine::NonInvite(_) => false,
        })
    }

    /// The flow of a server transaction's answers.
    pub fn server_flow(&self, key: ServerKey) -> Option<Flow> {
        self.servers.get(&key).map(|server| server.flow)
    }

    /// What was said last by an INVITE server transaction, while it is kept.
    pub fn last_response(&self, key: ServerKey) -> Option<Bytes> {
        match &self.servers.get(&key)?.machine {
            ServerMachine::Invite(machine) => machine.last_response().cloned(),
            ServerMachine::NonInvite(_) => None,
        }
    }

    /// The unanswered request of a non-INVITE server transaction, as it came.
    pub fn received(&self, key: ServerKey) -> Option<Bytes> {
        self.servers.get(&key).map(|server| server.received.clone()).filter(|bytes| !bytes.is_empty())
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((key, timer)) = self.deadlines.pop(now) {
            if let TransactionKey::Server(key) = key {
                if let Some(server) = self.servers.get_mut(&key) {
                    server.timers &= !timer.bit();
                }
                self.step_server(now, key, |machine, out| match machine {
                    ServerMachine::Invite(machine) => machine.on_timer(timer, out),
                    ServerMachine::NonInvite(machine) => machine.on_timer(timer, out),
                });
            } else {
                if let Some(client) = self.clients.get_mut(&key) {
                    client.timers &= !timer.bit();
                }
                self.step_client(now, key, |machine, out| match machine {
                    ClientMachine::Invite(machine) => machine.on_timer(timer, out),
                    ClientMachine::NonInvite(machine) => machine.on_timer(timer, out),
                });
            }
        }
    }

    /// Client transactions that waited for a connection have it.
    pub fn on_flow_opened(&mut self, asked: Flow, opened: Flow) {
        if asked.connection == ConnectionId(0) && asked.transport.is_reliable() {
            self.keys_on(asked).into_iter().for_each(|key| self.move_client(key, opened));
        }
    }

    fn move_client(&mut self, key: TransactionKey, flow: Flow) {
        if let Some(client) = self.clients.get_mut(&key) {
            self.by_flow.remove(&(client.flow, key));
            client.flow = flow;
            self.by_flow.insert((flow, key));
        }
    }

    /// The connection of `flow` is gone, or could not be opened.
    pub fn on_flow_closed(&mut self, now: Instant, flow: Flow) {
        for key in self.keys_on(flow) {
            self.transport_error(now, key);
        }
        // Requests that waited for this connection carry no number yet.
        if flow.connection != ConnectionId(0) {
            for key in self.keys_on(Flow { connection: ConnectionId(0), ..flow }) {
                self.transport_error(now, key);
            }
        }
    }

    /// A datagram to `flow` came back as undeliverable. RFC 3261 §18.4: the
    /// users of requests are told. A peer that has answered is there, and a
    /// stranger can forge the news: only requests nobody answered fail by it.
    pub fn on_unreachable(&mut self, now: Instant, flow: Flow) {
        for key in self.keys_on(flow) {
            let unanswered = self.clients.get(&key).is_some_and(|client| match &client.machine {
                ClientMachine::Invite(machine) => machine.is_unanswered(),
                ClientMachine::NonInvite(machine) => machine.is_unanswered(),
            });
            if unanswered {
                self.transport_error(now, key);
            }
        }
    }

    fn keys_on(&self, flow: Flow) -> Vec<TransactionKey> {
        let (first, last) = (TransactionKey::Client(ClientKey(0)), TransactionKey::Server(ServerKey(u64::MAX)));
        self.by_flow.range((flow, first)..=(flow, last)).map(|(_, key)| *key).collect()
    }

    fn transport_error(&mut self, now: Instant, key: TransactionKey) {
        match key {
            TransactionKey::Server(key) => self.step_server(now, key, |machine, out| match machine {
                ServerMachine::Invite(machine) => machine.on_transport_error(out),
                ServerMachine::NonInvite(machine) => machine.on_transport_error(out),
            }),
            TransactionKey::Client(_) | TransactionKey::CancelOf(_) => {
                self.step_client(now, key, |machine, out| match machine {
                    ClientMachine::Invite(machine) => machine.on_transport_error(out),
                    ClientMachine::NonInvite(machine) => machine.on_transport_error(out),
                });
            }
        }
    }

    fn start(&mut self, now: Instant, key: TransactionKey, method: Method, flow: Flow, request: Bytes) {
        let mut actions = Actions::new();
        let reliable = flow.transport.is_reliable();
        let machine = if method == Method::Invite {
            ClientMachine::Invite(InviteClient::start(self.timing, reliable, request, &mut actions))
        } else {
            ClientMachine::NonInvite(NonInviteClient::start(self.timing, reliable, request, &mut actions))
        };
        self.clients.insert(key, Client { machine, method, flow, timers: 0 });
        self.by_flow.insert((flow, key));
        self.perform(now, key, &mut actions);
    }

    fn step_client(&mut self, now: Instant, key: TransactionKey, step: impl FnOnce(&mut ClientMachine, &mut Actions)) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let mut actions = std::mem::take(&mut self.scratch);
        step(&mut client.machine, &mut actions);
        self.perform(now, key, &mut actions);
        self.scratch = actions;
    }

    fn step_server(&mut self, now: Instant, key: ServerKey, step: impl FnOnce(&mut ServerMachine, &mut Actions)) {
        let Some(server) = self.servers.get_mut(&key) else { return };
        let mut actions = std::mem::take(&mut self.scratch);
        step(&mut server.machine, &mut actions);
        self.perform(now, TransactionKey::Server(key), &mut actions);
        self.scratch = actions;
    }

    /// Performs the actions of the transaction `key`, in order.
    fn perform(&mut self, now: Instant, key: TransactionKey, actions: &mut Actions) {
        let Some((flow, mut timers)) = self.flow_and_timers(key) else { return actions.clear() };
        for action in actions.drain(..) {
            match action {
                Action::Send(bytes) => self.effects.push_back(Effect::Send { flow, bytes, again: false }),
                Action::Resend(bytes) => self.effects.push_back(Effect::Send { flow, bytes, again: true }),
                Action::Set(timer, after) => {
                    timers |= timer.bit();
                    self.deadlines.set((key, timer), now + after);
                }
                Action::Stop(timer) => {
                    timers &= !timer.bit();
                    self.deadlines.stop(&(key, timer));
                }
                Action::Cancel(bytes) => {
                    if let TransactionKey::Client(invite) = key {
                        self.start(now, TransactionKey::CancelOf(invite), Method::Cancel, flow, bytes);
                    }
                }
                Action::ToUser(event) => self.tell(key, flow, event),
                Action::Done => return self.remove(key, timers),
            }
        }
        self.keep_timers(key, timers);
    }

    fn tell(&mut self, key: TransactionKey, flow: Flow, event: UserEvent) {
        // RFC 3261 §9.1: what becomes of the INVITE is what counts; the answer
        // to its CANCEL says nothing.
        if !matches!(key, TransactionKey::CancelOf(_)) {
            self.effects.push_back(Effect::User { key, flow, event });
        }
    }

    fn flow_and_timers(&self, key: TransactionKey) -> Option<(Flow, u16)> {
        match key {
            TransactionKey::Server(key) => self.servers.get(&key).map(|server| (server.flow, server.timers)),
            TransactionKey::Client(_) | TransactionKey::CancelOf(_) => {
                self.clients.get(&key).map(|client| (client.flow, client.timers))
            }
        }
    }

    fn keep_timers(&mut self, key: TransactionKey, timers: u16) {
        match key {
            TransactionKey::Server(key) => {
                if let Some(server) = self.servers.get_mut(&key) {
                    server.timers = timers;
                }
            }
            TransactionKey::Client(_) | TransactionKey::CancelOf(_) => {
                if let Some(client) = self.clients.get_mut(&key) {
                    client.timers = timers;
                }
            }
        }
    }

    /// Forgets a transaction and all that leads to it.
    fn remove(&mut self, key: TransactionKey, timers: u16) {
        for timer in Timer::ALL.into_iter().filter(|timer| timers & timer.bit() != 0) {
            self.deadlines.stop(&(key, timer));
        }
        match key {
            TransactionKey::Server(key) => {
                let Some(server) = self.servers.remove(&key) else { return };
                self.by_match.remove(&server.matched);
                give_back(&mut self.servers);
                give_back(&mut self.by_match);
                if let Some(identity) = server.merged
                    && self.merged.get(&identity) == Some(&key)
                {
                    self.merged.remove(&identity);
                    give_back(&mut self.merged);
                }
                self.by_flow.remove(&(server.flow, TransactionKey::Server(key)));
            }
            TransactionKey::Client(_) | TransactionKey::CancelOf(_) => {
                let Some(client) = self.clients.remove(&key) else { return };
                self.by_flow.remove(&(client.flow, key));
                give_back(&mut self.clients);
            }
        }
    }
}

/// Gives memory back after a flood: a table keeps at most eight times the room
/// it uses, and small ones what they have.
fn give_back<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    if table.capacity() > 4096 && table.len() < table.capacity() / 8 {
        table.shrink_to(table.len() * 2);
    }
}

/// Bytes of the larger kind of transaction, what it points to not counted.
pub const fn entry_bytes() -> usize {
    let (client, server) = (size_of::<Client>(), size_of::<Server>());
    if client > server { client } else { server }
}
