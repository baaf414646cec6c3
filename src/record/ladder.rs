//! The ladder of a call: its steps as arrows between caller, SBC and callee.
//!
//! For the dashboard and `sbc trace`. A step that both legs saw is two arrows.
//! Only what events say is drawn: repetitions and what a proxy between us and
//! the peer did are not known here.

use std::net::SocketAddr;

use serde::Serialize;

use super::causal::{Step, Story, What};
use super::explain;
use super::fold::{Attempt, End, Fold};
use super::live::wall_of;
use super::names::{self, Names, phrase, shown};
use super::words;
use crate::base::Leg;
use crate::call::cause::{Initiator, Internal};
use crate::call::event::TargetName;

/// An arrow, or a note where both ends are the SBC.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LadderEvent {
    /// RFC 3339.
    pub at: String,
    /// Milliseconds since the call began.
    pub at_ms: u32,
    /// `sip`, `media`, `route`, `guard`, `timer`, `cdr` or `admin`.
    pub kind: &'static str,
    /// `A` or `B`.
    pub leg: Option<&'static str>,
    /// `caller`, `sbc` or `callee`.
    pub from: &'static str,
    /// See `from`.
    pub to: &'static str,
    /// Short: `INVITE`, `180 Ringing`.
    pub label: String,
    /// One sentence.
    pub detail: Option<String>,
}

/// Where an arrow goes.
#[derive(Clone, Copy)]
enum Arrow {
    /// From a side's peer to us.
    In(Leg),
    /// From us to a side's peer.
    Out(Leg),
    /// Nowhere.
    Note(Option<Leg>),
}

/// What a step is drawn with.
struct Drawer<'a> {
    fold: &'a Fold,
    names: &'a Names,
    addresses: bool,
    at_ms: u32,
    out: Vec<LadderEvent>,
}

/// All steps of a call, oldest first, at most `EVENTS`.
pub fn events(story: &Story, names: &Names, addresses: bool) -> Vec<LadderEvent> {
    let mut all: Vec<_> = story.steps.iter().flat_map(|step| draw(story, step, names, addresses)).collect();
    if all.len() > EVENTS {
        // The end is what people look for; the beginning is kept beside it.
        all.drain(EVENTS / 2..all.len() - EVENTS / 2);
    }
    all
}

/// The arrows of the latest step.
pub fn last(story: &Story, names: &Names) -> Vec<LadderEvent> {
    story.steps.last().map(|step| draw(story, step, names, false)).unwrap_or_default()
}

fn draw(story: &Story, step: &Step, names: &Names, addresses: bool) -> Vec<LadderEvent> {
    let mut drawer = Drawer { fold: &story.fold, names, addresses, at_ms: step.at_ms, out: Vec::new() };
    drawer.step(&step.what);
    drawer.out
}

