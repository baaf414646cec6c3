//! URIs of SIP messages: `sip:`, `sips:`, `tel:` and, unread, all others.
//!
//! RFC 3261 §19.1, RFC 3966. Parts are kept as escaped on the wire;
//! [`Uri::user_decoded`] undoes the escapes and [`Uri::equivalent`] compares
//! as §19.1.4 says. Writing escapes whatever may not stand where it stands,
//! so that no part can leave its place.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::host::{Host, scan_host_port};
use super::params::Params;
use super::scan::{self, PARAM, USER};
use super::text::Text;
use crate::sip::error::ParseError;

/// A URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uri {
    /// Its scheme.
    pub scheme: Scheme,
    /// The user part as escaped on the wire; the number of a `tel:` URI; all
    /// that follows the colon of another scheme.
    pub user: Option<Text>,
    /// RFC 3261 §19.1.1 discourages it.
    pub password: Option<Text>,
    /// Where it points; an empty name for `tel:` and other schemes.
    pub host: Host,
    /// The port if it is written.
    pub port: Option<u16>,
    /// Parameters of the URI, not of the header around it.
    pub params: Params,
    /// What follows `?`, as written.
    pub headers: Option<Text>,
}

/// The scheme of a URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, in lower case.
    Other(Text),
}

impl Uri {
    /// `sip:host`.
    pub fn sip(host: Host, port: Option<u16>) -> Self {
        Self { scheme: Scheme::Sip, user: None, password: None, host, port, params: Params::new(), headers: None }
    }

    /// `sip:ip:port`.
    pub fn to_address(at: std::net::SocketAddr) -> Self {
        Self::sip(Host::from(at.ip()), Some(at.port()))
    }

    /// This URI with another user part, escaped as needed.
    #[must_use]
    pub fn with_user(mut self, user: &str) -> Self {
        self.user = (!user.is_empty()).then(|| escape(user, USER).into());
        self
    }

