//! The call detail record: one JSON object a line, schema 1.
//!
//! `open` and `start` lines are notes on the way, kept so that a crash cannot
//! make a call vanish, and hold only what is new; `attempt` and `session` are final. There is exactly one
//! `attempt` for every target that was tried and exactly one `session` for
//! every INVITE that reached the call machine; one that is refused before any
//! target was tried has only its `session`, with `attempt` 0. A `session`
//! repeats the B side of its winner, else of the attempt that began last.
//!
//! In final records every field is present, `null` where there is nothing to
//! say. Times are RFC 3339 UTC of the wall clock, durations are monotonic (see
//! `times`).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::fold::{Attempt, End, Fold};
use super::names::{self, Names};
use super::times::Times;
use crate::base::{Flow, Leg, Now};
use crate::call::cause::{Cause, Initiator};
use crate::media::event::SideReport;

/// Version of the schema, counted up when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// What a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A call was routed (attempt 0) or an attempt began.
    #[default]
    Open,
    /// A call was answered.
    Start,
    /// Final: an attempt.
    Attempt,
    /// Final: a call.
    Session,
}

/// The record. Addresses are `address:port`, numbers as written at that place:
/// `in` as received, `routing` after the rules, `out` as sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the fields are the columns that the head of the file and PRODUCT name")]
pub struct Record {
    pub schema: u32,
    pub kind: Kind,
    /// Number of the line in its node and engine, without gaps.
    pub seq: u64,
    pub node_id: String,
    pub engine: u8,
    pub config_version: String,
    pub session_id: String,
    /// Our id of the call, 16 hexadecimal digits.
    pub call: String,
    pub call_id_a: String,
    pub call_id_b: Option<String>,
    pub attempt: u8,
    /// What was tried: a trunk's name, `user …`, `service …` or a URI.
    pub target: Option<String>,
    pub from_in: String,
    pub from_routing: Option<String>,
    pub from_out: Option<String>,
    pub to_in: String,
    pub to_routing: Option<String>,
    pub to_out: Option<String>,
    /// The user who proved to be the caller.
    pub user: Option<String>,
    pub realm_a: String,
    pub realm_b: Option<String>,
    pub trunk_a: Option<String>,
    pub trunk_b: Option<String>,
    pub transport_a: String,
    pub transport_b: Option<String>,
    /// The peer's signalling address.
    pub signalling_a: String,
    pub signalling_b: Option<String>,
    /// Ours.
    pub signalling_local_a: String,
    pub signalling_local_b: Option<String>,
    /// The peer's media address as last proved.
    pub media_a: Option<String>,
    pub media_b: Option<String>,
    /// Ours.
    pub media_local_a: Option<String>,
    pub media_local_b: Option<String>,
    pub started: String,
    pub ringing: Option<String>,
    pub answered: Option<String>,
    pub ended: Option<String>,
    pub setup_ms: Option<u64>,
    pub pdd_ms: Option<u64>,
    pub ring_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub disconnect_initiator: Option<Initiator>,
    pub cause: Option<CauseField>,
    pub codec_a: Option<String>,
    pub codec_b: Option<String>,
    pub crypto_a: Option<String>,
    pub crypto_b: Option<String>,
    pub early_media: bool,
    /// What came from the caller.
    pub a_in: Option<Direction>,
    /// What was sent to the caller.
    pub a_out: Option<Direction>,
    /// What came from the called side.
    pub b_in: Option<Direction>,
    /// What was sent to the called side.
    pub b_out: Option<Direction>,
}

/// Why it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseField {
    /// Final status of the INVITE; 200 for a call that was answered.
    pub sip_code: u16,
    /// ITU-T Q.850 cause value.
    pub q850: u8,
    /// For people.
    pub reason: String,
    /// Ours, of a closed set.
    pub internal_code: String,
}

impl From<&Cause> for CauseField {
    fn from(cause: &Cause) -> Self {
        Self {
            sip_code: cause.sip_code,
            q850: cause.q850,
            reason: cause.reason.clone(),
            internal_code: names::internal_code(cause.internal).to_owned(),
        }
    }
}

