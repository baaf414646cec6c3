//! Session-Expires (RFC 4028) and Replaces (RFC 3891).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::contact::seconds;
use super::params::Params;
use super::scan::{Scan, WORD, all};
use super::text::Text;
use crate::sip::error::ParseError;

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

/// Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionExpires {
    /// The interval in seconds.
    pub secs: u32,
    /// Who refreshes, if it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a Session-Expires; an unknown refresher counts as none.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let (number, params) = s.split_at(s.find(';').unwrap_or(s.len()));
        let secs = seconds(number.trim()).ok_or(ParseError::new("bad Session-Expires", 0))?;
        let params = Params::scan(&mut Scan::new(params))?;
        let refresher = match params.get("refresher") {
            Some(r) if r.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(r) if r.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) | None => None,
        };
        Ok(Self { secs, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.secs)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// Replaces: the dialog that an INVITE takes the place of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: Text,
    /// Tag of the side that receives the header.
    pub to_tag: Text,
    /// Tag of the other side.
    pub from_tag: Text,
    /// Only an early dialog may be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a Replaces.
    ///
    /// # Errors
    /// If it is none; both tags are mandatory (RFC 3891 §6.1).
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let (call_id, params) = s.split_at(s.find(';').unwrap_or(s.len()));
        let call_id = call_id.trim();
        let mut scan = Scan::new(params);
        let params = Params::scan(&mut scan)?;
        let tag = |name| params.get(name).filter(|t| !t.is_empty()).map(Text::from);
        match (tag("to-tag"), tag("from-tag")) {
            (Some(to_tag), Some(from_tag)) if all(call_id, WORD) && scan.at_end() => {
                Ok(Self { call_id: call_id.into(), to_tag, from_tag, early_only: params.has("early-only") })
            }
            _ => Err(ParseError::new("bad Replaces", 0)),
        }
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut params = Params::new();
        params.set("to-tag", &self.to_tag);
        params.set("from-tag", &self.from_tag);
        if self.early_only {
            params.set_flag("early-only");
        }
        write!(f, "{}{params}", self.call_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_expires_round_trips() {
        let s = SessionExpires::parse("1800 ; refresher=UAS;x").expect("well-formed");
        assert_eq!(s, SessionExpires { secs: 1800, refresher: Some(Refresher::Uas) });
        assert_eq!(s.to_string(), "1800;refresher=uas");
        assert!(SessionExpires::parse("4294967296").is_err() && SessionExpires::parse(";refresher=uac").is_err());
    }

    #[test]
    fn replaces_needs_both_tags() {
        let r =
            Replaces::parse("98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff;early-only").expect("well-formed");
        assert_eq!(r.to_string(), "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r;early-only");
        assert!(Replaces::parse("1@b;to-tag=1").is_err() && Replaces::parse("a b;to-tag=1;from-tag=2").is_err());
    }
}
