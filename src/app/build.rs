//! From the settings to every room's own configuration.
//!
//! Walk (iii) of `src/ARCHITECTURE.md` ends here: names are indices already,
//! now they become the rooms' ids. The addresses are those that the sockets
//! really have, so this runs after they are bound; what can be wrong in a
//! configuration without them is found by [`rules`] and [`targets`] before.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use crate::base::net::Prefix;
use crate::base::redact::Secret;
use crate::base::{EngineId, RealmId, Rng, ShardId, TrunkId, UnixMillis};
use crate::call::config::{Auth, Credentials, LegPolicy, Listener, Timing};
use crate::call::register;
use crate::config::outward;
use crate::config::settings::{self, Settings};
use crate::guard::{self, CallLimit, Rate};
use crate::media::plan::Fingerprint;
use crate::route::{Match, Origin, Pattern, Pick, Rewrite, Rule, Service, TargetRef};
use crate::sip::config::SentBy;
use crate::sip::message::{Host, Text, Uri};
use crate::{call, engine, media, record, route, sip};

/// A listener with the address that its socket got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Index of its realm.
    pub realm: usize,
    /// As configured.
    pub listen: settings::Listen,
    /// As bound; the port is never 0.
    pub at: SocketAddr,
}

/// What is not in the settings.
#[derive(Debug)]
pub struct Around<'a> {
    /// The listeners.
    pub bound: &'a [Bound],
    /// Hash of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Number of media threads.
    pub shards: u8,
    /// Passwords by index of user: the configured ones and those made at this start.
    pub passwords: &'a [Secret],
    /// When the process started.
    pub started: UnixMillis,
    /// Number of the journal's last line.
    pub last_seq: u64,
}

/// Everything an engine needs.
///
/// # Errors
///
/// What is wrong with a trunk's target or a route, in a sentence.
pub fn engine(settings: &Settings, around: &Around<'_>, rng: &mut Rng) -> Result<engine::Config, String> {
    let id = EngineId(0);
    let realms = realms(settings, around);
    Ok(engine::Config {
        id,
        node: settings.node.name.clone(),
        config_version: None,
        engines: 1,
        sip: sip(settings, &realms, id),
        register: register(settings, &realms, around.passwords, rng),
        route: routing(settings)?,
        guard: guarding(settings),
        ports: ports(settings, around.shards),
        record: record(settings, around, id),
        call: call::Config {
            engine: id,
            product: settings.sip.user_agent.clone(),
            realms,
            trunks: targets(settings)?,
            fingerprint: around.fingerprint.clone(),
            timing: Timing {
                t1: settings.sip.t1,
                t2: settings.sip.t2,
                no_answer: settings.sip.no_answer,
                silent: settings.sip.try_next,
                flow_lost: settings.sip.flow_lost,
                ..Timing::default()
            },
        },
    })
}

/// What a media thread needs.
pub fn shard(settings: &Settings, shard: ShardId) -> media::config::Config {
    let pool = media::ports::Ports::new(ports(settings, shard.0 + 1));
    let shared = |(index, realm): (usize, &settings::Realm)| {
        pool.shared(shard, RealmId(index as u16)).map(|reserved| (reserved.local, realm.dscp))
    };
    let tuning = media::transcode::Tuning {
        complexity: settings.media.opus_complexity,
        bitrate: settings.media.opus_bitrate,
        ..media::transcode::Tuning::default()
    };
    media::config::Config {
        shared: settings.realms.iter().enumerate().filter_map(shared).collect(),
        dscp: settings.realms.iter().map(|r| r.dscp).collect(),
        ice: settings.media.ice,
        inactivity: settings.media.inactivity,
        tuning,
        ..media::config::Config::default()
    }
}

/// The routing table.
///
/// # Errors
///
/// As [`rules`].
pub fn routing(settings: &Settings) -> Result<route::Config, String> {
    let trunk = |t: &settings::Trunk| {
        let probe = (!t.probe.is_zero()).then(|| route::Probe {
            every: t.probe,
            down_after: count(u32::from(t.down_after)),
            up_after: count(u32::from(t.up_after)),
            ..route::Probe::default()
        });
        route::Trunk {
            codecs: t.codecs.iter().map(|c| c.rtpmap_name().to_owned()).collect(),
            max_calls: t.limits.0,
            weight: t.weight,
            probe,
            ..route::Trunk::new(&t.name, RealmId(t.realm as u16), &t.target)
        }
    };
    Ok(route::Config {
        realms: settings.realms.iter().map(|r| route::Realm { name: r.name.clone() }).collect(),
        trunks: settings.trunks.iter().map(trunk).collect(),
        rules: rules(settings)?,
        dialling: None,
    })
}

