//! Dialogs: RFC 3261 §12, as data.
//!
//! A [`Dialog`] is what two user agents have to remember of each other to go
//! on talking: names, counters, where to send. It begins with a response to an
//! INVITE, ours or the peer's; it makes requests and judges the peer's. It
//! knows no call, no timer and no transaction; all of it can be written down.
//!
//! `id` names it, `target` says where its requests go, `request` makes and
//! judges them, `ack` and `accept` are the two sides of the three-way
//! handshake that the INVITE transactions leave to the dialog.

pub mod accept;
pub mod ack;
pub mod id;
pub mod request;
pub mod target;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use accept::{Due, Repeat2xx};
pub use ack::SentAck;
pub use id::DialogId;

use super::error::Refusal;
use super::message::{NameAddr, Request, Response, Text, Uri};
use crate::base::Flow;

/// One dialog, from our side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    /// Its name.
    pub id: DialogId,
    /// Whether the INVITE was accepted yet.
    pub state: State,
    /// Our address as From of our requests has it, without tag.
    pub local: NameAddr,
    /// The peer's address as To of our requests has it, without tag.
    pub remote: NameAddr,
    /// CSeq number of our last request; 0 if there was none.
    pub local_cseq: u32,
    /// CSeq number of the peer's last request.
    pub remote_cseq: Option<u32>,
    /// The Request-URI of our requests, if no strict router takes its place.
    pub remote_target: Uri,
    /// The Route of our requests, first hop first.
    pub route_set: Vec<NameAddr>,
    /// Begun over TLS with a SIPS URI: its targets have to be SIPS (§12.1).
    pub secure: bool,
    /// Where the peer was last heard: requests to a peer behind a NAT, or to a
    /// WebSocket client, go back on it.
    pub flow: Flow,
}

/// How far a dialog has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made by a provisional response.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
}

impl Dialog {
    /// The dialog that a response to our `invite`, above 100, makes
    /// (RFC 3261 §12.1.2). `flow` is where the response came from.
    ///
    /// # Errors
    /// 400 where a header that has to be there cannot be read: the response is
    /// useless, and the INVITE best treated as failed.
    pub fn uac_from(invite: &Request, response: &Response, flow: Flow) -> Result<Self, Refusal> {
        let bad = Refusal::new(400, "Bad Dialog");
        let id = DialogId::of_response(response).ok_or(bad)?;
        // RFC 3261 §13.3.1.4: a 2xx has a Contact. A peer that leaves it out is
        // reached where the INVITE went.
        let target = target::of_contact(&response.headers)?;
        Ok(Self {
            id,
            state: if response.is_provisional() { State::Early } else { State::Confirmed },
            local: untagged(response.from()?),
            remote: untagged(response.to()?),
            // §12.1.2: the local sequence number is that of the request.
            local_cseq: invite.cseq()?.seq,
            remote_cseq: None,
            remote_target: target.unwrap_or_else(|| target::as_request_uri(&invite.uri)),
            route_set: target::route_set_of_response(&response.headers)?,
            secure: target::is_secure(flow.transport.is_secure(), &invite.uri),
            flow,
        })
    }

    /// The dialog that our response with tag `local_tag` to the peer's `invite`
    /// makes (RFC 3261 §12.1.1); it is early until [`Dialog::confirm_local`].
    ///
    /// # Errors
    /// 400 for an INVITE without a Contact that can be a target, or with a
    /// header that cannot be read.
    pub fn uas_from(invite: &Request, local_tag: &str, flow: Flow) -> Result<Self, Refusal> {
        let (from, to) = (invite.from()?, invite.to()?);
        let id = DialogId {
            call_id: Text::from(invite.call_id()),
            local_tag: Text::from(local_tag),
            remote_tag: Text::from(from.tag().unwrap_or_default()),
        };
        let target = target::of_contact(&invite.headers)?.ok_or(Refusal::new(400, "Missing Contact"))?;
        Ok(Self {
            id,
            state: State::Early,
            local: untagged(to),
            remote: untagged(from),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq()?.seq),
            remote_target: target,
            route_set: target::route_set_of_request(invite)?,
            secure: target::is_secure(flow.transport.is_secure(), &invite.uri),
            flow,
        })
    }

    /// We answered the peer's INVITE with a 2xx.
    pub fn confirm_local(&mut self) {
        self.state = State::Confirmed;
    }

    /// A 2xx to our INVITE came for this early dialog: it is confirmed, its
    /// route set computed anew from the 2xx, its target moved (§13.2.2.4).
    ///
    /// # Errors
    /// 400 if the 2xx cannot be read that far; the dialog stays as it was.
    pub fn confirm(&mut self, response: &Response, flow: Flow) -> Result<(), Refusal> {
        let target = target::of_contact(&response.headers)?;
        let routes = target::route_set_of_response(&response.headers)?;
        // Only an early dialog's set is replaced: §12.2 fixes it afterwards.
        if self.state == State::Early {
            self.route_set = routes;
        }
        if let Some(target) = target {
            self.remote_target = target;
        }
        self.flow = flow;
        self.state = State::Confirmed;
        Ok(())
    }

    /// Where the next request of this dialog is sent if not on its flow: the
    /// URI to locate (RFC 3263).
    pub fn next_hop(&self) -> &Uri {
        target::next_hop(&self.remote_target, &self.route_set)
    }
}

fn untagged(mut address: NameAddr) -> NameAddr {
    address.params.remove("tag");
    address
}
