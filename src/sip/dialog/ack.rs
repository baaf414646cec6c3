//! The ACK of a 2xx: RFC 3261 §13.2.2.4.
//!
//! It belongs to the dialog, not to the INVITE's transaction: CSeq number of
//! the INVITE, route set and target of the dialog. [`SentAck`] is what has to
//! be kept to answer a repeated 2xx with the same ACK.

use serde::{Deserialize, Serialize};

use super::Dialog;
use crate::sip::message::{HeaderName, Method, Request, Response, Text};

impl Dialog {
    /// The ACK for the 2xx to an INVITE of ours: the one that began this
    /// dialog or one sent in it. Credentials of the INVITE go along (§22.1);
    /// a body, for an offer in the 2xx, is the caller's.
    pub fn ack(&self, invite: &Request) -> Request {
        let seq = invite.cseq().map_or(self.local_cseq, |cseq| cseq.seq);
        let mut ack = self.request_with_cseq(Method::Ack, seq);
        for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
            ack.headers.copy_all(&name, &invite.headers);
        }
        ack
    }

    /// The ACK for the 2xx to the INVITE of ours with this CSeq number.
    pub fn ack_with_cseq(&self, seq: u32) -> Request {
        self.request_with_cseq(Method::Ack, seq)
    }
}

/// An ACK that was sent, to be sent again for every repetition of its 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentAck {
    /// Our CSeq number of INVITE and ACK.
    pub cseq: u32,
    /// The tag of the dialog that was acknowledged.
    pub remote_tag: Text,
    /// The ACK, without Via.
    pub request: Request,
}

impl SentAck {
    /// Remembers `ack`, before it is sent in `dialog`.
    pub fn new(dialog: &Dialog, ack: &Request) -> Self {
        let cseq = ack.cseq().map_or(0, |cseq| cseq.seq);
        Self { cseq, remote_tag: dialog.id.remote_tag.clone(), request: ack.clone() }
    }

    /// True if `response` is the 2xx that this ACK acknowledged.
    pub fn answers(&self, response: &Response) -> bool {
        let cseq = response.cseq().is_ok_and(|cseq| cseq.seq == self.cseq && cseq.method == Method::Invite);
        let tag = response.to().is_ok_and(|to| to.tag().unwrap_or_default() == &*self.remote_tag);
        response.is_success() && cseq && tag
    }
}
