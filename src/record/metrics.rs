//! Metrics of one engine in a Prometheus registry of its own.
//!
//! What events tell is counted as they are folded; what other machines count
//! themselves comes as a [`Snapshot`] when somebody asks. `rules/prometheus`
//! and `rules/grafana` rely on these names, and a test here holds them to it.
//! Labels are configured names or words of `names`, never what a peer wrote.
//!
//! A caller's INVITE counts once with the direction `in`, every attempt once
//! with `out`; an INVITE that was only challenged comes again and is not
//! counted. Numbers of a call as a whole stand under the trunk of the called
//! side, else of the caller's, else under none, so that sums over trunks count
//! each call once.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use super::fold::{Attempt, Fold};
use super::journal::Closed;
use super::names::{self, Names};
use super::outcome::{Marks, Outcome, attempt_outcome, session_outcome};
use super::series::*;
use crate::base::{Leg, TrunkId, UnixMillis};
use crate::call::event::EventKind;
use crate::media::event::{EventKind as Media, SideReport};

/// Numbers that other machines hold, at the moment of the question.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Messages sent again by transactions since the start.
    pub sip_retransmissions: u64,
    /// Packets and messages dropped since the start, by reason (closed set).
    pub drops: Vec<(&'static str, u64)>,
    /// Bans in force, by reason (closed set).
    pub bans: Vec<(&'static str, u64)>,
    /// WebSocket connections.
    pub ws_connections: u64,
    /// Bindings.
    pub registrations: u64,
    /// Port pairs that are free, as ports.
    pub rtp_ports_free: u64,
    /// Trunks that are probed, and whether they are up.
    pub trunks: Vec<(TrunkId, bool)>,
    /// Bytes in the journal that no sink has yet.
    pub cdr_spool_bytes: u64,
    /// Age of the oldest of them, seconds; 0 for none.
    pub cdr_oldest_unsent_secs: f64,
    /// 0 none, 1 soft, 2 hard.
    pub overload: u8,
    /// Ends of certificates by the configured name of the listener or file.
    pub certificates: Vec<(String, UnixMillis)>,
    /// Panics caught since the start.
    pub panics: u64,
}

/// The metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    names: Names,
    calls_active: IntGaugeVec,
    calls: IntCounter,
    attempts: IntCounterVec,
    results: IntCounterVec,
    setup: HistogramVec,
    pdd: HistogramVec,
    duration: HistogramVec,
    probe: HistogramVec,
    requests: IntCounterVec,
    responses: IntCounterVec,
    retransmissions: IntCounter,
    trunk_up: IntGaugeVec,
    ws_connections: IntGauge,
    registrations: IntGauge,
    ice: Histogram,
    dtls: Histogram,
    sessions: IntGaugeVec,
    one_way: IntCounterVec,
    mos: HistogramVec,
    loss: Histogram,
    jitter: Histogram,
    ports_free: IntGauge,
    bans: IntGaugeVec,
    drops: IntCounterVec,
    cdr_written: IntCounter,
    cdr_spool: IntGauge,
    cdr_oldest: Gauge,
    overload: IntGauge,
    certificates: GaugeVec,
    panics: IntCounter,
}

/// Which way a SIP message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It came.
    In,
    /// It was sent.
    Out,
}

