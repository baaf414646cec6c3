//! The body of the endpoint's fuzz target: any bytes, any order of inputs.
//!
//! It lives here so that it always compiles; `tests/fuzz` feeds it. Whatever
//! comes in, nothing panics, time is asked for only ahead of the present, and
//! in the end nothing is held.

use std::time::Duration;

use bytes::Bytes;

use super::{Endpoint, Output};
use crate::base::{ConnectionId, Flow, Now, RealmId, Rng, Transport};
use crate::sip::config::Config;
use crate::sip::message::{Method, Request, Response, Uri};
use crate::sip::transaction::{ClientKey, ServerKey};

/// Feeds an endpoint with what `data` says: operations of one byte, each with
/// an argument of one byte, and for bytes from the network the bytes.
///
/// # Panics
/// If the endpoint breaks one of its promises.
pub fn endpoint(data: &[u8]) {
    let mut run = Run::new();
    let mut rest = data;
    while let [op, argument, tail @ ..] = rest {
        rest = run.step(*op, *argument, tail);
        run.collect();
        run.check();
    }
    run.finish();
}

/// An endpoint with the keys it has given and the bytes it has sent.
struct Run {
    endpoint: Endpoint,
    now: Now,
    servers: Vec<ServerKey>,
    clients: Vec<ClientKey>,
    sent: Vec<Bytes>,
    requests: Vec<(ServerKey, Request)>,
}

impl Run {
    fn new() -> Self {
        let config = Config { max_transactions: 64, server: Some("sbc".into()), ..Config::default() };
        Self {
            endpoint: Endpoint::new(config, Rng::from_number(1)),
            now: Now::from_millis(1, 1),
            servers: Vec::new(),
            clients: Vec::new(),
            sent: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn step<'a>(&mut self, op: u8, argument: u8, tail: &'a [u8]) -> &'a [u8] {
        let now = self.now;
        let flow = flow(argument);
        match op % 12 {
            // Bytes of the input, up to a zero byte.
            0 | 1 => {
                let end = tail.iter().position(|b| *b == 0).unwrap_or(tail.len());
                let (bytes, after) = tail.split_at(end);
                if flow.transport.is_reliable() && !flow.transport.is_websocket() {
                    self.endpoint.handle_stream(now, flow, bytes);
                } else {
                    self.endpoint.handle_datagram(now, flow, &Bytes::copy_from_slice(bytes));
                }
                return after.get(1..).unwrap_or_default();
            }
            // A request that is well-formed, with few different identities.
            2 | 3 => self.feed(flow, template(argument)),
            // A response to something that was sent.
            4 | 5 => {
                if let Some(bytes) = pick(&self.sent, argument)
                    && let Some(answer) = answer_to(bytes, 100 + u16::from(argument % 6) * 86)
                {
                    self.feed(flow, answer);
                }
            }
            6 => {
                self.now = now.after(Duration::from_millis(u64::from(argument) * 40));
                self.endpoint.handle_timeout(self.now);
            }
            7 => {
                if let Some((key, request)) = pick(&self.requests, argument) {
                    let response = Response::to_request(request, 100 + u16::from(argument % 6) * 86, "");
                    let key = *key;
                    self.endpoint.respond(now, key, response);
                }
            }
            8 => self.send(flow, argument),
            9 => {
                if let Some(key) = pick(&self.clients, argument) {
                    self.endpoint.cancel(now, *key);
                }
            }
            10 if argument.is_multiple_of(2) => self.endpoint.handle_flow_closed(now, flow),
            10 => self.endpoint.handle_transport_error(now, flow),
            _ => {
                if let Some(key) = pick(&self.servers, argument) {
                    let key = *key;
                    self.endpoint.resend_2xx(now, key);
                    self.endpoint.acknowledged(key);
                }
            }
        }
        tail
    }

    fn feed(&mut self, flow: Flow, text: String) {
        if flow.transport.is_reliable() && !flow.transport.is_websocket() {
            self.endpoint.handle_stream(self.now, flow, text.as_bytes());
        } else {
            self.endpoint.handle_datagram(self.now, flow, &Bytes::from(text));
        }
    }

