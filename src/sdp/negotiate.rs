//! Judging a peer's offer or answer (RFC 3264 §6, §7; RFC 9429 §5.8 in part).
//!
//! The first audio section that can be served wins; if none can, the refusal of
//! the first one is the answer. A WebRTC leg must bring ICE credentials, a
//! fingerprint and rtcp-mux; a SIP leg an address literal and plain RTP. Which
//! addresses a realm allows is not asked here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::candidate::Candidate;
use super::direction::Direction;
use super::fingerprint::Fingerprint;
use super::fmtp::Fmtp;
use super::media::{Media, MediaKind};
use super::profile::LegKind;
use super::remote::{Capabilities, Refusal, Remote, RemoteCodec, RemoteEvent, RemoteIce};
use super::rtpmap::{Codec, RtpMap};
use super::session::{Address, Session};
use super::setup::Setup;
use crate::base::limits::{SDP_CANDIDATES, SDP_FINGERPRINTS, SDP_SSRCS};
use crate::base::redact::Secret;

/// Judges what a peer offers us.
///
/// # Errors
/// A [`Refusal`] for the 488.
pub fn judge_offer(remote: &Session, caps: &Capabilities) -> Result<Remote, Refusal> {
    let mut refused = None;
    for (index, media) in remote.media.iter().enumerate() {
        if media.kind != MediaKind::Audio || !media.is_open() {
            continue;
        }
        match (Section { kind: caps.kind, session: remote, index, media }).judge(&Terms::Offer(caps)) {
            Ok(judged) => return Ok(judged),
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    Err(refused.unwrap_or(Refusal::NO_AUDIO))
}

/// Judges a peer's answer to what we offered.
///
/// # Errors
/// A [`Refusal`] with the reason for ending the call.
pub fn judge_answer(our_offer: &Session, remote: &Session) -> Result<Remote, Refusal> {
    let index = audio_index(our_offer).ok_or(Refusal::NO_AUDIO)?;
    let ours = &our_offer.media[index];
    // RFC 3264 §6 wants as many sections as were offered. Some phones drop those that were already
    // rejected at the end, which does no harm; more than we offered mean nothing at all.
    let media = remote.media.get(index).filter(|_| remote.media.len() <= our_offer.media.len());
    let media = media.filter(|media| media.kind == MediaKind::Audio).ok_or(Refusal::SHAPE)?;
    if media.port == 0 {
        return Err(Refusal::AUDIO_REJECTED);
    }
    let kind = kind_of(our_offer);
    Section { kind, session: remote, index, media }.judge(&Terms::Answer { session: our_offer, media: ours })
}

/// What kind of leg a description asks for, for realms that take both.
pub fn kind_of(session: &Session) -> LegKind {
    let mut audio = session.media.iter().filter(|media| media.kind == MediaKind::Audio);
    let webrtc = audio.any(|media| {
        let fingerprint = media.attributes.has("fingerprint") || session.attributes.has("fingerprint");
        media.protocol.is_dtls() || (media.protocol.is_secure() && fingerprint)
    });
    if webrtc { LegKind::WebRtc } else { LegKind::Sip }
}

/// Which section of a description of ours is the audio.
pub(super) fn audio_index(ours: &Session) -> Option<usize> {
    ours.media.iter().position(|media| media.kind == MediaKind::Audio && media.is_open())
}

/// What a section is measured by.
enum Terms<'a> {
    /// An offer, by what we can do.
    Offer(&'a Capabilities),
    /// An answer, by what we offered.
    Answer { session: &'a Session, media: &'a Media },
}

/// A format that both sides know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Codec(Codec),
    Events(u32),
}

impl Known {
    fn of(map: &RtpMap) -> Option<Self> {
        if map.is_events() {
            // Other clocks belong to codecs that we do not speak.
            return matches!(map.clock_hz, 8_000 | 48_000).then_some(Self::Events(map.clock_hz));
        }
        map.codec().map(Self::Codec)
    }
}

/// One audio section of a peer's description.
struct Section<'a> {
    kind: LegKind,
    session: &'a Session,
    index: usize,
    media: &'a Media,
}

