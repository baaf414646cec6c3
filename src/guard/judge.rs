//! Judgement before parsing: may this packet or connection go on?
//!
//! The order: access list, ban, the source's own rate, then for strangers the
//! realm's and the box's. A stranger seen for the first time is remembered only
//! once realm and box have let him through, so that a flood from invented
//! addresses costs no memory beyond those rates. For a source it remembers,
//! judging allocates nothing.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::acl::Listing;
use super::bucket::{Bucket, Rate};
use super::config::{CallLimit, Trust};
use super::event::{DropReason, Judgement, Limit, Refusal};
use super::offence::Offence;
use super::table::{Guard, RealmState};
use crate::base::net::Prefix;
use crate::base::{Now, RealmId, limits};

impl Guard {
    /// Access list, ban and rates.
    pub(super) fn let_in(&mut self, now: Now, realm: RealmId, source: IpAddr) -> Result<(), DropReason> {
        if self.bans.next_end().is_some_and(|end| end <= now.mono) {
            self.handle_timeout(now);
        }
        let state = self.realm(realm);
        let (trust, closed) = (state.trust, state.closed);
        match state.acl.judge(source) {
            Listing::Denied => return Err(DropReason::Denied),
            Listing::Allowed | Listing::Trunk => return Ok(()),
            Listing::Unlisted if closed => return Err(DropReason::Closed),
            Listing::Unlisted => {}
        }
        if trust != Trust::High && self.bans.hit(source) {
            return Err(DropReason::Banned);
        }
        self.spend(now, realm, trust, source)
    }

    /// Takes one message from the buckets of the source, its realm and the box.
    pub(super) fn spend(&mut self, now: Now, realm: RealmId, trust: Trust, source: IpAddr) -> Result<(), DropReason> {
        let prefix = Prefix::of_source(source);
        let trusted = self.trusted_rate();
        if let Some(known) = self.sources.known(now.mono, &prefix) {
            return if known.bucket.take(now.mono, trusted) { Ok(()) } else { Err(DropReason::SourceRate) };
        }
        let rate = self.stranger_rate(trust);
        let passed = self.sources.stranger(&prefix).map(|stranger| stranger.bucket.take(now.mono, rate));
        if passed == Some(false) {
            self.offend(now, realm, source, false, Offence::Flood, None);
            return Err(DropReason::SourceRate);
        }
        if trust < Trust::Medium {
            self.spend_as_stranger(now, realm)?;
        }
        if passed.is_none()
            && let Some(stranger) = self.sources.meet(now.mono, prefix, rate)
        {
            stranger.bucket.take(now.mono, rate);
        }
        Ok(())
    }

    /// Takes one message from what all strangers share.
    pub(super) fn spend_as_stranger(&mut self, now: Now, realm: RealmId) -> Result<(), DropReason> {
        let now = now.mono;
        let box_rate = self.config.strangers_rate;
        let whole = self.strangers.get_or_insert_with(|| Bucket::full(now, box_rate));
        if !whole.has_token(now, box_rate) {
            return Err(DropReason::BoxRate);
        }
        let index = usize::from(realm.0);
        if let (Some(state), Some(config)) = (self.realms.get_mut(index), self.config.realms.get(index)) {
            let bucket = state.strangers.get_or_insert_with(|| Bucket::full(now, config.strangers_rate));
            if !bucket.take(now, config.strangers_rate) {
                return Err(DropReason::RealmRate);
            }
        }
        whole.take(now, box_rate);
        Ok(())
    }

    pub(super) fn connect(&mut self, now: Now, realm: RealmId, source: IpAddr) -> Result<(), DropReason> {
        let prefix = Prefix::of_source(source);
        let state = self.realm(realm);
        let most = if state.trust == Trust::High || state.acl.judge(source).is_peer() {
            u32::MAX
        } else if state.trust == Trust::Medium || self.sources.is_known(now.mono, &prefix) {
            self.config.trusted_connections
        } else {
            self.config.source_connections
        };
        if self.connected >= self.config.connections.min(limits::WS_CONNECTIONS as u32) {
            return Err(DropReason::BoxConnections);
        }
        if self.connections.get(&prefix).is_some_and(|count| *count >= most) || most == 0 {
            return Err(DropReason::SourceConnections);
        }
        *self.connections.entry(prefix).or_default() += 1;
        self.connected += 1;
        Ok(())
    }

    pub(super) fn conclude(&mut self, verdict: Result<(), DropReason>) -> Judgement {
        match verdict {
            Ok(()) => {
                self.counters.passed += 1;
                Judgement::Pass
            }
            Err(reason) => {
                self.counters.count_drop(reason);
                Judgement::Drop(reason)
            }
        }
    }

    /// The limit of calls that applies to a source; `None` for peers.
    pub(super) fn source_calls(&self, now: Now, realm: RealmId, source: IpAddr) -> Option<(Prefix, CallLimit)> {
        let state = self.realm(realm);
        if state.trust == Trust::High || state.acl.judge(source).is_peer() {
            return None;
        }
        let prefix = Prefix::of_source(source);
        let limit = self.config.source_calls;
        if state.trust == Trust::Medium || self.sources.is_known(now.mono, &prefix) {
            let calls = limit.calls.map(|calls| calls.saturating_mul(TEN.get()));
            return Some((prefix, CallLimit { calls, rate: limit.rate.map(|rate| rate.times(TEN)) }));
        }
        Some((prefix, limit))
    }

