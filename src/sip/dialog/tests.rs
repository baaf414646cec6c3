//! Dialogs from the first INVITE to requests inside them, as text.

use bytes::Bytes;

use super::*;
use crate::base::RealmId;
use crate::sip::message::{HeaderName, Message, Method, parse};

fn flow() -> Flow {
    let at = "192.0.2.1:5060".parse().expect("test address");
    Flow::udp(RealmId(0), at, at)
}

fn request(text: &str) -> Request {
    match parse(&Bytes::from(text.replace('\n', "\r\n"))) {
        Ok(Message::Request(request)) => request,
        other => panic!("test request: {other:?}"),
    }
}

fn response(text: &str) -> Response {
    match parse(&Bytes::from(text.replace('\n', "\r\n"))) {
        Ok(Message::Response(response)) => response,
        other => panic!("test response: {other:?}"),
    }
}

fn text(request: &Request) -> String {
    String::from_utf8_lossy(&request.to_bytes()).replace("\r\n", "\n")
}

fn invite() -> Request {
    request(
        "INVITE sip:bob@b.example SIP/2.0\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n\
         Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\n\
         From: \"Alice\" <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>\n\
         Call-ID: c1\n\
         CSeq: 7 INVITE\n\
         Proxy-Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:b\", response=\"0\"\n\
         Contact: <sip:alice@192.0.2.1:5062>\n\n",
    )
}

fn answer(status: u16, record_route: &str, contact: &str) -> Response {
    response(&format!(
        "SIP/2.0 {status} x\n\
         Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n\
         Record-Route: {record_route}\n\
         From: \"Alice\" <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>;tag=b1\n\
         Call-ID: c1\n\
         CSeq: 7 INVITE\n\
         Contact: {contact}\n\n"
    ))
}

#[test]
fn the_calling_side_sends_along_the_reversed_record_route() {
    let answer = answer(180, "<sip:p2;lr>, <sip:p1;lr>", "<sip:bob@192.0.2.2>");
    let mut dialog = Dialog::uac_from(&invite(), &answer, flow()).expect("a dialog");
    assert_eq!(dialog.state, State::Early);
    assert_eq!(dialog.next_hop().to_string(), "sip:p1;lr");
    assert_eq!(
        text(&dialog.request(Method::Update)),
        "UPDATE sip:bob@192.0.2.2 SIP/2.0\n\
         Max-Forwards: 70\n\
         Route: <sip:p1;lr>\n\
         Route: <sip:p2;lr>\n\
         From: \"Alice\" <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>;tag=b1\n\
         Call-ID: c1\n\
         CSeq: 8 UPDATE\n\
         Content-Length: 0\n\n"
    );
}

#[test]
fn a_2xx_confirms_and_computes_the_route_set_anew() {
    let early = answer(180, "<sip:p2;lr>, <sip:p1;lr>", "<sip:bob@192.0.2.2>");
    let mut dialog = Dialog::uac_from(&invite(), &early, flow()).expect("a dialog");
    let ok = answer(200, "<sip:p3;lr>", "<sip:bob@192.0.2.3>");
    dialog.confirm(&ok, flow()).expect("confirmed");
    assert_eq!((dialog.state, dialog.next_hop().to_string().as_str()), (State::Confirmed, "sip:p3;lr"));
    let again = answer(200, "<sip:p4;lr>", "<sip:bob@192.0.2.4>");
    dialog.confirm(&again, flow()).expect("confirmed again");
    assert_eq!(dialog.next_hop().to_string(), "sip:p3;lr", "the set of a confirmed dialog is fixed");
    assert_eq!(dialog.remote_target.to_string(), "sip:bob@192.0.2.4");
}

