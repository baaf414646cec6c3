//! Calls as the admin API shows them: the list, one call in full, sums.
//!
//! Shapes and units are those of the API's documentation: every field is always
//! there, `null` for what is unknown. What a peer wrote is cut and cleaned here;
//! the reader still escapes it.

use std::net::SocketAddr;

use serde::Serialize;

use super::causal::Story;
use super::cdr::{CauseField, Direction, crypto, ratio, rounded};
use super::fold::{Fold, Side};
use super::ladder::{self, LadderEvent};
use super::names::{self, Names, shown};
use crate::base::{Flow, Leg, Now, UnixMillis};
use crate::call::cause::Initiator;
use crate::media::event::SideReport;

/// A call in the list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented with the API")]
pub struct CallView {
    pub id: String,
    pub session_id: Option<String>,
    /// `setup`, `ringing`, `answered` or `ending`.
    pub state: &'static str,
    pub from: String,
    pub to: String,
    pub realm_in: String,
    pub realm_out: Option<String>,
    pub trunk: Option<String>,
    pub started: String,
    pub answered: Option<String>,
    /// From the answer, before that from the start.
    pub duration_secs: u64,
    pub codec_a: Option<&'static str>,
    pub codec_b: Option<&'static str>,
    pub crypto_a: Option<String>,
    pub crypto_b: Option<String>,
    pub mos_a: Option<f64>,
    pub mos_b: Option<f64>,
    /// `relay`, `transcode` or `service`.
    pub path: Option<&'static str>,
    pub held: bool,
}

/// One call in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented with the API")]
pub struct CallDetail {
    #[serde(flatten)]
    pub call: CallView,
    pub ended: Option<String>,
    pub disconnect_initiator: Option<Initiator>,
    pub cause: Option<CauseField>,
    pub setup_ms: Option<u64>,
    pub pdd_ms: Option<u64>,
    pub ring_ms: Option<u64>,
    pub talk_ms: Option<u64>,
    pub attempts: usize,
    pub user: Option<String>,
    pub request_uri: String,
    pub legs: Vec<LegView>,
    pub media: Vec<MediaRow>,
    pub mos_curve: Vec<CurvePoint>,
    pub events: Vec<LadderEvent>,
    /// Events left out in the middle of a call that has too many.
    pub events_left_out: u32,
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are documented with the API")]
pub struct LegView {
    pub name: &'static str,
    pub call_id_header: String,
    pub peer: Option<String>,
    pub transport: Option<&'static str>,
    pub realm: String,
    pub user_agent: Option<String>,
    pub codec: Option<&'static str>,
    pub crypto: Option<String>,
    pub remote_media: Option<String>,
    pub local_media: Option<String>,
}

/// One direction of one leg's media.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MediaRow {
    /// `A` or `B`.
    pub leg: &'static str,
    /// `in`: received from the peer; `out`: sent to it.
    pub direction: &'static str,
    /// The numbers.
    #[serde(flatten)]
    pub numbers: Direction,
    /// First packet, milliseconds since the call began.
    pub first_packet_ms: Option<u32>,
    /// Last packet; a shard does not tell.
    pub last_packet_ms: Option<u32>,
}

/// A point of the quality curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Milliseconds since the call began.
    pub at_ms: u32,
    /// What came from A.
    pub mos_a: Option<f64>,
    /// What came from B.
    pub mos_b: Option<f64>,
}

/// A step of a call, for whoever watches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LiveEvent {
    /// The call.
    pub id: String,
    /// The step. Its `detail` may hold addresses and numbers.
    pub event: LadderEvent,
}

/// Sums of one engine for the status page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Calls in progress.
    pub calls_active: u64,
    /// Calls answered since the start.
    pub calls_total: u64,
    /// Attempts made since the start.
    pub attempts_total: u64,
    /// Calls a second, mean of the last 10 s.
    pub cps: f64,
    /// Final CDRs written since the start.
    pub cdr_written_total: u64,
    /// Bytes of the journal written since the start.
    pub cdr_journal_bytes: u64,
    /// Quality of calls in progress.
    pub quality: Quality,
    /// Calls in progress that came from each realm, by `RealmId`.
    pub calls_by_realm: Vec<u64>,
}

