//! From the text of `sbc.toml` to [`Settings`], or to every problem at once.
//!
//! Sections are read in the order in which they refer to each other: realms,
//! then trunks and users, then routes. A reference to a name that does not
//! exist is a problem with the names that do.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use toml::de::DeTable;

use super::problem::{Problem, Problems};
use super::secret::Place;
use super::section::{At, Section};
use super::settings::{
    Admin, Auth, Cdr, Firewall, Guard, Leg, Listen, Log, Media, Node, Pick, Realm, Role, Route, Settings, Sip, Target,
    Token, Trunk, Trust, User,
};
use super::units;
use crate::base::net::Prefix;
use crate::base::{Codec, Transport};
use crate::sip::digest::Algorithm;

/// Reads a configuration.
///
/// # Errors
///
/// Every problem found, in the order of the file.
pub fn read(text: &str, place: &Place) -> Result<Settings, Vec<Problem>> {
    let problems = RefCell::new(Problems::of(text));
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |s| s.start);
        problems.borrow_mut().add(at, "", error.message().replace('\n', ", "), "TOML 1.0");
    }
    let root = Section::root(table.get_ref(), &problems);
    let settings = all(&root, place);
    let problems = problems.into_inner();
    if problems.is_empty() { Ok(settings) } else { Err(problems.into_sorted()) }
}

fn all(root: &Section<'_, '_>, place: &Place) -> Settings {
    let node = node(&root.section("node"));
    let realms: Vec<Realm> = root.named("realm").iter().map(|(name, s)| realm(name, s)).collect();
    if realms.is_empty() {
        root.problem("realm", root.at(), "no realm", "at least one [realm.NAME]");
    }
    let realm_names: Vec<String> = realms.iter().map(|r| r.name.clone()).collect();
    let trunks: Vec<Trunk> = root.named("trunk").iter().map(|(n, s)| trunk(n, s, &realm_names, place)).collect();
    let users = root.named("user").iter().filter_map(|(n, s)| user(n, s, &realm_names, place)).collect();
    let trunk_names: Vec<String> = trunks.iter().map(|t| t.name.clone()).collect();
    let routes = root.list("route").iter().map(|s| route(s, &realm_names, &trunk_names)).collect();
    let admin = admin(&root.section("admin"), place, &node.data_dir);
    let cdr = cdr(&root.section("cdr"), &node.data_dir);
    let settings = Settings {
        log: log(&root.section("log")),
        sip: sip(&root.section("sip")),
        media: media(&root.section("media")),
        guard: guard(&root.section("guard")),
        node,
        admin,
        cdr,
        realms,
        trunks,
        users,
        routes,
    };
    root.finish();
    across(root, &settings);
    settings
}

/// What no single section can see.
fn across(root: &Section<'_, '_>, settings: &Settings) {
    let mut seen: Vec<(bool, SocketAddr, &str)> = Vec::new();
    for realm in &settings.realms {
        for listen in &realm.listen {
            let slot = (listen.transport == Transport::Udp, listen.address, realm.name.as_str());
            if let Some(other) = seen.iter().find(|s| (s.0, s.1) == (slot.0, slot.1) && slot.1.port() != 0) {
                let found = format!("{} is also a listener of realm {}", listen.address, other.2);
                root.problem(&format!("realm.{}.listen", realm.name), root.at(), found, "each address once");
            }
            seen.push(slot);
        }
    }
    for (index, realm) in settings.realms.iter().enumerate() {
        let range = |r: &Realm| r.media_ports.filter(|_| r.media_bind == realm.media_bind);
        let Some((first, last)) = range(realm) else { continue };
        for other in &settings.realms[..index] {
            if range(other).is_some_and(|(from, to)| first <= to && from <= last) {
                let found =
                    format!("{first}-{last} overlaps the ports of realm {} at {}", other.name, realm.media_bind);
                let key = format!("realm.{}.media.ports", realm.name);
                root.problem(&key, root.at(), found, "ranges apart where the address is the same");
            }
        }
    }
    let auth_needs_users = settings.realms.iter().any(|r| r.auth != Auth::None) && settings.users.is_empty();
    if auth_needs_users && settings.routes.iter().any(|r| r.to.contains(&Target::Registered)) {
        root.problem("user", root.at(), "routes go to registered users and there are none", "at least one [user.NAME]");
    }
}

