//! Our Call-IDs, tags and branches carry the engine that made them.
//!
//! With several engines in a process, a message has to reach the one that
//! holds its dialog or transaction, without a table they share. What we make
//! begins with the engine's number in two hexadecimal digits, and
//! [`engine_of`] finds it again in the raw bytes: the top Via of a response,
//! the To tag of a request, else the Call-ID. It is a hint and no judgement:
//! a stranger's Call-ID may look like ours, but it looks so in every message
//! of its dialog, and an engine that does not know a dialog answers 481.
//!
//! A message without a lead begins something: [`call_id_of`] gives the bytes to
//! spread by, so that an INVITE and its CANCEL meet.

use crate::base::{EngineId, Rng};

/// A tag of a dialog: engine and 70 random bits (RFC 3261 §19.3 asks for 32).
pub fn tag(engine: EngineId, rng: &mut Rng) -> String {
    format!("{:02x}{}", engine.0, rng.token(TAG_LEN - 2))
}

/// A tag made from a number, for answers that leave no state behind
/// (RFC 3261 §8.2.7): the same request has to get the same tag.
pub fn tag_from(engine: EngineId, number: u64) -> String {
    format!("{:02x}{number:016x}", engine.0)
}

/// A Call-ID: engine and 120 random bits, without a host that would tell where
/// it was made.
pub fn call_id(engine: EngineId, rng: &mut Rng) -> String {
    format!("{:02x}{}", engine.0, rng.token(CALL_ID_LEN - 2))
}

/// The branch of a client transaction; the number finds the transaction again.
pub fn branch(engine: EngineId, number: u64) -> String {
    format!("{MAGIC_COOKIE}{:02x}{number:016x}", engine.0)
}

/// Engine and number of a branch that [`branch`] may have made.
pub fn read_branch(branch: &str) -> Option<(EngineId, u64)> {
    let ours = branch.strip_prefix(MAGIC_COOKIE).filter(|rest| rest.len() == 18)?;
    let number = ours.get(2..).filter(|hex| hex.bytes().all(is_lower_hex))?;
    Some((engine_in(ours.as_bytes())?, u64::from_str_radix(number, 16).ok()?))
}

/// The engine whose dialog or transaction a message belongs to.
///
/// `None` for what begins something and for what is not a SIP message.
pub fn engine_of(message: &[u8]) -> Option<EngineId> {
    let response = message.starts_with(b"SIP/");
    let (mut by_tag, mut by_call_id) = (None, None);
    for (name, value) in headers(message) {
        match name {
            Name::Via if response => return engine_of_via(value),
            Name::To if !response => by_tag = tag_of(value).filter(|t| is_tag(t)).and_then(engine_in),
            Name::CallId => by_call_id = Some(value).filter(|id| id.len() == CALL_ID_LEN).and_then(engine_in),
            Name::Via | Name::To | Name::Other => {}
        }
        if by_tag.is_some() {
            return by_tag;
        }
    }
    by_call_id
}

/// The value of the Call-ID header field, to spread what has no lead by.
pub fn call_id_of(message: &[u8]) -> Option<&[u8]> {
    headers(message).find(|(name, _)| *name == Name::CallId).map(|(_, value)| value)
}

/// The engine of `engines` for a Call-ID that is nobody's: FNV-1a, the same in
/// every process.
pub fn spread(call_id: &[u8], engines: u8) -> EngineId {
    let hash = call_id.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    // FNV leaves the high bits of short inputs alike: fold them in.
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    EngineId(((mixed >> 32) % u64::from(engines.max(1))) as u8)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Via,
    To,
    CallId,
    Other,
}

/// The header fields before the empty line, names judged, values trimmed and
/// with their folded lines.
fn headers(message: &[u8]) -> impl Iterator<Item = (Name, &[u8])> {
    let mut rest = message.get(memchr::memchr(b'\n', message).map_or(message.len(), |i| i + 1)..).unwrap_or_default();
    std::iter::from_fn(move || {
        let mut end = memchr::memchr(b'\n', rest)?;
        if rest[..end].trim_ascii().is_empty() {
            return None;
        }
        // RFC 3261 §7.3.1: a line that begins with a blank continues this one.
        while matches!(rest.get(end + 1), Some(b' ' | b'\t')) {
            end = end + 1 + memchr::memchr(b'\n', &rest[end + 1..])?;
        }
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = memchr::memchr(b':', line) else { return Some((Name::Other, &line[..0])) };
        let name = match line[..colon].trim_ascii_end() {
            [b'v' | b'V'] => Name::Via,
            [b't' | b'T'] => Name::To,
            [b'i' | b'I'] => Name::CallId,
            name if name.eq_ignore_ascii_case(b"via") => Name::Via,
            name if name.eq_ignore_ascii_case(b"to") => Name::To,
            name if name.eq_ignore_ascii_case(b"call-id") => Name::CallId,
            _ => Name::Other,
        };
        Some((name, line[colon + 1..].trim_ascii()))
    })
}

