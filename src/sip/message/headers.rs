//! The headers of a message, in order, untyped.
//!
//! A field read from the wire is a range of the received buffer; a field set
//! by us owns its bytes. Values are bytes, since Latin-1 must pass through
//! unharmed (RFC 3261 §7.3.1 asks for UTF-8, phones send what they like).
//! [`Headers::push`] and [`Headers::set`] turn line ends and NUL into blanks:
//! no value can end its line.

use std::borrow::Cow;

use bytes::Bytes;

use super::name::{HeaderName, Kind};
use super::scan::elements;

/// An ordered list of header fields.
#[derive(Clone, Default)]
pub struct Headers {
    pub(super) source: Bytes,
    pub(super) list: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    kind: Kind,
    pub name: HeaderName,
    pub value: Value,
}

impl Field {
    pub fn new(name: HeaderName, value: Value) -> Self {
        Self { kind: name.kind(), name, value }
    }

    #[inline]
    fn is(&self, kind: Kind, name: &HeaderName) -> bool {
        self.kind == kind && (kind != Kind::Other || self.name == *name)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A range of the message as received.
    Source(u32, u32),
    /// Unfolded, or ours.
    Own(Box<[u8]>),
}

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first field of that name. `None` if there is none, or if it is no
    /// UTF-8; [`Headers::get_bytes`] tells the two apart.
    pub fn get(&self, name: &HeaderName) -> Option<&str> {
        self.get_bytes(name).and_then(|v| std::str::from_utf8(v).ok())
    }

    /// The first field of that name, as received.
    pub fn get_bytes(&self, name: &HeaderName) -> Option<&[u8]> {
        self.all_bytes(name).next()
    }

    /// The first field of that name; bytes that are no UTF-8 become U+FFFD.
    pub fn get_lossy(&self, name: &HeaderName) -> Option<Cow<'_, str>> {
        self.get_bytes(name).map(lossy)
    }

    /// Every field of that name that is UTF-8.
    pub fn all(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.all_bytes(name).filter_map(|v| std::str::from_utf8(v).ok())
    }

    /// Every field of that name.
    pub fn all_bytes(&self, name: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let kind = name.kind();
        self.list.iter().filter(move |f| f.is(kind, name)).map(|f| self.value(f))
    }

    /// Every element of every field of that name, split at commas outside
    /// quotes and angle brackets; empty ones are left out.
    pub fn values(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        self.all(name).flat_map(elements).filter(|v| !v.is_empty())
    }

    /// True if `token` is an element of a list such as Supported, without case.
    pub fn lists(&self, name: &HeaderName, token: &str) -> bool {
        self.values(name).any(|v| v.eq_ignore_ascii_case(token))
    }

    /// Number of fields of that name.
    pub fn count(&self, name: &HeaderName) -> usize {
        let kind = name.kind();
        self.list.iter().filter(|f| f.is(kind, name)).count()
    }

    /// True if there is a field of that name.
    pub fn has(&self, name: &HeaderName) -> bool {
        let kind = name.kind();
        self.list.iter().any(|f| f.is(kind, name))
    }

    /// Appends a field. CR, LF and NUL in the value become blanks.
    pub fn push(&mut self, name: HeaderName, value: impl AsRef<[u8]>) {
        self.list.push(Field::new(name, Value::Own(harmless(value.as_ref()))));
    }

    /// Puts a field before all others: our Via, our Record-Route.
    pub fn push_front(&mut self, name: HeaderName, value: impl AsRef<[u8]>) {
        self.list.insert(0, Field::new(name, Value::Own(harmless(value.as_ref()))));
    }

    /// Replaces all fields of that name by one, where the first of them stood,
    /// or at the end.
    pub fn set(&mut self, name: HeaderName, value: impl AsRef<[u8]>) {
        let value = Value::Own(harmless(value.as_ref()));
        let Some(first) = self.list.iter().position(|f| f.name == name) else {
            self.list.push(Field::new(name, value));
            return;
        };
        let mut at = 0;
        self.list.retain(|f| {
            at += 1;
            at <= first + 1 || f.name != name
        });
        self.list[first].value = value;
    }

    /// Replaces the first element of the first field of that name and keeps
    /// the others: the topmost Via. Does nothing if there is none.
    pub fn set_first(&mut self, name: &HeaderName, value: impl AsRef<[u8]>) {
        let Some(at) = self.list.iter().position(|f| f.name == *name) else { return };
        let old = self.value(&self.list[at]);
        let first = elements_len(old);
        let mut joined = value.as_ref().to_vec();
        joined.extend_from_slice(&old[first..]);
        self.list[at].value = Value::Own(harmless(&joined));
    }

    /// Removes all fields of that name; true if there were any.
    pub fn remove(&mut self, name: &HeaderName) -> bool {
        let before = self.list.len();
        self.list.retain(|f| f.name != *name);
        self.list.len() != before
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HeaderName, &[u8])> {
        self.list.iter().map(|f| (&f.name, self.value(f)))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends every field of that name of `other`, unchanged.
    pub fn copy_all(&mut self, name: &HeaderName, other: &Self) {
        for value in other.all_bytes(name) {
            self.list.push(Field::new(name.clone(), Value::Own(value.into())));
        }
    }

    /// Appends the first field of that name of `other`, unchanged.
    pub fn copy_first(&mut self, name: &HeaderName, other: &Self) {
        if let Some(value) = other.get_bytes(name) {
            self.list.push(Field::new(name.clone(), Value::Own(value.into())));
        }
    }

    pub(super) fn value<'a>(&'a self, field: &'a Field) -> &'a [u8] {
        match &field.value {
            Value::Source(from, to) => &self.source[*from as usize..*to as usize],
            Value::Own(bytes) => bytes,
        }
    }
}

