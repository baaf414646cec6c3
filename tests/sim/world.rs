//! The world: an engine, its shards, peers and a network on one fake clock.
//!
//! Everything is a value on one thread. [`World::step`] jumps to the next
//! deadline of anything, lets whatever is due there happen, performs the
//! outputs in their order, and runs the checkers. Nothing sleeps; the same seed
//! gives the same run, byte for byte, which [`World::fingerprint`] sums up.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sbc::base::{ConnectionId, Flow, Instant, Now, RealmId, Rng, ShardId, Transport};
use sbc::engine::{Engine, Output};
use sbc::media::packet::Packet;
use sbc::media::shard::{self, PortId, Shard, Verdict};
use sbc::{guard, media};
use sha2::{Digest as _, Sha256};

use crate::checkers::Checkers;
use crate::house::{self, BROWSERS, CARRIERS, House, PHONES, ip, listener};
use crate::media::Voice;
use crate::net::{Arrival, Datagram, Net};
use crate::sip::{Msg, hex};
use crate::ua::{Out, Profile, Purpose, Ua, earlier};
use crate::ua_call::{Call, State};
use crate::{dtls, records::Records};

pub struct World {
    pub now: Now,
    pub house: House,
    pub engine: Engine,
    pub shards: Vec<Shard>,
    pub net: Net,
    pub uas: Vec<Ua>,
    pub check: Checkers,
    pub records: Records,
    pub firewall: Vec<guard::Output>,
    /// Datagrams of the SBC to addresses where nobody is.
    pub stray: BTreeMap<SocketAddr, u32>,
    /// Answers of the firewall: what a ban drops before the engine.
    pub closed: Vec<(u64, u16)>,
    sockets: BTreeMap<SocketAddr, (usize, PortId)>,
    locals: BTreeMap<(usize, PortId), SocketAddr>,
    connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    dtls: Arc<dtls::Script>,
    rng: Rng,
    hash: Sha256,
    idle_turns: u32,
    pub tracing: bool,
}

struct Connection {
    ua: usize,
    flow: Flow,
    open: bool,
}

