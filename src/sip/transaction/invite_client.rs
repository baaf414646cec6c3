//! The INVITE client transaction: RFC 3261 §17.1.1, figure 5, with RFC 6026 §7.2.
//!
//! Sends the INVITE until something answers, acknowledges every non-2xx final
//! itself and hands every 2xx to its user, whose business its ACK is. A CANCEL
//! asked for before a provisional response waits for one (§9.1).
//!
//! It keeps the bytes of the INVITE while an ACK or CANCEL may have to be made
//! from them, the bytes of the ACK while it may have to be repeated, and
//! nothing in `Accepted`.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Actions, FailReason, Timer, Timing, UserEvent, same_branch};
use crate::sip::message::Response;

/// An INVITE client transaction.
///
/// ```text
///                               |INVITE from user
///             Timer A fires     |INVITE sent      Timer B fires
///             Reset A,          V                 or Transport Err.
///             INVITE sent +-----------+           inform user
///               +---------|           |--------------------------+
///               |         |  Calling  |                          |
///               +-------->|           |-----------+              |
///    300-699              +-----------+ 2xx       |              |
///    ACK sent              |  |         2xx to    |              |
///    resp. to user         |  |1xx      user      |              |
///  +-----------------------+  |1xx to user        |              |
///  |                          V                   |              |
///  |  300-699             +-----------+           |              |
///  |  ACK sent, to user   |           |---+1xx    |  cancelled   |
///  +----------------------| Proceeding|   |to user|  64*T1 ago   |
///  |                      |           |<--+       |------------->+
///  |    300-699           +-----------+           |              |
///  |    ACK sent            |     2xx to user     |              |
///  |    +---+               +-----------------+   |              |
///  V    |   V                                 V   V              |
/// +-----------+ Transport Err.               +-----------+       |
/// |           |----------------------------->| Accepted  |--+2xx |
/// | Completed |        |                     |           |<-+to  |
/// +-----------+        |                     +-----------+ user  |
///       | Timer D      V                           | Timer M      V
///       +-------->+------------+<------------------+-------------+
///                 | Terminated |
///                 +------------+
/// ```
#[derive(Clone, Debug)]
pub struct InviteClient {
    timing: Timing,
    reliable: bool,
    state: State,
}

/// Where the transaction stands, with what it needs there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// No response yet.
    Calling { invite: Bytes, interval: Duration, cancel: bool },
    /// A provisional response came.
    Proceeding { invite: Bytes, cancelled: bool },
    /// A non-2xx final came and was acknowledged.
    Completed { ack: Bytes },
    /// A 2xx came; more may, from other forks.
    Accepted,
    /// Over.
    Terminated,
}

impl InviteClient {
    /// Sends `invite` and starts timers A (UDP only) and B.
    pub fn start(timing: Timing, reliable: bool, invite: Bytes, out: &mut Actions) -> Self {
        out.push(Action::Send(invite.clone()));
        // RFC 3261 §17.1.1.2: no timer A over a reliable transport.
        if !reliable {
            out.push(Action::Set(Timer::A, timing.first()));
        }
        out.push(Action::Set(Timer::B, timing.give_up()));
        let state = State::Calling { invite, interval: timing.first(), cancel: false };
        Self { timing, reliable, state }
    }

