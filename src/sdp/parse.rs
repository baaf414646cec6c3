//! Text to [`Session`], leniently where the field is sloppy, strictly where it protects.
//!
//! Accepted although RFC 8866 says otherwise: bare LF, blank lines, lines out of
//! order within a section, a missing `s=` or `t=`, blanks doubled or at the end of
//! a line, letters without a meaning, bytes that are not UTF-8 (replaced). Refused: control
//! characters, no `v=0` at the start, no `o=`, anything over a bound of
//! `base::limits`, and numbers that no table should be indexed with. A refusal
//! costs no more than what was read before the offending line.

use std::borrow::Cow;

use super::attribute::{Attribute, Attributes};
use super::media::Media;
use super::session::{Address, Connection, Line, Origin, Session};
use crate::base::limits::{SDP_ATTRIBUTES, SDP_BYTES, SDP_CRYPTO, SDP_LINE_BYTES, SDP_MEDIA, SDP_OTHER_LINES};

/// Why a description could not be read; the peer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} in line {at} of the session description")]
pub struct ParseError {
    /// What is wrong, in words.
    pub what: &'static str,
    /// The line, counted from 1.
    pub at: usize,
}

/// Reads a session description.
///
/// # Errors
/// [`ParseError`] with the first line that is not acceptable.
pub fn parse(bytes: &[u8]) -> Result<Session, ParseError> {
    if bytes.len() > SDP_BYTES {
        return Err(ParseError { what: "description is too long", at: 1 });
    }
    let mut reader = Reader::default();
    let mut at = 0;
    for raw in bytes.split(|b| *b == b'\n') {
        at += 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        if !raw.is_empty() {
            reader.line(raw).map_err(|what| ParseError { what, at })?;
        }
    }
    reader.end().map_err(|what| ParseError { what, at })
}

/// The description so far.
#[derive(Default)]
struct Reader {
    begun: bool,
    origin: Option<Origin>,
    name: Option<String>,
    connection: Option<Connection>,
    timing: Option<String>,
    lines: Vec<Line>,
    attributes: Attributes,
    media: Vec<Media>,
    crypto: usize,
}

impl Reader {
    fn line(&mut self, raw: &[u8]) -> Result<(), &'static str> {
        if raw.len() > SDP_LINE_BYTES {
            return Err("line is too long");
        }
        // NUL, a lone CR, escape sequences: nothing that a log or another parser could trip over.
        if raw.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            return Err("control character");
        }
        let [kind, b'=', value @ ..] = raw else {
            return Err("not a letter and an equals sign");
        };
        let value = String::from_utf8_lossy(value);
        let value = value.trim_ascii_end();
        if !self.begun {
            self.begun = true;
            return if (*kind, value) == (b'v', "0") { Ok(()) } else { Err("description does not begin with v=0") };
        }
        match kind {
            b'm' => self.media_line(value),
            b'a' => self.attribute(value),
            b'c' => self.connection(value),
            b'o' if self.media.is_empty() => set(&mut self.origin, origin(value)?, "second o= line"),
            b's' if self.media.is_empty() => {
                set(&mut self.name, if value.is_empty() { "-" } else { value }.to_owned(), "second s= line")
            }
            b't' if self.media.is_empty() && self.timing.is_none() => {
                self.timing = Some(value.to_owned());
                Ok(())
            }
            b'v' => Err("second v= line"),
            kind if kind.is_ascii_alphabetic() => self.keep(char::from(*kind), value),
            _ => Err("not a letter and an equals sign"),
        }
    }

    fn media_line(&mut self, value: &str) -> Result<(), &'static str> {
        if self.media.len() == SDP_MEDIA {
            return Err("too many m= lines");
        }
        self.crypto = 0;
        self.media.push(Media::parse(value)?);
        Ok(())
    }

    fn attribute(&mut self, value: &str) -> Result<(), &'static str> {
        let attribute = Attribute::parse(value).ok_or("attribute without a name")?;
        let rtp = self.media.last().is_some_and(|media| media.protocol.is_rtp());
        let attributes = self.media.last_mut().map_or(&mut self.attributes, |media| &mut media.attributes);
        if attributes.0.len() == SDP_ATTRIBUTES {
            return Err("too many attributes");
        }
        if attribute.name == "crypto" {
            self.crypto += 1;
            if self.crypto > SDP_CRYPTO {
                return Err("too many crypto lines");
            }
        }
        if rtp && matches!(&*attribute.name, "rtpmap" | "fmtp") && names_absurd_type(attribute.value.as_deref()) {
            return Err("payload type is not a number below 128");
        }
        attributes.0.push(attribute);
        Ok(())
    }

    fn connection(&mut self, value: &str) -> Result<(), &'static str> {
        let connection = Connection::parse(value).ok_or("malformed c= line")?;
        let slot = self.media.last_mut().map_or(&mut self.connection, |media| &mut media.connection);
        // RFC 8866 §5.7: several addresses are layers of a multicast; the first one counts.
        if slot.is_some() {
            return self.keep('c', value);
        }
        *slot = Some(connection);
        Ok(())
    }

    fn keep(&mut self, kind: char, value: &str) -> Result<(), &'static str> {
        let lines = self.media.last_mut().map_or(&mut self.lines, |media| &mut media.lines);
        if lines.len() == SDP_OTHER_LINES {
            return Err("too many lines");
        }
        lines.push(Line { kind, value: value.to_owned() });
        Ok(())
    }

    fn end(mut self) -> Result<Session, &'static str> {
        if !self.begun {
            return Err("description is empty");
        }
        self.lines.sort_by_key(Line::rank);
        for media in &mut self.media {
            media.lines.sort_by_key(Line::rank);
        }
        Ok(Session {
            origin: self.origin.ok_or("no o= line")?,
            name: self.name.unwrap_or_else(|| "-".into()),
            connection: self.connection,
            timing: self.timing.filter(|t| !t.is_empty()).unwrap_or_else(|| "0 0".into()),
            lines: self.lines,
            attributes: self.attributes,
            media: self.media,
        })
    }
}

