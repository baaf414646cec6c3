//! One call's two media sides, relayed or transcoded.
//!
//! A [`Plan`](plan::Plan) says what a session is to be, a
//! [`Command`](command::Command) brings it there, an [`Event`](event::Event)
//! tells what became of it. The call machine sees no more than these values.

pub mod command;
pub mod event;
pub mod plan;
pub mod ports;
