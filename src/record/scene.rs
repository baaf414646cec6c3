//! Events of made-up calls, for the tests of this room.

use std::net::SocketAddr;

use super::{Config, Level, Output, Records};
use crate::base::{CallId, Codec, ConnectionId, Flow, Leg, Now, RealmId, Transport, TrunkId};
use crate::call::cause::{Cause, Initiator, Internal};
use crate::call::event::{Event, EventKind, TargetName};
use crate::media::event::{EventKind as Media, SideReport};
use crate::record::json;

pub const ACME: TargetName = TargetName::Trunk(TrunkId(0));
pub const BACKUP: TargetName = TargetName::Trunk(TrunkId(1));

pub fn addr(s: &str) -> SocketAddr {
    s.parse().expect("test address")
}

pub fn at(ms: u64) -> Now {
    Now::from_millis(5_000 + ms, 1_795_189_440_000 + ms)
}

pub fn records() -> Records {
    Records::new(config())
}

pub fn config() -> Config {
    Config {
        node: "edge-1".into(),
        config_version: "v7".into(),
        version: "0.1.0".into(),
        realms: vec!["browsers".into(), "carriers".into()],
        trunks: vec!["acme".into(), "backup".into()],
        log: Level::Info,
        ..Config::default()
    }
}

pub fn event(call: u64, ms: u64, kind: EventKind) -> Event {
    Event { at: at(ms), call: CallId(call), kind }
}

pub fn started(call: u64) -> EventKind {
    let flow = Flow {
        transport: Transport::Wss,
        realm: RealmId(0),
        local: addr("203.0.113.1:8443"),
        remote: addr("198.51.100.2:40000"),
        connection: ConnectionId(3),
    };
    EventKind::Started {
        flow,
        realm: RealmId(0),
        trunk: None,
        from: "alice".into(),
        to: "+4930123456".into(),
        request_uri: "sip:+4930123456@example.com".into(),
        call_id: format!("a{call}@browser"),
        session_id: format!("{call:032x}"),
        user_agent: Some("JsSIP 3.13".into()),
    }
}

pub fn routed(targets: &[TargetName], reasons: &[&str]) -> EventKind {
    EventKind::Routed {
        from: "alice".into(),
        to: "030123456".into(),
        targets: targets.to_vec(),
        reasons: reasons.iter().map(|r| (*r).to_owned()).collect(),
    }
}

pub fn attempt(call: u64, number: u8, target: TargetName) -> EventKind {
    let flow = Flow::udp(RealmId(1), addr("203.0.113.1:5060"), addr("192.0.2.9:5060"));
    EventKind::AttemptStarted {
        attempt: number,
        target,
        realm: RealmId(1),
        flow: Some(flow),
        from: "4989".into(),
        to: "030123456".into(),
        call_id: format!("b{call}-{number}@sbc"),
    }
}

pub fn progress(attempt: u8, status: u16) -> EventKind {
    EventKind::Progress { attempt, status, early_media: status == 183 }
}

pub fn failed(attempt: u8, status: u16, internal: Internal, by: Initiator) -> EventKind {
    EventKind::AttemptEnded { attempt, cause: Cause::new(status, internal, "said so"), by }
}

pub fn ending(status: u16, internal: Internal, by: Initiator) -> EventKind {
    EventKind::Ending { by, cause: Cause::new(status, internal, "said so") }
}

pub fn negotiated(leg: Leg, codec: Codec) -> EventKind {
    EventKind::Negotiated {
        leg,
        codec,
        transport: if leg == Leg::A { "dtls-srtp".into() } else { "rtp".into() },
        local: addr("203.0.113.1:30000"),
        remote: Some(addr("192.0.2.9:20000")),
    }
}

pub fn report(received: u64, sent: u64) -> SideReport {
    SideReport {
        codec: Some(Codec::Pcma),
        crypto: "rtp".into(),
        packets_received: received,
        bytes_received: received * 160,
        packets_sent: sent,
        bytes_sent: sent * 160,
        jitter_ms: 4.0,
        rtt_ms: Some(31.0),
        mos: (received > 0).then_some(4.35),
        ..SideReport::default()
    }
}

pub fn closed(a: SideReport, b: SideReport) -> EventKind {
    EventKind::Media(Media::Closed { reports: Box::new([a, b]) })
}

/// A call that acme answers after 2.38 s and that the caller ends 12 s later.
pub fn answered_call(call: u64) -> Vec<Event> {
    let dtls = Media::DtlsConnected { leg: Leg::A, profile: "AEAD_AES_128_GCM".into(), after_ms: 90 };
    [
        (0, started(call)),
        (0, routed(&[ACME, BACKUP], &["rule 1 (germany) matches"])),
        (0, attempt(call, 1, ACME)),
        (80, progress(1, 180)),
        (2_380, EventKind::Answered { attempt: 1 }),
        (2_380, negotiated(Leg::B, Codec::Pcma)),
        (2_380, negotiated(Leg::A, Codec::Opus)),
        (2_500, EventKind::Media(dtls)),
        (2_600, EventKind::Media(Media::FirstPacket { leg: Leg::A, remote: addr("198.51.100.2:41000") })),
        (14_380, ending(200, Internal::Hangup, Initiator::Caller)),
        (14_400, closed(report(600, 590), report(590, 600))),
        (14_400, EventKind::Ended),
    ]
    .map(|(ms, kind)| event(call, ms, kind))
    .to_vec()
}

/// A call that fails at acme with 503 and at backup with 486.
pub fn failed_call(call: u64) -> Vec<Event> {
    [
        (0, started(call)),
        (0, routed(&[ACME, BACKUP], &["rule 1 (germany) matches"])),
        (0, attempt(call, 1, ACME)),
        (212, failed(1, 503, Internal::Rejected, Initiator::Callee)),
        (212, attempt(call, 2, BACKUP)),
        (300, progress(2, 180)),
        (900, failed(2, 486, Internal::Rejected, Initiator::Callee)),
        (900, ending(486, Internal::Rejected, Initiator::Callee)),
        (900, EventKind::Ended),
    ]
    .map(|(ms, kind)| event(call, ms, kind))
    .to_vec()
}

/// A first INVITE without credentials.
pub fn challenged_call(call: u64) -> Vec<Event> {
    [
        (0, started(call)),
        (0, EventKind::Challenged { status: 407 }),
        (0, ending(407, Internal::AuthRequired, Initiator::Sbc)),
        (0, EventKind::Ended),
    ]
    .map(|(ms, kind)| event(call, ms, kind))
    .to_vec()
}

/// Journal lines that are waiting, as text.
pub fn lines(records: &mut Records) -> Vec<String> {
    let mut out = Vec::new();
    while let Some(output) = records.poll_output() {
        if let Output::Journal(line) = output {
            out.push(String::from_utf8(line).expect("JSON is UTF-8"));
        }
    }
    out
}

/// `kind attempt` of each line.
pub fn kinds(lines: &[String]) -> Vec<String> {
    let kind = |line: &String| {
        let record = json::parse(line).expect("a record");
        format!("{:?} {}", record.kind, record.attempt).to_lowercase()
    };
    lines.iter().map(kind).collect()
}
