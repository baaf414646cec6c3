//! The table of bans: which blocks are refused, until when, and for what.
//!
//! A ban ends at its exact instant. Each further ban of the same source is
//! longer by a factor, up to a most; a long good time makes the next one a
//! first one again. The table is bounded: when it is full, the ban nearest to
//! its end makes room.
//!
//! Who may be banned at all is decided by `Guard`, not here.

use std::net::IpAddr;
use std::time::Duration;

use super::acl::PrefixMap;
use super::config::BanRules;
use super::event::{BanReason, BanView};
use super::offence::{Evidence, Offence};
use super::source::Lru;
use crate::base::net::Prefix;
use crate::base::{Deadlines, Instant, Now};

/// Longest ban by an operator, seconds: 30 days. What is to last longer
/// belongs on the deny list.
pub const OPERATOR_MAX_SECS: u32 = 30 * 24 * 3600;

/// Every ban in force.
#[derive(Clone, Debug)]
pub struct Bans {
    active: PrefixMap<Ban>,
    ends: Deadlines<Prefix>,
    history: Lru<Prefix, History>,
    by_reason: [u32; Offence::ALL.len() + 1],
    capacity: usize,
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// What for.
    pub reason: BanReason,
    /// When it began.
    pub since: Now,
    /// How long it lasts, seconds.
    pub secs: u32,
    /// What was counted.
    pub evidence: Evidence,
    /// What it dropped here.
    pub hits: u64,
}

impl Ban {
    fn until(&self) -> Instant {
        self.since.mono + Duration::from_secs(self.secs.into())
    }
}

/// What is remembered of a source's former bans.
#[derive(Clone, Copy, Debug)]
struct History {
    times: u32,
    ended: Instant,
}

