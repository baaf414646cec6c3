//! Bytes to a message, without copying.
//!
//! Takes one whole message: a datagram, a WebSocket message, or what stream
//! framing cut out. Lines end with CRLF; a bare CR or LF, a control character
//! outside a quoted pair, a name that is no token or a line without a colon
//! is refused, because the next hop might read such a message differently.
//! Folded lines are unfolded (RFC 3261 §7.3.1); octets after Content-Length
//! are ignored (§18.3). No typed header but Content-Length is looked at.

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memrchr};

use super::headers::{Field, Headers, Value};
use super::name::HeaderName;
use super::scan::{TOKEN, decimal, is};
use super::{Message, Method, Request, Response, Uri};
use crate::base::limits;
use crate::sip::error::ParseError;

/// Reads one whole message.
///
/// # Errors
/// [`ParseError`] says what is wrong and where, and carries the answer for a
/// request whose sender can be told.
pub fn parse(bytes: &Bytes) -> Result<Message, ParseError> {
    read(bytes).map_err(|mut error| {
        error.reply = reply_to(bytes, &error).map(Box::new);
        error
    })
}

fn read(bytes: &Bytes) -> Result<Message, ParseError> {
    if bytes.len() > limits::SIP_MESSAGE_BYTES {
        return Err(ParseError::new("message too long", limits::SIP_MESSAGE_BYTES));
    }
    let start = leading_line_ends(bytes);
    let line_end = start + line(bytes, start)?;
    let mut headers = Headers { source: bytes.clone(), list: Vec::with_capacity(FIELDS) };
    let (body, lines) = read_fields(bytes, line_end + 2, &mut headers.list, false)?;
    check_controls(&bytes[start..body], lines + 1)?;
    let mut message = start_line(&bytes[start..line_end])?;
    let end = body_end(&headers, bytes, body)?;
    let (to_headers, to_body) = match &mut message {
        Message::Request(r) => (&mut r.headers, &mut r.body),
        Message::Response(r) => (&mut r.headers, &mut r.body),
    };
    *to_headers = headers;
    if end > body {
        *to_body = bytes.slice(body..end);
    }
    Ok(message)
}

/// RFC 3261 §7.5: CRLF before the start line is ignored.
fn leading_line_ends(bytes: &[u8]) -> usize {
    let mut at = 0;
    while bytes[at..].starts_with(b"\r\n") {
        at += 2;
    }
    at
}

/// Length of the line at `at` without its CRLF.
fn line(bytes: &[u8], at: usize) -> Result<usize, ParseError> {
    let rest = &bytes[at..];
    let len = memchr(b'\n', rest).ok_or(ParseError::new("message ends within its headers", bytes.len()))?;
    if len == 0 || rest[len - 1] != b'\r' {
        return Err(ParseError::new("line end without CR", at + len));
    }
    if len > limits::SIP_LINE_BYTES {
        return Err(ParseError::new("line too long", at));
    }
    Ok(len - 1)
}

/// Reads fields up to and including the empty line; gives the offset behind
/// it and the number of lines, of which each has one CR at its end. With `salvage` bad lines are passed over.
fn read_fields(bytes: &[u8], from: usize, list: &mut Vec<Field>, salvage: bool) -> Result<(usize, usize), ParseError> {
    let (mut at, mut lines) = (from, 1);
    loop {
        let mut end = at + line(bytes, at)?;
        if end == at {
            return Ok((at + 2, lines));
        }
        let first_end = end;
        while let Some(b' ' | b'\t') = bytes.get(end + 2) {
            end += 2 + line(bytes, end + 2)?;
            lines += 1;
            if end - at > limits::SIP_LINE_BYTES {
                return Err(ParseError::new("line too long", at));
            }
        }
        match field(bytes, at, first_end, end) {
            Ok(_) if list.len() == limits::SIP_HEADERS => return Err(ParseError::new("too many headers", at)),
            Ok(field) => list.push(field),
            Err(_) if salvage => {}
            Err(error) => return Err(error),
        }
        at = end + 2;
        lines += 1;
    }
}

/// One field; `first_end` is where its first line ends, `end` its last.
fn field(bytes: &[u8], at: usize, first_end: usize, end: usize) -> Result<Field, ParseError> {
    let line = &bytes[at..first_end];
    let name_len = line.iter().position(|c| !is(*c, TOKEN)).unwrap_or(line.len());
    // RFC 3261 §25.1 HCOLON: blanks may stand before the colon, nothing else.
    let mut colon = name_len;
    while let Some(b' ' | b'\t') = line.get(colon) {
        colon += 1;
    }
    if line.get(colon) != Some(&b':') {
        let what = if memchr(b':', line).is_some() { "bad header name" } else { "header without a colon" };
        return Err(ParseError::new(what, at + colon));
    }
    let name = HeaderName::parse(&line[..name_len]).ok_or(ParseError::new("bad header name", at))?;
    let (mut from, mut to) = (at + colon + 1, end);
    if first_end < end {
        return Ok(Field::new(name, Value::Own(unfold(&bytes[from..to]))));
    }
    while from < to && matches!(bytes[from], b' ' | b'\t') {
        from += 1;
    }
    while to > from && matches!(bytes[to - 1], b' ' | b'\t') {
        to -= 1;
    }
    // A message is at most 65,535 bytes long.
    Ok(Field::new(name, Value::Source(from as u32, to as u32)))
}

/// RFC 3261 §7.3.1: a fold with the blanks around it is one blank.
fn unfold(value: &[u8]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(value.len());
    for part in value.split(|c| *c == b'\n') {
        let part = part.trim_ascii();
        if !out.is_empty() && !part.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(part);
    }
    out.into()
}

