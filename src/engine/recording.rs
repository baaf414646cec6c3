//! Facts become records: the fold is fed, what it wants written is output.
//!
//! A fact is fed where it stands among the outputs, so a journal line comes
//! before the message that follows from it. Nothing is decided here.

use super::facts::Fact;
use super::{Engine, Output};
use crate::base::{CallId, Now};
use crate::call::register;
use crate::media::event::SideReport;
use crate::record::metrics::Snapshot;
use crate::record::{self, BindingChange, Records};
use crate::route::{Change, TrunkState};

impl Engine {
    /// Feeds a fact to the records, and keeps it for whoever looks on.
    pub(super) fn tell(&mut self, fact: Fact) {
        match &fact {
            Fact::Call(event) => self.records.feed_call(event),
            Fact::Guard(event) => self.records.feed_guard(event),
            Fact::Registration(event) => feed_registration(&mut self.records, event),
            Fact::Trunk(event) => match event.change {
                Change::Answered { after_ms, .. } => self.records.feed_probe(event.trunk, after_ms),
                Change::Up => self.records.feed_trunk(event.at, event.trunk, true, "it answers"),
                Change::Down { why } => {
                    self.records.feed_trunk(event.at, event.trunk, false, super::query::failure(why));
                }
                Change::Rests { .. } => {}
            },
        }
        self.facts.feed(fact);
        self.take_records();
    }

    /// Numbers of calls' media while they run, every few seconds; `count` puts
    /// them into the MOS histogram too, which wants one a minute.
    pub fn handle_samples(&mut self, now: Now, samples: &[(CallId, [SideReport; 2])], count: bool) {
        for (call, reports) in samples {
            self.records.feed_sample(now, *call, reports, count);
        }
        self.take_records();
    }

    /// Live steps of calls are output while somebody watches.
    pub fn watch(&mut self, on: bool) {
        self.records.watch(on);
    }

    /// The records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// What the metrics need of this engine; the world adds its own numbers.
    pub fn snapshot(&self) -> Snapshot {
        let guard = self.guard.counters();
        let sip = self.endpoint.counters();
        let up = |view: crate::route::TrunkView| match view.state {
            TrunkState::Unknown => None,
            TrunkState::Up { .. } => Some((view.trunk, true)),
            TrunkState::Down { .. } => Some((view.trunk, false)),
        };
        let realms = (0..self.config.ports.realms.len()).map(|r| crate::base::RealmId(r as u16));
        let mut drops: Vec<(&'static str, u64)> = guard.dropped().map(|(why, n)| (why.label(), n)).collect();
        drops.push(("sip_malformed", sip.malformed));
        Snapshot {
            sip_retransmissions: sip.retransmissions_sent,
            drops,
            bans: self.guard.bans_by_reason().map(|(why, n)| (why.label(), u64::from(n))).collect(),
            ws_connections: self.counters.connections,
            registrations: self.registrar.len() as u64,
            rtp_ports_free: realms.map(|r| self.ports.free(r) as u64).sum(),
            trunks: self.health.view().filter_map(up).collect(),
            ..Snapshot::default()
        }
    }

    fn take_records(&mut self) {
        while let Some(output) = self.records.poll_output() {
            self.out.push_back(match output {
                record::Output::Journal(line) => Output::Journal { line },
                record::Output::Log(line) => Output::Log(line),
                record::Output::Live(event) => Output::Live(event),
            });
        }
    }
}

fn feed_registration(records: &mut Records, event: &register::Event) {
    use register::EventKind;
    let (flow, change) = match &event.kind {
        EventKind::Registered { flow, refreshed: false, .. } => (flow, BindingChange::Registered),
        EventKind::Registered { flow, refreshed: true, .. } => (flow, BindingChange::Refreshed),
        EventKind::Unregistered { flow } => (flow, BindingChange::Unregistered),
        EventKind::Expired { flow } => (flow, BindingChange::Expired),
        EventKind::Lost { flow } => (flow, BindingChange::FlowLost),
    };
    records.feed_registration(event.at, &event.user, flow.realm, change);
}
