//! SDP in, SDP out, as users would paste them.
//!
//! Each case is what a real client sends, what we make of it and the text that
//! we answer or offer. Texts are written with bare LF; every line that leaves
//! ends in CRLF, which `text` checks while taking it off.

#[path = "wire_sdp/clients.rs"]
mod clients;

use std::net::IpAddr;

use proptest::prelude::*;
use sbc::base::redact::Secret;
use sbc::sdp::{
    Capabilities, Chosen, Codec, Direction, Fingerprint, Formats, IceParams, LegKind, Local, Remote, Session, Setup,
    answer, judge_answer, judge_offer, kind_of, offer, parse, reoffer,
};

use clients::*;

const CODECS: [Codec; 3] = [Codec::Opus, Codec::Pcma, Codec::Pcmu];

fn read(text: &str) -> Session {
    parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
}

fn text(session: &Session) -> String {
    let text = session.to_string();
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count(), "every line ends in CRLF");
    text.replace("\r\n", "\n")
}

fn caps(kind: LegKind) -> Capabilities {
    Capabilities { kind, codecs: CODECS.to_vec(), dtmf: true, ptime_ms: 20 }
}

fn judge(text: &str) -> Remote {
    let session = read(text);
    judge_offer(&session, &caps(kind_of(&session))).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn chosen(codecs: &[Codec]) -> Chosen {
    Chosen { codecs: codecs.to_vec(), dtmf: true, ptime_ms: 20 }
}

/// Our side toward browsers: ICE-lite on one port of 203.0.113.5.
fn browser_side() -> Local {
    let address = IpAddr::from([203, 0, 113, 5]);
    Local {
        kind: LegKind::WebRtc,
        session_id: 7001,
        version: 1,
        address,
        rtp_port: 40_000,
        rtcp_port: None,
        ice: Some(IceParams {
            ufrag: "s8c1".into(),
            pwd: Secret::new("pppppppppppppppppppppppp"),
            candidates: vec![
                (address, 40_000).into(),
                (IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 5]), 40_000).into(),
            ],
        }),
        fingerprint: Some(Fingerprint::sha256([0xAB; 32])),
        setup: Setup::ActPass,
        ssrc: 305_419_896,
        cname: "k3v9".into(),
        direction: Direction::SendRecv,
    }
}

/// Our side toward phones and trunks: plain RTP on 10.0.0.5.
fn phone_side() -> Local {
    Local {
        kind: LegKind::Sip,
        session_id: 8001,
        version: 1,
        address: IpAddr::from([10, 0, 0, 5]),
        rtp_port: 30_000,
        rtcp_port: Some(30_001),
        ice: None,
        fingerprint: None,
        setup: Setup::ActPass,
        ssrc: 1,
        cname: "k3v9".into(),
        direction: Direction::SendRecv,
    }
}

#[test]
fn chromium_offer_is_answered_active_with_its_numbers() {
    let judged = judge(CHROMIUM);
    assert_eq!(judged.kind, LegKind::WebRtc);
    let codecs: Vec<_> = judged.codecs.iter().map(|c| (c.codec, c.pt)).collect();
    assert_eq!(codecs, [(Codec::Opus, 111), (Codec::Pcmu, 0), (Codec::Pcma, 8)]);
    assert_eq!(judged.dtmf.iter().map(|e| (e.pt, e.clock_hz)).collect::<Vec<_>>(), [(110, 48_000), (126, 8_000)]);
    assert_eq!(
        (judged.setup, judged.ssrcs.as_slice(), judged.held),
        (Some(Setup::ActPass), [2_231_627_014].as_slice(), false)
    );
    let ice = judged.ice.as_ref().expect("a browser has ICE");
    assert_eq!((ice.ufrag.as_str(), ice.ignored), ("hO7b", 2));
    assert_eq!(ice.candidates.iter().map(|c| c.address.to_string()).collect::<Vec<_>>(), ["198.51.100.23:50123"]);

    let ours = answer(&browser_side(), &read(CHROMIUM), &judged, &chosen(&[Codec::Opus]));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 7001 1 IN IP4 203.0.113.5
s=-
c=IN IP4 203.0.113.5
t=0 0
a=ice-lite
a=ice-options:ice2
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=audio 40000 UDP/TLS/RTP/SAVPF 111 110 126
a=mid:0
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-15
a=rtpmap:126 telephone-event/8000
a=fmtp:126 0-15
a=ptime:20
a=sendrecv
a=rtcp-mux
a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
a=setup:active
a=msid:k3v9 audio
a=ssrc:305419896 cname:k3v9
a=ice-ufrag:s8c1
a=ice-pwd:pppppppppppppppppppppppp
a=candidate:1 1 udp 2130706431 203.0.113.5 40000 typ host
a=candidate:2 1 udp 2130706175 2001:db8::5 40000 typ host
a=end-of-candidates
"
    );
}