impl Bans {
    /// An empty table for at most `capacity` bans.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            active: PrefixMap::new(),
            ends: Deadlines::new(),
            history: Lru::new(capacity),
            by_reason: [0; Offence::ALL.len() + 1],
            capacity,
        }
    }

    /// True if `ip` is banned; counts what is dropped for it.
    pub fn hit(&mut self, ip: IpAddr) -> bool {
        // Most of the time there is no ban at all.
        if self.active.is_empty() {
            return false;
        }
        match self.active.longest_mut(ip) {
            Some(ban) => {
                ban.hits += 1;
                true
            }
            None => false,
        }
    }

    /// True if the whole of `prefix` is banned.
    pub fn covers(&self, prefix: Prefix) -> bool {
        self.active.covering(prefix).is_some()
    }

    /// How long the next ban of `prefix` lasts, seconds.
    pub fn next_secs(&self, now: Instant, prefix: &Prefix, rules: &BanRules, proved: bool) -> u32 {
        let times = self.times(now, prefix, rules);
        let grown = (0..times)
            .try_fold(rules.first_secs.get(), |secs, _| secs.checked_mul(rules.growth.get()))
            .unwrap_or(u32::MAX)
            .min(rules.max_secs.get());
        if proved { grown } else { grown.min(rules.unproved_max_secs.get()) }
    }

    /// Bans `prefix`, in place of a ban of the same block. If the table is
    /// full, the one that made room comes back.
    pub fn start(
        &mut self,
        now: Now,
        prefix: Prefix,
        rules: &BanRules,
        (reason, secs, evidence): (BanReason, u32, Evidence),
    ) -> Option<(Prefix, Ban)> {
        let pushed_out = if self.active.len() >= self.capacity && self.active.get(&prefix).is_none() {
            self.pop(Instant(u64::MAX))
        } else {
            None
        };
        let ban = Ban { reason, since: now, secs, evidence, hits: 0 };
        if matches!(reason, BanReason::Offence(_)) {
            let times = self.times(now.mono, &prefix, rules).saturating_add(1);
            self.history.insert(prefix, History { times, ended: ban.until() });
        }
        self.ends.set(prefix, ban.until());
        self.by_reason[reason.index()] += 1;
        if let Some(former) = self.active.insert(prefix, ban) {
            self.by_reason[former.reason.index()] -= 1;
        }
        pushed_out
    }

    /// Ends the ban of exactly this block and forgives its former ones.
    pub fn lift(&mut self, prefix: &Prefix) -> Option<Ban> {
        let ban = self.active.remove(prefix)?;
        self.ends.stop(prefix);
        self.history.remove(prefix);
        self.by_reason[ban.reason.index()] -= 1;
        Some(ban)
    }

    /// Takes one ban that ends at or before `now`, earliest first.
    pub fn pop(&mut self, now: Instant) -> Option<(Prefix, Ban)> {
        let prefix = self.ends.pop(now)?;
        let ban = self.active.remove(&prefix)?;
        self.by_reason[ban.reason.index()] -= 1;
        Some((prefix, ban))
    }

    /// When the next ban ends.
    pub fn next_end(&self) -> Option<Instant> {
        self.ends.next()
    }

    /// The banned blocks, in order of address.
    pub fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.active.iter().map(|(prefix, _)| prefix)
    }

    /// Every ban as it is listed, in order of address.
    pub fn view(&self, now: Now) -> Vec<BanView> {
        let view = |(prefix, ban): (Prefix, &Ban)| BanView {
            prefix,
            reason: ban.reason,
            since: ban.since.wall,
            until: ban.since.after(Duration::from_secs(ban.secs.into())).wall,
            left_secs: (ban.until() - now.mono).as_millis().div_ceil(1000) as u64,
            evidence: ban.evidence.clone(),
            hits: ban.hits,
        };
        self.active.iter().map(view).collect()
    }

    /// Bans in force, by reason.
    pub fn by_reason(&self) -> impl Iterator<Item = (BanReason, u32)> {
        BanReason::all().zip(self.by_reason)
    }

    /// Number of bans in force.
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// True without bans.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// How many bans of `prefix` are not forgotten.
    fn times(&self, now: Instant, prefix: &Prefix, rules: &BanRules) -> u32 {
        match self.history.peek(prefix) {
            Some(history) if now.since(history.ended) < rules.forgotten_after => history.times,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCANNER: BanReason = BanReason::Offence(Offence::Scanner);

    fn p(s: &str) -> Prefix {
        s.parse().expect("test block")
    }

    fn at(secs: u64) -> Now {
        Now::from_millis(secs * 1000, 1_700_000_000_000 + secs * 1000)
    }

    #[test]
    fn bans_grow_from_half_a_minute_to_an_hour() {
        let (mut bans, rules, a) = (Bans::new(10), BanRules::default(), p("192.0.2.1"));
        let mut now = at(0);
        let mut lengths = Vec::new();
        for _ in 0..7 {
            let secs = bans.next_secs(now.mono, &a, &rules, true);
            lengths.push(secs);
            bans.start(now, a, &rules, (SCANNER, secs, Evidence::default()));
            let end = bans.next_end().expect("a ban ends");
            assert_eq!(end, now.mono + Duration::from_secs(secs.into()));
            assert_eq!(bans.pop(Instant(end.0 - 1)), None);
            assert!(bans.pop(end).is_some());
            now = now.after(Duration::from_secs(u64::from(secs) + 5));
        }
        assert_eq!(lengths, [30, 120, 480, 1920, 3600, 3600, 3600]);
        assert_eq!(bans.next_secs(now.mono, &a, &rules, false), 600);
        let much_later = now.after(rules.forgotten_after);
        assert_eq!(bans.next_secs(much_later.mono, &a, &rules, true), 30);
    }

    #[test]
    fn an_operators_lift_forgives() {
        let (mut bans, rules, a) = (Bans::new(10), BanRules::default(), p("192.0.2.1"));
        bans.start(at(0), a, &rules, (SCANNER, 30, Evidence::default()));
        assert_eq!(bans.next_secs(at(1).mono, &a, &rules, true), 120);
        assert!(bans.lift(&a).is_some());
        assert!(bans.lift(&a).is_none());
        assert_eq!(bans.next_secs(at(1).mono, &a, &rules, true), 30);
        assert_eq!(bans.next_end(), None);
    }

    #[test]
    fn the_ban_nearest_its_end_makes_room() {
        let (mut bans, rules) = (Bans::new(2), BanRules::default());
        let none = Evidence::default;
        assert_eq!(bans.start(at(0), p("192.0.2.1"), &rules, (SCANNER, 90, none())), None);
        assert_eq!(bans.start(at(0), p("192.0.2.2"), &rules, (SCANNER, 60, none())), None);
        assert_eq!(bans.start(at(0), p("192.0.2.2"), &rules, (BanReason::Operator, 70, none())), None);
        let out = bans.start(at(0), p("192.0.2.3"), &rules, (SCANNER, 30, none()));
        assert_eq!(out.map(|(prefix, _)| prefix), Some(p("192.0.2.2")));
        assert_eq!(bans.len(), 2);
        assert_eq!(bans.by_reason().filter(|(_, n)| *n > 0).collect::<Vec<_>>(), [(SCANNER, 2)]);
    }

    #[test]
    fn a_listed_ban_says_how_long_and_how_often() {
        let (mut bans, rules) = (Bans::new(2), BanRules::default());
        bans.start(at(10), p("2001:db8::/64"), &rules, (BanReason::Operator, 60, Evidence::default()));
        assert!(bans.hit("2001:db8::5".parse().expect("address")));
        assert!(!bans.hit("2001:db8:0:1::5".parse().expect("address")));
        let view = bans.view(Now::from_millis(20_500, 0));
        assert_eq!(view.len(), 1);
        assert_eq!((view[0].left_secs, view[0].hits, view[0].until), (50, 1, at(70).wall));
    }
}
