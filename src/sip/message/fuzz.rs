//! The body of the SIP fuzz target; `tests/fuzz` calls it.
//!
//! Whatever the bytes: reading ends in a value, what was read can be asked for
//! everything, and what is written reads back as the same and is stable.

use bytes::Bytes;

use super::{HeaderName, Headers, Message, parse, validate, validate_response};

/// Reads, asks, writes, and reads again.
///
/// # Panics
/// If a message does not survive being written and read: that is the finding.
pub fn sip_message(data: &[u8]) {
    let first = match parse(&Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(error) => {
            if let Some(reply) = error.reply {
                assert!(parse(&reply.to_bytes()).is_ok(), "our answer is not readable");
            }
            return;
        }
    };
    ask(first.headers());
    match &first {
        Message::Request(r) => {
            let _ = validate(r);
        }
        Message::Response(r) => {
            let _ = validate_response(r);
        }
    }
    let bytes = first.to_bytes();
    let Ok(second) = parse(&bytes) else { panic!("what we wrote does not read") };
    assert_eq!(second.to_bytes(), bytes, "writing is not stable");
}

/// Asks for every typed header; what reads is written and read again.
fn ask(headers: &Headers) {
    if let Ok(via) = headers.via() {
        let again = super::Via::parse(&via.to_string());
        assert_eq!(again.as_ref(), Ok(&via), "a Via does not round-trip");
    }
    for address in [headers.from(), headers.to()].into_iter().flatten() {
        let text = address.to_string();
        let again = super::NameAddr::parse(&text);
        assert_eq!(again.map(|a| a.to_string()), Ok(text), "an address is not stable");
    }
    let _ = (headers.cseq(), headers.contacts(), headers.max_forwards(), headers.expires(), headers.vias());
    let _ = (headers.route(), headers.record_route(), headers.content_type(), headers.session_expires());
    let _ = (headers.rack(), headers.rseq(), headers.replaces(), headers.event(), headers.subscription_state());
    let _ = (headers.reasons(), headers.warnings(), headers.retry_after(), headers.min_se(), headers.accepts("a", "b"));
    let _ = (headers.credentials(&HeaderName::Authorization), headers.challenges(&HeaderName::WwwAuthenticate));
    let _ = headers.addresses(&HeaderName::PAssertedIdentity);
}
