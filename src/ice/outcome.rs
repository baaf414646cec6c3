//! The values of an ICE agent: credentials, pairs, and what became of a datagram.
//!
//! RFC 8445 §5.3 (credentials) and §7.3 (what a check can change). The agent
//! that yields them is in `lite`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::stun::StunError;
use crate::base::Rng;
use crate::base::redact::Secret;

/// A user fragment and password (RFC 8445 §5.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Names the agent in a check; 4 to 256 characters.
    pub ufrag: String,
    /// Keys the integrity of checks; 22 to 256 characters.
    pub pwd: Secret,
}

impl Credentials {
    /// Given credentials.
    pub fn new(ufrag: impl Into<String>, pwd: impl Into<String>) -> Self {
        Self { ufrag: ufrag.into(), pwd: Secret::new(pwd) }
    }

    /// Random ones: 40 bits of fragment, so that agents on one port do not
    /// meet by chance, and 160 bits of password (128 are asked for).
    pub fn generate(rng: &mut Rng) -> Self {
        Self { ufrag: rng.token(8), pwd: Secret::new(rng.token(32)) }
    }
}

/// Our address and the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// Our socket's address.
    pub local: SocketAddr,
    /// The peer's, as our socket sees it.
    pub remote: SocketAddr,
}

/// What became of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An authenticated check: send `reply` back on the pair.
    Answered {
        /// The success response.
        reply: Vec<u8>,
        /// The pair it came on.
        pair: Pair,
        /// What it changes.
        change: Change,
    },
    /// An authenticated request that we cannot serve: send `reply` back.
    Refused {
        /// The error response.
        reply: Vec<u8>,
        /// 420 or 487.
        code: u16,
    },
    /// Nothing to send; count it.
    Dropped(Reason),
}

/// What an authenticated check changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: the pair is known, its consent is renewed.
    Known,
    /// The pair was not proved before.
    Proved,
    /// The pair is nominated and was not before; it is proved, too.
    Nominated,
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not a well-formed STUN message.
    Malformed(StunError),
    /// A response: we ask nothing.
    Response,
    /// An indication: a keep-alive, which proves nothing.
    Indication,
    /// A method that is not Binding.
    Method,
    /// No USERNAME or no MESSAGE-INTEGRITY.
    NoCredentials,
    /// USERNAME does not name us, or not the peer that signalling told us of.
    UnknownUser,
    /// MESSAGE-INTEGRITY is not our password's.
    WrongIntegrity,
    /// A transaction seen from another address: an authentic check that a
    /// third party repeats to draw our media to itself.
    Replayed,
}

/// How often each fate befell a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Success responses.
    pub answered: u64,
    /// Error responses.
    pub refused: u64,
    /// Not STUN, or a method that is not Binding.
    pub malformed: u64,
    /// Responses and indications.
    pub unsolicited: u64,
    /// Without, or with wrong, credentials.
    pub unauthenticated: u64,
    /// Authentic checks repeated by a third party.
    pub replayed: u64,
}

impl Counters {
    /// Counts one fate.
    pub(super) fn feed(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Answered { .. } => &mut self.answered,
            Outcome::Refused { .. } => &mut self.refused,
            Outcome::Dropped(reason) => match reason {
                Reason::Malformed(_) | Reason::Method => &mut self.malformed,
                Reason::Response | Reason::Indication => &mut self.unsolicited,
                Reason::NoCredentials | Reason::UnknownUser | Reason::WrongIntegrity => &mut self.unauthenticated,
                Reason::Replayed => &mut self.replayed,
            },
        };
        *counter += 1;
    }
}

/// The selected pair's consent has run out: send nothing to it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired(pub Pair);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_long_enough_and_unlike() {
        let mut rng = Rng::from_number(1);
        let (a, b) = (Credentials::generate(&mut rng), Credentials::generate(&mut rng));
        assert!(a.ufrag.len() >= 4 && a.pwd.reveal().len() >= 22);
        assert!(a.ufrag != b.ufrag && a.pwd != b.pwd);
        assert!(!format!("{a:?}").contains(a.pwd.reveal()));
    }
}
