//! Offers and answers of a call's two sides, and the media plan they make.
//!
//! RFC 3264 and RFC 6337 as a B2BUA needs them: each side's description is
//! written from scratch by `sdp`, from that side's own [`Side`]. Here it is
//! decided which codecs stand in it, which way media may flow, and what of it
//! the shard is told. Pure functions: ports come from the caller, messages are
//! written elsewhere.

use std::net::{IpAddr, SocketAddr};

use super::config::{Config, LegPolicy, Realm};
use super::leg::Side;
use crate::base::{Codec, RealmId, Rng, Transport, net};
use crate::media::plan::{self, DtlsRole, End, IceCredentials, Latch, Rtp, SidePlan, Stream, WebRtc};
use crate::media::ports::Reserved;
use crate::sdp::{self, Capabilities, Chosen, Formats, LegKind, Local, Refusal, Remote, Session, Setup};

/// A side that is not negotiated yet, at an address of ours.
pub fn fresh_side(config: &Config, rng: &mut Rng, realm: RealmId, kind: LegKind, at: Reserved) -> Side {
    let webrtc = kind == LegKind::WebRtc;
    let ice = webrtc.then(|| sdp::IceParams {
        ufrag: rng.token(UFRAG_CHARS),
        pwd: crate::base::redact::Secret::new(rng.token(PWD_CHARS)),
        candidates: vec![at.advertised],
    });
    let local = Local {
        kind,
        // RFC 8866 §5.2 wants a number; 62 bits keep it positive everywhere.
        session_id: rng.u64() >> 2,
        version: 1,
        address: at.advertised.ip(),
        rtp_port: at.advertised.port(),
        rtcp_port: (!webrtc).then(|| at.advertised.port().saturating_add(1)),
        ice,
        fingerprint: if webrtc { our_fingerprint(config) } else { None },
        setup: Setup::ActPass,
        ssrc: rng.u32(),
        cname: rng.token(CNAME_CHARS),
        direction: sdp::Direction::SendRecv,
    };
    Side {
        realm,
        bind: at.local,
        local,
        sent: None,
        offer: None,
        remote: None,
        codec: None,
        accepts: Vec::new(),
        direction: plan::Direction::Inactive,
    }
}

/// What the leg of a peer is: the realm's kind, or for `auto` what `offered`
/// says, or else what its transport suggests.
pub fn kind_of(realm: &Realm, offered: Option<&Session>, transport: Transport) -> LegKind {
    match (realm.leg, offered) {
        (LegPolicy::WebRtc, _) => LegKind::WebRtc,
        (LegPolicy::Sip, _) => LegKind::Sip,
        (LegPolicy::Auto, Some(session)) => sdp::kind_of(session),
        (LegPolicy::Auto, None) if transport.is_websocket() => LegKind::WebRtc,
        (LegPolicy::Auto, None) => LegKind::Sip,
    }
}

/// What we can do on a leg.
pub fn capabilities(kind: LegKind, codecs: &[Codec], ptime_ms: u16) -> Capabilities {
    Capabilities { kind, codecs: codecs.to_vec(), dtmf: true, ptime_ms }
}

/// `codecs` with those of `first` in front, so that both sides agree on one
/// where they can and packets are relayed untouched.
pub fn shared_first(codecs: &[Codec], first: &[Codec]) -> Vec<Codec> {
    let (mut shared, rest): (Vec<_>, Vec<_>) = codecs.iter().copied().partition(|c| first.contains(c));
    shared.extend(rest);
    shared
}

/// The codecs of a peer's description.
pub fn codecs_of(remote: &Remote) -> Vec<Codec> {
    remote.codecs.iter().map(|c| c.codec).collect()
}

/// Reads an offer of a peer and judges it by what the leg can do.
///
/// # Errors
/// The Warning for the 488.
pub fn judge_offer(offer: &Session, caps: &Capabilities, realm: &Realm) -> Result<Remote, Refusal> {
    let remote = sdp::judge_offer(offer, caps)?;
    allowed_address(&remote, realm)?;
    Ok(remote)
}

/// Judges a peer's answer to what the side sent.
///
/// # Errors
/// Why it cannot be served.
pub fn judge_answer(side: &Side, answer: &Session, realm: &Realm) -> Result<Remote, Refusal> {
    let sent = side.sent.as_ref().ok_or(UNASKED)?;
    let remote = sdp::judge_answer(sent, answer)?;
    allowed_address(&remote, realm)?;
    Ok(remote)
}

/// Media may not be pointed at loopback, link-local, multicast and the like
/// unless the realm says so (NUMBERS, attack 7). Unspecified is the old hold.
fn allowed_address(remote: &Remote, realm: &Realm) -> Result<(), Refusal> {
    let bad = |ip: IpAddr| !ip.is_unspecified() && net::is_special(ip);
    let special = remote.kind == LegKind::Sip && (bad(remote.rtp.ip()) || remote.rtcp.is_some_and(|at| bad(at.ip())));
    if special && !realm.special_media { Err(FORBIDDEN_ADDRESS) } else { Ok(()) }
}

