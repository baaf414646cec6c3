//! What the guard says to the outside: judgements, refusals, bans for the
//! packet filter, events for the record, and counters.
//!
//! What a stranger can trigger at will is counted by closed sets of reasons
//! and is no event; an event is a change an operator wants to see.

use std::fmt;

use serde::Serialize;

use super::offence::{Evidence, Offence};
use crate::base::net::Prefix;
use crate::base::{Now, UnixMillis};

/// May a packet or connection go on?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Judgement {
    /// It may.
    Pass,
    /// It is dropped without an answer.
    Drop(DropReason),
}

impl Judgement {
    /// True for `Pass`.
    pub const fn passes(self) -> bool {
        matches!(self, Self::Pass)
    }
}

/// Why a packet or connection was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// On a deny list.
    Denied,
    /// A stranger in a closed realm.
    Closed,
    /// Banned.
    Banned,
    /// Longer than `limits::SIP_MESSAGE_BYTES`.
    TooLong,
    /// The source's rate is used up.
    SourceRate,
    /// The realm's rate for strangers is used up.
    RealmRate,
    /// The box's rate for strangers is used up.
    BoxRate,
    /// The signature of a scanner.
    Scanner,
    /// Too many connections from this source.
    SourceConnections,
    /// Too many connections at all.
    BoxConnections,
}

impl DropReason {
    /// Every reason, in order.
    pub const ALL: [Self; 10] = [
        Self::Denied,
        Self::Closed,
        Self::Banned,
        Self::TooLong,
        Self::SourceRate,
        Self::RealmRate,
        Self::BoxRate,
        Self::Scanner,
        Self::SourceConnections,
        Self::BoxConnections,
    ];

    /// The name as a metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Closed => "closed",
            Self::Banned => "banned",
            Self::TooLong => "too_long",
            Self::SourceRate => "source_rate",
            Self::RealmRate => "realm_rate",
            Self::BoxRate => "box_rate",
            Self::Scanner => "scanner",
            Self::SourceConnections => "source_connections",
            Self::BoxConnections => "box_connections",
        }
    }
}

/// Why a request or call was refused, as the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The SIP status: 503, for load (RFC 3261 §21.5.4).
    pub status: u16,
    /// The limit that was met.
    pub reason: Limit,
    /// Seconds for the Retry-After header.
    pub retry_after_secs: u32,
}

/// A limit that a request or call met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Requests a second of the user.
    UserRequests,
    /// Calls at once of the box.
    BoxCalls,
    /// Calls a second of the box.
    BoxCallRate,
    /// Calls at once of the realm.
    RealmCalls,
    /// Calls a second of the realm.
    RealmCallRate,
    /// Calls at once from the source.
    SourceCalls,
    /// Calls a second from the source.
    SourceCallRate,
    /// Calls at once of the user.
    UserCalls,
    /// Calls a second of the user.
    UserCallRate,
    /// Calls at once to the trunk.
    TrunkCalls,
    /// Calls a second to the trunk.
    TrunkCallRate,
}

impl Limit {
    /// Every limit, in order.
    pub const ALL: [Self; 11] = [
        Self::UserRequests,
        Self::BoxCalls,
        Self::BoxCallRate,
        Self::RealmCalls,
        Self::RealmCallRate,
        Self::SourceCalls,
        Self::SourceCallRate,
        Self::UserCalls,
        Self::UserCallRate,
        Self::TrunkCalls,
        Self::TrunkCallRate,
    ];

    /// The name as a metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UserRequests => "user_requests",
            Self::BoxCalls => "box_calls",
            Self::BoxCallRate => "box_call_rate",
            Self::RealmCalls => "realm_calls",
            Self::RealmCallRate => "realm_call_rate",
            Self::SourceCalls => "source_calls",
            Self::SourceCallRate => "source_call_rate",
            Self::UserCalls => "user_calls",
            Self::UserCallRate => "user_call_rate",
            Self::TrunkCalls => "trunk_calls",
            Self::TrunkCallRate => "trunk_call_rate",
        }
    }
}

/// In plain words: `limit of calls at once to the trunk`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserRequests => "limit of requests a second of the user",
            Self::BoxCalls => "limit of calls at once of the box",
            Self::BoxCallRate => "limit of calls a second of the box",
            Self::RealmCalls => "limit of calls at once of the realm",
            Self::RealmCallRate => "limit of calls a second of the realm",
            Self::SourceCalls => "limit of calls at once from the source",
            Self::SourceCallRate => "limit of calls a second from the source",
            Self::UserCalls => "limit of calls at once of the user",
            Self::UserCallRate => "limit of calls a second of the user",
            Self::TrunkCalls => "limit of calls at once to the trunk",
            Self::TrunkCallRate => "limit of calls a second to the trunk",
        })
    }
}

/// What a ban is for: the offence that completed it, or an operator's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BanReason {
    /// The kind of offence that reached its limit.
    Offence(Offence),
    /// `sbc bans add`.
    Operator,
}

