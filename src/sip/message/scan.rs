//! Character classes and a cursor over one unfolded header value.
//!
//! Every typed header is read with [`Scan`]: skip blanks, take a token, take a
//! quoted string, expect a separator (RFC 3261 §25.1). [`elements`] splits a
//! comma-separated value without being fooled by quotes and angle brackets.

use memchr::memchr3;

use crate::sip::error::ParseError;

/// One bit a class, so that a look-up decides.
const CLASSES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut i = 0;
    while i < 256 {
        let c = i as u8;
        let alnum = c.is_ascii_alphanumeric();
        if alnum || in_set(c, b"-.!%*_+`'~") {
            table[i] |= TOKEN;
        }
        if alnum || in_set(c, b"-_.!~*'()%&=+$,;?/") {
            table[i] |= USER;
        }
        if alnum || in_set(c, b"-_.!~*'()%[]/:&+$") {
            table[i] |= PARAM;
        }
        if alnum || in_set(c, b"-._") {
            table[i] |= HOST;
        }
        if alnum || in_set(c, b"-.!%*_+`'~()<>:\\\"/[]?{}@") {
            table[i] |= WORD;
        }
        i += 1;
    }
    table
};

/// RFC 3261 §25.1 `token`.
pub(super) const TOKEN: u8 = 1;
/// Unescaped user part of a URI, and `%`.
pub(super) const USER: u8 = 2;
/// Unescaped URI parameter, and `%`.
pub(super) const PARAM: u8 = 4;
/// Host name; `_` is not in the grammar and is in use.
pub(super) const HOST: u8 = 8;
/// RFC 3261 §25.1 `word` and the `@` between two of them: a Call-ID.
pub(super) const WORD: u8 = 16;

const fn in_set(c: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == c {
            return true;
        }
        i += 1;
    }
    false
}

/// True if `c` is of the class.
pub(super) fn is(c: u8, class: u8) -> bool {
    CLASSES[usize::from(c)] & class != 0
}

/// True if `s` is not empty and all of it is of the class.
pub(super) fn all(s: &str, class: u8) -> bool {
    !s.is_empty() && s.bytes().all(|c| is(c, class))
}

/// True for an RFC 3261 `token`.
pub fn is_token(s: &str) -> bool {
    all(s, TOKEN)
}

/// A cursor over one header value.
#[derive(Clone, Copy)]
pub(super) struct Scan<'a> {
    s: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub fn new(s: &'a str) -> Self {
        Self { s, at: 0 }
    }

    pub fn peek(&self) -> Option<u8> {
        self.s.as_bytes().get(self.at).copied()
    }

    pub fn rest(&self) -> &'a str {
        &self.s[self.at..]
    }

    pub fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// True at the end, after blanks.
    pub fn at_end(&mut self) -> bool {
        self.blanks();
        self.at == self.s.len()
    }

    /// Takes `c` with blanks on both sides, if it is next.
    pub fn take(&mut self, c: u8) -> bool {
        self.blanks();
        let found = self.peek() == Some(c);
        if found {
            self.at += 1;
            self.blanks();
        }
        found
    }

    /// Moves on by `n` bytes, which the caller has looked at.
    pub fn skip(&mut self, n: usize) {
        self.at += n;
    }

    /// The longest run of the class; it may be empty.
    pub fn run(&mut self, class: u8) -> &'a str {
        let from = self.at;
        let bytes = self.s.as_bytes();
        while self.at < bytes.len() && is(bytes[self.at], class) {
            self.at += 1;
        }
        &self.s[from..self.at]
    }

    /// A token that is not empty.
    pub fn token(&mut self, what: &'static str) -> Result<&'a str, ParseError> {
        let token = self.run(TOKEN);
        if token.is_empty() { Err(self.fail(what)) } else { Ok(token) }
    }

    /// A quoted string with its quotes; the cursor stands on the first of them.
    pub fn quoted(&mut self) -> Result<&'a str, ParseError> {
        let from = self.at;
        match quoted_len(&self.s.as_bytes()[from..]) {
            Some(len) => {
                self.at += len;
                Ok(&self.s[from..self.at])
            }
            None => Err(self.fail("unbalanced quote")),
        }
    }

    /// A decimal number; more than fits is an error, not a wrap.
    pub fn number<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, ParseError> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let value = decimal(&self.s.as_bytes()[from..self.at]).and_then(|n| T::try_from(n).ok());
        value.ok_or_else(|| self.fail(what))
    }

    pub fn fail(&self, what: &'static str) -> ParseError {
        ParseError::new(what, self.at)
    }
}

