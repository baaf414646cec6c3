//! From the settings to running threads, in one straight line.
//!
//! Everything that can fail for the operator's reasons (an address in use, a
//! directory that cannot be written) happens before the first thread takes a
//! packet. Order: directories, journal and what a crash left open in it,
//! sockets, certificate, media threads, the driver, the API.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use super::build::{self, Around, Bound};
use super::line::Node;
use super::load::{self, Source};
use super::records::{self, Opened};
use crate::admin;
use crate::base::limits::MEDIA_RING;
use crate::base::redact::Secret;
use crate::base::{RealmId, Rng, ShardId, Transport};
use crate::config::settings::{Firewall as Wanted, Role, Settings};
use crate::dtls::{Anchor, Certificate, DimplHandshakes};
use crate::edge::clock::Clock;
use crate::edge::driver;
use crate::edge::media_thread::{self, MediaHandle};
use crate::edge::nftables::{Firewall, Helper};
use crate::edge::{entropy, udp, ws};
use crate::engine::Engine;
use crate::media::plan::Fingerprint;
use crate::media::shard::Shard;

/// What runs.
pub struct Running {
    /// The line to it.
    pub node: Arc<Node>,
    /// The driver's thread; it ends by itself once it is told to stop.
    pub driver: std::thread::JoinHandle<io::Result<()>>,
    /// What a newcomer wants to see.
    pub greeting: Option<String>,
    /// The process's clock.
    pub clock: Clock,
}

/// The sockets, bound and not yet read.
struct Sockets {
    bound: Vec<Bound>,
    udp: Vec<(std::net::UdpSocket, RealmId)>,
    ws: Vec<(std::net::TcpListener, RealmId, ws::Config)>,
    http: Option<std::net::TcpListener>,
    local: UnixListener,
}

/// Starts everything.
///
/// # Errors
///
/// What an operator can mend, in a sentence.
pub fn start(settings: &Settings, source: &Source) -> Result<Running> {
    let clock = Clock::start();
    let mut rng = entropy::rng().map_err(|_| anyhow!("the system gives no entropy"))?;
    let private = *source == Source::BuiltIn;
    let dir = &settings.node.data_dir;
    load::make_dir(dir, private).with_context(|| format!("cannot make {}", dir.display()))?;
    let sockets = bind(settings, source)?;
    let Opened { journal, recovery } = records::open(&settings.cdr.dir, clock)
        .with_context(|| format!("the journal of call records in {} cannot be opened", settings.cdr.dir.display()))?;
    let certificate = Certificate::self_signed().context("no DTLS certificate can be made")?;
    let passwords = passwords(settings, &mut rng);
    let shards = media_threads(settings);
    let hash = certificate.fingerprint();
    let around = Around {
        bound: &sockets.bound,
        fingerprint: Fingerprint { hash: hash.hash().name().to_ascii_lowercase(), digest: hash.bytes().to_vec() },
        shards,
        passwords: &passwords,
        started: clock.now().wall,
        last_seq: recovery.last_seq(0),
    };
    let config = build::engine(settings, &around, &mut rng).map_err(|what| anyhow!(what))?;
    let ports_total = ports_total(&config.ports);
    let engine = Engine::new(config, clock.now(), rng.fork());
    let (to_driver, inbox) = mpsc::channel(MEDIA_RING);
    let media = media(settings, shards, clock, &certificate, &mut rng, &to_driver)?;
    let firewall = firewall(settings);
    let node = Arc::new(Node {
        driver: to_driver,
        media: media.clone(),
        journal: journal.status(),
        kernel_bans: firewall.is_some(),
        stop: Notify::new(),
        stopping: AtomicBool::new(false),
        ports_total,
    });
    let greeting = private.then(|| greeting(settings, &sockets, &passwords));
    let api = admin::Setup {
        config: api(settings, &sockets, &passwords, private, &node),
        tcp: sockets.http,
        local: sockets.local,
    };
    let setup = driver::Setup { engine, clock, udp: sockets.udp, ws: sockets.ws, media, journal, firewall, inbox };
    if recovery.calls > 0 {
        tracing::warn!(calls = recovery.calls, "the last run ended in mid call, its records are closed");
    }
    let driver = std::thread::Builder::new().name("engine-0".into()).spawn(move || driver::run(setup))?;
    std::thread::Builder::new().name("admin".into()).spawn(move || {
        if let Err(error) = admin::run(api) {
            tracing::error!(%error, "the admin API has ended");
        }
    })?;
    Ok(Running { node, driver, greeting, clock })
}

