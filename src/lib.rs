//! `sbc`: a session border controller and WebRTC-to-SIP B2BUA.
//!
//! The rooms, and the one direction in which they may import each other, are
//! drawn in `src/ARCHITECTURE.md`; `tests/tidy.rs` holds the tree to it.

pub mod base;
pub mod guard;
pub mod route;
pub mod ice;
pub mod rtp;
pub mod call;
pub mod config;
pub mod codec;
pub mod dtls;
pub mod media;
pub mod sdp;
pub mod sip;
