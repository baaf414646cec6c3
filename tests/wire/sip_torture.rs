//! Every message of RFC 4475 and RFC 5118, and the answer that the folder's
//! `expected.tsv` asks for, as far as reading and validating decide it. Where
//! the RFC leaves a choice, the strict one is taken: a border forwards nothing
//! that the next hop could read in another way.

use std::path::PathBuf;

use bytes::Bytes;
use sbc::sip::message::{
    Contacts, HeaderName, Host, Message, Method, Request, Response, Scheme, parse, validate, validate_response,
};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name)
}

/// The archive leaves out the empty line of `baddn`.
fn rfc4475(name: &str) -> Bytes {
    let mut bytes = std::fs::read(folder("rfc4475").join(format!("{name}.dat"))).expect("the message is in the folder");
    if name == "baddn" {
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.into()
}

/// RFC 5118's archive has bare line feeds, which are CRLF on the wire; it
/// leaves out the empty line of two messages, and `ipv6-in-sdp` promises 17
/// octets of body that are not there.
fn rfc5118(name: &str) -> Bytes {
    let text = std::fs::read_to_string(folder("rfc5118").join(name)).expect("the message is in the folder");
    let mut text = text.replace('\n', "\r\n").replace("Content-Length: 268", "Content-Length: 251");
    if !text.contains("\r\n\r\n") {
        text.push_str("\r\n");
    }
    text.into()
}

fn names(rfc: &str) -> Vec<String> {
    let table = std::fs::read_to_string(folder(rfc).join("expected.tsv")).expect("the table is in the folder");
    table.lines().skip(1).filter_map(|l| l.split('\t').next()).map(str::to_owned).collect()
}

/// What becomes of a message: `accept`, the answer, or why it is dropped.
fn outcome(bytes: &Bytes) -> String {
    match parse(bytes) {
        Ok(Message::Request(r)) => match validate(&r) {
            Ok(()) => "accept".into(),
            Err(refusal) => refusal.to_string(),
        },
        Ok(Message::Response(r)) => match validate_response(&r) {
            Ok(()) => "accept".into(),
            Err(why) => format!("drop: {why}"),
        },
        Err(error) => match error.reply {
            Some(reply) => format!("{} {}", reply.status, reply.reason),
            None => format!("drop: {}", error.what),
        },
    }
}

fn request(bytes: &Bytes) -> Request {
    match parse(bytes) {
        Ok(Message::Request(r)) => r,
        other => panic!("not a request: {other:?}"),
    }
}

fn response(bytes: &Bytes) -> Response {
    match parse(bytes) {
        Ok(Message::Response(r)) => r,
        other => panic!("not a response: {other:?}"),
    }
}

const RFC4475: [(&str, &str); 50] = [
    ("wsinv", "accept"),
    ("intmeth", "accept"),
    ("esc01", "accept"),
    ("escnull", "accept"),
    ("esc02", "accept"),
    ("lwsdisp", "accept"),
    ("longreq", "accept"),
    ("dblreq", "accept"),
    ("semiuri", "accept"),
    ("transports", "accept"),
    ("mpart01", "accept"),
    ("unreason", "accept"),
    ("noreason", "accept"),
    ("badinv01", "400 Bad Via"),
    ("clerr", "400 body shorter than Content-Length"),
    ("ncl", "400 bad Content-Length"),
    ("scalar02", "400 Bad CSeq"),
    ("scalarlg", "drop: bad CSeq number"),
    ("quotbal", "400 Bad To"),
    ("ltgtruri", "400 bad Request-URI"),
    ("lwsruri", "400 bad Request-URI"),
    ("lwsstart", "400 bad Request-URI"),
    ("trws", "400 bad request line"),
    ("escruri", "400 Headers in Request-URI"),
    ("baddate", "accept"),
    ("regbadct", "400 Bad Contact"),
    ("badaspec", "400 Bad To"),
    ("baddn", "400 Bad From"),
    ("badvers", "505 Version Not Supported"),
    ("mismatch01", "400 CSeq Method Mismatch"),
    ("mismatch02", "400 CSeq Method Mismatch"),
    ("bigcode", "drop: bad status line"),
    ("badbranch", "400 Bad Via Branch"),
    ("insuf", "400 Missing From"),
    ("unkscm", "416 Unsupported URI Scheme"),
    ("novelsc", "416 Unsupported URI Scheme"),
    ("unksm2", "400 To Is No Address-of-Record"),
    ("bext01", "accept"),
    ("invut", "accept"),
    ("regaut01", "accept"),
    ("multi01", "400 Several From"),
    ("mcl01", "400 several Content-Length headers"),
    ("bcast", "drop: not exactly one Via"),
    ("zeromf", "accept"),
    ("cparam01", "accept"),
    ("cparam02", "accept"),
    ("regescrt", "accept"),
    ("sdp01", "accept"),
    ("inv2543", "accept"),
    ("test", "drop: header without a colon"),
];

const RFC5118: [(&str, &str); 12] = [
    ("ipv6-good", "accept"),
    ("ipv6-bad", "400 bad Request-URI"),
    ("port-ambiguous", "accept"),
    ("port-unambiguous", "accept"),
    ("via-received-param-with-delim", "accept"),
    ("via-received-param-no-delim", "accept"),
    ("ipv6-in-sdp", "accept"),
    ("mult-ip-in-header", "accept"),
    ("mult-ip-in-sdp", "accept"),
    ("ipv4-mapped-ipv6", "accept"),
    ("ipv6-bug-abnf-3-colons", "accept"),
    ("ipv6-correct-abnf-2-colons", "accept"),
];

#[test]
fn every_rfc_4475_message_gets_its_answer() {
    assert_eq!(names("rfc4475"), RFC4475.map(|(name, _)| name));
    let found = RFC4475.map(|(name, _)| (name, outcome(&rfc4475(name))));
    assert_eq!(found, RFC4475.map(|(name, expected)| (name, expected.to_owned())));
}

#[test]
fn every_rfc_5118_message_gets_its_answer() {
    assert_eq!(names("rfc5118"), RFC5118.map(|(name, _)| name));
    let found = RFC5118.map(|(name, _)| (name, outcome(&rfc5118(name))));
    assert_eq!(found, RFC5118.map(|(name, expected)| (name, expected.to_owned())));
}

fn all_messages() -> Vec<Bytes> {
    let first = names("rfc4475").into_iter().map(|n| rfc4475(&n));
    first.chain(names("rfc5118").into_iter().map(|n| rfc5118(&n))).collect()
}

#[test]
fn a_message_cut_anywhere_never_panics() {
    for message in all_messages() {
        for len in 0..=message.len() {
            sbc::sip::message::fuzz::sip_message(&message[..len]);
        }
    }
}

#[test]
fn a_message_with_any_byte_changed_never_panics() {
    for message in all_messages() {
        let mut bytes = message.to_vec();
        for at in 0..bytes.len() {
            let kept = bytes[at];
            for other in [0, b'\r', b'\n', b' ', b'"', b'<', b',', b';', b':', b'%', 0xff] {
                bytes[at] = other;
                sbc::sip::message::fuzz::sip_message(&bytes);
            }
            bytes[at] = kept;
        }
    }
}

// RFC 4475 §3.1.1: what the valid ones mean.

#[test]
fn wsinv_reads_through_folds_and_blanks() {
    let r = request(&rfc4475("wsinv"));
    assert_eq!(r.to().expect("To").tag(), Some("1918181833n"));
    let from = r.from().expect("From");
    assert_eq!((from.display.as_deref(), from.tag()), (Some("J Rosenberg \\\""), Some("98asjd8")));
    assert_eq!(r.max_forwards(), Ok(Some(68)));
    assert_eq!(r.cseq().expect("CSeq").to_string(), "9 INVITE");
    let vias: Vec<_> = r.headers.vias().expect("Via").iter().map(|v| v.to_string()).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
            "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
            "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239"
        ]
    );
    assert_eq!(r.headers.get(&HeaderName::Subject), Some(""));
    assert_eq!(r.headers.get(&"NewFangledHeader".into()), Some("newfangled value continued newfangled value"));
    assert_eq!(r.headers.get(&"unknownheaderwithunusualvalue".into()), Some(";;,,;;,;"));
    let contact = r.contacts().expect("Contact").first().cloned().expect("one");
    assert_eq!((contact.display.as_deref(), contact.q()), (Some("Quoted string \"\""), 330));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    let route = r.route().expect("Route");
    assert!(route[0].uri.is_loose() && route[0].uri.params.has("unknown-no-value"));
    assert_eq!(r.body.len(), 150);
}

