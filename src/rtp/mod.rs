//! RTP, RTCP and SRTP as bytes and counters.
//!
//! Headers (RFC 3550, RFC 8285), statistics of a received stream, telephone
//! events (RFC 4733), control packets, and SRTP in place (RFC 3711, RFC 7714).
//! No sockets, no sessions, no codecs, no signalling: `media` joins those.

pub mod extension;
pub mod fuzz;
pub mod header;
pub mod jitter;
pub mod loss;
pub mod rtcp;
pub mod sequence;
pub mod srtp;
pub mod telephone_event;

pub use header::{Header, HeaderError, PayloadType, Ssrc};
pub use jitter::Jitter;
pub use loss::{BurstReport, Bursts};
pub use sequence::{LossReport, Seen, Tracker};
pub use telephone_event::{Digit, EventPacket, EventReceiver, EventSender, Heard, TelephoneEvent};