/// Quality of calls in progress; `None` when none has media.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// Mean of all sides.
    pub mos_avg: Option<f64>,
    /// The worst side.
    pub mos_min: Option<f64>,
    /// Lost of all that was sent to us.
    pub loss_ratio: Option<f64>,
    /// Mean of all sides, milliseconds.
    pub jitter_ms: Option<f64>,
    /// Sides that were silent through an answered call, since the start.
    pub one_way_total: u64,
}

impl CallView {
    /// A call as it stands.
    pub fn of(fold: &Fold, names: &Names, now: Now) -> Self {
        let leading = fold.leading().and_then(|a| a.sent.as_deref());
        let times = fold.times();
        let since = times.answered.unwrap_or(fold.started);
        let until = times.ended.unwrap_or(now);
        let [a, b] = &fold.sides;
        let reported = |leg: Leg| fold.reports.as_ref().and_then(|r| r[leg.index()].mos).map(rounded);
        Self {
            id: fold.call.to_string(),
            session_id: (!fold.session_id.is_empty()).then(|| shown(&fold.session_id, 32)),
            state: state(fold),
            from: person(&fold.from, &fold.flow.remote.ip().to_string()),
            to: person(&fold.to, host_of(&fold.request_uri)),
            realm_in: names.realm(fold.realm).to_owned(),
            realm_out: leading.map(|s| names.realm(s.realm).to_owned()),
            trunk: fold.main_trunk().map(|t| names.trunk(t).to_owned()),
            started: fold.started.wall.to_string(),
            answered: times.answered.map(|at| at.wall.to_string()),
            duration_secs: (until.mono - since.mono).as_secs(),
            codec_a: a.codec.map(names::codec),
            codec_b: b.codec.map(names::codec),
            crypto_a: crypto(fold, Leg::A),
            crypto_b: crypto(fold, Leg::B),
            mos_a: reported(Leg::A),
            mos_b: reported(Leg::B),
            path: fold.path().map(super::fold::Path::label),
            held: fold.is_held(),
        }
    }
}

impl CallDetail {
    /// A call in full.
    pub fn of(story: &Story, names: &Names, now: Now, addresses: bool) -> Self {
        let fold = &story.fold;
        let times = fold.times();
        let end = fold.ending.as_deref();
        Self {
            call: CallView::of(fold, names, now),
            ended: end.map(|e| e.at.wall.to_string()),
            disconnect_initiator: end.map(|e| e.by),
            cause: end.map(|e| CauseField { reason: shown(&e.cause.reason, 200), ..CauseField::from(&e.cause) }),
            setup_ms: times.setup_ms,
            pdd_ms: times.pdd_ms,
            ring_ms: times.ring_ms,
            talk_ms: times.talk_ms,
            attempts: fold.attempts.len(),
            user: fold.user.as_deref().map(|u| shown(u, 64)),
            request_uri: shown(&fold.request_uri, 256),
            legs: legs(fold, names, addresses),
            media: rows(fold),
            mos_curve: curve(fold),
            events: ladder::events(story, names, addresses),
            events_left_out: story.left_out,
        }
    }
}

fn state(fold: &Fold) -> &'static str {
    match (fold.ending.is_some(), fold.answered.is_some(), fold.ringing.is_some()) {
        (true, _, _) => "ending",
        (false, true, _) => "answered",
        (false, false, true) => "ringing",
        (false, false, false) => "setup",
    }
}

fn person(user: &str, host: &str) -> String {
    let user = shown(user, 64);
    if user.is_empty() { shown(host, 64) } else { user }
}

/// The host of a URI as text, without its parameters.
fn host_of(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    rest.split([';', '?']).next().unwrap_or(rest)
}

fn legs(fold: &Fold, names: &Names, addresses: bool) -> Vec<LegView> {
    let a = leg(fold, Leg::A, Some(&fold.flow), &fold.call_id, names.realm(fold.realm), addresses);
    let mut legs = vec![LegView { user_agent: fold.user_agent.as_deref().map(|u| shown(u, 128)), ..a }];
    if let Some(sent) = fold.leading().and_then(|a| a.sent.as_deref()) {
        legs.push(leg(fold, Leg::B, sent.flow.as_ref(), &sent.call_id, names.realm(sent.realm), addresses));
    }
    legs
}

