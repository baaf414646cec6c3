//! The routing table as it is configured: complete and valid by type.
//!
//! Names are resolved to ids before this is built, patterns are compiled and
//! templates checked against them, so that nothing here is checked again. Realms
//! and trunks stand at the index of their `RealmId` and `TrunkId`, rules in the
//! order in which they are asked.

use super::number::Dialling;
use super::realm::Realm;
use super::rule::Rule;
use super::trunk::Trunk;

/// Everything that routing goes by.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The realms, by `RealmId`.
    pub realms: Vec<Realm>,
    /// The trunks, by `TrunkId`.
    pub trunks: Vec<Trunk>,
    /// The rules, first match first.
    pub rules: Vec<Rule>,
    /// How numbers are dialled here, for trunks that want another format;
    /// without it numbers go out as the rules leave them.
    pub dialling: Option<Dialling>,
}
