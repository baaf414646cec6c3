//! What is well-formed and still wrong (RFC 3261 §8.1.1, §8.1.3, §8.2).
//!
//! [`validate`] answers for a request before anything is made of it: the
//! mandatory headers once each and readable, CSeq and method in agreement, a
//! scheme we speak. [`validate_response`] says whether a response may be
//! looked at; a bad one is dropped, since nothing answers a response.

use super::name::HeaderName;
use super::scan::{WORD, all};
use super::uri::Scheme;
use super::via::MAGIC_COOKIE;
use super::{Method, Request, Response};
use crate::sip::error::Refusal;

/// Checks a request.
///
/// A missing Max-Forwards, From tag or branch is let pass: they were optional
/// in RFC 2543 and §16.3, §12.1.1 and §17.2.3 say how to go on without.
///
/// # Errors
/// The status to answer with: 400 or 416. Media types (415), options (420),
/// methods (501) and hops (483) are for whoever serves the request.
pub fn validate(request: &Request) -> Result<(), Refusal> {
    let headers = &request.headers;
    let bad = |reason| Err(Refusal::new(400, reason));
    if !headers.has(&HeaderName::Via) {
        return bad("Missing Via");
    }
    let Ok(via) = headers.via() else { return bad("Bad Via") };
    // RFC 3261 §8.1.1.7: something unique follows the cookie.
    if via.branch().is_some_and(|b| b.eq_ignore_ascii_case(MAGIC_COOKIE)) {
        return bad("Bad Via Branch");
    }
    for (name, missing, several) in SINGLE {
        match headers.count(&name) {
            0 => return bad(missing),
            1 => {}
            _ => return bad(several),
        }
    }
    if headers.count(&HeaderName::MaxForwards) > 1 || headers.count(&HeaderName::ContentType) > 1 {
        return bad("Several Values Where One Belongs");
    }
    if !all(headers.call_id(), WORD) {
        return bad("Bad Call-ID");
    }
    match headers.cseq() {
        Ok(cseq) if cseq.method == request.method => {}
        Ok(_) => return bad("CSeq Method Mismatch"),
        Err(_) => return bad("Bad CSeq"),
    }
    if headers.max_forwards().is_err() {
        return bad("Bad Max-Forwards");
    }
    if headers.from().is_err() {
        return bad("Bad From");
    }
    let Ok(to) = headers.to() else { return bad("Bad To") };
    // RFC 3261 §10.3 step 4: the registrar knows addresses-of-record only.
    if request.method == Method::Register && matches!(to.uri.scheme, Scheme::Other(_)) {
        return bad("To Is No Address-of-Record");
    }
    check_routing(request)
}

fn check_routing(request: &Request) -> Result<(), Refusal> {
    let bad = |reason| Err(Refusal::new(400, reason));
    // RFC 3261 §8.2.2.1.
    if let Scheme::Other(_) = request.uri.scheme {
        return Err(Refusal::new(416, "Unsupported URI Scheme"));
    }
    // RFC 3261 §19.1.1: no headers in a Request-URI; they would become the request's own.
    if request.uri.headers.is_some() {
        return bad("Headers in Request-URI");
    }
    if request.headers.contacts().is_err() {
        return bad("Bad Contact");
    }
    if request.headers.route().is_err() || request.headers.record_route().is_err() {
        return bad("Bad Route");
    }
    if request.headers.content_type().is_err() {
        return bad("Bad Content-Type");
    }
    Ok(())
}

/// Mandatory and once (RFC 3261 §8.1.1, §7.3.1).
const SINGLE: [(HeaderName, &str, &str); 4] = [
    (HeaderName::From, "Missing From", "Several From"),
    (HeaderName::To, "Missing To", "Several To"),
    (HeaderName::CallId, "Missing Call-ID", "Several Call-ID"),
    (HeaderName::CSeq, "Missing CSeq", "Several CSeq"),
];

/// Checks a response to a request of ours.
///
/// # Errors
/// Why it is to be dropped.
pub fn validate_response(response: &Response) -> Result<(), &'static str> {
    let headers = &response.headers;
    // RFC 3261 §8.1.3.3: more than one Via means it went astray.
    if headers.all_bytes(&HeaderName::Via).count() != 1 || headers.values(&HeaderName::Via).count() != 1 {
        return Err("not exactly one Via");
    }
    headers.via().map_err(|e| e.what)?;
    for (name, missing, several) in SINGLE {
        match headers.count(&name) {
            0 => return Err(missing),
            1 => {}
            _ => return Err(several),
        }
    }
    if headers.call_id().is_empty() {
        return Err("bad Call-ID");
    }
    headers.cseq().map_err(|e| e.what)?;
    headers.from().map_err(|e| e.what)?;
    headers.to().map_err(|e| e.what)?;
    Ok(())
}
