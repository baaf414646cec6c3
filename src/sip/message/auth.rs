//! Challenges and credentials as they stand in headers (RFC 3261 §20.7, §20.27,
//! §20.44; RFC 7616 §3.3 and §3.4). What they prove is `sip/digest`'s to say.

use std::borrow::Cow;
use std::fmt;

use super::scan::{self, Scan, elements, is_token};
use super::text::Text;
use crate::sip::error::ParseError;

/// The `name=value` list of a challenge or of credentials; values unquoted.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AuthParams(Vec<(Text, Text)>);

/// A WWW-Authenticate or Proxy-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `Digest`, or a scheme we do not know.
    pub scheme: Text,
    /// Its parameters.
    pub params: AuthParams,
}

/// An Authorization or Proxy-Authorization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `Digest`, or a scheme we do not know.
    pub scheme: Text,
    /// Its parameters.
    pub params: AuthParams,
}

impl AuthParams {
    /// The value of `name`, which is compared without case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Appends a parameter; the value is unquoted.
    pub fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.into(), value.into()));
    }

    /// All in order, values unquoted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Adds one element `name=value`; a name may stand only once.
    fn add(&mut self, element: &str) -> Result<(), ParseError> {
        let bad = || ParseError::new("bad authentication parameter", 0);
        let (name, value) = element.split_once('=').ok_or_else(bad)?;
        let (name, value) = (name.trim(), value.trim());
        if !is_token(name) || value.is_empty() || self.get(name).is_some() {
            return Err(bad());
        }
        let value: Cow<'_, str> = if value.starts_with('"') {
            if scan::quoted_len(value.as_bytes()) != Some(value.len()) {
                return Err(bad());
            }
            scan::unquote(value)
        } else if value.contains(['"', ' ', '\t']) {
            return Err(bad());
        } else {
            value.into()
        };
        self.push(name, &value);
        Ok(())
    }

    /// RFC 7616 §3.4: these are written without quotes, all others with them.
    fn write(&self, f: &mut fmt::Formatter<'_>, bare: &[&str]) -> fmt::Result {
        for (i, (name, value)) in self.iter().filter(|(n, _)| is_token(n)).enumerate() {
            f.write_str(if i == 0 { " " } else { ", " })?;
            write!(f, "{name}=")?;
            if bare.contains(&name) && is_token(value) { f.write_str(value)? } else { scan::write_quoted(f, value)? }
        }
        Ok(())
    }
}

impl Challenge {
    /// A Digest challenge without parameters.
    pub fn digest() -> Self {
        Self { scheme: "Digest".into(), params: AuthParams::default() }
    }

    /// The readable challenges of one header value. A value may hold several,
    /// and the commas between them look like those within them.
    pub(super) fn parse_all(value: &str) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        let mut broken = false;
        for element in elements(value).filter(|e| !e.is_empty()) {
            let (head, rest) = element.split_at(element.find([' ', '\t']).unwrap_or(element.len()));
            // A scheme is a token before a blank; a parameter has its `=` first.
            let rest = rest.trim();
            let element = if is_token(head) && !rest.is_empty() && !rest.starts_with('=') {
                list.push(Self { scheme: head.into(), params: AuthParams::default() });
                broken = false;
                rest
            } else {
                element
            };
            let Some(last) = list.last_mut().filter(|_| !broken) else { continue };
            if last.params.add(element).is_err() {
                list.pop();
                broken = true;
            }
        }
        list
    }
}

impl Credentials {
    /// Digest credentials without parameters.
    pub fn digest() -> Self {
        Self { scheme: "Digest".into(), params: AuthParams::default() }
    }

    /// Reads credentials.
    ///
    /// # Errors
    /// If they are none, or a parameter stands twice.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let mut cursor = Scan::new(s);
        cursor.blanks();
        let scheme = cursor.token("bad authentication scheme")?;
        if !matches!(cursor.peek(), Some(b' ' | b'\t')) {
            return Err(cursor.fail("bad credentials"));
        }
        let mut params = AuthParams::default();
        // Another scheme need not have a list; only Digest is looked into.
        if scheme.eq_ignore_ascii_case("Digest") {
            for element in elements(cursor.rest()).filter(|e| !e.is_empty()) {
                params.add(element)?;
            }
        }
        Ok(Self { scheme: scheme.into(), params })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        self.params.write(f, &["algorithm", "stale"])
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.scheme)?;
        self.params.write(f, &["algorithm", "qop", "nc"])
    }
}

/// Names only: values name users and prove passwords.
impl fmt::Debug for AuthParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_may_hold_several_challenges() {
        let text = r#"Digest realm="a, b", nonce="n", qop="auth,auth-int", algorithm=SHA-256, Other x=1, Digest realm = "c",nonce="m""#;
        let list = Challenge::parse_all(text);
        assert_eq!(list.len(), 3);
        assert_eq!(list[0].params.get("REALM"), Some("a, b"));
        assert_eq!(list[1].scheme, "Other");
        assert_eq!(list[2].to_string(), r#"Digest realm="c", nonce="m""#);
        assert_eq!(list[0].to_string(), r#"Digest realm="a, b", nonce="n", qop="auth,auth-int", algorithm=SHA-256"#);
    }

    #[test]
    fn broken_challenges_are_passed_over() {
        let list = Challenge::parse_all(r#"Digest realm="a", realm="b", nonce="n", Digest realm="c""#);
        assert_eq!(list.iter().map(|c| c.params.get("realm")).collect::<Vec<_>>(), [Some("c")]);
        assert!(Challenge::parse_all("Digest").is_empty());
    }

    #[test]
    fn credentials_round_trip() {
        let text = r#"Digest username="b\"ob", realm="x", nc=00000001, qop=auth, response="00""#;
        let c = Credentials::parse(text).expect("well-formed");
        assert_eq!(c.params.get("username"), Some("b\"ob"));
        assert_eq!(c.to_string(), text);
        assert!(Credentials::parse(r#"Digest a="x"y"#).is_err());
        assert!(Credentials::parse("Digest").is_err());
        assert!(!format!("{c:?}").contains("ob"));
    }
}
