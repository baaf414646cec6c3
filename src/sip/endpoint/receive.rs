//! What comes from the network: bytes, messages, and the end of connections.

use bytes::Bytes;

use super::{Endpoint, Output, Stream, begins_transaction};
use crate::base::{Flow, Now, limits};
use crate::sip::lead;
use crate::sip::message::{Message, Method, Request, Response, Via, parse, validate, validate_response};
use crate::sip::stream::{Framer, Piece};
use crate::sip::transaction::ClientKey;
use crate::sip::transaction::key::{ServerMatch, TransactionKey};
use crate::sip::transaction::table::NewServer;

impl Endpoint {
    /// A UDP datagram or a WebSocket message.
    pub fn handle_datagram(&mut self, now: Now, flow: Flow, bytes: &Bytes) {
        // RFC 5626 §3.5.1, and what phones send to keep a NAT open: blank lines
        // or zeros.
        if bytes.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.keep_alive(flow, flow.transport.is_websocket() && &bytes[..] == b"\r\n\r\n");
            return;
        }
        self.handle_message(now, flow, bytes);
    }

    /// Bytes of a TCP or TLS connection, as they came.
    pub fn handle_stream(&mut self, now: Now, flow: Flow, bytes: &[u8]) {
        let stream = self.streams.remove(&flow.connection);
        let mut framer = stream.map_or_else(Framer::default, |stream| stream.framer);
        framer.feed(bytes);
        let mut moved = false;
        while let Some(piece) = framer.next_piece() {
            moved = true;
            match piece {
                Piece::Message(message) => self.handle_message(now, flow, &message),
                Piece::Ping => self.keep_alive(flow, true),
                Piece::Unframable { what, head } => self.break_stream(flow, what, head),
            }
        }
        // The patience counts from the first byte of the message that is owed.
        if moved || !framer.is_mid_message() {
            self.stream_deadlines.stop(&flow.connection);
        }
        if framer.is_mid_message() && self.stream_deadlines.at(&flow.connection).is_none() {
            self.stream_deadlines.set(flow.connection, now.mono + self.stream_patience());
        }
        if !framer.is_idle() {
            self.streams.insert(flow.connection, Stream { flow, framer });
        }
    }

    /// The connection that requests on `asked` (connection 0) waited for is
    /// open: what follows of them goes on it, and they fail with it.
    pub fn handle_flow_opened(&mut self, asked: Flow, opened: Flow) {
        self.table.on_flow_opened(asked, opened);
    }

    /// A connection is closed, by whichever side.
    pub fn handle_flow_closed(&mut self, now: Now, flow: Flow) {
        self.streams.remove(&flow.connection);
        self.stream_deadlines.stop(&flow.connection);
        self.table.on_flow_closed(now.mono, flow);
        self.drain(now, None);
    }

    /// What was sent to `flow` did not arrive: an ICMP error, or a connection
    /// that could not be opened or written.
    pub fn handle_transport_error(&mut self, now: Now, flow: Flow) {
        if flow.transport.is_reliable() {
            self.handle_flow_closed(now, flow);
        } else {
            self.table.on_unreachable(now.mono, flow);
            self.drain(now, None);
        }
    }

    fn keep_alive(&mut self, flow: Flow, answer: bool) {
        self.counters.keep_alives += 1;
        if answer {
            self.outputs.push_back(Output::Transmit { flow, bytes: Bytes::from_static(b"\r\n") });
        }
        self.outputs.push_back(Output::KeepAlive { flow });
    }

    /// RFC 3261 §18.3: a message that cannot be delimited gets a 400 where it
    /// can be answered, and its connection is closed.
    fn break_stream(&mut self, flow: Flow, what: &'static str, head: Option<Bytes>) {
        self.counters.streams_broken += 1;
        match head.map(|head| parse(&head)) {
            Some(Ok(Message::Request(request))) => self.refuse_malformed(flow, request, 400, what),
            Some(Err(error)) => self.refuse_unread(flow, error),
            Some(Ok(Message::Response(_))) | None => self.note_malformed(flow, what, false),
        }
        self.outputs.push_back(Output::CloseFlow { flow, why: what });
    }

    fn handle_message(&mut self, now: Now, flow: Flow, bytes: &Bytes) {
        match parse(bytes) {
            Ok(Message::Request(request)) => self.handle_request(now, flow, bytes, request),
            Ok(Message::Response(response)) => self.handle_response(now, flow, response),
            Err(error) => self.refuse_unread(flow, error),
        }
    }

    fn handle_request(&mut self, now: Now, flow: Flow, bytes: &Bytes, request: Request) {
        if let Err(refusal) = validate(&request) {
            return self.refuse_malformed(flow, request, refusal.status, refusal.reason);
        }
        let Ok(via) = request.via() else { return self.note_malformed(flow, "bad Via", false) };
        match request.method {
            Method::Ack => self.handle_ack(now, flow, &via, request),
            Method::Cancel => self.handle_cancel(now, flow, via, request),
            _ => self.handle_new(now, flow, bytes, via, request),
        }
    }

    /// A request that begins a transaction, or repeats the one that did.
    fn handle_new(&mut self, now: Now, flow: Flow, bytes: &Bytes, via: Via, mut request: Request) {
        debug_assert!(begins_transaction(&request.method));
        let Some(matched) = ServerMatch::of(flow.realm, &request, &via, &request.method) else {
            return self.refuse_malformed(flow, request, 400, "Bad Request");
        };
        if let Some(key) = self.table.find(&matched) {
            self.counters.retransmissions_received += 1;
            self.table.on_request(now.mono, key);
            return self.drain(now, None);
        }
        let invite = request.method == Method::Invite;
        let full = self.max_transactions() - if invite { self.reserve() } else { 0 };
        let via = self.noted(via, &flow);
        request.headers.set_via(&via);
        if self.table.len() >= full {
            self.counters.overload += 1;
            return self.refuse(flow, &via, &request, 503, "");
        }
        let merged = self.merge_identity(flow.realm, &request);
        if merged.is_some_and(|identity| self.table.is_merged(identity)) {
            // RFC 3261 §8.2.2.2: the same request over another way.
            self.counters.merged += 1;
            return self.refuse(flow, &via, &request, 482, "");
        }
        let received = if invite { Bytes::new() } else { bytes.clone() };
        let new = NewServer { invite, matched, merged, flow: reply_flow(flow, &via), received };
        let key = self.table.start_server(now.mono, new);
        if invite {
            // §17.2.1: 100 unless an answer is certain within 200 ms; calls take
            // longer, so it goes out at once and stops the retransmissions.
            let trying = Response::to_request(&request, 100, "");
            self.table.respond(now.mono, key, 100, trying.to_bytes());
        }
        self.drain(now, None);
        self.outputs.push_back(Output::Request { key, flow, request });
    }

    /// Transactions kept free of INVITEs, so that calls can end in overload.
    fn reserve(&self) -> usize {
        (self.max_transactions() / 8).min(limits::TRANSACTIONS_FOR_OTHERS)
    }

    fn handle_ack(&mut self, now: Now, flow: Flow, via: &Via, request: Request) {
        let matched = ServerMatch::of(flow.realm, &request, via, &Method::Invite);
        if let Some(key) = matched.and_then(|matched| self.table.find(&matched)) {
            let before = self.outputs.len();
            self.table.on_ack(now.mono, key);
            self.drain(now, Some((flow, request)));
            self.counters.acks_absorbed += u64::from(self.outputs.len() == before);
            return;
        }
        // The ACK of an answer that left no state behind has that answer's tag.
        if self.is_stateless_ack(flow.realm, via, &request) {
            self.counters.acks_absorbed += 1;
            return;
        }
        self.outputs.push_back(Output::Ack { flow, request });
    }

    /// RFC 3261 §9.2.
    fn handle_cancel(&mut self, now: Now, flow: Flow, via: Via, mut request: Request) {
        let matched = ServerMatch::of(flow.realm, &request, &via, &Method::Cancel);
        let invite = ServerMatch::of(flow.realm, &request, &via, &Method::Invite);
        let Some(matched) = matched else { return self.refuse_malformed(flow, request, 400, "Bad Request") };
        if let Some(key) = self.table.find(&matched) {
            self.counters.retransmissions_received += 1;
            self.table.on_request(now.mono, key);
            return self.drain(now, None);
        }
        let via = self.noted(via, &flow);
        request.headers.set_via(&via);
        let Some(invite) = invite.and_then(|invite| self.table.find(&invite)) else {
            self.counters.refused += 1;
            return self.refuse(flow, &via, &request, 481, "");
        };
        if self.table.len() >= self.max_transactions() {
            self.counters.overload += 1;
            return self.refuse(flow, &via, &request, 503, "");
        }
        let received = Bytes::new();
        let new = NewServer { invite: false, matched, merged: None, flow: reply_flow(flow, &via), received };
        let key = self.table.start_server(now.mono, new);
        let mut answer = Response::to_request(&request, 200, "");
        // §9.2: the To tag should be that of the answers to the INVITE.
        let said = self.table.last_response(invite).map(|bytes| parse(&bytes));
        if let Some(Ok(Message::Response(said))) = said
            && let Ok(to) = said.to()
            && let Some(tag) = to.tag()
        {
            answer.set_to_tag(tag);
        }
        self.respond(now, key, answer);
        if self.table.is_unanswered_invite(invite) {
            self.outputs.push_back(Output::Cancel { key: invite, request });
        }
    }

    fn handle_response(&mut self, now: Now, flow: Flow, response: Response) {
        if let Err(what) = validate_response(&response) {
            self.counters.responses_dropped += 1;
            return self.note_malformed(flow, what, false);
        }
        let ours = response.via().ok().and_then(|via| lead::read_branch(via.branch()?));
        let (Some((engine, number)), Ok(cseq)) = (ours, response.cseq()) else {
            self.counters.responses_dropped += 1;
            return;
        };
        // RFC 3261 §17.1.3: the CANCEL has the branch of its INVITE, and CSeq
        // tells them apart.
        let key = match cseq.method {
            Method::Cancel => TransactionKey::CancelOf(ClientKey(number)),
            _ => TransactionKey::Client(ClientKey(number)),
        };
        let unmatched = if engine == self.config.engine {
            self.table.on_response(now.mono, key, &cseq.method, flow, response)
        } else {
            Some(response)
        };
        match unmatched {
            None => self.drain(now, None),
            // RFC 3261 §13.2.2.4: a 2xx is acknowledged however late it comes.
            Some(response) if response.is_success() && cseq.method == Method::Invite => {
                self.counters.responses_stray += 1;
                self.outputs.push_back(Output::StrayResponse { flow, response });
            }
            Some(_) => self.counters.responses_dropped += 1,
        }
    }
}

/// Where the answer to a request with `via` on top goes: RFC 3261 §18.2.2,
/// RFC 3581 §4. On a connection, back on it. Over UDP to the address it came
/// from, and the port if the Via has `rport`. `maddr` is not followed: it would
/// let a stranger aim our answers at anybody.
pub(super) fn reply_flow(flow: Flow, via: &Via) -> Flow {
    if flow.transport.is_reliable() || via.rport().is_some() {
        return flow;
    }
    let mut reply = flow;
    reply.remote.set_port(via.port.filter(|port| *port != 0).unwrap_or(flow.transport.default_port()));
    reply
}