fn node(s: &Section<'_, '_>) -> Node {
    let name = s.parsed("name", "letters, digits, '-' and '.', at most 64", |v| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        (!v.is_empty() && v.len() <= 64 && v.chars().all(fits)).then(|| v.to_owned())
    });
    let node = Node {
        name: name.map_or_else(|| "sbc".to_owned(), |v| v.value),
        data_dir: path(s, "data_dir", "/var/lib/sbc"),
        media_threads: s.integer("media_threads", 0..=64).unwrap_or(0),
        drain: s.duration("drain", secs(300), secs(0)..=secs(86_400)),
    };
    s.finish();
    node
}

fn log(s: &Section<'_, '_>) -> Log {
    let filter =
        s.parsed("level", "trace, debug, info, warn, error, or a filter such as \"info,sbc::edge=debug\"", |v| {
            v.parse::<tracing_subscriber::filter::targets::Targets>().ok().map(|_| v.to_owned())
        });
    let json = s.one_of("format", false, &[("text", false), ("json", true)]);
    s.finish();
    Log { filter: filter.map_or_else(|| "info".to_owned(), |v| v.value), json }
}

fn admin(s: &Section<'_, '_>, place: &Place, data_dir: &std::path::Path) -> Admin {
    let listen = s.parsed("listen", "an address and port such as \"127.0.0.1:8080\", or \"off\"", |v| match v {
        "off" => Some(None),
        _ => v.parse().ok().map(Some),
    });
    let roles = [("viewer", Role::Viewer), ("operator", Role::Operator), ("admin", Role::Admin)];
    let mut tokens = Vec::new();
    for (name, token) in s.named("token") {
        let role = token.one_of("role", Role::Viewer, &roles);
        if let Some(secret) = place.secret(&token, "token") {
            tokens.push(Token { name, role, secret });
        }
        token.finish();
    }
    let socket = s.string("socket").map_or_else(|| data_dir.join("sbc.sock"), |v| PathBuf::from(v.value));
    let hosts = s.strings("hosts", "a host name", |v| Some(v.to_ascii_lowercase()));
    let listen_at = listen.as_ref().map_or(s.at(), |l| l.at);
    let listen = listen.map_or(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))), |v| v.value);
    if listen.is_some_and(|l| !l.ip().is_loopback()) && tokens.is_empty() {
        s.problem("listen", listen_at, "not loopback, and no token", "at least one [admin.token.NAME] beside it");
    }
    s.finish();
    Admin { listen, socket, hosts: hosts.into_iter().map(|h| h.value).collect(), tokens }
}

fn sip(s: &Section<'_, '_>) -> Sip {
    let default_agent = concat!("sbc/", env!("CARGO_PKG_VERSION"));
    let agent = s.parsed("user_agent", "printable ASCII, at most 64 characters", |v| {
        (v.len() <= 64 && v.bytes().all(|b| (b' '..=b'~').contains(&b))).then(|| v.to_owned())
    });
    let sip = Sip {
        t1: s.duration("t1", ms(500), ms(10)..=secs(5)),
        t2: s.duration("t2", secs(4), ms(100)..=secs(60)),
        t4: s.duration("t4", secs(5), ms(100)..=secs(60)),
        no_answer: s.duration("no_answer", secs(180), secs(1)..=secs(3600)),
        try_next: s.duration("try_next", secs(8), ms(500)..=secs(32)),
        flow_lost: s.duration("flow_lost", secs(60), secs(0)..=secs(600)),
        expires: (
            s.duration("expires_max", secs(3600), secs(60)..=secs(86_400)),
            s.duration("expires_min", secs(60), secs(1)..=secs(3600)),
            s.duration("expires_default", secs(600), secs(1)..=secs(86_400)),
        ),
        nonce: s.duration("nonce", secs(300), secs(10)..=secs(3600)),
        user_agent: agent.map_or_else(|| default_agent.to_owned(), |v| v.value),
    };
    s.finish();
    sip
}

fn media(s: &Section<'_, '_>) -> Media {
    let media = Media {
        ice: s.duration("ice", secs(15), secs(1)..=secs(120)),
        dtls: s.duration("dtls", secs(10), secs(1)..=secs(60)),
        inactivity: s.duration("inactivity", secs(60), secs(5)..=secs(86_400)),
        quarantine: s.duration("quarantine", secs(5), secs(0)..=secs(300)),
        opus_complexity: s.integer("opus_complexity", 0..=10).unwrap_or(5),
        opus_bitrate: s.integer("opus_bitrate", 8_000..=128_000).unwrap_or(32_000),
    };
    s.finish();
    media
}

