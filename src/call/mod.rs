//! The B2BUA: legs, setup, progress, update, teardown, registration.
//!
//! A call is two dialogs and a media session; this room decides what a message
//! on one side means for the other. [`Calls`] is its table machine and
//! [`register::Registrar`] another; what happens to a call is told by typed
//! events ([`event`]), the only source of records. Transactions, bytes and
//! packets belong to other rooms.

pub mod answer;
pub mod around;
#[expect(clippy::module_inception, reason = "the call is what the room is named after")]
pub mod call;
pub mod cancel;
pub mod cause;
pub mod config;
pub mod desk;
pub mod event;
pub mod headers;
pub mod hunt;
pub mod info;
pub mod leftover;
pub mod leg;
pub mod offer;
pub mod options;
pub mod output;
pub mod probe;
pub mod progress;
pub mod register;
pub mod service;
pub mod session;
pub mod setup;
pub mod table;
pub mod targets;
pub mod teardown;
pub mod update;

pub use around::Around;
pub use call::{Call, Phase};
pub use config::Config;
pub use output::{Output, ResolveId, Token};
pub use table::Calls;
