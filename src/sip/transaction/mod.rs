//! Transactions: RFC 3261 §17 as amended by RFC 4320 and RFC 6026.
//!
//! Four leaf machines, one for each of the RFC's figures. A leaf takes a
//! message, a command or a timer and appends [`Action`]s; it owns no clock, no
//! socket and no table. `table` keeps the leaves, their deadlines and the ways
//! to find them; `sip::endpoint` feeds it and is what outsiders talk to.
//!
//! A leaf keeps the least it may still have to send: the bytes of a request or
//! of a response, and nothing once nothing can be asked of it again.

pub mod invite_client;
pub mod invite_server;
pub mod key;
pub mod non_invite_client;
pub mod non_invite_server;
pub mod same_branch;
pub mod table;
pub mod timer;

use std::time::Duration;

use bytes::Bytes;

pub use key::{ClientKey, ServerKey};
pub use timer::{Timer, Timing};

use super::message::Response;

/// What a leaf machine asks for; in the order in which it is to happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send these bytes on the transaction's flow for the first time.
    Send(Bytes),
    /// Send bytes again that were sent before.
    Resend(Bytes),
    /// Start a timer, or start it anew.
    Set(Timer, Duration),
    /// Stop a timer.
    Stop(Timer),
    /// Start the client transaction of this CANCEL (RFC 3261 §9.1).
    Cancel(Bytes),
    /// Tell the transaction user.
    ToUser(UserEvent),
    /// The transaction is over: forget it.
    Done,
}

/// Actions of one step, in order.
pub type Actions = Vec<Action>;

/// What a transaction tells its user.
#[derive(Clone, Debug)]
pub enum UserEvent {
    /// A response, provisional or final.
    Response(Response),
    /// An ACK that belongs to a 2xx.
    Ack,
    /// RFC 4320 §4.1: the moment to send 100 by ourselves.
    Unanswered,
    /// The transaction failed.
    Failed(FailReason),
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// Nobody answered in time: timer B, F, H, or the wait after a CANCEL.
    Timeout,
    /// The transport could not deliver, or its connection closed.
    TransportError,
    /// The engine holds as many transactions as it may.
    Overload,
}

#[cfg(test)]
pub(crate) mod script {
    //! Actions as text, so that a transition table can be read and compared.

    use std::collections::BTreeSet;

    use super::*;
    use crate::sip::message::{Message, parse};

    /// `send x; set A 500; user 180`.
    pub(crate) fn describe(actions: &[Action]) -> String {
        let words: Vec<String> = actions
            .iter()
            .map(|action| match action {
                Action::Send(bytes) => format!("send {}", first_words(bytes)),
                Action::Resend(bytes) => format!("resend {}", first_words(bytes)),
                Action::Set(timer, after) => format!("set {timer:?} {}", after.as_millis()),
                Action::Stop(timer) => format!("stop {timer:?}"),
                Action::Cancel(bytes) => format!("cancel by {}", first_words(bytes)),
                Action::ToUser(UserEvent::Response(response)) => format!("user {}", response.status),
                Action::ToUser(UserEvent::Ack) => "user ACK".to_owned(),
                Action::ToUser(UserEvent::Unanswered) => "user unanswered".to_owned(),
                Action::ToUser(UserEvent::Failed(why)) => format!("failed {why:?}"),
                Action::Done => "done".to_owned(),
            })
            .collect();
        words.join("; ")
    }

    /// Runs a transition table: lines of `state | event | actions | next state`.
    ///
    /// `start` brings a machine into a state, `feed` gives it an event, `name`
    /// tells its state. Every state that is named must have a line for every
    /// event that is named.
    pub(crate) fn check<M>(
        table: &str,
        start: impl Fn(&str) -> M,
        feed: impl Fn(&mut M, &str, &mut Actions),
        name: impl Fn(&M) -> String,
    ) {
        let lines: Vec<Vec<&str>> = table
            .lines()
            .filter(|line| line.contains('|'))
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        let states: BTreeSet<&str> = lines.iter().map(|line| line[0]).collect();
        let events: BTreeSet<&str> = lines.iter().map(|line| line[1]).collect();
        let pairs: BTreeSet<_> = lines.iter().map(|line| (line[0], line[1])).collect();
        assert_eq!(pairs.len(), lines.len(), "a pair stands twice");
        assert_eq!(pairs.len(), states.len() * events.len(), "a pair is missing");
        for line in lines {
            let mut machine = start(line[0]);
            let mut out = Actions::new();
            feed(&mut machine, line[1], &mut out);
            let seen = (describe(&out), name(&machine));
            assert_eq!(seen, (line[2].to_owned(), line[3].to_owned()), "{} on {}", line[0], line[1]);
        }
    }

    /// The name of a state without what it holds.
    pub(crate) fn state_name(state: &impl std::fmt::Debug) -> String {
        format!("{state:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
    }

    /// The timer with this name.
    pub(crate) fn timer(name: &str) -> Option<Timer> {
        Timer::ALL.into_iter().find(|timer| format!("timer {timer:?}") == name)
    }

    /// A response of this status.
    pub(crate) fn response(status: &str) -> Option<Response> {
        let text = format!(
            "SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=a\r\nTo: <sip:b>;tag=b\r\n\
             Call-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        );
        match parse(&Bytes::from(text)) {
            Ok(Message::Response(response)) => Some(response),
            Ok(Message::Request(_)) | Err(_) => None,
        }
    }

    /// The method of a request, the status of a response, or the short text itself.
    fn first_words(bytes: &Bytes) -> String {
        let text = String::from_utf8_lossy(bytes);
        let mut words = text.split(' ');
        match (words.next(), words.next()) {
            (Some("SIP/2.0"), Some(status)) => status.to_owned(),
            (Some(word), _) => word.to_owned(),
            (None, _) => String::new(),
        }
    }
}
