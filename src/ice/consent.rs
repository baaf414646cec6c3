//! Consent to send (RFC 7675 §5.1): how long the peer's last word holds.
//!
//! A lite agent sends no checks of its own; the peer's authenticated checks
//! say that it still wants our packets. Peers that end their checks once ICE
//! is done show it by authentic media instead, which the agent's owner reports.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Instant;

/// How long consent lasts after the last proof (RFC 7675 §5.1).
pub const EXPIRY: Duration = Duration::from_secs(30);

/// The time of the last proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    last: Instant,
}

impl Consent {
    /// Consent given at `now`.
    pub const fn given(now: Instant) -> Self {
        Self { last: now }
    }

    /// Another proof; an earlier time than the last changes nothing.
    pub fn renew(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    /// When the last proof was.
    pub const fn last(&self) -> Instant {
        self.last
    }

    /// When it ends without another proof.
    pub fn expires_at(&self) -> Instant {
        self.last + EXPIRY
    }

    /// True if it has ended.
    pub fn is_expired(&self, now: Instant) -> bool {
        now >= self.expires_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_thirty_seconds_after_the_last_proof() {
        let mut consent = Consent::given(Instant::from_millis(1000));
        consent.renew(Instant::from_millis(5000));
        consent.renew(Instant::from_millis(2000));
        assert_eq!(consent.expires_at(), Instant::from_millis(35_000));
        assert!(!consent.is_expired(Instant::from_millis(34_999)));
        assert!(consent.is_expired(Instant::from_millis(35_000)));
    }
}
