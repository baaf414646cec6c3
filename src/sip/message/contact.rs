//! Contact: `*` or addresses with `expires`, `q` and `+sip.instance`.
//!
//! RFC 3261 §20.10 and §10.2; RFC 5626 §4.1 for the instance.

use std::borrow::Cow;

use super::name_addr::NameAddr;
use super::scan::{decimal, elements};
use crate::sip::error::ParseError;

/// The Contacts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings, to be removed (RFC 3261 §10.2.2).
    Star,
    /// Addresses in order; empty if there is no Contact.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The first address.
    pub fn first(&self) -> Option<&NameAddr> {
        self.list().first()
    }

    /// The addresses; none for `*`.
    pub fn list(&self) -> &[NameAddr] {
        match self {
            Self::Star => &[],
            Self::List(list) => list,
        }
    }

    /// Reads every Contact value of a message.
    pub(super) fn parse<'a>(values: impl Iterator<Item = Cow<'a, str>>) -> Result<Self, ParseError> {
        let mut list = Vec::new();
        let mut star = false;
        for value in values {
            for one in elements(&value) {
                if one == "*" && !star && list.is_empty() {
                    star = true;
                } else if star {
                    return Err(ParseError::new("Contact * beside others", 0));
                } else {
                    list.push(NameAddr::parse(one)?);
                }
            }
        }
        Ok(if star { Self::Star } else { Self::List(list) })
    }
}

impl NameAddr {
    /// The `expires` parameter of a Contact in seconds. `None` if absent; what
    /// is malformed or too large counts as 3600 (RFC 3261 §20.10, §10.3).
    pub fn expires(&self) -> Option<u32> {
        let text = self.params.get("expires")?;
        Some(seconds(text).unwrap_or(3600))
    }

    /// The `q` parameter in thousandths; 1000 if absent or malformed.
    pub fn q(&self) -> u16 {
        self.params.get("q").and_then(q_value).unwrap_or(1000)
    }

    /// The `+sip.instance` of RFC 5626, without quotes and angle brackets.
    pub fn instance(&self) -> Option<String> {
        let text = self.params.unquoted("+sip.instance")?;
        let urn = text.trim_start_matches('<').trim_end_matches('>');
        (!urn.is_empty()).then(|| urn.to_owned())
    }

    /// The `reg-id` of RFC 5626 §4.2.
    pub fn reg_id(&self) -> Option<u32> {
        self.params.get("reg-id").and_then(seconds).filter(|n| *n > 0)
    }
}

/// Delta-seconds; `None` if it is no number below 2^32.
pub(super) fn seconds(text: &str) -> Option<u32> {
    decimal(text.as_bytes()).and_then(|n| u32::try_from(n).ok())
}

/// RFC 3261 §25.1 `qvalue`: `0`, `1`, `0.333`; in thousandths.
fn q_value(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{part:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(s: &str) -> Result<Contacts, ParseError> {
        Contacts::parse([s.into()].into_iter())
    }

    #[test]
    fn reads_several_with_their_parameters() {
        let c = read("<sip:a@b>;q=0.5;expires=60;+sip.instance=\"<urn:uuid:1-2>\";reg-id=1, sip:c@d;expires=x")
            .expect("well-formed");
        let list = c.list();
        assert_eq!((list[0].q(), list[0].expires(), list[0].reg_id()), (500, Some(60), Some(1)));
        assert_eq!(list[0].instance().as_deref(), Some("urn:uuid:1-2"));
        assert_eq!((list[1].q(), list[1].expires(), list[1].instance()), (1000, Some(3600), None));
    }

    #[test]
    fn star_stands_alone() {
        assert_eq!(read("*"), Ok(Contacts::Star));
        assert!(read("*, <sip:a@b>").is_err());
        assert!(read("<sip:a@b>, *").is_err());
        assert!(read("sip:user@example.com?Route=%3Csip:x%3E").is_err());
    }

    #[test]
    fn odd_q_values() {
        for (text, q) in
            [("0", Some(0)), ("1.000", Some(1000)), ("0.33", Some(330)), ("1.1", None), ("2", None), ("0.1234", None)]
        {
            assert_eq!(q_value(text), q, "{text}");
        }
    }
}
