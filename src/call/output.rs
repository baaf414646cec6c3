//! What the call machine wants done, in the order in which it is to happen.
//!
//! An event stands before the message that follows from it, so that a record
//! can be on disk before the answer is on the wire.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::base::{Flow, ShardId, TrunkId};
use crate::guard::Offence;
use crate::media;
use crate::sip::locate::Query;
use crate::sip::message::{Request, Response};
use crate::sip::transaction::{ClientKey, ServerKey};

/// A request on its way to the endpoint: names it until its key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Token(pub u64);

/// A question to the resolver, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResolveId(pub u64);

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer a request.
    Respond {
        /// Its transaction.
        key: ServerKey,
        /// The answer.
        response: Response,
    },
    /// Send a request, then tell [`Calls::sent`](super::Calls::sent) its key.
    Request {
        /// Names it.
        token: Token,
        /// Where to.
        flow: Flow,
        /// The request, without our Via.
        request: Request,
    },
    /// Send an ACK to a 2xx.
    Ack {
        /// Where to.
        flow: Flow,
        /// The ACK, without our Via.
        request: Request,
    },
    /// Cancel an INVITE of ours.
    Cancel {
        /// Its transaction.
        key: ClientKey,
    },
    /// Repeat the 2xx of an INVITE (RFC 3261 §13.3.1.4).
    Resend {
        /// The INVITE's transaction.
        key: ServerKey,
    },
    /// The ACK of this INVITE's 2xx came.
    Acknowledged {
        /// The INVITE's transaction.
        key: ServerKey,
    },
    /// Ask the resolver, then tell [`Calls::handle_resolved`](super::Calls::handle_resolved).
    Resolve {
        /// Names it.
        id: ResolveId,
        /// The question.
        query: Query,
    },
    /// Order something of a shard.
    Media {
        /// The shard.
        shard: ShardId,
        /// The order.
        command: media::command::Command,
    },
    /// Where a trunk's name leads: these are its addresses.
    TrunkAddresses {
        /// The trunk.
        trunk: TrunkId,
        /// Its addresses.
        addresses: Vec<IpAddr>,
    },
    /// A fact for the records.
    Event(Event),
    /// Something that counts against a source.
    Offence {
        /// Where it came from.
        flow: Flow,
        /// What it was.
        offence: Offence,
    },
    /// Something that speaks for a source: an authenticated call.
    Merit {
        /// Where it came from.
        flow: Flow,
    },
}