#[test]
fn the_ack_has_number_and_credentials_of_its_invite() {
    let ok = answer(200, "<sip:p1;lr>", "<sip:bob@192.0.2.2>");
    let dialog = Dialog::uac_from(&invite(), &ok, flow()).expect("a dialog");
    let ack = dialog.ack(&invite());
    assert_eq!(
        text(&ack),
        "ACK sip:bob@192.0.2.2 SIP/2.0\n\
         Max-Forwards: 70\n\
         Route: <sip:p1;lr>\n\
         From: \"Alice\" <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>;tag=b1\n\
         Call-ID: c1\n\
         CSeq: 7 ACK\n\
         Proxy-Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"sip:b\", response=\"0\"\n\
         Content-Length: 0\n\n"
    );
    let sent = SentAck::new(&dialog, &ack);
    assert!(sent.answers(&ok));
    assert!(!sent.answers(&answer(180, "<sip:p1;lr>", "<sip:bob@192.0.2.2>")));
}

#[test]
fn the_called_side_keeps_the_record_route_in_order() {
    let mut dialog = Dialog::uas_from(&invite(), "b1", flow()).expect("a dialog");
    assert_eq!(dialog.id.to_string(), "c1;local=b1;remote=a1");
    assert_eq!(
        text(&dialog.request(Method::Bye)),
        "BYE sip:alice@192.0.2.1:5062 SIP/2.0\n\
         Max-Forwards: 70\n\
         Route: <sip:p1.example;lr>\n\
         Route: <sip:p2.example;lr>\n\
         From: <sip:bob@b.example>;tag=b1\n\
         To: \"Alice\" <sip:alice@a.example>;tag=a1\n\
         Call-ID: c1\n\
         CSeq: 1 BYE\n\
         Content-Length: 0\n\n"
    );
    dialog.confirm_local();
    assert_eq!(dialog.state, State::Confirmed);
    assert!(dialog.is_ended_by(481) && !dialog.is_ended_by(486));
}

fn inside(method: &str, seq: u32, contact: &str) -> Request {
    request(&format!(
        "{method} sip:bob@sbc SIP/2.0\n\
         From: <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>;tag=b1\n\
         Call-ID: c1\n\
         CSeq: {seq} {method}\n\
         Contact: {contact}\n\n"
    ))
}

#[test]
fn requests_out_of_order_are_refused_and_a_refresh_moves_the_target() {
    let mut dialog = Dialog::uas_from(&invite(), "b1", flow()).expect("a dialog");
    assert_eq!(DialogId::of_request(&inside("BYE", 8, "<sip:x>")), Some(dialog.id.clone()));
    assert_eq!(dialog.on_request(&inside("INVITE", 8, "<sip:alice@192.0.2.9>")), Ok(()));
    assert_eq!(dialog.remote_target.to_string(), "sip:alice@192.0.2.9");
    assert_eq!(dialog.on_request(&inside("BYE", 7, "<sip:x>")).map_err(|refusal| refusal.status), Err(500));
    assert_eq!(dialog.on_request(&inside("INFO", 9, "<sip:elsewhere>")), Ok(()));
    assert_eq!(dialog.remote_target.to_string(), "sip:alice@192.0.2.9", "INFO refreshes nothing");
    assert_eq!(dialog.on_request(&inside("ACK", 7, "<sip:x>")), Ok(()));
    assert_eq!(dialog.on_request(&inside("INVITE", 10, "*")).map_err(|refusal| refusal.status), Err(400));
    assert_eq!(dialog.remote_cseq, Some(9));
}

#[test]
fn what_cannot_make_a_dialog_is_an_error() {
    let mut bare = invite();
    bare.headers.remove(&HeaderName::Contact);
    assert_eq!(Dialog::uas_from(&bare, "b1", flow()).map_err(|refusal| refusal.status), Err(400));
    let trying = answer(100, "<sip:p1;lr>", "<sip:bob@192.0.2.2>");
    assert_eq!(Dialog::uac_from(&invite(), &trying, flow()).map_err(|refusal| refusal.status), Err(400));
}

#[test]
fn a_dialog_can_be_written_down_and_read_back() {
    let dialog = Dialog::uas_from(&invite(), "b1", flow()).expect("a dialog");
    let text = serde_json::to_string(&dialog).expect("is data");
    assert_eq!(serde_json::from_str::<Dialog>(&text).expect("reads back"), dialog);
}