    /// This URI with a parameter set.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params.set(name, value);
        self
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// If it is not one; unknown schemes are no error but [`Scheme::Other`].
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let bad = |what| Err(ParseError::new(what, 0));
        let Some(colon) = memchr::memchr(b':', s.as_bytes()) else { return bad("URI without a scheme") };
        let (name, rest) = (&s[..colon], &s[colon + 1..]);
        if name.eq_ignore_ascii_case("sip") {
            return Self::parse_sip(Scheme::Sip, rest);
        }
        if name.eq_ignore_ascii_case("sips") {
            return Self::parse_sip(Scheme::Sips, rest);
        }
        if name.eq_ignore_ascii_case("tel") {
            return Self::parse_tel(rest);
        }
        let scheme = name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.'))
            && name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !scheme || rest.is_empty() || rest.bytes().any(|c| c <= b' ' || matches!(c, b'<' | b'>' | b'"' | 0x7f)) {
            return bad("bad URI");
        }
        let mut uri = Self::sip(Host::NONE, None);
        uri.scheme = Scheme::Other(name.to_ascii_lowercase().into());
        uri.user = Some(rest.into());
        Ok(uri)
    }

    fn parse_sip(scheme: Scheme, s: &str) -> Result<Self, ParseError> {
        // `@` stands nowhere unescaped but after the userinfo (RFC 3261 §25.1).
        let (user, password, rest) = match memchr::memchr(b'@', s.as_bytes()) {
            None => (None, None, s),
            Some(at) => {
                let (user, password) = match memchr::memchr(b':', &s.as_bytes()[..at]) {
                    Some(colon) => (&s[..colon], Some(&s[colon + 1..at])),
                    None => (&s[..at], None),
                };
                if user.is_empty() || !user_part(user) || !password.is_none_or(user_part) {
                    return Err(ParseError::new("bad user part in URI", 0));
                }
                (Some(Text::from(user)), password.map(Text::from), &s[at + 1..])
            }
        };
        let (host, port, rest) = scan_host_port(rest)?;
        let (params, headers) = match memchr::memchr(b'?', rest.as_bytes()) {
            Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
            None => (rest, None),
        };
        let params = match params.strip_prefix(';') {
            Some(params) => Params::parse_uri(params)?,
            None if params.is_empty() => Params::new(),
            None => return Err(ParseError::new("rubbish after the host of a URI", 0)),
        };
        if !headers.is_none_or(|h| !h.is_empty() && h.bytes().all(|c| scan::is(c, PARAM) || matches!(c, b'=' | b'?'))) {
            return Err(ParseError::new("bad headers in URI", 0));
        }
        Ok(Self { scheme, user, password, host, port, params, headers: headers.map(Text::from) })
    }

    /// RFC 3966 §3: a number with visual separators, then parameters.
    fn parse_tel(s: &str) -> Result<Self, ParseError> {
        let (number, params) = match memchr::memchr(b';', s.as_bytes()) {
            Some(mark) => (&s[..mark], Some(&s[mark + 1..])),
            None => (s, None),
        };
        let digit = |c: u8| c.is_ascii_hexdigit() || matches!(c, b'*' | b'#' | b'-' | b'.' | b'(' | b')');
        let digits = number.strip_prefix('+').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(digit) {
            return Err(ParseError::new("bad number in tel URI", 0));
        }
        let mut uri = Self::sip(Host::NONE, None);
        uri.scheme = Scheme::Tel;
        uri.user = Some(number.into());
        if let Some(params) = params {
            uri.params = Params::parse_uri(params)?;
        }
        Ok(uri)
    }

    /// True for `sip:` and `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// True for `sips:`.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Sips
    }

    /// The user part without escapes; empty if there is none.
    pub fn user_decoded(&self) -> Cow<'_, str> {
        self.user.as_deref().map_or(Cow::Borrowed(""), unescape)
    }

    /// The value of the `transport` parameter as written.
    pub fn transport(&self) -> Option<&str> {
        self.params.get("transport").filter(|t| !t.is_empty())
    }

    /// True if `lr` is there: a loose router (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }

    /// The address if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.ip()
    }

    /// Equality of RFC 3261 §19.1.4; for `tel:` of RFC 3966 §4, for other
    /// schemes byte for byte.
    pub fn equivalent(&self, other: &Self) -> bool {
        if self.scheme != other.scheme {
            return false;
        }
        if let Scheme::Other(_) = self.scheme {
            return self.user == other.user;
        }
        if self.scheme == Scheme::Tel {
            let digits =
                |u: &Self| u.user.as_deref().unwrap_or("").replace(['-', '.', '(', ')'], "").to_ascii_lowercase();
            return digits(self) == digits(other) && same_params(&self.params, &other.params, |_| true);
        }
        let same = |a: &Option<Text>, b: &Option<Text>| match (a, b) {
            (Some(a), Some(b)) => unescape(a) == unescape(b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // A parameter in one URI only is ignored, unless it changes the meaning.
        let decides =
            |name: &str| ["user", "ttl", "method", "maddr", "transport"].iter().any(|n| n.eq_ignore_ascii_case(name));
        same(&self.user, &other.user)
            && same(&self.password, &other.password)
            && self.host == other.host
            && self.port == other.port
            && same_params(&self.params, &other.params, decides)
            && same_headers(self.headers.as_deref(), other.headers.as_deref())
    }
}

/// True if parameters in both are equal and none of those that decide is in one only.
fn same_params(a: &Params, b: &Params, decides: impl Fn(&str) -> bool) -> bool {
    let one_way = |a: &Params, b: &Params| {
        a.iter().all(|p| match b.get(&p.name) {
            Some(value) => unescape(p.value.as_deref().unwrap_or("")).eq_ignore_ascii_case(&unescape(value)),
            None => !decides(&p.name),
        })
    };
    one_way(a, b) && one_way(b, a)
}

fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    let sorted = |s: Option<&str>| {
        let mut list: Vec<_> = s.unwrap_or("").split('&').map(|h| unescape(h).into_owned()).collect();
        list.sort();
        list
    };
    a == b || sorted(a) == sorted(b)
}

/// What we take as user part or password: visible, and no delimiter of the
/// places a URI stands in. `#` and the like are outside the grammar and in use.
fn user_part(s: &str) -> bool {
    s.bytes().all(|c| {
        scan::is(c, USER) || c >= 0x80 || matches!(c, b'#' | b':' | b'[' | b']' | b'{' | b'}' | b'^' | b'|' | b'`')
    })
}