/// A call as one of its peers sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    pub ua: usize,
    pub call: usize,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, House::default())
    }

    pub fn with(seed: u64, house: House) -> Self {
        let mut rng = Rng::from_number(seed);
        let now = Now::from_millis(1_000, 1_795_000_000_000);
        let dtls = Arc::new(dtls::Script::new("border", 1));
        let engine = Engine::new(house.engine(&dtls, crate::records::room(0)), now, rng.fork());
        let net = Net::new(rng.fork());
        let mut world = Self {
            now,
            engine,
            shards: Vec::new(),
            net,
            uas: Vec::new(),
            check: Checkers::new(),
            records: Records::new(),
            firewall: Vec::new(),
            stray: BTreeMap::new(),
            closed: Vec::new(),
            sockets: BTreeMap::new(),
            locals: BTreeMap::new(),
            connections: BTreeMap::new(),
            last_connection: 0,
            dtls,
            rng,
            hash: Sha256::new(),
            idle_turns: 0,
            tracing: std::env::var_os("SBC_SIM_TRACE").is_some(),
            house,
        };
        world.open_shards();
        world
    }

    fn open_shards(&mut self) {
        for n in 0..self.house.shards {
            let script = SharedScript(Arc::clone(&self.dtls));
            let shard = Shard::new(self.house.shard(ShardId(n)), Box::new(script), self.rng.fork());
            self.shards.push(shard);
        }
        self.pump();
    }

    /// The process dies and starts again with what its journal holds.
    pub fn crash(&mut self) {
        self.trace("crash");
        self.shards.clear();
        self.sockets.clear();
        self.locals.clear();
        self.records.recover();
        let record = crate::records::room(self.records.last_seq);
        self.engine = Engine::new(self.house.engine(&self.dtls, record), self.now, self.rng.fork());
        self.check.crashed();
        self.open_shards();
        let open: Vec<u64> = self.connections.iter().filter(|(_, c)| c.open).map(|(id, _)| *id).collect();
        for connection in open {
            if let Some(c) = self.connections.get_mut(&connection) {
                c.open = false;
            }
            self.net.send_stream(self.now.mono, connection, false, Arrival::Closed { connection, up: false });
        }
    }

    // Peers.

    pub fn add(&mut self, profile: Profile) -> usize {
        let ua = Ua::new(profile, self.rng.fork());
        self.uas.push(ua);
        self.uas.len() - 1
    }

    fn profile(&self, user: &str, address: &str, realm: RealmId) -> Profile {
        let n = self.uas.len() as u32;
        let browser = realm == BROWSERS;
        Profile {
            user: user.to_owned(),
            password: house::PASSWORD.to_owned(),
            ip: ip(address),
            server: listener(realm),
            domain: house::DOMAIN.to_owned(),
            websocket: browser,
            webrtc: browser,
            codecs: self.house.codecs[usize::from(realm.0)].clone(),
            voice: Voice::Tone(400 + 200 * n),
            sha256: browser,
            expires: 600,
            agent: format!("Agent{user}{n}x{}", realm.0),
        }
    }

    /// A browser with its connection open.
    pub fn browser(&mut self, user: &str) -> usize {
        let profile = self.profile(user, &format!("192.0.2.{}", 10 + self.uas.len()), BROWSERS);
        let ua = self.add(profile);
        self.connect(ua);
        ua
    }

    pub fn phone(&mut self, user: &str) -> usize {
        let profile = self.profile(user, &format!("198.51.100.{}", 20 + self.uas.len()), PHONES);
        self.add(profile)
    }

    /// A phone behind a NAT of its own.
    pub fn natted_phone(&mut self, user: &str) -> usize {
        let n = self.uas.len();
        let profile = self.profile(user, &format!("192.168.7.{}", 20 + n), PHONES);
        self.net.add_nat(profile.ip, ip(&format!("198.51.100.{}", 120 + n)));
        self.add(profile)
    }

    /// The far end of trunk `alpha` (0) or `beta` (1).
    pub fn trunk(&mut self, n: usize) -> usize {
        let profile = self.profile(["alpha", "beta"][n], ["10.9.0.11", "10.9.0.12"][n], CARRIERS);
        self.add(profile)
    }

    /// Opens a browser's connection.
    pub fn connect(&mut self, ua: usize) {
        self.last_connection += 1;
        let id = self.last_connection;
        let remote = SocketAddr::new(self.net.public_ip(self.uas[ua].profile.ip), 50_000 + id as u16);
        let flow = Flow {
            transport: Transport::Ws,
            realm: BROWSERS,
            local: listener(BROWSERS),
            remote,
            connection: ConnectionId(id),
        };
        self.connections.insert(id, Connection { ua, flow, open: true });
        self.uas[ua].connection = Some(id);
        self.net.send_stream(self.now.mono, id, true, Arrival::Opened { connection: id });
    }

    /// Cuts a browser's connection: both ends see it closed.
    pub fn disconnect(&mut self, ua: usize) {
        let Some(connection) = self.uas[ua].connection else { return };
        self.net.send_stream(self.now.mono, connection, true, Arrival::Closed { connection, up: true });
        self.uas[ua].on_closed();
    }

    pub fn register(&mut self, ua: usize) {
        self.uas[ua].register(self.now.mono);
        self.flush_ua(ua);
        let done = self.run_until(Duration::from_secs(40), |w| {
            let r = &w.uas[ua].registration;
            r.until.is_some() || r.refused.is_some()
        });
        assert!(done, "no answer to REGISTER");
    }

    pub fn dial(&mut self, ua: usize, to: &str) -> CallRef {
        let call = self.uas[ua].dial(self.now.mono, to);
        self.flush_ua(ua);
        CallRef { ua, call }
    }

    pub fn hang_up(&mut self, call: CallRef) {
        self.uas[call.ua].hang_up(self.now.mono, call.call);
        self.flush_ua(call.ua);
    }

    pub fn update(&mut self, call: CallRef, direction: &'static str) {
        self.uas[call.ua].update(self.now.mono, call.call, direction);
        self.flush_ua(call.ua);
    }

    pub fn call(&self, call: CallRef) -> &Call {
        &self.uas[call.ua].calls[call.call]
    }

    /// The last call of a peer.
    pub fn last(&self, ua: usize) -> CallRef {
        CallRef { ua, call: self.uas[ua].calls.len().saturating_sub(1) }
    }

    pub fn has_call(&self, ua: usize, state: State) -> bool {
        self.uas[ua].calls.last().is_some_and(|c| c.state == state)
    }

    // Time.

    fn next(&self) -> Option<Instant> {
        let mut next = earlier(self.engine.poll_timeout(), self.net.poll_timeout());
        for shard in &self.shards {
            next = earlier(next, shard.poll_timeout());
        }
        for ua in &self.uas {
            next = earlier(next, ua.poll_timeout());
        }
        next
    }

    /// Goes to the next deadline of anything, at most to `limit`; false if there is none before.
    pub fn step(&mut self, limit: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= limit) else {
            self.move_to(limit);
            return false;
        };
        self.idle_turns = if at <= self.now.mono { self.idle_turns + 1 } else { 0 };
        assert!(self.idle_turns < 20_000, "time stands still at {:?}: {}", self.now.mono, self.who_is_due());
        self.move_to(at.max(self.now.mono));
        let now = self.now.mono;
        if let Some(arrival) = self.net.pop(now) {
            self.deliver(arrival);
        } else if self.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.engine.handle_timeout(self.now);
        } else if let Some(n) = self.shards.iter().position(|s| s.poll_timeout().is_some_and(|at| at <= now)) {
            self.shards[n].handle_timeout(self.now);
        } else if let Some(n) = self.uas.iter().position(|u| u.poll_timeout().is_some_and(|at| at <= now)) {
            self.uas[n].handle_timeout(now);
            self.flush_ua(n);
        }
        self.pump();
        true
    }

    fn who_is_due(&self) -> String {
        let now = self.now.mono;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let shards: Vec<bool> = self.shards.iter().map(|s| due(s.poll_timeout())).collect();
        let uas: Vec<&str> =
            self.uas.iter().filter(|u| due(u.poll_timeout())).map(|u| u.profile.user.as_str()).collect();
        format!(
            "engine {}, shards {shards:?}, net {}, peers {uas:?}",
            due(self.engine.poll_timeout()),
            due(self.net.poll_timeout())
        )
    }

    fn move_to(&mut self, at: Instant) {
        self.now = self.now.after(at.since(self.now.mono));
    }

    pub fn advance(&mut self, by: Duration) {
        let until = self.now.mono + by;
        while self.step(until) {}
    }

    pub fn secs(&mut self, secs: u64) {
        self.advance(Duration::from_secs(secs));
    }

    pub fn millis(&mut self, millis: u64) {
        self.advance(Duration::from_millis(millis));
    }

    /// Runs until `done`; false if `limit` passes before.
    pub fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let until = self.now.mono + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(until) {
                return done(self);
            }
        }
    }

    /// Runs until nothing is going on but registrations, then asserts that
    /// nothing is held.
    pub fn settle(&mut self) {
        let quiet = |w: &Self| {
            w.engine.is_idle() && w.uas.iter().all(|u| !u.is_busy()) && w.shards.iter().all(|s| s.sessions() == 0)
        };
        self.run_until(Duration::from_secs(150), quiet);
        self.check_idle();
    }

    // The wires between everything.

    fn deliver(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Datagram(d) => self.on_datagram(d),
            Arrival::Message { connection, up, bytes } => self.on_message(connection, up, bytes),
            Arrival::Opened { connection } => {
                let Some(c) = self.connections.get(&connection).filter(|c| c.open) else { return };
                if !self.engine.handle_flow_opened(self.now, c.flow) {
                    self.close(connection);
                }
            }
            Arrival::Closed { connection, up: true } => {
                if let Some(c) = self.connections.get_mut(&connection).filter(|c| c.open) {
                    c.open = false;
                    self.engine.handle_flow_closed(self.now, c.flow);
                }
            }
            Arrival::Closed { connection, up: false } => {
                if let Some(c) = self.connections.get(&connection) {
                    let ua = c.ua;
                    if self.uas[ua].connection == Some(connection) {
                        self.uas[ua].on_closed();
                    }
                }
            }
        }
    }

    fn on_datagram(&mut self, d: Datagram) {
        self.trace_datagram(&d);
        if d.to == listener(PHONES) || d.to == listener(CARRIERS) {
            let realm = if d.to == listener(PHONES) { PHONES } else { CARRIERS };
            let flow = Flow::udp(realm, d.to, d.from);
            return self.engine.handle_datagram(self.now, flow, &Bytes::from(d.bytes));
        }
        if let Some((n, port)) = self.sockets.get(&d.to).copied() {
            let mut packet = Packet::of(&d.bytes);
            let verdict = self.shards[n].handle_packet(self.now, port, d.from, &mut packet);
            if let Verdict::Forward { port, to, range } = verdict {
                let bytes = packet.slice(range).to_vec();
                self.send_media(n, port, to, bytes);
            }
            return;
        }
        if house::OURS.iter().any(|ours| ip(ours) == d.to.ip()) {
            return;
        }
        match self.uas.iter().position(|u| u.profile.ip == d.to.ip()) {
            Some(n) if d.to.port() == 5060 => self.uas[n].handle_message(self.now.mono, &d.bytes),
            Some(n) => self.uas[n].handle_media(self.now.mono, d.to, d.from, &d.bytes),
            None => *self.stray.entry(d.to).or_default() += 1,
        }
        if let Some(n) = self.uas.iter().position(|u| u.profile.ip == d.to.ip()) {
            self.flush_ua(n);
        }
    }

    fn on_message(&mut self, connection: u64, up: bool, bytes: Vec<u8>) {
        let Some(c) = self.connections.get(&connection) else { return };
        let (ua, flow, open) = (c.ua, c.flow, c.open);
        if self.tracing {
            self.trace(&format!(
                "{} {}\n{}",
                if up { "up" } else { "down" },
                connection,
                String::from_utf8_lossy(&bytes)
            ));
        }
        if up {
            if open {
                self.engine.handle_datagram(self.now, flow, &Bytes::from(bytes));
            }
        } else if self.uas[ua].connection == Some(connection) {
            self.uas[ua].handle_message(self.now.mono, &bytes);
            self.flush_ua(ua);
        }
    }

    /// Closes a connection from our side.
    fn close(&mut self, connection: u64) {
        if let Some(c) = self.connections.get_mut(&connection).filter(|c| c.open) {
            c.open = false;
            let flow = c.flow;
            self.engine.handle_flow_closed(self.now, flow);
            self.net.send_stream(self.now.mono, connection, false, Arrival::Closed { connection, up: false });
        }
    }

    /// Sends what a peer has to send.
    pub fn flush_ua(&mut self, n: usize) {
        self.uas[n].rearm();
        while let Some(out) = self.uas[n].out.pop_front() {
            match out {
                Out::Sip(bytes) if self.uas[n].profile.websocket => {
                    if let Some(connection) = self.uas[n].connection {
                        let arrival = Arrival::Message { connection, up: true, bytes };
                        self.net.send_stream(self.now.mono, connection, true, arrival);
                    }
                }
                Out::Sip(bytes) => {
                    self.check.peer_sent(&self.uas[n], &bytes);
                    let from = SocketAddr::new(self.uas[n].profile.ip, 5060);
                    let to = self.uas[n].profile.server;
                    self.net.send(self.now.mono, Datagram { from, to, bytes });
                }
                Out::Media { from, to, bytes } => {
                    let forged = self.uas[n].forges_stun;
                    let stun = bytes.first().is_some_and(|b| *b < 4);
                    let webrtc = self.uas[n].profile.webrtc;
                    let seen = self.net.send(self.now.mono, Datagram { from, to, bytes });
                    if (webrtc && stun && !forged) || (!webrtc && seen != from) {
                        self.check.proved.insert(seen);
                    }
                }
            }
        }
    }

    /// A datagram of somebody who is no peer.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.net.send(self.now.mono, Datagram { from, to, bytes });
    }

    /// Addresses of the SBC where media is received.
    pub fn media_sockets(&self) -> Vec<SocketAddr> {
        self.sockets.keys().copied().collect()
    }

    /// A raw message on a peer's connection.
    pub fn send_raw(&mut self, ua: usize, bytes: Vec<u8>) {
        if let Some(connection) = self.uas[ua].connection {
            self.net.send_stream(self.now.mono, connection, true, Arrival::Message { connection, up: true, bytes });
        }
    }

    /// Performs all outputs of engine and shards, in order.
    pub fn pump(&mut self) {
        let mut orders = VecDeque::new();
        loop {
            if let Some(output) = self.engine.poll_output() {
                self.perform(output, &mut orders);
            } else if let Some((shard, command)) = orders.pop_front() {
                let shard: usize = shard;
                self.shards[shard].handle_command(self.now, command);
            } else if !self.pump_shards() {
                break;
            }
        }
        self.after_step();
    }

    fn pump_shards(&mut self) -> bool {
        let mut any = false;
        for n in 0..self.shards.len() {
            while let Some(output) = self.shards[n].poll_output() {
                any = true;
                match output {
                    shard::Output::Bind { port, local, .. } => {
                        let before = self.sockets.insert(local, (n, port));
                        assert!(before.is_none(), "{local} is bound twice");
                        self.locals.insert((n, port), local);
                    }
                    shard::Output::Unbind { port } => {
                        if let Some(local) = self.locals.remove(&(n, port)) {
                            self.sockets.remove(&local);
                        }
                    }
                    shard::Output::Transmit { port, to, bytes } => self.send_media(n, port, to, bytes),
                    shard::Output::Event(event) => {
                        self.trace(&format!("media event {:?}", event.kind));
                        self.engine.handle_media(self.now, event);
                    }
                }
            }
        }
        any
    }

    fn perform(&mut self, output: Output, orders: &mut VecDeque<(usize, media::command::Command)>) {
        match output {
            Output::Transmit { flow, bytes } => {
                self.note("T", &flow.to_string(), &bytes);
                self.transmit(flow, bytes.to_vec());
            }
            Output::CloseFlow { flow, code, .. } => {
                self.closed.push((flow.connection.0, code));
                self.close(flow.connection.0);
            }
            Output::Resolve { id, query } => {
                let answer = nothing(&query);
                self.engine.handle_resolved(self.now, id, answer);
            }
            Output::Media { shard, command } => {
                self.trace(&format!("media command {command:?}"));
                orders.push_back((usize::from(shard.0), command));
            }
            Output::Journal { line } => {
                self.note("J", "", &line);
                self.records.take(line);
            }
            Output::Firewall(order) => self.firewall.push(order),
            Output::Log(_) | Output::Live(_) => {}
        }
    }

    fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        let ua = match flow.transport {
            Transport::Ws => self.connections.get(&flow.connection.0).map(|c| c.ua),
            _ => self.uas.iter().position(|u| self.net.public_ip(u.profile.ip) == flow.remote.ip()),
        };
        self.check.sbc_sent(&self.uas, &self.net, ua, flow.realm, &bytes);
        if let Some(ua) = ua {
            self.check_record(ua, &bytes);
        }
        if flow.transport == Transport::Ws {
            let connection = flow.connection.0;
            if self.connections.get(&connection).is_some_and(|c| c.open) {
                self.net.send_stream(
                    self.now.mono,
                    connection,
                    false,
                    Arrival::Message { connection, up: false, bytes },
                );
            }
        } else {
            self.net.send(self.now.mono, Datagram { from: flow.local, to: flow.remote, bytes });
        }
    }

    /// A final answer to a call's INVITE has its record before it.
    fn check_record(&mut self, ua: usize, bytes: &[u8]) {
        let Some(msg) = Msg::read(bytes).filter(|m| m.cseq().1 == "INVITE" && m.status().is_some_and(|s| s >= 200))
        else {
            return;
        };
        let of_a_call = |c: &crate::ua::Client| c.branch == msg.branch() && matches!(c.purpose, Purpose::Invite(_));
        if self.uas[ua].clients.iter().any(of_a_call) {
            self.check.problems.extend(self.records.before_answer(&msg));
        }
    }

    fn send_media(&mut self, shard: usize, port: PortId, to: SocketAddr, bytes: Vec<u8>) {
        let Some(from) = self.locals.get(&(shard, port)).copied() else {
            // A packet made before its socket was closed.
            return;
        };
        self.note("M", &format!("{from}->{to}"), &bytes);
        self.check.sbc_sent_media(from, to);
        self.net.send(self.now.mono, Datagram { from, to, bytes });
    }

    fn after_step(&mut self) {
        while let Some(fact) = self.engine.poll_fact() {
            self.trace(&format!("{fact:?}"));
            self.check.feed(&fact);
        }
        let sockets = self.sockets.len();
        let shared = Self::shared(&self.house);
        self.check.after_step(&self.engine, sockets - shared.min(sockets));
        if !self.check.problems.is_empty() {
            let problems = self.check.problems.join("\n");
            panic!("at {:?}: {problems}", self.now.mono);
        }
    }

    fn shared(house: &House) -> usize {
        usize::from(house.shards)
    }

    fn check_idle(&mut self) {
        let mut left = Vec::new();
        if !self.engine.is_idle() {
            left.push("the engine holds something".to_owned());
            left.extend(self.engine.calls().iter().map(|c| format!("call {} in {:?}", c.id, c.phase)));
            left.push(format!(
                "ports used {}, guard calls {}",
                self.engine.ports().used(),
                self.engine.guard().calls()
            ));
            left.push(format!("calls idle {}", self.engine.calls().is_idle()));
        }
        if self.shards.iter().any(|s| s.sessions() > 0) {
            left.push("a shard holds sessions".to_owned());
        }
        if self.sockets.len() != Self::shared(&self.house) {
            left.push(format!("sockets left: {:?}", self.sockets.keys()));
        }
        if self.shards.iter().any(|s| s.poll_timeout().is_some()) {
            left.push("a shard has a deadline".to_owned());
        }
        for ua in &self.uas {
            left.extend(ua.complaints.iter().cloned());
            left.extend(self.check.unanswered(ua));
            left.extend(self.records.mismatches(ua, self.check.crashes > 0));
            for call in &ua.calls {
                if let Some(media) = &call.media
                    && let crate::media::Transport::WebRtc(rtc) = &media.transport
                {
                    left.extend(rtc.complaints.iter().cloned());
                }
            }
        }
        left.extend(self.check.open_calls());
        left.extend(self.records.problems());
        assert!(left.is_empty(), "not idle at {:?}:\n{}", self.now.mono, left.join("\n"));
    }

    // What is seen of it all.

    fn note(&mut self, kind: &str, where_to: &str, bytes: &[u8]) {
        self.hash.update(self.now.mono.0.to_be_bytes());
        self.hash.update(kind.as_bytes());
        self.hash.update(where_to.as_bytes());
        self.hash.update(bytes);
    }

    /// A hash over every byte that engine and shards have put out, with its time.
    pub fn fingerprint(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    fn trace_datagram(&self, d: &Datagram) {
        if self.tracing && crate::net::is_sip(&d.bytes) {
            self.trace(&format!("{} -> {}\n{}", d.from, d.to, String::from_utf8_lossy(&d.bytes)));
        }
    }

    pub fn trace(&self, what: &str) {
        if self.tracing {
            eprintln!("{:?} {what}", self.now.mono);
        }
    }
}

/// No name of these tests leads anywhere.
fn nothing(query: &sbc::sip::locate::Query) -> sbc::sip::locate::Answer {
    use sbc::sip::locate::{Answer, Query};
    match query {
        Query::Naptr(_) => Answer::Naptr(Vec::new()),
        Query::Srv(_) => Answer::Srv(Vec::new()),
        Query::Addresses(_) => Answer::Addresses(Vec::new()),
    }
}

struct SharedScript(Arc<dtls::Script>);

impl sbc::dtls::Handshakes for SharedScript {
    fn make(&self, role: sbc::dtls::Role, expected: &[sbc::dtls::Fingerprint]) -> Box<dyn sbc::dtls::Handshake> {
        Box::new(self.0.scripted(role, expected))
    }

    fn fingerprint(&self) -> sbc::dtls::Fingerprint {
        self.0.fingerprint()
    }
}