    pub(super) fn refuse(&mut self, reason: Limit) -> Refusal {
        self.counters.count_refusal(reason);
        let range = self.config.retry_after;
        let spread = range.max_secs.saturating_sub(range.min_secs);
        let drawn = self.rng.below(u64::from(spread) + 1) as u32;
        Refusal { status: 503, reason, retry_after_secs: range.min_secs.saturating_add(drawn).max(1) }
    }

    pub(super) fn trusted_rate(&self) -> Rate {
        self.config.source_rate.times(self.config.trusted_factor)
    }

    pub(super) fn stranger_rate(&self, trust: Trust) -> Rate {
        match trust {
            Trust::None => self.config.source_rate,
            Trust::Low => self.config.source_rate.times(TEN),
            Trust::Medium | Trust::High => self.trusted_rate(),
        }
    }

    /// The realm, or one that trusts nobody for an id out of the table.
    pub(super) fn realm(&self, realm: RealmId) -> &RealmState {
        // `build_realms` puts that one last.
        self.realms.get(usize::from(realm.0)).unwrap_or_else(|| &self.realms[self.realms.len() - 1])
    }
}

/// How much more a shared network has than a stranger, and a known source's
/// calls than a stranger's: an office of two hundred behind one address.
const TEN: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::super::table::Merit;
    use super::*;
    use crate::base::Rng;

    const R: RealmId = RealmId(0);

    fn ip(s: &str) -> IpAddr {
        s.parse().expect("test address")
    }

    fn p(s: &str) -> Prefix {
        s.parse().expect("test block")
    }

    fn at(ms: u64) -> Now {
        Now::from_millis(ms, 1_700_000_000_000 + ms)
    }

    fn guard(config: Config) -> Guard {
        Guard::new(config, Rng::from_number(1))
    }

    #[test]
    fn a_closed_realm_hears_its_peers_only() {
        let mut config = Config::for_realms(1);
        config.realms[0].closed = true;
        config.realms[0].allow = vec![p("192.0.2.0/24")];
        config.deny = vec![p("192.0.2.66")];
        let mut g = guard(config);
        assert!(g.judge_packet(at(0), R, ip("192.0.2.1"), 1).passes());
        assert_eq!(g.judge_packet(at(0), R, ip("192.0.2.66"), 1), Judgement::Drop(DropReason::Denied));
        assert_eq!(g.judge_packet(at(0), R, ip("198.51.100.1"), 1), Judgement::Drop(DropReason::Closed));
        assert_eq!(g.judge_packet(at(0), RealmId(9), ip("198.51.100.1"), 70_000), Judgement::Drop(DropReason::TooLong));
    }

    #[test]
    fn a_stranger_has_his_rate_and_a_known_source_a_hundred_times_it() {
        let mut g = guard(Config::for_realms(1));
        let passed = |g: &mut Guard, s| (0..30_000).filter(|_| g.judge_packet(at(0), R, s, 1).passes()).count();
        assert_eq!(passed(&mut g, ip("192.0.2.1")), 200);
        g.trust(at(0), ip("192.0.2.2"), Merit::Call);
        assert_eq!(passed(&mut g, ip("192.0.2.2")), 20_000);
        assert_eq!(g.bans(at(0)).len(), 1, "the flood of the first one");
    }

    #[test]
    fn a_flood_of_invented_addresses_leaves_known_ones_alone_and_memory_bounded() {
        let mut g = guard(Config::for_realms(1));
        g.trust(at(0), ip("192.0.2.2"), Merit::Registration);
        let mut known = 0;
        for n in 0..1_000_000_u32 {
            let now = Now::from_millis(u64::from(n) / 1000, 0);
            let _ = g.judge_packet(now, R, IpAddr::V4((0x0b00_0000 + n).into()), 400);
            if n % 1000 == 0 {
                known += u32::from(g.judge_packet(now, R, ip("192.0.2.2"), 400).passes());
            }
        }
        assert_eq!(known, 1000);
        // One second of the realm's strangers, besides its burst.
        let (strangers, trusted) = g.sources();
        assert!((29_900..=30_000).contains(&strangers) && trusted == 1, "{strangers}");
        let dropped: u64 = g.counters().dropped().filter(|(r, _)| *r == DropReason::RealmRate).map(|d| d.1).sum();
        assert_eq!(dropped as usize, 1_000_000 - strangers);
    }

    #[test]
    fn connections_are_counted_by_source() {
        let mut config = Config::for_realms(1);
        (config.source_connections, config.connections) = (2, 3);
        let mut g = guard(config);
        let (a, b) = (ip("2001:db8::1"), ip("2001:db8::2"));
        assert!(g.judge_connection(at(0), R, a).passes() && g.judge_connection(at(0), R, b).passes());
        assert_eq!(g.judge_connection(at(0), R, a), Judgement::Drop(DropReason::SourceConnections));
        assert!(g.judge_connection(at(0), R, ip("192.0.2.1")).passes());
        assert_eq!(g.judge_connection(at(0), R, ip("192.0.2.2")), Judgement::Drop(DropReason::BoxConnections));
        g.connection_closed(at(0), R, b);
        g.connection_closed(at(0), R, ip("192.0.2.99"));
        assert_eq!(g.connections(), 2);
        assert!(g.judge_connection(at(0), R, a).passes());
    }
}
