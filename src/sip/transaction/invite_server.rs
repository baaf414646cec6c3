//! The INVITE server transaction: RFC 3261 §17.2.1, figure 7, with RFC 6026 §7.1.
//!
//! Repeats a non-2xx final until its ACK, answers repeated INVITEs with what
//! was said last, and absorbs them once a 2xx is out. A 2xx is repeated by its
//! user (`sip::dialog::accept`), who knows the dialog its ACK belongs to; the
//! bytes stay here until the user says that the ACK came.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Actions, FailReason, Timer, Timing, UserEvent};

/// An INVITE server transaction.
///
/// ```text
///                                   |INVITE
///                                   |pass to user, send 100
///     INVITE                        V
///     send response+------------+
///         +--------|            |--------+ 101-199 from user
///         |        | Proceeding |        | send response
///         +------->|            |<-------+
///                  |            |         Transport Err.
///                  |            |-------------------------+
///                  +------------+         inform user     |
///     300-699 from user |    |2xx from user               |
///     send response     |    |send response               |
///        +--------------+    +------------+               |
///        |                                |               |
///        V          Timer G               V               |
///     +-----------+ send response   +-----------+         |
///     |           |---+             |           |---+ INVITE: absorbed
///     | Completed |<--+             | Accepted  |   | 2xx from user: send
///     |           |---+ INVITE      |           |<--+ ACK: to user
///     +-----------+<--+ send resp.  +-----------+     Transport Err.: inform user
///       |       |                         |               |
///    ACK|       | Timer H or              |Timer L        |
///       |       | Transport Err.          |               |
///       V       | inform user             |               |
///     +-----------+                       |               |
///     | Confirmed | ACK: absorbed         |               |
///     +-----------+                       |               |
///       |Timer I                          V               |
///       +------------------------->+------------+<--------+
///                                  | Terminated |
///                                  +------------+
/// ```
#[derive(Clone, Debug)]
pub struct InviteServer {
    timing: Timing,
    reliable: bool,
    state: State,
}

/// Where the transaction stands, with what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No final answer yet; the last provisional one is kept.
    Proceeding { last: Option<Bytes> },
    /// A non-2xx final was sent.
    Completed { last: Bytes, interval: Duration },
    /// Its ACK came.
    Confirmed,
    /// A 2xx was sent; kept until the user knows its ACK.
    Accepted { last: Option<Bytes> },
    /// Over.
    Terminated,
}

impl InviteServer {
    /// A transaction whose INVITE is with the user.
    pub fn start(timing: Timing, reliable: bool) -> Self {
        Self { timing, reliable, state: State::Proceeding { last: None } }
    }

