//! May this source, user, trunk or call go on?
//!
//! The first room a message meets, before it is parsed, and the one that is
//! asked again for each request and call. [`Guard`] is a table machine: judging
//! is a plain call that answers at once; bans end by `handle_timeout`; what the
//! packet filter and the record must hear comes from `poll_output`.
//!
//! Three rules bind everything here. An allowed or trunk address is never
//! banned and never limited before parsing. A UDP source is unproved, so what
//! came by UDP bans nobody who has earned trust, and others for a short time at
//! most. Every table is bounded, and a flood of invented addresses can push out
//! only other strangers.

pub mod acl;
pub mod admission;
pub mod ban;
pub mod bucket;
pub mod config;
pub mod event;
mod judge;
pub mod offence;
mod sanction;
pub mod source;
mod table;

pub use bucket::Rate;
pub use config::{BanRules, CallLimit, Config, Realm, RetryAfter, Trunk, Trust};
pub use event::{
    BanReason, BanView, Counters, DropReason, Event, EventKind, Judgement, LiftReason, Limit, Output, Protection,
    Refusal,
};
pub use offence::{Evidence, Offence, SCANNERS, Thresholds};
pub use table::{BanError, Guard, Merit};
