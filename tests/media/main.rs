//! A media shard driven as a value: two peers, a fake clock, no sockets.
//!
//! The phone speaks plain RTP, the browser checks by ICE, shakes hands by the
//! real DTLS library and seals by SRTP. Each case asserts what the far end got
//! and what the shard told.

mod attacks;
mod browser;
mod digits;
mod life;
mod phone;
mod relay;
mod reports;
mod services;
mod transcode;
mod world;
