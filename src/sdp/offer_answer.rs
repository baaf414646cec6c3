//! Our offers and answers, written from scratch (RFC 3264 §5, §6, §8; RFC 9429 §5.2, §5.3 in part).
//!
//! Nothing of a peer's description is copied but what it must find again: the
//! number, order, kind and profile of its media sections, its mids, and its
//! payload type numbers, and only towards that same peer. Every section that is
//! not our one audio stream is rejected with port 0 and stays out of BUNDLE.
//!
//! We offer DTLS `actpass` and answer it `active`: see `setup`.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::attribute::Attributes;
use super::candidate::Candidate;
use super::direction::Direction;
use super::fingerprint::Fingerprint;
use super::fmtp::{EVENT_PARAMS, Fmtp, OPUS_PARAMS};
use super::media::{Media, MediaKind};
use super::negotiate::audio_index;
use super::profile::{LegKind, Protocol};
use super::remote::{Capabilities, Remote};
use super::rtpmap::{Codec, RtpMap};
use super::session::{Address, Connection, Origin, Session};
use super::setup::Setup;
use crate::base::redact::Secret;

/// Our side of one leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// Which kind of leg.
    pub kind: LegKind,
    /// `o=` identifier: one for the whole life of the leg.
    pub session_id: u64,
    /// `o=` version: one more for each description that differs (RFC 3264 §8).
    pub version: u64,
    /// Where we receive.
    pub address: IpAddr,
    /// Port for RTP, and on WebRTC legs for everything.
    pub rtp_port: u16,
    /// Port for RTCP; `None` shares the RTP port (if a SIP peer agrees).
    pub rtcp_port: Option<u16>,
    /// ICE; needed on WebRTC legs, ignored on others.
    pub ice: Option<IceParams>,
    /// Our certificate's; needed on WebRTC legs, ignored on others.
    pub fingerprint: Option<Fingerprint>,
    /// The DTLS role we have, or `ActPass` while it is open. Offers say `actpass` all the same (RFC 8842 §5.5).
    pub setup: Setup,
    /// The SSRC we send with.
    pub ssrc: u32,
    /// Our RTCP name; also names the media stream. Letters and digits.
    pub cname: String,
    /// What we would like to do; an answer does at most what the offer allows.
    pub direction: Direction,
}

/// Our ICE parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceParams {
    /// User name fragment.
    pub ufrag: String,
    /// Password.
    pub pwd: Secret,
    /// Addresses at which we can be checked, the preferred first.
    pub candidates: Vec<SocketAddr>,
}

/// A codec and the payload type we offer it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedCodec {
    /// Which.
    pub codec: Codec,
    /// Payload type, 0 to 127.
    pub pt: u8,
}

/// telephone-event at a clock rate, and its payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedEvent {
    /// Payload type, 96 to 127.
    pub pt: u8,
    /// Rate of RTP timestamps, Hz.
    pub clock_hz: u32,
}

/// The formats of a description, in order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    /// Codecs.
    pub codecs: Vec<OfferedCodec>,
    /// telephone-event, one a clock rate.
    pub events: Vec<OfferedEvent>,
    /// Packet length we ask for, ms; 0 asks for none.
    pub ptime_ms: u16,
}

/// What an answer takes of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// Codecs, in our order of preference; those that were not offered are left out.
    pub codecs: Vec<Codec>,
    /// Whether to take the telephone-events that were offered.
    pub dtmf: bool,
    /// Packet length we ask for, ms; 0 asks for none.
    pub ptime_ms: u16,
}

impl Formats {
    /// The formats of a first offer: `caps` with the usual payload types.
    pub fn standard(caps: &Capabilities) -> Self {
        Self::numbered(caps, None)
    }

    /// The formats of a later offer: `caps` with the payload types they had in `previous`, our last
    /// description, because a number must not change its meaning (RFC 3264 §8.3.2).
    pub fn keeping(caps: &Capabilities, previous: &Session) -> Self {
        Self::numbered(caps, audio_index(previous).map(|index| &previous.media[index]))
    }