/// Digits as a number; `None` if there are none, others, or too many.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, c| {
        let digit = c.is_ascii_digit().then(|| u64::from(c - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Length of the quoted string at the start of `bytes`, both quotes included.
pub(super) fn quoted_len(bytes: &[u8]) -> Option<usize> {
    let mut i = 1;
    loop {
        i += memchr::memchr2(b'"', b'\\', bytes.get(i..)?)?;
        if bytes[i] == b'"' {
            return Some(i + 1);
        }
        i += 2;
    }
}

/// The comma-separated elements of a value, trimmed, empty ones included;
/// commas in quotes and in angle brackets do not separate.
pub fn elements(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let s = rest?;
        let end = element_end(s.as_bytes());
        rest = (end < s.len()).then(|| &s[end + 1..]);
        Some(s[..end].trim_matches([' ', '\t']))
    })
}

/// Offset of the first comma that separates, or the length.
fn element_end(bytes: &[u8]) -> usize {
    let mut i = 0;
    while let Some(step) = memchr3(b',', b'"', b'<', bytes.get(i..).unwrap_or_default()) {
        i += step;
        let skip = match bytes[i] {
            b',' => return i,
            b'"' => quoted_len(&bytes[i..]),
            _ => memchr::memchr(b'>', &bytes[i..]).map(|n| n + 1),
        };
        // What is not closed has no further separators; its parser refuses it.
        let Some(skip) = skip else { break };
        i += skip;
    }
    bytes.len()
}

/// The content of a quoted string without quotes and backslashes.
pub fn unquote(quoted: &str) -> std::borrow::Cow<'_, str> {
    let Some(content) = quoted.strip_prefix('"').and_then(|s| s.strip_suffix('"')) else {
        return quoted.into();
    };
    if !content.contains('\\') {
        return content.into();
    }
    let mut out = String::with_capacity(content.len());
    let mut chars = content.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out.into()
}

/// Writes `s` as a quoted string; control characters, which could end the line
/// it stands in, are left out.
pub fn write_quoted(out: &mut impl std::fmt::Write, s: &str) -> std::fmt::Result {
    out.write_char('"')?;
    for c in s.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(c)?;
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_respect_quotes_and_brackets() {
        let value = r#""Doe, \"J\"" <sip:a,b@c>;x="1,2" , sip:d ,, e"#;
        let found: Vec<_> = elements(value).collect();
        assert_eq!(found, [r#""Doe, \"J\"" <sip:a,b@c>;x="1,2""#, "sip:d", "", "e"]);
        assert_eq!(elements("\"open, never closed").count(), 1);
        assert_eq!(elements("").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn quoting_round_trips_and_drops_line_ends() {
        let mut out = String::new();
        write_quoted(&mut out, "a\"b\\c\r\nd").expect("a string takes all");
        assert_eq!(out, r#""a\"b\\cd""#);
        assert_eq!(unquote(&out), r#"a"b\cd"#);
        assert_eq!(quoted_len(br#""a\"#), None);
        assert_eq!(quoted_len(br#""a\""#), None);
    }

    #[test]
    fn numbers_too_large_are_values() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b"1-"), None);
        assert!(Scan::new("4294967296").number::<u32>("n").is_err());
    }
}
