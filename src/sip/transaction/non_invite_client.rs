//! The non-INVITE client transaction: RFC 3261 §17.1.2, figure 6.
//!
//! Sends the request until a final answer comes or 64*T1 have passed. The bytes
//! of the request are dropped with the final answer: what is left is the wait
//! for its repetitions.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Actions, FailReason, Timer, Timing, UserEvent};
use crate::sip::message::Response;

/// A client transaction of any method but INVITE and ACK.
///
/// ```text
///                                |Request from user
///                                |send request
///            Timer E             V
///            send request  +-----------+
///                +---------|           |-------------------+
///                |         |  Trying   |  Timer F          |
///                +-------->|           |  or Transport Err.|
///                          +-----------+  inform user      |
///             200-699         |  |                         |
///             resp. to user   |  |1xx                      |
///             +---------------+  |resp. to user            |
///             |                  V                         |
///             |  Timer E   +-----------+                   |
///             |  send req  |           | Timer F           |
///             |  +---------| Proceeding| or Transport Err. |
///             |  +-------->|           |------------------>|
///             |            |           |-----+             |
///             |            +-----------+     |1xx to user  |
///             |              |      ^--------+             |
///             |  200-699     |                             |
///             V  to user     V                             |
///            +-----------+                                 |
///            | Completed | Timer K                         V
///            |           |------------------------>+------------+
///            +-----------+                         | Terminated |
///                                                  +------------+
/// ```
#[derive(Clone, Debug)]
pub struct NonInviteClient {
    timing: Timing,
    reliable: bool,
    state: State,
}

/// Where the transaction stands, with what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No response yet.
    Trying { request: Bytes, interval: Duration },
    /// A provisional response came.
    Proceeding { request: Bytes },
    /// The final answer came; its repetitions are absorbed.
    Completed,
    /// Over.
    Terminated,
}

impl NonInviteClient {
    /// Sends `request` and starts timers E (UDP only) and F.
    pub fn start(timing: Timing, reliable: bool, request: Bytes, out: &mut Actions) -> Self {
        out.push(Action::Send(request.clone()));
        if !reliable {
            out.push(Action::Set(Timer::E, timing.first()));
        }
        out.push(Action::Set(Timer::F, timing.give_up()));
        Self { timing, reliable, state: State::Trying { request, interval: timing.first() } }
    }