fn set<T>(slot: &mut Option<T>, value: T, twice: &'static str) -> Result<(), &'static str> {
    match slot.replace(value) {
        Some(_) => Err(twice),
        None => Ok(()),
    }
}

/// Reads an `o=` value from its end, because user names with blanks exist.
fn origin(value: &str) -> Result<Origin, &'static str> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let (username, [id, version, network, kind, address]) = words.split_last_chunk().ok_or("malformed o= line")?;
    if id.len() > ORIGIN_DIGITS || version.len() > ORIGIN_DIGITS {
        return Err("absurd number");
    }
    let username: Cow<'_, str> = match username {
        [] => "-".into(),
        [one] => (*one).into(),
        many => many.join(" ").into(),
    };
    Ok(Origin {
        username: username.into_owned(),
        id: (*id).to_owned(),
        version: (*version).to_owned(),
        address: Address::from_words(network, kind, address).ok_or("malformed o= line")?,
    })
}

/// Whether an `rtpmap` or `fmtp` value begins with a number that is no payload type. What begins
/// with a word (`a=fmtp:*`) concerns no payload type and is harmless.
fn names_absurd_type(value: Option<&str>) -> bool {
    value.and_then(|value| value.split_ascii_whitespace().next()).is_some_and(|word| {
        word.bytes().all(|b| b.is_ascii_digit() || b == b'-') && !word.parse::<u8>().is_ok_and(|pt| pt < 128)
    })
}

