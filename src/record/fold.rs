//! Events folded into the state of a record: one fold a call, one an attempt in it.
//!
//! This is the only place where an event becomes a field; `times` makes
//! durations of its stamps. Events are folded in any order that the call
//! machine allows, and what does not fit (a second answer, anything after the
//! last event) changes nothing, so that a record cannot be made twice.

use std::net::SocketAddr;

use super::times::{Times, ms, times};
use crate::base::{CallId, Codec, Flow, Leg, Now, RealmId, TrunkId};
use crate::call::cause::{Cause, Initiator, Internal};
use crate::call::event::{Event, EventKind, TargetName};
use crate::media;
use crate::media::event::{MediaFailure, SideReport};

/// A call as its events tell it.
#[derive(Clone, Debug)]
pub struct Fold {
    /// Our id.
    pub call: CallId,
    /// The INVITE's stamp.
    pub started: Now,
    /// Where it came from.
    pub flow: Flow,
    /// Realm of the A leg.
    pub realm: RealmId,
    /// The trunk it came from.
    pub trunk: Option<TrunkId>,
    /// Calling number as received.
    pub from: Box<str>,
    /// Called number as received.
    pub to: Box<str>,
    /// Request-URI as received.
    pub request_uri: Box<str>,
    /// Call-ID header of the A leg.
    pub call_id: Box<str>,
    /// RFC 7989 identifier.
    pub session_id: Box<str>,
    /// The caller's User-Agent.
    pub user_agent: Option<Box<str>>,
    /// Who the caller proved to be.
    pub user: Option<Box<str>>,
    /// What routing decided.
    pub routed: Option<Box<Routed>>,
    /// True once a challenge went out.
    pub challenged: bool,
    /// Attempts in the order in which they began.
    pub attempts: Vec<Attempt>,
    /// First 18x of any attempt.
    pub ringing: Option<Now>,
    /// True once a provisional response carried a session description.
    pub early_media: bool,
    /// The answer: attempt and stamp.
    pub answered: Option<(u8, Now)>,
    /// Media of both sides, indexed by [`Leg`].
    pub sides: [Side; 2],
    /// The last numbers of media, final once the call has ended.
    pub reports: Option<Box<[SideReport; 2]>>,
    /// Quality while it ran: (milliseconds since the start, A, B).
    pub curve: Vec<(u32, Option<f32>, Option<f32>)>,
    /// The media failure that came first.
    pub failure: Option<(Leg, MediaFailure)>,
    /// The end.
    pub ending: Option<Box<End>>,
    /// True once the last event was there.
    pub ended: bool,
}

/// What routing decided.
#[derive(Clone, Debug)]
pub struct Routed {
    /// Calling number after rewriting.
    pub from: String,
    /// Called number after rewriting.
    pub to: String,
    /// Targets in order.
    pub targets: Vec<TargetName>,
    /// The reasons, one sentence each.
    pub reasons: Vec<String>,
}

/// An attempt as its events tell it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u8,
    /// Where to; `None` if it ended before an INVITE was sent and routing left
    /// more than one target open.
    pub target: Option<TargetName>,
    /// The INVITE; `None` if it ended before one could be sent.
    pub sent: Option<Box<Sent>>,
    /// When it began.
    pub started: Now,
    /// Its first 18x.
    pub ringing: Option<Now>,
    /// True once a provisional response of it carried a session description.
    pub early_media: bool,
    /// Its end; the winner's end is the call's.
    pub ending: Option<Box<End>>,
}

/// The INVITE of an attempt.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Realm of the B leg.
    pub realm: RealmId,
    /// The flow; `None` for a service.
    pub flow: Option<Flow>,
    /// Calling number as sent.
    pub from: String,
    /// Called number as sent.
    pub to: String,
    /// The B leg's Call-ID header.
    pub call_id: String,
}

/// An end.
#[derive(Clone, Debug)]
pub struct End {
    /// When.
    pub at: Now,
    /// Who.
    pub by: Initiator,
    /// Why.
    pub cause: Cause,
}

/// Media of one side.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// What we send to the peer.
    pub codec: Option<Codec>,
    /// SRTP profile, once keys are agreed.
    pub crypto: Option<Box<str>>,
    /// Our address on that side.
    pub local: Option<SocketAddr>,
    /// The peer's: of the session description, then as proved.
    pub remote: Option<SocketAddr>,
    /// True while it has the call on hold.
    pub held: bool,
    /// True once it had.
    pub was_held: bool,
    /// First packet from the peer, milliseconds since the call began.
    pub first_packet_ms: Option<u32>,
}

/// What carries the media between the sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Path {
    /// Packets go through as they are.
    Relay,
    /// Decoded and encoded again.
    Transcode,
    /// The SBC itself is the far end.
    Service,
}

impl Path {
    /// Every path, in order.
    pub const ALL: [Self; 3] = [Self::Relay, Self::Transcode, Self::Service];

    /// Its label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Transcode => "transcode",
            Self::Service => "service",
        }
    }
}

