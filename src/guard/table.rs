//! The guard itself: lists, bans, buckets and counts behind one door.
//!
//! What is here is the machine's face and state; judgement before parsing is in
//! `judge`, what offences lead to in `sanction`.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use super::acl::Acl;
use super::admission::{Admission, Caller};
use super::ban::{Bans, OPERATOR_MAX_SECS};
use super::bucket::Bucket;
use super::config::{Config, Trust};
use super::event::{BanReason, BanView, Counters, DropReason, Judgement, LiftReason, Limit, Output, Refusal};
use super::offence::{Evidence, Offence, Signatures};
use super::source::Sources;
use crate::base::net::{Prefix, canonical};
use crate::base::{CallId, Instant, Now, RealmId, Rng, Transport, TrunkId, limits};

/// The guard of one engine.
#[derive(Clone, Debug)]
pub struct Guard {
    pub(super) config: Config,
    pub(super) rng: Rng,
    pub(super) signatures: Signatures,
    pub(super) realms: Vec<RealmState>,
    pub(super) strangers: Option<Bucket>,
    /// Addresses that the trunks' names resolved to, by `TrunkId`.
    pub(super) learned: Vec<BTreeSet<IpAddr>>,
    pub(super) sources: Sources,
    pub(super) connections: HashMap<Prefix, u32>,
    pub(super) connected: u32,
    pub(super) admission: Admission,
    pub(super) bans: Bans,
    pub(super) counters: Counters,
    pub(super) outputs: VecDeque<Output>,
}

/// A realm's access list and what its strangers have left.
#[derive(Clone, Debug, Default)]
pub(super) struct RealmState {
    pub(super) acl: Acl,
    pub(super) trust: Trust,
    pub(super) closed: bool,
    pub(super) strangers: Option<Bucket>,
}

/// What earns a source trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merit {
    /// A registration with good credentials.
    Registration,
    /// A call with good credentials that was answered.
    Call,
}

/// Why a ban by command was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BanError {
    /// The block shares an address with a trunk or an allow list.
    #[error("{asked} shares addresses with {peer}, a trunk or an entry of an allow list")]
    Peer {
        /// What was to be banned.
        asked: Prefix,
        /// Who would be hit.
        peer: Prefix,
    },
    /// The block holds loopback addresses: our own machine.
    #[error("{0} holds loopback addresses, which are this machine's own")]
    Loopback(Prefix),
}

impl Guard {
    /// A guard that has seen nobody. `rng` draws the Retry-After of refusals.
    pub fn new(config: Config, rng: Rng) -> Self {
        let mut guard = Self {
            rng,
            signatures: Signatures::new(&config.scanners),
            realms: Vec::new(),
            strangers: None,
            learned: vec![BTreeSet::new(); config.trunks.len()],
            sources: Sources::new(limits::GUARD_SOURCES, limits::GUARD_KNOWN_SOURCES),
            connections: HashMap::new(),
            connected: 0,
            admission: Admission::new(&config),
            bans: Bans::new(limits::BANS),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            config,
        };
        guard.build_realms();
        guard
    }

    /// Takes on another configuration. Bans, trust, buckets and the counts of
    /// calls stay; a ban that would hit a peer of the new one is lifted.
    /// Realms and trunks are taken for the same where their ids are.
    pub fn reconfigure(&mut self, now: Now, config: Config) {
        self.signatures = Signatures::new(&config.scanners);
        self.admission.reconfigure(&config);
        self.learned.resize(config.trunks.len(), BTreeSet::new());
        self.config = config;
        self.build_realms();
        self.lift_peers(now);
    }

    /// Replaces the addresses that a trunk's name resolves to: from here on
    /// they are peers, and a ban that hits them is lifted.
    pub fn set_trunk_addresses(&mut self, now: Now, trunk: TrunkId, addresses: impl IntoIterator<Item = IpAddr>) {
        let Some(learned) = self.learned.get_mut(usize::from(trunk.0)) else { return };
        let addresses: BTreeSet<IpAddr> = addresses.into_iter().map(canonical).collect();
        // Names are resolved often and change seldom.
        if *learned != addresses {
            *learned = addresses;
            self.teach_realms();
            self.lift_peers(now);
        }
    }

