//! One call's two media sides, relayed or transcoded.
//!
//! A [`Plan`](plan::Plan) says what a session is to be, a
//! [`Command`](command::Command) brings it there, an [`Event`](event::Event)
//! tells what became of it. The call machine sees no more than these values.

pub mod command;
pub mod config;
pub mod demux;
pub mod digits;
pub mod event;
pub mod fuzz;
pub mod index;
pub mod latch;
pub mod packet;
pub mod path;
pub mod plan;
pub mod ports;
pub mod quality;
pub mod receiver;
pub mod report;
pub mod sender;
pub mod service;
pub mod session;
pub mod shard;
pub mod side;
pub mod transcode;
