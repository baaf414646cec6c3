//! Whole calls through all folds at once: journal, metrics, log, views, `why`.

use super::scene::*;
use super::*;
use crate::base::Leg;
use crate::call::cause::{Initiator, Internal};
use crate::media::event::{EventKind as Media, MediaFailure};

fn feed(records: &mut Records, events: &[Event]) {
    for event in events {
        records.feed_call(event);
    }
}

fn parsed(lines: &[String]) -> Vec<cdr::Record> {
    lines.iter().map(|l| json::parse(l).expect("a record")).collect()
}

#[test]
fn lines_come_with_the_event_that_they_are_to_precede() {
    let mut records = records();
    let at_each: Vec<(usize, Vec<String>)> = answered_call(1)
        .iter()
        .enumerate()
        .map(|(n, event)| {
            records.feed_call(event);
            (n, kinds(&lines(&mut records)))
        })
        .filter(|(_, kinds)| !kinds.is_empty())
        .collect();
    let expected: [(usize, &[&str]); 4] =
        [(1, &["open 0"]), (2, &["open 1"]), (4, &["start 1"]), (11, &["attempt 1", "session 1"])];
    assert_eq!(at_each.len(), expected.len());
    assert!(at_each.iter().zip(expected).all(|(a, e)| a.0 == e.0 && a.1 == e.1), "{at_each:?}");
}

#[test]
fn a_failed_call_is_final_before_its_answer_goes_out() {
    let mut records = records();
    let events = failed_call(1);
    let at = |records: &mut Records, n: usize| {
        records.feed_call(&events[n]);
        kinds(&lines(records))
    };
    let all: Vec<Vec<String>> = (0..events.len()).map(|n| at(&mut records, n)).collect();
    assert_eq!((&all[3][..], &all[6][..]), (&["attempt 1".to_owned()][..], &["attempt 2".to_owned()][..]));
    assert_eq!((&all[7][..], all[8].is_empty()), (&["session 2".to_owned()][..], true));
}

#[test]
fn a_refused_invite_is_one_line() {
    let mut records = records();
    feed(&mut records, &challenged_call(1));
    let lines = lines(&mut records);
    assert_eq!(kinds(&lines), ["session 0"]);
    let text = records.render(&Snapshot::default());
    assert!(!text.contains("sbc_call_attempts_total{"), "a challenge is no call:\n{text}");
}

#[test]
fn the_session_says_all_that_is_known() {
    let mut records = records();
    feed(&mut records, &answered_call(0x2a));
    let all = parsed(&lines(&mut records));
    let session = all.last().expect("a session");
    assert_eq!((session.seq, session.call.as_str(), session.attempt), (5, "000000000000002a", 1));
    assert_eq!((session.from_in.as_str(), session.to_routing.as_deref()), ("alice", Some("030123456")));
    assert_eq!((session.from_out.as_deref(), session.trunk_b.as_deref()), (Some("4989"), Some("acme")));
    assert_eq!((session.realm_a.as_str(), session.realm_b.as_deref()), ("browsers", Some("carriers")));
    assert_eq!((session.transport_a.as_str(), session.transport_b.as_deref()), ("wss", Some("udp")));
    assert_eq!((session.pdd_ms, session.setup_ms, session.ring_ms), (Some(80), Some(2_380), Some(2_300)));
    assert_eq!((session.talk_ms, session.disconnect_initiator), (Some(12_000), Some(Initiator::Caller)));
    assert_eq!(session.started, "2026-11-20T15:44:00.000Z");
    assert_eq!(session.ended.as_deref(), Some("2026-11-20T15:44:14.380Z"));
    assert_eq!((session.codec_a.as_deref(), session.codec_b.as_deref()), (Some("opus/48000/2"), Some("PCMA/8000")));
    assert_eq!((session.crypto_a.as_deref(), &session.crypto_b), (Some("AEAD_AES_128_GCM"), &None));
    assert_eq!(session.media_a.as_deref(), Some("198.51.100.2:41000"));
    let cause = session.cause.as_ref().expect("a cause");
    assert_eq!((cause.sip_code, cause.q850, cause.internal_code.as_str()), (200, 16, "hangup"));
    let b_in = session.b_in.as_ref().expect("numbers");
    assert_eq!((b_in.packets, b_in.mos, b_in.mos_method.as_deref()), (590, Some(4.35), Some("e_model")));
    assert_eq!(b_in.mos_confidence.as_deref(), Some("high"));
}