/// The rules, with their patterns and templates compiled.
///
/// # Errors
///
/// A template that names a group its rule does not have, and the like.
pub fn rules(settings: &Settings) -> Result<Vec<Rule>, String> {
    let rule = |(index, r): (usize, &settings::Route)| -> Result<Rule, String> {
        let wrong = |what: String| format!("route[{index}]: {what}");
        let pattern = |regex: &Option<regex::Regex>| {
            regex.as_ref().map(|r| Pattern::new(r.as_str())).transpose().map_err(|e| wrong(e.to_string()))
        };
        let matches = Match { to: pattern(&r.to_matches)?, from: pattern(&r.from_matches)?, ..Match::default() };
        let rewrite = Rewrite::new(&matches, r.rewrite_to.as_deref(), r.rewrite_from.as_deref());
        let realms = r.from_realms.iter().map(|i| Origin::Realm(RealmId(*i as u16)));
        let trunks = r.from_trunks.iter().map(|i| Origin::Trunk(TrunkId(*i as u16)));
        Ok(Rule {
            from: realms.chain(trunks).collect(),
            matches,
            to: r.to.iter().map(|t| target(*t).into()).collect(),
            pick: match r.pick {
                settings::Pick::Failover => Pick::Failover,
                settings::Pick::Weight => Pick::Weight,
                settings::Pick::Hash => Pick::Hash,
                settings::Pick::LeastCalls => Pick::LeastCalls,
            },
            rewrite: rewrite.map_err(|e| wrong(e.to_string()))?,
            ..Rule::default()
        })
    };
    settings.routes.iter().enumerate().map(rule).collect()
}

fn target(target: settings::Target) -> TargetRef {
    match target {
        settings::Target::Trunk(index) => TargetRef::Trunk(TrunkId(index as u16)),
        settings::Target::Registered => TargetRef::Registered,
        settings::Target::Dialled => TargetRef::Dialled,
        settings::Target::Echo => TargetRef::Service(Service::Echo),
        settings::Target::Tone => TargetRef::Service(Service::Tone),
        settings::Target::Hello => TargetRef::Service(Service::Hello),
    }
}

/// The trunks as calls know them.
///
/// # Errors
///
/// A target that is no SIP URI.
pub fn targets(settings: &Settings) -> Result<Vec<call::config::Trunk>, String> {
    let trunk = |t: &settings::Trunk| -> Result<call::config::Trunk, String> {
        let target = Uri::parse(&t.target).map_err(|e| format!("trunk.{}.target: {e}", t.name))?;
        Ok(call::config::Trunk {
            name: t.name.clone(),
            realm: RealmId(t.realm as u16),
            peers: t.sources.iter().copied().chain(target.ip().map(Prefix::host)).collect(),
            target,
            codecs: t.codecs.clone(),
            credentials: t
                .auth
                .as_ref()
                .map(|(user, password)| Credentials { user: user.clone(), password: password.clone() }),
        })
    };
    settings.trunks.iter().map(trunk).collect()
}

fn realms(settings: &Settings, around: &Around<'_>) -> Vec<call::config::Realm> {
    let realm = |(index, r): (usize, &settings::Realm)| {
        let bound = around.bound.iter().filter(|b| b.realm == index);
        call::config::Realm {
            name: r.name.clone(),
            domain: domain(r),
            listeners: bound.map(|b| listener(r, b)).collect(),
            leg: match r.leg {
                settings::Leg::WebRtc => LegPolicy::WebRtc,
                settings::Leg::Sip => LegPolicy::Sip,
                settings::Leg::Auto => LegPolicy::Auto,
            },
            codecs: r.codecs.clone(),
            ptime_ms: 20,
            auth: match r.auth {
                settings::Auth::Users => Auth::Users,
                settings::Auth::Register | settings::Auth::None => Auth::None,
            },
            trusted: matches!(r.trust, settings::Trust::Medium | settings::Trust::High),
            special_media: r.local_media,
            latch_ms: u32::try_from(r.latch.as_millis()).ok().filter(|ms| *ms > 0),
        }
    };
    settings.realms.iter().enumerate().map(realm).collect()
}

/// The realm's domain, unless it is the address of a wildcard listener.
fn domain(realm: &settings::Realm) -> Option<String> {
    let first = realm.domains.first()?;
    let wildcard = first.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    (!wildcard).then(|| first.clone())
}

/// A wildcard is no address to be told: the one towards the default route is
/// ours. Behind a 1:1 NAT, where media has one address to bind and another to
/// tell, signalling has the same.
fn listener(realm: &settings::Realm, bound: &Bound) -> Listener {
    let ip = if bound.at.ip().is_unspecified() { outward(bound.at.ip()) } else { bound.at.ip() };
    let local = SocketAddr::new(ip, bound.at.port());
    let natted = realm.media_bind != realm.media_address && realm.media_bind == ip;
    let advertised = if natted { SocketAddr::new(realm.media_address, local.port()) } else { local };
    Listener { transport: bound.listen.transport, local, advertised }
}

