//! Answers that leave no state behind (RFC 3261 §8.2.7), and the digests that
//! make such answers the same each time.
//!
//! What is malformed, refused or too much is answered here from the request
//! alone: its retransmission gets the same bytes again, and the ACK of a
//! refused INVITE is known by the tag we gave.

use std::hash::{DefaultHasher, Hasher};

use super::receive::reply_flow;
use super::{Endpoint, Output};
use crate::base::{Flow, RealmId};
use crate::sip::error::ParseError;
use crate::sip::lead;
use crate::sip::message::{HeaderName, Method, Request, Response, Via};

impl Endpoint {
    /// Answers what could not be read, if the parser found somebody to answer.
    pub(super) fn refuse_unread(&mut self, flow: Flow, error: ParseError) {
        let reply = error.reply.and_then(|reply| Some((reply.headers.via().ok()?, reply)));
        let answered = reply.is_some();
        if let Some((via, mut reply)) = reply {
            let via = self.noted(via, &flow);
            reply.headers.set_via(&via);
            self.finish_response(&mut reply);
            self.outputs.push_back(Output::Transmit { flow: reply_flow(flow, &via), bytes: reply.to_bytes() });
        }
        self.note_malformed(flow, error.what, answered);
    }

    /// Refuses a request that was read. A 400 counts as malformed. An ACK is
    /// never answered; a request whose Via cannot be read is answered where it
    /// came from, with its Via as it is.
    pub(super) fn refuse_malformed(&mut self, flow: Flow, mut request: Request, status: u16, reason: &'static str) {
        let answered = request.method != Method::Ack && request.headers.has(&HeaderName::Via);
        match request.via() {
            Ok(via) if answered => {
                let via = self.noted(via, &flow);
                request.headers.set_via(&via);
                self.refuse(flow, &via, &request, status, reason);
            }
            Err(_) if answered => {
                let digest = self.digest(request.call_id().as_bytes(), &[]);
                self.send_refusal(flow, digest, &request, status, reason);
            }
            Ok(_) | Err(_) => {}
        }
        if status == 400 {
            self.note_malformed(flow, reason, answered);
        } else {
            self.counters.refused += 1;
        }
    }

    /// Answers a request, whose top Via is `via`, without a transaction.
    pub(super) fn refuse(&mut self, flow: Flow, via: &Via, request: &Request, status: u16, reason: &str) {
        let digest = self.stateless_digest(flow.realm, via, request);
        self.send_refusal(reply_flow(flow, via), digest, request, status, reason);
    }

    fn send_refusal(&mut self, flow: Flow, digest: u64, request: &Request, status: u16, reason: &str) {
        let mut response = Response::to_request(request, status, reason);
        response.set_to_tag(&lead::tag_from(self.config.engine, digest));
        if status == 503 {
            response.headers.push(HeaderName::RetryAfter, self.config.retry_after_secs.to_string());
        }
        self.finish_response(&mut response);
        self.outputs.push_back(Output::Transmit { flow, bytes: response.to_bytes() });
    }

    pub(super) fn note_malformed(&mut self, flow: Flow, what: &'static str, answered: bool) {
        self.counters.malformed += 1;
        self.outputs.push_back(Output::Malformed { flow, what, answered });
    }

    /// True for the ACK of an INVITE that was answered by [`Self::refuse`].
    pub(super) fn is_stateless_ack(&self, realm: RealmId, via: &Via, ack: &Request) -> bool {
        let tag = ack.headers.get_bytes(&HeaderName::To).and_then(lead::tag_of);
        if !tag.is_some_and(lead::may_be_stateless) {
            return false;
        }
        let digest = self.stateless_digest(realm, via, ack);
        ack.to().is_ok_and(|to| to.tag() == Some(&lead::tag_from(self.config.engine, digest)))
    }

    /// The Via with `received` and `rport` as RFC 3261 §18.2.1 and RFC 3581 §4
    /// have it.
    pub(super) fn noted(&self, mut via: Via, flow: &Flow) -> Via {
        if self.config.force_rport && !flow.transport.is_reliable() && via.rport().is_none() {
            via.params.set_flag("rport");
        }
        via.note_source(flow.remote);
        via
    }

    /// RFC 3261 §8.2.2.2: From tag, Call-ID and CSeq of a request without a To
    /// tag, within a realm. `None` for requests inside a dialog.
    pub(super) fn merge_identity(&self, realm: RealmId, request: &Request) -> Option<u64> {
        if request.to().ok()?.tag().is_some() {
            return None;
        }
        let from_tag = request.headers.get_bytes(&HeaderName::From).and_then(lead::tag_of).unwrap_or_default();
        let cseq = request.headers.get_bytes(&HeaderName::CSeq).unwrap_or_default();
        Some(self.digest(request.call_id().as_bytes(), &[&realm.0.to_be_bytes(), from_tag, cseq]))
    }

    /// What an INVITE and the ACK of its failure have in common.
    fn stateless_digest(&self, realm: RealmId, via: &Via, request: &Request) -> u64 {
        let branch = via.branch().unwrap_or_default();
        let from_tag = request.headers.get_bytes(&HeaderName::From).and_then(lead::tag_of).unwrap_or_default();
        let seq = request.cseq().map_or(0, |cseq| cseq.seq);
        let parts = [&realm.0.to_be_bytes()[..], branch.as_bytes(), from_tag, &seq.to_be_bytes()];
        self.digest(request.call_id().as_bytes(), &parts)
    }

    /// A keyed digest: SipHash behind our secret.
    pub(super) fn digest(&self, first: &[u8], rest: &[&[u8]]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret);
        for part in std::iter::once(&first).chain(rest) {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish()
    }
}