/// Refuses a bare CR, and control characters outside a quoted pair (§25.1
/// `quoted-pair` allows all but CR and LF). Start line and fields at once:
/// two passes without a branch a byte.
fn check_controls(area: &[u8], lines: usize) -> Result<(), ParseError> {
    if memchr_iter(b'\r', area).count() != lines {
        let bare = memchr_iter(b'\r', area).find(|at| area.get(at + 1) != Some(&b'\n'));
        return Err(ParseError::new("bare CR", bare.unwrap_or(0)));
    }
    match control_at(area) {
        Some(at) => Err(ParseError::new("control character", at)),
        None => Ok(()),
    }
}

/// The first control character outside a quoted pair; CR and LF are judged elsewhere.
fn control_at(area: &[u8]) -> Option<usize> {
    let control = |c: u8| (c < b' ') & (c != b'\t') & (c != b'\r') & (c != b'\n') | (c == 0x7f);
    if !area.iter().fold(false, |any, c| any | control(*c)) {
        return None;
    }
    (0..area.len()).find(|at| control(area[*at]) && area.get(at.wrapping_sub(1)) != Some(&b'\\'))
}

/// Where the body ends. RFC 3261 §18.3: more octets than Content-Length says
/// are ignored, fewer are an error; without it the body fills the message.
fn body_end(headers: &Headers, bytes: &[u8], body: usize) -> Result<usize, ParseError> {
    let mut lengths = headers.all_bytes(&HeaderName::ContentLength);
    let Some(value) = lengths.next() else { return Ok(bytes.len()) };
    if lengths.next().is_some() {
        return Err(ParseError::new("several Content-Length headers", body));
    }
    let len = decimal(value).ok_or(ParseError::new("bad Content-Length", body))?;
    let left = bytes.len() - body;
    match usize::try_from(len) {
        Ok(len) if len <= left => Ok(body + len),
        Ok(_) | Err(_) => Err(ParseError::new("body shorter than Content-Length", bytes.len())),
    }
}

fn start_line(line: &[u8]) -> Result<Message, ParseError> {
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        return status_line(line);
    }
    let bad = |what, at| Err(ParseError::new(what, at));
    let (Some(first), Some(last)) = (memchr(b' ', line), memrchr(b' ', line)) else {
        return bad("bad request line", 0);
    };
    // RFC 3261 §7.1: exactly one blank on both sides of the Request-URI.
    if first >= last {
        return bad("bad request line", 0);
    }
    let method = std::str::from_utf8(&line[..first]).ok().and_then(Method::parse);
    let Some(method) = method else { return bad("bad method", 0) };
    let version = &line[last + 1..];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        let foreign = version.len() >= 4 && version[..4].eq_ignore_ascii_case(b"SIP/");
        return bad(if foreign { FOREIGN_VERSION } else { "bad request line" }, last + 1);
    }
    let Ok(uri) = std::str::from_utf8(&line[first + 1..last]) else { return bad("bad Request-URI", first + 1) };
    let uri = Uri::parse(uri).map_err(|_| ParseError::new("bad Request-URI", first + 1))?;
    Ok(Message::Request(Request { method, uri, headers: Headers::default(), body: Bytes::new() }))
}

fn status_line(line: &[u8]) -> Result<Message, ParseError> {
    let bad = || ParseError::new("bad status line", 0);
    let rest = line[4..].strip_prefix(b"2.0 ").ok_or_else(bad)?;
    let (code, reason) = rest.split_at_checked(3).ok_or_else(bad)?;
    let status = decimal(code).filter(|n| (100..700).contains(n)).ok_or_else(bad)? as u16;
    // The blank before an empty reason phrase is often left out.
    let reason = match reason.split_first() {
        None => &[],
        Some((b' ', reason)) => reason,
        Some(_) => return Err(bad()),
    };
    let reason = String::from_utf8_lossy(reason).into();
    Ok(Message::Response(Response { status, reason, headers: Headers::default(), body: Bytes::new() }))
}

/// The answer to a request that could not be read, if its method, topmost Via,
/// From, To, Call-ID and CSeq could.
fn reply_to(bytes: &Bytes, error: &ParseError) -> Option<Response> {
    let start = leading_line_ends(bytes);
    let end = start + line(bytes, start).ok()?;
    let first = &bytes[start..end];
    let method = std::str::from_utf8(&first[..memchr(b' ', first)?]).ok().and_then(Method::parse)?;
    // RFC 3261 §17: nothing answers a response, and no response answers an ACK.
    if method == Method::Ack || first[..4.min(first.len())].eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    let mut headers = Headers { source: bytes.clone(), list: Vec::new() };
    // What ends early leaves the fields before its end.
    let _ = read_fields(bytes, end + 2, &mut headers.list, true);
    let clean = |f: &Field| {
        let value = match &f.value {
            Value::Source(from, to) => &bytes[*from as usize..*to as usize],
            Value::Own(value) => value,
        };
        !value.is_empty() && control_at(value).is_none() && !value.iter().any(|c| matches!(c, b'\r' | b'\n' | 0))
    };
    // Without the Via that cannot be repeated the answer would take another way.
    if headers.list.iter().any(|f| f.name == HeaderName::Via && !clean(f)) {
        return None;
    }
    headers.list.retain(clean);
    headers.via().ok()?;
    let needed = [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    if !needed.iter().all(|n| headers.has(n)) {
        return None;
    }
    let status = if error.what == FOREIGN_VERSION { 505 } else { 400 };
    let mut reply = Response::from_headers(&headers, status, error.what);
    reply.add_stateless_to_tag();
    Some(reply)
}

/// Answered 505 (RFC 3261 §21.5.6), all else 400.
const FOREIGN_VERSION: &str = "Version Not Supported";

/// Room for the fields of an ordinary message, so that they are one allocation.
const FIELDS: usize = 24;
