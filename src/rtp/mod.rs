//! RTP, RTCP and SRTP as bytes and counters.
//!
//! Headers (RFC 3550, RFC 8285), statistics of a received stream, telephone
//! events (RFC 4733), control packets, and SRTP in place (RFC 3711, RFC 7714).
//! No sockets, no sessions, no codecs, no signalling: `media` joins those.

pub mod header;
pub mod srtp;

pub use header::{Header, HeaderError, PayloadType, Ssrc};
