//! A SIP peer by script: a phone, a browser or a trunk's far end.
//!
//! Transactions as RFC 3261 §17 has them for both roles, with their timers, and
//! registration with digest; dialogs and sessions are in `ua_call`. Messages
//! are text of `sip`. What the code under test does wrong in the peer's eyes is
//! kept in `complaints`, and everything that must not be seen on the other side
//! of the border in `secrets`.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc::base::{Codec, Instant, Rng};

use crate::dtls;
use crate::media::Voice;
use crate::sip::{self, Msg};
use crate::ua_call::{Call, State};

pub const T1: Duration = Duration::from_millis(500);
pub const T2: Duration = Duration::from_secs(4);
pub const TIMEOUT: Duration = Duration::from_secs(32);

/// Who a peer is.
#[derive(Clone, Debug)]
pub struct Profile {
    pub user: String,
    pub password: String,
    pub ip: IpAddr,
    /// Where it sends to.
    pub server: SocketAddr,
    pub domain: String,
    pub websocket: bool,
    pub webrtc: bool,
    pub codecs: Vec<Codec>,
    pub voice: Voice,
    pub sha256: bool,
    pub expires: u32,
    /// The value of User-Agent.
    pub agent: String,
}

/// What a peer does with an INVITE, step by step after its arrival.
#[derive(Clone, Debug)]
pub struct Script {
    pub steps: Vec<Step>,
    /// Says nothing at all, to anything.
    pub deaf: bool,
    /// Sends a second 2xx of another branch after its own (RFC 3261 §13.2.2.4).
    pub second_answer: bool,
    /// Never acknowledges a 2xx.
    pub never_acks: bool,
    /// Never answers a BYE.
    pub ignores_bye: bool,
    /// What re-INVITEs are answered with.
    pub update_status: u16,
    /// Answers OPTIONS with 200; else not at all.
    pub answers_options: bool,
    /// Asks for credentials on INVITE.
    pub challenges: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub after: Duration,
    pub status: u16,
    pub sdp: bool,
    /// Branch of a fork: another To tag.
    pub fork: u8,
}

impl Script {
    pub fn of(steps: &[(u64, u16)]) -> Self {
        let step = |(ms, status): &(u64, u16)| Step {
            after: Duration::from_millis(*ms),
            status: *status,
            sdp: matches!(*status, 183 | 200),
            fork: 0,
        };
        Self {
            steps: steps.iter().map(step).collect(),
            deaf: false,
            second_answer: false,
            never_acks: false,
            ignores_bye: false,
            update_status: 200,
            answers_options: true,
            challenges: false,
        }
    }

    pub fn answers() -> Self {
        Self::of(&[(100, 180), (600, 200)])
    }

    pub fn rings() -> Self {
        Self::of(&[(100, 180)])
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    Sip(Vec<u8>),
    Media { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
}

/// Whose a client transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Register,
    Invite(usize),
    Update(usize),
    Bye(usize),
    Cancel,
}

pub struct Client {
    pub branch: String,
    pub method: String,
    pub purpose: Purpose,
    pub request: Msg,
    repeat: Option<Instant>,
    interval: Duration,
    limit: Option<Instant>,
    proceeding: bool,
    /// Distinct final responses: status and To tag.
    pub finals: BTreeSet<(u16, String)>,
    ack: Option<Vec<u8>>,
}

pub struct Server {
    pub branch: String,
    pub method: String,
    pub request: Msg,
    pub last: Option<Vec<u8>>,
    repeat: Option<Instant>,
    interval: Duration,
    limit: Option<Instant>,
    pub status: u16,
    pub acked: bool,
    pub call: Option<usize>,
    pub due: VecDeque<(Instant, Step)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    pub wanted: bool,
    pub until: Option<Instant>,
    pub refresh: Option<Instant>,
    pub refused: Option<u16>,
    pub attempts: u32,
}

pub struct Ua {
    pub profile: Profile,
    pub script: Script,
    pub registration: Registration,
    pub calls: Vec<Call>,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    pub out: VecDeque<Out>,
    pub complaints: Vec<String>,
    pub secrets: BTreeSet<String>,
    /// Its connection, if it is a WebSocket peer and connected.
    pub connection: Option<u64>,
    pub dtls: Arc<dtls::Script>,
    pub rng: Rng,
    pub next_port: u16,
    pub forges_stun: bool,
    pub wrong_fingerprint: bool,
    /// Answers may have been lost to it for good: it was deaf, or what carried them broke.
    pub missed_answers: bool,
    due: Option<Instant>,
    host: String,
    register_call_id: String,
    register_seq: u32,
}

impl Ua {
    pub fn new(profile: Profile, mut rng: Rng) -> Self {
        let host =
            if profile.websocket { format!("{}.invalid", rng.token(12)) } else { format!("{}:5060", profile.ip) };
        let register_call_id = rng.token(20);
        let mut secrets = BTreeSet::from([profile.ip.to_string(), profile.agent.clone(), register_call_id.clone()]);
        if profile.websocket {
            secrets.insert(host.clone());
        }
        let dtls = Arc::new(dtls::Script::new(&profile.user, rng.u64()));
        Self {
            script: Script::answers(),
            registration: Registration::default(),
            calls: Vec::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            out: VecDeque::new(),
            complaints: Vec::new(),
            secrets,
            connection: None,
            dtls,
            next_port: 20_000,
            forges_stun: false,
            wrong_fingerprint: false,
            missed_answers: false,
            due: None,
            host,
            register_call_id,
            register_seq: 0,
            rng,
            profile,
        }
    }

