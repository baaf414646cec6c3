//! Reasons: every step of a decision as data, and in plain words.
//!
//! [`Reason`] is what `Table::plan` leaves behind; by itself it prints with
//! numbers of rules and trunks, through [`Explain`] with their names. Whatever a
//! caller wrote is printed escaped: it may be meant for the terminal.

use std::fmt;

use serde::Serialize;

use super::rule::{Pick, TargetRef};
use super::table::{Plan, Query, Table};

/// A step of a decision. Rules are counted from 0 as in the table, and printed
/// from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Reason {
    /// There is no rule at all.
    NoRules,
    /// A rule was passed over.
    NotMatched {
        /// Its index.
        rule: usize,
        /// What did not hold.
        why: Mismatch,
    },
    /// A rule matched, and decides.
    Matched {
        /// Its index.
        rule: usize,
    },
    /// It rewrote the dialled number.
    RewroteTo {
        /// What was dialled.
        before: String,
        /// What is sent.
        after: String,
    },
    /// It rewrote the calling number.
    RewroteFrom {
        /// What the caller sent.
        before: String,
        /// What is sent.
        after: String,
    },
    /// The number was written as a trunk wants it.
    Formatted {
        /// The trunk.
        target: TargetRef,
        /// As the rule left it.
        before: String,
        /// What is sent.
        after: String,
    },
    /// A target was left out.
    Skipped {
        /// The target.
        target: TargetRef,
        /// Why.
        why: Skip,
    },
    /// The targets left, in the order in which they are tried.
    Ordered {
        /// How they were put in order.
        pick: Pick,
        /// The targets.
        targets: Vec<TargetRef>,
    },
    /// The rule had no target left, and lets later rules decide.
    FellThrough {
        /// Its index.
        rule: usize,
    },
    /// The rule had no target left.
    NothingLeft {
        /// Its index.
        rule: usize,
    },
    /// No rule is for this call.
    NoRuleMatched,
}

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// It is for calls from elsewhere.
    Origin,
    /// It is for other hours.
    Hours,
    /// The host of the request-URI.
    Host,
    /// The number dialled.
    To,
    /// The calling number.
    From,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Origin => "it is for calls from elsewhere",
            Self::Hours => "it is for other hours",
            Self::Host => "the host dialled does not match",
            Self::To => "the number dialled does not match",
            Self::From => "the caller does not match",
        })
    }
}

/// Why a target was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// It does not answer.
    Down,
    /// It has asked to be left alone for a while (503 with Retry-After).
    Resting,
    /// It has as many calls as it may have.
    Full {
        /// Calls in force.
        calls: u32,
        /// Most.
        limit: u32,
    },
    /// The call comes from it.
    CameFrom,
    /// Its weight for this number is 0.
    NoWeight,
    /// It stands twice in the rule.
    Repeated,
    /// More targets than are tried for one call.
    TooMany,
    /// It is not configured.
    Unknown,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it is down"),
            Self::Resting => f.write_str("it has asked to be left alone for a while"),
            Self::Full { calls, limit } => write!(f, "it is full: {calls} of {limit} calls"),
            Self::CameFrom => f.write_str("the call comes from it"),
            Self::NoWeight => f.write_str("its weight for this number is 0"),
            Self::Repeated => f.write_str("it stands twice in the rule"),
            Self::TooMany => f.write_str("more targets than are tried for one call"),
            Self::Unknown => f.write_str("it is not configured"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, self, None)
    }
}

impl Reason {
    /// The reason with the names of a table.
    pub fn with<'a>(&'a self, table: &'a Table) -> Named<'a> {
        Named { reason: self, table }
    }
}

/// A reason that prints with names.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    reason: &'a Reason,
    table: &'a Table,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        sentence(f, self.reason, Some(self.table))
    }
}

/// A whole decision in plain words, a line a step: what `sbc route` prints.
#[derive(Clone, Copy, Debug)]
pub struct Explain<'a> {
    /// The table that decided.
    pub table: &'a Table,
    /// What was asked.
    pub query: &'a Query<'a>,
    /// What came out.
    pub plan: &'a Plan,
}

