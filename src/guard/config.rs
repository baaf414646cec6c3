//! The guard's settings: complete, valid by type, every default written here.
//!
//! Rates are messages or calls a second with a burst, times are durations or
//! whole seconds, sizes are counts. Realms and trunks stand at the index of
//! their `RealmId` and `TrunkId`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use super::bucket::Rate;
use super::offence::{SCANNERS, Thresholds};
use crate::base::net::Prefix;
use crate::base::{RealmId, limits};

/// Everything the guard goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The realms, by `RealmId`.
    pub realms: Vec<Realm>,
    /// The trunks, by `TrunkId`.
    pub trunks: Vec<Trunk>,
    /// Blocks never let in, in every realm; none by default. The most specific
    /// block decides, and of the same block the denial.
    pub deny: Vec<Prefix>,
    /// Blocks never banned and not limited before parsing, in every realm;
    /// none by default.
    pub allow: Vec<Prefix>,
    /// Messages from one stranger, an IPv4 address or an IPv6 /64; default
    /// 50 a second, burst 200.
    pub source_rate: Rate,
    /// How many times `source_rate` a known source has; default 100.
    pub trusted_factor: NonZeroU32,
    /// Messages from all strangers of the box together; default 20,000 a
    /// second, burst 40,000.
    pub strangers_rate: Rate,
    /// Requests of one authenticated user; default 20 a second, burst 100.
    pub user_rate: Rate,
    /// How long a good registration or call makes a source known; default 1 h.
    pub trust_lasts: Duration,
    /// Connections at once from one stranger; default 50.
    pub source_connections: u32,
    /// Connections at once from one known source, such as an office behind one
    /// address; default 2,000.
    pub trusted_connections: u32,
    /// Connections at once; default and most `limits::WS_CONNECTIONS`.
    pub connections: u32,
    /// Calls of the box; default `limits::CALLS` at once, any number a second.
    pub calls: CallLimit,
    /// Calls from one source that is no peer; default 200 at once, 20 a second
    /// with a burst of 50. A known source has ten times as much.
    pub source_calls: CallLimit,
    /// Calls of one user; default 10 at once, 2 a second with a burst of 10.
    pub user_calls: CallLimit,
    /// The Retry-After of a refusal is drawn from here.
    pub retry_after: RetryAfter,
    /// When and for how long sources are banned.
    pub bans: BanRules,
    /// What scanners call themselves in User-Agent or From, matched without
    /// case at the start of a word; default [`SCANNERS`].
    pub scanners: Vec<String>,
}

impl Config {
    /// The defaults for so many realms that nothing is known of.
    pub fn for_realms(realms: usize) -> Self {
        Self { realms: vec![Realm::default(); realms], ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            realms: Vec::new(),
            trunks: Vec::new(),
            deny: Vec::new(),
            allow: Vec::new(),
            source_rate: rate(50, 200),
            trusted_factor: count(100),
            strangers_rate: rate(20_000, 40_000),
            user_rate: rate(20, 100),
            trust_lasts: Duration::from_secs(3600),
            source_connections: 50,
            trusted_connections: 2000,
            connections: limits::WS_CONNECTIONS as u32,
            calls: CallLimit { calls: Some(limits::CALLS as u32), rate: None },
            source_calls: CallLimit { calls: Some(200), rate: Rate::new(20, 50) },
            user_calls: CallLimit { calls: Some(10), rate: Rate::new(2, 10) },
            retry_after: RetryAfter::default(),
            bans: BanRules::default(),
            scanners: SCANNERS.iter().map(|text| (*text).to_owned()).collect(),
        }
    }
}

/// What the guard knows of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// How far its sources are trusted; default `None`.
    pub trust: Trust,
    /// True to drop whoever is neither on an allow list nor a trunk; default false.
    pub closed: bool,
    /// Blocks never let in here, besides the box's.
    pub deny: Vec<Prefix>,
    /// Blocks allowed here, besides the box's.
    pub allow: Vec<Prefix>,
    /// Messages from all strangers of the realm together; default 10,000 a
    /// second, burst 20,000.
    pub strangers_rate: Rate,
    /// Calls that come in by this realm; default without limit.
    pub calls: CallLimit,
}

impl Default for Realm {
    fn default() -> Self {
        Self {
            trust: Trust::None,
            closed: false,
            deny: Vec::new(),
            allow: Vec::new(),
            strangers_rate: rate(10_000, 20_000),
            calls: CallLimit::default(),
        }
    }
}

/// How far the sources of a realm are trusted before they have shown anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The internet: strangers until a registration or call succeeds.
    #[default]
    None,
    /// A shared network: as `None`, with ten times the source rate.
    Low,
    /// A network of one's own customers: everyone counts as known, and is
    /// banned only for what came over a connection, never for UDP.
    Medium,
    /// One's own machines: everyone counts as known and nobody is ever banned.
    High,
}

/// What the guard knows of a trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trunk {
    /// The realm it is reached through.
    pub realm: RealmId,
    /// Its addresses, as far as they are written in the configuration;
    /// `Guard::set_trunk_addresses` adds those its name resolves to.
    pub addresses: Vec<Prefix>,
    /// Calls to it; default without limit.
    pub calls: CallLimit,
}

/// A limit of calls at once and calls a second; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallLimit {
    /// Calls at once; 0 refuses every call.
    pub calls: Option<u32>,
    /// Calls a second.
    pub rate: Option<Rate>,
}

/// The seconds a refused caller is told to wait, drawn evenly so that callers
/// do not come back all at once (RFC 3261 §21.5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Least; default 2.
    pub min_secs: u32,
    /// Most; default 10. Below `min_secs` it counts as `min_secs`.
    pub max_secs: u32,
}

impl Default for RetryAfter {
    fn default() -> Self {
        Self { min_secs: 2, max_secs: 10 }
    }
}

/// When and for how long sources are banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanRules {
    /// How many offences of which kind lead to a ban.
    pub thresholds: Thresholds,
    /// The first ban of a source, seconds; default 30.
    pub first_secs: NonZeroU32,
    /// How many times longer each further ban is; default 4: 30 s, 2 min,
    /// 8 min, 32 min, 1 h.
    pub growth: NonZeroU32,
    /// The longest ban, seconds; default 3600.
    pub max_secs: NonZeroU32,
    /// The longest ban for what came by UDP alone, seconds; default 600. Its
    /// source address is unproved, and the ban may hit whoever was imitated.
    pub unproved_max_secs: NonZeroU32,
    /// How long after a ban the next one still counts as a further one;
    /// default 24 h.
    pub forgotten_after: Duration,
}

impl Default for BanRules {
    fn default() -> Self {
        Self {
            thresholds: Thresholds::default(),
            first_secs: count(30),
            growth: count(4),
            max_secs: count(3600),
            unproved_max_secs: count(600),
            forgotten_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// A rate written here, where neither number is zero.
fn rate(per_sec: u32, burst: u32) -> Rate {
    Rate { per_sec: count(per_sec), burst: count(burst) }
}

/// A count written here, which is not zero.
fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}