    /// A response that matches this transaction.
    pub fn on_response(&mut self, response: Response, out: &mut Actions) {
        let state = std::mem::replace(&mut self.state, State::Terminated);
        self.state = match (state, response.status / 100) {
            (State::Calling { invite, cancel, .. }, 1) => {
                self.stop_sending(out);
                out.push(Action::ToUser(UserEvent::Response(response)));
                if cancel {
                    self.send_cancel(&invite, out);
                }
                State::Proceeding { invite, cancelled: cancel }
            }
            (state @ State::Proceeding { .. }, 1) => {
                out.push(Action::ToUser(UserEvent::Response(response)));
                state
            }
            (State::Calling { .. }, 2) => {
                self.stop_sending(out);
                self.accept(response, out)
            }
            (State::Proceeding { cancelled, .. }, 2) => {
                if cancelled {
                    out.push(Action::Stop(Timer::Cancel));
                }
                self.accept(response, out)
            }
            // RFC 6026 §7.2: every 2xx of the forks goes to the user.
            (State::Accepted, 2) => {
                out.push(Action::ToUser(UserEvent::Response(response)));
                State::Accepted
            }
            (State::Calling { invite, .. }, _) => {
                self.stop_sending(out);
                self.complete(&invite, response, out)
            }
            (State::Proceeding { invite, cancelled }, _) => {
                if cancelled {
                    out.push(Action::Stop(Timer::Cancel));
                }
                self.complete(&invite, response, out)
            }
            // §17.1.1.2: a repeated final is acknowledged again and not passed up.
            (State::Completed { ack }, 3..) => {
                out.push(Action::Resend(ack.clone()));
                State::Completed { ack }
            }
            // A late provisional says nothing, a 2xx after a failure belongs to a
            // fork that a proxy has to end (§16.7), and Accepted ignores failures.
            (state @ (State::Completed { .. } | State::Accepted | State::Terminated), _) => state,
        };
    }

    /// A timer set by this transaction fires.
    pub fn on_timer(&mut self, timer: Timer, out: &mut Actions) {
        match (&mut self.state, timer) {
            (State::Calling { invite, interval, .. }, Timer::A) => {
                out.push(Action::Resend(invite.clone()));
                *interval = Timing::doubled(*interval);
                out.push(Action::Set(Timer::A, *interval));
            }
            (State::Calling { .. }, Timer::B) | (State::Proceeding { .. }, Timer::Cancel) => {
                self.fail(FailReason::Timeout, out);
            }
            (State::Completed { .. }, Timer::D) | (State::Accepted, Timer::M) => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // A timer of a state that was left fires in none.
            (
                State::Calling { .. }
                | State::Proceeding { .. }
                | State::Completed { .. }
                | State::Accepted
                | State::Terminated,
                _,
            ) => {}
        }
    }

    /// The user wants the INVITE cancelled.
    pub fn cancel(&mut self, out: &mut Actions) {
        match &mut self.state {
            // RFC 3261 §9.1: no CANCEL before a provisional response.
            State::Calling { cancel, .. } => *cancel = true,
            State::Proceeding { invite, cancelled } if !*cancelled => {
                *cancelled = true;
                let invite = invite.clone();
                self.send_cancel(&invite, out);
            }
            // Cancelled before, or answered: a CANCEL has no effect (§9.1).
            State::Proceeding { .. } | State::Completed { .. } | State::Accepted | State::Terminated => {}
        }
    }

