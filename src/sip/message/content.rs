//! Media types: Content-Type and the ranges of Accept.
//!
//! RFC 3261 §20.15 and §20.1.

use std::fmt;

use super::params::Params;
use super::scan::Scan;
use super::text::Text;
use crate::sip::error::ParseError;

/// A media type or media range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `application`, or `*` in a range.
    pub kind: Text,
    /// `sdp`, or `*` in a range.
    pub subtype: Text,
    /// Parameters such as `boundary` or `q`.
    pub params: Params,
}

impl MediaType {
    /// Reads a media type.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let kind = scan.token("bad media type")?;
        if !scan.take(b'/') {
            return Err(scan.fail("bad media type"));
        }
        let subtype = scan.token("bad media type")?;
        let params = Params::scan(&mut scan)?;
        if !scan.at_end() {
            return Err(scan.fail("rubbish after media type"));
        }
        Ok(Self { kind: kind.into(), subtype: subtype.into(), params })
    }

    /// True for this type, without case and whatever the parameters.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// True for `application/sdp`.
    pub fn is_sdp(&self) -> bool {
        self.is("application", "sdp")
    }

    /// True if this range covers the type; `q=0` covers nothing.
    pub fn covers(&self, kind: &str, subtype: &str) -> bool {
        let part = |mine: &str, asked: &str| mine == "*" || mine.eq_ignore_ascii_case(asked);
        let refused = self
            .params
            .get("q")
            .is_some_and(|q| q.trim_end_matches('0').trim_end_matches('.').trim_end_matches('0').is_empty());
        part(&self.kind, kind) && part(&self.subtype, subtype) && !refused
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_and_ranges() {
        let t = MediaType::parse("multipart / mixed ; boundary=\"a;b\"").expect("well-formed");
        assert_eq!(t.params.unquoted("boundary").as_deref(), Some("a;b"));
        assert_eq!(t.to_string(), "multipart/mixed;boundary=\"a;b\"");
        assert!(MediaType::parse("Application/SDP").expect("well-formed").is_sdp());
        assert!(MediaType::parse("application/*;q=0.2").expect("well-formed").covers("application", "sdp"));
        assert!(!MediaType::parse("*/*;q=0.0").expect("well-formed").covers("application", "sdp"));
        assert!(MediaType::parse("application").is_err() && MediaType::parse("a/b c").is_err());
    }
}