/// The engine in the branch of the first Via of a header value.
fn engine_of_via(value: &[u8]) -> Option<EngineId> {
    let first = &value[..memchr::memchr(b',', value).unwrap_or(value.len())];
    let branch = parameter(first, b"branch")?;
    read_branch(std::str::from_utf8(branch).ok()?).map(|(engine, _)| engine)
}

/// The tag parameter of a From or To value: behind the address, not in it. A
/// cheap look, not the grammar: for digests, hints and quick refusals.
pub(super) fn tag_of(value: &[u8]) -> Option<&[u8]> {
    parameter(&value[memchr::memrchr(b'>', value).map_or(0, |i| i + 1)..], b"tag")
}

fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    value.split(|b| *b == b';').skip(1).find_map(|param| {
        let equals = memchr::memchr(b'=', param)?;
        param[..equals].trim_ascii().eq_ignore_ascii_case(name).then(|| param[equals + 1..].trim_ascii())
    })
}

/// True if `tag` has the length of one made by [`tag_from`].
pub(super) fn may_be_stateless(tag: &[u8]) -> bool {
    tag.len() == STATELESS_TAG_LEN
}

/// Shape of [`tag`] and of [`tag_from`].
fn is_tag(tag: &[u8]) -> bool {
    matches!(tag.len(), TAG_LEN | STATELESS_TAG_LEN) && tag.iter().all(u8::is_ascii_alphanumeric)
}

fn engine_in(ours: &[u8]) -> Option<EngineId> {
    let hex = ours.get(..2).filter(|hex| hex.iter().copied().all(is_lower_hex))?;
    u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok().map(EngineId)
}

fn is_lower_hex(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'f')
}

/// RFC 3261 §8.1.1.7: what a branch of its transactions begins with.
const MAGIC_COOKIE: &str = "z9hG4bK";

/// Characters of a dialog's tag.
const TAG_LEN: usize = 16;

/// Characters of a tag made from a number.
const STATELESS_TAG_LEN: usize = 18;

/// Characters of a Call-ID of ours.
const CALL_ID_LEN: usize = 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_make_leads_back_to_its_engine() {
        let mut rng = Rng::from_number(3);
        let (tag, id) = (tag(EngineId(0xa7), &mut rng), call_id(EngineId(0xa7), &mut rng));
        assert_eq!((tag.len(), id.len()), (TAG_LEN, CALL_ID_LEN));
        assert_eq!(tag_from(EngineId(1), 0xff), "0100000000000000ff");
        let in_dialog =
            format!("BYE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nTo: <sip:u;tag=00@h>;x=1;TAG={tag}\r\n\r\n");
        assert_eq!(engine_of(in_dialog.as_bytes()), Some(EngineId(0xa7)));
        let our_call_id = format!("NOTIFY sip:a SIP/2.0\ni : {id}\nTo: <sip:u@h>;tag=foreign\n\n");
        assert_eq!(engine_of(our_call_id.as_bytes()), Some(EngineId(0xa7)));
    }

    #[test]
    fn a_response_is_led_by_its_top_via() {
        let ours = branch(EngineId(2), 0x0123_4567_89ab_cdef);
        assert_eq!(ours, "z9hG4bK020123456789abcdef");
        assert_eq!(read_branch(&ours), Some((EngineId(2), 0x0123_4567_89ab_cdef)));
        let response =
            format!("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h;rport;branch={ours}, SIP/2.0/UDP x;branch=y\r\n\r\n");
        assert_eq!(engine_of(response.as_bytes()), Some(EngineId(2)));
        let folded = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n ;branch={ours}\r\n\r\n");
        assert_eq!(engine_of(folded.as_bytes()), Some(EngineId(2)));
    }

    #[test]
    fn strangers_and_rubbish_have_no_lead() {
        for message in [
            &b""[..],
            b"\r\n\r\n",
            b"INVITE sip:a SIP/2.0",
            b"INVITE sip:a SIP/2.0\r\nTo: <sip:b>\r\nCall-ID: 00abc@host\r\n\r\n",
            b"INVITE sip:a SIP/2.0\r\nTo: <sip:b>;tag=zz34567890123456\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK00\r\n\r\n",
            b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK+1+123456789abcdef\r\n\r\n",
            b"INVITE sip:a SIP/2.0\r\nX: y\r\n\r\nTo: <sip:b>;tag=0034567890123456\r\n",
            b"A\nTo:\n ",
        ] {
            assert_eq!(engine_of(message), None, "{}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn an_invite_and_its_cancel_are_spread_alike() {
        let invite = b"INVITE sip:a SIP/2.0\r\nCall-ID: some@where\r\n\r\n";
        let cancel = b"CANCEL sip:a SIP/2.0\r\nTo: <sip:b>\r\ni:  some@where \r\n\r\n";
        assert_eq!(call_id_of(invite), Some(&b"some@where"[..]));
        assert_eq!(call_id_of(invite), call_id_of(cancel));
        let used: std::collections::BTreeSet<_> = (0..64u8).map(|n| spread(&[n], 4)).collect();
        assert_eq!(used.len(), 4);
        assert_eq!(spread(b"x", 0), EngineId(0));
    }
}