fn leg(fold: &Fold, leg: Leg, flow: Option<&Flow>, call_id: &str, realm: &str, addresses: bool) -> LegView {
    let side: &Side = &fold.sides[leg.index()];
    let address = |at: Option<SocketAddr>| at.filter(|_| addresses).map(|at| at.to_string());
    LegView {
        name: leg_name(leg),
        call_id_header: shown(call_id, 256),
        peer: address(flow.map(|f| f.remote)),
        transport: flow.map(|f| names::transport(f.transport)),
        realm: realm.to_owned(),
        user_agent: None,
        codec: side.codec.map(names::codec),
        crypto: crypto(fold, leg),
        remote_media: address(side.remote),
        local_media: address(side.local),
    }
}

const fn leg_name(leg: Leg) -> &'static str {
    match leg {
        Leg::A => "A",
        Leg::B => "B",
    }
}

fn rows(fold: &Fold) -> Vec<MediaRow> {
    let Some(reports) = fold.reports.as_deref() else { return Vec::new() };
    let row = |leg: Leg, direction, numbers, first_packet_ms| MediaRow {
        leg: leg_name(leg),
        direction,
        numbers,
        first_packet_ms,
        last_packet_ms: None,
    };
    let both = |leg: Leg| {
        let report: &SideReport = &reports[leg.index()];
        let first = fold.sides[leg.index()].first_packet_ms;
        [row(leg, "in", Direction::received(report), first), row(leg, "out", Direction::sent(report), None)]
    };
    [Leg::A, Leg::B].into_iter().flat_map(both).collect()
}

fn curve(fold: &Fold) -> Vec<CurvePoint> {
    let point = |(at_ms, a, b): &(u32, Option<f32>, Option<f32>)| CurvePoint {
        at_ms: *at_ms,
        mos_a: a.map(rounded),
        mos_b: b.map(rounded),
    };
    fold.curve.iter().map(point).collect()
}

/// Quality over calls in progress.
pub fn quality<'a>(stories: impl Iterator<Item = &'a Story>, one_way_total: u64) -> Quality {
    let (mut scores, mut sum, mut least) = (0u64, 0.0, f64::INFINITY);
    let (mut received, mut lost) = (0, 0);
    let (mut jitters, mut jitter) = (0u64, 0.0);
    let sides = stories.filter_map(|s| s.fold.reports.as_deref()).flatten();
    for report in sides.filter(|r| r.packets_received > 0) {
        if let Some(mos) = report.mos.map(f64::from) {
            (scores, sum, least) = (scores + 1, sum + mos, least.min(mos));
        }
        (received, lost) = (received + report.packets_received, lost + report.packets_lost);
        (jitters, jitter) = (jitters + 1, jitter + f64::from(report.jitter_ms));
    }
    let round = |value: f64| (value * 100.0).round() / 100.0;
    Quality {
        mos_avg: (scores > 0).then(|| round(sum / scores as f64)),
        mos_min: (scores > 0).then(|| round(least)),
        loss_ratio: (received > 0).then(|| ratio(lost, received + lost)),
        jitter_ms: (jitters > 0).then(|| round(jitter / jitters as f64)),
        one_way_total,
    }
}

/// Calls in progress by the realm they came from.
pub fn by_realm<'a>(stories: impl Iterator<Item = &'a Story>, realms: usize) -> Vec<u64> {
    let mut counts = vec![0; realms];
    for story in stories {
        if let Some(n) = counts.get_mut(usize::from(story.fold.realm.0)) {
            *n += 1;
        }
    }
    counts
}

/// Wall time of a step: the call's start and the monotonic distance from it.
pub fn wall_of(fold: &Fold, at_ms: u32) -> UnixMillis {
    UnixMillis(fold.started.wall.0 + u64::from(at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_its_user_else_its_host() {
        assert_eq!(person("bob", "h"), "bob");
        assert_eq!(person("", host_of("sip:example.com;transport=tcp")), "example.com");
        assert_eq!(host_of("sips:a@b@[2001:db8::1]:5061?x=y"), "[2001:db8::1]:5061");
    }
}