#[test]
fn firefox_video_and_data_are_rejected_and_leave_the_group() {
    let judged = judge(FIREFOX);
    let opus = judged.codec(Codec::Opus).expect("Firefox has Opus");
    assert_eq!((opus.pt, opus.fmtp.as_deref()), (109, Some("maxplaybackrate=48000;stereo=1;useinbandfec=1")));
    assert_eq!(judged.fingerprints[0].bytes[..2], [0x3C, 0xDC]);
    let local = Local { ice: None, fingerprint: None, ..browser_side() };
    let ours = answer(&local, &read(FIREFOX), &judged, &chosen(&[Codec::Pcma]));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 7001 1 IN IP4 203.0.113.5
s=-
c=IN IP4 203.0.113.5
t=0 0
a=ice-lite
a=ice-options:ice2
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=audio 40000 UDP/TLS/RTP/SAVPF 8 101
a=mid:0
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
a=rtcp-mux
a=msid:k3v9 audio
a=ssrc:305419896 cname:k3v9
m=video 0 UDP/TLS/RTP/SAVPF 120
a=mid:1
a=inactive
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
a=inactive
"
    );
}

#[test]
fn jssip_hold_is_answered_recvonly_and_keeps_the_dtls_role() {
    let judged = judge(JSSIP_HOLD);
    assert_eq!((judged.direction, judged.held), (Direction::SendOnly, true));
    assert_eq!((judged.origin.id.as_str(), judged.origin.version.as_str()), ("4611731400430051336", "3"));
    let ice = judged.ice.as_ref().expect("a browser has ICE");
    assert_eq!((ice.candidates.len(), ice.ignored), (1, 1), "component 2 is left out");
    let local = Local { version: 2, setup: Setup::Passive, ice: None, ..browser_side() };
    let ours = answer(&local, &read(JSSIP_HOLD), &judged, &chosen(&[Codec::Opus]));
    assert_eq!(ours.origin.version, "2");
    assert!(ours.media[0].attributes.has("recvonly"));
    assert_eq!(ours.media[0].attributes.value("setup"), Some("passive"));

    let resumed = judge(&JSSIP_HOLD.replace("a=sendonly", "a=inactive"));
    let ours = answer(&local, &read(JSSIP_HOLD), &resumed, &chosen(&[Codec::Opus]));
    assert!(ours.media[0].attributes.has("inactive"), "inactive is answered inactive");
}

#[test]
fn our_offer_to_a_browser_and_chromiums_answer() {
    let local = browser_side();
    let ours = offer(&local, &Formats::standard(&caps(LegKind::WebRtc)));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 7001 1 IN IP4 203.0.113.5
s=-
c=IN IP4 203.0.113.5
t=0 0
a=ice-lite
a=ice-options:ice2
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=audio 40000 UDP/TLS/RTP/SAVPF 111 8 0 110 101
a=mid:0
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-15
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
a=rtcp-mux
a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB
a=setup:actpass
a=msid:k3v9 audio
a=ssrc:305419896 cname:k3v9
a=ice-ufrag:s8c1
a=ice-pwd:pppppppppppppppppppppppp
a=candidate:1 1 udp 2130706431 203.0.113.5 40000 typ host
a=candidate:2 1 udp 2130706175 2001:db8::5 40000 typ host
a=end-of-candidates
"
    );
    let judged = judge_answer(&ours, &read(CHROMIUM_ANSWER)).expect("a fit answer");
    assert_eq!(judged.codecs.iter().map(|c| c.codec).collect::<Vec<_>>(), [Codec::Opus, Codec::Pcma]);
    assert_eq!((judged.setup, judged.rtcp_mux, judged.dtmf.len()), (Some(Setup::Active), true, 2));
}