impl Drawer<'_> {
    fn push(&mut self, kind: &'static str, arrow: Arrow, label: impl Into<String>, detail: Option<String>) {
        let peer = |leg| if leg == Leg::A { "caller" } else { "callee" };
        let (leg, from, to) = match arrow {
            Arrow::In(leg) => (Some(leg), peer(leg), "sbc"),
            Arrow::Out(leg) => (Some(leg), "sbc", peer(leg)),
            Arrow::Note(leg) => (leg, "sbc", "sbc"),
        };
        let leg = leg.map(|l| if l == Leg::A { "A" } else { "B" });
        let at = wall_of(self.fold, self.at_ms).to_string();
        let (label, detail) = (shown(&label.into(), 64), detail.map(|d| shown(&d, 400)));
        self.out.push(LadderEvent { at, at_ms: self.at_ms, kind, leg, from, to, label, detail });
    }

    fn address(&self, at: SocketAddr) -> String {
        if self.addresses { at.to_string() } else { "an address".to_owned() }
    }

    fn target(&self, number: u8) -> String {
        let target = self.fold.attempt(number).and_then(Attempt::target);
        target.map_or_else(|| format!("target {number}"), |t| self.names.target(t))
    }

    fn step(&mut self, what: &What) {
        match what {
            What::Started => {
                let detail = format!("{} calls {}", self.fold.from, self.fold.to);
                self.push("sip", Arrow::In(Leg::A), "INVITE", Some(detail));
            }
            What::Authenticated => {
                let user = self.fold.user.as_deref().unwrap_or_default();
                self.push("guard", Arrow::Note(Some(Leg::A)), "authenticated", Some(format!("as user {user}")));
            }
            What::Challenged { status } => self.status(Arrow::Out(Leg::A), *status, "credentials are asked for"),
            What::Routed => self.routed(),
            What::AttemptStarted(number) => self.attempt_started(*number),
            What::Progress { attempt, status, early_media } => {
                let media = if *early_media { " with early media" } else { "" };
                let detail = format!("{}{media}", self.target(*attempt));
                self.status(Arrow::In(Leg::B), *status, &detail);
                if self.fold.answered.is_none_or(|(winner, _)| winner == *attempt) {
                    self.status(Arrow::Out(Leg::A), *status, &detail);
                }
            }
            What::AttemptEnded(number) => self.attempt_ended(*number),
            What::Answered(number) => {
                let detail = format!("{} answered", self.target(*number));
                if !self.is_service(*number) {
                    self.status(Arrow::In(Leg::B), 200, &detail);
                }
                self.status(Arrow::Out(Leg::A), 200, &detail);
            }
            What::Held(leg) => self.push("sip", Arrow::In(*leg), "hold", None),
            What::Resumed(leg) => self.push("sip", Arrow::In(*leg), "resume", None),
            What::InDialog { leg, method, status } => {
                let detail = format!("answered with {status} {}", phrase(*status));
                self.push("sip", Arrow::In(*leg), method.to_string(), Some(detail));
            }
            What::Noted { leg, what } => {
                self.push("sip", Arrow::Note(*leg), what.to_string(), Some(what.to_string()));
            }
            What::Ending => self.ending(),
            What::Ended => self.push("cdr", Arrow::Note(None), "record written", None),
            What::Negotiated { .. }
            | What::IceConnected { .. }
            | What::IceMoved { .. }
            | What::DtlsConnected { .. }
            | What::FirstPacket { .. }
            | What::Latched { .. }
            | What::Digit { .. }
            | What::MediaFailed { .. }
            | What::MediaClosed => self.media(what),
        }
    }

    fn status(&mut self, arrow: Arrow, status: u16, detail: &str) {
        self.push("sip", arrow, format!("{status} {}", phrase(status)), Some(detail.to_owned()));
    }

    fn routed(&mut self) {
        let Some(routed) = self.fold.routed.as_deref() else { return };
        for reason in &routed.reasons {
            self.push("route", Arrow::Note(None), reason.clone(), Some(reason.clone()));
        }
        let targets: Vec<String> = routed.targets.iter().map(|t| self.names.target(t)).collect();
        let label = if targets.is_empty() { "no target".to_owned() } else { format!("to {}", targets.join(", ")) };
        self.push("route", Arrow::Note(None), label, None);
    }

    fn attempt_started(&mut self, number: u8) {
        let target = self.target(number);
        let flow = self.fold.attempt(number).and_then(|a| a.sent.as_deref()).and_then(|s| s.flow);
        match flow {
            Some(flow) => {
                let detail = format!("to {target} at {} over {}", self.address(flow.remote), flow.transport);
                self.push("sip", Arrow::Out(Leg::B), "INVITE", Some(detail));
            }
            None => self.push("route", Arrow::Note(Some(Leg::B)), target, None),
        }
    }

    fn attempt_ended(&mut self, number: u8) {
        let Some(attempt) = self.fold.attempt(number) else { return };
        let Some(end) = attempt.ending.as_deref() else { return };
        let detail = explain::attempt_sentence(self.fold, attempt, end, self.names);
        let label = end.cause.internal;
        match label {
            Internal::Rejected => self.status(Arrow::In(Leg::B), end.cause.sip_code, &detail),
            Internal::Cancelled => self.push("sip", Arrow::Out(Leg::B), "CANCEL", Some(detail)),
            Internal::NoAnswer | Internal::TargetTimeout => {
                self.push("timer", Arrow::Note(Some(Leg::B)), names::internal_code(label), Some(detail));
            }
            _ => self.push("sip", Arrow::Note(Some(Leg::B)), names::internal_code(label), Some(detail)),
        }
    }

    fn ending(&mut self) {
        let Some(end) = self.fold.ending.as_deref() else { return };
        let detail = explain::ending_sentence(self.fold, end, self.names);
        let answered = self.fold.answered.is_some();
        self.why_ended(end, &detail);
        match (answered, end.by) {
            (true, Initiator::Caller) => self.bye(Arrow::In(Leg::A), Some(Arrow::Out(Leg::B)), &detail),
            (true, Initiator::Callee) => self.bye(Arrow::In(Leg::B), Some(Arrow::Out(Leg::A)), &detail),
            (true, _) => self.bye(Arrow::Out(Leg::A), Some(Arrow::Out(Leg::B)), &detail),
            (false, Initiator::Caller) => self.push("sip", Arrow::In(Leg::A), "CANCEL", Some(detail)),
            (false, _) => self.status(Arrow::Out(Leg::A), end.cause.sip_code, &detail),
        }
    }

    fn why_ended(&mut self, end: &End, detail: &str) {
        let kind = match end.by {
            Initiator::Admin => "admin",
            Initiator::Timer => "timer",
            Initiator::Media => "media",
            Initiator::Caller | Initiator::Callee | Initiator::Sbc => return,
        };
        let label = names::internal_code(end.cause.internal);
        self.push(kind, Arrow::Note(None), label, Some(detail.to_owned()));
    }

    fn bye(&mut self, first: Arrow, second: Option<Arrow>, detail: &str) {
        self.push("sip", first, "BYE", Some(detail.to_owned()));
        let service = self.fold.answered.is_some_and(|(winner, _)| self.is_service(winner));
        if let Some(second) = second.filter(|_| !service) {
            self.push("sip", second, "BYE", None);
        }
    }

    fn is_service(&self, number: u8) -> bool {
        matches!(self.fold.attempt(number).and_then(Attempt::target), Some(TargetName::Service(_)))
    }

    fn media(&mut self, what: &What) {
        let mut note = |leg: Leg, label: &str, detail: String| {
            self.push("media", Arrow::Note(Some(leg)), label, Some(detail));
        };
        match what {
            What::Negotiated { leg, codec, secure } => {
                let over = if *secure { "DTLS-SRTP" } else { "RTP" };
                note(*leg, &format!("{codec} over {over}"), format!("media of leg {leg} agreed"));
            }
            What::DtlsConnected { leg, after_ms } => {
                note(*leg, "DTLS connected", format!("keys agreed after {after_ms} ms"));
            }
            What::Digit { leg, duration_ms } => note(*leg, "DTMF", format!("a digit of {duration_ms} ms")),
            What::MediaFailed { leg, why } => {
                note(*leg, names::media_code(*why), words::media_sentence(*leg, *why).to_owned());
            }
            What::MediaClosed => self.push("media", Arrow::Note(None), "media closed", None),
            What::IceConnected { leg, remote, after_ms } => {
                let at = self.address(*remote);
                self.push("media", Arrow::In(*leg), "ICE nominated", Some(format!("{at} after {after_ms} ms")));
            }
            What::IceMoved { leg, remote } => {
                let at = self.address(*remote);
                self.push("media", Arrow::In(*leg), "ICE moved", Some(format!("to {at}")));
            }
            What::FirstPacket { leg, remote } => {
                let at = self.address(*remote);
                self.push("media", Arrow::In(*leg), "first packet", Some(format!("from {at}")));
            }
            What::Latched { leg, remote } => {
                let at = self.address(*remote);
                self.push("media", Arrow::In(*leg), "source learned", Some(format!("media goes to {at}")));
            }
            _ => {}
        }
    }
}

/// Most arrows of a call.
const EVENTS: usize = 500;
