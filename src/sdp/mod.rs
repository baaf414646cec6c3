//! Session descriptions and offer/answer.
//!
//! Text becomes a [`Session`] ([`parse()`]), a session becomes text (`Display`),
//! a peer's offer or answer becomes a [`Remote`] or a [`Refusal`]
//! ([`judge_offer`], [`judge_answer`]), and our own side is written from
//! scratch ([`offer`], [`reoffer`], [`answer`]): nothing that one leg said ever
//! reaches the other through here. RFCs 8866, 3264, 6337, 8839, 8122, 5763,
//! 8842, 9143, 5761, 3605, 4733, 7587, 4568 and a subset of 9429.
//!
//! Knows no packets, no sockets and no calls.

pub mod attribute;
pub mod candidate;
pub mod crypto;
pub mod direction;
pub mod fingerprint;
pub mod fmtp;
#[doc(hidden)]
pub mod fuzz;
pub mod media;
pub mod negotiate;
pub mod offer_answer;
pub mod parse;
pub mod profile;
pub mod remote;
pub mod rtpmap;
pub mod session;
pub mod setup;
mod write;

pub use attribute::{Attribute, Attributes};
pub use candidate::{Candidate, CandidateKind};
pub use crypto::Crypto;
pub use direction::Direction;
pub use fingerprint::{Fingerprint, HashKind};
pub use fmtp::{Fmtp, OpusFmtp};
pub use media::{Media, MediaKind};
pub use negotiate::{judge_answer, judge_offer, kind_of};
pub use offer_answer::{Chosen, Formats, IceParams, Local, OfferedCodec, OfferedEvent, answer, offer, reoffer};
pub use parse::{ParseError, parse};
pub use profile::{LegKind, Protocol};
pub use remote::{Capabilities, Refusal, Remote, RemoteCodec, RemoteEvent, RemoteIce};
pub use rtpmap::{Codec, RtpMap};
pub use session::{Address, Connection, Line, Origin, Session};
pub use setup::Setup;