    fn send(&mut self, flow: Flow, argument: u8) {
        let Ok(uri) = Uri::parse("sip:bob@192.0.2.2") else { return };
        let method = if argument.is_multiple_of(2) { Method::Invite } else { Method::Options };
        let mut request = Request::new(method.clone(), uri);
        for (name, value) in [("From", "<sip:a@h>;tag=1"), ("To", "<sip:b@h>"), ("Call-ID", "x")] {
            request.headers.push(crate::sip::message::HeaderName::new(name), value);
        }
        request.headers.push(crate::sip::message::HeaderName::CSeq, format!("{argument} {method}"));
        let key = self.endpoint.send_request(self.now, flow, request);
        self.clients.push(key);
    }

    /// Takes every output; keeps what later steps need.
    fn collect(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { bytes, .. } => self.sent.push(bytes),
                Output::Request { key, request, .. } => {
                    self.servers.push(key);
                    self.requests.push((key, request));
                }
                Output::Ack { .. }
                | Output::Cancel { .. }
                | Output::Response { .. }
                | Output::StrayResponse { .. }
                | Output::Failed { .. }
                | Output::ServerFailed { .. }
                | Output::Malformed { .. }
                | Output::KeepAlive { .. }
                | Output::CloseFlow { .. } => {}
            }
        }
    }

    fn check(&mut self) {
        self.endpoint.handle_timeout(self.now);
        self.collect();
        assert!(self.endpoint.poll_timeout().is_none_or(|at| at > self.now.mono), "a deadline is due for ever");
        assert!(self.endpoint.transactions() <= 2 * 64, "more transactions than may be");
    }

    /// Answers what waits, cancels what rings, closes what is open, and lets
    /// time pass until nothing is left.
    fn finish(mut self) {
        for (key, request) in std::mem::take(&mut self.requests) {
            self.endpoint.respond(self.now, key, Response::to_request(&request, 487, ""));
        }
        for key in std::mem::take(&mut self.clients) {
            self.endpoint.cancel(self.now, key);
        }
        (0..=u8::MAX).for_each(|n| self.endpoint.handle_flow_closed(self.now, flow(n)));
        let mut turns = 0;
        while let Some(at) = self.endpoint.poll_timeout() {
            assert!(at > self.now.mono, "time stands still");
            self.now.mono = at;
            self.endpoint.handle_timeout(self.now);
            turns += 1;
            assert!(turns < 100_000, "no end");
        }
        self.collect();
        assert!(self.endpoint.is_idle(), "something is held for ever");
    }
}

/// One of a few flows: each transport, few peers and connections, two realms.
fn flow(n: u8) -> Flow {
    let transport = [Transport::Udp, Transport::Tcp, Transport::Ws, Transport::Tls][usize::from(n % 4)];
    let local = ([192, 0, 2, 1], 5060).into();
    let remote = ([198, 51, 100, n / 4 % 2], 5060 + u16::from(n / 8 % 2)).into();
    let connection =
        if transport == Transport::Udp { ConnectionId(0) } else { ConnectionId(1 + u64::from(n / 16 % 4)) };
    Flow { transport, realm: RealmId(u16::from(n / 64 % 2)), local, remote, connection }
}

/// A request of a peer: `n` picks its method and its branch.
fn template(n: u8) -> String {
    let method = ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE", "REGISTER"][usize::from(n % 6)];
    let branch = match n / 6 % 4 {
        0 => "z9hG4bKa",
        1 => "z9hG4bKb",
        2 => "1",
        _ => "z9hG4bKc;rport",
    };
    let tag = if (n / 24).is_multiple_of(2) { "" } else { ";tag=x" };
    format!(
        "{method} sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1;branch={branch}\r\nFrom: <sip:a@h>;tag=1\r\n\
         To: <sip:b@h>{tag}\r\nCall-ID: x\r\nCSeq: 1 {method}\r\nContact: <sip:a@198.51.100.1>\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// An answer to a request that the endpoint sent.
fn answer_to(bytes: &Bytes, status: u16) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.starts_with("SIP/"))?;
    let (_, headers) = text.split_once("\r\n")?;
    Some(format!("SIP/2.0 {status} x\r\n{headers}").replace("To: <sip:b@h>\r\n", "To: <sip:b@h>;tag=y\r\n"))
}

fn pick<T>(list: &[T], n: u8) -> Option<&T> {
    list.get(usize::from(n) % list.len().max(1))
}
