//! One structured line an event: a level, a fixed message, fields.
//!
//! INFO is a call or trunk that changed state, WARN what an operator should
//! look at today. What a stranger can trigger at will is DEBUG at most: an
//! INVITE that was never routed, a ban's noise. Numbers, users and addresses go
//! through [`Redacted`]; who may see them asks `sbc why`.

use std::fmt;

use super::fold::Fold;
use super::names::{self, Names};
use crate::base::redact::Redacted;
use crate::base::{CallId, Now, TrunkId};
use crate::call::cause::{Cause, Initiator, Internal};
use crate::call::event::{Event, EventKind, TargetName};
use crate::guard;
use crate::media::event::EventKind as Media;

/// A level; the order is that of importance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A packet.
    Trace,
    /// A branch taken.
    Debug,
    /// A call or trunk changed state.
    #[default]
    Info,
    /// An operator should look today.
    Warn,
    /// We cannot do our job.
    Error,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its stamp.
    pub at: Now,
    /// Its level.
    pub level: Level,
    /// What happened; one of a closed set.
    pub message: &'static str,
    /// Names and values.
    pub fields: Vec<(&'static str, String)>,
}

/// `message key=value key="two words"`, without level and time, which the subscriber prints.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)?;
        for (name, value) in &self.fields {
            if value.is_empty() || value.contains([' ', '"', '=']) {
                write!(f, " {name}={value:?}")?;
            } else {
                write!(f, " {name}={value}")?;
            }
        }
        Ok(())
    }
}