/// Writes our offer on a side: the first one, or a later one that keeps the
/// shape of the last. The version rises with each (RFC 3264 §8).
pub fn write_offer(side: &mut Side, codecs: &[Codec], direction: sdp::Direction, ptime_ms: u16) -> Session {
    let caps = capabilities(side.local.kind, codecs, ptime_ms);
    side.local.direction = direction;
    let session = match &side.sent {
        None => sdp::offer(&side.local, &Formats::standard(&caps)),
        Some(previous) => {
            side.local.version += 1;
            sdp::reoffer(&side.local, &Formats::keeping(&caps, previous), previous)
        }
    };
    side.sent = Some(session.clone());
    session
}

/// Writes our answer on a side to the offer kept in it: `codec` and the
/// telephone-events that were offered.
pub fn write_answer(
    side: &mut Side,
    judged: Remote,
    codec: Codec,
    wish: sdp::Direction,
    ptime_ms: u16,
) -> Option<Session> {
    let offer = side.offer.take()?;
    side.local.direction = wish;
    if side.sent.is_some() {
        side.local.version += 1;
    }
    let chosen = Chosen { codecs: vec![codec], dtmf: true, ptime_ms };
    let session = sdp::answer(&side.local, &offer, &judged, &chosen);
    if let Some(theirs) = judged.setup {
        side.local.setup = theirs.answer(side.local.setup);
    }
    side.direction = direction(judged.direction.answer(wish));
    side.codec = Some(codec);
    side.accepts = vec![codec];
    side.remote = Some(judged);
    side.sent = Some(session.clone());
    Some(session)
}

/// Takes a peer's answer into a side. The codec we send is the first one of
/// the answer, which is the one the peer prefers (RFC 3264 §6.1).
pub fn take_answer(side: &mut Side, judged: Remote) {
    side.codec = judged.codecs.first().map(|c| c.codec);
    side.accepts = codecs_of(&judged);
    // RFC 5763 §5: the offerer that said actpass takes the role the answer leaves.
    side.local.setup = match judged.setup {
        Some(Setup::Active) => Setup::Passive,
        Some(Setup::Passive) => Setup::Active,
        Some(Setup::ActPass | Setup::HoldConn) | None => side.local.setup,
    };
    // The judged direction is the peer's, cut to what we offered.
    side.direction = direction(judged.direction.reverse());
    side.remote = Some(judged);
}

/// The codec to answer `offered` with, when the other side talks `other`: the
/// same one if it was offered, else the best of ours.
pub fn choose(offered: &Remote, other: Option<Codec>, ours: &[Codec]) -> Option<Codec> {
    other
        .filter(|codec| offered.codec(*codec).is_some())
        .or_else(|| ours.iter().copied().find(|codec| offered.codec(*codec).is_some()))
        .or_else(|| codecs_of(offered).first().copied())
}

/// What the shard is told of a side. `signalling` is where the peer's
/// signalling comes from: only from there may a source be learned.
pub fn side_plan(side: &Side, realm: &Realm, signalling: IpAddr) -> SidePlan {
    let remote = side.remote.as_ref();
    let end = match side.local.kind {
        LegKind::WebRtc => End::WebRtc(webrtc_end(side, remote)),
        LegKind::Sip => End::Rtp(rtp_end(side, remote, realm, signalling)),
    };
    SidePlan { realm: side.realm, end, direction: side.direction, stream: stream(side) }
}

/// A service's side of the plan: it talks whatever the caller talks.
pub fn service_plan(realm: RealmId, service: plan::Service, codec: Option<Codec>) -> SidePlan {
    let stream = codec.map(|codec| Stream {
        codec,
        send_pt: 0,
        receive: vec![(0, codec)],
        send_events: Vec::new(),
        receive_events: Vec::new(),
        ptime_ms: 20,
        ssrc: 0,
        cname: String::new(),
    });
    SidePlan { realm, end: End::Service(service), direction: plan::Direction::SendRecv, stream }
}

fn webrtc_end(side: &Side, remote: Option<&Remote>) -> WebRtc {
    let ours = side.local.ice.as_ref();
    WebRtc {
        local: side.bind,
        ice: IceCredentials {
            ufrag: ours.map(|i| i.ufrag.clone()).unwrap_or_default(),
            pwd: ours.map(|i| i.pwd.clone()).unwrap_or_default(),
        },
        remote_ice: remote
            .and_then(|r| r.ice.as_ref())
            .map(|i| IceCredentials { ufrag: i.ufrag.clone(), pwd: i.pwd.clone() }),
        dtls: match (remote, side.local.setup) {
            (Some(_), Setup::Active) => Some(DtlsRole::Client),
            (Some(_), Setup::Passive) => Some(DtlsRole::Server),
            (Some(_), Setup::ActPass | Setup::HoldConn) | (None, _) => None,
        },
        fingerprints: remote.map(|r| r.fingerprints.iter().map(to_plan_fingerprint).collect()).unwrap_or_default(),
    }
}

