//! A world of text for one engine: peers that paste SIP, a clock that jumps,
//! shards that only write down what they were told.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sbc::base::redact::Secret;
use sbc::base::{ConnectionId, Flow, Now, RealmId, Rng, Transport};
use sbc::call::event::{Event, EventKind};
use sbc::engine::{Config, Engine, Fact, Output};
use sbc::media::command::Command;
use sbc::media::event as media;
use sbc::sip::digest::{self, Login};
use sbc::sip::message::{Message, parse};

#[path = "house.rs"]
mod house;
pub use house::*;

/// What a peer got.
#[derive(Clone, Debug)]
pub struct Got(pub String);

impl Got {
    pub fn start(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.0.lines().find_map(|l| l.strip_prefix(&prefix)).unwrap_or_default()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{name}: ");
        self.0.lines().filter_map(|l| l.strip_prefix(&prefix)).collect()
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, b)| b)
    }

    pub fn tag(&self, name: &str) -> String {
        let value = self.header(name);
        value.split_once("tag=").map_or("", |(_, t)| t).split(';').next().unwrap_or_default().to_owned()
    }

    pub fn contact(&self) -> &str {
        self.header("Contact").trim_start_matches('<').split('>').next().unwrap_or_default()
    }

    /// A response of a peer to this request.
    pub fn reply(&self, status: &str, tag: &str, more: &str, body: &str) -> String {
        let vias: String = self.headers("Via").iter().map(|v| format!("Via: {v}\n")).collect();
        let to = self.header("To");
        let to = if to.contains("tag=") || tag.is_empty() { to.to_owned() } else { format!("{to};tag={tag}") };
        let (from, call_id, cseq) = (self.header("From"), self.header("Call-ID"), self.header("CSeq"));
        let head = format!("SIP/2.0 {status}\n{vias}From: {from}\nTo: {to}\nCall-ID: {call_id}\nCSeq: {cseq}\n{more}");
        with_body(&head, body)
    }
}

/// Adds length, type and body to the lines of a head.
pub fn with_body(head: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let body = body.replace('\n', "\r\n");
    format!("{}{}\r\n", format!("{head}{kind}Content-Length: {}\n", body.len()).replace('\n', "\r\n"), body).replacen(
        &format!("\r\n{body}\r\n"),
        &format!("\r\n\r\n{body}"),
        usize::from(!body.is_empty()),
    )
}

