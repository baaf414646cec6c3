//! STUN messages (RFC 8489 §5): read without copying, written into a vector.
//!
//! [`Message::parse`] checks bounds, cookie, and FINGERPRINT where there is one;
//! integrity is asked for with a key. Attributes behind MESSAGE-INTEGRITY are
//! not authenticated and are never shown (§14.5). Transactions and meaning are
//! not known here.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::attribute::{self, Attribute};
use super::integrity;
use crate::base::limits::{STUN_ATTRIBUTES, STUN_MESSAGE_BYTES};

/// The magic cookie of every message.
pub const COOKIE: u32 = 0x2112_a442;
/// The only method of ICE.
pub const BINDING: u16 = 1;
const HEADER_LEN: usize = 20;

/// Request, indication or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// A success response.
    Success,
    /// An error response.
    Error,
}

/// Names a transaction; drawn by its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TransactionId(pub [u8; 12]);

/// A message whose bounds, cookie and FINGERPRINT hold.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Its class.
    pub class: Class,
    /// Its method; [`BINDING`] for ICE.
    pub method: u16,
    /// Its transaction.
    pub id: TransactionId,
    /// Where the attributes end that may be looked at.
    end: usize,
    integrity_at: Option<usize>,
}

impl<'a> Message<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    ///
    /// Says which rule it breaks; nothing of it may be used then.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        if bytes.len() < HEADER_LEN {
            return Err(StunError::Truncated);
        }
        if bytes.len() > STUN_MESSAGE_BYTES {
            return Err(StunError::TooLong);
        }
        let kind = u16::from_be_bytes([bytes[0], bytes[1]]);
        let cookie = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        if kind & 0xc000 != 0 || cookie != COOKIE {
            return Err(StunError::NotStun);
        }
        let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        if len % 4 != 0 || HEADER_LEN + len != bytes.len() {
            return Err(StunError::Length);
        }
        // RFC 8489 §5: the class bits C1 and C0 stand among the method's.
        let class = match (kind >> 7 & 2) | (kind >> 4 & 1) {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let mut id = [0; 12];
        id.copy_from_slice(&bytes[8..HEADER_LEN]);
        let method = kind & 0x000f | kind >> 1 & 0x0070 | kind >> 2 & 0x0f80;
        let mut message = Self { bytes, class, method, id: TransactionId(id), end: bytes.len(), integrity_at: None };
        message.walk()?;
        Ok(message)
    }

    /// Checks every attribute's bounds and finds integrity and fingerprint.
    fn walk(&mut self) -> Result<(), StunError> {
        let mut at = HEADER_LEN;
        for _ in 0..STUN_ATTRIBUTES {
            if at == self.bytes.len() {
                return Ok(());
            }
            let (attribute, next) = attribute_at(self.bytes, at).ok_or(StunError::Attribute)?;
            match attribute.kind {
                attribute::MESSAGE_INTEGRITY if self.integrity_at.is_none() => {
                    if attribute.value.len() != integrity::HMAC_LEN {
                        return Err(StunError::Attribute);
                    }
                    self.integrity_at = Some(at);
                    self.end = at;
                }
                attribute::FINGERPRINT => {
                    // RFC 8489 §14.7: it is the last attribute.
                    if next != self.bytes.len() {
                        return Err(StunError::Attribute);
                    }
                    if attribute.value != integrity::fingerprint(self.bytes, at).to_be_bytes() {
                        return Err(StunError::Fingerprint);
                    }
                    self.end = self.end.min(at);
                }
                _ => {}
            }
            at = next;
        }
        if at == self.bytes.len() { Ok(()) } else { Err(StunError::TooLong) }
    }

    /// The attributes before MESSAGE-INTEGRITY and FINGERPRINT.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let (bytes, mut at) = (&self.bytes[..self.end], HEADER_LEN);
        std::iter::from_fn(move || {
            let (attribute, next) = attribute_at(bytes, at)?;
            at = next;
            Some(attribute)
        })
    }

    /// The value of the first attribute of a type (RFC 8489 §14: later ones
    /// of the same type are ignored).
    pub fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|a| a.kind == kind).map(|a| a.value)
    }

    /// The USERNAME, if it is text.
    pub fn username(&self) -> Option<&'a str> {
        self.get(attribute::USERNAME).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The XOR-MAPPED-ADDRESS.
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        attribute::read_xor_address(self.get(attribute::XOR_MAPPED_ADDRESS)?, &self.id)
    }

    /// True if there is a MESSAGE-INTEGRITY.
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// True if MESSAGE-INTEGRITY is there and `key` gives it.
    pub fn is_authentic(&self, key: &[u8]) -> bool {
        self.integrity_at.is_some_and(|at| {
            let value = &self.bytes[at + 4..at + 4 + integrity::HMAC_LEN];
            integrity::verify(self.bytes, at, value, key)
        })
    }

    /// Types that have to be understood and are not (RFC 8489 §6.3.1).
    pub fn unknown_required(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.attributes()
            .map(|a| a.kind)
            .filter(|kind| attribute::is_comprehension_required(*kind) && !attribute::is_known(*kind))
    }
}

