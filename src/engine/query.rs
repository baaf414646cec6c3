//! What an operator may ask, and the rows of the answers.
//!
//! Rows have the names and shapes of the HTTP interface, so that `admin` only
//! adds the rows of all engines up. A query changes nothing.

use serde::Serialize;

use super::Engine;
use super::command::Done;
use crate::base::{Codec, Instant, Leg, Now, RealmId, TrunkId, UnixMillis};
use crate::call::Call;
use crate::call::Phase;
use crate::call::event::TargetName;
use crate::route::TrunkState;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// How the node does.
    Status,
    /// Live calls, the newest first.
    Calls {
        /// At most so many.
        limit: usize,
    },
    /// One live call: its id, a Call-ID header of it, or its session identifier.
    Call {
        /// Which.
        id: String,
    },
    /// Trunks and how they do.
    Trunks,
    /// Who is registered where.
    Registrations,
    /// Who is banned.
    Bans,
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To [`Query::Status`].
    Status(Box<Status>),
    /// To [`Query::Calls`].
    Calls {
        /// Rows.
        calls: Vec<CallRow>,
        /// All there are.
        total: usize,
    },
    /// To [`Query::Call`]; `None` if there is none.
    Call(Option<Box<CallRow>>),
    /// To [`Query::Trunks`].
    Trunks {
        /// Rows.
        trunks: Vec<TrunkRow>,
    },
    /// To [`Query::Registrations`].
    Registrations {
        /// Rows.
        registrations: Vec<RegistrationRow>,
        /// All there are.
        total: usize,
    },
    /// To [`Query::Bans`].
    Bans {
        /// Rows.
        bans: Vec<BanRow>,
    },
    /// To a command.
    Done(Done),
}

/// How the node does, as far as an engine knows.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The node's name.
    pub node: String,
    /// Of the program.
    pub version: &'static str,
    /// When the engine started.
    pub started: String,
    /// Since then.
    pub uptime_secs: u64,
    /// `running` or `draining`.
    pub state: &'static str,
    /// Of the configuration.
    pub config_version: Option<String>,
    /// Calls in the table.
    pub calls_active: usize,
    /// Calls answered since the start.
    pub calls_total: u64,
    /// INVITEs on record since the start.
    pub attempts_total: u64,
    /// Bindings.
    pub registrations: usize,
    /// Connections open.
    pub ws_connections: u64,
    /// Bans in force.
    pub bans: usize,
    /// Engines of the process.
    pub engines: u8,
    /// Realms.
    pub realms: Vec<RealmRow>,
}

/// A realm.
#[derive(Clone, Debug, Serialize)]
pub struct RealmRow {
    /// Its name.
    pub name: String,
    /// Its listeners as URIs.
    pub listen: Vec<String>,
    /// `webrtc`, `sip` or `auto`.
    pub leg: &'static str,
    /// Calls with a leg there.
    pub calls_active: usize,
}

/// A live call.
#[derive(Clone, Debug, Serialize)]
pub struct CallRow {
    /// Our id.
    pub id: String,
    /// RFC 7989.
    pub session_id: Option<String>,
    /// `setup`, `ringing`, `answered` or `ending`.
    pub state: &'static str,
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// Of the A leg.
    pub realm_in: String,
    /// Of the B leg.
    pub realm_out: Option<String>,
    /// Of the B leg.
    pub trunk: Option<String>,
    /// When the INVITE came.
    pub started: String,
    /// When it was answered.
    pub answered: Option<String>,
    /// From the answer, before that from the start.
    pub duration_secs: u64,
    /// `opus/48000/2`.
    pub codec_a: Option<String>,
    /// Of the B leg.
    pub codec_b: Option<String>,
    /// SRTP profile.
    pub crypto_a: Option<String>,
    /// Of the B leg.
    pub crypto_b: Option<String>,
    /// Known at the end, or from media.
    pub mos_a: Option<f32>,
    /// Of the B leg.
    pub mos_b: Option<f32>,
    /// `relay`, `transcode` or `service`.
    pub path: Option<&'static str>,
    /// True while a side holds.
    pub held: bool,
}

/// A trunk.
#[derive(Clone, Debug, Serialize)]
pub struct TrunkRow {
    /// Its name.
    pub name: String,
    /// Its realm.
    pub realm: String,
    /// Where it is.
    pub target: String,
    /// `up`, `down` or `unknown`.
    pub state: &'static str,
    /// Why it is down.
    pub reason: Option<&'static str>,
    /// Since when it is in that state.
    pub since: Option<String>,
    /// Calls to it.
    pub calls_active: u32,
    /// Most calls at once.
    pub calls_limit: Option<u32>,
    /// Of the last probe.
    pub probe_ms: Option<u64>,
}

