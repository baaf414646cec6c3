//! Offences and what they lead to: a ban, or an event that says why not.
//!
//! Allowed and trunk addresses of any realm are never banned, since the packet
//! filter, which mirrors the bans, knows no realms. What came by UDP proves no
//! address and bans nobody who is trusted.

use std::net::IpAddr;

use super::ban::Ban;
use super::config::Trust;
use super::event::{BanReason, Event, EventKind, LiftReason, Output, Protection};
use super::offence::{Evidence, Offence};
use super::table::Guard;
use crate::base::net::{Prefix, canonical};
use crate::base::{Now, RealmId};

impl Guard {
    pub(super) fn offend(
        &mut self,
        now: Now,
        realm: RealmId,
        source: IpAddr,
        proved: bool,
        offence: Offence,
        detail: Option<String>,
    ) {
        self.counters.count_offence(offence);
        let source = canonical(source);
        let prefix = Prefix::of_source(source);
        let rate = self.stranger_rate(self.realm(realm).trust);
        let thresholds = self.config.bans.thresholds;
        let Some(entry) = self.sources.entry(now.mono, prefix, rate) else { return };
        let score = entry.score.get_or_insert_default();
        if !score.add(now.mono, offence, &thresholds) {
            return;
        }
        let evidence = Evidence { detail, ..score.evidence(now.mono) };
        entry.score = None;
        // Messages that were under way when the ban began.
        if self.bans.covers(prefix) {
            return;
        }
        if let Some(why) = self.protection(now, realm, prefix, proved) {
            self.counters.spared += 1;
            self.event(now, EventKind::Spared { prefix, offence, why, evidence });
            return;
        }
        let secs = self.bans.next_secs(now.mono, &prefix, &self.config.bans, proved);
        self.sources.forget(&prefix);
        self.start_ban(now, prefix, BanReason::Offence(offence), secs, evidence);
    }

    pub(super) fn protection(&self, now: Now, realm: RealmId, prefix: Prefix, proved: bool) -> Option<Protection> {
        let trust = self.realm(realm).trust;
        if self.peer_in(prefix).is_some() {
            Some(Protection::Peer)
        } else if trust == Trust::High {
            Some(Protection::Realm)
        } else if !proved && (trust == Trust::Medium || self.sources.is_known(now.mono, &prefix)) {
            Some(Protection::Unproved)
        } else {
            None
        }
    }

    /// A peer of any realm in the block: the packet filter knows no realms.
    pub(super) fn peer_in(&self, prefix: Prefix) -> Option<Prefix> {
        self.realms.iter().find_map(|realm| realm.acl.peer_in(prefix))
    }

    pub(super) fn start_ban(&mut self, now: Now, prefix: Prefix, reason: BanReason, secs: u32, evidence: Evidence) {
        let ban = (reason, secs, evidence.clone());
        if let Some((pushed_out, former)) = self.bans.start(now, prefix, &self.config.bans, ban) {
            self.outputs.push_back(Output::Lift { prefix: pushed_out });
            self.lifted(now, pushed_out, &former, LiftReason::Full);
        }
        self.counters.bans += 1;
        self.outputs.push_back(Output::Ban { prefix, ttl_secs: secs });
        self.event(now, EventKind::Banned { prefix, reason, secs, evidence });
    }

    pub(super) fn lifted(&mut self, now: Now, prefix: Prefix, ban: &Ban, why: LiftReason) {
        self.event(now, EventKind::Lifted { prefix, reason: ban.reason, why, hits: ban.hits });
    }

    pub(super) fn lift_peers(&mut self, now: Now) {
        let hit: Vec<Prefix> = self.bans.prefixes().filter(|prefix| self.peer_in(*prefix).is_some()).collect();
        for prefix in hit {
            if let Some(ban) = self.bans.lift(&prefix) {
                self.outputs.push_back(Output::Lift { prefix });
                self.lifted(now, prefix, &ban, LiftReason::Peer);
            }
        }
    }

