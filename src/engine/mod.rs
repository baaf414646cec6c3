//! The engine: the whole SBC minus the world.
//!
//! One value a core. Packets, connections, media events, answers of the
//! resolver, the clock and the operator come in by `handle_*`, `query` and
//! `command`; what is to be done in the world comes out by `poll_output`, to be
//! performed in that order. Inside, machines that never call each other are
//! wired by `dispatch`. The same inputs and the same seed give the same outputs.

pub mod command;
pub mod config;
mod dispatch;
pub mod explain;
pub mod facts;
pub mod output;
pub mod query;
pub mod rates;
pub mod recording;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::{Flow, Instant, Now, Rng, limits};
use crate::call::register::Registrar;
use crate::call::{Around, Calls};
use crate::guard::Guard;
use crate::media;
use crate::media::ports::Ports;
use crate::record::Records;
use crate::route::{self, Health};
use crate::sip::endpoint::Endpoint;
use crate::sip::locate::Answer;
pub use command::{Command, Done};
pub use config::Config;
pub use facts::{Fact, Facts};
pub use output::Output;
pub use query::{Query, Reply};

pub use crate::call::ResolveId;

/// See the file's head.
pub struct Engine {
    config: Config,
    started: Now,
    guard: Guard,
    endpoint: Endpoint,
    registrar: Registrar,
    calls: Calls,
    route: route::Table,
    health: Health,
    ports: Ports,
    facts: Facts,
    records: Records,
    rates: rates::Ring,
    out: VecDeque<Output>,
    counters: Counters,
}

/// What no room of its own counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls answered.
    pub calls_total: u64,
    /// INVITEs that made an attempt on record.
    pub attempts_total: u64,
    /// Connections open.
    pub connections: u64,
    /// 2xx that came for INVITEs long gone.
    pub stray_responses: u64,
}

impl Engine {
    /// An engine without calls. `now` is the time of its start.
    pub fn new(config: Config, now: Now, mut rng: Rng) -> Self {
        let route = route::Table::new(config.route.clone());
        Self {
            started: now,
            guard: Guard::new(config.guard.clone(), rng.fork()),
            endpoint: Endpoint::new(config.sip.clone(), rng.fork()),
            registrar: Registrar::new(config.register.clone(), rng.fork()),
            calls: Calls::new(config.call.clone(), rng.fork()),
            health: Health::new(now, &config.route.trunks, rng.fork()),
            route,
            ports: Ports::new(config.ports.clone()),
            facts: Facts::default(),
            records: Records::new(config.record.clone()),
            rates: rates::Ring::default(),
            out: VecDeque::new(),
            counters: Counters::default(),
            config,
        }
    }

    /// A datagram, or one message of a WebSocket.
    pub fn handle_datagram(&mut self, now: Now, flow: Flow, bytes: &Bytes) {
        if self.guard.judge_packet(now, flow.realm, flow.remote.ip(), bytes.len()).passes() {
            self.endpoint.handle_datagram(now, flow, bytes);
        } else {
            self.rates.count(now, rates::Kind::Drop);
        }
        self.pump(now);
    }

    /// Bytes of a TCP or TLS connection.
    pub fn handle_stream(&mut self, now: Now, flow: Flow, bytes: &[u8]) {
        if self.guard.judge_packet(now, flow.realm, flow.remote.ip(), bytes.len()).passes() {
            self.endpoint.handle_stream(now, flow, bytes);
        }
        self.pump(now);
    }

    /// A peer has opened a connection; false: close it at once.
    pub fn handle_flow_opened(&mut self, now: Now, flow: Flow) -> bool {
        let room = self.counters.connections < limits::WS_CONNECTIONS as u64;
        let passes = room && self.guard.judge_connection(now, flow.realm, flow.remote.ip()).passes();
        self.counters.connections += u64::from(passes);
        self.pump(now);
        passes
    }

    /// A connection is gone.
    pub fn handle_flow_closed(&mut self, now: Now, flow: Flow) {
        self.counters.connections = self.counters.connections.saturating_sub(1);
        self.guard.connection_closed(now, flow.realm, flow.remote.ip());
        self.registrar.handle_flow_closed(now, &flow);
        // Legs are lost before their transactions fail: a request to a side that
        // may come back is not the end of its dialog.
        self.with_calls(|calls, around| calls.handle_flow_closed(now, around, &flow));
        self.pump(now);
        self.endpoint.handle_flow_closed(now, flow);
        self.pump(now);
    }

    /// The network refused what was sent on a flow.
    pub fn handle_transport_error(&mut self, now: Now, flow: Flow) {
        self.endpoint.handle_transport_error(now, flow);
        self.pump(now);
    }

    /// A media thread tells something.
    pub fn handle_media(&mut self, now: Now, event: media::event::Event) {
        self.with_calls(|calls, around| calls.handle_media(now, around, event));
        self.pump(now);
    }

    /// The resolver answers.
    pub fn handle_resolved(&mut self, now: Now, id: ResolveId, answer: Answer) {
        self.with_calls(|calls, around| calls.handle_resolved(now, around, id, answer));
        self.pump(now);
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        self.pump(now);
        self.registrar.handle_timeout(now);
        self.guard.handle_timeout(now);
        self.health.handle_timeout(now);
        self.with_calls(|calls, around| calls.handle_timeout(now, around));
        self.pump(now);
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let all = [
            self.endpoint.poll_timeout(),
            self.registrar.poll_timeout(),
            self.guard.poll_timeout(),
            self.health.poll_timeout(),
            self.calls.poll_timeout(),
        ];
        all.into_iter().flatten().min()
    }

    /// Takes the next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Takes the next fact for records.
    pub fn poll_fact(&mut self) -> Option<Fact> {
        self.facts.poll()
    }

    /// The calls.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The ports.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The guard.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// True if nothing is held besides registrations, bans and resting ports:
    /// no call, no transaction, no port.
    pub fn is_idle(&self) -> bool {
        self.calls.is_idle() && self.endpoint.is_idle() && self.ports.used() == 0 && self.guard.calls() == 0
    }

    fn with_calls<T>(&mut self, run: impl FnOnce(&mut Calls, &mut Around<'_>) -> T) -> T {
        let mut around = Around {
            route: &self.route,
            health: &mut self.health,
            guard: &mut self.guard,
            ports: &mut self.ports,
            registrar: &mut self.registrar,
        };
        run(&mut self.calls, &mut around)
    }
}
