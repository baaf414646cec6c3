//! The causal record: what happened in every call, found by any of its names.
//!
//! Of each call it keeps the fold and its steps in order; what the fold has
//! already is not kept twice, so that a step is small. All calls in progress
//! are here, and the last `limits::CALLS_REMEMBERED` that ended. Calls that
//! were refused before routing have a share of their own, a tenth, so that a
//! flood of strangers pushes out only itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use super::fold::Fold;
use crate::base::{CallId, Codec, Leg, Now, limits};
use crate::call::event::{Event, EventKind};
use crate::media::event::{EventKind as Media, MediaFailure};

/// A call with its steps.
#[derive(Clone, Debug)]
pub struct Story {
    /// What is known of it.
    pub fold: Fold,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// Steps that were left out in the middle, before `steps[KEEP_FIRST]`.
    pub left_out: u32,
}

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Milliseconds since the INVITE.
    pub at_ms: u32,
    /// What happened.
    pub what: What,
}

/// What happened; the fold has the details where none stand here.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants and fields are those of `call::event` and `media::event`")]
pub enum What {
    Started,
    Authenticated,
    Challenged { status: u16 },
    Routed,
    AttemptStarted(u8),
    Progress { attempt: u8, status: u16, early_media: bool },
    AttemptEnded(u8),
    Answered(u8),
    Negotiated { leg: Leg, codec: Codec, secure: bool },
    Held(Leg),
    Resumed(Leg),
    InDialog { leg: Leg, method: Box<str>, status: u16 },
    Noted { leg: Option<Leg>, what: Box<str> },
    IceConnected { leg: Leg, remote: SocketAddr, after_ms: u32 },
    IceMoved { leg: Leg, remote: SocketAddr },
    DtlsConnected { leg: Leg, after_ms: u32 },
    FirstPacket { leg: Leg, remote: SocketAddr },
    Latched { leg: Leg, remote: SocketAddr },
    Digit { leg: Leg, duration_ms: u32 },
    MediaFailed { leg: Leg, why: MediaFailure },
    MediaClosed,
    Ending,
    Ended,
}

impl What {
    fn of(kind: &EventKind) -> Self {
        match kind {
            EventKind::Started { .. } => Self::Started,
            EventKind::Authenticated { .. } => Self::Authenticated,
            EventKind::Challenged { status } => Self::Challenged { status: *status },
            EventKind::Routed { .. } => Self::Routed,
            EventKind::AttemptStarted { attempt, .. } => Self::AttemptStarted(*attempt),
            EventKind::Progress { attempt, status, early_media } => {
                Self::Progress { attempt: *attempt, status: *status, early_media: *early_media }
            }
            EventKind::AttemptEnded { attempt, .. } => Self::AttemptEnded(*attempt),
            EventKind::Answered { attempt } => Self::Answered(*attempt),
            EventKind::Negotiated { leg, codec, transport, .. } => {
                Self::Negotiated { leg: *leg, codec: *codec, secure: transport != "rtp" }
            }
            EventKind::Held { leg } => Self::Held(*leg),
            EventKind::Resumed { leg } => Self::Resumed(*leg),
            EventKind::InDialog { leg, method, status } => {
                Self::InDialog { leg: *leg, method: method.as_str().into(), status: *status }
            }
            EventKind::Noted { leg, what } => Self::Noted { leg: *leg, what: what.as_str().into() },
            EventKind::Media(kind) => Self::of_media(kind),
            EventKind::Ending { .. } => Self::Ending,
            EventKind::Ended => Self::Ended,
        }
    }

    fn of_media(kind: &Media) -> Self {
        match kind {
            Media::IceConnected { leg, remote, after_ms } => {
                Self::IceConnected { leg: *leg, remote: *remote, after_ms: *after_ms }
            }
            Media::IceMoved { leg, remote } => Self::IceMoved { leg: *leg, remote: *remote },
            Media::DtlsConnected { leg, after_ms, .. } => Self::DtlsConnected { leg: *leg, after_ms: *after_ms },
            Media::FirstPacket { leg, remote } => Self::FirstPacket { leg: *leg, remote: *remote },
            Media::Latched { leg, remote } => Self::Latched { leg: *leg, remote: *remote },
            // Which digit it was may be part of a card number, and is not kept.
            Media::Digit { leg, duration_ms, .. } => Self::Digit { leg: *leg, duration_ms: *duration_ms },
            Media::Failed { leg, why } => Self::MediaFailed { leg: *leg, why: *why },
            Media::Closed { .. } => Self::MediaClosed,
        }
    }
}

impl Story {
    fn push(&mut self, at: Now, kind: &EventKind) {
        if self.steps.len() >= limits::EVENTS_PER_CALL {
            // The beginning says why it began so, the end why it ended so.
            self.steps.remove(KEEP_FIRST);
            self.left_out = self.left_out.saturating_add(1);
        }
        self.steps.push(Step { at_ms: self.fold.ms_since_start(at), what: What::of(kind) });
    }