/// The numbers of one direction on one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Direction {
    /// RTP packets.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Packets that were sent and never came; known of what we receive.
    pub lost: Option<u64>,
    /// Fraction 0 to 1; of what we send, as the peer last reported.
    pub loss_ratio: Option<f64>,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: Option<f64>,
    /// Round trip, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Mean opinion score, 1 to 4.5.
    pub mos: Option<f64>,
    /// How it was found.
    pub mos_method: Option<String>,
    /// `high`, `medium` or `low`.
    pub mos_confidence: Option<String>,
}

impl Direction {
    /// What came from the peer.
    pub fn received(report: &SideReport) -> Self {
        let sent = report.packets_received + report.packets_lost;
        let some = report.packets_received > 0;
        Self {
            packets: report.packets_received,
            bytes: report.bytes_received,
            lost: Some(report.packets_lost),
            loss_ratio: (sent > 0).then(|| ratio(report.packets_lost, sent)),
            jitter_ms: some.then(|| rounded(report.jitter_ms)),
            rtt_ms: report.rtt_ms.map(rounded),
            mos: report.mos.map(rounded),
            mos_method: report.mos.map(|_| names::MOS_METHOD.to_owned()),
            mos_confidence: report.mos.map(|_| confidence(report).to_owned()),
        }
    }

    /// What was sent to the peer.
    pub fn sent(report: &SideReport) -> Self {
        Self {
            packets: report.packets_sent,
            bytes: report.bytes_sent,
            loss_ratio: report.remote_loss.map(rounded),
            rtt_ms: report.rtt_ms.map(rounded),
            ..Self::default()
        }
    }
}

/// A MOS over fewer than 5 s of packets says little, and one without a measured
/// round trip assumes the delay.
fn confidence(report: &SideReport) -> &'static str {
    match report.packets_received {
        0..250 => "low",
        _ if report.rtt_ms.is_none() => "medium",
        _ => "high",
    }
}

/// Three decimals; what cannot be written as a number in JSON becomes 0.
pub fn rounded(value: f32) -> f64 {
    if value.is_finite() { (f64::from(value) * 1000.0).round() / 1000.0 } else { 0.0 }
}

/// A fraction with three decimals.
pub fn ratio(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64 * 1000.0).round() / 1000.0
}

/// Who writes: goes into every line.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// The node.
    pub node_id: String,
    /// The engine.
    pub engine: u8,
    /// Version of the configuration.
    pub config_version: String,
    /// Names of realms and trunks.
    pub names: Names,
}

impl Writer {
    /// The final record of the call. `leading` is that of the attempt that
    /// stands for it, which has most of its columns.
    pub fn session(&self, fold: &Fold, leading: Option<Record>, seq: u64) -> Record {
        let mut record = leading.unwrap_or_else(|| self.base(fold, Kind::Session, seq));
        (record.kind, record.seq) = (Kind::Session, seq);
        record.started = fold.started.wall.to_string();
        record.early_media = fold.early_media;
        fill_times(&mut record, fold.times());
        if fold.answered.is_none() {
            fill_media(&mut record, fold);
        }
        fill_end(&mut record, fold.ending.as_deref());
        record
    }

    /// The final record of an attempt.
    pub fn attempt(&self, fold: &Fold, attempt: &Attempt, seq: u64) -> Record {
        let mut record = self.base(fold, Kind::Attempt, seq);
        self.fill_attempt(&mut record, attempt);
        record.early_media = attempt.early_media;
        fill_times(&mut record, fold.attempt_times(attempt));
        let won = fold.answered.is_some_and(|(winner, _)| winner == attempt.number);
        if won {
            fill_media(&mut record, fold);
        }
        fill_end(&mut record, attempt.ending.as_deref().or(fold.ending.as_deref()));
        record
    }

    fn base(&self, fold: &Fold, kind: Kind, seq: u64) -> Record {
        let routed = fold.routed.as_deref();
        Record {
            schema: SCHEMA,
            kind,
            seq,
            node_id: self.node_id.clone(),
            engine: self.engine,
            config_version: self.config_version.clone(),
            session_id: fold.session_id.to_string(),
            call: fold.call.to_string(),
            call_id_a: fold.call_id.to_string(),
            from_in: fold.from.to_string(),
            from_routing: routed.map(|r| r.from.clone()),
            to_in: fold.to.to_string(),
            to_routing: routed.map(|r| r.to.clone()),
            user: fold.user.as_deref().map(str::to_owned),
            realm_a: self.names.realm(fold.realm).to_owned(),
            trunk_a: fold.trunk.map(|t| self.names.trunk(t).to_owned()),
            transport_a: names::transport(fold.flow.transport).to_owned(),
            signalling_a: fold.flow.remote.to_string(),
            signalling_local_a: fold.flow.local.to_string(),
            ..Record::default()
        }
    }

