//! The two requests a client transaction makes itself: the ACK to a non-2xx
//! final (RFC 3261 §17.1.1.3) and the CANCEL (§9.1).
//!
//! Both are made from the bytes of the INVITE, which the transaction has
//! anyway, and carry its Via, branch included, and its Route fields. `None`
//! stands for an INVITE that cannot be read back; what we wrote can be.

use bytes::Bytes;

use crate::sip::message::{CSeq, HeaderName, Message, Method, Request, Response, parse};

/// The ACK to a non-2xx final. Its To is the response's, with the peer's tag.
pub fn ack(invite: &Bytes, response: &Response) -> Option<Bytes> {
    let invite = read(invite)?;
    let mut ack = begin(&invite, Method::Ack)?;
    ack.headers.copy_first(&HeaderName::To, &response.headers);
    Some(finish(ack, &invite))
}

/// The CANCEL. §9.1: Request-URI, Call-ID, To, CSeq number and From are the
/// INVITE's, tags included; Require and Proxy-Require are left out.
pub fn cancel(invite: &Bytes) -> Option<Bytes> {
    let invite = read(invite)?;
    let mut cancel = begin(&invite, Method::Cancel)?;
    cancel.headers.copy_first(&HeaderName::To, &invite.headers);
    Some(finish(cancel, &invite))
}

fn read(invite: &Bytes) -> Option<Request> {
    match parse(invite) {
        Ok(Message::Request(request)) => Some(request),
        Ok(Message::Response(_)) | Err(_) => None,
    }
}

fn begin(invite: &Request, method: Method) -> Option<Request> {
    let seq = invite.cseq().ok()?.seq;
    let mut request = Request::new(method.clone(), invite.uri.clone());
    let headers = &mut request.headers;
    headers.copy_first(&HeaderName::Via, &invite.headers);
    headers.push(HeaderName::MaxForwards, "70");
    // §17.1.1.3, §9.1: the Route fields of the INVITE.
    headers.copy_all(&HeaderName::Route, &invite.headers);
    headers.copy_first(&HeaderName::From, &invite.headers);
    headers.copy_first(&HeaderName::CallId, &invite.headers);
    headers.push(HeaderName::CSeq, CSeq::new(seq, method).to_string());
    Some(request)
}

fn finish(mut request: Request, invite: &Request) -> Bytes {
    request.headers.copy_first(&HeaderName::UserAgent, &invite.headers);
    request.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:bob@b.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK01;rport\r\n\
        Max-Forwards: 10\r\n\
        Route: <sip:p1.example;lr>\r\n\
        Route: <sip:p2.example;lr>\r\n\
        From: <sip:alice@a.example>;tag=a1\r\n\
        To: <sip:bob@b.example>\r\n\
        Call-ID: c1\r\n\
        CSeq: 7 INVITE\r\n\
        Require: 100rel\r\n\
        Content-Type: application/sdp\r\n\
        Content-Length: 3\r\n\r\nv=0";

    #[test]
    fn ack_to_a_failure_has_the_branch_and_the_tag_of_the_response() {
        let response = b"SIP/2.0 486 Busy Here\r\nTo: <sip:bob@b.example>;tag=b1\r\n\r\n";
        let Ok(Message::Response(response)) = parse(&Bytes::from_static(response)) else { panic!("test response") };
        let ack = ack(&Bytes::from_static(INVITE), &response).expect("an ACK");
        assert_eq!(
            ack,
            "ACK sip:bob@b.example SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK01;rport\r\n\
             Max-Forwards: 70\r\n\
             Route: <sip:p1.example;lr>\r\n\
             Route: <sip:p2.example;lr>\r\n\
             From: <sip:alice@a.example>;tag=a1\r\n\
             Call-ID: c1\r\n\
             CSeq: 7 ACK\r\n\
             To: <sip:bob@b.example>;tag=b1\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn cancel_has_the_identity_of_the_invite() {
        assert_eq!(
            cancel(&Bytes::from_static(INVITE)).expect("a CANCEL"),
            "CANCEL sip:bob@b.example SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK01;rport\r\n\
             Max-Forwards: 70\r\n\
             Route: <sip:p1.example;lr>\r\n\
             Route: <sip:p2.example;lr>\r\n\
             From: <sip:alice@a.example>;tag=a1\r\n\
             Call-ID: c1\r\n\
             CSeq: 7 CANCEL\r\n\
             To: <sip:bob@b.example>\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn what_is_no_invite_makes_nothing() {
        assert_eq!(cancel(&Bytes::from_static(b"rubbish")), None);
    }
}