fn guard(s: &Section<'_, '_>) -> Guard {
    let rates = |key: &str, default: (u32, u32)| {
        let r = s.section(key);
        let rate = r.integer("per_sec", 1..=1_000_000).unwrap_or(default.0);
        let burst = r.integer("burst", 1..=1_000_000).unwrap_or(default.1);
        r.finish();
        (rate, burst)
    };
    let firewall = s.parsed("firewall", "\"auto\", \"off\" or the path of the helper's socket", |v| match v {
        "auto" => Some(Firewall::Auto),
        "off" => Some(Firewall::Off),
        _ if v.starts_with('/') => Some(Firewall::Socket(PathBuf::from(v))),
        _ => None,
    });
    let guard = Guard {
        allow: prefixes(s, "allow"),
        deny: prefixes(s, "deny"),
        source: rates("source", (50, 200)),
        user: rates("user", (20, 100)),
        calls: limits(&s.section("limits")),
        ban: (
            s.duration("ban_first", secs(30), secs(1)..=secs(3600)),
            s.duration("ban_longest", secs(3600), secs(1)..=secs(86_400)),
        ),
        auth_failures: s.integer("auth_failures", 1..=1000).unwrap_or(5),
        firewall: firewall.map_or(Firewall::Auto, |v| v.value),
    };
    s.finish();
    guard
}

fn cdr(s: &Section<'_, '_>, data_dir: &std::path::Path) -> Cdr {
    let dir = s.string("dir").map_or_else(|| data_dir.join("cdr"), |v| PathBuf::from(v.value));
    s.finish();
    Cdr { dir }
}

fn realm(name: &str, s: &Section<'_, '_>) -> Realm {
    check_name(name, s);
    let allowed = "a listener such as \"udp://0.0.0.0:5060\" or \"ws://127.0.0.1:8088/sip\"";
    let listen: Vec<Listen> = s.strings("listen", allowed, listener).into_iter().map(|l| l.value).collect();
    if listen.is_empty() {
        s.problem("listen", s.at(), "no listener", allowed);
    }
    let leg = s.one_of("leg", Leg::Auto, &[("webrtc", Leg::WebRtc), ("sip", Leg::Sip), ("auto", Leg::Auto)]);
    let trusts = [("none", Trust::None), ("low", Trust::Low), ("medium", Trust::Medium), ("high", Trust::High)];
    let auths = [("users", Auth::Users), ("register", Auth::Register), ("none", Auth::None)];
    let m = s.section("media");
    let (media_bind, media_address) = media_address(&m, &listen, leg);
    let ports = "even pairs within a range such as \"30000-39999\"";
    let media_port = m.integer("port", 1..=65_000);
    let media_ports = m.parsed("ports", ports, units::ports).map(|p| p.value);
    if leg != Leg::Sip && media_port.is_none() {
        m.problem("port", m.at(), "no port for WebRTC legs", "port = 8189, or leg = \"sip\"");
    }
    if leg != Leg::WebRtc && media_ports.is_none() {
        m.problem("ports", m.at(), "no ports for SIP legs", ports);
    }
    let dscp = m.parsed("dscp", "a class such as \"EF\", \"AF41\", \"CS5\" or a number from 0 to 63", units::dscp);
    let local_media = m.boolean("local", false);
    let latch = m.duration("latch", ms(250), ms(0)..=secs(5));
    m.finish();
    let codecs = codecs(s, &[Codec::Opus, Codec::Pcma, Codec::Pcmu]);
    let first = listen.first().map_or_else(|| media_address.to_string(), |l| l.address.ip().to_string());
    let mut domains: Vec<String> =
        s.strings("domains", "a domain", |v| Some(v.to_ascii_lowercase())).into_iter().map(|d| d.value).collect();
    if domains.is_empty() {
        domains.push(first);
    }
    let realm = Realm {
        name: name.to_owned(),
        media_bind,
        media_address,
        media_port,
        media_ports,
        dscp: dscp.map_or(46, |v| v.value),
        leg,
        trust: s.one_of("trust", Trust::None, &trusts),
        closed: s.boolean("closed", false),
        auth: s.one_of("auth", Auth::Users, &auths),
        domains,
        digest: digest(s, leg),
        codecs,
        origins: s
            .strings("origins", "an origin such as \"https://phone.example\"", |v| Some(v.to_owned()))
            .into_iter()
            .map(|o| o.value)
            .collect(),
        ping: s.duration("ping", secs(25), secs(1)..=secs(600)),
        limits: limits(&s.section("limits")),
        local_media,
        latch,
        listen,
    };
    s.finish();
    realm
}

