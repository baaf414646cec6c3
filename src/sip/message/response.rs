//! Answers: a response that belongs to a request (RFC 3261 §8.2.6).
//!
//! Also the reason phrases of §21 and its extensions.

use bytes::Bytes;

use super::headers::Headers;
use super::name::HeaderName;
use super::{Request, Response};

impl Response {
    /// A response to `request`: its Via fields in order, From, To, Call-ID and
    /// CSeq as received, and Timestamp in a 100 (RFC 3261 §8.2.6.1). An empty
    /// `reason` stands for the status's own phrase. The To tag is the caller's
    /// to add: [`Response::set_to_tag`].
    pub fn to_request(request: &Request, status: u16, reason: &str) -> Self {
        Self::from_headers(&request.headers, status, reason)
    }

    pub(super) fn from_headers(from: &Headers, status: u16, reason: &str) -> Self {
        let mut headers = Headers::new();
        headers.list.reserve(12);
        headers.copy_all(&HeaderName::Via, from);
        for name in [HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
            headers.copy_first(&name, from);
        }
        if status == 100 {
            headers.copy_first(&HeaderName::Timestamp, from);
        }
        let reason = if reason.is_empty() { reason_phrase(status) } else { reason };
        Self { status, reason: reason.into(), headers, body: Bytes::new() }
    }

    /// Adds a To tag if there is none (RFC 3261 §8.2.6.2); `tag` is a token.
    /// The rest of the field stays as received, byte for byte.
    pub fn set_to_tag(&mut self, tag: &str) {
        let Some(to) = self.headers.get_bytes(&HeaderName::To) else { return };
        if self.headers.to().is_ok_and(|to| to.params.has("tag")) {
            return;
        }
        let tag = tag.bytes().filter(|c| super::scan::is(*c, super::scan::TOKEN));
        let value: Vec<u8> = to.iter().copied().chain(*b";tag=").chain(tag).collect();
        // The received part passed the parser; only the tag is added to it.
        let field = self.headers.list.iter_mut().find(|f| f.name == HeaderName::To);
        if let Some(field) = field {
            field.value = super::headers::Value::Own(value.into());
        }
    }

    /// The tag of a stateless server: a digest of what stays the same in
    /// retransmissions (RFC 3261 §8.2.7).
    pub(super) fn add_stateless_to_tag(&mut self) {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for name in [HeaderName::Via, HeaderName::CallId, HeaderName::CSeq, HeaderName::From] {
            for c in self.headers.get_bytes(&name).unwrap_or_default() {
                hash = (hash ^ u64::from(*c)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        self.set_to_tag(&format!("e{hash:016x}"));
    }

    /// True below 200.
    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    /// True from 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The phrase of RFC 3261 §21 or of the status's own RFC; the class's name for
/// a status that has none.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        429 => "Provide Referrer Identity",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        436 => "Bad Identity Info",
        437 => "Unsupported Credential",
        438 => "Invalid Identity Header",
        439 => "First Hop Lacks Outbound Support",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match status / 100 {
            ..2 => "Progress",
            2 => "OK",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            6.. => "Global Failure",
        },
    }
}