    pub fn complain(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.complaints.push(format!("{}: {what}", self.profile.user));
    }

    pub fn secret(&mut self, what: &str) {
        if what.len() >= 4 {
            self.secrets.insert(what.to_owned());
        }
    }

    pub fn contact(&self) -> String {
        let transport = if self.profile.websocket { ";transport=ws" } else { "" };
        format!("<sip:{}@{}{transport}>", self.profile.user, self.host)
    }

    fn via(&mut self) -> (String, String) {
        let branch = format!("z9hG4bK{}", self.rng.token(16));
        self.secrets.insert(branch.clone());
        let name = if self.profile.websocket { "WS" } else { "UDP" };
        (format!("SIP/2.0/{name} {};branch={branch};rport", self.host), branch)
    }

    /// A request with what every one has, Via first.
    pub fn request(&mut self, method: &str, uri: &str) -> Msg {
        let (via, _) = self.via();
        let agent = self.profile.agent.clone();
        Msg::request(method, uri).with("Via", &via).with("Max-Forwards", "70").with("User-Agent", &agent)
    }

    pub fn register(&mut self, now: Instant) {
        self.registration.wanted = true;
        self.send_register(now, self.profile.expires, None);
    }

    pub fn unregister(&mut self, now: Instant) {
        self.registration.wanted = false;
        self.registration.refresh = None;
        self.send_register(now, 0, None);
    }

    fn send_register(&mut self, now: Instant, expires: u32, credentials: Option<String>) {
        self.register_seq += 1;
        if credentials.is_none() {
            self.registration.attempts = 0;
        }
        let aor = format!("sip:{}@{}", self.profile.user, self.profile.domain);
        let uri = format!("sip:{}", self.profile.domain);
        let tag = self.rng.token(10);
        let contact = format!("{};expires={expires}", self.contact());
        let mut msg = self.request("REGISTER", &uri);
        msg.add("From", &format!("<{aor}>;tag={tag}"));
        msg.add("To", &format!("<{aor}>"));
        msg.add("Call-ID", &self.register_call_id.clone());
        msg.add("CSeq", &format!("{} REGISTER", self.register_seq));
        msg.add("Contact", &contact);
        if let Some(credentials) = credentials {
            msg.add("Authorization", &credentials);
        }
        self.start(now, msg, Purpose::Register);
    }

    /// Starts a client transaction and sends its request.
    pub fn start(&mut self, now: Instant, request: Msg, purpose: Purpose) -> usize {
        let reliable = self.profile.websocket;
        self.out.push_back(Out::Sip(request.write()));
        self.clients.push(Client {
            branch: request.branch().to_owned(),
            method: request.method().to_owned(),
            purpose,
            request,
            repeat: (!reliable).then_some(now + T1),
            interval: T1,
            limit: Some(now + TIMEOUT),
            proceeding: false,
            finals: BTreeSet::new(),
            ack: None,
        });
        self.clients.len() - 1
    }

