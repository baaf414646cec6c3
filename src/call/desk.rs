//! What all calls of an engine share: randomness, the ways to
//! find a call again, deadlines and the queue of outputs.
//!
//! Kept apart from the calls themselves so that a transition can hold one call
//! and this at the same time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::leg::Part;
use super::output::{Output, ResolveId, Token};
use crate::base::{CallId, ConnectionId, Deadlines, EngineId, Flow, Leg, MediaId, Now, Rng, TrunkId};
use crate::sip::dialog::SentAck;
use crate::sip::lead;
use crate::sip::locate::Locate;
use crate::sip::message::Request;
use crate::sip::transaction::{ClientKey, ServerKey};

/// See the file's head.
#[derive(Debug)]
pub struct Desk {
    /// Our engine.
    pub engine: EngineId,
    /// Draws tags, Call-IDs, credentials of ICE.
    pub rng: Rng,
    /// What is to be done, in order.
    pub out: VecDeque<Output>,
    /// What our client transactions are for.
    pub clients: HashMap<ClientKey, Use>,
    /// Requests handed to the endpoint whose key is not known yet.
    pub sending: HashMap<Token, Use>,
    /// INVITEs and requests that are not answered yet.
    pub servers: HashMap<ServerKey, CallId>,
    /// Our tags, which are never used twice.
    pub dialogs: HashMap<String, (CallId, Part)>,
    /// Media sessions.
    pub media: HashMap<MediaId, CallId>,
    /// Questions to the resolver, with the attempt they are for.
    pub resolves: HashMap<ResolveId, (CallId, u8)>,
    /// Questions to the resolver for probes.
    pub probes: HashMap<ResolveId, (TrunkId, Locate)>,
    /// Calls by the A side's session identifier.
    pub sessions: BTreeMap<String, Vec<CallId>>,
    /// Calls being set up, by session identifier and Request-URI: loops.
    pub setups: BTreeMap<(String, String), CallId>,
    /// Legs whose connection is gone, by user.
    pub lost: BTreeMap<String, BTreeSet<(CallId, Leg)>>,
    /// Legs by their connection.
    pub connections: HashMap<ConnectionId, BTreeSet<(CallId, Leg)>>,
    /// Waits of calls.
    pub due: Deadlines<(CallId, Wait)>,
    /// Waits of what outlives its call.
    pub forget: Deadlines<ClientKey>,
    /// True while no new call is taken.
    pub draining: bool,
    /// Calls so far.
    pub counted: u64,
    /// Tokens so far.
    pub tokens: u64,
    /// Media sessions so far.
    pub opened: u64,
    /// Questions so far.
    pub questions: u64,
}

/// What a client transaction is for.
#[derive(Clone, Debug)]
pub enum Use {
    /// The INVITE of an attempt.
    Attempt {
        /// The call.
        call: CallId,
        /// The attempt.
        number: u8,
    },
    /// A request inside a dialog that the call waits for.
    Asked {
        /// The call.
        call: CallId,
        /// The side it went to.
        leg: Leg,
    },
    /// An INVITE that the call no longer waits for: the 2xx of a dialog in
    /// `acked` gets its ACK again, any other is acknowledged and ended.
    Settled {
        /// The INVITE.
        invite: Box<Request>,
        /// Where it went.
        flow: Flow,
        /// The ACKs sent.
        acked: Vec<SentAck>,
    },
    /// A BYE, which nobody waits for.
    Bye {
        /// For an answer to a challenge.
        request: Box<Request>,
        /// Where it went.
        flow: Flow,
        /// Whose credentials may answer a challenge.
        trunk: Option<TrunkId>,
        /// True after one was answered.
        authorised: bool,
    },
    /// An OPTIONS to a trunk.
    Probe {
        /// The trunk.
        trunk: TrunkId,
    },
}

/// What a call may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Wait {
    /// Somebody to answer.
    Answer,
    /// A first response to an attempt.
    Response(u8),
    /// The ACK of a 2xx on a side, or the time to repeat the 2xx.
    Ack(Leg),
    /// The answer of a side to a request of ours.
    Update(Leg),
    /// The return of a side whose connection is gone.
    Flow(Leg),
    /// The last numbers of media.
    Media,
    /// The longest time a call may last.
    Longest,
}

impl Desk {
    /// An empty desk.
    pub fn new(engine: EngineId, mut rng: Rng) -> Self {
        Self {
            // A process that dies and is back within the same second must not give the same ids again.
            counted: rng.below(0x100_0000),
            engine,
            rng,
            out: VecDeque::new(),
            clients: HashMap::new(),
            sending: HashMap::new(),
            servers: HashMap::new(),
            dialogs: HashMap::new(),
            media: HashMap::new(),
            resolves: HashMap::new(),
            probes: HashMap::new(),
            sessions: BTreeMap::new(),
            setups: BTreeMap::new(),
            lost: BTreeMap::new(),
            connections: HashMap::new(),
            due: Deadlines::new(),
            forget: Deadlines::new(),
            draining: false,
            tokens: 0,
            opened: 0,
            questions: 0,
        }
    }

    /// An id for a call: seconds of its start, engine, counter. The counter
    /// begins anywhere and wraps after 16 million calls of one second.
    pub fn call_id(&mut self, now: Now) -> CallId {
        self.counted += 1;
        let secs = now.wall.secs() & 0xffff_ffff;
        CallId(secs << 32 | u64::from(self.engine.0) << 24 | self.counted & 0xff_ffff)
    }

    /// A tag of ours that leads to a part of a call.
    pub fn tag(&mut self, call: CallId, part: Part) -> String {
        let tag = lead::tag(self.engine, &mut self.rng);
        self.dialogs.insert(tag.clone(), (call, part));
        tag
    }

    /// A Call-ID of ours.
    pub fn call_id_header(&mut self) -> String {
        lead::call_id(self.engine, &mut self.rng)
    }

    /// A session identifier for a caller that has none (RFC 7989 §5): 128 random bits.
    pub fn session_id(&mut self) -> String {
        format!("{:016x}{:016x}", self.rng.u64(), self.rng.u64())
    }

    /// Notes that a leg lives on a connection.
    pub fn on_connection(&mut self, flow: &Flow, call: CallId, leg: Leg) {
        if flow.connection != ConnectionId::default() {
            self.connections.entry(flow.connection).or_default().insert((call, leg));
        }
    }

    /// Forgets that a leg lives on a connection.
    pub fn off_connection(&mut self, flow: &Flow, call: CallId, leg: Leg) {
        if let Some(set) = self.connections.get_mut(&flow.connection) {
            set.remove(&(call, leg));
            if set.is_empty() {
                self.connections.remove(&flow.connection);
            }
        }
    }
}