/// The text of a value; bytes that are no UTF-8 become U+FFFD.
pub(super) fn lossy(value: &[u8]) -> Cow<'_, str> {
    // The strict check is several times faster and nearly always right.
    std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value), Cow::Borrowed)
}

/// Length of the first comma-separated element; a value that is no UTF-8 is one.
fn elements_len(value: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(value) else { return value.len() };
    let Some(first) = elements(text).next() else { return value.len() };
    let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
    blanks + first.len()
}

/// The value without blanks around it; CR, LF and NUL become blanks.
fn harmless(value: &[u8]) -> Box<[u8]> {
    let mut out: Box<[u8]> = value.trim_ascii().into();
    if memchr::memchr3(b'\r', b'\n', 0, &out).is_some() {
        for c in out.iter_mut().filter(|c| matches!(**c, b'\r' | b'\n' | 0)) {
            *c = b' ';
        }
    }
    out
}

/// Same names and values in the same order.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|(n, v)| (n.as_str(), String::from_utf8_lossy(v)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Headers {
        let mut h = Headers::new();
        h.push(HeaderName::Via, "SIP/2.0/UDP a , SIP/2.0/UDP b");
        h.push(HeaderName::Subject, "x");
        h.push(HeaderName::Via, "SIP/2.0/UDP c");
        h
    }

    #[test]
    fn elements_of_all_fields_come_in_order() {
        let h = three();
        assert_eq!(h.values(&HeaderName::Via).collect::<Vec<_>>(), ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c"]);
        assert_eq!((h.count(&HeaderName::Via), h.len()), (2, 3));
    }

    #[test]
    fn set_replaces_and_set_first_keeps_the_rest() {
        let mut h = three();
        h.set_first(&HeaderName::Via, "SIP/2.0/UDP a;received=1.2.3.4");
        assert_eq!(h.get(&HeaderName::Via), Some("SIP/2.0/UDP a;received=1.2.3.4 , SIP/2.0/UDP b"));
        h.set(HeaderName::Via, "v");
        assert_eq!(
            h.iter().map(|(n, v)| (n.as_str(), v)).collect::<Vec<_>>(),
            [("Via", &b"v"[..]), ("Subject", &b"x"[..])]
        );
        assert!(h.remove(&HeaderName::Via) && !h.remove(&HeaderName::Via));
        h.set(HeaderName::Expires, "60");
        assert_eq!(h.get(&HeaderName::Expires), Some("60"));
    }

    #[test]
    fn values_cannot_end_their_line() {
        let mut h = Headers::new();
        h.push(HeaderName::Subject, "a\r\nVia: evil\0\n");
        h.push_front(HeaderName::Server, "s\rt");
        h.set_first(&HeaderName::Subject, "b\nc");
        assert_eq!(h.get(&HeaderName::Subject), Some("b c"));
        assert_eq!(h.get(&HeaderName::Server), Some("s t"));
    }

    #[test]
    fn latin_1_is_kept_and_read_lossily() {
        let mut h = Headers::new();
        h.push(HeaderName::Subject, b"J\xf6rg");
        assert_eq!(h.get(&HeaderName::Subject), None);
        assert_eq!(h.get_bytes(&HeaderName::Subject), Some(&b"J\xf6rg"[..]));
        assert_eq!(h.get_lossy(&HeaderName::Subject).as_deref(), Some("J\u{fffd}rg"));
    }
}