pub struct World {
    pub engine: Engine,
    pub now: Now,
    inbox: BTreeMap<SocketAddr, VecDeque<Got>>,
    pub media: Vec<Command>,
    pub facts: Vec<Fact>,
    pub resolves: Vec<(sbc::call::ResolveId, sbc::sip::locate::Query)>,
    pub closed: Vec<(Flow, u16)>,
    /// Whether shards close sessions at once.
    pub shards_answer: bool,
    /// Everything that was sent, with where.
    pub wire: Vec<(SocketAddr, String)>,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let now = Now::from_millis(1_000, 1_795_189_440_000);
        let mut config = config();
        change(&mut config);
        Self {
            engine: Engine::new(config, now, Rng::from_number(7)),
            now,
            inbox: BTreeMap::new(),
            media: Vec::new(),
            facts: Vec::new(),
            resolves: Vec::new(),
            closed: Vec::new(),
            shards_answer: true,
            wire: Vec::new(),
        }
    }

    pub fn send(&mut self, from: Flow, text: &str) {
        let bytes = Bytes::from(if text.contains("\r\n") { text.to_owned() } else { text.replace('\n', "\r\n") });
        self.engine.handle_datagram(self.now, from, &bytes);
        self.collect();
    }

    pub fn collect(&mut self) {
        let mut events = Vec::new();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    self.wire.push((flow.remote, text.clone()));
                    self.inbox.entry(flow.remote).or_default().push_back(Got(text));
                }
                Output::Media { command, .. } => {
                    if let Command::Close { media } = command {
                        events.push(media);
                    }
                    self.media.push(command);
                }
                Output::Resolve { id, query } => self.resolves.push((id, query)),
                Output::CloseFlow { flow, code, .. } => self.closed.push((flow, code)),
                Output::Journal { .. } | Output::Firewall(_) | Output::Log(_) | Output::Live(_) => {}
            }
        }
        while let Some(fact) = self.engine.poll_fact() {
            self.facts.push(fact);
        }
        if self.shards_answer {
            for media in events {
                self.media_event(media, media::EventKind::Closed { reports: Box::default() });
            }
        }
    }

    pub fn media_event(&mut self, media: sbc::base::MediaId, kind: media::EventKind) {
        let opened = self.media.iter().find_map(|c| match c {
            Command::Open { media: m, call, .. } if *m == media => Some(*call),
            _ => None,
        });
        let call = opened.expect("a session that was opened");
        let event = media::Event { at: self.now, media, call, kind };
        self.engine.handle_media(self.now, event);
        self.collect();
    }

    /// The session opened last.
    pub fn session(&self) -> sbc::base::MediaId {
        let opened = self.media.iter().rev().find_map(|c| match c {
            Command::Open { media, .. } => Some(*media),
            _ => None,
        });
        opened.expect("a session was opened")
    }

    pub fn advance(&mut self, by: Duration) {
        let end = self.now.mono + by;
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.after(at.since(self.now.mono));
            self.engine.handle_timeout(self.now);
            self.collect();
        }
        self.now = self.now.after(end.since(self.now.mono));
    }

    /// The next message that a peer got.
    pub fn next(&mut self, at: Flow) -> Got {
        let queue = self.inbox.entry(at.remote).or_default();
        queue.pop_front().unwrap_or_else(|| panic!("nothing was sent to {}", at.remote))
    }

    /// The next message, which begins so.
    pub fn expect(&mut self, at: Flow, start: &str) -> Got {
        let got = self.next(at);
        assert!(got.start().starts_with(start), "expected {start}, got\n{}", got.0);
        got
    }

    pub fn nothing(&mut self, at: Flow) {
        let queue = self.inbox.entry(at.remote).or_default();
        assert!(queue.is_empty(), "unexpected at {}:\n{}", at.remote, queue[0].0);
    }

    pub fn clear(&mut self, at: Flow) {
        self.inbox.entry(at.remote).or_default().clear();
    }

    pub fn calls(&self) -> impl Iterator<Item = &Event> {
        self.facts.iter().filter_map(|f| match f {
            Fact::Call(event) => Some(event),
            Fact::Registration(_) | Fact::Guard(_) | Fact::Trunk(_) => None,
        })
    }

    /// The names of the calls' events in order.
    pub fn story(&self) -> Vec<String> {
        self.calls().map(|e| name(&e.kind)).collect()
    }

    /// The last cause.
    pub fn cause(&self) -> (u16, String) {
        let cause = self.calls().filter_map(|e| match &e.kind {
            EventKind::Ending { cause, by } => Some((cause.sip_code, format!("{:?} by {by:?}", cause.internal))),
            _ => None,
        });
        cause.last().expect("a call ended")
    }

    /// Everything is given back and every call has one story with one end.
    pub fn check_idle(&mut self) {
        self.advance(Duration::from_secs(300));
        let mut stories: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for e in self.calls() {
            stories.entry(e.call.0).or_default().push(name(&e.kind));
        }
        for story in stories.values() {
            let count = |what: &str| story.iter().filter(|n| n.as_str() == what).count();
            assert_eq!(story.first().map(String::as_str), Some("started"), "{story:?}");
            assert_eq!(story.last().map(String::as_str), Some("ended"), "{story:?}");
            assert_eq!((count("started"), count("ending"), count("ended")), (1, 1, 1), "{story:?}");
            assert_eq!(count("attempt_started").saturating_sub(count("answered")), count("attempt_ended"), "{story:?}");
        }
        let opened = self.media.iter().filter(|c| matches!(c, Command::Open { .. })).count();
        let closed = self.media.iter().filter(|c| matches!(c, Command::Close { .. })).count();
        assert_eq!(opened, closed, "every session is closed");
        assert_eq!(self.engine.ports().used(), 0, "every port is given back");
        assert_eq!(self.engine.guard().calls(), 0, "every call is given back");
        assert_eq!(self.engine.guard().trunk_calls(ACME), 0);
        assert!(self.engine.calls().is_idle(), "{:?}", self.engine.calls());
        assert!(self.engine.is_idle());
    }

    /// Registers a browser by digest.
    pub fn register(&mut self, at: Flow, user: &str, call_id: &str, contact: &str) {
        let request = register(user, call_id, 1, &format!("Contact: {contact}\nExpires: 300\n"));
        self.send(at, &request);
        let challenge = self.expect(at, "SIP/2.0 401");
        let again =
            authorise(&register(user, call_id, 2, &format!("Contact: {contact}\nExpires: 300\n")), &challenge, user);
        self.send(at, &again);
        self.expect(at, "SIP/2.0 200");
    }
}

fn name(kind: &EventKind) -> String {
    let value = serde_json::to_value(kind).expect("events are values");
    match value {
        serde_json::Value::String(s) => s,
        serde_json::Value::Object(map) => map.keys().next().expect("one variant").clone(),
        other => panic!("{other}"),
    }
}

pub fn register(user: &str, call_id: &str, cseq: u32, more: &str) -> String {
    format!(
        "REGISTER sip:sbc.example SIP/2.0\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK{call_id}{cseq}\n\
         Max-Forwards: 70\nFrom: <sip:{user}@sbc.example>;tag=r{call_id}\nTo: <sip:{user}@sbc.example>\n\
         Call-ID: {call_id}\nCSeq: {cseq} REGISTER\n{more}Content-Length: 0\n\n"
    )
}

