//! How a message finds its transaction: RFC 3261 §17.1.3 and §17.2.3.
//!
//! A client transaction is found by the number in the branch we made for it. A
//! server transaction is found by what the peer wrote: branch, sent-by and
//! method, or, from a peer of RFC 2543 whose branch says nothing, the request's
//! identity. Both are held together with the realm the message came from: two
//! realms may use the same private addresses.

use std::fmt::Write;

use crate::base::RealmId;
use crate::sip::message::{Method, Request, Via};

/// A client transaction, for as long as it lives; 64 random bits that stand in
/// its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ClientKey(pub u64);

/// A server transaction, for as long as it lives; counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ServerKey(pub u64);

/// A transaction of either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionKey {
    /// A client transaction.
    Client(ClientKey),
    /// The CANCEL of an INVITE client transaction, which has its branch.
    CancelOf(ClientKey),
    /// A server transaction.
    Server(ServerKey),
}

/// What a server transaction is found by, as one string of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerMatch(Box<str>);

impl ServerMatch {
    /// The key of `request`, with `via` on top, from `realm`, as if its method
    /// were `method`: INVITE finds the transaction an ACK or CANCEL is about.
    ///
    /// `None` if a field that RFC 2543 matching needs cannot be read.
    pub fn of(realm: RealmId, request: &Request, via: &Via, method: &Method) -> Option<Self> {
        // RFC 3261 §17.2.3: an ACK has the key of its INVITE.
        let method = if *method == Method::Ack { &Method::Invite } else { method };
        let mut key = String::with_capacity(96);
        let written = match via.branch().filter(|branch| has_cookie(branch)) {
            Some(branch) => {
                let host = via.host.to_string().to_ascii_lowercase();
                write!(key, "{}\n{branch}\n{host}:{}\n{method}", realm.0, via.port.unwrap_or(0))
            }
            None => Self::write_rfc2543(&mut key, realm, request, via, method)?,
        };
        written.expect("writing to a String succeeds");
        Some(Self(key.into_boxed_str()))
    }

    /// RFC 3261 §17.2.3, second half: Request-URI, tags, Call-ID, CSeq and top
    /// Via. The To tag is left out for INVITE: its ACK has the tag of our
    /// response, and one INVITE gets one tag here.
    fn write_rfc2543(
        key: &mut String,
        realm: RealmId,
        request: &Request,
        via: &Via,
        method: &Method,
    ) -> Option<std::fmt::Result> {
        let from = request.from().ok()?;
        let to = request.to().ok()?;
        let to_tag = if *method == Method::Invite { None } else { to.tag() };
        let (from_tag, to_tag) = (from.tag().unwrap_or_default(), to_tag.unwrap_or_default());
        let seq = request.cseq().ok()?.seq;
        let call_id = request.call_id();
        Some(write!(key, "{}\n2543\n{}\n{from_tag}\n{to_tag}\n{call_id}\n{seq} {method}\n{via}", realm.0, request.uri))
    }
}

/// True for a branch that identifies a transaction. A branch that is the bare
/// cookie identifies nothing (RFC 4475 §3.2.1) and is matched as RFC 2543 did.
fn has_cookie(branch: &str) -> bool {
    branch.len() > 7 && branch.get(..7).is_some_and(|cookie| cookie.eq_ignore_ascii_case("z9hG4bK"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::{Message, parse};

    fn key(realm: u16, method: &str, via: &str, to_tag: &str) -> ServerMatch {
        let text = format!(
            "{method} sip:b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a>;tag=a\r\nTo: <sip:b>{to_tag}\r\n\
             Call-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
        );
        let Ok(Message::Request(request)) = parse(&Bytes::from(text)) else { panic!("test request") };
        let via = request.via().expect("test Via");
        ServerMatch::of(RealmId(realm), &request, &via, &request.method).expect("a key")
    }

    #[test]
    fn branch_sent_by_and_method_make_the_key() {
        let invite = key(0, "INVITE", "H:1;branch=z9hG4bKx", "");
        assert_eq!(invite, key(0, "INVITE", "h:1;branch=z9hG4bKx;rport", ";tag=b"));
        assert_eq!(invite, key(0, "ACK", "h:1;branch=z9hG4bKx", ";tag=b"));
        assert_ne!(invite, key(0, "CANCEL", "h:1;branch=z9hG4bKx", ""));
        assert_ne!(invite, key(0, "INVITE", "h:2;branch=z9hG4bKx", ""));
        assert_ne!(invite, key(0, "INVITE", "h:1;branch=z9hG4bKX", ""));
        assert_ne!(invite, key(1, "INVITE", "h:1;branch=z9hG4bKx", ""));
    }

    #[test]
    fn without_a_branch_that_says_something_the_request_is_the_key() {
        for via in ["h", "h;branch=1", "h;branch=z9hG4bK"] {
            let invite = key(0, "INVITE", via, "");
            assert_eq!(invite, key(0, "ACK", via, ";tag=b"), "{via}");
            assert_ne!(invite, key(0, "INVITE", "other", ""), "{via}");
            assert_ne!(key(0, "BYE", via, ";tag=b"), key(0, "BYE", via, ";tag=c"), "{via}");
        }
    }
}
