//! The network: datagrams that get lost, doubled and overtaken, streams that
//! do not, and NATs in between.
//!
//! Everything in flight stands in one queue ordered by arrival. Faults are
//! drawn from a seeded generator, or ordered one by one by a test. A NAT
//! rewrites the source of what leaves a host to a public address and lets in
//! only what comes from an address that was written to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sbc::base::{Instant, Rng};

/// What arrives somewhere.
#[derive(Clone, Debug)]
pub enum Arrival {
    Datagram(Datagram),
    /// A whole WebSocket message; `up` towards the SBC.
    Message {
        connection: u64,
        up: bool,
        bytes: Vec<u8>,
    },
    Closed {
        connection: u64,
        up: bool,
    },
    Opened {
        connection: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Random faults; each a probability of 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss: f64,
    pub duplication: f64,
    /// Extra delay drawn evenly up to this: overtaking.
    pub spread: Duration,
}

/// A fault ordered by a test: for datagrams that `applies` to, after `skip` of them, `times` times.
pub struct Order {
    pub applies: fn(&Datagram) -> bool,
    pub skip: usize,
    pub times: usize,
    pub what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Lose,
    Double,
    Delay(Duration),
}

struct Nat {
    public: IpAddr,
    next_port: u16,
    /// Inside address to public port.
    ports: BTreeMap<SocketAddr, u16>,
    written_to: BTreeSet<(u16, IpAddr)>,
}

pub struct Net {
    queue: BTreeMap<(Instant, u64), Arrival>,
    sequence: u64,
    pub delay: Duration,
    pub faults: Faults,
    pub orders: Vec<Order>,
    nats: BTreeMap<IpAddr, Nat>,
    /// Arrival of the last message by connection and direction: streams keep order.
    streams: BTreeMap<(u64, bool), Instant>,
    rng: Rng,
    pub sip_datagrams: usize,
    pub lost: usize,
}

impl Net {
    pub fn new(rng: Rng) -> Self {
        Self {
            queue: BTreeMap::new(),
            sequence: 0,
            delay: Duration::from_millis(5),
            faults: Faults::default(),
            orders: Vec::new(),
            nats: BTreeMap::new(),
            streams: BTreeMap::new(),
            rng,
            sip_datagrams: 0,
            lost: 0,
        }
    }

    /// Puts a host behind a NAT with a public address.
    pub fn add_nat(&mut self, inside: IpAddr, public: IpAddr) {
        self.nats
            .insert(inside, Nat { public, next_port: 40_000, ports: BTreeMap::new(), written_to: BTreeSet::new() });
    }

    /// The host's public address: its own, or its NAT's.
    pub fn public_ip(&self, inside: IpAddr) -> IpAddr {
        self.nats.get(&inside).map_or(inside, |nat| nat.public)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    pub fn pop(&mut self, now: Instant) -> Option<Arrival> {
        let key = *self.queue.keys().next().filter(|(at, _)| *at <= now)?;
        self.queue.remove(&key)
    }

    /// Sends a datagram; gives the source as the receiver will see it.
    pub fn send(&mut self, now: Instant, mut d: Datagram) -> SocketAddr {
        if let Some(nat) = self.nats.get_mut(&d.from.ip()) {
            let port = *nat.ports.entry(d.from).or_insert_with(|| {
                nat.next_port += 2;
                nat.next_port
            });
            nat.written_to.insert((port, d.to.ip()));
            d.from = SocketAddr::new(nat.public, port);
        }
        let seen = d.from;
        if let Some(nat) = self.nats.values().find(|nat| nat.public == d.to.ip()) {
            let open = nat.written_to.contains(&(d.to.port(), d.from.ip()));
            let inside = nat.ports.iter().find(|(_, port)| **port == d.to.port()).map(|(inside, _)| *inside);
            match inside.filter(|_| open) {
                Some(inside) => d.to = inside,
                None => return seen,
            }
        }
        if is_sip(&d.bytes) {
            self.sip_datagrams += 1;
        }
        let (mut copies, mut extra) = (1, Duration::ZERO);
        for order in &mut self.orders {
            if order.times == 0 || !(order.applies)(&d) {
                continue;
            }
            if order.skip > 0 {
                order.skip -= 1;
                continue;
            }
            order.times -= 1;
            match order.what {
                What::Lose => copies = 0,
                What::Double => copies = 2,
                What::Delay(by) => extra = by,
            }
        }
        if copies == 1 && self.rng.chance(self.faults.loss) {
            copies = 0;
        }
        if copies == 1 && self.rng.chance(self.faults.duplication) {
            copies = 2;
        }
        if copies == 0 {
            self.lost += 1;
        }
        for _ in 0..copies {
            let spread = self.rng.below(self.faults.spread.as_nanos() as u64);
            let at = now + self.delay + extra + Duration::from_nanos(spread);
            self.push(at, Arrival::Datagram(d.clone()));
        }
        seen
    }

    /// Sends something on a connection, behind what was sent there before.
    pub fn send_stream(&mut self, now: Instant, connection: u64, up: bool, arrival: Arrival) {
        let last = self.streams.get(&(connection, up)).copied().unwrap_or(Instant::ZERO);
        let at = (now + self.delay).max(last);
        self.streams.insert((connection, up), at);
        self.push(at, arrival);
    }

    fn push(&mut self, at: Instant, arrival: Arrival) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), arrival);
    }
}

/// SIP begins with a capital letter; media packets never do.
pub fn is_sip(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
}

/// True for a request of a method.
pub fn is_request(d: &Datagram, method: &str) -> bool {
    d.bytes.starts_with(method.as_bytes()) && d.bytes.get(method.len()) == Some(&b' ')
}

/// True for a response with a status to a method.
pub fn is_response(d: &Datagram, status: u16, method: &str) -> bool {
    crate::sip::Msg::read(&d.bytes).is_some_and(|m| m.status() == Some(status) && m.cseq().1 == method)
}