    fn fill_attempt(&self, record: &mut Record, attempt: &Attempt) {
        record.attempt = attempt.number;
        record.started = attempt.started.wall.to_string();
        record.target = attempt.target.as_ref().map(|t| self.names.target(t));
        record.trunk_b = attempt.trunk().map(|t| self.names.trunk(t).to_owned());
        let Some(sent) = attempt.sent.as_deref() else { return };
        record.call_id_b = (!sent.call_id.is_empty()).then(|| sent.call_id.clone());
        record.from_out = Some(sent.from.clone());
        record.to_out = Some(sent.to.clone());
        record.realm_b = Some(self.names.realm(sent.realm).to_owned());
        let address = |of: fn(&Flow) -> SocketAddr| sent.flow.as_ref().map(|f| of(f).to_string());
        record.transport_b = sent.flow.map(|f| names::transport(f.transport).to_owned());
        record.signalling_b = address(|f| f.remote);
        record.signalling_local_b = address(|f| f.local);
    }
}

fn fill_times(record: &mut Record, times: Times) {
    let wall = |at: Option<Now>| at.map(|at| at.wall.to_string());
    record.ringing = wall(times.ringing);
    record.answered = wall(times.answered);
    record.ended = wall(times.ended);
    record.setup_ms = times.setup_ms;
    record.pdd_ms = times.pdd_ms;
    record.ring_ms = times.ring_ms;
    record.talk_ms = times.talk_ms;
}

fn fill_end(record: &mut Record, end: Option<&End>) {
    record.disconnect_initiator = end.map(|e| e.by);
    record.cause = end.map(|e| CauseField::from(&e.cause));
    // Whatever ended it later, the final status of an answered INVITE was 200.
    if let Some(cause) = record.cause.as_mut().filter(|_| record.answered.is_some()) {
        cause.sip_code = 200;
    }
}

fn fill_media(record: &mut Record, fold: &Fold) {
    let [a, b] = &fold.sides;
    let address = |at: Option<SocketAddr>| at.map(|at| at.to_string());
    (record.media_a, record.media_b) = (address(a.remote), address(b.remote));
    (record.media_local_a, record.media_local_b) = (address(a.local), address(b.local));
    let codec = |side: &super::fold::Side| side.codec.map(|c| names::codec(c).to_owned());
    (record.codec_a, record.codec_b) = (codec(a), codec(b));
    (record.crypto_a, record.crypto_b) = (crypto(fold, Leg::A), crypto(fold, Leg::B));
    if let Some(reports) = fold.reports.as_deref() {
        record.a_in = Some(Direction::received(&reports[0]));
        record.a_out = Some(Direction::sent(&reports[0]));
        record.b_in = Some(Direction::received(&reports[1]));
        record.b_out = Some(Direction::sent(&reports[1]));
    }
}

/// The SRTP profile of a side; `None` for plain RTP.
pub fn crypto(fold: &Fold, leg: Leg) -> Option<String> {
    let agreed = fold.sides[leg.index()].crypto.as_deref();
    let reported = fold.reports.as_ref().map(|r| r[leg.index()].crypto.as_str());
    agreed.or(reported).filter(|c| !c.is_empty() && *c != "rtp").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_says_how_far_to_trust_it() {
        let report = |packets_received, rtt_ms| SideReport {
            packets_received,
            rtt_ms,
            mos: Some(4.349_999),
            packets_lost: 50,
            ..SideReport::default()
        };
        let of = |packets, rtt| Direction::received(&report(packets, rtt)).mos_confidence;
        assert_eq!(of(100, Some(20.0)).as_deref(), Some("low"));
        assert_eq!(of(950, None).as_deref(), Some("medium"));
        assert_eq!(of(950, Some(20.0)).as_deref(), Some("high"));
        let row = Direction::received(&report(950, None));
        assert_eq!((row.loss_ratio, row.mos), (Some(0.05), Some(4.35)));
    }

    #[test]
    fn no_number_that_json_cannot_hold() {
        assert_eq!((rounded(f32::NAN), rounded(f32::INFINITY), rounded(1.23456)), (0.0, 0.0, 1.235));
    }
}
