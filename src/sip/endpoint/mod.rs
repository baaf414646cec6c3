//! The SIP endpoint: the table machine that outsiders talk to.
//!
//! RFC 3261 §8, §9, §17 and §18 with RFC 3581, 4320, 5626 (keep-alives), 6026
//! and 7118. Messages and stream bytes go in with the flow they came on, or
//! requests and answers as values; out come bytes with the flow to send them
//! on, and what the user of a transaction has to know. It knows no dialogs, and
//! decides nothing that a request means: only whether it is one, whether it
//! was here before, and where its answer goes.
//!
//! `receive` holds the inputs from the network, `reply` the answers that leave
//! no state behind, `output` the vocabulary.

pub mod fuzz;
#[cfg(test)]
mod network;
mod output;
mod receive;
mod reply;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

pub use output::{Counters, Output};

use super::config::Config;
use super::lead;
use super::message::{HeaderName, Message, Method, Request, Response, parse};
use super::stream::Framer;
use super::transaction::key::TransactionKey;
use super::transaction::table::{Effect, Table};
use super::transaction::{ClientKey, FailReason, ServerKey, UserEvent};
use crate::base::{ConnectionId, Deadlines, Flow, Instant, Now, Rng, limits};

/// The transactions of an engine and all that is needed to feed them.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
    rng: Rng,
    table: Table,
    /// Connections that owe the rest of a message, or are to be closed.
    streams: HashMap<ConnectionId, Stream>,
    stream_deadlines: Deadlines<ConnectionId>,
    outputs: VecDeque<Output>,
    counters: Counters,
    /// Keys the digests of requests: nobody can make two of them collide.
    secret: u64,
}

#[derive(Debug)]
struct Stream {
    flow: Flow,
    framer: Framer,
}

impl Endpoint {
    /// An endpoint without transactions.
    pub fn new(config: Config, mut rng: Rng) -> Self {
        let secret = rng.u64();
        Self {
            table: Table::new(config.timing()),
            config,
            rng,
            streams: HashMap::new(),
            stream_deadlines: Deadlines::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            secret,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of live transactions.
    pub fn transactions(&self) -> usize {
        self.table.len()
    }

    /// True if nothing is held: no transaction, no deadline, no part of a
    /// message, no output.
    pub fn is_idle(&self) -> bool {
        self.table.is_empty() && self.streams.is_empty() && self.stream_deadlines.is_empty() && self.outputs.is_empty()
    }

    /// Takes the next output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.table.poll_timeout(), self.stream_deadlines.next()].into_iter().flatten().min()
    }

    /// Fires what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.table.handle_timeout(now.mono);
        self.drain(now, None);
        while let Some(connection) = self.stream_deadlines.pop(now.mono) {
            let Some(stream) = self.streams.get_mut(&connection) else { continue };
            stream.framer.stop();
            self.counters.streams_broken += 1;
            self.outputs.push_back(Output::CloseFlow { flow: stream.flow, why: "message not finished in time" });
        }
    }

    /// Sends a request in a client transaction of its own.
    ///
    /// Puts our Via on top, Max-Forwards and User-Agent where they are missing.
    /// The request is not ACK ([`Self::send_ack`]) or CANCEL ([`Self::cancel`]).
    /// The key stands for the transaction until a final response to a
    /// non-INVITE or a failure; for an INVITE more 2xx may follow.
    pub fn send_request(&mut self, now: Now, flow: Flow, mut request: Request) -> ClientKey {
        let key = self.table.fresh_client_key(&mut self.rng);
        if self.table.len() >= self.max_transactions() {
            self.counters.overload += 1;
            self.outputs.push_back(Output::Failed { key, why: FailReason::Overload });
            return key;
        }
        self.stamp(&flow, key.0, &mut request);
        let bytes = request.to_bytes();
        self.table.start_client(now.mono, key, request.method, flow, bytes);
        self.drain(now, None);
        key
    }

    /// Sends the ACK of a 2xx: no transaction, a branch of its own
    /// (RFC 3261 §13.2.2.4).
    pub fn send_ack(&mut self, _now: Now, flow: Flow, mut ack: Request) {
        let number = self.rng.u64();
        self.stamp(&flow, number, &mut ack);
        self.outputs.push_back(Output::Transmit { flow, bytes: ack.to_bytes() });
    }

    /// Cancels an INVITE (RFC 3261 §9.1): after its first provisional response.
    ///
    /// The INVITE still ends by a final response or, 64*T1 after the CANCEL, by
    /// [`Output::Failed`]. Nothing happens if it is answered already.
    pub fn cancel(&mut self, now: Now, key: ClientKey) {
        self.table.cancel(now.mono, key);
        self.drain(now, None);
    }

    /// Answers a request. Does nothing, but count, if the transaction is over
    /// or has its final answer.
    ///
    /// Adds a To tag to what is more than a 100 and has none (§8.2.6.2), and
    /// Server. A 2xx to an INVITE is repeated by [`Self::resend_2xx`].
    pub fn respond(&mut self, now: Now, key: ServerKey, mut response: Response) {
        if self.table.server_flow(key).is_none() {
            self.counters.answers_dropped += 1;
            return;
        }
        self.finish_response(&mut response);
        if !self.table.respond(now.mono, key, response.status, response.to_bytes()) {
            self.counters.answers_dropped += 1;
        }
        self.drain(now, None);
    }

