//! The house that the cases are told in: three realms, three trunks, two users,
//! and the session descriptions of their devices.

use std::time::Duration;

use sbc::base::redact::Secret;
use sbc::base::{Codec, EngineId, RealmId, Transport, TrunkId};
use sbc::call::config::{Auth, Credentials, LegPolicy, Listener, Realm, Timing, Trunk};
use sbc::call::register::User;
use sbc::engine::Config;
use sbc::media::plan::Fingerprint;
use sbc::media::ports::RealmPorts;
use sbc::route::{self, Match, Origin, Pattern, Rule, Service, TargetRef};
use sbc::sip::message::Uri;

pub const PHONES: RealmId = RealmId(0);
pub const BROWSERS: RealmId = RealmId(1);
pub const CARRIERS: RealmId = RealmId(2);
pub const ACME: TrunkId = TrunkId(0);

fn realm(name: &str, leg: LegPolicy, auth: Auth, listener: (Transport, &str), codecs: &[Codec]) -> Realm {
    let local = listener.1.parse().expect("address");
    Realm {
        name: name.to_owned(),
        domain: None,
        listeners: vec![Listener { transport: listener.0, local, advertised: local }],
        leg,
        codecs: codecs.to_vec(),
        ptime_ms: 20,
        auth,
        trusted: name == "carriers",
        special_media: false,
        latch_ms: Some(250),
    }
}

fn trunk(name: &str, target: &str, peer: &str) -> Trunk {
    Trunk {
        name: name.to_owned(),
        realm: CARRIERS,
        target: Uri::parse(target).expect("uri"),
        codecs: vec![Codec::Pcma],
        credentials: Some(Credentials { user: "u1".to_owned(), password: Secret::new("u1-password") }),
        peers: vec![peer.parse().expect("prefix")],
    }
}

fn rule(to: &str, targets: &[TargetRef]) -> Rule {
    Rule {
        from: vec![Origin::Realm(PHONES), Origin::Realm(BROWSERS), Origin::Realm(CARRIERS)],
        matches: Match { to: Some(Pattern::new(to).expect("pattern")), ..Match::default() },
        to: targets.iter().map(|t| (*t).into()).collect(),
        ..Rule::default()
    }
}

pub fn config() -> Config {
    let all = [Codec::Opus, Codec::Pcmu, Codec::Pcma];
    let realms = vec![
        realm("phones", LegPolicy::Sip, Auth::None, (Transport::Udp, "203.0.113.1:5060"), &[Codec::Pcmu, Codec::Pcma]),
        realm("browsers", LegPolicy::WebRtc, Auth::Users, (Transport::Ws, "203.0.113.1:8088"), &all),
        realm(
            "carriers",
            LegPolicy::Sip,
            Auth::Trunks,
            (Transport::Udp, "203.0.113.1:5070"),
            &[Codec::Pcma, Codec::Pcmu],
        ),
    ];
    let ip = "203.0.113.1".parse().expect("address");
    let ports = |range, shared_port| RealmPorts { bind: ip, advertised: ip, range, shared_port };
    let mut trunks = vec![
        route::Trunk::new("acme", CARRIERS, "sip:198.51.100.1:5060"),
        route::Trunk::new("backup", CARRIERS, "sip:198.51.100.2:5060"),
        route::Trunk::new("named", CARRIERS, "sip:sip.named.example"),
    ];
    trunks.iter_mut().for_each(|t| t.probe = None);
    let user = |name: &str| User {
        name: name.to_owned(),
        password: Secret::new(format!("{name}-password")),
        realms: Vec::new(),
    };
    let names = ["phones", "browsers", "carriers"].map(|name| route::Realm { name: name.to_owned() });
    let mut guard = sbc::guard::Config::for_realms(3);
    guard.trunks = vec![sbc::guard::config::Trunk { realm: CARRIERS, ..Default::default() }; 3];
    guard.source_calls = Default::default();
    guard.user_calls = Default::default();
    Config {
        id: EngineId(1),
        node: "test".to_owned(),
        config_version: None,
        engines: 1,
        sip: sbc::sip::config::Config { engine: EngineId(1), ..Default::default() },
        call: sbc::call::Config {
            engine: EngineId(1),
            product: "sbc".to_owned(),
            realms,
            trunks: vec![
                trunk("acme", "sip:198.51.100.1:5060", "198.51.100.1"),
                trunk("backup", "sip:198.51.100.2:5060", "198.51.100.2"),
                trunk("named", "sip:sip.named.example", "198.51.100.3"),
            ],
            fingerprint: Fingerprint { hash: "sha-256".to_owned(), digest: vec![0xab; 32] },
            timing: Timing::default(),
        },
        register: sbc::call::register::Config {
            realms: ["phones", "browsers", "carriers"].map(sbc::call::register::auth::Realm::new).to_vec(),
            users: vec![user("alice"), user("bob")],
            min_expires: Duration::from_secs(60),
            default_expires: Duration::from_secs(300),
            max_expires: Duration::from_secs(3600),
            product: "sbc".to_owned(),
            nonce_secret: [3; 32],
        },
        route: route::Config {
            realms: names.to_vec(),
            trunks,
            rules: vec![
                rule("echo", &[TargetRef::Service(Service::Echo)]),
                rule("tone", &[TargetRef::Service(Service::Tone)]),
                rule(r"\+49.*", &[TargetRef::Trunk(TrunkId(0)), TargetRef::Trunk(TrunkId(1))]),
                rule(r"\+44.*", &[TargetRef::Trunk(TrunkId(2))]),
                rule("alice|bob|nobody", &[TargetRef::Registered]),
                rule("phone-b", &[TargetRef::Dialled]),
            ],
            dialling: None,
        },
        guard,
        ports: sbc::media::ports::Config {
            shards: 1,
            realms: vec![ports(Some((30000, 30099)), None), ports(None, Some(8189)), ports(Some((40000, 40099)), None)],
            quarantine: Duration::from_secs(5),
        },
        record: sbc::record::Config {
            realms: ["phones", "browsers", "carriers"].map(str::to_owned).to_vec(),
            trunks: ["acme", "backup", "named"].map(str::to_owned).to_vec(),
            ..Default::default()
        },
    }
}

pub fn phone_sdp(host: &str, formats: &str) -> String {
    format!(
        "v=0\no=- 77 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\nm=audio 41000 RTP/AVP {formats} 101\n\
         a=rtpmap:101 telephone-event/8000\na=sendrecv\n"
    )
}

pub fn browser_sdp(setup: &str, formats: &str) -> String {
    let digest = ["CD"; 32].join(":");
    format!(
        "v=0\no=mozilla 99 0 IN IP4 127.0.0.1\ns=-\nt=0 0\na=group:BUNDLE 0\n\
         m=audio 9 UDP/TLS/RTP/SAVPF {formats}\nc=IN IP4 0.0.0.0\na=mid:0\na=sendrecv\na=rtcp-mux\n\
         a=ice-ufrag:abcd\na=ice-pwd:0123456789abcdef01234567\na=fingerprint:sha-256 {digest}\na=setup:{setup}\n\
         a=rtpmap:111 opus/48000/2\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\n\
         a=candidate:1 1 udp 2122260223 192.168.1.5 51000 typ host\n"
    )
}