#[test]
fn intmeth_keeps_odd_tokens_and_bytes() {
    let r = request(&rfc4475("intmeth"));
    assert_eq!(r.method, Method::Other("!interesting-Method0123456789_*+`.%indeed'~".into()));
    assert_eq!(r.uri.host, Host::Name("example.com".into()));
    assert_eq!(r.to().expect("To").display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    let raw = r.headers.get_bytes(&HeaderName::To).expect("To").to_vec();
    let answer = Response::to_request(&r, 501, "");
    assert_eq!(answer.headers.get_bytes(&HeaderName::To), Some(&raw[..]), "an answer carries it unchanged");
    assert_eq!(r.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert!(r.headers.has(&"extensionHeader-!.%*+_`'~".into()));
}

#[test]
fn escapes_are_undone_only_where_they_are_asked_for() {
    let r = request(&rfc4475("esc01"));
    assert_eq!(r.uri.scheme, Scheme::Sip);
    assert_eq!(r.uri.user_decoded(), "sips:user@example.com");
    assert_eq!(r.uri.to_string(), "sip:sips%3Auser%40example.com@example.net");
    let r = request(&rfc4475("escnull"));
    let Contacts::List(list) = r.contacts().expect("Contact") else { panic!("a list") };
    let users: Vec<_> = list.iter().map(|c| c.uri.user_decoded().into_owned()).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    assert!(!list[0].uri.equivalent(&list[1].uri));
    assert_eq!(request(&rfc4475("esc02")).method, Method::Other("RE%47IST%45R".into()));
    assert_eq!(request(&rfc4475("lwsdisp")).from().expect("From").display.as_deref(), Some("caller"));
}

#[test]
fn dblreq_ends_where_content_length_says() {
    let r = request(&rfc4475("dblreq"));
    assert_eq!((r.method.clone(), r.body.len()), (Method::Register, 0));
    assert!(!String::from_utf8_lossy(&r.to_bytes()).contains("INVITE"));
}

#[test]
fn semiuri_transports_and_parts() {
    let r = request(&rfc4475("semiuri"));
    assert_eq!(r.uri.user_decoded(), "user;par=u@example.net");
    let names: Vec<_> =
        request(&rfc4475("transports")).headers.vias().expect("Via").into_iter().map(|v| v.transport).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
    let r = request(&rfc4475("mpart01"));
    assert!(r.content_type().expect("Content-Type").is_some_and(|t| t.is("multipart", "mixed")));
    assert!(r.body.contains(&0));
}

#[test]
fn responses_with_odd_reasons() {
    let r = response(&rfc4475("unreason"));
    assert!(r.reason.starts_with("= 2**3 * 5**2 но"), "{}", r.reason);
    assert_eq!(response(&rfc4475("noreason")).reason, "");
}

// RFC 4475 §3.3: what whoever serves the request needs to refuse it.

#[test]
fn application_answers_have_what_they_need() {
    let r = request(&rfc4475("bext01"));
    assert_eq!(
        r.headers.unknown_options(&HeaderName::Require, &["timer"]),
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    assert_eq!(
        r.headers.unknown_options(&HeaderName::ProxyRequire, &[]),
        ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]
    );
    let kind = request(&rfc4475("invut")).content_type().expect("Content-Type").expect("there");
    assert!(kind.is("application", "unknownformat") && !kind.is_sdp());
    let credentials = request(&rfc4475("regaut01")).headers.credentials(&HeaderName::Authorization);
    assert_eq!(credentials[0].scheme, "NoOneKnowsThisScheme");
    assert_eq!(request(&rfc4475("zeromf")).max_forwards(), Ok(Some(0)));
    assert!(!request(&rfc4475("sdp01")).headers.accepts("application", "sdp"));
    assert!(request(&rfc4475("inv2543")).via().expect("Via").branch().is_none());
}

#[test]
fn contact_parameters_stay_on_their_side_of_the_bracket() {
    let one = |name| request(&rfc4475(name)).contacts().expect("Contact").first().cloned().expect("one");
    let (c1, c2, escaped) = (one("cparam01"), one("cparam02"), one("regescrt"));
    assert!(c1.params.has("unknownparam") && c1.uri.params.is_empty());
    assert!(c2.uri.params.has("unknownparam") && c2.params.is_empty());
    assert_eq!(escaped.uri.headers.as_deref(), Some("Route=%3Csip:sip.example.com%3E"));
}

// RFC 5118 §4.

#[test]
fn ipv6_references_are_read_as_meant() {
    let uri = request(&rfc5118("port-ambiguous")).uri;
    assert_eq!((uri.host.to_string().as_str(), uri.port), ("[2001:db8::10:5070]", None));
    let uri = request(&rfc5118("port-unambiguous")).uri;
    assert_eq!((uri.host.to_string().as_str(), uri.port), ("[2001:db8::10]", Some(5070)));
    let via = request(&rfc5118("via-received-param-with-delim")).via().expect("Via");
    assert_eq!(via.received(), "2001:db8::9:255".parse().ok());
    assert_eq!(request(&rfc5118("mult-ip-in-header")).headers.vias().expect("Via").len(), 3);
    let bug = request(&rfc5118("ipv6-bug-abnf-3-colons")).uri;
    assert_eq!(bug.to_string(), "sip:user@[2001:db8::c000:201]");
    assert_eq!(bug, request(&rfc5118("ipv6-correct-abnf-2-colons")).uri);
}