    /// Forgets a request that gets no answer: a scanner's. One that comes again
    /// begins anew.
    pub fn ignore(&mut self, key: ServerKey) {
        self.table.forget_server(key);
    }

    /// Sends the 2xx of an INVITE again, as `dialog::accept::Repeat2xx` asks;
    /// false if the transaction has none any more.
    pub fn resend_2xx(&mut self, now: Now, key: ServerKey) -> bool {
        let sent = self.table.resend_2xx(now.mono, key);
        self.drain(now, None);
        sent
    }

    /// The ACK of this INVITE's 2xx came: its bytes need not be kept.
    pub fn acknowledged(&mut self, key: ServerKey) {
        self.table.acknowledged(key);
    }

    /// The value for a Contact or Record-Route of ours on `flow`, and of our Via.
    pub fn sent_by(&self, flow: &Flow) -> super::config::SentBy {
        self.config.sent_by(flow)
    }

    /// Our Via on top; what every request has to have.
    fn stamp(&self, flow: &Flow, number: u64, request: &mut Request) {
        let via = self.config.via(flow, &lead::branch(self.config.engine, number));
        let headers = &mut request.headers;
        // RFC 3261 §8.1.1.6: 70 where nothing says otherwise.
        if !headers.has(&HeaderName::MaxForwards) {
            headers.push_front(HeaderName::MaxForwards, "70");
        }
        headers.push_front(HeaderName::Via, via.to_string());
        if let Some(name) = self.config.server.as_deref()
            && !headers.has(&HeaderName::UserAgent)
        {
            headers.push(HeaderName::UserAgent, name);
        }
    }

    /// Most transactions; at least one, at most what memory is planned for.
    fn max_transactions(&self) -> usize {
        self.config.max_transactions.clamp(1, limits::TRANSACTIONS)
    }

    /// Time a peer has for the rest of a message on a stream: as long as it
    /// would wait for an answer itself.
    fn stream_patience(&self) -> Duration {
        self.config.timing().give_up()
    }

    /// Turns the effects of transactions into outputs. `ack` is the ACK being
    /// handled, for a transaction that wants it passed up.
    fn drain(&mut self, now: Now, mut ack: Option<(Flow, Request)>) {
        while let Some(effect) = self.table.poll_effect() {
            let (key, flow, event) = match effect {
                Effect::Send { flow, bytes, again } => {
                    self.counters.retransmissions_sent += u64::from(again);
                    self.outputs.push_back(Output::Transmit { flow, bytes });
                    continue;
                }
                Effect::User { key, flow, event } => (key, flow, event),
            };
            match (key, event) {
                (TransactionKey::Client(key), UserEvent::Response(response)) => {
                    self.outputs.push_back(Output::Response { key, flow, response });
                }
                (TransactionKey::Client(key), UserEvent::Failed(why)) => {
                    self.outputs.push_back(Output::Failed { key, why });
                }
                (TransactionKey::Server(key), UserEvent::Failed(why)) => {
                    self.outputs.push_back(Output::ServerFailed { key, why });
                }
                (TransactionKey::Server(_), UserEvent::Ack) => {
                    if let Some((flow, request)) = ack.take() {
                        self.outputs.push_back(Output::Ack { flow, request });
                    }
                }
                (TransactionKey::Server(key), UserEvent::Unanswered) => self.answer_trying(now, key, flow),
                // Servers get no responses, clients no ACKs, and the table keeps
                // the events of a CANCEL to itself.
                (TransactionKey::Client(_), UserEvent::Ack | UserEvent::Unanswered)
                | (TransactionKey::Server(_), UserEvent::Response(_))
                | (TransactionKey::CancelOf(_), _) => {}
            }
        }
    }

    /// RFC 4320 §4.1: a non-INVITE request that takes long gets its 100 when
    /// the client asks no more often than every T2.
    fn answer_trying(&mut self, now: Now, key: ServerKey, flow: Flow) {
        let Some(Ok(Message::Request(mut request))) = self.table.received(key).map(|bytes| parse(&bytes)) else {
            return;
        };
        let Ok(via) = request.via() else { return };
        // The port of the reply's flow is the one that the request came from, or
        // the one its Via asks for: either way the Via gets what it would have.
        request.headers.set_via(&self.noted(via, &flow));
        let response = Response::to_request(&request, 100, "");
        self.table.respond(now.mono, key, 100, response.to_bytes());
    }

    fn finish_response(&self, response: &mut Response) {
        if response.status > 100 && !has_tag(response) {
            let digest = self.digest(response.call_id().as_bytes(), &[]);
            response.set_to_tag(&lead::tag_from(self.config.engine, digest));
        }
        if let Some(name) = self.config.server.as_deref()
            && !response.headers.has(&HeaderName::Server)
        {
            response.headers.push(HeaderName::Server, name);
        }
    }
}

/// True if the To field has a tag.
fn has_tag(response: &Response) -> bool {
    response.headers.get_bytes(&HeaderName::To).and_then(lead::tag_of).is_some()
}

/// True for the methods that begin a server transaction by themselves.
fn begins_transaction(method: &Method) -> bool {
    !matches!(method, Method::Ack | Method::Cancel)
}