/// The attribute at `at`, and where the next one starts.
fn attribute_at(bytes: &[u8], at: usize) -> Option<(Attribute<'_>, usize)> {
    let head = bytes.get(at..at + 4)?;
    let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let next = at + 4 + len.next_multiple_of(4);
    if next > bytes.len() {
        return None;
    }
    Some((Attribute { kind: u16::from_be_bytes([head[0], head[1]]), value: &bytes[at + 4..at + 4 + len] }, next))
}

/// Why bytes are not a STUN message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StunError {
    /// Shorter than a header.
    #[error("message is shorter than its header")]
    Truncated,
    /// Longer, or with more attributes, than `base::limits` allows.
    #[error("message is too long")]
    TooLong,
    /// The first two bits or the cookie are not STUN's.
    #[error("message is not STUN")]
    NotStun,
    /// The length is not the datagram's.
    #[error("length does not match the datagram")]
    Length,
    /// An attribute exceeds the message or has a wrong length or place.
    #[error("attribute does not fit")]
    Attribute,
    /// FINGERPRINT is not that of the bytes.
    #[error("fingerprint is wrong")]
    Fingerprint,
}

/// Writes a message attribute by attribute.
#[derive(Clone, Debug)]
pub struct Builder {
    out: Vec<u8>,
    id: TransactionId,
}

impl Builder {
    /// Starts a message of the Binding method.
    pub fn binding(class: Class, id: TransactionId) -> Self {
        let kind: u16 = match class {
            Class::Request => 0x0001,
            Class::Indication => 0x0011,
            Class::Success => 0x0101,
            Class::Error => 0x0111,
        };
        let mut out = Vec::with_capacity(128);
        out.extend(kind.to_be_bytes());
        out.extend([0, 0]);
        out.extend(COOKIE.to_be_bytes());
        out.extend(id.0);
        Self { out, id }
    }

