//! CSeq and RAck: a number and the method it counts.
//!
//! RFC 3261 §20.16, RFC 3262 §7.2. A number must be below 2^31 (§8.1.1.5).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::method::Method;
use super::scan::Scan;
use crate::sip::error::ParseError;

/// A CSeq.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CSeq {
    /// The number, below 2^31.
    pub seq: u32,
    /// The method of the request it counts.
    pub method: Method,
}

impl CSeq {
    /// A CSeq.
    pub fn new(seq: u32, method: Method) -> Self {
        Self { seq, method }
    }

    /// Reads a CSeq.
    ///
    /// # Errors
    /// If it is none, or its number is 2^31 or more.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        let seq = number(&mut scan, "bad CSeq number")?;
        let method = method(&mut scan, "bad CSeq method")?;
        Ok(Self { seq, method })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

/// A RAck: which reliable provisional response a PRACK acknowledges.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq of the response.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads a RAck.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        let rseq = number(&mut scan, "bad RAck number")?;
        let seq = number(&mut scan, "bad RAck CSeq number")?;
        let method = method(&mut scan, "bad RAck method")?;
        Ok(Self { rseq, cseq: CSeq { seq, method } })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

fn number(scan: &mut Scan<'_>, what: &'static str) -> Result<u32, ParseError> {
    scan.blanks();
    let n: u32 = scan.number(what)?;
    let blank = matches!(scan.peek(), Some(b' ' | b'\t'));
    if n >= 1 << 31 || !blank { Err(scan.fail(what)) } else { Ok(n) }
}

fn method(scan: &mut Scan<'_>, what: &'static str) -> Result<Method, ParseError> {
    scan.blanks();
    let token = scan.token(what)?;
    if !scan.at_end() {
        return Err(scan.fail(what));
    }
    Method::parse(token).ok_or(scan.fail(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_and_blanks_are_fine() {
        assert_eq!(CSeq::parse("0009   INVITE "), Ok(CSeq::new(9, Method::Invite)));
        assert_eq!(CSeq::new(9, Method::Invite).to_string(), "9 INVITE");
        let rack = RAck::parse("776656 1 INVITE").expect("well-formed");
        assert_eq!(rack.to_string(), "776656 1 INVITE");
    }

    #[test]
    fn too_large_or_broken_is_an_error() {
        assert!(CSeq::parse("2147483647 BYE").is_ok());
        for bad in
            ["2147483648 BYE", "36893488147419103232 BYE", "1", "1BYE", "BYE 1", "-1 BYE", "1 BYE x", "1 B(E", ""]
        {
            assert!(CSeq::parse(bad).is_err(), "{bad}");
        }
    }
}