    fn numbered(caps: &Capabilities, previous: Option<&Media>) -> Self {
        let known = |wanted: &dyn Fn(&RtpMap) -> bool| {
            previous
                .and_then(|media| media.payload_types().find(|pt| media.rtpmap(*pt).is_some_and(|map| wanted(&map))))
        };
        let mut taken: Vec<u8> = previous.map(|media| media.payload_types().collect()).unwrap_or_default();
        let mut number = |kept: Option<u8>, usual: u8| {
            let pt = kept.unwrap_or_else(|| match taken.contains(&usual) {
                false => usual,
                // `previous` is ours and names six numbers at most, so one of these is free.
                true => (96..=127).find(|pt| !taken.contains(pt)).unwrap_or(usual),
            });
            taken.push(pt);
            pt
        };
        let codecs = caps
            .codecs
            .iter()
            .map(|codec| OfferedCodec {
                codec: *codec,
                pt: number(known(&|map| map.codec() == Some(*codec)), codec.static_payload_type().unwrap_or(OPUS_PT)),
            })
            .collect();
        // RFC 4733 §2.1: events share the clock of the audio they stand in for. Every gateway knows 8,000.
        let clocks = [(48_000, 110, caps.codecs.contains(&Codec::Opus)), (8_000, 101, true)];
        let events = clocks
            .into_iter()
            .filter(|(_, _, needed)| *needed && caps.dtmf)
            .map(|(clock_hz, usual, _)| OfferedEvent {
                pt: number(known(&|map| map.is_events() && map.clock_hz == clock_hz), usual),
                clock_hz,
            })
            .collect();
        Self { codecs, events, ptime_ms: caps.ptime_ms }
    }

    /// What `chosen` takes of an offer, with the offer's numbers.
    fn taken(judged: &Remote, chosen: &Chosen) -> Self {
        let codecs: Vec<_> = chosen
            .codecs
            .iter()
            .filter_map(|codec| judged.codec(*codec))
            .map(|remote| OfferedCodec { codec: remote.codec, pt: remote.receive_pt })
            .collect();
        let opus = codecs.iter().any(|offered| offered.codec == Codec::Opus);
        let events = judged
            .dtmf
            .iter()
            // Phones take 48 kHz events only beside Opus; browsers pick by the codec in use.
            .filter(|event| chosen.dtmf && (judged.kind == LegKind::WebRtc || event.clock_hz == 8_000 || opus))
            .map(|event| OfferedEvent { pt: event.receive_pt, clock_hz: event.clock_hz })
            .collect();
        Self { codecs, events, ptime_ms: chosen.ptime_ms }
    }
}

/// Our first offer on a leg.
pub fn offer(local: &Local, formats: &Formats) -> Session {
    let webrtc = local.kind == LegKind::WebRtc;
    let audio = Audio {
        protocol: if webrtc { Protocol::UdpTlsSavpf } else { Protocol::Avp },
        mid: webrtc.then_some(FIRST_MID),
        setup: Setup::ActPass,
        direction: local.direction,
        rtcp_mux: webrtc || local.rtcp_port.is_none(),
    };
    let mut session = session(local, audio.mid);
    session.media.push(audio.section(local, formats));
    session
}

/// A later offer on a leg; `previous` is our last description, offer or answer, and keeps the shape.
pub fn reoffer(local: &Local, formats: &Formats, previous: &Session) -> Session {
    let Some(index) = audio_index(previous) else {
        return offer(local, formats);
    };
    let before = &previous.media[index];
    let webrtc = local.kind == LegKind::WebRtc;
    let audio = Audio {
        protocol: before.protocol.clone(),
        mid: before.mid().or(webrtc.then_some(FIRST_MID)),
        setup: Setup::ActPass,
        direction: local.direction,
        rtcp_mux: webrtc || local.rtcp_port.is_none(),
    };
    let mut session = session(local, audio.mid.filter(|_| webrtc));
    // RFC 3264 §8: as many sections as before, in their order; what is rejected stays so.
    session.media = (0..)
        .zip(&previous.media)
        .map(|(i, media)| if i == index { audio.section(local, formats) } else { rejected(media) })
        .collect();
    session
}

/// Our answer to `offer`, which `judged` judges; rejects all but its audio section.
pub fn answer(local: &Local, offer: &Session, judged: &Remote, chosen: &Chosen) -> Session {
    let webrtc = judged.kind == LegKind::WebRtc;
    let formats = Formats::taken(judged, chosen);
    let accepted = !formats.codecs.is_empty();
    let mid = judged.mid.as_deref();
    // RFC 9143 §7.3.1: the group of an answer holds what is accepted of the offered group.
    let group = mid.filter(|mid| webrtc && accepted && offer.bundles(mid));
    let mut session = session(local, group);
    session.media = (0..)
        .zip(&offer.media)
        .map(|(i, media): (usize, _)| {
            if i != judged.audio_index || !accepted {
                return rejected(media);
            }
            let audio = Audio {
                protocol: media.protocol.clone(),
                mid,
                setup: judged.setup.unwrap_or(Setup::ActPass).answer(local.setup),
                direction: judged.direction.answer(local.direction),
                rtcp_mux: judged.rtcp_mux && (webrtc || local.rtcp_port.is_none()),
            };
            audio.section(local, &formats)
        })
        .collect();
    session
}