impl BanReason {
    /// Every reason, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Offence::ALL.into_iter().map(Self::Offence).chain([Self::Operator])
    }

    /// The name as a metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Offence(offence) => offence.label(),
            Self::Operator => "operator",
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Offence(offence) => offence as usize,
            Self::Operator => Offence::ALL.len(),
        }
    }
}

/// Its label.
impl Serialize for BanReason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl fmt::Display for BanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offence(offence) => fmt::Display::fmt(offence, f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// A ban as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BanView {
    /// The address or block.
    pub prefix: Prefix,
    /// What it is for.
    pub reason: BanReason,
    /// When it began.
    pub since: UnixMillis,
    /// When it ends, by the wall clock of its beginning.
    pub until: UnixMillis,
    /// Seconds left, rounded up.
    pub left_secs: u64,
    /// What was counted.
    pub evidence: Evidence,
    /// Packets and connections dropped by it here; what the packet filter
    /// drops is counted there.
    pub hits: u64,
}

/// What the guard wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put the block into the packet filter's set for so long. If it is there
    /// already, the time replaces what was left.
    Ban {
        /// The address or block.
        prefix: Prefix,
        /// Seconds from now; never 0.
        ttl_secs: u32,
    },
    /// Take the block out of the set before its time. A ban that runs out is
    /// not lifted: the set's own time-out ends it.
    Lift {
        /// The address or block.
        prefix: Prefix,
    },
    /// For the record.
    Event(Event),
}

/// Something an operator wants to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: Now,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A ban began.
    Banned {
        /// The address or block.
        prefix: Prefix,
        /// What for.
        reason: BanReason,
        /// For how long.
        secs: u32,
        /// What was counted.
        evidence: Evidence,
    },
    /// A ban ended.
    Lifted {
        /// The address or block.
        prefix: Prefix,
        /// What it was for.
        reason: BanReason,
        /// Why it ended.
        why: LiftReason,
        /// What it dropped here.
        hits: u64,
    },
    /// A source has earned a ban and is protected from it.
    Spared {
        /// The source.
        prefix: Prefix,
        /// The offence that reached its limit.
        offence: Offence,
        /// Why it is not banned.
        why: Protection,
        /// What was counted.
        evidence: Evidence,
    },
}

/// Why a ban ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftReason {
    /// Its time was over.
    Expired,
    /// `sbc bans del`.
    Operator,
    /// The block holds a trunk's or allowed address as of now.
    Peer,
    /// It was nearest to its end when the table of bans was full.
    Full,
}

/// Why a source is not banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Its block holds an allowed or a trunk's address.
    Peer,
    /// Its realm has the trust `high`.
    Realm,
    /// It is known or in a realm of trust `medium`, and the offences came by
    /// UDP, where anybody can write its address.
    Unproved,
}

/// In plain words: `it is a trunk or on an allow list`.
impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Peer => "it is a trunk or on an allow list",
            Self::Realm => "its realm has the trust high",
            Self::Unproved => "it is trusted and UDP does not prove that it was the sender",
        })
    }
}

/// Counts since the start, by closed sets of reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Packets and connections let through.
    pub passed: u64,
    /// Bans begun.
    pub bans: u64,
    /// Bans that protection prevented.
    pub spared: u64,
    dropped: [u64; DropReason::ALL.len()],
    refused: [u64; Limit::ALL.len()],
    offences: [u64; Offence::ALL.len()],
}

impl Counters {
    /// Packets and connections dropped, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }

    /// Requests and calls refused, by limit.
    pub fn refused(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().zip(self.refused)
    }

    /// Offences noted, by kind.
    pub fn offences(&self) -> impl Iterator<Item = (Offence, u64)> {
        Offence::ALL.into_iter().zip(self.offences)
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }

    pub(super) fn count_refusal(&mut self, limit: Limit) {
        self.refused[limit as usize] += 1;
    }

    pub(super) fn count_offence(&mut self, offence: Offence) {
        self.offences[offence as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_own_index() {
        assert!(DropReason::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
        assert!(Limit::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
        assert!(Offence::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
        assert!(BanReason::all().enumerate().all(|(i, r)| r.index() == i));
    }

    #[test]
    fn an_event_is_one_flat_line_of_json() {
        let kind = EventKind::Spared {
            prefix: "192.0.2.1".parse().expect("address"),
            offence: Offence::AuthFailure,
            why: Protection::Peer,
            evidence: Evidence { counts: vec![(Offence::AuthFailure, 5)], over_secs: 3, detail: None },
        };
        let line = serde_json::to_string(&Event { at: Now::from_millis(1, 2), kind }).expect("serialises");
        assert_eq!(
            line,
            "{\"at\":{\"mono\":1000000,\"wall\":2},\"event\":\"spared\",\"prefix\":\"192.0.2.1\",\
             \"offence\":\"auth_failure\",\"why\":\"peer\",\
             \"evidence\":{\"counts\":[[\"auth_failure\",5]],\"over_secs\":3,\"detail\":null}}"
        );
    }
}
