//! Requests inside a dialog: RFC 3261 §12.2.1.1 (made) and §12.2.2 (received).

use super::{Dialog, State, target};
use crate::sip::error::Refusal;
use crate::sip::message::{CSeq, HeaderName, Method, NameAddr, Request, Response};

impl Dialog {
    /// The next request of this dialog: CSeq counted up, Route, From, To,
    /// Call-ID and Max-Forwards set. Contact and body are the caller's.
    ///
    /// For ACK and CANCEL see [`Dialog::ack`] and `Endpoint::cancel`.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.request_with_cseq(method, self.local_cseq)
    }

    /// A request with the CSeq number `seq`.
    pub(super) fn request_with_cseq(&self, method: Method, seq: u32) -> Request {
        let (uri, routes) = target::request_line(&self.remote_target, &self.route_set);
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        headers.push(HeaderName::MaxForwards, "70");
        for route in routes {
            headers.push(HeaderName::Route, route);
        }
        headers.push(HeaderName::From, tagged(&self.local, &self.id.local_tag));
        headers.push(HeaderName::To, tagged(&self.remote, &self.id.remote_tag));
        headers.push(HeaderName::CallId, &*self.id.call_id);
        headers.push(HeaderName::CSeq, CSeq::new(seq, method).to_string());
        request
    }

    /// Takes a request of the peer inside this dialog: checks its order and
    /// moves the remote target where the method says so.
    ///
    /// # Errors
    /// 500 if its CSeq is lower than one seen before (§12.2.2), 400 if its
    /// Contact cannot be a target. ACK and CANCEL have the number of their
    /// INVITE and are let pass.
    pub fn on_request(&mut self, request: &Request) -> Result<(), Refusal> {
        if matches!(request.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        let seq = request.cseq()?.seq;
        // §12.2.2 refuses what is lower. An equal number is let pass: peers that
        // never count up exist, and no retransmission gets here.
        if self.remote_cseq.is_some_and(|seen| seq < seen) {
            return Err(Refusal::new(500, "CSeq Out Of Order"));
        }
        let moved =
            if target::refreshes_target(&request.method) { target::of_contact(&request.headers)? } else { None };
        self.remote_cseq = Some(seq);
        if let Some(moved) = moved {
            self.remote_target = moved;
        }
        Ok(())
    }

    /// Takes a response of the peer to a request of ours inside this dialog: a
    /// 2xx to a target refresh moves the remote target (§12.2.1.2). A Contact
    /// that cannot be one is ignored.
    pub fn on_response(&mut self, method: &Method, response: &Response) {
        if response.is_success()
            && target::refreshes_target(method)
            && let Ok(Some(moved)) = target::of_contact(&response.headers)
        {
            self.remote_target = moved;
        }
    }

    /// True if this response to a request of ours ends the dialog
    /// (§12.2.1.2; RFC 5057 §5.1): the peer does not know it, or does not answer.
    pub fn is_ended_by(&self, status: u16) -> bool {
        matches!(status, 408 | 481) && self.state == State::Confirmed
    }
}

/// The address with its tag, as From and To have it.
fn tagged(address: &NameAddr, tag: &str) -> String {
    if tag.is_empty() { address.to_string() } else { address.clone().with_tag(tag).to_string() }
}