/// The session level of a description of ours.
fn session(local: &Local, bundle: Option<&str>) -> Session {
    let mut session = Session::by(Origin {
        username: "-".into(),
        id: local.session_id.to_string(),
        version: local.version.to_string(),
        address: Address::Ip(local.address),
    });
    // At session level it also serves rejected sections, which need one too.
    session.connection = Some(Connection::to(local.address));
    if local.kind == LegKind::WebRtc {
        session.attributes.flag("ice-lite");
        // RFC 8839 §5.6: we follow RFC 8445.
        session.attributes.push("ice-options", "ice2");
        if let Some(mid) = bundle {
            session.attributes.push("group", format_args!("BUNDLE {mid}"));
        }
        session.attributes.push("msid-semantic", "WMS *");
    }
    session
}

/// A section that we do not take (RFC 3264 §6): port 0, its kind, profile, one format, its mid.
fn rejected(media: &Media) -> Media {
    let unnamed = if media.protocol.is_rtp() { "0" } else { "-" };
    let format = media.formats.first().cloned().unwrap_or_else(|| unnamed.to_owned());
    let mut rejected = Media::bare(media.kind.clone(), 0, media.protocol.clone(), vec![format]);
    if let Some(mid) = media.mid() {
        rejected.attributes.push("mid", mid);
    }
    rejected.attributes.flag(Direction::Inactive.name());
    rejected
}

/// What distinguishes our audio section in an offer from that in an answer.
struct Audio<'a> {
    protocol: Protocol,
    mid: Option<&'a str>,
    setup: Setup,
    direction: Direction,
    rtcp_mux: bool,
}

impl Audio<'_> {
    fn section(&self, local: &Local, formats: &Formats) -> Media {
        let numbers = formats.codecs.iter().map(|c| c.pt).chain(formats.events.iter().map(|e| e.pt));
        let mut media = Media::bare(
            MediaKind::Audio,
            local.rtp_port,
            self.protocol.clone(),
            numbers.map(|pt| pt.to_string()).collect(),
        );
        let attributes = &mut media.attributes;
        if let Some(mid) = self.mid {
            attributes.push("mid", mid);
        }
        write_formats(attributes, formats);
        attributes.flag(self.direction.name());
        if self.rtcp_mux {
            attributes.flag("rtcp-mux");
        } else if let Some(rtcp) = local.rtcp_port
            && local.rtp_port.checked_add(1) != Some(rtcp)
        {
            // RFC 3605 §2.1: only where the rule of the next port does not hold.
            attributes.push("rtcp", rtcp);
        }
        if local.kind == LegKind::WebRtc {
            self.write_webrtc(attributes, local);
        }
        media
    }

    fn write_webrtc(&self, attributes: &mut Attributes, local: &Local) {
        if let Some(fingerprint) = &local.fingerprint {
            attributes.push("fingerprint", fingerprint);
            attributes.push("setup", self.setup);
        }
        attributes.push("msid", format_args!("{} audio", local.cname));
        attributes.push("ssrc", format_args!("{} cname:{}", local.ssrc, local.cname));
        let Some(ice) = &local.ice else { return };
        attributes.push("ice-ufrag", &ice.ufrag);
        attributes.push("ice-pwd", ice.pwd.reveal());
        for (index, address) in (0..).zip(&ice.candidates) {
            attributes.push("candidate", Candidate::host(index, *address));
        }
        // RFC 8840 §8.2: a lite agent knows its candidates, nothing is trickled.
        attributes.flag("end-of-candidates");
    }
}

fn write_formats(attributes: &mut Attributes, formats: &Formats) {
    for OfferedCodec { codec, pt } in &formats.codecs {
        attributes.push("rtpmap", RtpMap::of(*codec, *pt));
        if *codec == Codec::Opus {
            attributes.push("fmtp", Fmtp { pt: *pt, params: OPUS_PARAMS.to_owned() });
        }
    }
    for OfferedEvent { pt, clock_hz } in &formats.events {
        attributes.push("rtpmap", RtpMap::events(*pt, *clock_hz));
        attributes.push("fmtp", Fmtp { pt: *pt, params: EVENT_PARAMS.to_owned() });
    }
    if formats.ptime_ms != 0 {
        attributes.push("ptime", formats.ptime_ms);
    }
}

