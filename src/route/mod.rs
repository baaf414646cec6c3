//! Where does a call go, and why?
//!
//! Realms, trunks and rules make a [`Table`]; [`Table::plan`] turns a caller, a
//! dialled number and the state of the trunks into an ordered list of targets
//! together with every reason on the way: which rule matched and which did not,
//! which target was skipped. The same reasons serve `sbc route`, which places
//! no call, and `sbc why`, which explains one.
//!
//! Looking up is a plain call without timers or outputs. [`Health`] is the
//! machine beside it that decides who is probed by OPTIONS and who is up. What
//! the targets mean in SIP (URIs, DNS, credentials) is not decided here.

pub mod config;
pub mod explain;
pub mod health;
pub mod matcher;
pub mod number;
pub mod realm;
pub mod rewrite;
pub mod rule;
pub mod select;
mod table;
pub mod trunk;

pub use config::Config;
pub use explain::{Explain, Mismatch, Reason, Skip};
pub use health::{Change, Failure, Health, Outcome, TrunkEvent, TrunkState, TrunkView};
pub use matcher::{Hours, Match, Pattern, PatternError};
pub use number::{Dialling, E164, NumberFormat};
pub use realm::Realm;
pub use rewrite::{Rewrite, RewriteError, Template, TemplateError};
pub use rule::{Origin, Pick, Rule, Service, Target, TargetRef};
pub use table::{Choice, Plan, Query, Table};
pub use trunk::{Passive, PrefixWeight, Probe, Trunk};
