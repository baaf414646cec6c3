//! Two endpoints over a network that loses, repeats and reorders.
//!
//! A user on each side calls, answers, cancels and acknowledges as a dialog
//! layer would. Whatever the network does, every INVITE ends exactly once at
//! its user, and nothing is held in the end. A failure names its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::base::{EngineId, RealmId};
use crate::sip::dialog::{Dialog, DialogId, Due, Repeat2xx};
use crate::sip::message::Uri;

/// How bad the network is, in thousandths.
struct Faults {
    loss: u64,
    copies: u64,
    longest_delay_ms: u64,
}

struct Net {
    seed: u64,
    rng: Rng,
    now: Now,
    faults: Faults,
    /// By time of arrival: for which side, which bytes.
    wire: BTreeMap<(Instant, u64), (usize, Bytes)>,
    count: u64,
    ends: [Endpoint; 2],
    caller: Caller,
    called: Called,
}

/// What the calling user knows.
#[derive(Default)]
struct Caller {
    calls: BTreeMap<ClientKey, Request>,
    finals: BTreeMap<ClientKey, Vec<String>>,
    dialogs: BTreeSet<DialogId>,
}

/// What the called user knows.
#[derive(Default)]
struct Called {
    /// INVITEs without a final answer.
    ringing: BTreeMap<ServerKey, (Instant, Request)>,
    /// 2xx without ACK, by the tag we gave.
    accepted: BTreeMap<ServerKey, (String, Repeat2xx)>,
    requests: usize,
    given_up: usize,
}