impl Fold {
    /// The fold of a call's first event; `None` if it is another.
    pub fn begin(event: &Event) -> Option<Self> {
        let EventKind::Started { flow, realm, trunk, from, to, request_uri, call_id, session_id, user_agent } =
            &event.kind
        else {
            return None;
        };
        Some(Self {
            call: event.call,
            started: event.at,
            flow: *flow,
            realm: *realm,
            trunk: *trunk,
            from: from.as_str().into(),
            to: to.as_str().into(),
            request_uri: request_uri.as_str().into(),
            call_id: call_id.as_str().into(),
            session_id: session_id.as_str().into(),
            user_agent: user_agent.as_deref().map(Into::into),
            user: None,
            routed: None,
            challenged: false,
            attempts: Vec::new(),
            ringing: None,
            early_media: false,
            answered: None,
            sides: [Side::default(), Side::default()],
            reports: None,
            curve: Vec::new(),
            failure: None,
            ending: None,
            ended: false,
        })
    }

    /// Folds one more event in. After the last one nothing changes any more.
    pub fn feed(&mut self, at: Now, kind: &EventKind) {
        if self.ended {
            return;
        }
        match kind {
            EventKind::Started { .. } | EventKind::InDialog { .. } | EventKind::Noted { .. } => {}
            EventKind::Authenticated { user } => self.user = Some(user.as_str().into()),
            EventKind::Challenged { .. } => self.challenged = true,
            EventKind::Routed { from, to, targets, reasons } => {
                let (from, to) = (from.clone(), to.clone());
                let routed = Routed { from, to, targets: targets.clone(), reasons: reasons.clone() };
                self.routed = Some(Box::new(routed));
            }
            EventKind::AttemptStarted { attempt, target, realm, flow, from, to, call_id } => {
                let (from, to, call_id) = (from.clone(), to.clone(), call_id.clone());
                self.on_attempt(at, *attempt, target, Sent { realm: *realm, flow: *flow, from, to, call_id });
            }
            EventKind::Progress { attempt, status, early_media } => {
                self.on_progress(at, *attempt, *status, *early_media)
            }
            EventKind::AttemptEnded { attempt, cause, by } => {
                let end = Box::new(End { at, by: *by, cause: cause.clone() });
                self.attempt_or_new(at, *attempt).ending.get_or_insert(end);
            }
            EventKind::Answered { attempt } => {
                self.attempt_or_new(at, *attempt);
                self.answered.get_or_insert((*attempt, at));
            }
            EventKind::Negotiated { leg, codec, transport: _, local, remote } => {
                let side = &mut self.sides[leg.index()];
                side.codec = Some(*codec);
                side.local = Some(*local);
                side.remote = remote.or(side.remote);
            }
            EventKind::Held { leg } => {
                let side = &mut self.sides[leg.index()];
                (side.held, side.was_held) = (true, true);
            }
            EventKind::Resumed { leg } => self.sides[leg.index()].held = false,
            EventKind::Media(kind) => self.on_media(at, kind),
            EventKind::Ending { by, cause } => {
                self.ending.get_or_insert_with(|| Box::new(End { at, by: *by, cause: cause.clone() }));
            }
            EventKind::Ended => self.on_ended(at),
        }
    }

    fn on_attempt(&mut self, at: Now, number: u8, target: &TargetName, sent: Sent) {
        let attempt = self.attempt_or_new(at, number);
        if attempt.sent.is_none() {
            attempt.target = Some(target.clone());
            attempt.sent = Some(Box::new(sent));
        }
    }

    fn on_progress(&mut self, at: Now, number: u8, status: u16, early_media: bool) {
        let attempt = self.attempt_or_new(at, number);
        attempt.early_media |= early_media;
        // RFC 3261 §21.1: 180 to 183 speak of the call, 199 (RFC 6228) of the end of a fork.
        if (180..199).contains(&status) {
            attempt.ringing.get_or_insert(at);
            self.ringing.get_or_insert(at);
        }
        self.early_media |= early_media;
    }

    fn on_media(&mut self, at: Now, kind: &media::event::EventKind) {
        use media::event::EventKind as Media;
        let ms = self.ms_since_start(at);
        match kind {
            Media::IceConnected { leg, remote, after_ms: _ }
            | Media::IceMoved { leg, remote }
            | Media::Latched { leg, remote } => self.sides[leg.index()].remote = Some(*remote),
            Media::DtlsConnected { leg, profile, after_ms: _ } => {
                self.sides[leg.index()].crypto = Some(profile.as_str().into());
            }
            Media::FirstPacket { leg, remote } => {
                let side = &mut self.sides[leg.index()];
                side.first_packet_ms.get_or_insert(ms);
                side.remote = Some(*remote);
            }
            Media::Digit { .. } => {}
            Media::Failed { leg, why } => {
                self.failure.get_or_insert((*leg, *why));
            }
            Media::Closed { reports } => self.reports = Some(reports.clone()),
        }
    }