#[test]
fn numbers_and_addresses_are_redacted_in_the_log() {
    let mut records = Records::new(Config { log: Level::Trace, ..config() });
    feed(&mut records, &answered_call(1));
    let mut text = String::new();
    while let Some(output) = records.poll_output() {
        if let Output::Log(line) = output {
            text.push_str(&format!("{:?} {line}\n", line.level));
        }
    }
    assert!(text.contains("Info call answered call=0000000000000001 trunk=acme attempt=1 setup_ms=2380"), "{text}");
    assert!(text.contains("Info call ended call=0000000000000001 trunk=acme talk_ms=12000 status=200 cause=hangup"));
    assert!(!text.contains("4930123456") && !text.contains("198.51.100.2") && !text.contains("192.0.2.9"));
}

#[test]
fn what_strangers_do_is_not_in_the_log() {
    let mut records = records();
    feed(&mut records, &challenged_call(1));
    let logged = std::iter::from_fn(|| records.poll_output()).filter(|o| matches!(o, Output::Log(_))).count();
    assert_eq!(logged, 0);
}

#[test]
fn counts_each_attempt_and_each_call_once() {
    let mut records = records();
    feed(&mut records, &answered_call(1));
    feed(&mut records, &failed_call(2));
    feed(&mut records, &answered_call(3)[..5]);
    let text = records.render(&Snapshot::default());
    for line in [
        "sbc_call_attempts_total{direction=\"in\",trunk=\"\"} 3",
        "sbc_call_attempts_total{direction=\"out\",trunk=\"acme\"} 3",
        "sbc_call_attempts_total{direction=\"out\",trunk=\"backup\"} 1",
        "sbc_call_results_total{cause=\"normal\",direction=\"in\",result=\"answered\",trunk=\"\"} 1",
        "sbc_call_results_total{cause=\"normal\",direction=\"out\",result=\"answered\",trunk=\"acme\"} 1",
        "sbc_call_results_total{cause=\"sip_5xx\",direction=\"out\",result=\"failed\",trunk=\"acme\"} 1",
        "sbc_call_results_total{cause=\"sip_4xx\",direction=\"out\",result=\"busy\",trunk=\"backup\"} 1",
        "sbc_call_results_total{cause=\"sip_4xx\",direction=\"in\",result=\"busy\",trunk=\"\"} 1",
        "sbc_calls_active{trunk=\"acme\"} 1",
        "sbc_calls_active{trunk=\"backup\"} 0",
        "sbc_calls_total 2",
        "sbc_call_duration_seconds_sum{trunk=\"acme\"} 12",
        "sbc_call_pdd_seconds_count{trunk=\"acme\"} 2",
        "sbc_call_setup_seconds_count{trunk=\"acme\"} 2",
        "sbc_media_sessions{path=\"transcode\"} 0",
        "sbc_media_mos_count{direction=\"in\",trunk=\"acme\"} 1",
        "sbc_media_mos_count{direction=\"out\",trunk=\"acme\"} 1",
        "sbc_dtls_handshake_seconds_count 1",
        "sbc_cdr_written_total 5",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let stats = records.trunk(at(20_000), TrunkId(0));
    assert_eq!((stats.attempts, stats.asr_ratio, stats.acd_secs), (2, Some(0.5), Some(12.0)));
}

#[test]
fn one_way_audio_is_counted_and_explained() {
    let mut records = records();
    let mut events = answered_call(1);
    let last = events.len() - 2;
    events[last].kind = closed(report(600, 0), report(0, 600));
    feed(&mut records, &events);
    let text = records.render(&Snapshot::default());
    assert!(text.contains("sbc_media_one_way_total{side=\"b\"} 1") && text.contains("{side=\"a\"} 0"));
    let why = records.why(CallId(1)).expect("the call");
    assert_eq!(
        why.summary,
        "one-way audio: nothing came from the called side although it was sent to; \
         the caller hung up after 12 s of talk"
    );
}

#[test]
fn a_call_is_found_by_all_its_names() {
    let mut records = records();
    feed(&mut records, &challenged_call(0x1f));
    let mut again = answered_call(0x20);
    if let EventKind::Started { call_id, .. } = &mut again[0].kind {
        *call_id = "a31@browser".into();
    }
    feed(&mut records, &again);
    for name in ["0000000000000020", "a31@browser", "b32-1@sbc", &format!("{:032X}", 0x20)] {
        assert_eq!(records.find(name), Some(CallId(0x20)), "{name}");
    }
    assert_eq!((records.find("nobody"), records.find("")), (None, None));
}

#[test]
fn views_have_the_shape_of_the_api() {
    let mut records = records();
    let events = answered_call(1);
    feed(&mut records, &events[..9]);
    records.feed_sample(at(5_000), CallId(1), &[report(100, 100), report(100, 100)], true);
    let calls = records.live_calls(at(7_380), 500);
    let json = serde_json::to_value(&calls).expect("values");
    assert_eq!(json[0]["state"], "answered");
    assert_eq!((&json[0]["duration_secs"], &json[0]["mos_a"]), (&5.into(), &4.35.into()));
    assert_eq!((&json[0]["path"], &json[0]["held"]), (&"transcode".into(), &false.into()));
    feed(&mut records, &events[9..]);
    let detail = records.view(CallId(1), at(20_000), true).expect("remembered");
    let json = serde_json::to_value(&detail).expect("values");
    assert_eq!((&json["cause"]["internal_code"], &json["talk_ms"]), (&"hangup".into(), &12_000.into()));
    assert_eq!(json["legs"][0]["peer"], "198.51.100.2:40000");
    assert_eq!((&json["media"][0]["leg"], &json["media"][0]["packets"]), (&"A".into(), &600.into()));
    assert_eq!(json["media"][0]["first_packet_ms"], 2_600);
    assert_eq!(json["mos_curve"][0]["at_ms"], 5_000);
    let hidden = records.view(CallId(1), at(20_000), false).expect("remembered");
    let text = serde_json::to_string(&hidden).expect("text");
    assert!(!text.contains("198.51.100.2") && !text.contains("192.0.2.9"), "{text}");
    let labels: Vec<&str> = detail.events.iter().map(|e| e.label.as_str()).collect();
    assert!(labels.starts_with(&["INVITE", "rule 1 (germany) matches", "to acme, backup", "INVITE"]), "{labels:?}");
    assert!(labels.ends_with(&["BYE", "BYE", "media closed", "record written"]), "{labels:?}");
}

#[test]
fn says_the_first_cause_first() {
    let mut records = records();
    let mut events = failed_call(1);
    events[1].kind = routed(&[ACME], &["rule 1 matches", "trunk backup skipped: it is down"]);
    events.drain(4..7);
    events[4].kind = ending(503, Internal::Rejected, Initiator::Callee);
    feed(&mut records, &events);
    let why = records.why(CallId(1)).expect("the call");
    assert_eq!(
        why.summary,
        "acme answered 503 Service Unavailable after 212 ms; trunk backup skipped: it is down; \
         the caller got 503 Service Unavailable because of acme"
    );
    assert!(why.text.contains("X +0.212 s  acme answered 503 Service Unavailable after 212 ms\n"), "{}", why.text);
    assert!(why.text.contains("look at: the peer's own logs"));
}

#[test]
fn a_failure_of_media_is_not_told_twice() {
    let mut records = records();
    let mut events = answered_call(1);
    let failure = Media::Failed { leg: Leg::A, why: MediaFailure::IceTimeout };
    events[9] = event(1, 9_000, EventKind::Media(failure));
    events.insert(10, event(1, 9_000, ending(200, Internal::Media(MediaFailure::IceTimeout), Initiator::Media)));
    feed(&mut records, &events);
    let why = records.why(CallId(1)).expect("the call");
    assert_eq!(
        why.summary,
        "the call ended after 6.6 s of talk: no ICE check of the caller arrived: its media never reached us"
    );
}

#[test]
fn live_steps_are_made_only_for_who_watches() {
    let mut records = records();
    let live = |records: &mut Records| {
        std::iter::from_fn(|| records.poll_output()).filter(|o| matches!(o, Output::Live(_))).count()
    };
    feed(&mut records, &challenged_call(1));
    assert_eq!(live(&mut records), 0);
    records.watch(true);
    feed(&mut records, &challenged_call(2));
    assert_eq!(live(&mut records), 4);
}

#[test]
fn events_after_the_last_change_nothing() {
    let mut records = records();
    feed(&mut records, &answered_call(1));
    lines(&mut records);
    let before = records.render(&Snapshot::default());
    feed(&mut records, &answered_call(1));
    records.feed_call(&event(99, 5, EventKind::Ended));
    assert_eq!(lines(&mut records), Vec::<String>::new());
    assert_eq!(records.render(&Snapshot::default()), before);
}

#[test]
fn strangers_push_out_only_strangers() {
    let mut records = records();
    feed(&mut records, &answered_call(1));
    for call in 2..2_000 {
        feed(&mut records, &challenged_call(call));
        lines(&mut records);
    }
    assert!(records.story(CallId(1)).is_some() && records.story(CallId(2)).is_none());
    assert_eq!((records.find("a2@browser"), records.live_count()), (None, 0));
}

#[test]
fn a_new_configuration_keeps_what_runs() {
    let mut records = records();
    let events = answered_call(1);
    feed(&mut records, &events[..5]);
    let names = Names { realms: config().realms, trunks: vec!["acme".into(), "backup".into(), "third".into()] };
    records.reconfigure("v8", names);
    feed(&mut records, &events[5..]);
    let last = parsed(&lines(&mut records)).pop().expect("a session");
    assert_eq!((last.config_version.as_str(), last.trunk_b.as_deref()), ("v8", Some("acme")));
    assert_eq!(records.trunk(at(20_000), TrunkId(0)).attempts, 1);
    assert_eq!(records.trunk(at(20_000), TrunkId(2)).attempts, 0);
}
