//! Time, randomness, limits, addresses and ids as values.
//!
//! Every other room stands on this one; it imports nothing but the standard
//! library and the random generator. Nothing here reads a clock or draws
//! entropy: [`Now`] and [`Rng`] are handed in by `edge` (or by the simulator).

pub mod codec_id;
pub mod deadlines;
pub mod flow;
pub mod ids;
pub mod limits;
pub mod net;
pub mod now;
pub mod redact;
pub mod rng;

pub use codec_id::Codec;
pub use deadlines::Deadlines;
pub use flow::{ConnectionId, Flow, Transport};
pub use ids::{CallId, EngineId, Leg, MediaId, RealmId, ShardId, TrunkId};
pub use now::{Instant, Now, UnixMillis};
pub use redact::Redacted;
pub use rng::Rng;