fn rtp_end(side: &Side, remote: Option<&Remote>, realm: &Realm, signalling: IpAddr) -> Rtp {
    let usable = |at: SocketAddr| (at.port() != 0 && !at.ip().is_unspecified()).then_some(at);
    Rtp {
        local: side.bind,
        remote: remote.and_then(|r| usable(r.rtp)),
        remote_rtcp: remote.and_then(|r| r.rtcp).and_then(usable),
        rtcp_mux: side.local.rtcp_port.is_none() && remote.is_some_and(|r| r.rtcp_mux),
        latch: match realm.latch_ms {
            Some(window_ms) => Latch::Signalling { signalling, window_ms },
            None => Latch::Never,
        },
    }
}

fn stream(side: &Side) -> Option<Stream> {
    let (remote, codec) = (side.remote.as_ref()?, side.codec?);
    let theirs = remote.codec(codec)?;
    let accepted = |c: &&sdp::RemoteCodec| side.accepts.contains(&c.codec);
    Some(Stream {
        codec,
        send_pt: theirs.pt,
        receive: remote.codecs.iter().filter(accepted).map(|c| (c.receive_pt, c.codec)).collect(),
        send_events: remote.dtmf.iter().map(|e| (e.pt, e.clock_hz)).collect(),
        receive_events: remote.dtmf.iter().map(|e| (e.receive_pt, e.clock_hz)).collect(),
        ptime_ms: remote.ptime_ms.unwrap_or(DEFAULT_PTIME_MS).clamp(10, 60),
        ssrc: side.local.ssrc,
        cname: side.local.cname.clone(),
    })
}

/// True if the peer restarted ICE (RFC 8839 §4.4.1.1.1): both its user name
/// fragment and its password differ.
pub fn ice_restarted(before: &Remote, after: &Remote) -> bool {
    match (&before.ice, &after.ice) {
        (Some(a), Some(b)) => a.ufrag != b.ufrag && a.pwd != b.pwd,
        (None, _) | (_, None) => false,
    }
}

/// New credentials of ours, for the answer to an ICE restart.
pub fn renew_ice(side: &mut Side, rng: &mut Rng) {
    if let Some(ice) = &mut side.local.ice {
        ice.ufrag = rng.token(UFRAG_CHARS);
        ice.pwd = crate::base::redact::Secret::new(rng.token(PWD_CHARS));
    }
}

/// Directions of `sdp` as the shard names them.
pub fn direction(d: sdp::Direction) -> plan::Direction {
    match d {
        sdp::Direction::SendRecv => plan::Direction::SendRecv,
        sdp::Direction::SendOnly => plan::Direction::SendOnly,
        sdp::Direction::RecvOnly => plan::Direction::RecvOnly,
        sdp::Direction::Inactive => plan::Direction::Inactive,
    }
}

fn our_fingerprint(config: &Config) -> Option<sdp::Fingerprint> {
    let digest: [u8; 32] = config.fingerprint.digest.as_slice().try_into().ok()?;
    Some(sdp::Fingerprint::sha256(digest))
}

fn to_plan_fingerprint(f: &sdp::Fingerprint) -> plan::Fingerprint {
    let hash = match f.hash {
        sdp::HashKind::Sha256 => "sha-256",
        sdp::HashKind::Sha384 => "sha-384",
        sdp::HashKind::Sha512 => "sha-512",
    };
    plan::Fingerprint { hash: hash.to_owned(), digest: f.bytes.clone() }
}

/// 60 bits; RFC 8445 §5.3 asks for 24.
const UFRAG_CHARS: usize = 12;

/// 160 bits; RFC 8445 §5.3 asks for 128.
const PWD_CHARS: usize = 32;

/// 80 bits, which is what RFC 7022 §4.2 leaves of a random CNAME at least 96: 20 characters are 100.
const CNAME_CHARS: usize = 20;

/// What a peer that names no packet length gets (RFC 3551 §4.2).
const DEFAULT_PTIME_MS: u16 = 20;

/// An answer came although nothing was offered.
pub const UNASKED: Refusal = Refusal { warning_code: 399, text: "Answer without offer" };

/// The peer's media address is one that the realm forbids.
pub const FORBIDDEN_ADDRESS: Refusal = Refusal { warning_code: 301, text: "Media address not allowed" };
