//! `"Display" <uri>;params`: From, To, Contact, Route and their like.
//!
//! RFC 3261 §20.10 and §25.1 `name-addr` / `addr-spec`. Without angle brackets
//! parameters belong to the header and a `?` is an error. A display name is
//! kept without its quotes and written with them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::params::Params;
use super::scan::{self, Scan};
use super::text::Text;
use super::uri::Uri;
use crate::sip::error::ParseError;

/// An address with a display name and header parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAddr {
    /// The display name, unquoted; `None` if there is none or it is empty.
    pub display: Option<Text>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header, such as `tag`.
    pub params: Params,
}

impl NameAddr {
    /// An address without name and parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// This address with a display name; an empty one is none.
    #[must_use]
    pub fn with_display(mut self, display: &str) -> Self {
        self.display = (!display.is_empty()).then(|| display.into());
        self
    }

    /// This address with a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// The `tag` parameter; an empty one counts as none.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|t| !t.is_empty())
    }

    /// Reads one address, to the end of `s`.
    ///
    /// # Errors
    /// If it is none or something follows.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut scan = Scan::new(s);
        scan.blanks();
        let display = Self::scan_display(&mut scan)?;
        scan.blanks();
        let bracket = scan.peek() == Some(b'<');
        let uri = match (&display, bracket) {
            (_, true) => {
                scan.skip(1);
                let rest = scan.rest();
                let end = memchr::memchr(b'>', rest.as_bytes()).ok_or(scan.fail("unbalanced angle bracket"))?;
                let uri = Uri::parse(&rest[..end])?;
                scan.skip(end + 1);
                uri
            }
            // RFC 3261 §20.10: without brackets, what follows `;` is the
            // header's, and a URI holding `,` `?` or `;` must have them.
            (None, false) => {
                let rest = scan.rest();
                let end =
                    rest.bytes().position(|c| matches!(c, b';' | b' ' | b'\t' | b'?' | b',')).unwrap_or(rest.len());
                let uri = Uri::parse(&rest[..end])?;
                scan.skip(end);
                uri
            }
            (Some(_), false) => return Err(scan.fail("display name without address")),
        };
        let params = Params::scan(&mut scan)?;
        if !scan.at_end() {
            return Err(scan.fail("rubbish after address"));
        }
        Ok(Self { display: display.filter(|d| !d.is_empty()), uri, params })
    }

    /// A quoted name, or the text before `<`; nothing if there is no `<`.
    fn scan_display(scan: &mut Scan<'_>) -> Result<Option<Text>, ParseError> {
        if scan.peek() == Some(b'"') {
            return Ok(Some(scan::unquote(scan.quoted()?).into()));
        }
        if scan.peek() == Some(b'<') {
            return Ok(None);
        }
        let rest = scan.rest();
        let Some(end) = memchr::memchr(b'<', rest.as_bytes()) else { return Ok(None) };
        let name = &rest[..end];
        // A `<` behind a parameter is not ours; a name with separators has to be quoted.
        if name.bytes().any(|c| matches!(c, b'"' | b',' | b';' | b'>' | b'\\' | b'@')) {
            return Err(scan.fail("display name needs quotes"));
        }
        scan.skip(end);
        Ok(Some(name.trim_matches([' ', '\t']).into()))
    }
}

/// Always with angle brackets, so that URI parameters stay the URI's.
impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            scan::write_quoted(f, display)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl FromStr for NameAddr {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        Self::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(s: &str) -> NameAddr {
        NameAddr::parse(s).expect("test address")
    }

    #[test]
    fn parameters_belong_to_the_header_without_brackets() {
        let a = read("sip:user@example.com;tag=1;x");
        assert!(a.uri.params.is_empty());
        assert_eq!((a.tag(), a.params.has("x")), (Some("1"), true));
        let b = read("<sip:user@example.com;tag=1>;x");
        assert_eq!((b.tag(), b.uri.params.get("tag")), (None, Some("1")));
        assert_eq!(a.to_string(), "<sip:user@example.com>;tag=1;x");
    }

    #[test]
    fn display_names_are_unquoted_and_quoted_again() {
        let a = read(r#""J \"R\" <x>, \\" <sip:a@b> ; tag = 98"#);
        assert_eq!(a.display.as_deref(), Some(r#"J "R" <x>, \"#));
        assert_eq!(a.to_string(), r#""J \"R\" <x>, \\" <sip:a@b>;tag=98"#);
        assert_eq!(read("Alice  B <sip:a@b>").display.as_deref(), Some("Alice  B"));
        assert_eq!(read("caller<sip:a@b>").display.as_deref(), Some("caller"));
        assert_eq!(read("\"\" <sip:a@b>").display, None);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let a = read("<sip:a@b>").with_display("x\" <sip:evil@c>\r\nTo: y").with_tag("t");
        assert_eq!(a.to_string(), r#""x\" <sip:evil@c>To: y" <sip:a@b>;tag=t"#);
        assert_eq!(read(&a.to_string()).uri, a.uri);
    }

    #[test]
    fn bad_addresses_are_refused() {
        for bad in [
            "",
            "\"Mr. J <sip:a@b>",
            "<sip:a@b",
            "sip:a@b>",
            "Bell, A <sip:a@b>",
            "\"x\" sip:a@b",
            "<sip:a@b> rubbish",
            "< sip:a@b>",
            "<sip:a@b >",
            "sip:a@b?h=1",
            "<sip:a@b>;;x",
            "<<sip:a@b>>",
            "sip:a@b, sip:c@d",
        ] {
            assert!(NameAddr::parse(bad).is_err(), "{bad}");
        }
    }
}