/// Longest session identifier or version: an NTP time in full is 20 digits.
const ORIGIN_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

    fn error_of(text: &str) -> (&'static str, usize) {
        parse(text.as_bytes()).map_or_else(|e| (e.what, e.at), |session| panic!("accepted {session}"))
    }

    #[test]
    fn accepts_sloppy_descriptions() {
        let session = parse(b"\nv=0 \no=John  Doe 20240101123456789012 7 IN IP4 pbx\nm=audio 4000 RTP/AVP  0 8 \nc=IN IP4 192.0.2.9\n\na=ptime:20\nq=\xff\n")
            .expect("a description");
        assert_eq!(
            session.to_string(),
            "v=0\r\no=John Doe 20240101123456789012 7 IN IP4 pbx\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\nc=IN IP4 192.0.2.9\r\nq=\u{fffd}\r\na=ptime:20\r\n"
        );
    }

    #[test]
    fn refuses_what_cannot_be_a_description() {
        assert_eq!(error_of(""), ("description is empty", 1));
        assert_eq!(error_of("{\"sdp\":1}"), ("not a letter and an equals sign", 1));
        assert_eq!(error_of("o=- 1 1 IN IP4 a"), ("description does not begin with v=0", 1));
        assert_eq!(error_of("v=1\r\n"), ("description does not begin with v=0", 1));
        assert_eq!(error_of("v=0\r\ns=-\r\n"), ("no o= line", 3));
        assert_eq!(error_of("v=0\r\no=1 1 IN IP4\r\n"), ("malformed o= line", 2));
        assert_eq!(error_of(&format!("{HEAD}c=IN\r\n")), ("malformed c= line", 6));
        assert_eq!(error_of(&format!("{HEAD}a=:x\r\n")), ("attribute without a name", 6));
        assert_eq!(error_of(&format!("{HEAD}s=again\r\n")), ("second s= line", 6));
    }

    #[test]
    fn refuses_control_characters() {
        assert_eq!(error_of(&format!("{HEAD}m=audio 1 RTP/AVP 0\r\na=fmtp:0 \0\r\n")), ("control character", 7));
        assert_eq!(error_of(&format!("{HEAD}a=x\rb=y\r\n")), ("control character", 6));
        assert_eq!(error_of(&format!("{HEAD}i=\x1b[2J\r\n")), ("control character", 6));
    }

    #[test]
    fn refuses_payload_types_over_127() {
        assert_eq!(
            error_of(&format!("{HEAD}m=audio 4000 RTP/AVP 255\r\n")),
            ("payload type is not a number below 128", 6)
        );
        assert_eq!(
            error_of(&format!("{HEAD}m=audio 4000 RTP/AVP 0\r\na=rtpmap:4294967296 PCMU/8000\r\n")),
            ("payload type is not a number below 128", 7)
        );
    }

    #[test]
    fn bounds_end_the_reading() {
        let media = "m=audio 4000 RTP/AVP 0\r\n";
        assert_eq!(error_of(&format!("{HEAD}{}", media.repeat(2_000))), ("too many m= lines", 6 + SDP_MEDIA));
        let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n";
        assert_eq!(error_of(&format!("{HEAD}{media}{}", crypto.repeat(64))), ("too many crypto lines", 7 + SDP_CRYPTO));
        assert_eq!(
            error_of(&format!("{HEAD}{media}{}", "a=x\r\n".repeat(2_000))),
            ("too many attributes", 7 + SDP_ATTRIBUTES)
        );
        assert_eq!(error_of(&format!("{HEAD}{}", "b=AS:1\r\n".repeat(99))), ("too many lines", 6 + SDP_OTHER_LINES));
        assert_eq!(
            error_of(&format!("{HEAD}m=audio 4000 RTP/AVP{}\r\n", " 0".repeat(65))),
            ("too many formats on one m= line", 6)
        );
        assert_eq!(error_of(&format!("{HEAD}i={}\r\n", "x".repeat(SDP_LINE_BYTES))), ("line is too long", 6));
        assert_eq!(error_of(&"v".repeat(SDP_BYTES + 1)), ("description is too long", 1));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_in_a_value(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            crate::sdp::fuzz::run(&bytes);
        }

        #[test]
        fn arbitrary_lines_end_in_a_value(
            lines in proptest::collection::vec("[vosctbmazix]=(audio [0-9]{1,5} (RTP/AVP|UDP/TLS/RTP/SAVPF) [0-9 ]{1,9}|rtpmap:[0-9]{1,3} (opus|PCMA)/(48000/2|8000)|IN IP4 [0-9.]{7}|(ice-ufrag|mid|candidate|rtcp|ptime|setup|group):[ -~]{0,30}|[ -~]{0,30})", 0..30)
        ) {
            crate::sdp::fuzz::run(format!("{HEAD}{}", lines.join("\r\n")).as_bytes());
        }
    }
}
