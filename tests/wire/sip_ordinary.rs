//! Ordinary messages read by us and by `rsip`, an independent reader: where
//! both understand a message, they understand the same.

use bytes::Bytes;
use rsip::prelude::{HeadersExt, ToTypedHeader, UntypedHeader};
use sbc::sip::message::{Message, parse};

const INVITE: &str = "INVITE sip:bob@biloxi.com SIP/2.0\r\n\
Via: SIP/2.0/UDP pc33.atlanta.com:5066;branch=z9hG4bK776asdhds\r\n\
Max-Forwards: 70\r\n\
To: Bob <sip:bob@biloxi.com>\r\n\
From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
Call-ID: a84b4c76e66710@pc33.atlanta.com\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:alice@pc33.atlanta.com:5066>\r\n\
Allow: INVITE, ACK, BYE, CANCEL\r\n\
User-Agent: phone/1.0\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 4\r\n\
\r\n\
v=0\n";

const REGISTER: &str = "REGISTER sip:registrar.biloxi.com SIP/2.0\r\n\
Via: SIP/2.0/TCP 192.0.2.4;branch=z9hG4bKnashds7;rport\r\n\
Max-Forwards: 69\r\n\
To: <sip:bob@biloxi.com>\r\n\
From: \"Bob\" <sip:bob@biloxi.com>;tag=456248\r\n\
Call-ID: 843817637684230@998sdasdh09\r\n\
CSeq: 1826 REGISTER\r\n\
Contact: <sip:bob@192.0.2.4>;expires=60\r\n\
Expires: 7200\r\n\
Content-Length: 0\r\n\
\r\n";

const RINGING: &str = "SIP/2.0 180 Ringing\r\n\
Via: SIP/2.0/UDP server10.biloxi.com;branch=z9hG4bK4b43c2ff8.1;received=192.0.2.3\r\n\
To: Bob <sip:bob@biloxi.com>;tag=a6c85cf\r\n\
From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n\
Call-ID: a84b4c76e66710\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:bob@192.0.2.4>\r\n\
Content-Length: 0\r\n\
\r\n";

fn fields<'a>(headers: impl Iterator<Item = &'a rsip::Header>) -> Vec<String> {
    headers.map(ToString::to_string).filter(|h| !h.starts_with("Content-Length")).collect()
}

fn ours(headers: &sbc::sip::message::Headers) -> Vec<String> {
    let text = |(n, v): (&sbc::sip::message::HeaderName, &[u8])| format!("{n}: {}", String::from_utf8_lossy(v));
    headers.iter().map(text).filter(|h| !h.starts_with("Content-Length")).collect()
}

/// Checks what is typed alike in requests and responses.
fn same_typed(theirs: &impl HeadersExt, ours: &sbc::sip::message::Headers) {
    let via = theirs.via_header().expect("Via").typed().expect("typed");
    let our_via = ours.via().expect("Via");
    assert_eq!(via.branch().map(|b| b.value().to_owned()).as_deref(), our_via.branch());
    assert_eq!(via.uri.host_with_port.port.as_ref().map(|p| *p.value()), our_via.port);
    assert_eq!(via.uri.host_with_port.host.to_string(), our_via.host.to_string());
    let from = theirs.from_header().expect("From").typed().expect("typed");
    assert_eq!(from.uri.to_string(), ours.from().expect("From").uri.to_string());
    assert_eq!(from.tag().map(|t| t.value().to_owned()).as_deref(), ours.from().expect("From").tag());
    let to = theirs.to_header().expect("To").typed().expect("typed");
    assert_eq!(to.tag().map(|t| t.value().to_owned()).as_deref(), ours.to().expect("To").tag());
    assert_eq!(theirs.call_id_header().expect("Call-ID").value(), ours.call_id());
    let cseq = theirs.cseq_header().expect("CSeq").typed().expect("typed");
    let our_cseq = ours.cseq().expect("CSeq");
    assert_eq!((cseq.seq, cseq.method.to_string()), (our_cseq.seq, our_cseq.method.to_string()));
    let contact = theirs.contact_header().expect("Contact").typed().expect("typed");
    assert_eq!(contact.uri.to_string(), ours.contacts().expect("Contact").list()[0].uri.to_string());
}

#[test]
fn requests_mean_the_same_to_both() {
    for text in [INVITE, REGISTER] {
        let theirs = rsip::Request::try_from(text.as_bytes()).expect("rsip reads it");
        let Ok(Message::Request(mine)) = parse(&Bytes::from_static(text.as_bytes())) else {
            panic!("we do not read it")
        };
        assert_eq!(theirs.method.to_string(), mine.method.to_string());
        assert_eq!(theirs.uri.to_string(), mine.uri.to_string());
        assert_eq!(fields(theirs.headers.iter()), ours(&mine.headers));
        assert_eq!(theirs.body, mine.body);
        same_typed(&theirs, &mine.headers);
        let again = rsip::Request::try_from(&mine.to_bytes()[..]).expect("rsip reads what we write");
        assert_eq!(fields(again.headers.iter()), fields(theirs.headers.iter()));
    }
}

#[test]
fn responses_mean_the_same_to_both() {
    let theirs = rsip::Response::try_from(RINGING.as_bytes()).expect("rsip reads it");
    let Ok(Message::Response(mine)) = parse(&Bytes::from_static(RINGING.as_bytes())) else {
        panic!("we do not read it")
    };
    assert_eq!(theirs.status_code.code(), mine.status);
    assert_eq!(fields(theirs.headers.iter()), ours(&mine.headers));
    same_typed(&theirs, &mine.headers);
}

#[test]
fn what_is_written_is_what_was_read() {
    for text in [INVITE, REGISTER, RINGING] {
        let message = parse(&Bytes::from_static(text.as_bytes())).expect("well-formed");
        assert_eq!(String::from_utf8(message.to_bytes().into()).expect("ASCII"), text);
    }
}