impl Section<'_> {
    fn judge(&self, terms: &Terms<'_>) -> Result<Remote, Refusal> {
        let fingerprints = self.fingerprints();
        let protocol = &self.media.protocol;
        let fits = match self.kind {
            LegKind::WebRtc => protocol.is_dtls() || (protocol.is_secure() && !fingerprints.is_empty()),
            LegKind::Sip => protocol.is_plain(),
        };
        if !fits {
            return Err(Refusal::TRANSPORT);
        }
        let (rtp, rtcp) = self.addresses()?;
        let rtcp_mux = self.rtcp_mux(terms);
        let (codecs, dtmf) = self.formats(terms, rtcp_mux);
        if codecs.is_empty() {
            return Err(Refusal::NO_CODEC);
        }
        let (mut ice, mut setup) = (None, None);
        if self.kind == LegKind::WebRtc {
            ice = Some(self.ice()?);
            if fingerprints.is_empty() {
                return Err(Refusal::NO_FINGERPRINT);
            }
            // RFC 8834 §4.5 makes it mandatory for browsers; one port a call is what we have.
            if !rtcp_mux {
                return Err(Refusal::NO_MUX);
            }
            setup = Some(self.setup(terms)?);
        }
        let direction = self.direction(terms, rtp);
        Ok(Remote {
            kind: self.kind,
            origin: self.session.origin.clone(),
            audio_index: self.index,
            mid: self.media.mid().map(str::to_owned),
            rtp,
            rtcp,
            rtcp_mux,
            direction,
            held: !direction.receives(),
            codecs,
            dtmf,
            ptime_ms: self.milliseconds("ptime"),
            max_ptime_ms: self.milliseconds("maxptime"),
            ice,
            fingerprints: if self.kind == LegKind::WebRtc { fingerprints } else { Vec::new() },
            setup,
            ssrcs: self.ssrcs(),
        })
    }

    /// The section whose transport this one uses. RFC 9143 §7.1.3: a bundle-only section has no
    /// transport attributes of its own, those of the first mid of the group hold.
    fn transport(&self) -> &Media {
        let tagged =
            self.session.bundle().and_then(|mut mids| mids.next()).filter(|_| self.media.attributes.has("bundle-only"));
        tagged.and_then(|mid| self.session.media.iter().find(|media| media.mid() == Some(mid))).unwrap_or(self.media)
    }

    /// An attribute of the section, of its transport, or of the session.
    fn value(&self, name: &str) -> Option<&str> {
        let own = self.media.attributes.value(name);
        own.or_else(|| self.transport().attributes.value(name))
            .or_else(|| self.session.attributes.value(name))
            .map(str::trim)
    }

    fn rtcp_mux(&self, terms: &Terms<'_>) -> bool {
        let said = self.media.attributes.has("rtcp-mux") || self.transport().attributes.has("rtcp-mux");
        match terms {
            Terms::Offer(_) => said,
            // RFC 5761 §5.1.1: an answer may only take what was offered.
            Terms::Answer { media, .. } => said && media.attributes.has("rtcp-mux"),
        }
    }

    /// RTP and RTCP addresses.
    fn addresses(&self) -> Result<(SocketAddr, Option<SocketAddr>), Refusal> {
        let address = self.media.connection.as_ref().or(self.session.connection.as_ref()).map(|c| &c.address);
        let port = self.media.port;
        if self.kind == LegKind::WebRtc {
            // Only a default candidate, which trickling browsers leave empty.
            let ip = address.and_then(Address::ip).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            return Ok((SocketAddr::new(ip, port), None));
        }
        let ip = match address {
            None => return Err(Refusal::NO_ADDRESS),
            Some(Address::Other(_)) => return Err(Refusal::NETWORK),
            // Resolving names for media would let a peer aim us at anything, later.
            Some(Address::Name { .. }) => return Err(Refusal::ADDRESS),
            Some(Address::Ip(ip)) => ip.to_canonical(),
        };
        if ip.is_multicast() {
            return Err(Refusal::MULTICAST);
        }
        if ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Refusal::ADDRESS);
        }
        let rtcp = match self.media.attributes.value("rtcp") {
            Some(value) => rtcp_address(value, ip),
            None => port.checked_add(1).map(|port| SocketAddr::new(ip, port)),
        };
        Ok((SocketAddr::new(ip, port), rtcp))
    }

    fn direction(&self, terms: &Terms<'_>, rtp: SocketAddr) -> Direction {
        let own = Direction::read(&self.media.attributes);
        let said = own.or_else(|| Direction::read(&self.session.attributes)).unwrap_or_default();
        // RFC 3264 §8.4: c=0.0.0.0 is the old way to hold. Behind ICE it only means "not known yet".
        let reachable = self.kind == LegKind::WebRtc || !rtp.ip().is_unspecified();
        let said = said.and(Direction::of(true, reachable));
        match terms {
            Terms::Offer(_) => said,
            // RFC 3264 §6.1: whoever answers sendrecv to sendonly meant what was allowed.
            Terms::Answer { session, media } => {
                let ours = Direction::read(&media.attributes).or_else(|| Direction::read(&session.attributes));
                said.and(ours.unwrap_or_default().reverse())
            }
        }
    }

    fn formats(&self, terms: &Terms<'_>, rtcp_mux: bool) -> (Vec<RemoteCodec>, Vec<RemoteEvent>) {
        let (mut codecs, mut dtmf) = (Vec::<RemoteCodec>::new(), Vec::<RemoteEvent>::new());
        for pt in self.media.payload_types() {
            // RFC 5761 §4: these look like RTCP on a shared port.
            if rtcp_mux && (64..=95).contains(&pt) {
                continue;
            }
            let Some(map) = self.rtpmap(pt, terms) else { continue };
            let Some(known) = Known::of(&map) else { continue };
            let Some(receive_pt) = terms.receive_pt(known, pt) else { continue };
            match known {
                Known::Codec(codec) if !codecs.iter().any(|c| c.codec == codec) => codecs.push(RemoteCodec {
                    codec,
                    pt,
                    receive_pt,
                    clock_hz: map.clock_hz,
                    channels: map.channels,
                    fmtp: self.fmtp(pt),
                }),
                Known::Events(clock_hz) if !dtmf.iter().any(|e| e.clock_hz == clock_hz) => {
                    dtmf.push(RemoteEvent { pt, receive_pt, clock_hz });
                }
                // The peer's first payload type for a thing is the one it prefers.
                Known::Codec(_) | Known::Events(_) => {}
            }
        }
        (codecs, dtmf)
    }

    fn rtpmap(&self, pt: u8, terms: &Terms<'_>) -> Option<RtpMap> {
        self.media.explicit_rtpmap(pt).or_else(|| match terms {
            Terms::Offer(_) => RtpMap::fixed(pt),
            // An answer without a=rtpmap means ours: some gateways leave it out.
            Terms::Answer { media, .. } => media.rtpmap(pt),
        })
    }

    fn fmtp(&self, pt: u8) -> Option<String> {
        self.media.attributes.all("fmtp").filter_map(Fmtp::parse).find(|fmtp| fmtp.pt == pt).map(|fmtp| fmtp.params)
    }

    fn ice(&self) -> Result<RemoteIce, Refusal> {
        let credential = |name, least: usize| {
            let text = self.value(name)?;
            // RFC 8839 §5.4: ice-chars. Others are seen; a colon would confuse the STUN USERNAME.
            let valid = (least..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
            valid.then(|| text.to_owned())
        };
        let (Some(ufrag), Some(pwd)) = (credential("ice-ufrag", 4), credential("ice-pwd", 22)) else {
            return Err(Refusal::NO_ICE);
        };
        let lite = self.session.attributes.has("ice-lite");
        // RFC 8445 §6.1.1: two lite agents would need a full-blown pairing of their own.
        if lite {
            return Err(Refusal::BOTH_LITE);
        }
        let (mut candidates, mut ignored) = (Vec::new(), 0);
        for value in self.transport().attributes.all("candidate") {
            match Candidate::parse(value) {
                // With rtcp-mux component 2 is never used (RFC 5761 §5.1.3).
                Some(candidate) if candidate.component == 1 && candidates.len() < SDP_CANDIDATES => {
                    candidates.push(candidate)
                }
                Some(_) | None => ignored += 1,
            }
        }
        Ok(RemoteIce { ufrag, pwd: Secret::new(pwd), lite, candidates, ignored })
    }

    fn fingerprints(&self) -> Vec<Fingerprint> {
        // RFC 8122 §5: those of the section replace those of the session.
        let levels = [&self.media.attributes, &self.transport().attributes, &self.session.attributes];
        let level = levels.into_iter().find(|attributes| attributes.has("fingerprint"));
        level.map_or_else(Vec::new, |attributes| {
            attributes.all("fingerprint").filter_map(Fingerprint::parse).take(SDP_FINGERPRINTS).collect()
        })
    }

    fn setup(&self, terms: &Terms<'_>) -> Result<Setup, Refusal> {
        let said = match self.value("setup") {
            Some(value) => Setup::parse(value).ok_or(Refusal::SETUP)?,
            // RFC 4145 §4: the default is active in an offer, passive in an answer.
            None if matches!(terms, Terms::Offer(_)) => Setup::Active,
            None => Setup::Passive,
        };
        let possible = match terms {
            Terms::Offer(_) => said != Setup::HoldConn,
            // An answer decides: actpass in it leaves both sides waiting.
            Terms::Answer { .. } => matches!(said, Setup::Active | Setup::Passive),
        };
        if possible { Ok(said) } else { Err(Refusal::SETUP) }
    }

    fn ssrcs(&self) -> Vec<u32> {
        let mut ssrcs = Vec::new();
        for value in self.media.attributes.all("ssrc") {
            let ssrc = value.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
            if let Some(ssrc) = ssrc.filter(|ssrc| ssrcs.len() < SDP_SSRCS && !ssrcs.contains(ssrc)) {
                ssrcs.push(ssrc);
            }
        }
        ssrcs
    }

    fn milliseconds(&self, name: &str) -> Option<u16> {
        // "20.0" is seen; below 1 and above 200 ms nobody packs speech.
        let whole = self.media.attributes.value(name)?.trim().split('.').next()?;
        whole.parse().ok().filter(|ms| (1..=200).contains(ms))
    }
}

