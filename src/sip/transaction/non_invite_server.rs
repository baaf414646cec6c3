//! The non-INVITE server transaction: RFC 3261 §17.2.2, figure 8, with RFC 4320.
//!
//! Answers repeated requests with what was said last. RFC 4320 forbids every
//! provisional answer but 100, 100 itself before the client has slowed down to
//! T2, and 408 at all: a late answer only makes the network think we are dead.

use bytes::Bytes;

use super::{Action, Actions, FailReason, Timer, Timing, UserEvent};

/// A server transaction of any method but INVITE and ACK.
///
/// ```text
///                                  |Request received
///                                  |pass to user
///                                  V
///                            +-----------+
///                            |  Trying   |---------------------+
///                            +-----------+  Timer Late         |
///       200-699 from user |        |        or Transport Err.  |
///       send response     |        |100 (unanswered at T2)     |
///       +-----------------+        |send response              |
///       |                          V                           |
///       |      Request       +-----------+                     |
///       |      send response |           | Timer Late          |
///       |            +-------| Proceeding| or Transport Err.   |
///       |            +------>|           | inform user         |
///       |                    +-----------+-------------------->|
///       |  200-699 from user   |                               |
///       V  send response       V                               |
///     +-----------+                                            |
///     |           | Request: send response                     |
///     | Completed |                                            |
///     |           | Timer J or Transport Err.                  V
///     +-----------+--------------------------------->+------------+
///                                                    | Terminated |
///                                                    +------------+
/// ```
#[derive(Clone, Debug)]
pub struct NonInviteServer {
    timing: Timing,
    reliable: bool,
    state: State,
}

/// Where the transaction stands, with what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The user has the request.
    Trying,
    /// 100 was sent.
    Proceeding { last: Bytes },
    /// The final answer was sent.
    Completed { last: Bytes },
    /// Over.
    Terminated,
}

impl NonInviteServer {
    /// A transaction whose request is with the user.
    pub fn start(timing: Timing, reliable: bool, out: &mut Actions) -> Self {
        out.push(Action::Set(Timer::Trying, timing.trying()));
        out.push(Action::Set(Timer::Late, timing.give_up()));
        Self { timing, reliable, state: State::Trying }
    }

    /// The same request came again.
    pub fn on_request(&mut self, out: &mut Actions) {
        match &self.state {
            State::Proceeding { last } | State::Completed { last } => out.push(Action::Resend(last.clone())),
            // §17.2.2: absorbed in Trying.
            State::Trying | State::Terminated => {}
        }
    }

    /// The user answers with `status`, already written into `bytes`.
    ///
    /// Returns false if the answer may not be sent and goes nowhere.
    pub fn respond(&mut self, status: u16, bytes: Bytes, out: &mut Actions) -> bool {
        match (&self.state, status) {
            (State::Trying, 100) => {
                out.push(Action::Stop(Timer::Trying));
                out.push(Action::Send(bytes.clone()));
                self.state = State::Proceeding { last: bytes };
                true
            }
            // RFC 4320 §4.1: no provisional response but 100, and that once.
            (State::Trying | State::Proceeding { .. }, ..200) => false,
            // RFC 4320 §4.2: never 408; the client has given up by itself.
            (State::Trying | State::Proceeding { .. }, 408) => {
                self.state = State::Terminated;
                out.push(Action::Done);
                false
            }
            (State::Trying | State::Proceeding { .. }, _) => {
                if self.state == State::Trying {
                    out.push(Action::Stop(Timer::Trying));
                }
                out.push(Action::Stop(Timer::Late));
                out.push(Action::Send(bytes.clone()));
                // §17.2.2: timer J is zero over a reliable transport.
                if self.reliable {
                    out.push(Action::Done);
                    self.state = State::Terminated;
                } else {
                    out.push(Action::Set(Timer::J, self.timing.give_up()));
                    self.state = State::Completed { last: bytes };
                }
                true
            }
            // §17.2.2: any other final answer is discarded.
            (State::Completed { .. } | State::Terminated, _) => false,
        }
    }

    /// A timer set by this transaction fires.
    pub fn on_timer(&mut self, timer: Timer, out: &mut Actions) {
        match (&self.state, timer) {
            (State::Trying, Timer::Trying) => out.push(Action::ToUser(UserEvent::Unanswered)),
            (State::Trying | State::Proceeding { .. }, Timer::Late) => self.fail(FailReason::Timeout, out),
            (State::Completed { .. }, Timer::J) => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // A timer of a state that was left fires in none.
            (State::Trying | State::Proceeding { .. } | State::Completed { .. } | State::Terminated, _) => {}
        }
    }