    /// Judges a datagram or framed message of `bytes` bytes before parsing.
    pub fn judge_packet(&mut self, now: Now, realm: RealmId, source: IpAddr, bytes: usize) -> Judgement {
        let verdict =
            if bytes > limits::SIP_MESSAGE_BYTES { Err(DropReason::TooLong) } else { self.let_in(now, realm, source) };
        self.conclude(verdict)
    }

    /// Judges a connection that a peer has opened; one that passes is counted
    /// until [`connection_closed`](Self::connection_closed).
    pub fn judge_connection(&mut self, now: Now, realm: RealmId, source: IpAddr) -> Judgement {
        let verdict = self.let_in(now, realm, source).and_then(|()| self.connect(now, realm, source));
        self.conclude(verdict)
    }

    /// A connection that had passed is gone.
    pub fn connection_closed(&mut self, _now: Now, _realm: RealmId, source: IpAddr) {
        let prefix = Prefix::of_source(source);
        if let Some(count) = self.connections.get_mut(&prefix) {
            *count -= 1;
            self.connected = self.connected.saturating_sub(1);
            if *count == 0 {
                self.connections.remove(&prefix);
            }
        }
    }

    /// Judges a request of an authenticated user. Give a user only once the
    /// credentials were good: otherwise anybody uses up another's rate.
    ///
    /// # Errors
    ///
    /// The refusal to answer with.
    pub fn judge_request(
        &mut self,
        now: Now,
        _source: IpAddr,
        method: &str,
        user: Option<&str>,
    ) -> Result<(), Refusal> {
        // What ends or confirms something only ever relieves us. ACK cannot be
        // answered at all (RFC 3261 §17).
        if matches!(method, "ACK" | "BYE" | "CANCEL" | "PRACK") {
            return Ok(());
        }
        match user {
            Some(user) if !self.admission.take_request(now.mono, user, self.config.user_rate) => {
                Err(self.refuse(Limit::UserRequests))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Looks for the signature of a scanner in the User-Agent and in the From
    /// header's value. One that is found is dropped, and its source banned at
    /// once as far as it may be. Peers and realms of trust `high` pass.
    pub fn judge_user_agent(
        &mut self,
        now: Now,
        realm: RealmId,
        source: IpAddr,
        transport: Transport,
        user_agent: Option<&str>,
        from: &str,
    ) -> Judgement {
        let state = self.realm(realm);
        if state.trust == Trust::High || state.acl.judge(source).is_peer() {
            return Judgement::Pass;
        }
        let found = user_agent.and_then(|text| self.signatures.find(text)).or_else(|| self.signatures.find(from));
        let Some(signature) = found.map(str::to_owned) else { return Judgement::Pass };
        self.offend(now, realm, source, transport.is_reliable(), Offence::Scanner, Some(signature));
        self.counters.count_drop(DropReason::Scanner);
        Judgement::Drop(DropReason::Scanner)
    }

    /// Admits a call by the limits of box, realm, source and user; it counts
    /// until [`release_call`](Self::release_call).
    ///
    /// # Errors
    ///
    /// The refusal to answer with: 503 with a Retry-After.
    pub fn admit_call(
        &mut self,
        now: Now,
        realm: RealmId,
        source: IpAddr,
        user: Option<&str>,
        call: CallId,
    ) -> Result<(), Refusal> {
        let source = self.source_calls(now, realm, source);
        let caller = Caller { realm, source, user };
        self.admission.admit(now.mono, caller, self.config.user_calls, call).map_err(|limit| self.refuse(limit))
    }

    /// A call has ended; false if it held nothing.
    pub fn release_call(&mut self, call: CallId) -> bool {
        self.admission.release(call)
    }

    /// Admits one attempt of a call to a trunk; it counts until
    /// [`release_trunk`](Self::release_trunk).
    ///
    /// # Errors
    ///
    /// The refusal to answer with if there is no other target to try.
    pub fn admit_trunk(&mut self, now: Now, trunk: TrunkId, call: CallId, attempt: u8) -> Result<(), Refusal> {
        self.admission.admit_trunk(now.mono, trunk, call, attempt).map_err(|limit| self.refuse(limit))
    }

    /// An attempt has ended; false if it held nothing.
    pub fn release_trunk(&mut self, trunk: TrunkId, call: CallId, attempt: u8) -> bool {
        self.admission.release_trunk(trunk, call, attempt)
    }

    /// Calls in force to a trunk: what `route` balances by.
    pub fn trunk_calls(&self, trunk: TrunkId) -> u32 {
        self.admission.trunk_calls(trunk)
    }

    /// Calls in force that came in by a realm.
    pub fn realm_calls(&self, realm: RealmId) -> u32 {
        self.admission.realm_calls(realm)
    }

    /// Calls in force.
    pub fn calls(&self) -> usize {
        self.admission.calls()
    }

    /// Notes an offence; with the one that reaches its limit the source is
    /// banned, or an event says why it is not. `transport` is what the offence
    /// came over: only a connection proves the address.
    pub fn note(&mut self, now: Now, realm: RealmId, source: IpAddr, transport: Transport, offence: Offence) {
        self.offend(now, realm, source, transport.is_reliable(), offence, None);
    }

    /// Makes a source known for `Config::trust_lasts`.
    pub fn trust(&mut self, now: Now, source: IpAddr, by: Merit) {
        match by {
            // Both prove the credentials, and both prove the address: the
            // nonce went there and came back.
            Merit::Registration | Merit::Call => {
                let rate = self.trusted_rate();
                self.sources.promote(now.mono, Prefix::of_source(source), rate, self.config.trust_lasts);
            }
        }
    }

    /// True if the source has earned trust.
    pub fn is_known(&self, now: Now, source: IpAddr) -> bool {
        self.sources.is_known(now.mono, &Prefix::of_source(source))
    }

    /// Bans a block by command, for 1 s to 30 days, in place of a ban that the
    /// same block has.
    ///
    /// # Errors
    ///
    /// If the block shares an address with a peer, or with loopback.
    pub fn ban(&mut self, now: Now, prefix: Prefix, secs: u32, words: &str) -> Result<(), BanError> {
        if let Some(peer) = self.peer_in(prefix) {
            return Err(BanError::Peer { asked: prefix, peer });
        }
        let loopback = [IpAddr::from(std::net::Ipv4Addr::LOCALHOST), IpAddr::from(std::net::Ipv6Addr::LOCALHOST)];
        if prefix.base().is_loopback() || loopback.iter().any(|ip| prefix.contains(*ip)) {
            return Err(BanError::Loopback(prefix));
        }
        let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
        let detail = Some(words).filter(|words| !words.is_empty());
        let evidence = Evidence { detail, ..Evidence::default() };
        self.start_ban(now, prefix, BanReason::Operator, secs.clamp(1, OPERATOR_MAX_SECS), evidence);
        Ok(())
    }

    /// Lifts the ban of exactly this block and forgives what led to it; false
    /// if there is none.
    pub fn lift(&mut self, now: Now, prefix: Prefix) -> bool {
        self.sources.forget(&prefix);
        let Some(ban) = self.bans.lift(&prefix) else { return false };
        self.outputs.push_back(Output::Lift { prefix });
        self.lifted(now, prefix, &ban, LiftReason::Operator);
        true
    }

    /// Every ban in force, in order of address.
    pub fn bans(&self, now: Now) -> Vec<BanView> {
        self.bans.view(now)
    }

    /// Bans in force, by reason.
    pub fn bans_by_reason(&self) -> impl Iterator<Item = (BanReason, u32)> {
        self.bans.by_reason()
    }

    /// Counts since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Numbers of strangers and of known sources remembered.
    pub fn sources(&self) -> (usize, usize) {
        self.sources.len()
    }

    /// Connections in force.
    pub fn connections(&self) -> u32 {
        self.connected
    }

    /// Ends the bans whose time is over.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((prefix, ban)) = self.bans.pop(now.mono) {
            self.lifted(now, prefix, &ban, LiftReason::Expired);
        }
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.bans.next_end()
    }

    /// Takes one output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The realms' access lists from the configuration; buckets are kept.
    fn build_realms(&mut self) {
        let config = &self.config;
        // One more than configured, which trusts nobody: for ids out of the table.
        self.realms.truncate(config.realms.len());
        self.realms.resize_with(config.realms.len() + 1, RealmState::default);
        for (index, state) in self.realms.iter_mut().enumerate() {
            let realm = config.realms.get(index).cloned().unwrap_or_default();
            let trunks = config.trunks.iter().filter(|trunk| usize::from(trunk.realm.0) == index);
            state.acl = Acl::new(
                config.deny.iter().chain(&realm.deny),
                config.allow.iter().chain(&realm.allow),
                trunks.flat_map(|trunk| &trunk.addresses),
            );
            state.trust = realm.trust;
            state.closed = realm.closed;
        }
        self.teach_realms();
    }

    /// The learned addresses of trunks, to the realms they are reached through.
    fn teach_realms(&mut self) {
        for (index, state) in self.realms.iter_mut().enumerate() {
            let trunks = self.config.trunks.iter().zip(&self.learned);
            let here = trunks.filter(|(trunk, _)| usize::from(trunk.realm.0) == index);
            state.acl.set_learned(here.flat_map(|(_, addresses)| addresses.iter().copied()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::Rate;
    use super::super::config::{CallLimit, Trunk};
    use super::*;

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
    fn a_user_over_the_rate_is_told_when_to_come_back() {
        let mut config = Config::for_realms(1);
        config.user_rate = Rate::new(1, 2).expect("rate");
        let mut g = guard(config);
        let mut ask = |ms, method, user| g.judge_request(at(ms), ip("192.0.2.1"), method, user);
        assert_eq!((ask(0, "REGISTER", Some("bob")), ask(0, "INVITE", Some("bob"))), (Ok(()), Ok(())));
        let refusal = ask(0, "INVITE", Some("bob")).expect_err("the rate is used up");
        assert_eq!((refusal.status, refusal.reason), (503, Limit::UserRequests));
        assert!((2..=10).contains(&refusal.retry_after_secs));
        assert_eq!(ask(0, "BYE", Some("bob")), Ok(()));
        assert_eq!(ask(0, "INVITE", Some("eve")), Ok(()));
        assert_eq!(ask(0, "INVITE", None), Ok(()));
        assert_eq!(ask(1000, "INVITE", Some("bob")), Ok(()));
    }

    #[test]
    fn a_full_trunk_refuses_with_a_spread_of_waiting_times() {
        let mut config = Config::for_realms(1);
        config.trunks = vec![Trunk { calls: CallLimit { calls: Some(1), rate: None }, ..Trunk::default() }];
        let mut g = guard(config);
        assert_eq!(g.admit_trunk(at(0), TrunkId(0), CallId(1), 0), Ok(()));
        let waits: BTreeSet<u32> = (0..200)
            .map(|n| g.admit_trunk(at(0), TrunkId(0), CallId(2 + n), 0).expect_err("full").retry_after_secs)
            .collect();
        assert_eq!(waits, (2..=10).collect());
        assert!(g.release_trunk(TrunkId(0), CallId(1), 0));
        assert_eq!(g.trunk_calls(TrunkId(0)), 0);
    }

    #[test]
    fn a_peer_has_no_limit_of_calls_by_source() {
        let mut config = Config::for_realms(1);
        config.source_calls = CallLimit { calls: Some(1), rate: None };
        config.realms[0].allow = vec![p("203.0.113.5")];
        let mut g = guard(config);
        assert!((0..50).all(|n| g.admit_call(at(0), R, ip("203.0.113.5"), None, CallId(n)).is_ok()));
        assert!(g.admit_call(at(0), R, ip("192.0.2.1"), None, CallId(100)).is_ok());
        let refusal = g.admit_call(at(0), R, ip("192.0.2.1"), None, CallId(101)).expect_err("one at once");
        assert_eq!(refusal.reason, Limit::SourceCalls);
        g.trust(at(0), ip("192.0.2.1"), Merit::Call);
        assert!(g.admit_call(at(0), R, ip("192.0.2.1"), None, CallId(101)).is_ok());
    }

    #[test]
    fn a_reload_keeps_bans_except_of_new_peers() {
        let mut g = guard(Config::for_realms(1));
        assert_eq!(g.ban(at(0), p("192.0.2.1"), 60, ""), Ok(()));
        assert_eq!(g.ban(at(0), p("192.0.2.2"), 60, ""), Ok(()));
        let mut config = Config::for_realms(2);
        config.realms[1].allow = vec![p("192.0.2.2")];
        g.reconfigure(at(5), config);
        assert_eq!(g.bans(at(5)).iter().map(|b| b.prefix).collect::<Vec<_>>(), [p("192.0.2.1")]);
        assert!(g.lift(at(6), p("192.0.2.1")) && !g.lift(at(6), p("192.0.2.1")));
    }
}