impl Terms<'_> {
    /// The payload type we receive `known` with, if it is wanted at all.
    fn receive_pt(&self, known: Known, pt: u8) -> Option<u8> {
        match self {
            // RFC 3264 §6.1: our answer uses the offer's number.
            Self::Offer(caps) => match known {
                Known::Codec(codec) => caps.codecs.contains(&codec).then_some(pt),
                Known::Events(_) => caps.dtmf.then_some(pt),
            },
            Self::Answer { media, .. } => {
                media.payload_types().find(|ours| media.rtpmap(*ours).as_ref().and_then(Known::of) == Some(known))
            }
        }
    }
}

/// Reads an `a=rtcp` value (RFC 3605 §2.1); `None` if RTCP cannot be sent there.
fn rtcp_address(value: &str, rtp: IpAddr) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|port| *port != 0)?;
    let ip = match (words.next(), words.next(), words.next()) {
        (None, ..) => rtp,
        (Some(network), Some(kind), Some(address)) => Address::from_words(network, kind, address)?.ip()?,
        (Some(_), ..) => return None,
    };
    (!ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)).then(|| SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn caps(kind: LegKind) -> Capabilities {
        Capabilities {
            kind,
            codecs: vec![Codec::Opus, Codec::Pcma, Codec::Pcmu, Codec::G722],
            dtmf: true,
            ptime_ms: 20,
        }
    }

    /// A description of `lines` behind an ordinary beginning.
    fn session(lines: &str) -> Session {
        let text = format!("v=0\no=- 1 1 IN IP4 192.0.2.9\ns=-\n{lines}");
        parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e} in {text}"))
    }

    fn sip(lines: &str) -> Result<Remote, Refusal> {
        judge_offer(&session(lines), &caps(LegKind::Sip))
    }

    fn webrtc(lines: &str) -> Result<Remote, Refusal> {
        judge_offer(&session(lines), &caps(LegKind::WebRtc))
    }

    const ICE: &str = "a=ice-ufrag:Zx4y\na=ice-pwd:0123456789abcdefghijkl\n";
    const PRINT: &str = "a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\n";
    const SAVPF: &str = "c=IN IP4 0.0.0.0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=rtpmap:111 opus/48000/2\n";

    #[test]
    fn refusals_carry_their_warning() {
        let at = "c=IN IP4 192.0.2.9\n";
        for (lines, refusal) in [
            ("m=video 4000 RTP/AVP 96\nc=IN IP4 192.0.2.9\n", Refusal::NO_AUDIO),
            ("c=IN IP4 192.0.2.9\nm=audio 0 RTP/AVP 0\n", Refusal::NO_AUDIO),
            ("m=audio 4000 RTP/AVP 0\n", Refusal::NO_ADDRESS),
            ("c=IN IP4 phone.example\nm=audio 4000 RTP/AVP 0\n", Refusal::ADDRESS),
            ("c=IN IP4 0177.0.0.1\nm=audio 4000 RTP/AVP 0\n", Refusal::ADDRESS),
            ("c=IN IP4 255.255.255.255\nm=audio 4000 RTP/AVP 0\n", Refusal::ADDRESS),
            ("c=IN IP4 224.2.36.42/127\nm=audio 4000 RTP/AVP 0\n", Refusal::MULTICAST),
            ("c=TN RFC2543 +4930\nm=audio 4000 RTP/AVP 0\n", Refusal::NETWORK),
            (&format!("{at}m=audio 4000 RTP/AVP 18 13\n"), Refusal::NO_CODEC),
            (&format!("{at}m=audio 4000 RTP/AVP 96\n"), Refusal::NO_CODEC),
            (&format!("{at}m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n"), Refusal::NO_CODEC),
            (&format!("{at}m=audio 4000 RTP/AVP 0\na=rtpmap:0 GSM/8000\n"), Refusal::NO_CODEC),
            (&format!("{at}m=audio 4000 RTP/SAVP 0\na=crypto:1 X inline:AAAA\n"), Refusal::TRANSPORT),
            (&format!("{at}m=audio 4000 udp 0\n"), Refusal::TRANSPORT),
        ] {
            assert_eq!(sip(lines), Err(refusal), "{lines}");
        }
    }

    #[test]
    fn webrtc_needs_ice_fingerprint_and_mux() {
        for (lines, refusal) in [
            (format!("{SAVPF}{PRINT}a=rtcp-mux\n"), Refusal::NO_ICE),
            (format!("{SAVPF}{PRINT}a=rtcp-mux\na=ice-ufrag:abc\na=ice-pwd:0123456789abcdefghijkl\n"), Refusal::NO_ICE),
            (
                format!("{SAVPF}{PRINT}a=rtcp-mux\na=ice-ufrag:a:bc\na=ice-pwd:0123456789abcdefghijkl\n"),
                Refusal::NO_ICE,
            ),
            (format!("{SAVPF}{ICE}a=rtcp-mux\n"), Refusal::NO_FINGERPRINT),
            (format!("{SAVPF}{ICE}a=fingerprint:sha-1 00:11\na=rtcp-mux\n"), Refusal::NO_FINGERPRINT),
            (format!("{SAVPF}{ICE}{PRINT}"), Refusal::NO_MUX),
            (format!("{SAVPF}{ICE}{PRINT}a=rtcp-mux\na=setup:holdconn\n"), Refusal::SETUP),
            (format!("a=ice-lite\n{SAVPF}{ICE}{PRINT}a=rtcp-mux\n"), Refusal::BOTH_LITE),
            (SAVPF.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), Refusal::TRANSPORT),
            (SAVPF.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF"), Refusal::TRANSPORT),
        ] {
            assert_eq!(webrtc(&lines), Err(refusal), "{lines}");
        }
    }

    #[test]
    fn transport_may_stand_at_session_level() {
        let judged = webrtc(&format!("{ICE}{PRINT}a=setup:passive\n{SAVPF}a=rtcp-mux\n")).expect("a fit offer");
        assert_eq!(judged.setup, Some(Setup::Passive));
        assert_eq!(judged.fingerprints.len(), 1);
        assert_eq!(judged.ice.map(|ice| ice.ufrag), Some("Zx4y".into()));
        assert_eq!(judged.rtp.to_string(), "0.0.0.0:9");
        assert!(!judged.held, "an empty default candidate is no hold");
    }

    #[test]
    fn bundle_only_audio_uses_the_transport_of_the_first_section() {
        let judged = webrtc(&format!(
            "a=group:BUNDLE v a\nm=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:v\n{ICE}{PRINT}a=setup:actpass\na=rtcp-mux\n\
             m=audio 0 UDP/TLS/RTP/SAVPF 0\na=mid:a\na=bundle-only\n"
        ))
        .expect("a fit offer");
        assert_eq!((judged.audio_index, judged.mid.as_deref(), judged.setup), (1, Some("a"), Some(Setup::ActPass)));
    }

    #[test]
    fn tcp_variants_and_savpf_with_fingerprint_are_webrtc() {
        for protocol in ["TCP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF", "UDP/TLS/RTP/SAVP"] {
            let lines = format!("{}{ICE}{PRINT}a=rtcp-mux\n", SAVPF.replace("UDP/TLS/RTP/SAVPF", protocol));
            assert_eq!(kind_of(&session(&lines)), LegKind::WebRtc, "{protocol}");
            assert!(webrtc(&lines).is_ok(), "{protocol}");
        }
        assert_eq!(kind_of(&session("m=audio 4000 RTP/SAVP 0\na=crypto:1 X inline:AAAA\n")), LegKind::Sip);
        assert_eq!(kind_of(&session(&format!("m=audio 4000 RTP/AVP 0\n{PRINT}{ICE}"))), LegKind::Sip);
        assert_eq!(kind_of(&session("m=video 9 UDP/TLS/RTP/SAVPF 96\n")), LegKind::Sip);
    }

    #[test]
    fn first_audio_that_can_be_served_wins() {
        let judged =
            sip("c=IN IP4 192.0.2.9\nm=audio 4000 RTP/SAVP 0\nm=audio 4002 RTP/AVP 8\nm=audio 4004 RTP/AVP 0\n");
        assert_eq!(judged.map(|r| (r.audio_index, r.rtp.port())), Ok((1, 4002)));
    }

    #[test]
    fn rtcp_address_comes_from_its_line_or_the_next_port() {
        let rtcp = |line: &str| {
            let judged = sip(&format!("c=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 0\n{line}")).expect("a fit offer");
            judged.rtcp.map(|at| at.to_string())
        };
        assert_eq!(rtcp(""), Some("192.0.2.9:4001".into()));
        assert_eq!(rtcp("a=rtcp:5000\n"), Some("192.0.2.9:5000".into()));
        assert_eq!(rtcp("a=rtcp:5000 IN IP6 2001:db8::1\n"), Some("[2001:db8::1]:5000".into()));
        for nowhere in [
            "a=rtcp:0\n",
            "a=rtcp:70000\n",
            "a=rtcp:5000 IN IP4 x.example\n",
            "a=rtcp:5000 IN\n",
            "a=rtcp:1 IN IP4 224.0.0.1\n",
        ] {
            assert_eq!(rtcp(nowhere), None, "{nowhere}");
        }
        let judged = sip("c=IN IP4 192.0.2.9\nm=audio 65535 RTP/AVP 0\n").expect("a fit offer");
        assert_eq!(judged.rtcp, None);
    }

    #[test]
    fn hold_is_told_by_direction_or_by_a_null_address() {
        let held = |lines: &str| sip(lines).map(|r| (r.direction, r.held));
        let media = "m=audio 4000 RTP/AVP 0\n";
        assert_eq!(held(&format!("c=IN IP4 0.0.0.0\n{media}")), Ok((Direction::SendOnly, true)));
        assert_eq!(held(&format!("c=IN IP6 ::\n{media}a=recvonly\n")), Ok((Direction::Inactive, true)));
        assert_eq!(held(&format!("c=IN IP4 192.0.2.9\n{media}a=sendonly\n")), Ok((Direction::SendOnly, true)));
        assert_eq!(held(&format!("c=IN IP4 192.0.2.9\na=inactive\n{media}")), Ok((Direction::Inactive, true)));
        assert_eq!(
            held(&format!("c=IN IP4 192.0.2.9\na=inactive\n{media}a=sendrecv\n")),
            Ok((Direction::SendRecv, false))
        );
        assert_eq!(held(&format!("c=IN IP4 192.0.2.9\n{media}a=recvonly\n")), Ok((Direction::RecvOnly, false)));
    }

    #[test]
    fn numbers_that_look_like_rtcp_are_not_used_on_a_shared_port() {
        let lines = "c=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 72 0\na=rtpmap:72 PCMA/8000\n";
        let codecs = |lines: &str| sip(lines).map(|r| r.codecs.iter().map(|c| c.codec).collect::<Vec<_>>());
        assert_eq!(codecs(lines), Ok(vec![Codec::Pcma, Codec::Pcmu]));
        assert_eq!(codecs(&format!("{lines}a=rtcp-mux\n")), Ok(vec![Codec::Pcmu]));
    }

    #[test]
    fn answer_may_use_its_own_numbers() {
        let ours = session(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 111 8 101\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=sendonly\n",
        );
        let theirs = session(
            "c=IN IP4 192.0.2.9\nm=audio 6000 RTP/AVP 96 0 8 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/8000\n",
        );
        let judged = judge_answer(&ours, &theirs).expect("a fit answer");
        let pts: Vec<_> = judged.codecs.iter().map(|c| (c.codec, c.pt, c.receive_pt)).collect();
        assert_eq!(pts, [(Codec::Opus, 96, 111), (Codec::Pcma, 8, 8)], "PCMU was not offered");
        assert_eq!(judged.dtmf, [RemoteEvent { pt: 97, receive_pt: 101, clock_hz: 8_000 }]);
        assert_eq!(judged.direction, Direction::RecvOnly, "sendrecv to sendonly means recvonly");
    }

    #[test]
    fn answer_without_rtpmap_means_our_numbers() {
        let ours = session(
            "c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 111 101\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\n",
        );
        let judged =
            judge_answer(&ours, &session("c=IN IP4 192.0.2.9\nm=audio 6000 RTP/AVP 111 101\n")).expect("a fit answer");
        assert_eq!((judged.codecs.len(), judged.dtmf.len()), (1, 1));
    }

    #[test]
    fn answers_that_do_not_fit_are_refused() {
        let ours = session("c=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n");
        for (lines, refusal) in [
            ("c=IN IP4 192.0.2.9\n", Refusal::SHAPE),
            ("c=IN IP4 192.0.2.9\nm=video 6000 RTP/AVP 96\n", Refusal::SHAPE),
            ("c=IN IP4 192.0.2.9\nm=audio 6000 RTP/AVP 0\nm=audio 6002 RTP/AVP 0\n", Refusal::SHAPE),
            ("c=IN IP4 192.0.2.9\nm=audio 0 RTP/AVP 0\n", Refusal::AUDIO_REJECTED),
            ("c=IN IP4 192.0.2.9\nm=audio 6000 RTP/AVP 8\n", Refusal::NO_CODEC),
            ("c=IN IP4 192.0.2.9\nm=audio 6000 RTP/SAVP 0\n", Refusal::TRANSPORT),
        ] {
            assert_eq!(judge_answer(&ours, &session(lines)), Err(refusal), "{lines}");
        }
        let ours = session(&format!("{SAVPF}{ICE}{PRINT}a=rtcp-mux\na=setup:actpass\n"));
        let theirs = session(&format!("{SAVPF}{ICE}{PRINT}a=rtcp-mux\na=setup:actpass\n"));
        assert_eq!(judge_answer(&ours, &theirs), Err(Refusal::SETUP), "an answer must decide");
    }

    #[test]
    fn odd_packet_lengths_and_ssrcs_count_as_missing() {
        let judged = sip("c=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 0\na=ptime:0\na=maxptime:99999999999\na=ssrc:1 cname:a\na=ssrc:1 msid:b\na=ssrc:99999999999 cname:a\n").expect("a fit offer");
        assert_eq!((judged.ptime_ms, judged.max_ptime_ms, judged.ssrcs), (None, None, vec![1]));
    }
}
