//! `sbc`: a session border controller and WebRTC-to-SIP B2BUA.
//!
//! The rooms, and the one direction in which they may import each other, are
//! drawn in `src/ARCHITECTURE.md`; `tests/tidy.rs` holds the tree to it.

pub mod admin;
pub mod app;
pub mod base;
pub mod call;
pub mod codec;
pub mod config;
pub mod dtls;
pub mod edge;
pub mod engine;
pub mod guard;
pub mod ice;
pub mod media;
pub mod record;
pub mod route;
pub mod rtp;
pub mod sdp;
pub mod sip;