    /// A response that matches this transaction.
    pub fn on_response(&mut self, response: Response, out: &mut Actions) {
        let provisional = response.status < 200;
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, provisional) {
            (State::Trying { request, .. } | State::Proceeding { request }, true) => {
                out.push(Action::ToUser(UserEvent::Response(response)));
                State::Proceeding { request }
            }
            (State::Trying { .. } | State::Proceeding { .. }, false) => {
                if !self.reliable {
                    out.push(Action::Stop(Timer::E));
                }
                out.push(Action::Stop(Timer::F));
                out.push(Action::ToUser(UserEvent::Response(response)));
                // §17.1.2.2: timer K is zero over a reliable transport.
                if self.reliable {
                    out.push(Action::Done);
                    State::Terminated
                } else {
                    out.push(Action::Set(Timer::K, self.timing.t4()));
                    State::Completed
                }
            }
            // §17.1.2.2: repetitions of the final answer go no further.
            (state @ (State::Completed | State::Terminated), _) => state,
        };
    }

    /// A timer set by this transaction fires.
    pub fn on_timer(&mut self, timer: Timer, out: &mut Actions) {
        match (&mut self.state, timer) {
            (State::Trying { request, interval }, Timer::E) => {
                out.push(Action::Resend(request.clone()));
                *interval = self.timing.doubled_to_t2(*interval);
                out.push(Action::Set(Timer::E, *interval));
            }
            // §17.1.2.2: in Proceeding the interval is T2 at once.
            (State::Proceeding { request }, Timer::E) => {
                out.push(Action::Resend(request.clone()));
                out.push(Action::Set(Timer::E, self.timing.t2()));
            }
            (State::Trying { .. } | State::Proceeding { .. }, Timer::F) => self.fail(FailReason::Timeout, out),
            (State::Completed, Timer::K) => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // A timer of a state that was left fires in none.
            (State::Trying { .. } | State::Proceeding { .. } | State::Completed | State::Terminated, _) => {}
        }
    }

    /// The transport failed for good.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Trying { .. } | State::Proceeding { .. } => self.fail(FailReason::TransportError, out),
            // The user has its final answer; only the waiting ends.
            State::Completed => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            State::Terminated => {}
        }
    }

    /// True until the first response: the peer has not shown that it is there.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Trying { .. })
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

    fn start(reliable: bool, path: &[&str]) -> NonInviteClient {
        let mut out = Actions::new();
        let mut machine = NonInviteClient::start(Timing::RFC, reliable, Bytes::from_static(b"BYE"), &mut out);
        path.iter().for_each(|event| feed(&mut machine, event, &mut out));
        machine
    }

    fn in_state(reliable: bool, state: &str) -> NonInviteClient {
        match state {
            "Trying" => start(reliable, &[]),
            "Proceeding" => start(reliable, &["100"]),
            "Completed" => start(reliable, &["200"]),
            "Terminated" => start(reliable, &["timer F"]),
            _ => panic!("no state {state}"),
        }
    }

    fn feed(machine: &mut NonInviteClient, event: &str, out: &mut Actions) {
        match (event, script::timer(event), script::response(event)) {
            ("error", ..) => machine.on_transport_error(out),
            (_, Some(timer), _) => machine.on_timer(timer, out),
            (_, None, Some(response)) => machine.on_response(response, out),
            _ => panic!("no event {event}"),
        }
    }

    fn name(machine: &NonInviteClient) -> String {
        script::state_name(&machine.state)
    }

    #[test]
    fn follows_the_figure_over_udp() {
        let table = "
            Trying     | 100     | user 100                            | Proceeding
            Trying     | 200     | stop E; stop F; user 200; set K 5000 | Completed
            Trying     | 481     | stop E; stop F; user 481; set K 5000 | Completed
            Trying     | timer E | resend BYE; set E 1000              | Trying
            Trying     | timer F | failed Timeout; done                | Terminated
            Trying     | timer K |                                     | Trying
            Trying     | error   | failed TransportError; done         | Terminated
            Proceeding | 100     | user 100                            | Proceeding
            Proceeding | 200     | stop E; stop F; user 200; set K 5000 | Completed
            Proceeding | 481     | stop E; stop F; user 481; set K 5000 | Completed
            Proceeding | timer E | resend BYE; set E 4000              | Proceeding
            Proceeding | timer F | failed Timeout; done                | Terminated
            Proceeding | timer K |                                     | Proceeding
            Proceeding | error   | failed TransportError; done         | Terminated
            Completed  | 100     |                                     | Completed
            Completed  | 200     |                                     | Completed
            Completed  | 481     |                                     | Completed
            Completed  | timer E |                                     | Completed
            Completed  | timer F |                                     | Completed
            Completed  | timer K | done                                | Terminated
            Completed  | error   | done                                | Terminated
            Terminated | 100     |                                     | Terminated
            Terminated | 200     |                                     | Terminated
            Terminated | 481     |                                     | Terminated
            Terminated | timer E |                                     | Terminated
            Terminated | timer F |                                     | Terminated
            Terminated | timer K |                                     | Terminated
            Terminated | error   |                                     | Terminated";
        script::check(table, |state| in_state(false, state), feed, name);
    }

    #[test]
    fn over_a_connection_it_neither_repeats_nor_waits() {
        let mut out = Actions::new();
        NonInviteClient::start(Timing::RFC, true, Bytes::from_static(b"BYE"), &mut out);
        assert_eq!(script::describe(&out), "send BYE; set F 32000");
        let table = "
            Trying     | 200 | stop F; user 200; done | Terminated
            Proceeding | 200 | stop F; user 200; done | Terminated";
        script::check(table, |state| in_state(true, state), feed, name);
    }

    #[test]
    fn timer_e_doubles_up_to_t2() {
        let mut machine = start(false, &[]);
        let mut out = Actions::new();
        for _ in 0..4 {
            machine.on_timer(Timer::E, &mut out);
        }
        out.retain(|action| matches!(action, Action::Set(..)));
        assert_eq!(script::describe(&out), "set E 1000; set E 2000; set E 4000; set E 4000");
    }
}