    /// The transport failed for good.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Trying | State::Proceeding { .. } => self.fail(FailReason::TransportError, out),
            // The answer was given; only the waiting ends.
            State::Completed { .. } => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
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

    fn start(reliable: bool, path: &[&str]) -> NonInviteServer {
        let mut out = Actions::new();
        let mut machine = NonInviteServer::start(Timing::RFC, reliable, &mut out);
        path.iter().for_each(|event| feed(&mut machine, event, &mut out));
        machine
    }

    fn in_state(reliable: bool, state: &str) -> NonInviteServer {
        match state {
            "Trying" => start(reliable, &[]),
            "Proceeding" => start(reliable, &["100"]),
            "Completed" => start(reliable, &["200"]),
            "Terminated" => start(reliable, &["timer Late"]),
            _ => panic!("no state {state}"),
        }
    }

    fn feed(machine: &mut NonInviteServer, event: &str, out: &mut Actions) {
        match (event, script::timer(event), event.parse()) {
            ("request", ..) => machine.on_request(out),
            ("error", ..) => machine.on_transport_error(out),
            (_, Some(timer), _) => machine.on_timer(timer, out),
            (_, None, Ok(status)) => {
                machine.respond(status, Bytes::from(event.to_owned()), out);
            }
            _ => panic!("no event {event}"),
        }
    }

    fn name(machine: &NonInviteServer) -> String {
        script::state_name(&machine.state)
    }

    #[test]
    fn follows_the_figure_and_rfc_4320_over_udp() {
        let table = "
            Trying     | request      |                                                | Trying
            Trying     | 100          | stop Trying; send 100                          | Proceeding
            Trying     | 180          |                                                | Trying
            Trying     | 200          | stop Trying; stop Late; send 200; set J 32000  | Completed
            Trying     | 408          | done                                           | Terminated
            Trying     | timer Trying | user unanswered                                | Trying
            Trying     | timer Late   | failed Timeout; done                           | Terminated
            Trying     | timer J      |                                                | Trying
            Trying     | error        | failed TransportError; done                    | Terminated
            Proceeding | request      | resend 100                                     | Proceeding
            Proceeding | 100          |                                                | Proceeding
            Proceeding | 180          |                                                | Proceeding
            Proceeding | 200          | stop Late; send 200; set J 32000               | Completed
            Proceeding | 408          | done                                           | Terminated
            Proceeding | timer Trying |                                                | Proceeding
            Proceeding | timer Late   | failed Timeout; done                           | Terminated
            Proceeding | timer J      |                                                | Proceeding
            Proceeding | error        | failed TransportError; done                    | Terminated
            Completed  | request      | resend 200                                     | Completed
            Completed  | 100          |                                                | Completed
            Completed  | 180          |                                                | Completed
            Completed  | 200          |                                                | Completed
            Completed  | 408          |                                                | Completed
            Completed  | timer Trying |                                                | Completed
            Completed  | timer Late   |                                                | Completed
            Completed  | timer J      | done                                           | Terminated
            Completed  | error        | done                                           | Terminated
            Terminated | request      |                                                | Terminated
            Terminated | 100          |                                                | Terminated
            Terminated | 180          |                                                | Terminated
            Terminated | 200          |                                                | Terminated
            Terminated | 408          |                                                | Terminated
            Terminated | timer Trying |                                                | Terminated
            Terminated | timer Late   |                                                | Terminated
            Terminated | timer J      |                                                | Terminated
            Terminated | error        |                                                | Terminated";
        script::check(table, |state| in_state(false, state), feed, name);
    }

    #[test]
    fn over_a_connection_the_answer_ends_it() {
        let mut out = Actions::new();
        NonInviteServer::start(Timing::RFC, true, &mut out);
        assert_eq!(script::describe(&out), "set Trying 3500; set Late 32000");
        let table = "
            Trying     | 200 | stop Trying; stop Late; send 200; done | Terminated
            Proceeding | 200 | stop Late; send 200; done              | Terminated";
        script::check(table, |state| in_state(true, state), feed, name);
    }
}
