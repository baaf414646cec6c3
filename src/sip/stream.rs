//! Framing of SIP over TCP and TLS: RFC 3261 §18.3, RFC 5626 §3.5.1.
//!
//! A [`Framer`] takes the bytes of one connection as they come and gives whole
//! messages and keep-alives. Content-Length says where a message ends; without
//! it, or with one that makes no sense, nobody can know where the next begins,
//! and the connection has to be closed. A connection between two messages
//! holds no memory.

use std::ops::Range;

use bytes::Bytes;

use crate::base::limits;

/// One thing found in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole message.
    Message(Bytes),
    /// CRLF CRLF, to be answered with CRLF (RFC 5626 §3.5.1).
    Ping,
    /// The stream cannot be framed: close it. The header part is there when it
    /// was complete, so that a 400 can be made from it.
    Unframable {
        /// What is wrong.
        what: &'static str,
        /// The header part with its empty line.
        head: Option<Bytes>,
    },
}

/// The framing state of one connection.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// Up to here there is no end of the header part.
    scanned: usize,
    /// Length of the message at `start`, once its header part is complete.
    total: Option<usize>,
    broken: bool,
}

impl Framer {
    /// Adds bytes that the connection delivered. What follows an unframable
    /// message is ignored.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Takes the next piece, `None` if more bytes are needed.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let piece = self.find();
        if piece.is_none() {
            self.compact();
        }
        piece
    }

    /// Gives up on the stream: whatever still comes is ignored.
    pub fn stop(&mut self) {
        *self = Self { broken: true, ..Self::default() };
    }

    /// True while part of a message is held: the sender owes the rest.
    pub fn is_mid_message(&self) -> bool {
        self.buffer[self.start..].iter().any(|b| !matches!(b, b'\r' | b'\n'))
    }

    /// True if nothing is held.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && !self.broken
    }

    fn find(&mut self) -> Option<Piece> {
        if self.broken {
            return None;
        }
        if self.total.is_none() {
            // RFC 3261 §7.5: CRLFs before a start line are ignored; two in a row
            // are a ping.
            loop {
                match &self.buffer[self.start..] {
                    [b'\r', b'\n', b'\r', b'\n', ..] => {
                        self.skip(4);
                        return Some(Piece::Ping);
                    }
                    [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                    [b'\r', b'\n', ..] => self.skip(2),
                    [b'\r' | b'\n', ..] => self.skip(1),
                    _ => break,
                }
            }
            let head = match self.find_head()? {
                Ok(head) => head,
                Err(piece) => return Some(piece),
            };
            match content_length(&self.buffer[head.clone()]) {
                Ok(body) if head.len() + body <= limits::SIP_MESSAGE_BYTES => self.total = Some(head.len() + body),
                Ok(_) => return Some(self.give_up("message too long", Some(head))),
                Err(what) => return Some(self.give_up(what, Some(head))),
            }
        }
        let total = self.total?;
        let message = self.buffer.get(self.start..self.start + total)?;
        let message = Bytes::copy_from_slice(message);
        self.skip(total);
        Some(Piece::Message(message))
    }

    /// The header part at `start` with its empty line.
    fn find_head(&mut self) -> Option<Result<Range<usize>, Piece>> {
        let from = self.scanned.max(self.start);
        match memchr::memmem::find(&self.buffer[from..], b"\r\n\r\n") {
            Some(at) => Some(Ok(self.start..from + at + 4)),
            None => {
                // The last three bytes may be the beginning of the empty line.
                self.scanned = self.buffer.len().saturating_sub(3).max(self.start);
                let too_long = self.buffer.len() - self.start > limits::SIP_MESSAGE_BYTES;
                too_long.then(|| Err(self.give_up("header part too long", None)))
            }
        }
    }

    fn skip(&mut self, n: usize) {
        self.start += n;
        self.scanned = self.start;
        self.total = None;
    }

    fn give_up(&mut self, what: &'static str, head: Option<Range<usize>>) -> Piece {
        let head = head.map(|range| Bytes::copy_from_slice(&self.buffer[range]));
        self.stop();
        Piece::Unframable { what, head }
    }

    /// Drops what was taken; frees the memory of an idle connection.
    fn compact(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
        } else {
            self.buffer.drain(..self.start);
        }
        self.scanned = self.scanned.saturating_sub(self.start);
        self.start = 0;
    }
}

/// The Content-Length of a header part; RFC 3261 §18.3 makes it mandatory on a
/// stream. Several must agree.
fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut found = None;
    for line in head.split(|b| *b == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let name = line[..colon].trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let digits = line[colon + 1..].trim_ascii();
        // Digits only: a sign or a blank inside never reaches arithmetic, and
        // ten digits cannot overflow.
        if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
            return Err("bad Content-Length");
        }
        let value = digits.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0'));
        let value = usize::try_from(value).unwrap_or(usize::MAX).min(limits::SIP_MESSAGE_BYTES + 1);
        if found.is_some_and(|before| before != value) {
            return Err("several Content-Lengths");
        }
        found = Some(value);
    }
    found.ok_or("no Content-Length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

    fn pieces(framer: &mut Framer) -> Vec<Piece> {
        std::iter::from_fn(|| framer.next_piece()).collect()
    }

    #[test]
    fn finds_messages_however_they_are_cut() {
        let mut all = OPTIONS.to_vec();
        all.extend_from_slice(b"\r\n");
        all.extend_from_slice(OPTIONS);
        all.extend_from_slice(b"\r\n\r\n");
        for cut in 1..all.len() {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for chunk in all.chunks(cut) {
                framer.feed(chunk);
                found.extend(pieces(&mut framer));
            }
            let message = Piece::Message(Bytes::from_static(OPTIONS));
            assert_eq!(found, [message.clone(), message, Piece::Ping], "cut every {cut} bytes");
            assert!(framer.is_idle());
        }
    }

    #[test]
    fn a_part_of_a_message_is_owed_and_a_lone_crlf_is_not() {
        let mut framer = Framer::default();
        framer.feed(b"\r\n");
        assert_eq!(framer.next_piece(), None);
        assert!(!framer.is_mid_message());
        framer.feed(b"OPT");
        assert_eq!(framer.next_piece(), None);
        assert!(framer.is_mid_message());
    }

    #[test]
    fn what_cannot_be_framed_ends_the_stream() {
        for (length, what) in [
            ("l: -1", "bad Content-Length"),
            ("Content-Length: 1 2", "bad Content-Length"),
            ("Content-Length: 99999999999", "bad Content-Length"),
            ("Content-Length: 4294967295", "message too long"),
            ("Content-Length: 1\r\nl: 2", "several Content-Lengths"),
            ("X: y", "no Content-Length"),
        ] {
            let text = format!("OPTIONS sip:a SIP/2.0\r\n{length}\r\n\r\n");
            let mut framer = Framer::default();
            framer.feed(text.as_bytes());
            let head = Some(Bytes::from(text));
            assert_eq!(pieces(&mut framer), [Piece::Unframable { what, head }]);
            framer.feed(OPTIONS);
            assert_eq!(framer.next_piece(), None);
            assert!(!framer.is_idle() && !framer.is_mid_message());
        }
    }

    #[test]
    fn an_endless_header_part_ends_the_stream() {
        let mut framer = Framer::default();
        framer.feed(&[b'a'; limits::SIP_MESSAGE_BYTES]);
        assert_eq!(framer.next_piece(), None);
        framer.feed(b"ab");
        assert_eq!(framer.next_piece(), Some(Piece::Unframable { what: "header part too long", head: None }));
    }
}