    /// The credentials for a challenge.
    pub fn credentials(&mut self, challenge: &Msg, method: &str, uri: &str) -> Option<(&'static str, String)> {
        let (asked, answer) = match challenge.status() {
            Some(401) => ("WWW-Authenticate", "Authorization"),
            _ => ("Proxy-Authenticate", "Proxy-Authorization"),
        };
        let wanted = if self.profile.sha256 { "SHA-256" } else { "MD5" };
        let all: Vec<&str> = challenge.all(asked).collect();
        let offered = all.iter().find(|c| sip::quoted(c, "algorithm").unwrap_or_else(|| "MD5".to_owned()) == wanted)?;
        let cnonce = self.rng.token(12);
        let (user, password) = (&self.profile.user, &self.profile.password);
        Some((answer, sip::authorize(offered, user, password, method, uri, 1, &cnonce)))
    }

    /// When something is due, as of the last [`Self::rearm`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Finds the next deadline; the world asks for it after every change.
    pub fn rearm(&mut self) {
        let mut due = self.registration.refresh;
        let mut consider = |at: Option<Instant>| due = earlier(due, at);
        for c in &self.clients {
            consider(c.repeat);
            consider(c.limit);
        }
        for s in &self.servers {
            consider(s.repeat);
            consider(s.limit);
            consider(s.due.front().map(|(at, _)| *at));
        }
        for call in &self.calls {
            consider(call.poll_timeout());
        }
        self.due = due;
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.registration.refresh.is_some_and(|at| at <= now) {
            self.registration.refresh = None;
            self.send_register(now, self.profile.expires, None);
        }
        for i in 0..self.clients.len() {
            self.client_timeout(now, i);
        }
        for i in 0..self.servers.len() {
            self.server_timeout(now, i);
        }
        for i in 0..self.calls.len() {
            self.call_timeout(now, i);
        }
    }

    fn client_timeout(&mut self, now: Instant, i: usize) {
        let client = &mut self.clients[i];
        if client.limit.is_some_and(|at| at <= now) {
            (client.limit, client.repeat) = (None, None);
            if client.finals.is_empty() {
                let purpose = client.purpose;
                self.on_no_answer(now, purpose);
            }
            return;
        }
        if client.repeat.is_some_and(|at| at <= now) {
            client.interval *= 2;
            if client.method != "INVITE" {
                client.interval = if client.proceeding { T2 } else { client.interval.min(T2) };
            }
            client.repeat = Some(now + client.interval);
            let bytes = client.request.write();
            self.out.push_back(Out::Sip(bytes));
        }
    }

    fn server_timeout(&mut self, now: Instant, i: usize) {
        let due = self.servers[i].due.front().copied();
        if let Some((_, step)) = due.filter(|(at, _)| *at <= now) {
            self.servers[i].due.pop_front();
            self.on_step(now, i, step);
        }
        let server = &mut self.servers[i];
        if server.limit.is_some_and(|at| at <= now) {
            (server.limit, server.repeat) = (None, None);
            if server.method == "INVITE" && (200..300).contains(&server.status) && !server.acked {
                let call = server.call;
                self.on_no_ack(now, call);
            }
            return;
        }
        if server.repeat.is_some_and(|at| at <= now) {
            server.interval = (server.interval * 2).min(T2);
            server.repeat = Some(now + server.interval);
            if let Some(bytes) = server.last.clone() {
                self.out.push_back(Out::Sip(bytes));
            }
        }
    }

    /// Answers a request that came; final answers to INVITEs are repeated until their ACK.
    pub fn respond(&mut self, now: Instant, server: usize, response: &Msg) {
        let status = response.status().unwrap_or(500);
        let reliable = self.profile.websocket;
        let bytes = response.write();
        let s = &mut self.servers[server];
        s.last = Some(bytes.clone());
        s.status = status;
        if status >= 200 {
            s.due.clear();
            s.limit = Some(now + TIMEOUT);
            // RFC 3261 §13.3.1.4: a 2xx is repeated over any transport.
            let repeats = s.method == "INVITE" && (!reliable || status < 300);
            s.repeat = repeats.then_some(now + T1);
            s.interval = T1;
        }
        self.out.push_back(Out::Sip(bytes));
    }