/// The same request with the answer to a challenge.
pub fn authorise(request: &str, challenge: &Got, user: &str) -> String {
    let crlf = request.replace("\r\n", "\n").replace('\n', "\r\n");
    let Ok(Message::Request(mut request)) = parse(&Bytes::from(crlf)) else { panic!("a request:\n{request}") };
    let Ok(Message::Response(response)) = parse(&Bytes::from(challenge.0.clone())) else { panic!("a response") };
    let login = Login { username: user.to_owned(), password: Secret::new(format!("{user}-password")), realm: None };
    digest::answer(&response, &mut request, &login, "c0ffee").expect("answerable");
    String::from_utf8_lossy(&request.to_bytes()).into_owned()
}

pub fn udp(realm: RealmId, local: &str, remote: &str) -> Flow {
    Flow::udp(realm, local.parse().expect("address"), remote.parse().expect("address"))
}

pub fn phone_a() -> Flow {
    udp(PHONES, "203.0.113.1:5060", "192.0.2.10:5060")
}

pub fn phone_b() -> Flow {
    udp(PHONES, "203.0.113.1:5060", "192.0.2.20:5060")
}

pub fn acme() -> Flow {
    udp(CARRIERS, "203.0.113.1:5070", "198.51.100.1:5060")
}

pub fn backup() -> Flow {
    udp(CARRIERS, "203.0.113.1:5070", "198.51.100.2:5060")
}

pub fn browser(n: u64) -> Flow {
    let flow = udp(BROWSERS, "203.0.113.1:8088", &format!("192.0.2.{}:50000", 100 + n));
    Flow { transport: Transport::Ws, connection: ConnectionId(n), ..flow }
}

/// A caller's side of one dialog.
pub struct Ua {
    pub at: Flow,
    pub call_id: String,
    pub from: String,
    pub to: String,
    pub tag: String,
    pub peer_tag: String,
    pub target: String,
    pub cseq: u32,
    branch: u32,
}

impl Ua {
    pub fn new(at: Flow, from: &str, to: &str) -> Self {
        Self {
            at,
            call_id: format!("call-{from}-{to}-{}", at.remote.ip()),
            from: from.to_owned(),
            to: to.to_owned(),
            tag: "atag".to_owned(),
            peer_tag: String::new(),
            target: format!("sip:{to}@203.0.113.1:5060"),
            cseq: 1,
            branch: 0,
        }
    }

    fn head(&self, method: &str, cseq: u32, more: &str) -> String {
        let via = self.at.transport.via_name();
        let (host, ws) = match self.at.transport.is_websocket() {
            true => ("df7jal23ls0d.invalid".to_owned(), ";transport=ws"),
            false => (self.at.remote.to_string(), ""),
        };
        let to_tag = if self.peer_tag.is_empty() { String::new() } else { format!(";tag={}", self.peer_tag) };
        let (target, call_id, from, tag, to) = (&self.target, &self.call_id, &self.from, &self.tag, &self.to);
        let branch = self.branch;
        format!(
            "{method} {target} SIP/2.0\nVia: SIP/2.0/{via} {host};branch=z9hG4bK{call_id}{branch};rport\n\
             Max-Forwards: 70\nFrom: \"Alice\" <sip:{from}@sbc.example>;tag={tag}\nTo: <sip:{to}@sbc.example>{to_tag}\n\
             Call-ID: {call_id}\nCSeq: {cseq} {method}\nContact: <sip:{from}@{host}{ws}>\n{more}"
        )
    }

    pub fn invite(&mut self, sdp: &str) -> String {
        self.invite_with("", sdp)
    }

    pub fn invite_with(&mut self, more: &str, sdp: &str) -> String {
        self.branch = self.cseq;
        with_body(&self.head("INVITE", self.cseq, more), sdp)
    }

    /// The next request in the dialog.
    pub fn request(&mut self, method: &str, more: &str, body: &str) -> String {
        self.cseq += 1;
        self.branch = self.cseq;
        with_body(&self.head(method, self.cseq, more), body)
    }

    pub fn cancel(&self) -> String {
        with_body(&self.head("CANCEL", self.cseq, "Reason: SIP;cause=487\n"), "")
    }

    /// The ACK of a failure: same branch as the INVITE.
    pub fn ack_failure(&self, response: &Got) -> String {
        let head = self.head("ACK", self.cseq, "");
        let to = format!("To: {}\n", response.header("To"));
        let head: String =
            head.lines().map(|l| if l.starts_with("To:") { to.clone() } else { format!("{l}\n") }).collect();
        with_body(&head, "")
    }

    /// Takes the 2xx and gives its ACK.
    pub fn ack(&mut self, ok: &Got, sdp: &str) -> String {
        self.peer_tag = ok.tag("To");
        self.target = ok.contact().to_owned();
        self.branch += 1000;
        with_body(&self.head("ACK", self.cseq, ""), sdp)
    }
}