/// `address = "auto"` is the listener's own address, or the one that leads
/// towards the default route where that one is of no use; `bind` differs from it
/// behind a 1:1 NAT.
fn media_address(m: &Section<'_, '_>, listen: &[Listen], leg: Leg) -> (IpAddr, IpAddr) {
    let listener = listen.first().map_or(IpAddr::from(Ipv4Addr::LOCALHOST), |l| l.address.ip());
    // Browsers gather no candidate on loopback, even towards a server on their own machine.
    let unusable = listener.is_unspecified() || (leg == Leg::WebRtc && listener.is_loopback());
    let own = if unusable { outward(listener) } else { listener };
    let allowed = "an IP address or \"auto\"";
    let address = m.parsed("address", allowed, |v| if v == "auto" { Some(own) } else { v.parse().ok() });
    let address = address.map_or(own, |v| v.value);
    let bind = m.parsed("bind", allowed, |v| if v == "auto" { Some(address) } else { v.parse().ok() });
    (bind.map_or(address, |v| v.value), address)
}

/// Our address on the default route: a connected UDP socket sends nothing.
pub fn outward(family: IpAddr) -> IpAddr {
    let probe = if family.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    std::net::UdpSocket::bind(probe.0)
        .and_then(|s| s.connect(probe.1).and_then(|()| s.local_addr()))
        .map_or(IpAddr::from(Ipv4Addr::LOCALHOST), |a| a.ip())
}

fn trunk(name: &str, s: &Section<'_, '_>, realms: &[String], place: &Place) -> Trunk {
    check_name(name, s);
    let realm = s.parsed("realm", &realms.join(", "), |v| index(realms, v));
    if realm.is_none() && !s.has("realm") {
        s.problem("realm", s.at(), "no realm", realms.join(", "));
    }
    let target = s.parsed("target", "a SIP URI such as \"sip:sip.acme.example;transport=tls\"", |v| {
        let rest = v.strip_prefix("sip:").or_else(|| v.strip_prefix("sips:"))?;
        (!rest.is_empty() && rest.bytes().all(|b| (b'!'..=b'~').contains(&b))).then(|| v.to_owned())
    });
    if target.is_none() && !s.has("target") {
        s.problem("target", s.at(), "no target", "a SIP URI");
    }
    let a = s.section("auth");
    let user = a.string("user");
    let secret = a.exists().then(|| place.secret(&a, "secret")).flatten();
    if a.exists() && user.is_none() {
        a.problem("user", a.at(), "no user", "the name that the trunk knows us by");
    }
    a.finish();
    let p = s.section("probe");
    let trunk = Trunk {
        name: name.to_owned(),
        realm: realm.map_or(0, |r| r.value),
        target: target.map_or_else(String::new, |t| t.value),
        sources: prefixes(s, "sources"),
        auth: user.map(|u| u.value).zip(secret),
        codecs: codecs(s, &[]),
        limits: limits(&s.section("limits")),
        probe: p.duration("every", secs(0), secs(0)..=secs(3600)),
        down_after: p.integer("down_after", 1..=100).unwrap_or(3),
        up_after: p.integer("up_after", 1..=100).unwrap_or(2),
        weight: s.integer("weight", 0..=10_000).unwrap_or(1),
    };
    p.finish();
    s.finish();
    trunk
}

fn user(name: &str, s: &Section<'_, '_>, realms: &[String], place: &Place) -> Option<User> {
    let random = s.string("password").is_some_and(|p| p.value == "random");
    let password = if random { Some(None) } else { place.secret(s, "password").map(Some) };
    let realms = s.strings("realms", &realms.join(", "), |v| index(realms, v)).into_iter().map(|r| r.value).collect();
    s.finish();
    Some(User { name: name.to_owned(), password: password?, realms })
}

