//! What the call machine is configured with: complete, valid by type, and
//! judged nowhere again.
//!
//! Realms and trunks stand here as far as calls need them: addresses that go
//! into our Contact and Via, what kind of media a leg may have, who has to
//! prove who he is. Matching rules are `route`'s, limits are `guard`'s, ports
//! are `media::ports`'.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::net::Prefix;
use crate::base::redact::Secret;
use crate::base::{Codec, EngineId, RealmId, Transport, TrunkId};
use crate::media::plan::Fingerprint;
use crate::sip::digest::Login;
use crate::sip::message::Uri;

/// All that [`Calls::new`](super::Calls::new) needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The engine that owns these calls; part of every Call-ID and tag we make.
    pub engine: EngineId,
    /// Value of User-Agent and Server: our product, and nobody else's.
    pub product: String,
    /// By [`RealmId`].
    pub realms: Vec<Realm>,
    /// By [`TrunkId`].
    pub trunks: Vec<Trunk>,
    /// Of our DTLS certificate, for every WebRTC leg.
    pub fingerprint: Fingerprint,
    /// Waits and bounds.
    pub timing: Timing,
}

impl Config {
    /// The realm, if the number is one.
    pub fn realm(&self, id: RealmId) -> Option<&Realm> {
        self.realms.get(usize::from(id.0))
    }

    /// The trunk, if the number is one.
    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.trunks.get(usize::from(id.0))
    }

    /// The trunk that owns a source address in a realm.
    pub fn trunk_of(&self, realm: RealmId, source: IpAddr) -> Option<TrunkId> {
        let owns = |t: &Trunk| t.realm == realm && t.peers.iter().any(|p| p.contains(source));
        self.trunks.iter().position(owns).map(|at| TrunkId(at as u16))
    }

    /// True if this address is one of our own listeners.
    pub fn is_ours(&self, at: SocketAddr) -> bool {
        self.realms.iter().flat_map(|r| &r.listeners).any(|l| l.local == at || l.advertised == at)
    }
}

/// One side of the border.
#[derive(Clone, Debug)]
pub struct Realm {
    /// Its name in the configuration.
    pub name: String,
    /// Host of our From and To addresses in this realm and digest realm of its
    /// users; `None`: the address of the listener.
    pub domain: Option<String>,
    /// Where we listen, in the order in which they are preferred for calls out.
    pub listeners: Vec<Listener>,
    /// What its legs are.
    pub leg: LegPolicy,
    /// Codecs offered and accepted, best first.
    pub codecs: Vec<Codec>,
    /// Length of the packets we ask for, milliseconds; default 20.
    pub ptime_ms: u16,
    /// Who may call from here.
    pub auth: Auth,
    /// True if P-Asserted-Identity may come from here and go there (RFC 3325 trust domain).
    pub trusted: bool,
    /// True if media may go to loopback, link-local and the like.
    pub special_media: bool,
    /// How long a plain-RTP source may be learned from the signalling address,
    /// milliseconds; `None`: never (see NUMBERS, RTP bleed); default 250.
    pub latch_ms: Option<u32>,
}

impl Realm {
    /// The listener for a transport, else the first one.
    pub fn listener(&self, transport: Transport) -> Option<&Listener> {
        self.listeners.iter().find(|l| l.transport == transport)
    }
}

/// An address we receive SIP at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// What the socket is bound to; never a wildcard.
    pub local: SocketAddr,
    /// What peers are told, where it differs (1:1 NAT).
    pub advertised: SocketAddr,
}

/// What kind of media a realm's legs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegPolicy {
    /// ICE-lite and DTLS-SRTP.
    WebRtc,
    /// Plain RTP.
    Sip,
    /// A leg: what its SDP offers. B leg: by the target's transport.
    Auto,
}

/// Who may make calls from a realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Registered users by digest; trunks by their source address.
    Users,
    /// Trunks by their source address only.
    Trunks,
    /// Anybody. For realms behind a boundary of their own.
    None,
}

/// A SIP peer as far as calls to it need.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// The realm it is reached through.
    pub realm: RealmId,
    /// Where it is: a name to be located (RFC 3263) or an address.
    pub target: Uri,
    /// Codecs for it, best first; empty: the realm's.
    pub codecs: Vec<Codec>,
    /// What its challenges are answered with; to nobody else's.
    pub credentials: Option<Credentials>,
    /// Addresses its calls come from; they prove who it is.
    pub peers: Vec<Prefix>,
}

impl Trunk {
    /// What its challenges are answered with.
    pub fn login(&self) -> Option<Login> {
        let credentials = self.credentials.as_ref()?;
        Some(Login { username: credentials.user.clone(), password: credentials.password.clone(), realm: None })
    }
}

/// User and password for a trunk.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user of the digest and, where the trunk wants it, of From.
    pub user: String,
    /// Never printed.
    pub password: Secret,
}

/// Waits and bounds of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// RFC 3261 §17.1.1.1 T1; default 500 ms.
    pub t1: Duration,
    /// RFC 3261 §17.1.2.1 T2; default 4 s.
    pub t2: Duration,
    /// From the first attempt to the answer; default 180 s, which is timer C.
    pub no_answer: Duration,
    /// From an INVITE to the first response of any kind, then the next target
    /// is tried; default 6 s. Timer B would let the caller wait 32 s.
    pub silent: Duration,
    /// How long a call survives the loss of a leg's connection; default 60 s.
    pub flow_lost: Duration,
    /// From the order to close media to the last numbers; default 2 s.
    pub media_close: Duration,
    /// For a request that is carried across inside a dialog; default 10 s, less
    /// than timer F, so that the asking side gets an answer.
    pub update: Duration,
    /// Longest call; `None`: no bound. Default 12 h.
    pub longest: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            t1: Duration::from_millis(500),
            t2: s(4),
            no_answer: s(180),
            silent: s(6),
            flow_lost: s(60),
            media_close: s(2),
            update: s(10),
            longest: Some(s(12 * 3600)),
        }
    }
}

impl Timing {
    /// 64*T1: how long an ACK is waited for (RFC 3261 §13.3.1.4).
    pub fn ack(&self) -> Duration {
        self.t1 * 64
    }
}