#[test]
fn hold_toward_a_browser_keeps_the_shape_of_our_answer() {
    let judged = judge(FIREFOX);
    let local = Local { ice: None, fingerprint: None, ..browser_side() };
    let first = answer(&local, &read(FIREFOX), &judged, &chosen(&[Codec::Opus]));
    let later = Local { version: 2, direction: Direction::SendOnly, ..local };
    let again = reoffer(&later, &Formats::keeping(&caps(LegKind::WebRtc), &first), &first);
    assert_eq!(
        text(&again),
        "\
v=0
o=- 7001 2 IN IP4 203.0.113.5
s=-
c=IN IP4 203.0.113.5
t=0 0
a=ice-lite
a=ice-options:ice2
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=audio 40000 UDP/TLS/RTP/SAVPF 109 8 0 110 101
a=mid:0
a=rtpmap:109 opus/48000/2
a=fmtp:109 minptime=10;useinbandfec=1
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-15
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendonly
a=rtcp-mux
a=msid:k3v9 audio
a=ssrc:305419896 cname:k3v9
m=video 0 UDP/TLS/RTP/SAVPF 120
a=mid:1
a=inactive
m=application 0 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
a=inactive
"
    );
}

#[test]
fn baresip_offer_is_answered_with_plain_rtp() {
    let judged = judge(BARESIP);
    assert_eq!(judged.kind, LegKind::Sip);
    assert_eq!((judged.rtp.to_string().as_str(), judged.rtcp.map(|at| at.port())), ("192.0.2.20:10178", Some(10_179)));
    assert_eq!(
        (judged.rtcp_mux, judged.ptime_ms, judged.ssrcs.as_slice()),
        (false, Some(20), [2_013_478_521].as_slice())
    );
    assert!(judged.ice.is_none() && judged.fingerprints.is_empty());
    let ours = answer(&phone_side(), &read(BARESIP), &judged, &chosen(&[Codec::Opus, Codec::Pcma]));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 8001 1 IN IP4 10.0.0.5
s=-
c=IN IP4 10.0.0.5
t=0 0
m=audio 30000 RTP/AVP 96 8 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 minptime=10;useinbandfec=1
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
"
    );
}

#[test]
fn sipp_offer_without_events_is_answered_without_events() {
    let judged = judge(SIPP);
    assert_eq!((judged.dtmf.len(), judged.rtcp.map(|at| at.port())), (0, Some(6001)));
    let ours = answer(&phone_side(), &read(SIPP), &judged, &chosen(&CODECS));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 8001 1 IN IP4 10.0.0.5
s=-
c=IN IP4 10.0.0.5
t=0 0
m=audio 30000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
a=sendrecv
"
    );
}

#[test]
fn our_offer_to_a_trunk_and_asterisks_answer() {
    let g711 = Capabilities { codecs: vec![Codec::Pcma, Codec::Pcmu], ..caps(LegKind::Sip) };
    let local =
        Local { rtcp_port: Some(30_077), address: IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9]), ..phone_side() };
    let ours = offer(&local, &Formats::standard(&g711));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 8001 1 IN IP6 2001:db8::9
s=-
c=IN IP6 2001:db8::9
t=0 0
m=audio 30000 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
a=rtcp:30077
"
    );
    let judged = judge_answer(&ours, &read(ASTERISK_ANSWER)).expect("a fit answer");
    assert_eq!(judged.rtp.to_string(), "192.0.2.40:14562");
    assert_eq!(judged.codecs.iter().map(|c| c.codec).collect::<Vec<_>>(), [Codec::Pcma]);
    assert_eq!((judged.ptime_ms, judged.max_ptime_ms), (Some(20), Some(150)));
}

#[test]
fn cisco_fax_line_is_rejected_in_its_place() {
    let judged = judge(CISCO);
    assert_eq!(judged.rtp.to_string(), "192.0.2.51:18216", "the section's own address counts");
    let ours = answer(&phone_side(), &read(CISCO), &judged, &chosen(&[Codec::Pcmu]));
    assert_eq!(
        text(&ours),
        "\
v=0
o=- 8001 1 IN IP4 10.0.0.5
s=-
c=IN IP4 10.0.0.5
t=0 0
m=audio 30000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
m=image 0 udptl t38
a=inactive
"
    );
}

