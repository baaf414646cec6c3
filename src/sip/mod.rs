//! SIP: messages, authentication, transactions and dialogs as values.
//!
//! RFC 3261 with 3262, 3263, 3581, 4028, 5626, 6026 and 7118. Bytes come in
//! with the flow they came on, bytes and events go out; nothing here owns a
//! socket or a clock. [`message`] reads and writes, [`digest`] proves who
//! somebody is, the transaction machines repeat and match, and a dialog keeps
//! what later requests need. Calls are not known here.

pub mod config;
pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod error;
pub mod lead;
pub mod locate;
pub mod message;
pub mod stream;
pub mod transaction;

pub use error::{ParseError, Refusal};