    /// The same INVITE came again.
    pub fn on_request(&mut self, out: &mut Actions) {
        match &self.state {
            State::Proceeding { last: Some(last) } | State::Completed { last, .. } => {
                out.push(Action::Resend(last.clone()));
            }
            // Nothing was said yet; RFC 6026 §7.1 absorbs it in Accepted; in
            // Confirmed the client has its answer, and this copy is late.
            State::Proceeding { last: None } | State::Confirmed | State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// An ACK with this transaction's key.
    pub fn on_ack(&mut self, out: &mut Actions) {
        match self.state {
            State::Completed { .. } => {
                if !self.reliable {
                    out.push(Action::Stop(Timer::G));
                }
                out.push(Action::Stop(Timer::H));
                // §17.2.1: timer I is zero over a reliable transport.
                self.state = if self.reliable {
                    out.push(Action::Done);
                    State::Terminated
                } else {
                    out.push(Action::Set(Timer::I, self.timing.t4()));
                    State::Confirmed
                };
            }
            // RFC 6026 §7.1: an ACK in Accepted goes to the user.
            State::Accepted { .. } => out.push(Action::ToUser(UserEvent::Ack)),
            // There is nothing to acknowledge yet, or it is acknowledged.
            State::Proceeding { .. } | State::Confirmed | State::Terminated => {}
        }
    }

    /// The user answers with `status`, already written into `bytes`.
    ///
    /// Returns false if the answer has no place in this state and goes nowhere.
    pub fn respond(&mut self, status: u16, bytes: Bytes, out: &mut Actions) -> bool {
        match (&mut self.state, status) {
            (State::Proceeding { last }, ..200) => {
                *last = Some(bytes.clone());
                out.push(Action::Send(bytes));
            }
            (State::Proceeding { .. }, 200..300) => {
                out.push(Action::Send(bytes.clone()));
                out.push(Action::Set(Timer::L, self.timing.give_up()));
                self.state = State::Accepted { last: Some(bytes) };
            }
            (State::Proceeding { .. }, 300..) => {
                out.push(Action::Send(bytes.clone()));
                // §17.2.1: no timer G over a reliable transport.
                if !self.reliable {
                    out.push(Action::Set(Timer::G, self.timing.first()));
                }
                out.push(Action::Set(Timer::H, self.timing.give_up()));
                self.state = State::Completed { last: bytes, interval: self.timing.first() };
            }
            // RFC 6026 §7.1: a repeated 2xx goes out as it is.
            (State::Accepted { last }, 200..300) => {
                *last = Some(bytes.clone());
                out.push(Action::Resend(bytes));
            }
            // A final answer has been given: any other comes too late.
            (State::Completed { .. } | State::Confirmed | State::Accepted { .. } | State::Terminated, _) => {
                return false;
            }
        }
        true
    }

    /// Sends the 2xx again that is waiting for its ACK.
    ///
    /// Returns false if there is none.
    pub fn resend_2xx(&self, out: &mut Actions) -> bool {
        let State::Accepted { last: Some(last) } = &self.state else { return false };
        out.push(Action::Resend(last.clone()));
        true
    }

    /// The user has seen the ACK of its 2xx: its bytes are needed no more.
    pub fn acknowledged(&mut self) {
        if let State::Accepted { last } = &mut self.state {
            *last = None;
        }
    }

    /// The last answer sent, while it is kept.
    pub fn last_response(&self) -> Option<&Bytes> {
        match &self.state {
            State::Proceeding { last } | State::Accepted { last } => last.as_ref(),
            State::Completed { last, .. } => Some(last),
            State::Confirmed | State::Terminated => None,
        }
    }

    /// True until a final answer was given: a CANCEL can still have effect
    /// (RFC 3261 §9.2).
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// A timer set by this transaction fires.
    pub fn on_timer(&mut self, timer: Timer, out: &mut Actions) {
        match (&mut self.state, timer) {
            (State::Completed { last, interval }, Timer::G) => {
                out.push(Action::Resend(last.clone()));
                *interval = self.timing.doubled_to_t2(*interval);
                out.push(Action::Set(Timer::G, *interval));
            }
            (State::Completed { .. }, Timer::H) => self.fail(FailReason::Timeout, out),
            (State::Confirmed, Timer::I) | (State::Accepted { .. }, Timer::L) => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // A timer of a state that was left fires in none.
            (
                State::Proceeding { .. }
                | State::Completed { .. }
                | State::Confirmed
                | State::Accepted { .. }
                | State::Terminated,
                _,
            ) => {}
        }
    }

    /// The transport failed for good.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Proceeding { .. } | State::Completed { .. } => self.fail(FailReason::TransportError, out),
            // The ACK came: nobody waits for anything.
            State::Confirmed => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // RFC 6026 §7.1: the user is told, the state stays until timer L.
            State::Accepted { .. } => out.push(Action::ToUser(UserEvent::Failed(FailReason::TransportError))),
            State::Terminated => {}
        }
    }