#[test]
fn nothing_of_the_peer_is_in_our_answer() {
    for theirs in [CHROMIUM, FIREFOX, JSSIP_HOLD, BARESIP, SIPP, CISCO] {
        let judged = judge(theirs);
        let local = if judged.kind == LegKind::WebRtc { browser_side() } else { phone_side() };
        let ours = text(&answer(&local, &read(theirs), &judged, &chosen(&CODECS)));
        for inner in [
            "127.0.0.1",
            "192.0.2.",
            "198.51.100.",
            "10.1.2.3",
            ".local",
            "4611731400430051336",
            "hO7b",
            "8B:E9",
            "2231627014",
            "cname:w2",
            "Cisco",
            "user1",
            "mozilla",
            "baresip",
        ] {
            assert!(!ours.contains(inner), "{inner} in {ours}");
        }
    }
}

#[test]
fn wrong_realm_is_told_why() {
    let refused =
        |text: &str, kind| judge_offer(&read(text), &caps(kind)).err().map(|refusal| refusal.warning("sbc.example"));
    assert_eq!(
        refused(BARESIP, LegKind::WebRtc).as_deref(),
        Some("302 sbc.example \"Incompatible transport protocol\"")
    );
    assert_eq!(refused(CHROMIUM, LegKind::Sip).as_deref(), Some("302 sbc.example \"Incompatible transport protocol\""));
    let g729 = CISCO.replace("18 8 0 101 19", "18");
    assert_eq!(refused(&g729, LegKind::Sip).as_deref(), Some("305 sbc.example \"No codec in common\""));
    let fax = CISCO.replace("m=audio 18216", "m=audio 0");
    assert_eq!(refused(&fax, LegKind::Sip).as_deref(), Some("304 sbc.example \"No audio offered\""));
    let name = SIPP.replace("c=IN IP4 192.0.2.30", "c=IN IP4 phone.example");
    assert_eq!(
        refused(&name, LegKind::Sip).as_deref(),
        Some("301 sbc.example \"Incompatible network address format\"")
    );
}

#[test]
fn hostile_descriptions_are_refused_at_once() {
    let at = |text: String| parse(text.as_bytes()).err().map(|e| e.to_string());
    assert_eq!(
        at(SIPP.replace("RTP/AVP 0", "RTP/AVP 200")).as_deref(),
        Some("payload type is not a number below 128 in line 6 of the session description")
    );
    assert_eq!(
        at(format!("{SIPP}{}", "m=audio 1 RTP/AVP 0\n".repeat(2_000))).as_deref(),
        Some("too many m= lines in line 39 of the session description")
    );
    assert_eq!(
        at(format!("{SIPP}{}", "a=crypto:1 A inline:A\n".repeat(64))).as_deref(),
        Some("too many crypto lines in line 24 of the session description")
    );
    assert_eq!(
        at(format!("{SIPP}a=fmtp:0 x\0y\n")).as_deref(),
        Some("control character in line 8 of the session description")
    );
    assert_eq!(
        at(SIPP.replace("6000", "600000")).as_deref(),
        Some("port is not a number below 65536 in line 6 of the session description")
    );
}

proptest! {
    /// Real descriptions with bytes changed and lines dropped, doubled or moved.
    #[test]
    fn damaged_descriptions_end_in_a_value(
        theirs in proptest::sample::select(vec![CHROMIUM, FIREFOX, JSSIP_HOLD, CHROMIUM_ANSWER, BARESIP, SIPP, ASTERISK_ANSWER, CISCO]),
        bytes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        moves in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), 0..3), 0..4),
    ) {
        let mut lines: Vec<&str> = theirs.lines().collect();
        for (from, to, what) in moves {
            let line = lines[from.index(lines.len())];
            match what {
                0 => lines.insert(to.index(lines.len()), line),
                1 => {
 let (a, b) = (from.index(lines.len()), to.index(lines.len()));
 lines.swap(a, b);
 }
                _ => drop(lines.remove(from.index(lines.len()))),
            }
        }
        let mut text = lines.join("\n").into_bytes();
        for (at, byte) in bytes {
            let at = at.index(text.len());
            text[at] = byte;
        }
        sbc::sdp::fuzz::run(&text);
    }
}