    /// Takes a message of the SBC.
    pub fn handle_message(&mut self, now: Instant, bytes: &[u8]) {
        if self.script.deaf {
            return;
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let Some(msg) = Msg::read(bytes) else {
            return self.complain(format!("unreadable message: {}", String::from_utf8_lossy(bytes)));
        };
        if let Some(length) = msg.get("Content-Length")
            && length != msg.body.len().to_string()
        {
            self.complain(format!("Content-Length {length} for {} bytes", msg.body.len()));
        }
        // What identifies the dialogs of this side must not be seen on the other.
        for id in [msg.call_id(), msg.sender_tag(), msg.target_tag(), msg.branch()] {
            let id = id.to_owned();
            self.secret(&id);
        }
        match msg.status() {
            Some(status) => self.on_response(now, &msg, status),
            None => self.on_request(now, msg),
        }
    }

    fn on_response(&mut self, now: Instant, msg: &Msg, status: u16) {
        let (branch, method) = (msg.branch().to_owned(), msg.cseq().1.to_owned());
        let Some(i) = self.clients.iter().position(|c| c.branch == branch && c.method == method) else {
            return self.complain(format!("response {status} to {method} that was never asked for"));
        };
        let client = &mut self.clients[i];
        if status < 200 {
            if client.finals.is_empty() {
                client.proceeding = true;
                if method == "INVITE" {
                    (client.repeat, client.limit) = (None, None);
                }
                self.on_provisional(now, i, msg);
            }
            return;
        }
        let to_tag = msg.target_tag().to_owned();
        let again = !client.finals.insert((status, to_tag));
        client.repeat = None;
        if method == "INVITE" && status >= 300 {
            let ack = client.ack.get_or_insert_with(|| ack_of(&client.request, msg).write()).clone();
            self.out.push_back(Out::Sip(ack));
        }
        if client.finals.len() > 1 {
            let finals = client.finals.clone();
            return self.complain(format!("{method} has several final answers: {finals:?}"));
        }
        if !again {
            self.clients[i].limit = None;
        }
        if status < 300 && method == "INVITE" {
            return self.on_success(now, i, msg, again);
        }
        if again {
            return;
        }
        let (purpose, request) = (self.clients[i].purpose, self.clients[i].request.clone());
        if matches!(status, 401 | 407) && matches!(purpose, Purpose::Register | Purpose::Invite(_)) {
            return self.on_challenge(now, purpose, &request, msg);
        }
        match purpose {
            Purpose::Register => self.on_register_answer(now, &request, msg, status),
            Purpose::Invite(call) => self.on_refused(now, call, status),
            Purpose::Update(call) => self.on_update_refused(now, call, status),
            Purpose::Bye(call) => self.calls[call].bye_answered = Some(status),
            Purpose::Cancel => {}
        }
    }

    fn on_challenge(&mut self, now: Instant, purpose: Purpose, request: &Msg, challenge: &Msg) {
        let method = request.method().to_owned();
        let uri = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
        let stale = challenge
            .all("WWW-Authenticate")
            .chain(challenge.all("Proxy-Authenticate"))
            .any(|c| c.contains("stale=true"));
        let answered = request.get("Authorization").or(request.get("Proxy-Authorization")).is_some();
        let status = challenge.status().unwrap_or(0);
        let credentials = self.credentials(challenge, &method, &uri).filter(|_| !answered || stale);
        let Some((name, value)) = credentials else {
            match purpose {
                Purpose::Register => self.registration.refused = Some(status),
                Purpose::Invite(call) => self.on_refused(now, call, status),
                _ => {}
            }
            return;
        };
        match purpose {
            Purpose::Register => {
                self.registration.attempts += 1;
                let expires = if self.registration.wanted { self.profile.expires } else { 0 };
                self.send_register(now, expires, Some(value));
            }
            Purpose::Invite(call) => self.invite_again(now, call, request, Some((name, &value))),
            _ => {}
        }
    }

    fn on_register_answer(&mut self, now: Instant, request: &Msg, msg: &Msg, status: u16) {
        if status != 200 {
            self.registration.refused = Some(status);
            return;
        }
        let ours = self.contact();
        let bound = msg.all("Contact").find(|c| sip::uri_of(c) == sip::uri_of(&ours));
        let granted = bound.and_then(|c| sip::param(c, "expires")).and_then(|e| e.parse::<u64>().ok());
        let removed = request.get("Contact").is_some_and(|c| c.ends_with("expires=0"));
        self.registration.refused = None;
        match granted {
            Some(secs) if self.registration.wanted => {
                self.registration.until = Some(now + Duration::from_secs(secs));
                self.registration.refresh = Some(now + Duration::from_secs(secs * 9 / 10));
            }
            Some(_) if removed => self.complain("a removed binding is still listed"),
            Some(_) | None => {
                self.registration.until = None;
                if self.registration.wanted {
                    self.complain("the answer to REGISTER does not list the contact");
                }
            }
        }
    }

    fn on_request(&mut self, now: Instant, msg: Msg) {
        let method = msg.method().to_owned();
        let branch = msg.branch().to_owned();
        if method == "ACK" {
            return self.on_ack(&msg);
        }
        if let Some(i) = self.servers.iter().position(|s| s.branch == branch && s.method == method) {
            if let Some(bytes) = self.servers[i].last.clone() {
                self.out.push_back(Out::Sip(bytes));
            }
            return;
        }
        let server = Server {
            branch: branch.clone(),
            method: method.clone(),
            request: msg.clone(),
            last: None,
            repeat: None,
            interval: T1,
            limit: None,
            status: 0,
            acked: false,
            call: None,
            due: VecDeque::new(),
        };
        self.servers.push(server);
        let i = self.servers.len() - 1;
        let answer = |status| Msg::response(&msg, status, "inband");
        match method.as_str() {
            "INVITE" if self.challenges(&msg) => self.challenge(now, i, &msg),
            "INVITE" if msg.target_tag().is_empty() => self.on_invite(now, i, &msg),
            "INVITE" | "UPDATE" => self.on_update(now, i, &msg),
            "BYE" => self.on_bye(now, i, &msg),
            "CANCEL" => self.on_cancel(now, i, &msg),
            "OPTIONS" if !self.script.answers_options => {}
            "INFO" | "OPTIONS" | "NOTIFY" => self.respond(now, i, &answer(200)),
            _ => self.respond(now, i, &answer(501)),
        }
    }

    /// True if an INVITE has to be challenged; a wrong answer is a complaint.
    fn challenges(&mut self, invite: &Msg) -> bool {
        if !self.script.challenges || !invite.target_tag().is_empty() {
            return false;
        }
        let Some(given) = invite.get("Proxy-Authorization").map(str::to_owned) else { return true };
        let field = |name: &str| sip::quoted(&given, name).unwrap_or_default();
        let (user, uri, cnonce) = (field("username"), field("uri"), field("cnonce"));
        let nc = u32::from_str_radix(&field("nc"), 16).unwrap_or(0);
        let expected = sip::authorize(CHALLENGE, &user, &self.profile.password, "INVITE", &uri, nc, &cnonce);
        if sip::quoted(&expected, "response") != sip::quoted(&given, "response") || user != self.profile.user {
            self.complain(format!("wrong credentials: {given}"));
        }
        false
    }

    fn challenge(&mut self, now: Instant, server: usize, invite: &Msg) {
        let response = Msg::response(invite, 407, "challenge").with("Proxy-Authenticate", CHALLENGE);
        self.respond(now, server, &response);
    }

    fn on_ack(&mut self, msg: &Msg) {
        let (branch, call_id, seq) = (msg.branch(), msg.call_id(), msg.cseq().0);
        let found = self.servers.iter_mut().find(|s| {
            s.method == "INVITE"
                && s.status >= 200
                && s.request.call_id() == call_id
                && s.request.cseq().0 == seq
                && (s.status < 300 || s.branch == branch)
        });
        if let Some(server) = found {
            server.repeat = None;
            server.acked = true;
            let call = server.call;
            let tag = msg.target_tag().to_owned();
            self.on_call_ack(call, &tag, msg);
        }
    }

    /// True while something is under way besides the registration.
    pub fn is_busy(&self) -> bool {
        let client = |c: &Client| c.repeat.is_some() || c.limit.is_some();
        self.clients.iter().any(client)
            || self.servers.iter().any(|s| s.repeat.is_some() || !s.due.is_empty())
            || self.calls.iter().any(|c| c.state != State::Ended)
    }

    /// Its connection is gone.
    pub fn on_closed(&mut self) {
        self.connection = None;
        self.registration.until = None;
        self.registration.refresh = None;
    }
}

/// What a peer asks for credentials with.
const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"5f1e2d\", algorithm=MD5, qop=\"auth\"";

/// The earlier one of two deadlines. Written out: it is the simulator's hottest line.
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b < a { b } else { a }),
        (a, None) => a,
        (None, b) => b,
    }
}

/// The ACK of a refusal (RFC 3261 §17.1.1.3).
fn ack_of(invite: &Msg, response: &Msg) -> Msg {
    let uri = invite.start.split(' ').nth(1).unwrap_or_default();
    let mut ack = Msg::request("ACK", uri);
    for name in ["Via", "Max-Forwards", "From"] {
        ack.add(name, invite.get(name).unwrap_or_default());
    }
    ack.add("To", response.get("To").unwrap_or_default());
    ack.add("Call-ID", invite.call_id());
    ack.add("CSeq", &format!("{} ACK", invite.cseq().0));
    ack
}
