//! A leg: one dialog with its peer, and the media description of its side.
//!
//! Both legs of an answered call are a [`Party`], whoever called: in-dialog
//! rules are the same for either. Before the answer the called side is a set
//! of [`Attempt`]s, each of which may have several early dialogs (RFC 3261
//! §12.1.2, forking beyond us). All of it is data that can be written down.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::event::TargetName;
use crate::base::{Codec, Flow, Instant, Leg, RealmId, TrunkId};
use crate::media::plan::{Direction, Service};
use crate::sdp;
use crate::sip::dialog::{Dialog, Repeat2xx};
use crate::sip::locate::Locate;
use crate::sip::message::{Request, Uri};
use crate::sip::transaction::{ClientKey, ServerKey};

/// One side of a call, from its first dialog on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Party {
    /// Its dialog.
    pub dialog: Dialog,
    /// Its media; `None` before there is any.
    pub side: Option<Side>,
    /// Who it is, if it is one of our users: finds its next flow.
    pub user: Option<String>,
    /// The trunk it is, for its credentials.
    pub trunk: Option<TrunkId>,
    /// A request of the peer that is not answered yet.
    pub asking: Option<Asking>,
    /// A request of ours that the peer has not answered yet.
    pub asked: Option<Asked>,
    /// A 2xx of ours that is repeated until its ACK.
    pub accepted: Option<Accepted>,
    /// The `+sip.instance` of its binding: tells its next flow from another device's.
    pub instance: Option<String>,
    /// Since when its connection is gone.
    pub lost: Option<Instant>,
    /// True while the peer holds the call.
    pub holds: bool,
    /// A BYE that may not go out before the ACK (RFC 3261 §15).
    pub bye_owed: Option<Request>,
}

impl Party {
    /// A party at the beginning of its dialog.
    pub fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            side: None,
            user: None,
            trunk: None,
            asking: None,
            asked: None,
            accepted: None,
            lost: None,
            holds: false,
            instance: None,
            bye_owed: None,
        }
    }
}

/// A request of the peer that waits for the other side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asking {
    /// Its transaction.
    pub key: ServerKey,
    /// The re-INVITE or UPDATE.
    pub request: Request,
    /// What it asks of our side, once the other side agrees.
    pub judged: Box<sdp::Remote>,
    /// The side as it will be.
    pub next: Box<Side>,
}

/// A request of ours inside the dialog.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Its transaction, once it is sent.
    pub key: Option<ClientKey>,
    /// The re-INVITE, for its ACK and for an answer to a challenge.
    pub request: Request,
    /// The side as it will be.
    pub next: Box<Side>,
    /// True after a challenge was answered: not twice.
    pub authorised: bool,
    /// True if it was sent for the other side, which waits for the result.
    pub carried: bool,
}

/// A 2xx that waits for its ACK.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// When to send it again, and when to give up.
    pub repeat: Repeat2xx,
    /// The CSeq its ACK will carry.
    pub cseq: u32,
    /// Its INVITE transaction.
    pub key: ServerKey,
    /// True if our 2xx made the offer and the ACK has to answer it (RFC 3261 §13.2.1).
    pub late_offer: bool,
}

/// The media description of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The realm of its address.
    pub realm: RealmId,
    /// What our socket is bound to.
    pub bind: SocketAddr,
    /// What we say of ourselves.
    pub local: sdp::Local,
    /// The description we sent last.
    pub sent: Option<sdp::Session>,
    /// The peer's offer, until it is answered.
    pub offer: Option<sdp::Session>,
    /// What the peer wants and can do.
    pub remote: Option<sdp::Remote>,
    /// What we send to it.
    pub codec: Option<Codec>,
    /// What we take of the peer's codecs.
    pub accepts: Vec<Codec>,
    /// What may flow, as the SBC sees it.
    pub direction: Direction,
}

/// Where an attempt goes, after look-ups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// For events.
    pub name: TargetName,
    /// The realm of the B leg.
    pub realm: RealmId,
    /// The Request-URI.
    pub uri: Uri,
    /// How it is reached.
    pub hop: Hop,
    /// Number to call, after rewriting.
    pub to: String,
    /// Number that calls, after rewriting.
    pub from: String,
}

/// The way to a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Hop {
    /// A flow that is open: a registered user's.
    Flow(Flow),
    /// Addresses still to be tried, in order.
    Addresses(Vec<Flow>),
    /// A name to be located first (RFC 3263).
    Locate(Box<Locate>),
    /// A service inside the SBC.
    Service(Service),
}

/// One try of one target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// 1 for the first of the call.
    pub number: u8,
    /// Where it goes.
    pub target: Target,
    /// The flow in use.
    pub flow: Option<Flow>,
    /// Its INVITE, once it is written.
    pub invite: Option<Request>,
    /// Its transaction, once it is sent.
    pub key: Option<ClientKey>,
    /// Our tag in its dialogs.
    pub tag: String,
    /// Our side as offered to it.
    pub side: Option<Side>,
    /// The early dialogs by the peer's tag, oldest first.
    pub early: Vec<Early>,
    /// True once any response came.
    pub heard: bool,
    /// True after a challenge was answered: not twice.
    pub authorised: bool,
}

/// An early dialog of an attempt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Early {
    /// The peer's tag.
    pub tag: String,
    /// The peer's answer, if one came.
    pub remote: Option<sdp::Remote>,
}

/// Which part of a call a dialog of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// A leg.
    Leg(Leg),
    /// An attempt, by number.
    Attempt(u8),
}