fn sip(settings: &Settings, realms: &[call::config::Realm], id: EngineId) -> sip::config::Config {
    let listeners = realms.iter().flat_map(|r| &r.listeners).filter(|l| l.local != l.advertised);
    let sent_by = |l: &Listener| SentBy { host: Host::from(l.advertised.ip()), port: Some(l.advertised.port()) };
    sip::config::Config {
        engine: id,
        t1: settings.sip.t1,
        t2: settings.sip.t2,
        t4: settings.sip.t4,
        timer_c: settings.sip.no_answer,
        server: Some(Text::from(settings.sip.user_agent.as_str())),
        advertise: listeners.map(|l| (l.local, sent_by(l))).collect::<BTreeMap<_, _>>(),
        ..sip::config::Config::default()
    }
}

fn register(
    settings: &Settings,
    realms: &[call::config::Realm],
    passwords: &[Secret],
    rng: &mut Rng,
) -> register::Config {
    let mut nonce_secret = [0; 32];
    rng.fill(&mut nonce_secret);
    // A wildcard listener without a domain: its address towards peers is the digest realm.
    let name = |r: &call::config::Realm| {
        let address = || r.listeners.first().map_or_else(String::new, |l| l.advertised.ip().to_string());
        r.domain.clone().unwrap_or_else(address)
    };
    let digest = |(r, s): (&call::config::Realm, &settings::Realm)| register::auth::Realm {
        name: name(r),
        algorithms: s.digest.clone(),
    };
    let user = |(u, password): (&settings::User, &Secret)| register::User {
        name: u.name.clone(),
        password: password.clone(),
        realms: u.realms.iter().map(|r| RealmId(*r as u16)).collect(),
    };
    let (max_expires, min_expires, default_expires) = settings.sip.expires;
    register::Config {
        realms: realms.iter().zip(&settings.realms).map(digest).collect(),
        users: settings.users.iter().zip(passwords).map(user).collect(),
        min_expires,
        default_expires,
        max_expires,
        product: settings.sip.user_agent.clone(),
        nonce_secret,
    }
}

fn guarding(settings: &Settings) -> guard::Config {
    let g = &settings.guard;
    let defaults = guard::Config::default();
    let rate = |(per_sec, burst), default| Rate::new(per_sec, burst).unwrap_or(default);
    let realm = |r: &settings::Realm| guard::Realm {
        trust: match r.trust {
            settings::Trust::None => guard::Trust::None,
            settings::Trust::Low => guard::Trust::Low,
            settings::Trust::Medium => guard::Trust::Medium,
            settings::Trust::High => guard::Trust::High,
        },
        closed: r.closed,
        calls: limit(r.limits),
        ..guard::Realm::default()
    };
    let trunk = |t: &settings::Trunk| {
        let address = Uri::parse(&t.target).ok().and_then(|uri| uri.ip()).map(Prefix::host);
        guard::Trunk {
            realm: RealmId(t.realm as u16),
            addresses: t.sources.iter().copied().chain(address).collect(),
            calls: limit(t.limits),
        }
    };
    let secs = |d: std::time::Duration| count(u32::try_from(d.as_secs()).unwrap_or(u32::MAX));
    let mut bans = defaults.bans;
    bans.first_secs = secs(g.ban.0);
    bans.max_secs = secs(g.ban.1);
    bans.thresholds.auth_failures = count(g.auth_failures);
    guard::Config {
        realms: settings.realms.iter().map(realm).collect(),
        trunks: settings.trunks.iter().map(trunk).collect(),
        deny: g.deny.clone(),
        allow: g.allow.clone(),
        source_rate: rate(g.source, defaults.source_rate),
        user_rate: rate(g.user, defaults.user_rate),
        calls: CallLimit { calls: g.calls.0.or(defaults.calls.calls), ..limit(g.calls) },
        bans,
        ..defaults
    }
}

/// A burst of a second is let through: calls do not come evenly.
fn limit((calls, cps): (Option<u32>, Option<u32>)) -> CallLimit {
    CallLimit { calls, rate: cps.and_then(|n| Rate::new(n, n)) }
}

fn record(settings: &Settings, around: &Around<'_>, id: EngineId) -> record::Config {
    // What the subscriber would throw away is not made.
    let level = match settings.log.filter.as_str() {
        "warn" => record::Level::Warn,
        "error" | "off" => record::Level::Error,
        "info" => record::Level::Info,
        _ => record::Level::Debug,
    };
    record::Config {
        node: settings.node.name.clone(),
        engine: id,
        config_version: String::new(),
        version: env!("CARGO_PKG_VERSION").into(),
        started: around.started,
        realms: settings.realms.iter().map(|r| r.name.clone()).collect(),
        trunks: settings.trunks.iter().map(|t| t.name.clone()).collect(),
        last_seq: around.last_seq,
        log: level,
    }
}

fn ports(settings: &Settings, shards: u8) -> media::ports::Config {
    let realm = |r: &settings::Realm| media::ports::RealmPorts {
        bind: r.media_bind,
        advertised: r.media_address,
        range: r.media_ports,
        shared_port: r.media_port,
    };
    media::ports::Config {
        shards,
        realms: settings.realms.iter().map(realm).collect(),
        quarantine: settings.media.quarantine,
    }
}

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}
