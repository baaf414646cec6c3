//! Repeating a 2xx to an INVITE until its ACK: RFC 3261 §13.3.1.4.
//!
//! The transaction gives every 2xx to the network once; that it arrives is the
//! dialog's affair, over every transport, because a proxy on the way may lose
//! it. [`Repeat2xx`] says when to send it again and when to give up; the
//! endpoint keeps the bytes (`Endpoint::resend_2xx`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Instant;
use crate::sip::transaction::Timing;

/// The wait of one 2xx for its ACK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat2xx {
    timing: Timing,
    interval: Duration,
    next: Instant,
    give_up: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Wait,
    /// Send the 2xx again.
    Resend,
    /// No ACK for 64*T1: the dialog is confirmed, and the session should be
    /// ended with a BYE (§13.3.1.4).
    GiveUp,
}

impl Repeat2xx {
    /// The wait of a 2xx sent at `now`.
    pub fn start(now: Instant, timing: Timing) -> Self {
        let interval = timing.first();
        Self { timing, interval, next: now + interval, give_up: now + timing.give_up() }
    }

    /// When to ask [`Self::handle_timeout`] again.
    pub fn poll_timeout(&self) -> Instant {
        self.next.min(self.give_up)
    }

    /// What is due at `now`. The interval starts at T1 and doubles up to T2.
    pub fn handle_timeout(&mut self, now: Instant) -> Due {
        if now >= self.give_up {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::Wait;
        }
        self.interval = self.timing.doubled_to_t2(self.interval);
        self.next = now + self.interval;
        Due::Resend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_2xx_until_64_t1() {
        let mut wait = Repeat2xx::start(Instant::from_millis(1000), Timing::RFC);
        let mut log = Vec::new();
        loop {
            let at = wait.poll_timeout();
            match wait.handle_timeout(at) {
                Due::Resend => log.push(at.as_millis() - 1000),
                Due::GiveUp => break log.push(at.as_millis() - 1000),
                Due::Wait => panic!("asked too early"),
            }
        }
        assert_eq!(log, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500, 32_000]);
    }

    #[test]
    fn asked_early_it_waits() {
        let mut wait = Repeat2xx::start(Instant::ZERO, Timing::RFC);
        assert_eq!(wait.handle_timeout(Instant::from_millis(499)), Due::Wait);
        assert_eq!(wait.poll_timeout(), Instant::from_millis(500));
    }
}