    pub(super) fn event(&mut self, at: Now, kind: EventKind) {
        self.outputs.push_back(Output::Event(Event { at, kind }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::bucket::Rate;
    use super::super::config::{Config, Realm, Trunk};
    use super::super::event::{DropReason, Judgement};
    use super::super::table::{BanError, Merit};
    use super::*;
    use crate::base::{Instant, Transport, TrunkId};

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
        Guard::new(config, crate::base::Rng::from_number(1))
    }

    fn with_trust(trust: Trust) -> Config {
        Config { realms: vec![Realm { trust, ..Realm::default() }], ..Config::default() }
    }

    fn outputs(guard: &mut Guard) -> Vec<Output> {
        std::iter::from_fn(|| guard.poll_output()).collect()
    }

    fn fail(g: &mut Guard, source: &str, transport: Transport, times: u32) {
        for _ in 0..times {
            g.note(at(1000), R, ip(source), transport, Offence::AuthFailure);
        }
    }

    #[test]
    fn five_wrong_passwords_ban_for_half_a_minute_and_no_longer() {
        let mut g = guard(Config::for_realms(1));
        fail(&mut g, "192.0.2.1", Transport::Udp, 4);
        assert!(g.judge_packet(at(1000), R, ip("192.0.2.1"), 400).passes());
        assert_eq!(outputs(&mut g), []);
        fail(&mut g, "192.0.2.1", Transport::Udp, 1);
        let (prefix, reason) = (p("192.0.2.1"), BanReason::Offence(Offence::AuthFailure));
        let evidence = Evidence { counts: vec![(Offence::AuthFailure, 5)], over_secs: 1, detail: None };
        let banned = EventKind::Banned { prefix, reason, secs: 30, evidence };
        assert_eq!(
            outputs(&mut g),
            [Output::Ban { prefix, ttl_secs: 30 }, Output::Event(Event { at: at(1000), kind: banned })]
        );
        assert_eq!(g.poll_timeout(), Some(Instant::from_millis(31_000)));
        assert_eq!(g.judge_packet(at(30_999), R, ip("192.0.2.1"), 400), Judgement::Drop(DropReason::Banned));
        assert_eq!(g.judge_connection(at(30_999), R, ip("::ffff:192.0.2.1")), Judgement::Drop(DropReason::Banned));
        assert!(g.judge_packet(at(31_000), R, ip("192.0.2.1"), 400).passes());
        let lifted = EventKind::Lifted { prefix, reason, why: LiftReason::Expired, hits: 2 };
        assert_eq!(outputs(&mut g), [Output::Event(Event { at: at(31_000), kind: lifted })]);
        assert_eq!(g.poll_timeout(), None);
    }

    #[test]
    fn a_scanner_is_banned_at_once_and_its_v6_customer_block_with_it() {
        let mut g = guard(Config::for_realms(1));
        let s = ip("2001:db8::bad");
        assert!(g.judge_user_agent(at(0), R, s, Transport::Udp, Some("baresip"), "<sip:a@b>").passes());
        let verdict = g.judge_user_agent(at(0), R, s, Transport::Udp, Some("friendly-scanner"), "<sip:100@b>");
        assert_eq!(verdict, Judgement::Drop(DropReason::Scanner));
        assert_eq!(g.judge_packet(at(1), R, ip("2001:db8::1"), 9), Judgement::Drop(DropReason::Banned));
        assert!(g.judge_packet(at(1), R, ip("2001:db8:0:1::1"), 9).passes());
        let view = g.bans(at(1));
        assert_eq!(view[0].prefix, p("2001:db8::/64"));
        assert_eq!(view[0].evidence.to_string(), "1 scanner signature in 1 s (friendly-scanner)");
    }

    #[test]
    fn peers_are_neither_banned_nor_limited() {
        let mut config = Config::for_realms(2);
        config.source_rate = Rate::new(1, 1).expect("rate");
        config.realms[1].allow = vec![p("198.51.100.0/24")];
        config.trunks = vec![Trunk { realm: R, addresses: vec![p("203.0.113.5")], ..Trunk::default() }];
        let mut g = guard(config);
        g.set_trunk_addresses(at(0), TrunkId(0), [ip("::ffff:203.0.113.6")]);
        for peer in ["203.0.113.5", "203.0.113.6"] {
            fail(&mut g, peer, Transport::Tls, 100);
            assert!((0..50).all(|_| g.judge_packet(at(1000), R, ip(peer), 400).passes()));
            assert!(g.judge_user_agent(at(0), R, ip(peer), Transport::Udp, Some("sipvicious"), "").passes());
        }
        // Allowed in another realm: limited here, and still never banned.
        fail(&mut g, "198.51.100.7", Transport::Tls, 5);
        assert!(g.judge_packet(at(1000), R, ip("198.51.100.7"), 400).passes());
        assert!(!g.judge_packet(at(1000), R, ip("198.51.100.7"), 400).passes());
        assert!(g.bans(at(1000)).is_empty());
        assert!(!outputs(&mut g).iter().any(|o| matches!(o, Output::Ban { .. })));
        assert_eq!(g.counters().spared, 41);
        let refused = g.ban(at(0), p("203.0.113.0/24"), 60, "mine");
        assert_eq!(refused, Err(BanError::Peer { asked: p("203.0.113.0/24"), peer: p("203.0.113.5") }));
    }

    #[test]
    fn a_trunk_that_moves_to_a_banned_address_frees_it() {
        let mut config = Config::for_realms(1);
        config.trunks = vec![Trunk::default()];
        let mut g = guard(config);
        assert_eq!(g.ban(at(0), p("203.0.113.0/24"), 60, "noise\r\n"), Ok(()));
        assert_eq!(g.bans(at(0))[0].evidence.detail.as_deref(), Some("noise"));
        outputs(&mut g);
        g.set_trunk_addresses(at(0), TrunkId(0), [ip("203.0.113.7")]);
        assert_eq!(outputs(&mut g)[0], Output::Lift { prefix: p("203.0.113.0/24") });
        assert!(g.judge_packet(at(0), R, ip("203.0.113.7"), 1).passes());
    }

    #[test]
    fn udp_bans_nobody_who_has_earned_trust() {
        let mut g = guard(Config::for_realms(1));
        g.trust(at(0), ip("192.0.2.1"), Merit::Registration);
        fail(&mut g, "192.0.2.1", Transport::Udp, 5);
        assert!(g.bans(at(0)).is_empty());
        let out = outputs(&mut g);
        let [Output::Event(Event { kind: EventKind::Spared { why, .. }, .. })] = &out[..] else {
            panic!("one event: {out:?}")
        };
        assert_eq!(*why, Protection::Unproved);
        fail(&mut g, "192.0.2.1", Transport::Wss, 5);
        assert_eq!(g.bans(at(0)).len(), 1);
        assert!(!g.is_known(at(0), ip("192.0.2.1")));
    }

    #[test]
    fn a_newcomers_own_machine_is_never_banned() {
        let mut g = guard(with_trust(Trust::High));
        fail(&mut g, "127.0.0.1", Transport::Ws, 1000);
        assert!(g.judge_user_agent(at(0), R, ip("127.0.0.1"), Transport::Udp, Some("sipvicious"), "").passes());
        assert!(g.bans(at(0)).is_empty());
        assert!((0..20_000).all(|_| g.judge_packet(at(0), R, ip("::ffff:127.0.0.1"), 400).passes()));
    }

    #[test]
    fn trust_medium_bans_by_connection_only() {
        let mut g = guard(with_trust(Trust::Medium));
        fail(&mut g, "192.0.2.1", Transport::Udp, 50);
        assert!(g.bans(at(0)).is_empty());
        fail(&mut g, "192.0.2.1", Transport::Tcp, 5);
        assert_eq!(g.bans(at(0)).len(), 1);
    }

    proptest! {
        /// Whatever happens, a peer is let in, never banned, and the bans in
        /// the packet filter are those in force.
        #[test]
        fn peers_pass_and_the_filter_mirrors_the_table(
            steps in prop::collection::vec((0_u8..6, 0_u8..8, 0_u64..40_000), 1..150),
        ) {
            let mut config = Config::for_realms(1);
            config.realms[0].allow = vec![p("10.0.0.1")];
            let mut g = guard(config);
            let (mut ms, mut filter) = (0, std::collections::BTreeMap::new());
            for (what, host, wait) in steps {
                ms += wait;
                let (now, source) = (at(ms), IpAddr::from([10, 0, 0, host]));
                match what {
                    0 => g.note(now, R, source, Transport::Udp, Offence::Scanner),
                    1 => g.note(now, R, source, Transport::Tls, Offence::AuthFailure),
                    2 => g.trust(now, source, Merit::Registration),
                    3 => {
                        let _ = g.lift(now, Prefix::host(source));
                    }
                    4 => {
                        let _ = g.ban(now, Prefix::host(source), 20, "");
                    }
                    _ => g.handle_timeout(now),
                }
                g.handle_timeout(now);
                while let Some(output) = g.poll_output() {
                    match output {
                        Output::Ban { prefix, ttl_secs } => {
                            filter.insert(prefix, ms + u64::from(ttl_secs) * 1000);
                        }
                        Output::Lift { prefix } => prop_assert!(filter.remove(&prefix).is_some()),
                        Output::Event(_) => {}
                    }
                }
                filter.retain(|_, end| *end > ms);
                let table: Vec<Prefix> = g.bans(now).iter().map(|ban| ban.prefix).collect();
                prop_assert_eq!(&table, &filter.keys().copied().collect::<Vec<_>>());
                prop_assert_eq!(g.poll_timeout(), filter.values().min().map(|end| Instant::from_millis(*end)));
                prop_assert!(g.judge_packet(now, R, ip("::ffff:10.0.0.1"), 9).passes());
                for prefix in table {
                    prop_assert_eq!(g.judge_packet(now, R, prefix.base(), 9), Judgement::Drop(DropReason::Banned));
                }
            }
        }
    }
}