    fn fail(&mut self, why: FailReason, out: &mut Actions) {
        self.state = State::Terminated;
        out.push(Action::ToUser(UserEvent::Failed(why)));
        out.push(Action::Done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::script;

    fn start(reliable: bool, path: &[&str]) -> InviteServer {
        let mut out = Actions::new();
        let mut machine = InviteServer::start(Timing::RFC, reliable);
        path.iter().for_each(|event| feed(&mut machine, event, &mut out));
        machine
    }

    fn in_state(reliable: bool, state: &str) -> InviteServer {
        match state {
            "Proceeding" => start(reliable, &[]),
            "Proceeding, 180" => start(reliable, &["180"]),
            "Completed" => start(reliable, &["486"]),
            "Confirmed" => start(reliable, &["486", "ACK"]),
            "Accepted" => start(reliable, &["200"]),
            "Terminated" => start(reliable, &["486", "timer H"]),
            _ => panic!("no state {state}"),
        }
    }

    fn feed(machine: &mut InviteServer, event: &str, out: &mut Actions) {
        match (event, script::timer(event), event.parse()) {
            ("INVITE", ..) => machine.on_request(out),
            ("ACK", ..) => machine.on_ack(out),
            ("error", ..) => machine.on_transport_error(out),
            (_, Some(timer), _) => machine.on_timer(timer, out),
            (_, None, Ok(status)) => {
                machine.respond(status, Bytes::from(event.to_owned()), out);
            }
            _ => panic!("no event {event}"),
        }
    }

    fn name(machine: &InviteServer) -> String {
        script::state_name(&machine.state)
    }

    #[test]
    fn follows_the_figure_over_udp() {
        let table = "
            Proceeding      | INVITE  |                                   | Proceeding
            Proceeding      | ACK     |                                   | Proceeding
            Proceeding      | 180     | send 180                          | Proceeding
            Proceeding      | 200     | send 200; set L 32000             | Accepted
            Proceeding      | 486     | send 486; set G 500; set H 32000  | Completed
            Proceeding      | timer G |                                   | Proceeding
            Proceeding      | timer H |                                   | Proceeding
            Proceeding      | timer I |                                   | Proceeding
            Proceeding      | timer L |                                   | Proceeding
            Proceeding      | error   | failed TransportError; done       | Terminated
            Proceeding, 180 | INVITE  | resend 180                        | Proceeding
            Proceeding, 180 | ACK     |                                   | Proceeding
            Proceeding, 180 | 180     | send 180                          | Proceeding
            Proceeding, 180 | 200     | send 200; set L 32000             | Accepted
            Proceeding, 180 | 486     | send 486; set G 500; set H 32000  | Completed
            Proceeding, 180 | timer G |                                   | Proceeding
            Proceeding, 180 | timer H |                                   | Proceeding
            Proceeding, 180 | timer I |                                   | Proceeding
            Proceeding, 180 | timer L |                                   | Proceeding
            Proceeding, 180 | error   | failed TransportError; done       | Terminated
            Completed       | INVITE  | resend 486                        | Completed
            Completed       | ACK     | stop G; stop H; set I 5000        | Confirmed
            Completed       | 180     |                                   | Completed
            Completed       | 200     |                                   | Completed
            Completed       | 486     |                                   | Completed
            Completed       | timer G | resend 486; set G 1000            | Completed
            Completed       | timer H | failed Timeout; done              | Terminated
            Completed       | timer I |                                   | Completed
            Completed       | timer L |                                   | Completed
            Completed       | error   | failed TransportError; done       | Terminated
            Confirmed       | INVITE  |                                   | Confirmed
            Confirmed       | ACK     |                                   | Confirmed
            Confirmed       | 180     |                                   | Confirmed
            Confirmed       | 200     |                                   | Confirmed
            Confirmed       | 486     |                                   | Confirmed
            Confirmed       | timer G |                                   | Confirmed
            Confirmed       | timer H |                                   | Confirmed
            Confirmed       | timer I | done                              | Terminated
            Confirmed       | timer L |                                   | Confirmed
            Confirmed       | error   | done                              | Terminated
            Accepted        | INVITE  |                                   | Accepted
            Accepted        | ACK     | user ACK                          | Accepted
            Accepted        | 180     |                                   | Accepted
            Accepted        | 200     | resend 200                        | Accepted
            Accepted        | 486     |                                   | Accepted
            Accepted        | timer G |                                   | Accepted
            Accepted        | timer H |                                   | Accepted
            Accepted        | timer I |                                   | Accepted
            Accepted        | timer L | done                              | Terminated
            Accepted        | error   | failed TransportError             | Accepted
            Terminated      | INVITE  |                                   | Terminated
            Terminated      | ACK     |                                   | Terminated
            Terminated      | 180     |                                   | Terminated
            Terminated      | 200     |                                   | Terminated
            Terminated      | 486     |                                   | Terminated
            Terminated      | timer G |                                   | Terminated
            Terminated      | timer H |                                   | Terminated
            Terminated      | timer I |                                   | Terminated
            Terminated      | timer L |                                   | Terminated
            Terminated      | error   |                                   | Terminated";
        script::check(table, |state| in_state(false, state), feed, name);
    }

    #[test]
    fn over_a_connection_a_final_is_not_repeated_and_its_ack_ends_it() {
        let table = "
            Proceeding | 486 | send 486; set H 32000 | Completed
            Proceeding | ACK |                       | Proceeding
            Completed  | 486 |                       | Completed
            Completed  | ACK | stop H; done          | Terminated";
        script::check(table, |state| in_state(true, state), feed, name);
    }

    #[test]
    fn timer_g_doubles_up_to_t2() {
        let mut machine = start(false, &["486"]);
        let mut out = Actions::new();
        for _ in 0..5 {
            machine.on_timer(Timer::G, &mut out);
        }
        out.retain(|action| matches!(action, Action::Set(..)));
        assert_eq!(script::describe(&out), "set G 1000; set G 2000; set G 4000; set G 4000; set G 4000");
    }

    #[test]
    fn the_2xx_is_kept_until_its_ack_is_known() {
        let (mut machine, mut out) = (start(false, &["200"]), Actions::new());
        assert!(machine.resend_2xx(&mut out));
        assert_eq!(script::describe(&out), "resend 200");
        machine.acknowledged();
        assert!(!machine.resend_2xx(&mut out));
        assert_eq!(machine.last_response(), None);
    }
}
