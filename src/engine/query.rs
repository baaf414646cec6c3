//! What an operator may ask, and the rows of the answers.
//!
//! Rows have the names and shapes of the HTTP interface, so that `admin` only
//! adds the rows of all engines up. A query changes nothing.

use serde::Serialize;

use super::Engine;
use super::command::Done;
use super::rates::Rates;
use crate::base::{Instant, Now, RealmId, UnixMillis};
use crate::record::live::Quality;
use crate::record::{CallDetail, CallView, TrunkStats, Why};
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
    /// One call, live or remembered: its id, a Call-ID header of it, or its
    /// session identifier.
    Call {
        /// Which.
        id: String,
    },
    /// Why a call did what it did.
    Why {
        /// As for [`Query::Call`].
        id: String,
    },
    /// The metrics as text.
    Metrics(Box<World>),
    /// Trunks and how they do.
    Trunks,
    /// Who is registered where.
    Registrations,
    /// Who is banned.
    Bans,
    /// Where a call would go, and why.
    Route {
        /// Calling user.
        from: String,
        /// Dialled user or SIP address.
        to: String,
        /// Name of the realm it comes in by; the first one if `None`.
        realm: Option<String>,
    },
}

/// What the world adds to the metrics of an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// Packets dropped by media threads, by reason.
    pub drops: Vec<(&'static str, u64)>,
    /// Bytes in the journal that no sink has yet.
    pub cdr_spool_bytes: u64,
    /// Faults of ours that were caught.
    pub panics: u64,
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
        calls: Vec<CallView>,
        /// All there are.
        total: usize,
    },
    /// To [`Query::Call`]; `None` if there is none.
    Call(Option<Box<CallDetail>>),
    /// To [`Query::Why`]; `None` if there is none.
    Why(Option<Box<Why>>),
    /// To [`Query::Metrics`].
    Metrics(String),
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
    /// To [`Query::Route`]; `None` if there is no such realm.
    Route(Option<Box<super::explain::RouteReply>>),
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
    /// Calls a second.
    pub cps: f64,
    /// Messages a second.
    pub rates: Rates,
    /// Of calls in progress.
    pub quality: Quality,
    /// Call records.
    pub cdr: CdrStatus,
    /// `none`, `soft` or `hard`.
    pub overload: &'static str,
    /// Pairs of media ports that are free.
    pub ports_free: usize,
}

/// How the call records do.
#[derive(Clone, Debug, Serialize)]
pub struct CdrStatus {
    /// Bytes written since the start.
    pub journal_bytes: u64,
    /// Final records written since the start.
    pub written_total: u64,
    /// Age of the oldest that no sink has yet.
    pub oldest_unsent_secs: Option<f64>,
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
    /// Calls that came in there.
    pub calls_active: u64,
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
    /// Most calls a second.
    pub cps_limit: Option<u32>,
    /// Of the last probe.
    pub probe_ms: Option<u64>,
    /// Of the last 15 minutes.
    #[serde(flatten)]
    pub stats: TrunkStats,
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
            Query::Calls { limit } => {
                Reply::Calls { calls: self.records.live_calls(now, limit), total: self.records.live_count() }
            }
            Query::Call { id } => {
                let found = self.records.find(&id).and_then(|id| self.records.view(id, now, true));
                Reply::Call(found.map(Box::new))
            }
            Query::Why { id } => Reply::Why(self.records.find(&id).and_then(|id| self.records.why(id)).map(Box::new)),
            Query::Metrics(world) => {
                let mut snapshot = self.snapshot();
                snapshot.drops.extend(world.drops);
                snapshot.cdr_spool_bytes = world.cdr_spool_bytes;
                snapshot.panics = world.panics;
                Reply::Metrics(self.records.render(&snapshot))
            }
            Query::Trunks => Reply::Trunks { trunks: self.trunk_rows(now) },
            Query::Registrations => {
                Reply::Registrations { registrations: self.registration_rows(now), total: self.registrar.len() }
            }
            Query::Bans => Reply::Bans { bans: self.ban_rows(now) },
            Query::Route { from, to, realm } => {
                Reply::Route(self.route(now, &from, &to, realm.as_deref()).map(Box::new))
            }
        }
    }

    fn status(&self, now: Now) -> Status {
        let totals = self.records.totals(now);
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
            realms: self.realm_rows(&totals.calls_by_realm),
            cps: totals.cps,
            rates: self.rates.of(now),
            quality: totals.quality,
            cdr: CdrStatus {
                journal_bytes: totals.cdr_journal_bytes,
                written_total: totals.cdr_written_total,
                oldest_unsent_secs: None,
            },
            overload: "none",
            ports_free: self
                .config
                .ports
                .realms
                .iter()
                .enumerate()
                .map(|(r, _)| self.ports.free(RealmId(r as u16)))
                .sum(),
        }
    }

    fn realm_rows(&self, by_realm: &[u64]) -> Vec<RealmRow> {
        let row = |(index, realm): (usize, &crate::call::config::Realm)| {
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
                calls_active: by_realm.get(index).copied().unwrap_or(0),
            }
        };
        self.config.call.realms.iter().enumerate().map(row).collect()
    }

    fn realm_name(&self, id: RealmId) -> String {
        self.config.call.realm(id).map(|r| r.name.clone()).unwrap_or_default()
    }

    fn trunk_rows(&self, now: Now) -> Vec<TrunkRow> {
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
                cps_limit: self.config.guard.trunks.get(usize::from(view.trunk.0)).and_then(cps_limit),
                probe_ms: view.last_answer_ms,
                stats: self.records.trunk(now, view.trunk),
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

fn cps_limit(trunk: &crate::guard::Trunk) -> Option<u32> {
    trunk.calls.rate.map(|rate| rate.per_sec.get())
}

pub(super) fn failure(why: crate::route::health::Failure) -> &'static str {
    match why {
        crate::route::health::Failure::Timeout => "OPTIONS timed out",
        crate::route::health::Failure::Unreachable => "it cannot be reached",
        crate::route::health::Failure::Unavailable => "it answers 503",
    }
}