fn bind(settings: &Settings, source: &Source) -> Result<Sockets> {
    let (mut bound, mut sockets, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
    for (index, realm) in settings.realms.iter().enumerate() {
        let id = RealmId(index as u16);
        for listen in &realm.listen {
            let busy = |error: io::Error| taken(&error, listen.transport, listen.address, source);
            let at = if listen.transport == Transport::Udp {
                let socket = udp::bind(listen.address, false).map_err(busy)?;
                let at = socket.local_addr()?;
                sockets.push((socket, id));
                at
            } else {
                let socket = ws::listen(listen.address).map_err(busy)?;
                let at = socket.local_addr()?;
                let config = ws::Config {
                    path: listen.path.clone(),
                    origins: realm.origins.clone(),
                    handshake: HANDSHAKE,
                    ping: realm.ping,
                };
                listeners.push((socket, id, config));
                at
            };
            bound.push(Bound { realm: index, listen: listen.clone(), at });
        }
    }
    let http = match settings.admin.listen {
        Some(at) => Some(ws::listen(at).map_err(|error| taken(&error, Transport::Tcp, at, source))?),
        None => None,
    };
    let local = local_socket(&settings.admin.socket)?;
    Ok(Sockets { bound, udp: sockets, ws: listeners, http, local })
}

/// What to do about an address that cannot be bound.
fn taken(error: &io::Error, transport: Transport, at: SocketAddr, source: &Source) -> anyhow::Error {
    let proto = if transport == Transport::Udp { "udp" } else { "tcp" };
    match (error.kind(), source) {
        (io::ErrorKind::AddrInUse, Source::BuiltIn) => anyhow!(
            "{at}/{proto} is in use by another program (or another sbc). Stop it, or choose other ports: \
             `sbc check --show > sbc.toml`, change them there, then `sbc -c sbc.toml`"
        ),
        (io::ErrorKind::AddrInUse, Source::File(_)) => anyhow!("{at}/{proto} is in use by another program"),
        (io::ErrorKind::AddrNotAvailable, _) => anyhow!("{at}/{proto}: this machine has no such address"),
        (io::ErrorKind::PermissionDenied, _) => {
            anyhow!("{at}/{proto}: ports below 1024 need the capability CAP_NET_BIND_SERVICE")
        }
        _ => anyhow!("{at}/{proto}: {error}"),
    }
}

/// The commands' socket, mode 0600 from its first moment. One that a dead
/// process left is removed, one that answers is not.
fn local_socket(path: &Path) -> Result<UnixListener> {
    let what = || format!("the local socket {} cannot be made", path.display());
    if let Some(dir) = path.parent() {
        load::make_dir(dir, false).with_context(what)?;
    }
    if UnixStream::connect(path).is_ok() {
        bail!("another sbc answers at {}", path.display());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).with_context(what),
        _ => {}
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    let listener = bound.with_context(what)?;
    listener.set_nonblocking(true).with_context(what)?;
    Ok(listener)
}

/// The configured password of every user, or one made now.
fn passwords(settings: &Settings, rng: &mut Rng) -> Vec<Secret> {
    settings.users.iter().map(|u| u.password.clone().unwrap_or_else(|| Secret::new(rng.token(PASSWORD)))).collect()
}

fn media_threads(settings: &Settings) -> u8 {
    let cores = || std::thread::available_parallelism().map_or(1, |n| u8::try_from(n.get()).unwrap_or(64).min(64));
    if settings.node.media_threads > 0 { settings.node.media_threads } else { cores() }
}

fn ports_total(ports: &crate::media::ports::Config) -> u64 {
    ports.realms.iter().filter_map(|r| r.range).map(|(first, last)| u64::from(last - first).div_ceil(2)).sum()
}

fn media(
    settings: &Settings,
    shards: u8,
    clock: Clock,
    certificate: &Certificate,
    rng: &mut Rng,
    driver: &mpsc::Sender<driver::Request>,
) -> Result<Vec<MediaHandle>> {
    let anchor = Anchor { std: clock.origin(), base: crate::base::Instant::ZERO };
    let dtls = crate::dtls::Config { limit: settings.media.dtls, ..crate::dtls::Config::default() };
    let mut handles = Vec::new();
    for id in (0..shards).map(ShardId) {
        let handshakes = DimplHandshakes::new(dtls.clone(), certificate.clone(), anchor)?;
        let shard = Shard::new(build::shard(settings, id), Box::new(handshakes), rng.fork());
        handles.push(media_thread::spawn(id, shard, clock, driver.clone())?);
    }
    Ok(handles)
}

/// The firewall helper, if there is one that works; said once if there is none.
fn firewall(settings: &Settings) -> Option<Firewall> {
    let helper = match &settings.guard.firewall {
        Wanted::Off => return None,
        Wanted::Socket(path) => Helper::Socket(path.clone()),
        Wanted::Auto if Path::new(HELPER).exists() => Helper::Socket(HELPER.into()),
        Wanted::Auto if may_change_firewall() => Helper::Spawn,
        Wanted::Auto => {
            tracing::info!("no firewall helper and no CAP_NET_ADMIN: bans are enforced in user space");
            return None;
        }
    };
    match Firewall::connect(&helper) {
        Ok(firewall) => Some(firewall),
        Err(error) => {
            tracing::warn!(%error, "the firewall helper does not work, bans are enforced in user space");
            None
        }
    }
}

fn may_change_firewall() -> bool {
    use rustix::thread::CapabilitySet;
    rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

fn api(
    settings: &Settings,
    sockets: &Sockets,
    passwords: &[Secret],
    built_in: bool,
    node: &Arc<Node>,
) -> admin::Config {
    let role = |role| match role {
        Role::Viewer => admin::Role::Viewer,
        Role::Operator => admin::Role::Operator,
        Role::Admin => admin::Role::Admin,
    };
    let node = Arc::clone(node);
    admin::Config {
        line: admin::Line::new(move |ask| {
            let node = Arc::clone(&node);
            async move { node.answer(ask).await }
        }),
        tokens: settings
            .admin
            .tokens
            .iter()
            .map(|t| admin::Token { name: t.name.clone(), role: role(t.role), secret: t.secret.clone() })
            .collect(),
        hosts: settings.admin.hosts.clone(),
        phone: if built_in { phone(settings, sockets, passwords) } else { None },
    }
}

/// What the browser phone logs in with.
fn phone(settings: &Settings, sockets: &Sockets, passwords: &[Secret]) -> Option<serde_json::Value> {
    let (ws, user) = (sockets.bound.iter().find(|b| b.listen.transport == Transport::Ws)?, settings.users.first()?);
    Some(json!({
        "ws_uri": format!("ws://{}{}", ws.at, ws.listen.path),
        "domain": settings.realms[ws.realm].domains.first()?,
        "user": user.name,
        "password": passwords.first()?.reveal(),
        "services": ["echo", "tone", "hello"],
        "note": null,
    }))
}

fn greeting(settings: &Settings, sockets: &Sockets, passwords: &[Secret]) -> String {
    let http = sockets.http.as_ref().and_then(|l| l.local_addr().ok()).map_or_else(String::new, |at| at.to_string());
    let sip = sockets.bound.iter().find(|b| b.listen.transport == Transport::Udp && b.at.ip().is_loopback());
    let users: Vec<(&str, &str)> =
        settings.users.iter().zip(passwords).map(|(u, p)| (u.name.as_str(), p.reveal())).collect();
    super::cli::greeting(&http, &users, sip.map(|b| b.at))
}

/// Where the unit `sbc-nft.service` listens.
const HELPER: &str = "/run/sbc/nft.sock";

/// How long a WebSocket hand-shake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Characters of a password made at start: 80 random bits.
const PASSWORD: usize = 16;
