//! What crosses from one leg to the other, and what we say of ourselves.
//!
//! Headers cross by an allow list: names and numbers of the parties, asserted
//! identity within the trust domain (RFC 3325), privacy wishes (RFC 3323),
//! Subject, the session identifier (RFC 7989), causes (RFC 3326) and the count
//! of hops. Nothing else of one side is ever copied: each request and response
//! is written from scratch with our own addresses.

use super::call::{Call, Caller};
use super::config::{Config, Realm};
use super::leg::Target;
use crate::base::{Flow, Leg, Now, limits};
use crate::sip::message::{HeaderName, Host, Method, NameAddr, Reason, Request, Response, Uri, reason_phrase};

/// Methods that we answer with something other than 405 or 501.
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER";

/// Methods inside a dialog; REGISTER has no business there.
pub const ALLOW_IN_DIALOG: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

/// The one body that calls carry.
pub const SDP: &str = "application/sdp";

/// A response of ours: the request's own identifiers, our phrase, our product.
pub fn reply(config: &Config, request: &Request, status: u16) -> Response {
    let mut response = Response::to_request(request, status, reason_phrase(status));
    response.headers.push(HeaderName::Server, &config.product);
    if status == 405 || status == 501 {
        // RFC 3261 §8.2.1: 405 names what is allowed; it helps with 501 as well.
        response.headers.push(HeaderName::Allow, ALLOW);
    }
    response
}

/// A response to the A leg's INVITE or to a re-INVITE: our tag, and for those
/// that make or refresh a dialog our Contact and the Record-Route (§12.1.1).
pub fn dialog_reply(config: &Config, call: &Call, leg: Leg, request: &Request, status: u16) -> Response {
    let mut response = reply(config, request, status);
    let Some(party) = call.party(leg) else { return response };
    response.set_to_tag(&party.dialog.id.local_tag);
    response.headers.push(HeaderName::SessionId, session_id(&call.caller, leg));
    if (101..300).contains(&status) {
        response.headers.copy_all(&HeaderName::RecordRoute, &request.headers);
        response.headers.push(HeaderName::Contact, contact(config, &party.dialog.flow, None).to_string());
        response.headers.push(HeaderName::Allow, ALLOW_IN_DIALOG);
    }
    response
}

/// Our Contact on a flow: the address of its listener (RFC 7118 §5 has
/// `transport=ws` for both kinds of WebSocket).
pub fn contact(config: &Config, flow: &Flow, user: Option<&str>) -> NameAddr {
    let listener = config.realm(flow.realm).and_then(|r| r.listeners.iter().find(|l| l.local == flow.local));
    let at = listener.map_or(flow.local, |l| l.advertised);
    let uri = Uri::to_address(at).with_user(user.unwrap_or_default());
    NameAddr::new(uri.with_param("transport", flow.transport.uri_name()))
}

/// The host that our From and To have in a realm.
pub fn host(config: &Config, realm: &Realm, flow: &Flow) -> Host {
    match realm.domain.as_deref().and_then(Host::parse) {
        Some(host) => host,
        None => contact(config, flow, None).uri.host,
    }
}

/// The B leg's INVITE, without a body.
pub fn invite(config: &Config, call: &Call, target: &Target, flow: &Flow, ids: Ids<'_>) -> Request {
    let caller = &call.caller;
    let mut request = Request::new(Method::Invite, target.uri.clone());
    let Some(realm) = config.realm(flow.realm) else { return request };
    let ours = host(config, realm, flow);
    let from = Uri::sip(ours.clone(), None).with_user(&target.from);
    let from = NameAddr::new(from).with_display(caller.display.as_deref().unwrap_or_default()).with_tag(ids.tag);
    let to = Uri::sip(to_host(target, &ours), None).with_user(&target.to);
    let h = &mut request.headers;
    h.push(HeaderName::MaxForwards, caller.max_forwards.to_string());
    h.push(HeaderName::From, from.to_string());
    h.push(HeaderName::To, NameAddr::new(to).to_string());
    h.push(HeaderName::CallId, ids.call_id);
    h.push(HeaderName::CSeq, format!("{} INVITE", ids.cseq));
    h.push(HeaderName::Contact, contact(config, flow, None).to_string());
    h.push(HeaderName::Allow, ALLOW_IN_DIALOG);
    h.push(HeaderName::UserAgent, &config.product);
    h.push(HeaderName::SessionId, session_id(caller, Leg::B));
    if let Some((user, display)) = caller.asserted.as_ref().filter(|_| realm.trusted) {
        // RFC 3325 §5: within the trust domain only.
        let identity = NameAddr::new(Uri::sip(ours, None).with_user(user));
        let identity = identity.with_display(display.as_deref().unwrap_or_default());
        h.push(HeaderName::PAssertedIdentity, identity.to_string());
    }
    if let Some(privacy) = &caller.privacy {
        h.push(HeaderName::Privacy, privacy);
    }
    if let Some(subject) = &caller.subject {
        h.push(HeaderName::Subject, subject);
    }
    request
}

/// What makes the B leg's INVITE unlike any other.
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a> {
    /// Our Call-ID.
    pub call_id: &'a str,
    /// Our tag.
    pub tag: &'a str,
    /// The number of the INVITE.
    pub cseq: u32,
}

/// A registered user is called at our own domain, everybody else at theirs:
/// the private host of a browser's Contact is nobody's business.
fn to_host(target: &Target, ours: &Host) -> Host {
    match &target.name {
        super::event::TargetName::User(_) | super::event::TargetName::Service(_) => ours.clone(),
        super::event::TargetName::Trunk(_) | super::event::TargetName::Uri(_) => target.uri.host.clone(),
    }
}