fn route(s: &Section<'_, '_>, realms: &[String], trunks: &[String]) -> Route {
    let sides: Vec<String> = realms.iter().chain(trunks).cloned().collect();
    let from = s.strings("from", &sides.join(", "), |v| index(&sides, v));
    let (from_realms, from_trunks): (Vec<_>, Vec<_>) =
        from.into_iter().map(|f| f.value).partition(|i| *i < realms.len());
    let built_in = ["registered", "dialled", "echo", "tone", "hello"];
    let targets = trunks.iter().map(String::as_str).chain(built_in).collect::<Vec<_>>().join(", ");
    let to: Vec<Target> = s.strings("to", &targets, |v| target(v, trunks)).into_iter().map(|t| t.value).collect();
    if to.is_empty() && !s.has("to") {
        s.problem("to", s.at(), "no target", targets);
    }
    let m = s.section("match");
    let (to_matches, from_matches) = (regex(&m, "to"), regex(&m, "from"));
    m.finish();
    let r = s.section("rewrite");
    let rewrite = |key: &str| -> Option<At<String>> { r.string(key) };
    let (rewrite_to, rewrite_from) = (rewrite("to"), rewrite("from"));
    r.finish();
    let picks = [
        ("failover", Pick::Failover),
        ("weight", Pick::Weight),
        ("hash", Pick::Hash),
        ("least-calls", Pick::LeastCalls),
    ];
    let route = Route {
        from_realms,
        from_trunks: from_trunks.into_iter().map(|i| i - realms.len()).collect(),
        to_matches,
        from_matches,
        to,
        pick: s.one_of("pick", Pick::Failover, &picks),
        rewrite_to: rewrite_to.map(|r| r.value),
        rewrite_from: rewrite_from.map(|r| r.value),
    };
    s.finish();
    route
}

fn target(name: &str, trunks: &[String]) -> Option<Target> {
    match name {
        "registered" => Some(Target::Registered),
        "dialled" => Some(Target::Dialled),
        "echo" => Some(Target::Echo),
        "tone" => Some(Target::Tone),
        "hello" => Some(Target::Hello),
        _ => index(trunks, name).map(Target::Trunk),
    }
}

fn listener(text: &str) -> Option<Listen> {
    let (scheme, rest) = text.split_once("://")?;
    let transport = match scheme {
        "udp" => Transport::Udp,
        "ws" => Transport::Ws,
        _ => return None,
    };
    let (address, path) = match rest.split_once('/') {
        Some((address, path)) if transport.is_websocket() => (address, format!("/{path}")),
        Some(_) => return None,
        None => (rest, "/".to_owned()),
    };
    // Towards the network, whatever address that is: for a machine that gets another one each day.
    let address = match address.strip_prefix("auto:") {
        Some(port) => SocketAddr::new(outward(IpAddr::from(Ipv4Addr::UNSPECIFIED)), port.parse().ok()?),
        None => address.parse().ok()?,
    };
    Some(Listen { transport, address, path })
}

fn regex(s: &Section<'_, '_>, key: &str) -> Option<Regex> {
    let limit = |v: &str| regex::RegexBuilder::new(v).size_limit(1 << 20).build().ok();
    s.parsed(key, "a regular expression, linear-time syntax (no look-around, no back-references)", limit)
        .map(|r| r.value)
}

/// Old phones give up at a challenge that they do not know, browsers' libraries pass over it.
fn digest(s: &Section<'_, '_>, leg: Leg) -> Vec<Algorithm> {
    let known = [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256];
    let list = s.strings("digest", "SHA-256, MD5, SHA-512-256", |v| known.into_iter().find(|a| a.name() == v));
    match (list.is_empty(), leg) {
        (false, _) => list.into_iter().map(|a| a.value).collect(),
        (true, Leg::Sip) => vec![Algorithm::Md5],
        (true, Leg::WebRtc | Leg::Auto) => vec![Algorithm::Sha256, Algorithm::Md5],
    }
}

fn codecs(s: &Section<'_, '_>, default: &[Codec]) -> Vec<Codec> {
    let list = s.strings("codecs", "opus, PCMU, PCMA", |v| Codec::from_name(v).filter(|c| *c != Codec::G722));
    if s.has("codecs") { list.into_iter().map(|c| c.value).collect() } else { default.to_vec() }
}

fn limits(s: &Section<'_, '_>) -> (Option<u32>, Option<u32>) {
    let both = (s.integer("calls", 0..=1_000_000), s.integer("cps", 1..=100_000));
    s.finish();
    both
}

fn prefixes(s: &Section<'_, '_>, key: &str) -> Vec<Prefix> {
    s.strings(key, "an address or block such as 10.0.0.0/8", |v| v.parse().ok()).into_iter().map(|p| p.value).collect()
}

