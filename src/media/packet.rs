//! One datagram in the buffer it was received in.
//!
//! The buffer has room before and behind the bytes, so that a packet can be
//! decrypted, rewritten, grown by a header or a tag and sent on without being
//! moved or copied.

use std::ops::Range;

use crate::base::limits::MEDIA_PACKET_BYTES;

/// Bytes of room kept behind a packet for an SRTP tag and RTCP trailer.
pub const TAIL: usize = 64;

/// A datagram and its buffer.
#[derive(Clone)]
pub struct Packet {
    buffer: Box<[u8; MEDIA_PACKET_BYTES + TAIL]>,
    range: Range<usize>,
}

impl Packet {
    /// An empty buffer.
    pub fn new() -> Self {
        Self { buffer: Box::new([0; MEDIA_PACKET_BYTES + TAIL]), range: 0..0 }
    }

    /// A packet holding `bytes`, cut at the most that fits.
    pub fn of(bytes: &[u8]) -> Self {
        let mut packet = Self::new();
        let len = bytes.len().min(MEDIA_PACKET_BYTES);
        packet.buffer[..len].copy_from_slice(&bytes[..len]);
        packet.range = 0..len;
        packet
    }

    /// Where a socket writes a datagram; [`Packet::received`] says how long it was.
    pub fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[..MEDIA_PACKET_BYTES]
    }

    /// Tells that the first `len` bytes of the room are the datagram.
    pub fn received(&mut self, len: usize) {
        self.range = 0..len.min(MEDIA_PACKET_BYTES);
    }

    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.range.clone()]
    }

    /// The datagram, to change it in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.range.clone()]
    }

    /// The datagram with the room behind it.
    pub fn with_tail(&mut self) -> &mut [u8] {
        let start = self.range.start;
        &mut self.buffer[start..]
    }

    /// Changes the length, within the buffer.
    pub fn set_len(&mut self, len: usize) {
        self.range.end = (self.range.start + len).min(self.buffer.len());
    }

    /// Keeps only the bytes from `start` to `end`, counted in the datagram.
    pub fn narrow(&mut self, start: usize, end: usize) {
        let first = self.range.start;
        self.range = (first + start).min(self.buffer.len())..(first + end).min(self.buffer.len());
    }

    /// Where in the buffer the datagram lies.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The bytes of a [`Verdict::Forward`](super::shard::Verdict::Forward).
    pub fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packet({} bytes)", self.range.len())
    }
}
