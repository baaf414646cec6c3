//! The whole configuration as complete values, before they become rooms' own.
//!
//! Names have become indices, durations and rates have units by type, secrets
//! have been read. `app/build` hands the parts to the rooms.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use crate::base::net::Prefix;
use crate::base::redact::Secret;
use crate::base::{Codec, Transport};
use crate::sip::digest::Algorithm;

/// All of it.
#[derive(Debug)]
pub struct Settings {
    /// `[node]`.
    pub node: Node,
    /// `[log]`.
    pub log: Log,
    /// `[admin]`.
    pub admin: Admin,
    /// `[sip]`.
    pub sip: Sip,
    /// `[media]`.
    pub media: Media,
    /// `[guard]`.
    pub guard: Guard,
    /// `[cdr]`.
    pub cdr: Cdr,
    /// `[realm.NAME]`.
    pub realms: Vec<Realm>,
    /// `[trunk.NAME]`.
    pub trunks: Vec<Trunk>,
    /// `[user.NAME]`.
    pub users: Vec<User>,
    /// `[[route]]`.
    pub routes: Vec<Route>,
}

/// `[node]`.
#[derive(Debug)]
pub struct Node {
    /// Name in records.
    pub name: String,
    /// Where journal and keys live.
    pub data_dir: PathBuf,
    /// Media threads; 0 for one a core.
    pub media_threads: u8,
    /// How long a drain waits for calls to end.
    pub drain: Duration,
}

/// `[log]`.
#[derive(Debug)]
pub struct Log {
    /// Filter, as tracing understands it.
    pub filter: String,
    /// JSON lines instead of text.
    pub json: bool,
}

/// `[admin]`.
#[derive(Debug)]
pub struct Admin {
    /// HTTP address of API, dashboard and phone.
    pub listen: Option<SocketAddr>,
    /// The local socket of the commands.
    pub socket: PathBuf,
    /// Host names, besides addresses and localhost, under which the pages are reached.
    pub hosts: Vec<String>,
    /// Bearer tokens.
    pub tokens: Vec<Token>,
}

/// A bearer token of the API.
#[derive(Debug)]
pub struct Token {
    /// Who it is, for the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token.
    pub secret: Secret,
}

/// What an API client may do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, without addresses.
    Viewer,
    /// Reads all, hangs up, bans, drains.
    Operator,
    /// Everything.
    Admin,
}

/// `[sip]`.
#[derive(Debug)]
pub struct Sip {
    /// RFC 3261 T1.
    pub t1: Duration,
    /// T2.
    pub t2: Duration,
    /// T4.
    pub t4: Duration,
    /// How long a target may ring.
    pub no_answer: Duration,
    /// How long a target may say nothing at all before the next is tried.
    pub try_next: Duration,
    /// How long a call survives the loss of its browser's connection.
    pub flow_lost: Duration,
    /// Longest, shortest and usual life of a registration.
    pub expires: (Duration, Duration, Duration),
    /// Life of a digest nonce.
    pub nonce: Duration,
    /// Server and User-Agent.
    pub user_agent: String,
}

/// `[media]`.
#[derive(Debug)]
pub struct Media {
    /// Bound for ICE.
    pub ice: Duration,
    /// Bound for DTLS.
    pub dtls: Duration,
    /// Silence of a peer that ends the call.
    pub inactivity: Duration,
    /// Rest of a used port pair.
    pub quarantine: Duration,
    /// Opus complexity, 0 to 10.
    pub opus_complexity: u8,
    /// Opus bit rate.
    pub opus_bitrate: u32,
}

/// `[guard]`.
#[derive(Debug)]
pub struct Guard {
    /// Never banned.
    pub allow: Vec<Prefix>,
    /// Never let in.
    pub deny: Vec<Prefix>,
    /// Messages a second and burst of a stranger.
    pub source: (u32, u32),
    /// Requests a second and burst of a user.
    pub user: (u32, u32),
    /// Calls at once and a second of the box.
    pub calls: (Option<u32>, Option<u32>),
    /// First and longest ban.
    pub ban: (Duration, Duration),
    /// Authentication failures within a minute that lead to a ban.
    pub auth_failures: u32,
    /// Where the firewall helper is.
    pub firewall: Firewall,
}

/// How bans reach the kernel.
#[derive(Debug, PartialEq, Eq)]
pub enum Firewall {
    /// The helper's socket if it is there, our own child if we may, else user space.
    Auto,
    /// User space only.
    Off,
    /// This socket.
    Socket(PathBuf),
}

