//! Messages to bytes.
//!
//! Content-Length is always written, from the body, and last (RFC 3261
//! §20.14); whatever Content-Length a message holds is left out. Values were
//! checked when they were read or set, names and start lines are made of
//! characters that cannot end a line.

use std::fmt::Write as _;

use bytes::Bytes;

use super::headers::Headers;
use super::name::HeaderName;
use super::scan::{TOKEN, is};
use super::{Request, Response};

impl Request {
    /// Appends the bytes on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(ROOM + self.body.len());
        out.extend(self.method.as_str().bytes().filter(|c| is(*c, TOKEN)));
        out.push(b' ');
        write!(Out(out), "{}", self.uri).expect("a buffer takes all");
        out.extend_from_slice(b" SIP/2.0\r\n");
        write_rest(&self.headers, &self.body, out);
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }
}

impl Response {
    /// Appends the bytes on the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.reserve(ROOM + self.body.len());
        out.extend_from_slice(b"SIP/2.0 ");
        write_number(out, usize::from(self.status));
        out.push(b' ');
        out.extend(self.reason.bytes().filter(|c| *c >= b' ' && *c != 0x7f));
        out.extend_from_slice(b"\r\n");
        write_rest(&self.headers, &self.body, out);
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }
}

fn write_rest(headers: &Headers, body: &Bytes, out: &mut Vec<u8>) {
    for field in headers.list.iter().filter(|f| !matches!(f.name, HeaderName::ContentLength)) {
        field.name.write(out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(headers.value(field));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    write_number(out, body.len());
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(body);
}

fn write_number(out: &mut Vec<u8>, n: usize) {
    write!(Out(out), "{n}").expect("a buffer takes all");
}

/// A byte buffer as a formatter's target.
struct Out<'a>(&'a mut Vec<u8>);

impl std::fmt::Write for Out<'_> {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        self.0.extend_from_slice(s.as_bytes());
        Ok(())
    }
}

/// Start line and headers of an ordinary message, bytes.
const ROOM: usize = 1500;
