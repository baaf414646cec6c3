//! What the call machine orders of a shard.

use serde::{Deserialize, Serialize};

use super::plan::{Plan, SidePlan};
use crate::base::{CallId, Leg, MediaId};

/// An order to the shard that owns the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Makes a session and binds its ports.
    Open {
        /// The session.
        media: MediaId,
        /// The call it belongs to, for events and logs.
        call: CallId,
        /// Both sides.
        plan: Box<Plan>,
    },
    /// Puts a side into another state: answered, held, moved, ICE restarted.
    /// What does not change goes on without a gap (SRTP keys, sequence numbers).
    Set {
        /// The session.
        media: MediaId,
        /// The side.
        leg: Leg,
        /// All of the side.
        plan: Box<SidePlan>,
    },
    /// Sends a digit towards the peer of a side, as that side understands it.
    Digit {
        /// The session.
        media: MediaId,
        /// The side whose peer shall hear it.
        leg: Leg,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// Length, milliseconds.
        duration_ms: u32,
    },
    /// Ends a session: RTCP BYE, ports closed, and
    /// [`EventKind::Closed`](super::event::EventKind::Closed) with both reports.
    Close {
        /// The session.
        media: MediaId,
    },
}
