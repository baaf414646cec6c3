//! What happens to calls, as typed facts with their stamp.
//!
//! These are the only source of records: CDRs, metrics, log lines and the
//! causal record behind `sbc why` are folds of them (`record`). Numbers and
//! names here are as the peers wrote them; whoever prints them redacts.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::cause::{Cause, Initiator};
use crate::base::{CallId, Codec, Flow, Leg, Now, RealmId, TrunkId};
use crate::media;
use crate::media::plan::Service;

/// An event with its call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The stamp of the input that caused it.
    pub at: Now,
    /// The call.
    pub call: CallId,
    /// What happened.
    pub kind: EventKind,
}

/// Where an attempt goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetName {
    /// A trunk of the configuration.
    Trunk(TrunkId),
    /// A registered user.
    User(String),
    /// A service inside the SBC.
    Service(Service),
    /// The dialled URI itself.
    Uri(String),
}

/// What can happen to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An INVITE made a call. Always the first event.
    Started {
        /// Where it came from.
        flow: Flow,
        /// The realm of the A leg.
        realm: RealmId,
        /// The trunk it came from, if one owns the source.
        trunk: Option<TrunkId>,
        /// Caller's user part (number) as received.
        from: String,
        /// Dialled user part as received.
        to: String,
        /// Request-URI as received.
        request_uri: String,
        /// The A leg's Call-ID header.
        call_id: String,
        /// RFC 7989 session identifier, 32 hexadecimal digits.
        session_id: String,
        /// User-Agent of the caller.
        user_agent: Option<String>,
    },
    /// The caller proved who it is.
    Authenticated {
        /// The user.
        user: String,
    },
    /// A challenge went out; the call ends with it and comes back as another.
    Challenged {
        /// 401 or 407.
        status: u16,
    },
    /// Routing chose targets.
    Routed {
        /// The numbers after rewriting: calling, called.
        from: String,
        /// See `from`.
        to: String,
        /// Targets in order.
        targets: Vec<TargetName>,
        /// Why, one sentence each: rules matched or passed over, targets skipped.
        reasons: Vec<String>,
    },
    /// An attempt's INVITE went out, or a service took the call.
    AttemptStarted {
        /// 1 for the first.
        attempt: u8,
        /// Where to.
        target: TargetName,
        /// The realm of the B leg.
        realm: RealmId,
        /// The flow used; `None` for a service.
        flow: Option<Flow>,
        /// Number as sent.
        from: String,
        /// Number as sent.
        to: String,
        /// The B leg's Call-ID header.
        call_id: String,
    },
    /// A provisional response above 100 came for an attempt.
    Progress {
        /// The attempt.
        attempt: u8,
        /// The status.
        status: u16,
        /// True if it carried a session description.
        early_media: bool,
    },
    /// An attempt ended without an answer.
    AttemptEnded {
        /// The attempt.
        attempt: u8,
        /// Why.
        cause: Cause,
        /// Who ended it.
        by: Initiator,
    },
    /// The called side answered.
    Answered {
        /// The attempt that won.
        attempt: u8,
    },
    /// A side's media was agreed, at first or again.
    Negotiated {
        /// The side.
        leg: Leg,
        /// What we send to it.
        codec: Codec,
        /// `rtp` or `dtls-srtp`.
        transport: String,
        /// Our media address on that side.
        local: SocketAddr,
        /// The peer's, if it is known.
        remote: Option<SocketAddr>,
    },
    /// A side put the call on hold.
    Held {
        /// The side that asked.
        leg: Leg,
    },
    /// A side took it off hold.
    Resumed {
        /// The side that asked.
        leg: Leg,
    },
    /// A request crossed or was answered inside a dialog.
    InDialog {
        /// The side it came from.
        leg: Leg,
        /// The method.
        method: String,
        /// Final status it got.
        status: u16,
    },
    /// Something worth knowing that changes no state: a retransmission storm, a
    /// late answer, a crossing; one sentence.
    Noted {
        /// The side.
        leg: Option<Leg>,
        /// The sentence.
        what: String,
    },
    /// A media event of the call.
    Media(media::event::EventKind),
    /// The call is over; resources are being returned. Once a call.
    Ending {
        /// Who ended it.
        by: Initiator,
        /// Why.
        cause: Cause,
    },
    /// All is returned and all numbers are known. Once a call, always the last event.
    Ended,
}
