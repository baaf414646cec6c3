//! Who begins the DTLS handshake: `a=setup` (RFC 4145 §4, RFC 5763 §5, RFC 8842 §5).
//!
//! We offer `actpass`, as RFC 8842 §5.2 demands, and answer `actpass` with
//! `active`. A check that proves a pair reaches us, the ICE-lite side, before
//! the browser has our reply, so our ClientHello leaves at the earliest moment
//! a handshake can succeed at all, and the browser, being passive, cannot have
//! lost one of hers to a pair that was not yet proved and be waiting out a
//! retransmission timer of one second.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The DTLS role a side takes or offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Setup {
    /// Sends the ClientHello.
    Active,
    /// Waits for the ClientHello.
    Passive,
    /// Offers both; the answer decides.
    ActPass,
    /// Wants no connection for the time being.
    HoldConn,
}

impl Setup {
    /// Reads an `a=setup` value.
    pub fn parse(value: &str) -> Option<Self> {
        Some(match value.trim() {
            v if v.eq_ignore_ascii_case("active") => Self::Active,
            v if v.eq_ignore_ascii_case("passive") => Self::Passive,
            v if v.eq_ignore_ascii_case("actpass") => Self::ActPass,
            v if v.eq_ignore_ascii_case("holdconn") => Self::HoldConn,
            _ => return None,
        })
    }

    /// What we answer to an offer of `self` when `wish` is the role we would like to have or
    /// already have; `ActPass` wishes nothing in particular.
    #[must_use]
    pub fn answer(self, wish: Self) -> Self {
        match (self, wish) {
            (Self::Active, _) => Self::Passive,
            (Self::Passive, _) => Self::Active,
            // RFC 8842 §5.3: an association that goes on keeps its roles, so the wish wins.
            (Self::ActPass, Self::Passive) => Self::Passive,
            (Self::ActPass, Self::Active | Self::ActPass | Self::HoldConn) => Self::Active,
            (Self::HoldConn, _) => Self::HoldConn,
        }
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
            Self::HoldConn => "holdconn",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_actpass_active_unless_already_passive() {
        assert_eq!(Setup::ActPass.answer(Setup::ActPass), Setup::Active);
        assert_eq!(Setup::ActPass.answer(Setup::Passive), Setup::Passive);
        assert_eq!(Setup::Active.answer(Setup::Active), Setup::Passive);
        assert_eq!(Setup::Passive.answer(Setup::Passive), Setup::Active);
    }

    #[test]
    fn reads_what_it_writes() {
        for setup in [Setup::Active, Setup::Passive, Setup::ActPass, Setup::HoldConn] {
            assert_eq!(Setup::parse(&setup.to_string()), Some(setup));
        }
        assert_eq!(Setup::parse("both"), None);
    }
}