impl fmt::Display for Explain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Query { from_user, to_user, to_host, .. } = self.query;
        let config = self.table.config();
        write!(f, "call from '{}' to '{}'", from_user.escape_debug(), to_user.escape_debug())?;
        write!(f, " at '{}'", to_host.escape_debug())?;
        if let Some(realm) = config.realms.get(usize::from(self.query.realm.0)) {
            write!(f, ", realm {}", realm.name)?;
        }
        if let Some(trunk) = self.query.trunk {
            f.write_str(", ")?;
            target(f, TargetRef::Trunk(trunk), Some(self.table))?;
        }
        f.write_str("\n")?;
        for reason in &self.plan.reasons {
            writeln!(f, "  {}", reason.with(self.table))?;
        }
        for (place, choice) in self.plan.targets.iter().enumerate() {
            write!(f, "{}. ", place + 1)?;
            target(f, choice.target, Some(self.table))?;
            writeln!(f, " as '{}' from '{}'", choice.to_user.escape_debug(), choice.from_user.escape_debug())?;
        }
        match self.plan.status() {
            Some(status) => writeln!(f, "refused with {status}"),
            None => Ok(()),
        }
    }
}

fn sentence(f: &mut fmt::Formatter<'_>, reason: &Reason, table: Option<&Table>) -> fmt::Result {
    match reason {
        Reason::NoRules => f.write_str("there are no rules"),
        Reason::NotMatched { rule: index, why } => {
            rule(f, *index, table)?;
            write!(f, " does not match: {why}")
        }
        Reason::Matched { rule: index } => {
            rule(f, *index, table)?;
            f.write_str(" matches")
        }
        Reason::RewroteTo { before, after } => {
            write!(f, "number dialled rewritten from '{}' to '{}'", before.escape_debug(), after.escape_debug())
        }
        Reason::RewroteFrom { before, after } => {
            write!(f, "caller rewritten from '{}' to '{}'", before.escape_debug(), after.escape_debug())
        }
        Reason::Formatted { target: to, before, after } => {
            target(f, *to, table)?;
            write!(f, " wants '{}' written as '{}'", before.escape_debug(), after.escape_debug())
        }
        Reason::Skipped { target: to, why } => {
            target(f, *to, table)?;
            write!(f, " skipped: {why}")
        }
        Reason::Ordered { pick, targets } => {
            write!(f, "order by {pick}: ")?;
            for (i, to) in targets.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { ", " })?;
                target(f, *to, table)?;
            }
            Ok(())
        }
        Reason::FellThrough { rule: index } => {
            rule(f, *index, table)?;
            f.write_str(" has no target left and lets later rules decide")
        }
        Reason::NothingLeft { rule: index } => {
            rule(f, *index, table)?;
            f.write_str(" has no target left")
        }
        Reason::NoRuleMatched => f.write_str("no rule is for this call"),
    }
}

fn rule(f: &mut fmt::Formatter<'_>, index: usize, table: Option<&Table>) -> fmt::Result {
    write!(f, "rule {}", index + 1)?;
    match table.and_then(|table| table.config().rules.get(index)).and_then(|rule| rule.name.as_ref()) {
        Some(name) => write!(f, " ({name})"),
        None => Ok(()),
    }
}

fn target(f: &mut fmt::Formatter<'_>, target: TargetRef, table: Option<&Table>) -> fmt::Result {
    match target {
        TargetRef::Trunk(id) => match table.and_then(|table| table.trunk(id)) {
            Some(trunk) => write!(f, "trunk {}", trunk.name),
            None => write!(f, "trunk #{}", id.0),
        },
        TargetRef::Registered => f.write_str("the registered user"),
        TargetRef::Service(service) => write!(f, "service {service}"),
        TargetRef::Dialled => f.write_str("the address dialled"),
    }
}