/// `[cdr]`.
#[derive(Debug)]
pub struct Cdr {
    /// Directory of the journal.
    pub dir: PathBuf,
}

/// `[realm.NAME]`.
#[derive(Debug)]
pub struct Realm {
    /// Its name.
    pub name: String,
    /// Its listeners.
    pub listen: Vec<Listen>,
    /// Where sockets for media bind.
    pub media_bind: IpAddr,
    /// The address that peers are told.
    pub media_address: IpAddr,
    /// The shared port of WebRTC legs.
    pub media_port: Option<u16>,
    /// Ports of SIP legs.
    pub media_ports: Option<(u16, u16)>,
    /// DSCP of media.
    pub dscp: u8,
    /// What its peers speak.
    pub leg: Leg,
    /// How far its sources are trusted.
    pub trust: Trust,
    /// Only trunks and allowed blocks may send.
    pub closed: bool,
    /// Who must show credentials.
    pub auth: Auth,
    /// The domain of users and of our addresses towards this side; the first is the digest realm.
    pub domains: Vec<String>,
    /// Digest algorithms of challenges, in their order.
    pub digest: Vec<Algorithm>,
    /// Codecs in the order of preference.
    pub codecs: Vec<Codec>,
    /// Allowed Origin headers of WebSocket clients.
    pub origins: Vec<String>,
    /// Silence after which a WebSocket is pinged.
    pub ping: Duration,
    /// Calls at once and a second.
    pub limits: (Option<u32>, Option<u32>),
    /// Media towards loopback and link-local addresses is allowed.
    pub local_media: bool,
    /// How long a plain-RTP peer behind NAT may be learned.
    pub latch: Duration,
}

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its transport.
    pub transport: Transport,
    /// Its address.
    pub address: SocketAddr,
    /// Path of a WebSocket resource.
    pub path: String,
}

/// What a realm's peers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// ICE, DTLS-SRTP.
    WebRtc,
    /// Plain RTP.
    Sip,
    /// By what the offer holds.
    Auto,
}

/// Trust of a realm's sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The internet.
    None,
    /// A shared network.
    Low,
    /// One's customers.
    Medium,
    /// One's own machines.
    High,
}

/// Who must show credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Every request for a call or registration, except from trunks.
    Users,
    /// Registrations only.
    Register,
    /// Nobody.
    None,
}

/// `[trunk.NAME]`.
#[derive(Debug)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Index of its realm.
    pub realm: usize,
    /// Where calls go.
    pub target: String,
    /// Addresses its calls come from, besides those of the target.
    pub sources: Vec<Prefix>,
    /// Our credentials there.
    pub auth: Option<(String, Secret)>,
    /// Codecs in the order of preference; empty for the realm's.
    pub codecs: Vec<Codec>,
    /// Calls at once and a second.
    pub limits: (Option<u32>, Option<u32>),
    /// OPTIONS probing; zero for none.
    pub probe: Duration,
    /// Failed probes until it counts as down.
    pub down_after: u8,
    /// Answered probes until it counts as up.
    pub up_after: u8,
    /// Share of calls where a rule picks by weight.
    pub weight: u32,
}

/// `[user.NAME]`.
#[derive(Debug)]
pub struct User {
    /// The user part.
    pub name: String,
    /// The password; `None` for one made at every start and printed with the phone's URL.
    pub password: Option<Secret>,
    /// Indices of the realms where it may be used; empty for all.
    pub realms: Vec<usize>,
}

/// `[[route]]`.
#[derive(Debug)]
pub struct Route {
    /// Indices of the realms it applies to; empty for all.
    pub from_realms: Vec<usize>,
    /// Indices of the trunks it applies to; empty for all.
    pub from_trunks: Vec<usize>,
    /// The dialled number.
    pub to_matches: Option<Regex>,
    /// The calling number.
    pub from_matches: Option<Regex>,
    /// Targets in order.
    pub to: Vec<Target>,
    /// How one is picked.
    pub pick: Pick,
    /// New dialled number, from the captures of `to_matches`.
    pub rewrite_to: Option<String>,
    /// New calling number.
    pub rewrite_from: Option<String>,
}

/// A target of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Index of a trunk.
    Trunk(usize),
    /// The dialled user's registrations.
    Registered,
    /// The dialled address itself.
    Dialled,
    /// Our own echo.
    Echo,
    /// Our own tone.
    Tone,
    /// Our own announcement.
    Hello,
}

/// How a route picks among its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// In order.
    Failover,
    /// By weight.
    Weight,
    /// By hash of the calling number.
    Hash,
    /// Least calls first.
    LeastCalls,
}