/// What browsers offer Opus as; RFC 3551 fixes no number for it.
const OPUS_PT: u8 = 111;

/// The mid of our one section when we name it.
const FIRST_MID: &str = "0";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::negotiate::{judge_answer, judge_offer, kind_of};
    use super::super::parse::parse;
    use super::*;

    fn local(kind: LegKind) -> Local {
        let address = IpAddr::from([203, 0, 113, 5]);
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
                candidates: vec![SocketAddr::new(address, 40_000)],
            }),
            fingerprint: Some(Fingerprint::sha256([7; 32])),
            setup: Setup::ActPass,
            ssrc: 99,
            cname: "c".into(),
            direction: Direction::SendRecv,
        }
    }

    fn caps(kind: LegKind, codecs: &[Codec]) -> Capabilities {
        Capabilities { kind, codecs: codecs.to_vec(), dtmf: true, ptime_ms: 20 }
    }

    fn chosen(codecs: &[Codec]) -> Chosen {
        Chosen { codecs: codecs.to_vec(), dtmf: true, ptime_ms: 20 }
    }

    #[test]
    fn rtcp_port_is_named_only_when_it_is_not_the_next() {
        let formats = Formats::standard(&caps(LegKind::Sip, &[Codec::Pcma]));
        let line = |rtcp_port| {
            let session = offer(&Local { rtcp_port, ..local(LegKind::Sip) }, &formats);
            (session.media[0].attributes.value("rtcp").map(str::to_owned), session.media[0].attributes.has("rtcp-mux"))
        };
        assert_eq!(line(Some(40_001)), (None, false));
        assert_eq!(line(Some(40_009)), (Some("40009".into()), false));
        assert_eq!(line(None), (None, true));
    }

    #[test]
    fn events_at_48_khz_come_only_beside_opus() {
        let clocks = |codecs: &[Codec]| -> Vec<_> {
            Formats::standard(&caps(LegKind::Sip, codecs)).events.iter().map(|e| (e.pt, e.clock_hz)).collect()
        };
        assert_eq!(clocks(&[Codec::Pcma]), [(101, 8_000)]);
        assert_eq!(clocks(&[Codec::Pcma, Codec::Opus]), [(110, 48_000), (101, 8_000)]);
    }

    #[test]
    fn later_offers_keep_shape_mids_and_numbers() {
        let theirs = parse(
            b"v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nm=video 5000 RTP/AVP 101 97\na=mid:v\n\
              m=audio 4000 RTP/AVPF 101 8 96\na=mid:a\na=rtpmap:101 opus/48000/2\na=rtpmap:96 telephone-event/8000\n",
        )
        .expect("an offer");
        let everything = caps(LegKind::Sip, &Codec::ALL);
        let judged = judge_offer(&theirs, &everything).expect("a fit offer");
        let first = answer(&local(LegKind::Sip), &theirs, &judged, &chosen(&[Codec::Opus, Codec::Pcma]));
        let later = Local { version: 2, direction: Direction::SendOnly, ..local(LegKind::Sip) };
        let again = reoffer(&later, &Formats::keeping(&everything, &first), &first);
        assert_eq!(
            again.to_string().replace("\r\n", "\n"),
            "v=0\no=- 4711 2 IN IP4 203.0.113.5\ns=-\nc=IN IP4 203.0.113.5\nt=0 0\nm=video 0 RTP/AVP 101\na=mid:v\na=inactive\n\
             m=audio 40000 RTP/AVPF 101 0 8 9 110 96\na=mid:a\na=rtpmap:101 opus/48000/2\na=fmtp:101 minptime=10;useinbandfec=1\n\
             a=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:9 G722/8000\na=rtpmap:110 telephone-event/48000\na=fmtp:110 0-15\n\
             a=rtpmap:96 telephone-event/8000\na=fmtp:96 0-15\na=ptime:20\na=sendonly\n"
        );
    }

    #[test]
    fn taken_number_is_not_given_twice() {
        let previous =
            parse(b"v=0\no=- 1 1 IN IP4 a\ns=-\nm=audio 4000 RTP/AVP 111\na=rtpmap:111 telephone-event/8000\n")
                .expect("ours");
        let formats = Formats::keeping(&caps(LegKind::WebRtc, &[Codec::Opus]), &previous);
        assert_eq!(formats.codecs, [OfferedCodec { codec: Codec::Opus, pt: 96 }]);
        assert_eq!(formats.events.iter().map(|e| e.pt).collect::<Vec<_>>(), [110, 111]);
    }

    #[test]
    fn audio_without_a_chosen_codec_is_rejected() {
        let theirs =
            parse(b"v=0\no=- 1 1 IN IP4 a\ns=-\nc=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 8\n").expect("an offer");
        let judged = judge_offer(&theirs, &caps(LegKind::Sip, &Codec::ALL)).expect("a fit offer");
        let ours = answer(&local(LegKind::Sip), &theirs, &judged, &chosen(&[Codec::Opus]));
        assert_eq!((ours.media[0].port, ours.media[0].formats.as_slice()), (0, ["8".to_owned()].as_slice()));
    }

    #[test]
    fn running_dtls_association_keeps_its_role() {
        let theirs = offer(&local(LegKind::WebRtc), &Formats::standard(&caps(LegKind::WebRtc, &[Codec::Opus])));
        let theirs = parse(theirs.to_string().replace("a=ice-lite\r\n", "").as_bytes()).expect("an offer");
        let judged = judge_offer(&theirs, &caps(LegKind::WebRtc, &[Codec::Opus])).expect("a fit offer");
        let setup = |setup| {
            let ours = answer(&Local { setup, ..local(LegKind::WebRtc) }, &theirs, &judged, &chosen(&[Codec::Opus]));
            ours.media[0].attributes.value("setup").map(str::to_owned)
        };
        assert_eq!(setup(Setup::ActPass).as_deref(), Some("active"));
        assert_eq!(setup(Setup::Passive).as_deref(), Some("passive"));
    }

    fn direction() -> impl Strategy<Value = Direction> {
        (any::<bool>(), any::<bool>()).prop_map(|(sends, receives)| Direction::of(sends, receives))
    }

    /// Both sides of a call as we would write them; a browser is not lite.
    fn as_peer(session: &Session) -> Session {
        let mut session = parse(&session.to_bytes()).expect("ours reads back");
        session.attributes.0.retain(|attribute| attribute.name != "ice-lite");
        session
    }

    proptest! {
        #[test]
        fn our_offers_and_answers_agree(
            webrtc in any::<bool>(),
            offered in proptest::sample::subsequence(Codec::ALL.to_vec(), 1..=4).prop_shuffle(),
            able in proptest::sample::subsequence(Codec::ALL.to_vec(), 1..=4).prop_shuffle(),
            (mine, yours) in (direction(), direction()),
            (events, mux) in (any::<bool>(), any::<bool>()),
        ) {
            let kind = if webrtc { LegKind::WebRtc } else { LegKind::Sip };
            let rtcp_port = (!webrtc && !mux).then_some(40_001);
            let a = Local { direction: mine, rtcp_port, ..local(kind) };
            let b = Local { direction: yours, rtcp_port, ..local(kind) };
            let formats = Formats::standard(&Capabilities { dtmf: events, ..caps(kind, &offered) });
            let ours = as_peer(&offer(&a, &formats));
            prop_assert_eq!(kind_of(&ours), kind);

            let common: Vec<_> = offered.iter().copied().filter(|c| able.contains(c)).collect();
            let judged = judge_offer(&ours, &caps(kind, &able));
            prop_assert_eq!(judged.is_ok(), !common.is_empty());
            let Ok(judged) = judged else { return Ok(()) };
            prop_assert_eq!(judged.codecs.iter().map(|c| c.codec).collect::<Vec<_>>(), common);

            let theirs = as_peer(&answer(&b, &ours, &judged, &chosen(&able)));
            let agreed = judge_answer(&ours, &theirs).expect("our own answer fits our own offer");
            prop_assert_eq!(&theirs.media[0].protocol, &ours.media[0].protocol);
            prop_assert_eq!(theirs.media[0].mid(), ours.media[0].mid());
            prop_assert_eq!(agreed.direction, mine.answer(yours));
            prop_assert_eq!(agreed.rtcp_mux, rtcp_port.is_none());
            prop_assert_eq!(agreed.dtmf.is_empty(), !events);
            prop_assert!(agreed.codecs.iter().all(|c| c.pt == c.receive_pt && judged.codec(c.codec).is_some()));
            prop_assert_eq!(agreed.setup, webrtc.then_some(Setup::Active));
        }
    }
}