fn path(s: &Section<'_, '_>, key: &str, default: &str) -> PathBuf {
    PathBuf::from(s.string(key).map_or_else(|| default.to_owned(), |v| v.value))
}

fn index(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|n| n == name)
}

/// Names stand in metrics, records and rules.
fn check_name(name: &str, s: &Section<'_, '_>) {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let reserved = ["registered", "dialled", "echo", "tone", "hello"];
    if name.is_empty() || name.len() > 32 || !name.chars().all(fits) || reserved.contains(&name) {
        s.problem("", s.at(), format!("name {name:?}"), "lower-case letters, digits, '-' and '_', at most 32");
    }
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(text, &Place::built_in()).expect_err("the text has problems").iter().map(Problem::to_string).collect()
    }

    const GOOD: &str = r#"
[realm.inside]
listen = ["udp://127.0.0.1:5060"]
media = { ports = "30000-30099" }
leg = "sip"
[trunk.acme]
realm = "inside"
target = "sip:192.0.2.1"
[[route]]
match = { to = '^\+49(?<n>\d+)$' }
to = ["acme", "echo"]
rewrite = { to = "0${n}" }
"#;

    #[test]
    fn reads_names_as_indices() {
        let s = read(GOOD, &Place::built_in()).expect("no problem");
        assert_eq!(s.routes[0].to, [Target::Trunk(0), Target::Echo]);
        assert_eq!(s.realms[0].media_address.to_string(), "127.0.0.1");
        assert_eq!((s.trunks[0].realm, s.realms[0].dscp), (0, 46));
    }

    #[test]
    fn tells_every_problem_with_its_line() {
        let text = GOOD.replace("leg = \"sip\"", "leg = \"sipp\"\nlegs = 1").replace("\"acme\", ", "\"acne\", ");
        let found = problems(&text);
        assert_eq!(found.len(), 4, "{found:#?}");
        assert_eq!(
            found[0],
            "4:9: realm.inside.media.port: no port for WebRTC legs; allowed: port = 8189, or leg = \"sip\""
        );
        assert!(
            found[1].starts_with("5:7: realm.inside.leg: found \"sipp\"; allowed: webrtc, sip, auto"),
            "{}",
            found[1]
        );
        assert!(found[2].starts_with("6:1: realm.inside.legs: unknown key; allowed: auth, closed"), "{}", found[2]);
        assert!(found[3].contains("route[0].to: found \"acne\"; allowed: acme, registered"), "{}", found[3]);
    }

    #[test]
    fn tells_syntax_errors_with_their_line() {
        let found = problems("[node]\nname = \"a\nlisten = 3\n");
        assert!(found.iter().any(|p| p.starts_with("2:10: invalid basic string")), "{found:?}");
    }

    #[test]
    fn an_open_admin_address_needs_a_token() {
        let found = problems(&format!("[admin]\nlisten = \"0.0.0.0:80\"\n{GOOD}"));
        assert_eq!(
            found,
            ["2:10: admin.listen: not loopback, and no token; allowed: at least one [admin.token.NAME] beside it"]
        );
    }

    #[test]
    fn realms_at_one_address_have_ports_of_their_own() {
        let more = GOOD.replace("realm.inside", "realm.other").replace(":5060", ":5070").replace("30000-", "30050-");
        let text = format!("{GOOD}{}", more.split("[trunk").next().unwrap_or_default());
        let found = problems(&text);
        assert!(
            found[0].contains("realm.other.media.ports: 30050-30099 overlaps the ports of realm inside"),
            "{found:?}"
        );
    }

    #[test]
    fn the_shipped_files_have_no_problem() {
        for text in [include_str!("../../sbc.toml"), include_str!("default.toml")] {
            read(text, &Place::built_in()).expect("a shipped configuration is right");
        }
    }

    /// What the comments of `sbc.toml` say is accepted, key by key.
    #[test]
    fn every_commented_key_of_the_shipped_file_is_known() {
        let shipped = include_str!("../../sbc.toml");
        let enabled: Vec<String> = shipped
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(k, _)| is_key(k)) => {
                    rest.to_owned()
                }
                _ => line.to_owned(),
            })
            .collect();
        let text = enabled.join("\n").replace("token_file = \"noc.token\"", "token = \"x\"");
        let text = text.replace("secret_file = \"acme.secret\"", "secret = \"x\"").replace("\"backup\"", "\"echo\"");
        read(&text, &Place::built_in()).expect("documented keys are accepted");
    }

    fn is_key(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
    }
}
