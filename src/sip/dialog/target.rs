//! Where the requests of a dialog go: remote target and route set.
//!
//! RFC 3261 §12.1 (how they come about), §12.2 (how the target changes) and
//! §12.2.1.1 (loose and strict routers).

use crate::sip::error::Refusal;
use crate::sip::message::{HeaderName, Headers, Method, NameAddr, Request, Scheme, Uri};

/// True for requests that move the remote target: RFC 3261 §12.2.1.2, RFC 3311
/// §5.2, RFC 6665 §4.4.1, RFC 3515.
pub fn refreshes_target(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Notify | Method::Refer)
}

/// The remote target that a Contact names; `None` if there is no Contact.
///
/// # Errors
/// 400 for a Contact that cannot be a Request-URI: `*`, several, or not SIP.
pub fn of_contact(headers: &Headers) -> Result<Option<Uri>, Refusal> {
    if !headers.has(&HeaderName::Contact) {
        return Ok(None);
    }
    let contacts = headers.contacts()?;
    // RFC 3261 §8.1.1.8: exactly one, a SIP or SIPS URI.
    match contacts.list() {
        [contact] if contact.uri.is_sip() => Ok(Some(as_request_uri(&contact.uri))),
        _ => Err(Refusal::new(400, "Bad Contact")),
    }
}

/// The URI as it may stand in a request line: RFC 3261 §19.1.1 takes headers
/// and the method parameter from it.
pub fn as_request_uri(uri: &Uri) -> Uri {
    let mut uri = uri.clone();
    uri.headers = None;
    uri.params.remove("method");
    uri
}

/// The route set of the side that was called: Record-Route in order (§12.1.1).
///
/// # Errors
/// 400 if Record-Route cannot be read.
pub fn route_set_of_request(request: &Request) -> Result<Vec<NameAddr>, Refusal> {
    Ok(request.headers.record_route()?)
}

/// The route set of the calling side: Record-Route of the response reversed
/// (§12.1.2).
///
/// # Errors
/// 400 if Record-Route cannot be read.
pub fn route_set_of_response(headers: &Headers) -> Result<Vec<NameAddr>, Refusal> {
    let mut routes = headers.record_route()?;
    routes.reverse();
    Ok(routes)
}

/// Request-URI and Route values for a remote target and a route set
/// (RFC 3261 §12.2.1.1).
pub fn request_line(target: &Uri, routes: &[NameAddr]) -> (Uri, Vec<String>) {
    match routes.split_first() {
        None => (target.clone(), Vec::new()),
        Some((first, _)) if first.uri.is_loose() => (target.clone(), routes.iter().map(ToString::to_string).collect()),
        // A strict router: it takes the Request-URI, and the target goes last.
        Some((first, rest)) => {
            let mut values: Vec<_> = rest.iter().map(ToString::to_string).collect();
            values.push(NameAddr::new(target.clone()).to_string());
            (as_request_uri(&first.uri), values)
        }
    }
}

/// Where such a request is sent: the first Route, or the target (§8.1.2).
pub fn next_hop<'a>(target: &'a Uri, routes: &'a [NameAddr]) -> &'a Uri {
    routes.first().map_or(target, |route| &route.uri)
}

/// True if a dialog begun by a request to `uri` on such a flow is secure
/// (§12.1.1, §12.1.2).
pub fn is_secure(over_tls: bool, uri: &Uri) -> bool {
    over_tls && uri.scheme == Scheme::Sips
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(s: &str) -> Uri {
        Uri::parse(s).expect("test URI")
    }

    fn route(s: &str) -> NameAddr {
        NameAddr::parse(s).expect("test route")
    }

    #[test]
    fn loose_routers_leave_the_request_uri_alone() {
        let routes = [route("<sip:p1;lr>"), route("<sip:p2>")];
        let (line, values) = request_line(&uri("sip:bob@192.0.2.2"), &routes);
        assert_eq!(
            (line.to_string().as_str(), values),
            ("sip:bob@192.0.2.2", vec!["<sip:p1;lr>".into(), "<sip:p2>".into()])
        );
        assert_eq!(next_hop(&uri("sip:bob@b"), &routes).to_string(), "sip:p1;lr");
    }

    #[test]
    fn a_strict_router_takes_the_request_uri() {
        let routes = [route("<sip:p1?x=y>"), route("<sip:p2;lr>")];
        let (line, values) = request_line(&uri("sip:bob@192.0.2.2"), &routes);
        assert_eq!(line.to_string(), "sip:p1");
        assert_eq!(values, ["<sip:p2;lr>", "<sip:bob@192.0.2.2>"]);
    }

    #[test]
    fn a_contact_becomes_a_target_without_what_a_request_line_forbids() {
        let mut headers = Headers::new();
        assert_eq!(of_contact(&headers), Ok(None));
        headers.push(HeaderName::Contact, "<sip:bob@192.0.2.2;transport=tcp;method=BYE?Route=%3Csip:x%3E>;expires=3");
        let target = of_contact(&headers).expect("a contact").expect("is there");
        assert_eq!(target.to_string(), "sip:bob@192.0.2.2;transport=tcp");
        for bad in ["*", "<sip:a>, <sip:b>", "<tel:+49>", "<"] {
            headers.set(HeaderName::Contact, bad);
            assert_eq!(of_contact(&headers).map_err(|refusal| refusal.status), Err(400), "{bad}");
        }
    }
}