/// Undoes `%41`; an escape that is none stays as it is, and bytes that are no
/// UTF-8 become U+FFFD.
pub fn unescape(s: &str) -> Cow<'_, str> {
    if !s.contains('%') {
        return s.into();
    }
    let bytes = s.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    let hex = |c: u8| char::from(c).to_digit(16);
    while i < bytes.len() {
        let pair = (bytes[i] == b'%').then(|| Some((hex(*bytes.get(i + 1)?)?, hex(*bytes.get(i + 2)?)?))).flatten();
        match pair {
            Some((high, low)) => {
                out.push((high * 16 + low) as u8);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned().into()
}

/// `s` with everything escaped that is not of the class; `%` is escaped too.
fn escape(s: &str, class: u8) -> String {
    let mut out = String::with_capacity(s.len());
    for c in s.bytes() {
        if scan::is(c, class) && c != b'%' {
            out.push(char::from(c));
        } else {
            out.push_str(&format!("%{c:02X}"));
        }
    }
    out
}

/// Writes wire text; what is not of the class is escaped.
pub(super) fn write_escaped(f: &mut fmt::Formatter<'_>, s: &str, class: u8) -> fmt::Result {
    if s.bytes().all(|c| scan::is(c, class)) {
        return f.write_str(s);
    }
    for c in s.bytes() {
        if scan::is(c, class) { fmt::Write::write_char(f, char::from(c))? } else { write!(f, "%{c:02X}")? }
    }
    Ok(())
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => {
                f.write_str("tel:")?;
                for c in self
                    .user
                    .as_deref()
                    .unwrap_or("")
                    .chars()
                    .filter(|c| c.is_ascii_graphic() && !";<>\"@,".contains(*c))
                {
                    fmt::Write::write_char(f, c)?;
                }
                return self.params.write_uri(f);
            }
            Scheme::Other(name) => {
                let text = self.user.as_deref().unwrap_or("");
                for c in name
                    .chars()
                    .chain([':'])
                    .chain(text.chars())
                    .filter(|c| *c > ' ' && !c.is_control() && !"<>\"".contains(*c))
                {
                    fmt::Write::write_char(f, c)?;
                }
                return Ok(());
            }
        }
        if let Some(user) = &self.user {
            write_escaped(f, user, USER)?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                write_escaped(f, password, USER)?;
            }
            f.write_str("@")?;
        }
        fmt::Display::fmt(&self.host, f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.write_uri(f)?;
        if let Some(headers) = &self.headers {
            f.write_str("?")?;
            for c in headers.bytes() {
                if scan::is(c, PARAM) || matches!(c, b'=' | b'?') {
                    fmt::Write::write_char(f, char::from(c))?;
                } else {
                    write!(f, "%{c:02X}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Uri {
    type Err = ParseError;

    fn from_str(s: &str) -> Result<Self, ParseError> {
        Self::parse(s)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(s: &str) -> Uri {
        Uri::parse(s).expect("test URI")
    }

    #[test]
    fn reads_every_part() {
        let u = uri("sips:alice:se%20cret@[2001:db8::9]:5061;transport=tcp;lr?Subject=x&Priority=urgent");
        assert_eq!(u.scheme, Scheme::Sips);
        assert_eq!(u.user.as_deref(), Some("alice"));
        assert_eq!(u.password.as_deref(), Some("se%20cret"));
        assert_eq!(u.ip(), Some("2001:db8::9".parse().expect("address")));
        assert_eq!((u.port, u.transport(), u.is_loose()), (Some(5061), Some("tcp"), true));
        assert_eq!(u.headers.as_deref(), Some("Subject=x&Priority=urgent"));
        assert_eq!(u.to_string(), "sips:alice:se%20cret@[2001:db8::9]:5061;transport=tcp;lr?Subject=x&Priority=urgent");
    }

    #[test]
    fn separators_in_the_user_part_belong_to_it() {
        let u = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(u.user.as_deref(), Some("user;par=u%40example.net"));
        assert_eq!(u.user_decoded(), "user;par=u@example.net");
        assert!(u.params.is_empty());
        assert_eq!(uri("sip:+1234/x?y=1@h").user.as_deref(), Some("+1234/x?y=1"));
    }

    #[test]
    fn telephone_numbers_and_foreign_schemes() {
        let t = uri("tel:+1-201-555-0123;phone-context=x.example");
        assert_eq!((t.scheme.clone(), t.user.as_deref()), (Scheme::Tel, Some("+1-201-555-0123")));
        assert_eq!(t.to_string(), "tel:+1-201-555-0123;phone-context=x.example");
        assert!(t.equivalent(&uri("tel:+12015550123;phone-context=X.example")));
        assert_eq!(uri("Soap.Beep://a:1").scheme, Scheme::Other("soap.beep".into()));
    }

    #[test]
    fn bad_uris_are_refused() {
        for bad in [
            "",
            "sip",
            ":x",
            "sip:",
            "sip:@h",
            "sip:a b@h",
            "sip:h:",
            "sip:h:99999",
            "sip:h:1x",
            "sip:[::1",
            "sip:2001:db8::10",
            "sip:h;",
            "sip:h;=x",
            "sip:a@h>",
            "sip:a\r\nb@h",
            "tel:",
            "tel:abcx",
            "1x:y",
            "sip:a@b@c",
            "sip:h?",
        ] {
            assert!(Uri::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn parts_set_by_hand_stay_in_their_place() {
        let mut u = uri("sip:h").with_user("a@b>\r\nX: \u{e9}");
        assert_eq!(u.to_string(), "sip:a%40b%3E%0D%0AX%3A%20%C3%A9@h");
        assert_eq!(u.user_decoded(), "a@b>\r\nX: \u{e9}");
        u.user = Some("x>y z".into());
        u.params.set("p", "a;b>c");
        u.host = Host::Name("h\r\n>i".into());
        assert_eq!(u.to_string(), "sip:x%3Ey%20z@hi;p=%22a%3Bb%3Ec%22");
    }

    #[test]
    fn equality_of_rfc_3261_19_1_4() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ];
        for (a, b) in same {
            assert!(uri(a).equivalent(&uri(b)) && uri(b).equivalent(&uri(a)), "{a} {b}");
        }
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ];
        for (a, b) in different {
            assert!(!uri(a).equivalent(&uri(b)), "{a} {b}");
        }
    }
}
