//! STUN (RFC 8489) and the ICE-lite agent (RFC 8445 §2.5, RFC 7675).
//!
//! Bytes in, a value and perhaps an answer out. The agent answers authenticated
//! checks, says which address they prove and which pair the peer nominates,
//! and when its consent has run out. No SDP lines and no sockets; `media` keeps
//! one agent a leg and finds it by [`ufrag_of`] on a shared port.

pub mod attribute;
pub mod candidate;
pub mod consent;
pub mod fuzz;
pub mod integrity;
pub mod lite;
pub mod outcome;
pub mod stun;

pub use candidate::{Candidate, Kind};
pub use lite::{Agent, ufrag_of};
pub use outcome::{Change, Counters, Credentials, Expired, Outcome, Pair, Reason};
pub use stun::{Builder, Class, Message, StunError, TransactionId};
