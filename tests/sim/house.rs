//! The house under test: realms, users, trunks and routes of every scenario.
//!
//! Three realms: browsers by WebSocket, phones by UDP that may sit behind NATs,
//! carriers that are known by their addresses. Digits with a plus go to trunk
//! `alpha`, then `beta`; service names to services; all else to whoever is
//! registered by that name.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sbc::base::redact::Secret;
use sbc::base::{Codec, EngineId, RealmId, ShardId, Transport, TrunkId};
use sbc::call::config::{Auth, LegPolicy, Listener, Realm, Timing, Trunk};
use sbc::call::register::User;
use sbc::dtls::Handshakes;
use sbc::media::plan::Fingerprint;
use sbc::media::ports::{self, Ports, RealmPorts};
use sbc::route::{self, TargetRef};
use sbc::sip::message::Uri;
use sbc::{call, engine, guard, media, record, sip};

use crate::dtls;

pub const BROWSERS: RealmId = RealmId(0);
pub const PHONES: RealmId = RealmId(1);
pub const CARRIERS: RealmId = RealmId(2);

pub const DOMAIN: &str = "sbc.example";
pub const PASSWORD: &str = "open sesame";

/// Addresses of the SBC by realm.
pub const OURS: [&str; 3] = ["203.0.113.1", "198.51.100.1", "10.9.0.250"];

/// What scenarios may change before the world is made.
#[derive(Clone, Debug)]
pub struct House {
    pub shards: u8,
    pub users: Vec<String>,
    pub codecs: [Vec<Codec>; 3],
    pub guard: guard::Config,
    pub timing: Timing,
    pub media: media::config::Config,
    pub port_pairs: u16,
    pub latch_ms: Option<u32>,
    pub min_expires: Duration,
    pub probe: Option<route::trunk::Probe>,
    pub trunk_login: bool,
}

impl Default for House {
    fn default() -> Self {
        let mut guard = guard::Config::for_realms(3);
        guard.realms[2].trust = guard::Trust::High;
        for (at, ip) in [(0, "10.9.0.11"), (1, "10.9.0.12")] {
            guard.trunks.push(guard::config::Trunk { realm: CARRIERS, ..Default::default() });
            guard.trunks[at].addresses = ip.parse().into_iter().collect();
        }
        Self {
            shards: 1,
            users: ["alice", "bob", "carol", "dave", "erin", "frank"].map(str::to_owned).to_vec(),
            codecs: [
                vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
                vec![Codec::Pcmu, Codec::Pcma],
                vec![Codec::Pcma, Codec::Pcmu],
            ],
            guard,
            timing: Timing::default(),
            media: media::config::Config::default(),
            port_pairs: 50,
            latch_ms: Some(250),
            min_expires: Duration::from_secs(60),
            probe: None,
            trunk_login: false,
        }
    }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address of the test")
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address of the test")
}

/// Where a realm's SIP listener is.
pub fn listener(realm: RealmId) -> SocketAddr {
    SocketAddr::new(ip(OURS[usize::from(realm.0)]), if realm == BROWSERS { 8080 } else { 5060 })
}

impl House {
    pub fn engine(&self, dtls: &Arc<dtls::Script>, record: record::Config) -> engine::Config {
        let print = dtls.fingerprint();
        let fingerprint = Fingerprint { hash: "sha-256".to_owned(), digest: print.bytes().to_vec() };
        engine::Config {
            id: EngineId(0),
            node: "sim".to_owned(),
            config_version: None,
            engines: 1,
            sip: sip::config::Config { engine: EngineId(0), ..Default::default() },
            call: call::Config {
                engine: EngineId(0),
                product: "border".to_owned(),
                realms: self.realms(),
                trunks: self.trunks(),
                fingerprint,
                timing: self.timing,
            },
            register: call::register::Config {
                realms: vec![call::register::auth::Realm::new(DOMAIN); 3],
                users: self.users.iter().map(|name| user(name)).collect(),
                min_expires: self.min_expires,
                default_expires: Duration::from_secs(300),
                max_expires: Duration::from_secs(3600),
                product: "border".to_owned(),
                nonce_secret: [7; 32],
            },
            route: self.route(),
            guard: self.guard.clone(),
            ports: self.ports(),
            record,
        }
    }

