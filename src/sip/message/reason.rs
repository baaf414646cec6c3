//! Reason (RFC 3326), Warning (RFC 3261 §20.43) and Retry-After (§20.33).
//!
//! What a peer says about why: read for records and hunting, written by us.

use std::fmt;

use super::contact::seconds;
use super::params::Params;
use super::scan::{self, Scan};
use super::text::Text;
use crate::sip::error::ParseError;

/// Why a request or response was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: Text,
    /// The status or cause value.
    pub cause: Option<u16>,
    /// For humans, unquoted.
    pub text: Option<Text>,
}

impl Reason {
    /// `SIP` and a status.
    pub fn sip(status: u16, text: &str) -> Self {
        Self { protocol: "SIP".into(), cause: Some(status), text: Some(text.into()) }
    }

    /// `Q.850` and a cause value.
    pub fn q850(cause: u16, text: &str) -> Self {
        Self { protocol: "Q.850".into(), cause: Some(cause), text: Some(text.into()) }
    }

    /// Reads a Reason.
    ///
    /// # Errors
    /// If it is none; a cause that is no number is left out.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let protocol = scan.token("bad Reason")?;
        let params = Params::scan(&mut scan)?;
        let cause = params.get("cause").and_then(seconds).and_then(|n| u16::try_from(n).ok());
        let text = params.unquoted("text").filter(|t| !t.is_empty()).map(Text::from);
        Ok(Self { protocol: protocol.into(), cause, text })
    }

    /// The Q.850 cause, if this is one.
    pub fn q850_cause(&self) -> Option<u16> {
        self.cause.filter(|_| self.protocol.eq_ignore_ascii_case("Q.850"))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            f.write_str(";text=")?;
            scan::write_quoted(f, text)?;
        }
        Ok(())
    }
}

/// A remark about the status of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Three digits, 3xx.
    pub code: u16,
    /// Who warns: a host or a pseudonym.
    pub agent: Text,
    /// For humans, unquoted.
    pub text: Text,
}

impl Warning {
    /// A warning.
    pub fn new(code: u16, agent: &str, text: &str) -> Self {
        Self { code, agent: agent.into(), text: text.into() }
    }

    /// Reads one warning.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let code: u16 = scan.number("bad Warning code")?;
        scan.blanks();
        let rest = scan.rest();
        let end = rest.find([' ', '\t']).ok_or(scan.fail("bad Warning agent"))?;
        scan.skip(end);
        scan.blanks();
        if !(100..1000).contains(&code) || scan.peek() != Some(b'"') {
            return Err(scan.fail("bad Warning"));
        }
        let text = scan::unquote(scan.quoted()?).into();
        Ok(Self { code, agent: rest[..end].into(), text })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {} ", self.code, self.agent)?;
        scan::write_quoted(f, &self.text)
    }
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    /// Seconds to wait.
    pub secs: u32,
    /// Seconds the service will last from then on, if it is said.
    pub duration_secs: Option<u32>,
}

impl RetryAfter {
    /// Reads a Retry-After; the comment is passed over.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let secs = scan.number("bad Retry-After")?;
        let duration_secs = match scan.rest().rfind(')').map(|at| &scan.rest()[at + 1..]).or(Some(scan.rest())) {
            Some(params) => Params::scan(&mut Scan::new(params))?.get("duration").and_then(seconds),
            None => None,
        };
        Ok(Self { secs, duration_secs })
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.secs)?;
        self.duration_secs.map_or(Ok(()), |secs| write!(f, ";duration={secs}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_round_trips() {
        let r = Reason::parse("Q.850 ;cause=16 ;text=\"Terminated, \\\"ok\\\"\"").expect("well-formed");
        assert_eq!((r.q850_cause(), r.text.as_deref()), (Some(16), Some("Terminated, \"ok\"")));
        assert_eq!(r.to_string(), "Q.850;cause=16;text=\"Terminated, \\\"ok\\\"\"");
        assert_eq!(Reason::parse("SIP;cause=99999").expect("well-formed").cause, None);
    }

    #[test]
    fn warning_round_trips_and_cannot_break_out() {
        let w = Warning::parse("304 [::1]:5060 \"Media type not available\"").expect("well-formed");
        assert_eq!(w.to_string(), "304 [::1]:5060 \"Media type not available\"");
        assert_eq!(Warning::new(399, "sbc", "a\"\r\nX: b").to_string(), "399 sbc \"a\\\"X: b\"");
        for bad in ["", "304", "304 x", "3 x \"a\"", "304 x y", "304 x \"a"] {
            assert!(Warning::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn retry_after_with_comment_and_duration() {
        assert_eq!(
            RetryAfter::parse("120 (in a (long) meeting);duration=3600"),
            Ok(RetryAfter { secs: 120, duration_secs: Some(3600) })
        );
        assert_eq!(RetryAfter::parse("5").map(|r| r.to_string()), Ok("5".to_owned()));
        assert!(RetryAfter::parse("soon").is_err() && RetryAfter::parse("99999999999").is_err());
    }
}
