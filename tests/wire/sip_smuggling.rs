//! Header smuggling: nothing may be one message to us and another to the next
//! hop, and nothing a peer says may become a header of ours.

use bytes::Bytes;
use sbc::sip::message::{HeaderName, Message, Method, NameAddr, Reason, Request, Response, Uri, parse};

fn with_line(line: &[u8]) -> Bytes {
    let mut out = b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\n".to_vec();
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n\r\nbody");
    out.into()
}

/// The answer, or `None` if the message was read.
fn refused(line: &[u8]) -> Option<(u16, String)> {
    let reply = parse(&with_line(line)).err()?.reply.expect("the sender can be told");
    Some((reply.status, reply.reason.to_string()))
}

#[test]
fn odd_bytes_around_the_colon_are_refused() {
    let cases: [(&[u8], &str); 13] = [
        (b"X\0: a", "bad header name"),
        (b"X\x0b: a", "bad header name"),
        (b"X Y: a", "bad header name"),
        (b"X\tY: a", "bad header name"),
        (b"X\xa0: a", "bad header name"),
        (b": a", "bad header name"),
        (b"X", "header without a colon"),
        (b"X: a\0b", "control character"),
        (b"X: a\rVia: b", "bare CR"),
        (b"X: a\r\rVia: b", "bare CR"),
        (b"X: a\nVia: b", "line end without CR"),
        (b"X: a\n\n", "line end without CR"),
        (b"X: a\n\rVia: b", "line end without CR"),
    ];
    for (line, why) in cases {
        assert_eq!(refused(line), Some((400, why.to_owned())), "{:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn blanks_before_the_colon_are_the_grammars_and_name_the_same_header() {
    for line in [&b"Content-Length : 2"[..], b"Content-Length\t: 2", b"l \t :2", b"CONTENT-LENGTH:\r\n 2"] {
        let Ok(Message::Request(r)) = parse(&with_line(line)) else { panic!("{:?}", String::from_utf8_lossy(line)) };
        assert_eq!(&r.body[..], b"bo", "{:?}", String::from_utf8_lossy(line));
    }
}

#[test]
fn percent_codes_do_not_spell_a_header() {
    for line in [&b"Content-Length%20: 2"[..], b"Content%2dLength: 2", b"%43ontent-Length: 2"] {
        let Ok(Message::Request(r)) = parse(&with_line(line)) else { panic!("{:?}", String::from_utf8_lossy(line)) };
        assert_eq!(&r.body[..], b"body");
        assert!(!r.headers.has(&HeaderName::ContentLength));
    }
}

#[test]
fn content_length_is_a_number_and_stands_once() {
    for value in ["-1", "+2", "0x2", "2 2", "2,2", "2;2", "", "\u{0662}", "99999999999999999999", "5", "1e0"] {
        let answer = refused(format!("Content-Length: {value}").as_bytes());
        assert_eq!(answer.map(|(status, _)| status), Some(400), "{value:?}");
    }
    assert_eq!(refused(b"Content-Length: 2\r\nl: 2"), Some((400, "several Content-Length headers".into())));
}

#[test]
fn a_body_that_looks_like_headers_stays_a_body() {
    let Ok(Message::Request(r)) = parse(&with_line(b"X: 1\r\n\r\nRoute: <sip:evil>")) else { panic!("well-formed") };
    assert!(!r.headers.has(&HeaderName::Route));
    assert!(r.to_bytes().ends_with(b"Content-Length: 25\r\n\r\nRoute: <sip:evil>\r\n\r\nbody"));
}

#[test]
fn nothing_of_ours_can_carry_a_line_end() {
    let evil = "x\r\nRoute: <sip:evil>\r\n\r\n";
    let mut r = Request::new(
        Method::Other(evil.into()),
        Uri::parse("sip:h").expect("URI").with_user(evil).with_param(evil, evil),
    );
    r.uri.headers = Some(evil.into());
    r.headers.push(HeaderName::Other(evil.into()), evil);
    r.headers.push(HeaderName::From, NameAddr::new(r.uri.clone()).with_display(evil).with_tag(evil).to_string());
    r.headers.push(HeaderName::Reason, Reason::sip(486, evil).to_string());
    r.headers.set(HeaderName::Subject, evil);
    r.headers.push_front(HeaderName::Via, evil);
    let mut answer = Response::to_request(&r, 486, evil);
    answer.set_to_tag(evil);
    for text in [r.to_bytes(), answer.to_bytes()] {
        let text = String::from_utf8(text.into()).expect("ours is UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("headers end");
        assert_eq!(body, "");
        assert!(!head.lines().any(|l| l.starts_with("Route")), "{head}");
        assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head}");
    }
}

#[test]
fn an_unreadable_request_is_answered_and_an_unreadable_ack_is_not() {
    let bytes = with_line(b"X");
    let reply = parse(&bytes).err().and_then(|e| e.reply).expect("answerable");
    let text = String::from_utf8(reply.to_bytes().into()).expect("ASCII");
    let (head, tag) = text.split_once("To: <sip:c@d>;tag=").expect("a To tag is added");
    assert_eq!(
        head,
        "SIP/2.0 400 header without a colon\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    );
    assert!(tag.ends_with("\r\nCall-ID: x@y\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"), "{tag}");
    let again = parse(&bytes).err().and_then(|e| e.reply);
    assert_eq!(again, Some(reply), "a retransmission gets the same answer");
    let ack = String::from_utf8(bytes.to_vec()).expect("ASCII").replace("OPTIONS", "ACK");
    assert_eq!(parse(&ack.into()).err().and_then(|e| e.reply), None);
}

#[test]
fn an_answer_repeats_no_control_character() {
    let to = String::from_utf8(with_line(b"X").to_vec()).expect("ASCII").replace("To: <sip:c@d>", "To: <sip:c\x17@d>");
    assert_eq!(parse(&to.into()).err().and_then(|e| e.reply), None, "no answer without a To");
    // Of two Vias neither may become the topmost by the other's fault.
    let vias =
        "OPTIONS sip:b SIP/2.0\r\nv: SIP/2.0/UDP h\r\nv: a\x17b\r\nf: u\r\nt: h\r\ni: c\r\nCSeq: 1 OPTIONS\r\n\r\n";
    let error = parse(&Bytes::from_static(vias.as_bytes())).expect_err("a control character");
    assert_eq!((error.what, error.reply), ("control character", None));
    // Elsewhere it stays out of the answer, which is given.
    assert_eq!(refused(b"X: a\x17b"), Some((400, "control character".into())));
}

#[test]
fn a_response_that_ends_before_its_body_is_dropped() {
    let short = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nContent-Length: 9\r\n\r\nbody";
    let error = parse(&Bytes::from_static(short)).expect_err("five octets are missing");
    assert_eq!((error.what, error.reply), ("body shorter than Content-Length", None));
}

#[test]
fn too_much_is_refused() {
    let many = "X: y\r\n".repeat(300);
    assert_eq!(refused(many.trim_end().as_bytes()), Some((400, "too many headers".into())));
    let long = format!("X: {}", "y".repeat(20_000));
    assert_eq!(refused(long.as_bytes()), Some((400, "line too long".into())));
    let folded = format!("X: y{}", "\r\n y".repeat(5_000));
    assert_eq!(refused(folded.as_bytes()), Some((400, "line too long".into())));
    let huge = with_line(format!("X: y\r\n\r\n{}", "z".repeat(70_000)).as_bytes());
    assert_eq!(parse(&huge).err().map(|e| e.what), Some("message too long"));
}