    /// A call that ends without saying why is our error, and still has a record.
    fn on_ended(&mut self, at: Now) {
        let unsaid = || {
            let cause = Cause::new(500, Internal::Internal, "the call ended without a cause");
            Box::new(End { at, by: Initiator::Sbc, cause })
        };
        self.ending.get_or_insert_with(unsaid);
        self.ended = true;
    }

    /// Takes numbers of media while the call runs.
    pub fn sample(&mut self, at: Now, reports: &[SideReport; 2]) {
        if self.ended || self.ending.is_some() {
            return;
        }
        if self.curve.len() >= CURVE_POINTS {
            let mut odd = false;
            self.curve.retain(|_| {
                odd = !odd;
                odd
            });
        }
        self.curve.push((self.ms_since_start(at), reports[0].mos, reports[1].mos));
        self.reports = Some(Box::new(reports.clone()));
    }

    fn attempt_or_new(&mut self, at: Now, number: u8) -> &mut Attempt {
        let place = self.attempts.iter().position(|a| a.number == number).unwrap_or_else(|| {
            let target = match self.routed.as_deref().map(|r| r.targets.as_slice()) {
                Some([only]) => Some(only.clone()),
                Some(_) | None => None,
            };
            self.attempts.push(Attempt {
                number,
                target,
                sent: None,
                started: at,
                ringing: None,
                early_media: false,
                ending: None,
            });
            self.attempts.len() - 1
        });
        &mut self.attempts[place]
    }

    /// The attempt with a number.
    pub fn attempt(&self, number: u8) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.number == number)
    }

    /// The attempt that stands for the call: the winner, else the one that began last.
    pub fn leading(&self) -> Option<&Attempt> {
        match self.answered {
            Some((winner, _)) => self.attempt(winner),
            None => self.attempts.last(),
        }
    }

    /// The trunk that the called side is reached through.
    pub fn trunk_b(&self) -> Option<TrunkId> {
        self.leading().and_then(Attempt::trunk)
    }

    /// The trunk that numbers without a direction are counted for, so that each
    /// call counts once: the called side's, else the caller's.
    pub fn main_trunk(&self) -> Option<TrunkId> {
        self.trunk_b().or(self.trunk)
    }

    /// True if a side has the call on hold.
    pub fn is_held(&self) -> bool {
        self.sides.iter().any(|s| s.held)
    }

    /// What carries the media, once both sides are agreed.
    pub fn path(&self) -> Option<Path> {
        let service = self.leading().is_some_and(|a| matches!(a.target(), Some(TargetName::Service(_))));
        let (a, b) = (self.sides[0].codec, self.sides[1].codec);
        match (a, b) {
            (Some(_), _) if service => Some(Path::Service),
            (Some(a), Some(b)) => Some(if a == b { Path::Relay } else { Path::Transcode }),
            (Some(_), None) | (None, _) => None,
        }
    }

    /// Sides from which nothing came although packets went to them for two
    /// seconds and nobody held the call: one-way audio.
    pub fn silent_sides(&self) -> Vec<Leg> {
        let Some(reports) = self.reports.as_deref().filter(|_| self.answered.is_some()) else { return Vec::new() };
        let held = self.sides.iter().any(|s| s.was_held);
        let silent = |leg: &Leg| {
            let report = &reports[leg.index()];
            let service = *leg == Leg::B && self.path() == Some(Path::Service);
            report.packets_received == 0 && report.packets_sent >= TWO_SECONDS_OF_PACKETS && !held && !service
        };
        [Leg::A, Leg::B].into_iter().filter(silent).collect()
    }

    /// Times of the session.
    pub fn times(&self) -> Times {
        let ended = self.ending.as_ref().map(|e| e.at);
        times(self.started, self.ringing, self.answered.map(|(_, at)| at), ended)
    }

    /// Times of an attempt.
    pub fn attempt_times(&self, attempt: &Attempt) -> Times {
        let won = self.answered.filter(|(winner, _)| *winner == attempt.number);
        let end = attempt.ending.as_ref().or(self.ending.as_ref());
        times(attempt.started, attempt.ringing, won.map(|(_, at)| at), end.map(|e| e.at))
    }

    /// Milliseconds since the INVITE.
    pub fn ms_since_start(&self, at: Now) -> u32 {
        u32::try_from(ms(at.mono - self.started.mono)).unwrap_or(u32::MAX)
    }
}

impl Attempt {
    /// Where it goes, if it is known.
    pub fn target(&self) -> Option<&TargetName> {
        self.target.as_ref()
    }

    /// The trunk it goes to.
    pub fn trunk(&self) -> Option<TrunkId> {
        match self.target()? {
            TargetName::Trunk(trunk) => Some(*trunk),
            TargetName::User(_) | TargetName::Service(_) | TargetName::Uri(_) => None,
        }
    }
}

/// Points of a MOS curve. When they are used up every second one goes, so that
/// a long call has a coarser curve and not a shorter one.
pub const CURVE_POINTS: usize = 120;

/// At 50 packets a second. Less may be the ringing before the first word.
const TWO_SECONDS_OF_PACKETS: u64 = 100;
