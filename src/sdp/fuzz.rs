//! The body of the SDP fuzz target, compiled with the crate so that it always builds.
//!
//! Any bytes may be refused. What is accepted must read back from what is
//! written, and what is judged fit must be answered with as many sections as
//! were offered, by an answer that fits the offer.

use std::net::Ipv4Addr;

use super::{
    Capabilities, Chosen, Codec, Direction, Fingerprint, Formats, IceParams, LegKind, Local, Session, Setup, answer,
    judge_answer, judge_offer, kind_of, offer, parse, reoffer,
};
use crate::base::redact::Secret;

/// Feeds `bytes` through everything here.
///
/// # Panics
/// If one of the properties above does not hold: that is the finding.
pub fn run(bytes: &[u8]) {
    let Ok(session) = parse(bytes) else { return };
    assert_eq!(parse(&session.to_bytes()).as_ref(), Ok(&session), "what is written reads back");
    kind_of(&session);
    for kind in [LegKind::WebRtc, LegKind::Sip] {
        check_offer(&session, kind);
        let ours = offer(&local(kind), &Formats::standard(&everything(kind)));
        if let Ok(judged) = judge_answer(&ours, &session) {
            assert!(!judged.codecs.is_empty(), "an answer that fits has a codec");
        }
    }
}

fn check_offer(session: &Session, kind: LegKind) {
    let caps = everything(kind);
    let Ok(judged) = judge_offer(session, &caps) else { return };
    let chosen = Chosen { codecs: caps.codecs.clone(), dtmf: true, ptime_ms: 20 };
    let ours = answer(&local(kind), session, &judged, &chosen);
    assert_eq!(ours.media.len(), session.media.len(), "an answer has the offer's sections");
    assert_eq!(parse(&ours.to_bytes()).as_ref(), Ok(&ours), "our answer reads back");
    for (index, (theirs, media)) in session.media.iter().zip(&ours.media).enumerate() {
        assert_eq!(media.kind, theirs.kind);
        assert_eq!(media.port != 0, index == judged.audio_index, "all but the audio is rejected");
    }
    let again = reoffer(&local(kind), &Formats::keeping(&caps, &ours), &ours);
    assert_eq!(again.media.len(), ours.media.len(), "a later offer keeps the sections");
}

/// Everything that we can do on a leg.
fn everything(kind: LegKind) -> Capabilities {
    Capabilities { kind, codecs: Codec::ALL.to_vec(), dtmf: true, ptime_ms: 20 }
}

/// Some side of ours.
fn local(kind: LegKind) -> Local {
    let address = Ipv4Addr::new(203, 0, 113, 5).into();
    Local {
        kind,
        session_id: 4711,
        version: 1,
        address,
        rtp_port: 40_000,
        rtcp_port: (kind == LegKind::Sip).then_some(40_001),
        ice: Some(IceParams {
            ufrag: "ufra".into(),
            pwd: Secret::new("passwordpasswordpassword"),
            candidates: vec![(address, 40_000).into()],
        }),
        fingerprint: Some(Fingerprint::sha256([7; 32])),
        setup: Setup::ActPass,
        ssrc: 1,
        cname: "cname".into(),
        direction: Direction::SendRecv,
    }
}