    /// Adds an attribute; `value` has at most 508 bytes, and what is longer is cut.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let value = &value[..value.len().min(508)];
        self.out.extend(kind.to_be_bytes());
        self.out.extend((value.len() as u16).to_be_bytes());
        self.out.extend(value);
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self.count();
        self
    }

    /// Adds XOR-MAPPED-ADDRESS.
    #[must_use]
    pub fn mapped_address(self, at: SocketAddr) -> Self {
        let (value, len) = attribute::write_xor_address(at, &self.id);
        self.attribute(attribute::XOR_MAPPED_ADDRESS, &value[..len])
    }

    /// Adds ERROR-CODE; `code` is 300 to 699.
    #[must_use]
    pub fn error_code(self, code: u16, reason: &str) -> Self {
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend(reason.as_bytes());
        self.attribute(attribute::ERROR_CODE, &value)
    }

    /// Adds UNKNOWN-ATTRIBUTES.
    #[must_use]
    pub fn unknown_attributes(self, kinds: impl Iterator<Item = u16>) -> Self {
        let value: Vec<u8> = kinds.take(STUN_ATTRIBUTES).flat_map(u16::to_be_bytes).collect();
        self.attribute(attribute::UNKNOWN_ATTRIBUTES, &value)
    }

    /// Adds MESSAGE-INTEGRITY over what is there, then FINGERPRINT, and ends.
    pub fn sign(self, key: &[u8]) -> Vec<u8> {
        let at = self.out.len();
        let value = integrity::hmac_sha1(&self.out, at, key);
        self.attribute(attribute::MESSAGE_INTEGRITY, &value).finish()
    }

    /// Adds FINGERPRINT and ends.
    pub fn finish(mut self) -> Vec<u8> {
        let at = self.out.len();
        self = self.attribute(attribute::FINGERPRINT, &[0; 4]);
        let crc = integrity::fingerprint(&self.out, at);
        self.out[at + 4..].copy_from_slice(&crc.to_be_bytes());
        self.out
    }

    fn count(&mut self) {
        let len = (self.out.len() - HEADER_LEN) as u16;
        self.out[2..4].copy_from_slice(&len.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSWORD: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";
    const REQUEST: &[u8] = include_bytes!("../../tests/data/stun-rfc5769/request.bin");
    const V4_RESPONSE: &[u8] = include_bytes!("../../tests/data/stun-rfc5769/ipv4-response.bin");
    const V6_RESPONSE: &[u8] = include_bytes!("../../tests/data/stun-rfc5769/ipv6-response.bin");
    const LONG_TERM: &[u8] = include_bytes!("../../tests/data/stun-rfc5769/request-long-term.bin");

    #[test]
    fn reads_the_request_of_rfc_5769() {
        let message = Message::parse(REQUEST).expect("a valid message");
        assert_eq!((message.class, message.method), (Class::Request, BINDING));
        assert_eq!(message.username(), Some("evtj:h6vY"));
        assert_eq!(message.get(attribute::SOFTWARE), Some(&b"STUN test client"[..]));
        assert_eq!(message.get(attribute::PRIORITY), Some(&[0x6e, 0, 1, 0xff][..]));
        assert_eq!(message.get(attribute::ICE_CONTROLLED).map(<[u8]>::len), Some(8));
        assert_eq!(message.unknown_required().count(), 0);
        assert!(message.is_authentic(PASSWORD) && !message.is_authentic(b"wrong"));
    }

    #[test]
    fn reads_the_responses_of_rfc_5769() {
        for (bytes, mapped) in
            [(V4_RESPONSE, "192.0.2.1:32853"), (V6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
        {
            let message = Message::parse(bytes).expect("a valid message");
            assert_eq!((message.class, message.method), (Class::Success, BINDING));
            assert_eq!(message.mapped_address().map(|a| a.to_string()).as_deref(), Some(mapped));
            assert!(message.is_authentic(PASSWORD));
        }
    }

    #[test]
    fn reads_the_long_term_request_of_rfc_5769() {
        use md5::Digest;
        let message = Message::parse(LONG_TERM).expect("a valid message");
        let key = md5::Md5::digest("マトリックス:example.org:TheMatrIX");
        assert!(message.is_authentic(&key));
    }

    #[test]
    fn writes_the_response_of_rfc_5769_but_for_its_padding() {
        let theirs = Message::parse(V4_RESPONSE).expect("a valid message");
        let ours = Builder::binding(Class::Success, theirs.id)
            .attribute(attribute::SOFTWARE, b"test vector")
            .mapped_address("192.0.2.1:32853".parse().expect("an address"))
            .sign(PASSWORD);
        assert_eq!(ours.len(), V4_RESPONSE.len());
        // The RFC pads SOFTWARE with a blank, we with zero; tags differ by it.
        assert_eq!(ours[..35], V4_RESPONSE[..35]);
        assert_eq!(ours[36..52], V4_RESPONSE[36..52]);
        assert!(Message::parse(&ours).expect("a valid message").is_authentic(PASSWORD));
    }

    #[test]
    fn shows_nothing_behind_the_integrity() {
        let id = TransactionId([9; 12]);
        let mut bytes = Builder::binding(Class::Request, id).attribute(attribute::USERNAME, b"a:b").sign(PASSWORD);
        bytes.truncate(bytes.len() - 8);
        let bytes =
            Builder { out: bytes, id }.attribute(attribute::USE_CANDIDATE, &[]).attribute(0x7777, &[1]).finish();
        let message = Message::parse(&bytes).expect("a valid message");
        assert!(message.is_authentic(PASSWORD));
        assert_eq!(message.get(attribute::USE_CANDIDATE), None);
        assert_eq!(message.unknown_required().count(), 0);
        assert_eq!(message.attributes().count(), 1);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let error = |bytes: &[u8]| Message::parse(bytes).map(|_| ()).expect_err("must be refused");
        assert_eq!(error(&REQUEST[..19]), StunError::Truncated);
        assert_eq!(error(&REQUEST[..104]), StunError::Length);
        assert_eq!(error(&[0; 1504]), StunError::TooLong);
        let with = |at: usize, byte: u8| {
            let mut bytes = REQUEST.to_vec();
            bytes[at] = byte;
            error(&bytes)
        };
        assert_eq!(with(0, 0x80), StunError::NotStun);
        assert_eq!(with(4, 0), StunError::NotStun);
        assert_eq!(with(22, 0xff), StunError::Attribute);
        assert_eq!(with(107, 0), StunError::Fingerprint);
        assert_eq!(with(44, 0), StunError::Fingerprint);
        let id = TransactionId([0; 12]);
        let mut many = Builder::binding(Class::Request, id);
        for _ in 0..=STUN_ATTRIBUTES {
            many = many.attribute(0x8001, &[]);
        }
        assert_eq!(error(&many.out), StunError::TooLong);
        let short = Builder::binding(Class::Request, id).attribute(attribute::MESSAGE_INTEGRITY, &[0; 16]);
        assert_eq!(error(&short.out), StunError::Attribute);
        let twice = Builder { out: Builder::binding(Class::Request, id).finish(), id }.finish();
        assert_eq!(error(&twice), StunError::Attribute);
    }

    proptest! {
        #[test]
        fn any_change_of_a_byte_is_noticed(at in 0usize..100, flip in 1u8..) {
            let mut bytes = REQUEST.to_vec();
            bytes[at] ^= flip;
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert!(!message.is_authentic(PASSWORD));
            }
        }

        #[test]
        fn what_is_written_is_read(id: [u8; 12], kind in 0x8100u16..0x8fff, value in prop::collection::vec(any::<u8>(), 0..60)) {
            let bytes = Builder::binding(Class::Indication, TransactionId(id)).attribute(kind, &value).sign(b"key");
            let message = Message::parse(&bytes).expect("a valid message");
            prop_assert_eq!(message.class, Class::Indication);
            prop_assert_eq!(message.get(kind), Some(&value[..]));
            prop_assert!(message.is_authentic(b"key"));
        }
    }
}