    /// The transport failed for good.
    pub fn on_transport_error(&mut self, out: &mut Actions) {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } => self.fail(FailReason::TransportError, out),
            // The user has its final answer; only the waiting ends.
            State::Completed { .. } => {
                self.state = State::Terminated;
                out.push(Action::Done);
            }
            // RFC 6026 §7.2: forks may answer another way until timer M.
            State::Accepted | State::Terminated => {}
        }
    }

    /// True until the first response: the peer has not shown that it is there.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    fn stop_sending(&self, out: &mut Actions) {
        if !self.reliable {
            out.push(Action::Stop(Timer::A));
        }
        out.push(Action::Stop(Timer::B));
    }

    fn accept(&self, response: Response, out: &mut Actions) -> State {
        out.push(Action::ToUser(UserEvent::Response(response)));
        out.push(Action::Set(Timer::M, self.timing.give_up()));
        State::Accepted
    }

    fn complete(&self, invite: &Bytes, response: Response, out: &mut Actions) -> State {
        let ack = same_branch::ack(invite, &response);
        if let Some(ack) = &ack {
            out.push(Action::Send(ack.clone()));
        }
        out.push(Action::ToUser(UserEvent::Response(response)));
        // §17.1.1.2: timer D is zero over a reliable transport.
        match ack {
            Some(ack) if !self.reliable => {
                out.push(Action::Set(Timer::D, self.timing.d()));
                State::Completed { ack }
            }
            _ => {
                out.push(Action::Done);
                State::Terminated
            }
        }
    }

    fn send_cancel(&self, invite: &Bytes, out: &mut Actions) {
        if let Some(cancel) = same_branch::cancel(invite) {
            out.push(Action::Cancel(cancel));
        }
        out.push(Action::Set(Timer::Cancel, self.timing.give_up()));
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

    const INVITE: &[u8] = b"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a>;tag=a\r\n\
        To: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n";

    fn start(reliable: bool, path: &[&str]) -> InviteClient {
        let mut out = Actions::new();
        let mut machine = InviteClient::start(Timing::RFC, reliable, Bytes::from_static(INVITE), &mut out);
        path.iter().for_each(|event| feed(&mut machine, event, &mut out));
        machine
    }

    fn in_state(reliable: bool, state: &str) -> InviteClient {
        match state {
            "Calling" => start(reliable, &[]),
            "Calling, cancel" => start(reliable, &["cancel"]),
            "Proceeding" => start(reliable, &["180"]),
            "Proceeding, cancelled" => start(reliable, &["180", "cancel"]),
            "Completed" => start(reliable, &["486"]),
            "Accepted" => start(reliable, &["200"]),
            "Terminated" => start(reliable, &["200", "timer M"]),
            _ => panic!("no state {state}"),
        }
    }

    fn feed(machine: &mut InviteClient, event: &str, out: &mut Actions) {
        match (event, script::timer(event), script::response(event)) {
            ("cancel", ..) => machine.cancel(out),
            ("error", ..) => machine.on_transport_error(out),
            (_, Some(timer), _) => machine.on_timer(timer, out),
            (_, None, Some(response)) => machine.on_response(response, out),
            _ => panic!("no event {event}"),
        }
    }

    fn name(machine: &InviteClient) -> String {
        script::state_name(&machine.state)
    }

    #[test]
    fn follows_the_figure_over_udp() {
        let table = "
            Calling               | 180          | stop A; stop B; user 180                         | Proceeding
            Calling               | 200          | stop A; stop B; user 200; set M 32000            | Accepted
            Calling               | 486          | stop A; stop B; send ACK; user 486; set D 32000  | Completed
            Calling               | timer A      | resend INVITE; set A 1000                        | Calling
            Calling               | timer B      | failed Timeout; done                             | Terminated
            Calling               | timer D      |                                                  | Calling
            Calling               | timer M      |                                                  | Calling
            Calling               | timer Cancel |                                                  | Calling
            Calling               | cancel       |                                                  | Calling
            Calling               | error        | failed TransportError; done                      | Terminated
            Calling, cancel       | 180          | stop A; stop B; user 180; cancel by CANCEL; set Cancel 32000 | Proceeding
            Calling, cancel       | 200          | stop A; stop B; user 200; set M 32000            | Accepted
            Calling, cancel       | 486          | stop A; stop B; send ACK; user 486; set D 32000  | Completed
            Calling, cancel       | timer A      | resend INVITE; set A 1000                        | Calling
            Calling, cancel       | timer B      | failed Timeout; done                             | Terminated
            Calling, cancel       | timer D      |                                                  | Calling
            Calling, cancel       | timer M      |                                                  | Calling
            Calling, cancel       | timer Cancel |                                                  | Calling
            Calling, cancel       | cancel       |                                                  | Calling
            Calling, cancel       | error        | failed TransportError; done                      | Terminated
            Proceeding            | 180          | user 180                                         | Proceeding
            Proceeding            | 200          | user 200; set M 32000                            | Accepted
            Proceeding            | 486          | send ACK; user 486; set D 32000                  | Completed
            Proceeding            | timer A      |                                                  | Proceeding
            Proceeding            | timer B      |                                                  | Proceeding
            Proceeding            | timer D      |                                                  | Proceeding
            Proceeding            | timer M      |                                                  | Proceeding
            Proceeding            | timer Cancel | failed Timeout; done                             | Terminated
            Proceeding            | cancel       | cancel by CANCEL; set Cancel 32000               | Proceeding
            Proceeding            | error        | failed TransportError; done                      | Terminated
            Proceeding, cancelled | 180          | user 180                                         | Proceeding
            Proceeding, cancelled | 200          | stop Cancel; user 200; set M 32000               | Accepted
            Proceeding, cancelled | 486          | stop Cancel; send ACK; user 486; set D 32000     | Completed
            Proceeding, cancelled | timer A      |                                                  | Proceeding
            Proceeding, cancelled | timer B      |                                                  | Proceeding
            Proceeding, cancelled | timer D      |                                                  | Proceeding
            Proceeding, cancelled | timer M      |                                                  | Proceeding
            Proceeding, cancelled | timer Cancel | failed Timeout; done                             | Terminated
            Proceeding, cancelled | cancel       |                                                  | Proceeding
            Proceeding, cancelled | error        | failed TransportError; done                      | Terminated
            Completed             | 180          |                                                  | Completed
            Completed             | 200          |                                                  | Completed
            Completed             | 486          | resend ACK                                       | Completed
            Completed             | timer A      |                                                  | Completed
            Completed             | timer B      |                                                  | Completed
            Completed             | timer D      | done                                             | Terminated
            Completed             | timer M      |                                                  | Completed
            Completed             | timer Cancel |                                                  | Completed
            Completed             | cancel       |                                                  | Completed
            Completed             | error        | done                                             | Terminated
            Accepted              | 180          |                                                  | Accepted
            Accepted              | 200          | user 200                                         | Accepted
            Accepted              | 486          |                                                  | Accepted
            Accepted              | timer A      |                                                  | Accepted
            Accepted              | timer B      |                                                  | Accepted
            Accepted              | timer D      |                                                  | Accepted
            Accepted              | timer M      | done                                             | Terminated
            Accepted              | timer Cancel |                                                  | Accepted
            Accepted              | cancel       |                                                  | Accepted
            Accepted              | error        |                                                  | Accepted
            Terminated            | 180          |                                                  | Terminated
            Terminated            | 200          |                                                  | Terminated
            Terminated            | 486          |                                                  | Terminated
            Terminated            | timer A      |                                                  | Terminated
            Terminated            | timer B      |                                                  | Terminated
            Terminated            | timer D      |                                                  | Terminated
            Terminated            | timer M      |                                                  | Terminated
            Terminated            | timer Cancel |                                                  | Terminated
            Terminated            | cancel       |                                                  | Terminated
            Terminated            | error        |                                                  | Terminated";
        script::check(table, |state| in_state(false, state), feed, name);
    }

    #[test]
    fn over_a_connection_it_neither_repeats_nor_waits_for_repetitions() {
        let mut out = Actions::new();
        InviteClient::start(Timing::RFC, true, Bytes::from_static(INVITE), &mut out);
        assert_eq!(script::describe(&out), "send INVITE; set B 32000");
        let table = "
            Calling    | 486 | stop B; send ACK; user 486; done    | Terminated
            Calling    | 200 | stop B; user 200; set M 32000       | Accepted
            Proceeding | 486 | send ACK; user 486; done            | Terminated
            Proceeding | 200 | user 200; set M 32000               | Accepted";
        script::check(table, |state| in_state(true, state), feed, name);
    }

    #[test]
    fn timer_a_doubles_without_a_cap() {
        let mut machine = start(false, &[]);
        let mut out = Actions::new();
        for _ in 0..6 {
            machine.on_timer(Timer::A, &mut out);
        }
        out.retain(|action| matches!(action, Action::Set(..)));
        assert_eq!(script::describe(&out), "set A 1000; set A 2000; set A 4000; set A 8000; set A 16000; set A 32000");
    }
}