    pub fn shard(&self, shard: ShardId) -> media::config::Config {
        let shared = Ports::new(self.ports()).shared_sockets(shard).into_iter().map(|at| (at, 46)).collect();
        media::config::Config { shared, ..self.media.clone() }
    }

    fn realms(&self) -> Vec<Realm> {
        let realm = |id: RealmId, name: &str, leg, auth, transport| Realm {
            name: name.to_owned(),
            domain: Some(DOMAIN.to_owned()),
            listeners: vec![Listener { transport, local: listener(id), advertised: listener(id) }],
            leg,
            codecs: self.codecs[usize::from(id.0)].clone(),
            ptime_ms: 20,
            auth,
            trusted: false,
            special_media: false,
            latch_ms: self.latch_ms,
        };
        vec![
            realm(BROWSERS, "browsers", LegPolicy::WebRtc, Auth::Users, Transport::Ws),
            realm(PHONES, "phones", LegPolicy::Sip, Auth::Users, Transport::Udp),
            realm(CARRIERS, "carriers", LegPolicy::Sip, Auth::Trunks, Transport::Udp),
        ]
    }

    fn trunks(&self) -> Vec<Trunk> {
        let trunk = |name: &str, ip: &str| Trunk {
            name: name.to_owned(),
            realm: CARRIERS,
            target: Uri::parse(&format!("sip:{ip}:5060")).expect("a URI of the test"),
            codecs: Vec::new(),
            credentials: self
                .trunk_login
                .then(|| call::config::Credentials { user: name.to_owned(), password: Secret::new(PASSWORD) }),
            peers: ip.parse().into_iter().collect(),
        };
        vec![trunk("alpha", "10.9.0.11"), trunk("beta", "10.9.0.12")]
    }

    fn route(&self) -> route::Config {
        let mut trunks: Vec<_> = [("alpha", "10.9.0.11"), ("beta", "10.9.0.12")]
            .into_iter()
            .map(|(name, ip)| route::Trunk::new(name, CARRIERS, format!("sip:{ip}:5060")))
            .collect();
        for trunk in &mut trunks {
            trunk.probe = self.probe;
        }
        let rule = |pattern: &str, to: Vec<TargetRef>| {
            let mut rule = route::Rule { name: Some(pattern.to_owned()), ..Default::default() };
            rule.matches.to = Some(route::matcher::Pattern::new(pattern).expect("a pattern of the test"));
            rule.to = to.into_iter().map(route::Target::from).collect();
            rule
        };
        let trunk = |n| TargetRef::Trunk(TrunkId(n));
        let mut rules: Vec<_> =
            route::Service::ALL.into_iter().map(|s| rule(s.name(), vec![TargetRef::Service(s)])).collect();
        rules.push(rule("\\+.*", vec![trunk(0), trunk(1)]));
        rules.push(rule(".*", vec![TargetRef::Registered]));
        let realms = ["browsers", "phones", "carriers"].map(|name| route::Realm { name: name.to_owned() }).to_vec();
        route::Config { realms, trunks, rules, dialling: None }
    }

    fn ports(&self) -> ports::Config {
        let realm = |id: RealmId, range: bool, shared| RealmPorts {
            bind: ip(OURS[usize::from(id.0)]),
            advertised: ip(OURS[usize::from(id.0)]),
            range: range.then_some((30_000, 30_000 + 2 * self.port_pairs)),
            shared_port: shared,
        };
        let realms = vec![realm(BROWSERS, false, Some(8189)), realm(PHONES, true, None), realm(CARRIERS, true, None)];
        ports::Config { shards: self.shards, realms, quarantine: Duration::from_secs(5) }
    }
}

fn user(name: &str) -> User {
    User { name: name.to_owned(), password: Secret::new(PASSWORD), realms: Vec::new() }
}