impl Way {
    const fn label(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Metrics {
    /// All metrics at zero.
    pub fn new(names: Names, version: &str, started: UnixMillis) -> Self {
        let r = Registry::new();
        let metrics = Self {
            calls_active: gauges(&r, "sbc_calls_active", "Calls in setup or answered.", &["trunk"]),
            calls: counter(&r, "sbc_calls_total", "Calls answered."),
            attempts: counters(
                &r,
                "sbc_call_attempts_total",
                "INVITEs received and attempts made.",
                &["trunk", "direction"],
            ),
            results: counters(
                &r,
                "sbc_call_results_total",
                "Attempts by how they came out, counted when their CDR is final.",
                &["trunk", "direction", "result", "cause"],
            ),
            setup: histograms(&r, "sbc_call_setup_seconds", "INVITE to answer.", &["trunk"], &SETUP_SECS),
            pdd: histograms(
                &r,
                "sbc_call_pdd_seconds",
                "INVITE to first ringing, else to answer (RFC 6076 4.3).",
                &["trunk"],
                &PDD_SECS,
            ),
            duration: histograms(&r, "sbc_call_duration_seconds", "Answer to end.", &["trunk"], &DURATION_SECS),
            probe: histograms(&r, "sbc_trunk_probe_seconds", "OPTIONS to its answer.", &["trunk"], &PROBE_SECS),
            requests: counters(&r, "sbc_sip_requests_total", "SIP requests.", &["method", "direction"]),
            responses: counters(&r, "sbc_sip_responses_total", "SIP responses.", &["method", "code", "direction"]),
            retransmissions: counter(&r, "sbc_sip_retransmissions_total", "SIP messages sent again."),
            trunk_up: gauges(&r, "sbc_trunk_up", "1 if the trunk answers, 0 if it is down.", &["trunk"]),
            ws_connections: gauge(&r, "sbc_ws_connections", "WebSocket connections."),
            registrations: gauge(&r, "sbc_registrations", "Registered contacts."),
            ice: histogram(&r, "sbc_ice_setup_seconds", "Media offered to ICE nomination.", &SETUP_SECS),
            dtls: histogram(&r, "sbc_dtls_handshake_seconds", "ClientHello to keys.", &PROBE_SECS),
            sessions: gauges(&r, "sbc_media_sessions", "Calls with media, by what carries it.", &["path"]),
            one_way: counters(&r, "sbc_media_one_way_total", "Calls in which nothing came from a side.", &["side"]),
            mos: histograms(
                &r,
                "sbc_media_mos",
                "Mean opinion score (ITU-T G.107); in: from the trunk, out: to it.",
                &["trunk", "direction"],
                &MOS,
            ),
            loss: histogram(
                &r,
                "sbc_media_loss_ratio",
                "Packets lost of those sent to us, a side of a call.",
                &LOSS_RATIO,
            ),
            jitter: histogram(
                &r,
                "sbc_media_jitter_seconds",
                "Interarrival jitter at the end of a call, a side.",
                &JITTER_SECS,
            ),
            ports_free: gauge(&r, "sbc_rtp_ports_free", "RTP port pairs that are free."),
            bans: gauges(&r, "sbc_bans_active", "Bans in force.", &["reason"]),
            drops: counters(&r, "sbc_drops_total", "Packets and messages dropped.", &["reason"]),
            cdr_written: counter(&r, "sbc_cdr_written_total", "Final CDRs written to the journal."),
            cdr_spool: gauge(&r, "sbc_cdr_spool_bytes", "Bytes of the journal that no sink has yet."),
            cdr_oldest: register(
                &r,
                Gauge::new("sbc_cdr_oldest_unsent_seconds", "Age of the oldest CDR that no sink has; 0 for none."),
            ),
            overload: gauge(&r, "sbc_overload_state", "0 none, 1 soft, 2 hard."),
            certificates: register(
                &r,
                GaugeVec::new(
                    Opts::new("sbc_tls_cert_expiry_timestamp_seconds", "End of a TLS certificate."),
                    &["name"],
                ),
            ),
            panics: counter(&r, "sbc_panics_total", "Panics caught."),
            registry: r,
            names,
        };
        metrics.constants(version, started);
        metrics
    }

    fn constants(&self, version: &str, started: UnixMillis) {
        let info = gauges(&self.registry, "sbc_build_info", "1, with the version.", &["version"]);
        info.with_label_values(&[version]).set(1);
        let start = register(&self.registry, Gauge::new("sbc_start_time_seconds", "When the process started."));
        start.set(started.0 as f64 / 1000.0);
        // A series that exists from the start is what `increase` sees the first event by.
        for side in ["a", "b"] {
            self.one_way.with_label_values(&[side]);
        }
    }

    /// Takes the names of a new configuration.
    pub fn rename(&mut self, names: Names) {
        self.names = names;
    }

    fn trunk(&self, trunk: Option<TrunkId>) -> &str {
        trunk.map_or("", |t| self.names.trunk(t))
    }

    /// Counts an event; `before` is what [`Marks::of`] gave before it was folded.
    pub fn feed(&self, fold: &Fold, before: Marks, kind: &EventKind, closed: &[Closed]) {
        let after = Marks::of(fold);
        self.move_gauges(before, after);
        if after.counted && !before.counted {
            self.attempts.with_label_values(&[self.trunk(fold.trunk), "in"]).inc();
        }
        match kind {
            EventKind::AttemptStarted { attempt, .. } if after.attempts > before.attempts => {
                let trunk = fold.attempt(*attempt).and_then(Attempt::trunk);
                self.attempts.with_label_values(&[self.trunk(trunk), "out"]).inc();
            }
            EventKind::Progress { attempt, .. } if after.ringing > before.ringing => self.rang(fold, *attempt),
            EventKind::Answered { attempt } if after.answered && !before.answered => self.answered(fold, *attempt),
            EventKind::Media(kind) => self.media(kind),
            EventKind::Ended => self.quality(fold),
            EventKind::Started { .. }
            | EventKind::Authenticated { .. }
            | EventKind::Challenged { .. }
            | EventKind::Routed { .. }
            | EventKind::AttemptStarted { .. }
            | EventKind::Progress { .. }
            | EventKind::AttemptEnded { .. }
            | EventKind::Answered { .. }
            | EventKind::Negotiated { .. }
            | EventKind::Held { .. }
            | EventKind::Resumed { .. }
            | EventKind::InDialog { .. }
            | EventKind::Noted { .. }
            | EventKind::Ending { .. } => {}
        }
        for closed in closed {
            self.cdr_written.inc();
            self.result(fold, *closed);
        }
    }

    fn move_gauges(&self, before: Marks, after: Marks) {
        if (before.active, before.trunk) != (after.active, after.trunk) {
            if before.active {
                self.calls_active.with_label_values(&[self.trunk(before.trunk)]).dec();
            }
            if after.active {
                self.calls_active.with_label_values(&[self.trunk(after.trunk)]).inc();
            }
        }
        if before.path != after.path {
            if let Some(path) = before.path {
                self.sessions.with_label_values(&[path.label()]).dec();
            }
            if let Some(path) = after.path {
                self.sessions.with_label_values(&[path.label()]).inc();
            }
        }
    }

    fn rang(&self, fold: &Fold, number: u8) {
        let pdd = fold.attempt(number).and_then(|a| fold.attempt_times(a).pdd_ms);
        self.observe_ms(&self.pdd, fold.main_trunk(), pdd);
    }

    fn answered(&self, fold: &Fold, number: u8) {
        self.calls.inc();
        let Some(attempt) = fold.attempt(number) else { return };
        let times = fold.attempt_times(attempt);
        if times.ringing.is_none() {
            self.observe_ms(&self.pdd, fold.main_trunk(), times.pdd_ms);
        }
        self.observe_ms(&self.setup, fold.main_trunk(), times.setup_ms);
    }

    fn observe_ms(&self, of: &HistogramVec, trunk: Option<TrunkId>, ms: Option<u64>) {
        if let Some(ms) = ms {
            of.with_label_values(&[self.trunk(trunk)]).observe(ms as f64 / 1000.0);
        }
    }

    fn media(&self, kind: &Media) {
        match kind {
            Media::IceConnected { after_ms, .. } => self.ice.observe(f64::from(*after_ms) / 1000.0),
            Media::DtlsConnected { after_ms, .. } => self.dtls.observe(f64::from(*after_ms) / 1000.0),
            Media::IceMoved { .. }
            | Media::FirstPacket { .. }
            | Media::Latched { .. }
            | Media::Digit { .. }
            | Media::Failed { .. }
            | Media::Closed { .. } => {}
        }
    }

    fn result(&self, fold: &Fold, closed: Closed) {
        let count = |trunk, direction, outcome: Outcome, cause| {
            self.results.with_label_values(&[self.trunk(trunk), direction, outcome.label(), cause]).inc();
        };
        match closed {
            Closed::Attempt(number) => {
                let Some(attempt) = fold.attempt(number) else { return };
                if let Some((outcome, cause)) = attempt_outcome(fold, attempt) {
                    count(attempt.trunk(), "out", outcome, cause);
                }
            }
            Closed::Session => {
                if let Some((outcome, cause)) = session_outcome(fold) {
                    count(fold.trunk, "in", outcome, cause);
                }
                self.observe_ms(&self.duration, fold.main_trunk(), fold.times().talk_ms);
            }
        }
    }

    /// The last sample of each direction, and one-way audio.
    fn quality(&self, fold: &Fold) {
        let Some(reports) = fold.reports.as_deref().filter(|_| fold.answered.is_some()) else { return };
        self.sample(fold, reports);
        for report in reports.iter().filter(|r| r.packets_received > 0) {
            let sent = report.packets_received + report.packets_lost;
            self.loss.observe(report.packets_lost as f64 / sent as f64);
            self.jitter.observe(f64::from(report.jitter_ms.max(0.0)) / 1000.0);
        }
        for leg in fold.silent_sides() {
            let side = if leg == Leg::A { "a" } else { "b" };
            self.one_way.with_label_values(&[side]).inc();
        }
    }

    /// One MOS sample a direction, seen from the trunk.
    pub fn sample(&self, fold: &Fold, reports: &[SideReport; 2]) {
        let from_caller_side = fold.trunk_b().is_none() && fold.trunk.is_some();
        let (incoming, outgoing) = if from_caller_side { (0, 1) } else { (1, 0) };
        let trunk = self.trunk(fold.main_trunk());
        for (side, direction) in [(incoming, "in"), (outgoing, "out")] {
            if let Some(mos) = reports[side].mos {
                self.mos.with_label_values(&[trunk, direction]).observe(f64::from(mos));
            }
        }
    }

    /// Counts a SIP request.
    pub fn request(&self, method: &str, way: Way) {
        self.requests.with_label_values(&[names::method_label(method), way.label()]).inc();
    }

    /// Counts a SIP response.
    pub fn response(&self, method: &str, status: u16, way: Way) {
        let labels = [names::method_label(method), names::code_label(status), way.label()];
        self.responses.with_label_values(&labels).inc();
    }

    /// Counts the answer to a probe.
    pub fn probed(&self, trunk: TrunkId, after_ms: u64) {
        self.observe_ms(&self.probe, Some(trunk), Some(after_ms));
    }

    /// All families with their values; `snapshot` fills what is not counted here.
    pub fn gather(&self, snapshot: &Snapshot) -> Vec<MetricFamily> {
        set(&self.retransmissions, snapshot.sip_retransmissions);
        set(&self.panics, snapshot.panics);
        for (reason, n) in &snapshot.drops {
            set(&self.drops.with_label_values(&[*reason]), *n);
        }
        self.bans.reset();
        for (reason, n) in &snapshot.bans {
            self.bans.with_label_values(&[*reason]).add(signed(*n));
        }
        self.trunk_up.reset();
        for (trunk, up) in &snapshot.trunks {
            self.trunk_up.with_label_values(&[self.names.trunk(*trunk)]).set(i64::from(*up));
        }
        self.certificates.reset();
        for (name, end) in &snapshot.certificates {
            self.certificates.with_label_values(&[name.as_str()]).set(end.secs() as f64);
        }
        self.ws_connections.set(signed(snapshot.ws_connections));
        self.registrations.set(signed(snapshot.registrations));
        self.ports_free.set(signed(snapshot.rtp_ports_free));
        self.cdr_spool.set(signed(snapshot.cdr_spool_bytes));
        self.cdr_oldest.set(snapshot.cdr_oldest_unsent_secs);
        self.overload.set(i64::from(snapshot.overload));
        self.registry.gather()
    }

    /// [`Metrics::gather`] in the text exposition format.
    pub fn render(&self, snapshot: &Snapshot) -> String {
        text(&self.gather(snapshot))
    }

    /// The names of all metrics, whether they have a value yet or not.
    pub fn described(&self) -> Vec<String> {
        let all: [&dyn Collector; 30] = [
            &self.calls_active,
            &self.calls,
            &self.attempts,
            &self.results,
            &self.setup,
            &self.pdd,
            &self.duration,
            &self.probe,
            &self.requests,
            &self.responses,
            &self.retransmissions,
            &self.trunk_up,
            &self.ws_connections,
            &self.registrations,
            &self.ice,
            &self.dtls,
            &self.sessions,
            &self.one_way,
            &self.mos,
            &self.loss,
            &self.jitter,
            &self.ports_free,
            &self.bans,
            &self.drops,
            &self.cdr_written,
            &self.cdr_spool,
            &self.cdr_oldest,
            &self.overload,
            &self.certificates,
            &self.panics,
        ];
        let own = all.iter().flat_map(|c| c.desc()).map(|d: &Desc| d.fq_name.clone());
        own.chain(["sbc_build_info".to_owned(), "sbc_start_time_seconds".to_owned()]).collect()
    }
}

/// Families in the text exposition format 0.0.4.
pub fn text(families: &[MetricFamily]) -> String {
    let mut out = Vec::new();
    match TextEncoder::new().encode(families, &mut out) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(error) => format!("# {error}\n"),
    }
}

fn set(counter: &IntCounter, to: u64) {
    // A machine that was made anew starts at 0, which a scraper takes as a reset.
    counter.reset();
    counter.inc_by(to);
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of a rule or dashboard that name a metric of ours.
    fn named(text: &str) -> Vec<&str> {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        let words = text.split(|c| !word(c)).filter(|w| w.starts_with("sbc_")).map(|w| w.trim_end_matches(':'));
        words.map(|w| ["_bucket", "_sum", "_count"].iter().find_map(|s| w.strip_suffix(s)).unwrap_or(w)).collect()
    }

    #[test]
    fn every_metric_that_rules_and_dashboards_use_is_exported() {
        let names = Names { realms: Vec::new(), trunks: vec!["acme".into()] };
        let known = Metrics::new(names, "0", UnixMillis(0)).described();
        let rules = include_str!("../../rules/prometheus/sbc.rules.yml");
        let tests = include_str!("../../rules/prometheus/sbc.test.yml");
        let board = include_str!("../../rules/grafana/sbc.json");
        // Names of groups of rules begin alike and are no metrics.
        let groups = ["sbc_ratios", "sbc_alerts"];
        let used: Vec<&str> =
            [rules, tests, board].into_iter().flat_map(named).filter(|n| !groups.contains(n)).collect();
        assert!(used.len() > 50);
        let missing: Vec<&&str> = used.iter().filter(|n| !known.iter().any(|k| k == **n)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_have_a_unit_and_are_registered_once() {
        let metrics = Metrics::new(Names::default(), "0", UnixMillis(0));
        let mut names = metrics.described();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(names.iter().all(|n| n.starts_with("sbc_")));
    }

    #[test]
    fn a_snapshot_is_rendered_as_it_is() {
        let names = Names { realms: Vec::new(), trunks: vec!["acme".into()] };
        let metrics = Metrics::new(names, "0.1.0", UnixMillis(1_500));
        let snapshot = Snapshot {
            sip_retransmissions: 7,
            drops: vec![("banned", 3)],
            bans: vec![("scanner", 2), ("flood", 0)],
            trunks: vec![(TrunkId(0), false)],
            certificates: vec![("wss".into(), UnixMillis(9_000))],
            cdr_oldest_unsent_secs: 1.5,
            overload: 2,
            ..Snapshot::default()
        };
        metrics.render(&snapshot);
        let text = metrics.render(&snapshot);
        for line in [
            "sbc_sip_retransmissions_total 7",
            "sbc_drops_total{reason=\"banned\"} 3",
            "sbc_bans_active{reason=\"scanner\"} 2",
            "sbc_bans_active{reason=\"flood\"} 0",
            "sbc_trunk_up{trunk=\"acme\"} 0",
            "sbc_tls_cert_expiry_timestamp_seconds{name=\"wss\"} 9",
            "sbc_cdr_oldest_unsent_seconds 1.5",
            "sbc_overload_state 2",
            "sbc_build_info{version=\"0.1.0\"} 1",
            "sbc_start_time_seconds 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        let none = metrics.render(&Snapshot::default());
        assert!(!none.contains("sbc_tls_cert_expiry_timestamp_seconds{"));
    }

    #[test]
    fn labels_come_from_closed_sets() {
        let metrics = Metrics::new(Names::default(), "0", UnixMillis(0));
        metrics.request("X\"} 1\nevil 1", Way::In);
        metrics.response("INVITE", 498, Way::Out);
        let text = metrics.render(&Snapshot::default());
        assert!(text.contains("sbc_sip_requests_total{direction=\"in\",method=\"other\"} 1"));
        assert!(text.contains("sbc_sip_responses_total{code=\"400\",direction=\"out\",method=\"INVITE\"} 1"));
    }
}
