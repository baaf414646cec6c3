//! A routing rule: which calls it is for, where they go, and how the numbers
//! are rewritten on the way.
//!
//! The first rule that matches decides, also when none of its targets can be
//! used: that a call to an expensive or an emergency number quietly takes a
//! later rule has to be asked for with `fall_through`.

use std::fmt;

use serde::Serialize;

use super::matcher::Match;
use super::rewrite::Rewrite;
use crate::base::{RealmId, TrunkId};

/// A rule.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// A name for explanations; without one it is known by its number.
    pub name: Option<String>,
    /// Where calls may come from; empty is anywhere.
    pub from: Vec<Origin>,
    /// What must hold besides.
    pub matches: Match,
    /// Where they go.
    pub to: Vec<Target>,
    /// In which order the targets are tried.
    pub pick: Pick,
    /// How the numbers are rewritten.
    pub rewrite: Rewrite,
    /// True to go on to later rules when no target can be used; default false.
    pub fall_through: bool,
    /// True to allow a call back to the trunk it came from; default false, as
    /// that is how loops begin.
    pub hairpin: bool,
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Any source of a realm.
    Realm(RealmId),
    /// A trunk.
    Trunk(TrunkId),
}

/// A target with its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to.
    pub target: TargetRef,
    /// Share of the calls for `Pick::Weight`; `None` is the trunk's own, and 1
    /// for what is no trunk. With 0 it is not used.
    pub weight: Option<u32>,
}

impl From<TargetRef> for Target {
    fn from(target: TargetRef) -> Self {
        Self { target, weight: None }
    }
}

/// Where a call can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetRef {
    /// A trunk.
    Trunk(TrunkId),
    /// The bindings of the user who was called.
    Registered,
    /// A service inside the SBC.
    Service(Service),
    /// Where the request-URI itself points.
    Dialled,
}

/// A service inside the SBC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Sends back what it hears.
    Echo,
    /// 1 kHz.
    Tone,
    /// A short announcement, then echo.
    Hello,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 3] = [Self::Echo, Self::Tone, Self::Hello];

    /// The name in the configuration and as the user part that is dialled.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tone => "tone",
            Self::Hello => "hello",
        }
    }

    /// The service of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// In which order the targets of a rule are tried. What is not tried first
/// remains for fail-over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// In the order written.
    #[default]
    Failover,
    /// Drawn by weight.
    Weight,
    /// By the caller: the same caller meets the same target as long as it can
    /// be used, and one target less moves only its own callers.
    Hash,
    /// Fewest calls in force first.
    LeastCalls,
}

impl Pick {
    /// Every way to pick.
    pub const ALL: [Self; 4] = [Self::Failover, Self::Weight, Self::Hash, Self::LeastCalls];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Weight => "weight",
            Self::Hash => "hash",
            Self::LeastCalls => "least-calls",
        }
    }

    /// The way of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pick| pick.name() == name)
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