/// A registration.
#[derive(Clone, Debug, Serialize)]
pub struct RegistrationRow {
    /// Who.
    pub user: String,
    /// From which realm.
    pub realm: String,
    /// `ws`, `udp` and so on.
    pub transport: String,
    /// Address and port.
    pub source: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// Since when.
    pub registered: String,
    /// Seconds left.
    pub expires_secs: u64,
}

/// A ban.
#[derive(Clone, Debug, Serialize)]
pub struct BanRow {
    /// The block, always with its length.
    pub prefix: String,
    /// What for.
    pub reason: String,
    /// Since when.
    pub since: String,
    /// Seconds left.
    pub expires_secs: Option<u64>,
    /// Packets dropped by it here.
    pub hits: u64,
    /// What was counted.
    pub evidence: String,
    /// `guard` or `operator`.
    pub by: &'static str,
}

impl Engine {
    /// Answers a question.
    pub fn query(&self, now: Now, query: Query) -> Reply {
        match query {
            Query::Status => Reply::Status(Box::new(self.status(now))),
            Query::Calls { limit } => Reply::Calls {
                calls: self.calls.iter().rev().take(limit).map(|c| self.call_row(now, c)).collect(),
                total: self.calls.len(),
            },
            Query::Call { id } => Reply::Call(self.calls.find(&id).map(|c| Box::new(self.call_row(now, c)))),
            Query::Trunks => Reply::Trunks { trunks: self.trunk_rows() },
            Query::Registrations => {
                Reply::Registrations { registrations: self.registration_rows(now), total: self.registrar.len() }
            }
            Query::Bans => Reply::Bans { bans: self.ban_rows(now) },
        }
    }

    fn status(&self, now: Now) -> Status {
        Status {
            node: self.config.node.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started: self.started.wall.to_string(),
            uptime_secs: now.mono.since(self.started.mono).as_secs(),
            state: if self.calls.is_draining() { "draining" } else { "running" },
            config_version: self.config.config_version.clone(),
            calls_active: self.calls.len(),
            calls_total: self.counters.calls_total,
            attempts_total: self.counters.attempts_total,
            registrations: self.registrar.len(),
            ws_connections: self.counters.connections,
            bans: self.guard.bans(now).len(),
            engines: self.config.engines,
            realms: self.realm_rows(),
        }
    }

    fn realm_rows(&self) -> Vec<RealmRow> {
        let row = |(index, realm): (usize, &crate::call::config::Realm)| {
            let id = RealmId(index as u16);
            let uri = |l: &crate::call::config::Listener| match l.transport.is_websocket() {
                true => format!("{}://{}/sip", l.transport, l.local),
                false => format!("{}://{}", l.transport, l.local),
            };
            RealmRow {
                name: realm.name.clone(),
                listen: realm.listeners.iter().map(uri).collect(),
                leg: match realm.leg {
                    crate::call::config::LegPolicy::WebRtc => "webrtc",
                    crate::call::config::LegPolicy::Sip => "sip",
                    crate::call::config::LegPolicy::Auto => "auto",
                },
                calls_active: self.calls.iter().filter(|c| c.caller.realm == id || realm_out(c) == Some(id)).count(),
            }
        };
        self.config.call.realms.iter().enumerate().map(row).collect()
    }

    fn realm_name(&self, id: RealmId) -> String {
        self.config.call.realm(id).map(|r| r.name.clone()).unwrap_or_default()
    }