    fn keys(&self) -> impl Iterator<Item = u64> {
        let fold = &self.fold;
        let legs = fold.attempts.iter().filter_map(|a| a.sent.as_deref()).map(|s| s.call_id.as_str());
        [&*fold.call_id, &*fold.session_id].into_iter().chain(legs).filter(|s| !s.is_empty()).map(key)
    }

    fn is_named(&self, name: &str) -> bool {
        let fold = &self.fold;
        let legs = || fold.attempts.iter().filter_map(|a| a.sent.as_deref());
        *fold.call_id == *name || fold.session_id.eq_ignore_ascii_case(name) || legs().any(|sent| sent.call_id == name)
    }
}

/// All calls that are remembered.
#[derive(Clone, Debug, Default)]
pub struct Stories {
    calls: BTreeMap<CallId, Box<Story>>,
    /// Calls in progress.
    live: BTreeSet<CallId>,
    /// Digests of Call-IDs and session identifiers. The digest only leads to a
    /// call; whether it is the one, its own fields say.
    names: BTreeSet<(u64, CallId)>,
    over: VecDeque<CallId>,
    strangers: VecDeque<CallId>,
}

impl Stories {
    /// Adds an event; gives the call, or `None` if it is not known or over.
    pub fn feed(&mut self, event: &Event) -> Option<&Story> {
        let known = self.calls.contains_key(&event.call);
        if !known {
            let fold = Fold::begin(event)?;
            self.live.insert(event.call);
            self.calls.insert(event.call, Box::new(Story { fold, steps: Vec::new(), left_out: 0 }));
        }
        let story = self.calls.get_mut(&event.call)?;
        if story.fold.ended || known && matches!(event.kind, EventKind::Started { .. }) {
            return None;
        }
        story.fold.feed(event.at, &event.kind);
        story.push(event.at, &event.kind);
        match event.kind {
            EventKind::Started { .. } | EventKind::AttemptStarted { .. } => {
                self.names.extend(story.keys().map(|key| (key, event.call)));
            }
            EventKind::Ended => self.end(event.call),
            _ => {}
        }
        self.calls.get(&event.call).map(|s| &**s)
    }

    fn end(&mut self, call: CallId) {
        self.live.remove(&call);
        let Some(story) = self.calls.get_mut(&call) else { return };
        story.steps.shrink_to_fit();
        let (list, most) = match story.fold.routed {
            Some(_) => (&mut self.over, limits::CALLS_REMEMBERED),
            None => (&mut self.strangers, limits::CALLS_REMEMBERED / 10),
        };
        list.push_back(call);
        if list.len() > most
            && let Some(oldest) = list.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, call: CallId) {
        if let Some(story) = self.calls.remove(&call) {
            for key in story.keys() {
                self.names.remove(&(key, call));
            }
        }
    }

    /// Takes numbers of media while a call runs; gives the call.
    pub fn sample(&mut self, at: Now, call: CallId, reports: &[crate::media::event::SideReport; 2]) -> Option<&Story> {
        let story = self.calls.get_mut(&call)?;
        story.fold.sample(at, reports);
        Some(story)
    }

    /// A call by our id.
    pub fn get(&self, call: CallId) -> Option<&Story> {
        self.calls.get(&call).map(|s| &**s)
    }

    /// A call by our id, a Call-ID of either leg or a session identifier; the
    /// latest if several have that name, as a challenged INVITE and its return have.
    pub fn find(&self, name: &str) -> Option<CallId> {
        let by_id = (name.len() == 16).then(|| name.parse().ok()).flatten();
        if let Some(call) = by_id.filter(|call| self.calls.contains_key(call)) {
            return Some(call);
        }
        let of = |name: &str, digest: u64| {
            let range = (digest, CallId(0))..=(digest, CallId(u64::MAX));
            let mut found = self.names.range(range).rev().map(|(_, call)| *call);
            found.find(|call| self.get(*call).is_some_and(|s| s.is_named(name)))
        };
        of(name, key(name)).or_else(|| of(name, key(&name.to_ascii_lowercase())))
    }

    /// Calls in progress, the newest first.
    pub fn live(&self) -> impl Iterator<Item = &Story> {
        self.live.iter().rev().filter_map(|call| self.get(*call))
    }

    /// Number of calls in progress.
    pub fn live_count(&self) -> usize {
        self.live.len()
    }
}

/// A digest that leads to calls; an attacker who makes them collide makes a
/// list of candidates longer and nothing else.
fn key(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Steps at the beginning that are never left out.
pub const KEEP_FIRST: usize = limits::EVENTS_PER_CALL / 2;

const _: () = assert!(size_of::<Step>() <= 48, "a call in progress has some twenty of them");
const _: () = assert!(size_of::<Fold>() <= 768, "every call in progress has one");
