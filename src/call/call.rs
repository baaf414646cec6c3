//! A call: the A leg, what is tried on the other side, and their media.
//!
//! A call is data: it can be written down at any moment and continued by
//! another process. Its transitions are in the files named after what happens
//! (`setup`, `hunt`, `progress`, `answer`, `cancel`, `update`, `teardown`);
//! the machine that owns all calls is `table`.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::cause::{Cause, Initiator};
use super::leg::{Attempt, Party, Side, Target};
use crate::base::{CallId, Flow, Leg, MediaId, Now, RealmId, ShardId, TrunkId};
use crate::media::plan::Service;
use crate::sdp::LegKind;
use crate::sip::message::Request;
use crate::sip::transaction::ServerKey;

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// When its INVITE came.
    pub started: Now,
    /// When it was answered.
    pub answered: Option<Now>,
    /// How far it is.
    pub phase: Phase,
    /// What of the caller's INVITE crosses.
    pub caller: Caller,
    /// The A leg.
    pub a: Party,
    /// The A leg's INVITE, until its final answer.
    pub invite: Option<Invite>,
    /// Targets not tried yet; those of one wave are tried at the same time.
    pub targets: VecDeque<Vec<Target>>,
    /// Attempts under way.
    pub attempts: Vec<Attempt>,
    /// Number of attempts so far.
    pub tried: u8,
    /// The best failure so far (RFC 3261 §16.7 step 6).
    pub best: Option<Failure>,
    /// The number of the attempt that answered.
    pub winner: Option<u8>,
    /// The B leg, once it answered; a service has none.
    pub b: Option<Party>,
    /// The service that is the B side.
    pub service: Option<Service>,
    /// The target that is or was tried last, for lists.
    pub target: Option<Target>,
    /// The media session.
    pub media: Option<Session>,
    /// Ports taken, to be given back at the end.
    pub ports: Vec<Port>,
    /// Attempts that `guard` counts against a trunk, given back when they end.
    pub admitted: Vec<(TrunkId, u8)>,
    /// SRTP profile of each side, once DTLS is up.
    pub crypto: [Option<String>; 2],
    /// True once the final event is out.
    pub ended: bool,
    /// True once nothing is held any more and the call can be forgotten.
    pub done: bool,
}

impl Call {
    /// The party of a leg, if it is there.
    pub fn party(&self, leg: Leg) -> Option<&Party> {
        match leg {
            Leg::A => Some(&self.a),
            Leg::B => self.b.as_ref(),
        }
    }

    /// The party of a leg, to be changed.
    pub fn party_mut(&mut self, leg: Leg) -> Option<&mut Party> {
        match leg {
            Leg::A => Some(&mut self.a),
            Leg::B => self.b.as_mut(),
        }
    }

    /// The attempt with a number, if it is under way.
    pub fn attempt_mut(&mut self, number: u8) -> Option<&mut Attempt> {
        self.attempts.iter_mut().find(|a| a.number == number)
    }

    /// True until it ends.
    pub fn is_live(&self) -> bool {
        !matches!(self.phase, Phase::Ending { .. })
    }

    /// True between the answer and the end.
    pub fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Answered)
    }
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Targets are tried; the caller waits.
    Setup {
        /// True once a 18x was passed on.
        ringing: bool,
    },
    /// Both sides talk.
    Answered,
    /// Everything is being returned.
    Ending {
        /// Who ended it.
        by: Initiator,
        /// Why.
        cause: Cause,
    },
}

/// The A leg's INVITE while it has no final answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invite {
    /// Its transaction.
    pub key: ServerKey,
    /// The request: its Vias and addresses go into every response.
    pub request: Request,
    /// True once a session description went to the caller: it may not change
    /// until the 2xx (RFC 3261 §13.2.1).
    pub early_answer: bool,
    /// True if the INVITE carried no offer, so that our 2xx makes one.
    pub late_offer: bool,
}

/// What crosses of who calls whom: the allow list, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Display name of From.
    pub display: Option<String>,
    /// User part of From, as received.
    pub from: String,
    /// User part of the Request-URI, as received.
    pub to: String,
    /// The Request-URI, as received.
    pub request_uri: String,
    /// User part and display name of P-Asserted-Identity from a trusted realm.
    pub asserted: Option<(String, Option<String>)>,
    /// Privacy values (RFC 3323).
    pub privacy: Option<String>,
    /// Subject.
    pub subject: Option<String>,
    /// RFC 7989 identifier of the A side, 32 hexadecimal digits.
    pub session_a: String,
    /// That of the B side, once it told us.
    pub session_b: Option<String>,
    /// Max-Forwards left for the B side.
    pub max_forwards: u8,
    /// The digest user, if there is one.
    pub user: Option<String>,
    /// The trunk that calls, if one owns the source.
    pub trunk: Option<TrunkId>,
    /// The realm it came from.
    pub realm: RealmId,
    /// Where it came from.
    pub source: Option<Flow>,
    /// The A leg's Call-ID header.
    pub call_id_header: String,
}

/// The media session of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: MediaId,
    /// The shard that owns it.
    pub shard: ShardId,
    /// True once it is open.
    pub open: bool,
    /// The called side's address in it; `None` for a service.
    pub b: Option<SocketAddr>,
    /// Sessions that this one took the place of and that are not closed yet.
    pub before: Vec<MediaId>,
    /// True after the order to close it.
    pub closing: bool,
}

/// A side's address, kept until the call ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Port {
    /// The leg it belongs to.
    pub leg: Leg,
    /// Its realm.
    pub realm: RealmId,
    /// What is spoken at it.
    pub kind: LegKind,
    /// The side as it was made first: later attempts of the same kind use it again.
    pub side: Side,
    /// The pair to give back; `None` for a shared socket.
    pub pair: Option<SocketAddr>,
}

/// Why an attempt failed, to be told to the caller if nothing better comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The status for the caller.
    pub status: u16,
    /// Why.
    pub cause: Cause,
    /// Who ended it.
    pub by: Initiator,
    /// Seconds after which it is worth trying again.
    pub retry_after: Option<u32>,
}