/// The Session-ID that a leg's peer is sent: the other side's identifier, then
/// its own as `remote` (RFC 7989 §6).
pub fn session_id(caller: &Caller, to: Leg) -> String {
    let (a, b) = (caller.session_a.as_str(), caller.session_b.as_deref().unwrap_or(NIL_SESSION));
    match to {
        Leg::A => format!("{b};remote={a}"),
        Leg::B => format!("{a};remote={b}"),
    }
}

/// The sender's own identifier of a Session-ID header: 32 lower-case
/// hexadecimal digits, and not the nil one (RFC 7989 §5).
pub fn read_session_id(value: Option<&str>) -> Option<String> {
    let id = value?.split(';').next()?.trim();
    let valid = id.len() == 32 && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c));
    (valid && id != NIL_SESSION).then(|| id.to_owned())
}

/// Reads what crosses of an INVITE. The realm decides whether its
/// P-Asserted-Identity is believed.
pub fn read_caller(request: &Request, realm: &Realm) -> Caller {
    let from = request.from().ok();
    let asserted = request.headers.addresses(&HeaderName::PAssertedIdentity).unwrap_or_default();
    let asserted = asserted.into_iter().find(|a| a.uri.user.is_some()).filter(|_| realm.trusted);
    let number = |uri: &Uri| bounded(&uri.user_decoded());
    Caller {
        display: from.as_ref().and_then(|f| f.display.as_deref()).map(bounded),
        from: from.as_ref().map(|f| number(&f.uri)).unwrap_or_default(),
        to: number(&request.uri),
        request_uri: bounded(&request.uri.to_string()),
        asserted: asserted.map(|a| (number(&a.uri), a.display.as_deref().map(bounded))),
        privacy: request.headers.get(&HeaderName::Privacy).map(bounded),
        subject: request.headers.get(&HeaderName::Subject).map(bounded),
        session_a: String::new(),
        session_b: None,
        max_forwards: 0,
        user: None,
        trunk: None,
        realm: Default::default(),
        source: None,
        call_id_header: request.call_id().to_owned(),
    }
}

/// Why the other side ended a dialog, as far as it may be known: the cause
/// values of RFC 3326 with our own words.
pub fn crossing_reasons(request: &Request) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for reason in request.headers.reasons() {
        let ours = match (&*reason.protocol, reason.cause) {
            (p, Some(cause)) if p.eq_ignore_ascii_case("SIP") && (100..700).contains(&cause) => {
                Reason::sip(cause, reason_phrase(cause))
            }
            (p, Some(cause)) if p.eq_ignore_ascii_case("Q.850") && cause < 128 => {
                Reason { text: None, ..Reason::q850(cause, "") }
            }
            (_, Some(_) | None) => continue,
        };
        if reasons.len() < 2 && !reasons.iter().any(|r| r.protocol == ours.protocol) {
            reasons.push(ours);
        }
    }
    reasons
}

/// `text` cut at the bound of what crosses, at a character.
pub fn bounded(text: &str) -> String {
    let mut end = text.len().min(limits::CROSSING_VALUE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The Date header's value (RFC 3261 §20.17: RFC 1123 form, GMT).
pub fn date(now: Now) -> String {
    let secs = now.wall.secs();
    let iso = now.wall.to_string();
    // 1970-01-01 was a Thursday.
    let day = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(secs / 86_400 % 7) as usize];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = iso.get(5..7).and_then(|m| m.parse::<usize>().ok()).and_then(|m| months.get(m.wrapping_sub(1)));
    let part = |range| iso.get(range).unwrap_or_default();
    format!("{day}, {} {} {} {} GMT", part(8..10), month.copied().unwrap_or_default(), part(0..4), part(11..19))
}

/// "No identifier yet" (RFC 7989 §5).
pub const NIL_SESSION: &str = "00000000000000000000000000000000";

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::message::{Message, parse};

    fn request(headers: &str) -> Request {
        let text = format!("BYE sip:a@b SIP/2.0\r\n{headers}\r\n");
        match parse(&Bytes::from(text.into_bytes())) {
            Ok(Message::Request(r)) => r,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn causes_cross_and_words_do_not() {
        let bye =
            request("Reason: SIP;cause=600;text=\"at host7.inside.example\", Q.850;cause=17;text=\"x\", X;cause=1\r\n");
        let text: Vec<String> = crossing_reasons(&bye).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["SIP;cause=600;text=\"Busy Everywhere\"", "Q.850;cause=17"]);
    }

    #[test]
    fn only_well_formed_session_identifiers_are_taken() {
        let good = "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000";
        assert_eq!(read_session_id(Some(good)).as_deref(), Some("ab30317f1a784dc48ff824d0d3715d86"));
        for bad in [NIL_SESSION, "AB30317F1A784DC48FF824D0D3715D86", "x", ""] {
            assert_eq!(read_session_id(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn dates_are_those_of_rfc_1123() {
        assert_eq!(date(Now::from_millis(0, 1_795_189_440_123)), "Fri, 20 Nov 2026 15:44:00 GMT");
    }

    #[test]
    fn long_values_are_cut_at_a_character() {
        assert_eq!(bounded(&"é".repeat(1000)).len(), 1024);
        assert_eq!(bounded(&format!("x{}", "é".repeat(1000))).len(), 1023);
    }
}
