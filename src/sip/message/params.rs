//! Parameters: `;name=value;flag` after a header value, an address or a URI.
//!
//! Names compare without case, order and spelling are kept. A value read from
//! the wire keeps its quotes; [`Params::set`] quotes what needs it, so that no
//! value can end its parameter, its header or its line (RFC 3261 §25.1
//! `generic-param`, §19.1.1 `uri-parameters`).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::scan::{self, Scan};
use super::text::Text;
use crate::sip::error::ParseError;

/// An ordered list of parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Vec<Param>);

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name as written.
    pub name: Text,
    /// Its value as written, quotes included; `None` for a flag.
    pub value: Option<Text>,
}

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of `name` as written; an empty string for a flag, `None` if absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.find(name)?;
        Some(found.value.as_deref().unwrap_or(""))
    }

    /// The value of `name` without quotes.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(scan::unquote)
    }

    /// True if `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets `name`, in place if it is there; the value is quoted if it has to be.
    pub fn set(&mut self, name: &str, value: &str) {
        self.put(name, Some(safe_value(value)));
    }

    /// Sets `name` as a flag.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Removes `name`; true if it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|p| !p.name.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    /// All in order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn find(&self, name: &str) -> Option<&Param> {
        self.0.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    fn put(&mut self, name: &str, value: Option<Text>) {
        match self.0.iter_mut().find(|p| p.name.eq_ignore_ascii_case(name)) {
            Some(found) => found.value = value,
            None => self.0.push(Param { name: name.into(), value }),
        }
    }

    /// Reads `;name=value` until something else follows.
    pub(super) fn scan(scan: &mut Scan<'_>) -> Result<Self, ParseError> {
        let mut params = Self::new();
        while scan.take(b';') {
            let name = scan.token("bad parameter name")?;
            let value = if scan.take(b'=') { Some(scan_value(scan)?.into()) } else { None };
            params.add(Param { name: name.into(), value });
        }
        Ok(params)
    }

    /// Reads the parameters of a URI, the text after the first `;`.
    pub(super) fn parse_uri(s: &str) -> Result<Self, ParseError> {
        let bytes = s.as_bytes();
        let run = |from: usize, fine: fn(u8) -> bool| {
            bytes[from..].iter().position(|c| !fine(*c)).map_or(bytes.len(), |n| from + n)
        };
        let mut params = Self::new();
        let mut at = 0;
        loop {
            let name = at..run(at, |c| scan::is(c, scan::PARAM));
            at = name.end;
            let mut value = None;
            if bytes.get(at) == Some(&b'=') {
                let range = at + 1..run(at + 1, uri_value);
                at = range.end;
                value = Some(range);
            }
            let end = bytes.get(at);
            if name.is_empty() || value.as_ref().is_some_and(|v| v.is_empty()) || end.is_some_and(|c| *c != b';') {
                return Err(ParseError::new("bad URI parameter", at));
            }
            params.add(Param { name: s[name].into(), value: value.map(|v| s[v].into()) });
            if end.is_none() {
                return Ok(params);
            }
            at += 1;
        }
    }

    fn add(&mut self, param: Param) {
        if self.0.is_empty() {
            self.0 = Vec::with_capacity(4);
        }
        self.0.push(param);
    }

    /// Writes them as parameters of a URI: what may not stand there is escaped.
    pub(super) fn write_uri(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in &self.0 {
            f.write_str(";")?;
            super::uri::write_escaped(f, &p.name, scan::PARAM)?;
            if let Some(value) = &p.value {
                f.write_str("=")?;
                super::uri::write_escaped(f, value, scan::PARAM)?;
            }
        }
        Ok(())
    }
}

/// Writes them as header parameters; names and values that came from outside a
/// parser are made harmless.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for p in self.0.iter().filter(|p| scan::is_token(&p.name)) {
            f.write_str(";")?;
            f.write_str(&p.name)?;
            if let Some(value) = &p.value {
                f.write_str("=")?;
                f.write_str(&safe_value(value))?;
            }
        }
        Ok(())
    }
}

/// A token, host or IPv6 reference, or a quoted string.
fn scan_value<'a>(scan: &mut Scan<'a>) -> Result<&'a str, ParseError> {
    if scan.peek() == Some(b'"') {
        return scan.quoted();
    }
    let rest = scan.rest();
    let len = rest.bytes().position(|c| !plain(c)).unwrap_or(rest.len());
    if len == 0 {
        return Err(scan.fail("empty parameter value"));
    }
    scan.skip(len);
    Ok(&rest[..len])
}

/// What stands in an unquoted value: no separator, blank or quote. Brackets,
/// colons, slashes and the like are outside the grammar's token and in use.
fn plain(c: u8) -> bool {
    c > b' ' && c != 0x7f && !matches!(c, b';' | b',' | b'"' | b'<' | b'>' | b'\\')
}

/// RFC 3261 §19.1.1; `=`, quotes and UTF-8 in a value are met in the wild.
fn uri_value(c: u8) -> bool {
    scan::is(c, scan::PARAM) || matches!(c, b'=' | b'"') || c >= 0x80
}

/// The value if it is well-formed as it is, else quoted.
fn safe_value(value: &str) -> Text {
    let whole = value.len() >= 2 && value.starts_with('"') && scan::quoted_len(value.as_bytes()) == Some(value.len());
    let clean = if whole { !value.contains(['\r', '\n', '\0']) } else { !value.is_empty() && value.bytes().all(plain) };
    if clean {
        return value.into();
    }
    let mut out = String::with_capacity(value.len() + 2);
    scan::write_quoted(&mut out, value).expect("a string takes all");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(s: &str) -> Result<Params, ParseError> {
        Params::scan(&mut Scan::new(s))
    }

    #[test]
    fn reads_blanks_flags_and_quotes() {
        let p = read(" ; TAG = a1 ;lr; note = \"a;b\\\"c\" ").expect("well-formed");
        assert_eq!(p.get("tag"), Some("a1"));
        assert_eq!(p.get("lr"), Some(""));
        assert_eq!(p.get("none"), None);
        assert_eq!(p.unquoted("note").as_deref(), Some("a;b\"c"));
        assert_eq!(p.to_string(), ";TAG=a1;lr;note=\"a;b\\\"c\"");
        assert!(read(";;").is_err());
        assert!(read(";a=").is_err());
    }

    #[test]
    fn set_values_cannot_leave_their_parameter() {
        let mut p = Params::new();
        p.set("text", "a;b, \"c\"\r\nX: y");
        p.set("tag", "t1");
        p.set("tag", "t2");
        assert_eq!(p.to_string(), ";text=\"a;b, \\\"c\\\"X: y\";tag=t2");
        assert!(p.remove("TEXT") && !p.remove("text"));
        assert_eq!(p.len(), 1);
    }
}