impl Net {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut rng = Rng::from_number(seed);
        let end =
            |engine, rng: &mut Rng| Endpoint::new(Config { engine: EngineId(engine), ..Config::default() }, rng.fork());
        Self {
            seed,
            ends: [end(0, &mut rng), end(1, &mut rng)],
            rng,
            now: Now::from_millis(0, 0),
            faults,
            wire: BTreeMap::new(),
            count: 0,
            caller: Caller::default(),
            called: Called::default(),
        }
    }

    /// The flow from a side to the other.
    fn flow(side: usize) -> Flow {
        let at = |side: usize| ([192, 0, 2, 1 + side as u8], 5060).into();
        Flow::udp(RealmId(0), at(side), at(1 - side))
    }

    fn call(&mut self, n: u64) {
        let mut invite = Request::new(Method::Invite, Uri::parse("sip:bob@192.0.2.2").expect("test URI"));
        for (name, value) in [
            (HeaderName::From, format!("<sip:alice@a.example>;tag=a{n}")),
            (HeaderName::To, "<sip:bob@b.example>".to_owned()),
            (HeaderName::CallId, format!("call-{n}")),
            (HeaderName::CSeq, "1 INVITE".to_owned()),
            (HeaderName::Contact, "<sip:alice@192.0.2.1>".to_owned()),
        ] {
            invite.headers.push(name, value);
        }
        let key = self.ends[0].send_request(self.now, Self::flow(0), invite.clone());
        self.caller.calls.insert(key, invite);
    }

    /// Puts what a side sends on the wire, with the network's faults.
    fn transmit(&mut self, from: usize, bytes: Bytes) {
        let copies = if self.rng.below(1000) < self.faults.loss {
            0
        } else {
            1 + u64::from(self.rng.below(1000) < self.faults.copies)
        };
        for _ in 0..copies {
            let delay = Duration::from_millis(1 + self.rng.below(self.faults.longest_delay_ms));
            self.count += 1;
            self.wire.insert((self.now.mono + delay, self.count), (1 - from, bytes.clone()));
        }
    }

    /// Moves outputs until there are none.
    fn settle(&mut self) {
        while let Some((side, output)) = (0..2).find_map(|side| Some((side, self.ends[side].poll_output()?))) {
            match (side, output) {
                (side, Output::Transmit { bytes, .. }) => self.transmit(side, bytes),
                (0, Output::Response { key, response, flow }) => self.on_response(key, &response, flow),
                (0, Output::Failed { key, why }) => {
                    self.caller.finals.entry(key).or_default().push(format!("{why:?}"));
                }
                // The caller has its answer; the ACK of a 2xx that comes after
                // timer M is sent all the same.
                (0, Output::StrayResponse { response, flow }) => self.acknowledge(&response, flow),
                (1, Output::Request { key, request, .. }) => {
                    self.called.requests += 1;
                    self.called.ringing.insert(key, (self.now.mono, request));
                }
                (1, Output::Ack { request, .. }) => self.on_ack(&request),
                (1, Output::Cancel { key, .. }) => self.answer(key, 487),
                (1, Output::ServerFailed { .. }) => {}
                (side, output) => panic!("seed {}: side {side} said {output:?}", self.seed),
            }
        }
    }

    fn on_response(&mut self, key: ClientKey, response: &Response, flow: Flow) {
        if response.is_provisional() {
            if self.rng.chance(0.1) {
                self.ends[0].cancel(self.now, key);
            }
            return;
        }
        if response.is_success() {
            let id = DialogId::of_response(response).expect("a dialog");
            self.acknowledge(response, flow);
            // A repeated 2xx is no second answer; one of another dialog would be.
            if !self.caller.dialogs.insert(id) {
                return;
            }
        }
        self.caller.finals.entry(key).or_default().push(response.status.to_string());
    }

    fn acknowledge(&mut self, response: &Response, flow: Flow) {
        let call = self.caller.calls.values().find(|invite| invite.call_id() == response.call_id());
        let invite = call.expect("a call of ours");
        let dialog = Dialog::uac_from(invite, response, flow).expect("a dialog");
        self.ends[0].send_ack(self.now, Self::flow(0), dialog.ack(invite));
    }

    fn on_ack(&mut self, ack: &Request) {
        let tag = ack.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let key = self.called.accepted.iter().find(|(_, (ours, _))| Some(ours) == tag.as_ref()).map(|(key, _)| *key);
        if let Some(key) = key {
            self.called.accepted.remove(&key);
            self.ends[1].acknowledged(key);
        }
    }

    fn answer(&mut self, key: ServerKey, status: u16) {
        let Some((since, request)) = self.called.ringing.remove(&key) else { return };
        let tag = lead::tag(EngineId(1), &mut self.rng);
        let mut response = Response::to_request(&request, status, "");
        response.set_to_tag(&tag);
        response.headers.push(HeaderName::Contact, "<sip:bob@192.0.2.2>");
        if status < 200 {
            self.called.ringing.insert(key, (since, request));
        } else if status < 300 {
            self.called.accepted.insert(key, (tag, Repeat2xx::start(self.now.mono, self.ends[1].config().timing())));
        }
        self.ends[1].respond(self.now, key, response);
    }

    /// The called user does something now and then.
    fn users(&mut self) {
        let ringing: Vec<_> = self.called.ringing.iter().map(|(key, (since, _))| (*key, *since)).collect();
        for (key, since) in ringing {
            let status = match self.rng.below(20) {
                0..5 => 180,
                5..8 => 200,
                8..10 => 486,
                10 => 503,
                _ if self.now.mono - since > Duration::from_secs(60) => 480,
                _ => continue,
            };
            self.answer(key, status);
        }
        let due: Vec<_> = self.called.accepted.keys().copied().collect();
        for key in due {
            let Some((_, wait)) = self.called.accepted.get_mut(&key) else { continue };
            match wait.handle_timeout(self.now.mono) {
                Due::Wait => {}
                Due::Resend => {
                    assert!(self.ends[1].resend_2xx(self.now, key), "seed {}: the 2xx is gone", self.seed);
                }
                Due::GiveUp => {
                    self.called.accepted.remove(&key);
                    self.called.given_up += 1;
                }
            }
        }
    }

    /// Moves the clock to the next thing that happens, at most 200 ms on.
    fn step(&mut self) {
        let limit = self.now.mono + Duration::from_millis(200);
        let wire = self.wire.keys().next().map(|(at, _)| *at);
        let deadlines = self.ends.iter().filter_map(Endpoint::poll_timeout);
        let at = deadlines.chain(wire).min().filter(|at| *at < limit).unwrap_or(limit);
        assert!(at >= self.now.mono, "seed {}: time runs backwards", self.seed);
        self.now.mono = at;
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= at) {
            let (side, bytes) = entry.remove();
            self.ends[side].handle_datagram(self.now, Self::flow(side), &bytes);
            self.settle();
        }
        for side in 0..2 {
            self.ends[side].handle_timeout(self.now);
        }
        if at == limit {
            self.users();
        }
        self.settle();
    }

    fn is_over(&self) -> bool {
        self.wire.is_empty() && self.called.accepted.is_empty() && self.ends.iter().all(Endpoint::is_idle)
    }

    /// Runs `calls` calls to the end and checks what became of each.
    fn run(mut self, calls: u64) -> Self {
        for n in 0..calls {
            self.call(n);
            self.settle();
            self.step();
        }
        let mut steps = 0;
        while !self.is_over() {
            self.step();
            steps += 1;
            assert!(steps < 200_000, "seed {}: no end", self.seed);
        }
        for key in self.caller.calls.keys() {
            let finals = self.caller.finals.get(key).map_or(0, Vec::len);
            assert_eq!(finals, 1, "seed {}: {key:?} ended as {:?}", self.seed, self.caller.finals.get(key));
        }
        self
    }
}

#[test]
fn every_invite_ends_once_whatever_the_network_does() {
    for seed in 0..40 {
        let faults = Faults { loss: seed % 8 * 50, copies: seed % 5 * 60, longest_delay_ms: 1 + seed % 4 * 400 };
        Net::new(seed, faults).run(25);
    }
}

#[test]
fn a_good_network_brings_every_request_once() {
    let net = Net::new(99, Faults { loss: 0, copies: 300, longest_delay_ms: 30 }).run(50);
    assert_eq!((net.called.requests, net.called.given_up), (50, 0));
    let finals: BTreeSet<&str> = net.caller.finals.values().map(|list| list[0].as_str()).collect();
    assert_eq!(finals, BTreeSet::from(["200", "486", "487", "503"]));
}

#[test]
fn a_dead_network_fails_every_invite() {
    let net = Net::new(5, Faults { loss: 1000, copies: 0, longest_delay_ms: 1 }).run(10);
    assert!(net.caller.finals.values().all(|list| list == &["Timeout"]));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let net = Net::new(3, Faults { loss: 150, copies: 200, longest_delay_ms: 700 }).run(20);
        (net.count, net.now, net.caller.finals, net.ends[0].counters(), net.ends[1].counters())
    };
    assert_eq!(run(), run());
}