impl LogLine {
    fn new(at: Now, level: Level, message: &'static str) -> Self {
        Self { at, level, message, fields: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    fn with_cause(self, cause: &Cause, by: Initiator) -> Self {
        self.with("status", cause.sip_code)
            .with("cause", names::internal_code(cause.internal))
            .with("by", names::initiator(by))
    }
}

/// The level that an event of a call is logged at.
pub fn level(fold: &Fold, kind: &EventKind) -> Level {
    let routed = fold.routed.is_some();
    match kind {
        EventKind::Answered { .. } => Level::Info,
        EventKind::Ending { cause, .. } | EventKind::AttemptEnded { cause, .. } => match cause.internal {
            Internal::Internal => Level::Error,
            Internal::NoMediaPort => Level::Warn,
            _ if routed => Level::Info,
            _ => Level::Debug,
        },
        EventKind::Media(Media::Failed { .. }) => Level::Info,
        EventKind::Started { .. }
        | EventKind::Authenticated { .. }
        | EventKind::Challenged { .. }
        | EventKind::Routed { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::Progress { .. }
        | EventKind::Negotiated { .. }
        | EventKind::Held { .. }
        | EventKind::Resumed { .. }
        | EventKind::InDialog { .. }
        | EventKind::Noted { .. }
        | EventKind::Media(_)
        | EventKind::Ended => Level::Debug,
    }
}

/// The line of an event of a call.
pub fn call_line(fold: &Fold, event: &Event, names: &Names) -> LogLine {
    let line = |message| LogLine::new(event.at, level(fold, &event.kind), message).with("call", event.call);
    match &event.kind {
        EventKind::Started { flow, realm, trunk, from, to, .. } => with_trunk(line("call started"), *trunk, names)
            .with("realm", names.realm(*realm))
            .with("transport", flow.transport)
            .with("source", Redacted(&flow.remote.ip().to_string()))
            .with("from", Redacted(from))
            .with("to", Redacted(to)),
        EventKind::Authenticated { user } => line("caller authenticated").with("user", Redacted(user)),
        EventKind::Challenged { status } => line("caller challenged").with("status", status),
        EventKind::Routed { targets, .. } => line("call routed").with("targets", targets.len()),
        EventKind::AttemptStarted { attempt, target, realm, .. } => {
            with_target(line("attempt started").with("attempt", attempt).with("leg", "B"), target, names)
                .with("realm", names.realm(*realm))
        }
        EventKind::Progress { attempt, status, early_media } => {
            line("attempt progressed").with("attempt", attempt).with("status", status).with("early_media", early_media)
        }
        EventKind::AttemptEnded { attempt, cause, by } => {
            let line = line("attempt failed").with("attempt", attempt);
            match fold.attempt(*attempt).and_then(|a| a.target()) {
                Some(target) => with_target(line, target, names).with_cause(cause, *by),
                None => line.with_cause(cause, *by),
            }
        }
        EventKind::Answered { attempt } => {
            let setup_ms = fold.times().setup_ms.unwrap_or(0);
            with_trunk(line("call answered"), fold.trunk_b(), names).with("attempt", attempt).with("setup_ms", setup_ms)
        }
        EventKind::Negotiated { leg, codec, transport, .. } => {
            line("media agreed").with("leg", leg).with("codec", names::codec(*codec)).with("transport", transport)
        }
        EventKind::Held { leg } => line("call held").with("leg", leg),
        EventKind::Resumed { leg } => line("call resumed").with("leg", leg),
        EventKind::InDialog { leg, method, status } => {
            line("request in dialog").with("leg", leg).with("method", names::shown(method, 32)).with("status", status)
        }
        // What is noted may hold what a peer wrote; `sbc why` shows it.
        EventKind::Noted { leg, what } => match leg {
            Some(leg) => line("noted").with("leg", leg).with("what", Redacted(what)),
            None => line("noted").with("what", Redacted(what)),
        },
        EventKind::Media(kind) => media_line(line, kind),
        EventKind::Ending { by, cause } => ending_line(line, fold, *by, cause, names),
        EventKind::Ended => line("call over"),
    }
}

fn ending_line(
    line: impl Fn(&'static str) -> LogLine,
    fold: &Fold,
    by: Initiator,
    cause: &Cause,
    names: &Names,
) -> LogLine {
    match fold.times().talk_ms {
        Some(talk_ms) => {
            with_trunk(line("call ended"), fold.trunk_b(), names).with("talk_ms", talk_ms).with_cause(cause, by)
        }
        None => with_trunk(line("call failed"), fold.main_trunk(), names).with_cause(cause, by),
    }
}

fn media_line(line: impl Fn(&'static str) -> LogLine, kind: &Media) -> LogLine {
    match kind {
        Media::IceConnected { leg, after_ms, .. } => line("ice connected").with("leg", leg).with("after_ms", after_ms),
        Media::IceMoved { leg, remote } => {
            line("ice moved").with("leg", leg).with("remote", Redacted(&remote.ip().to_string()))
        }
        Media::DtlsConnected { leg, profile, after_ms } => {
            line("dtls connected").with("leg", leg).with("profile", profile).with("after_ms", after_ms)
        }
        Media::FirstPacket { leg, .. } => line("first media packet").with("leg", leg),
        Media::Latched { leg, remote } => {
            line("media source learned").with("leg", leg).with("remote", Redacted(&remote.ip().to_string()))
        }
        // A digit may be part of a card number.
        Media::Digit { leg, duration_ms, .. } => line("digit").with("leg", leg).with("duration_ms", duration_ms),
        Media::Failed { leg, why } => line("media failed").with("leg", leg).with("cause", names::media_code(*why)),
        Media::Closed { .. } => line("media closed"),
    }
}

fn with_trunk(line: LogLine, trunk: Option<TrunkId>, names: &Names) -> LogLine {
    match trunk {
        Some(trunk) => line.with("trunk", names.trunk(trunk)),
        None => line,
    }
}

fn with_target(line: LogLine, target: &TargetName, names: &Names) -> LogLine {
    match target {
        TargetName::Trunk(trunk) => line.with("trunk", names.trunk(*trunk)),
        TargetName::User(user) => line.with("user", Redacted(user)),
        TargetName::Service(which) => line.with("service", names::service(*which)),
        TargetName::Uri(uri) => line.with("uri", Redacted(uri)),
    }
}

/// The line of an event of the guard.
pub fn guard_line(event: &guard::Event) -> LogLine {
    let line = |level, message| LogLine::new(event.at, level, message);
    match &event.kind {
        guard::EventKind::Banned { prefix, reason, secs, evidence: _ } => line(Level::Info, "address banned")
            .with("prefix", Redacted(&prefix.to_string()))
            .with("reason", reason.label())
            .with("secs", secs),
        guard::EventKind::Lifted { prefix, reason, why: _, hits } => line(Level::Info, "ban lifted")
            .with("prefix", Redacted(&prefix.to_string()))
            .with("reason", reason.label())
            .with("hits", hits),
        guard::EventKind::Spared { prefix, offence, why, evidence: _ } => {
            line(Level::Warn, "trusted address misbehaves")
                .with("prefix", Redacted(&prefix.to_string()))
                .with("offence", offence.label())
                .with("protected", why)
        }
    }
}

/// The line of a trunk that went up or down.
pub fn trunk_line(at: Now, trunk: TrunkId, up: bool, why: &str, names: &Names) -> LogLine {
    let (level, message) = if up { (Level::Info, "trunk up") } else { (Level::Warn, "trunk down") };
    LogLine::new(at, level, message).with("trunk", names.trunk(trunk)).with("reason", names::shown(why, 200))
}

/// What became of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// It is there for the first time.
    Registered,
    /// It was there and lives longer.
    Refreshed,
    /// The user took it back.
    Unregistered,
    /// Its time was over.
    Expired,
    /// Its connection is gone.
    FlowLost,
}

/// The line of a binding. Credentials were right, so a change is INFO.
pub fn registration_line(at: Now, user: &str, realm: &str, change: BindingChange) -> LogLine {
    let (level, message) = match change {
        BindingChange::Registered => (Level::Info, "user registered"),
        BindingChange::Refreshed => (Level::Debug, "registration refreshed"),
        BindingChange::Unregistered => (Level::Info, "user unregistered"),
        BindingChange::Expired => (Level::Info, "registration expired"),
        BindingChange::FlowLost => (Level::Info, "registration lost its connection"),
    };
    LogLine::new(at, level, message).with("user", Redacted(user)).with("realm", realm)
}

/// The line of an event whose call is not known: our error.
pub fn stray_line(at: Now, call: CallId) -> LogLine {
    LogLine::new(at, Level::Error, "event of an unknown call").with("call", call)
}