    fn call_row(&self, now: Now, call: &Call) -> CallRow {
        let side = |leg| call.party(leg).and_then(|p| p.side.as_ref()).and_then(|s| s.codec);
        let (a, b) = (side(Leg::A), side(Leg::B));
        let since = call.answered.unwrap_or(call.started);
        let person = |user: &str, host: &str| cut(if user.is_empty() { host } else { user });
        CallRow {
            id: call.id.to_string(),
            session_id: Some(call.caller.session_a.clone()),
            state: match &call.phase {
                Phase::Setup { ringing: false } => "setup",
                Phase::Setup { ringing: true } => "ringing",
                Phase::Answered => "answered",
                Phase::Ending { .. } => "ending",
            },
            from: person(&call.caller.from, "anonymous"),
            to: person(&call.caller.to, &call.caller.request_uri),
            realm_in: self.realm_name(call.caller.realm),
            realm_out: realm_out(call).map(|id| self.realm_name(id)),
            trunk: trunk_of(call).and_then(|t| self.config.call.trunk(t)).map(|t| t.name.clone()),
            started: call.started.wall.to_string(),
            answered: call.answered.map(|at| at.wall.to_string()),
            duration_secs: now.mono.since(since.mono).as_secs(),
            codec_a: a.map(codec_name),
            codec_b: b.map(codec_name),
            crypto_a: call.crypto[0].clone(),
            crypto_b: call.crypto[1].clone(),
            mos_a: None,
            mos_b: None,
            path: match (call.service, a, b) {
                (Some(_), _, _) => Some("service"),
                (None, Some(a), Some(b)) => Some(if a == b { "relay" } else { "transcode" }),
                (None, _, _) => None,
            },
            held: call.a.holds || call.b.as_ref().is_some_and(|b| b.holds),
        }
    }

    fn trunk_rows(&self) -> Vec<TrunkRow> {
        let row = |view: crate::route::TrunkView| {
            let trunk = self.config.call.trunk(view.trunk)?;
            let (state, reason, since): (_, _, Option<UnixMillis>) = match view.state {
                TrunkState::Unknown => ("unknown", None, None),
                TrunkState::Up { since } => ("up", None, Some(since)),
                TrunkState::Down { since, why } => ("down", Some(failure(why)), Some(since)),
            };
            Some(TrunkRow {
                name: trunk.name.clone(),
                realm: self.realm_name(trunk.realm),
                target: trunk.target.to_string(),
                state,
                reason,
                since: since.map(|s| s.to_string()),
                calls_active: self.guard.trunk_calls(view.trunk),
                calls_limit: self.route.trunk(view.trunk).and_then(|t| t.max_calls),
                probe_ms: view.last_answer_ms,
            })
        };
        self.health.view().filter_map(row).collect()
    }

    fn registration_rows(&self, now: Now) -> Vec<RegistrationRow> {
        let row = |(user, b): (&str, &crate::call::register::Binding)| RegistrationRow {
            user: user.to_owned(),
            realm: self.realm_name(b.flow.realm),
            transport: b.flow.transport.to_string(),
            source: Some(b.flow.remote.to_string()),
            user_agent: b.user_agent.clone(),
            registered: b.registered.wall.to_string(),
            expires_secs: b.expires_secs(now),
        };
        self.registrar.iter().map(row).collect()
    }

    fn ban_rows(&self, now: Now) -> Vec<BanRow> {
        let row = |ban: crate::guard::BanView| {
            let operator = ban.reason == crate::guard::BanReason::Operator;
            BanRow {
                prefix: format!("{}/{}", ban.prefix.base(), ban.prefix.bits()),
                reason: ban.reason.label().to_owned(),
                since: ban.since.to_string(),
                expires_secs: Some(ban.left_secs),
                hits: ban.hits,
                evidence: ban.evidence.to_string(),
                by: if operator { "operator" } else { "guard" },
            }
        };
        self.guard.bans(now).into_iter().map(row).collect()
    }

    /// When the engine started, on its monotonic clock.
    pub fn started_at(&self) -> Instant {
        self.started.mono
    }
}

fn realm_out(call: &Call) -> Option<RealmId> {
    call.target.as_ref().filter(|_| call.service.is_none()).map(|t| t.realm)
}

fn trunk_of(call: &Call) -> Option<TrunkId> {
    match call.target.as_ref()?.name {
        TargetName::Trunk(trunk) => Some(trunk),
        TargetName::User(_) | TargetName::Service(_) | TargetName::Uri(_) => None,
    }
}

fn failure(why: crate::route::health::Failure) -> &'static str {
    match why {
        crate::route::health::Failure::Timeout => "OPTIONS timed out",
        crate::route::health::Failure::Unreachable => "it cannot be reached",
        crate::route::health::Failure::Unavailable => "it answers 503",
    }
}

/// As `a=rtpmap` has it: `opus/48000/2`.
fn codec_name(codec: Codec) -> String {
    let channels = if codec == Codec::Opus { "/2" } else { "" };
    format!("{}/{}{channels}", codec.rtpmap_name(), codec.clock_hz())
}

/// At most 64 characters, which is what lists show.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
