//! The ICE-lite agent (RFC 8445 §2.5, §7.3): answers checks, proves addresses.
//!
//! A pair is *proved* by a Binding request that carries our user fragment and
//! is authenticated with our password, and *nominated* by USE-CANDIDATE in such
//! a request; a later USE-CANDIDATE nominates anew. What is not authenticated
//! gets no answer at all and changes nothing, so a stranger who sprays checks
//! learns nothing and cannot make us amplify. Responses are never awaited and
//! count as noise. Answers depend on the request alone: a retransmission gets
//! the same bytes. The whole agent is data and can be written down.

use std::collections::VecDeque;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::attribute;
use super::consent::Consent;
use super::outcome::{Change, Counters, Credentials, Expired, Outcome, Pair, Reason};
use super::stun::{BINDING, Builder, Class, Message, TransactionId};
use crate::base::limits::{ICE_PAIRS, ICE_TRANSACTIONS};
use crate::base::{Instant, Now};

/// One side's agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Agent {
    current: Generation,
    /// After a restart, until the next nomination (RFC 8445 §9: media stay on
    /// the old pair meanwhile).
    previous: Option<Generation>,
    transactions: VecDeque<(TransactionId, SocketAddr)>,
    counters: Counters,
}

/// What belongs to one pair of credentials.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Generation {
    local: Credentials,
    remote_ufrag: Option<String>,
    /// In the order in which they were proved.
    pairs: Vec<Proved>,
    nominated: Option<Pair>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Proved {
    pair: Pair,
    remote_ufrag: String,
    consent: Consent,
}

impl Agent {
    /// An agent that knows no peer. Checks that arrive before
    /// [`set_remote`](Self::set_remote) are served (RFC 8445 §7.3).
    pub fn new(local: Credentials) -> Self {
        Self {
            current: Generation::new(local),
            previous: None,
            transactions: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Our credentials, for signalling.
    pub fn local(&self) -> &Credentials {
        &self.current.local
    }

    /// True if signalling has given this fragment as the peer's.
    pub fn has_remote(&self, ufrag: &str) -> bool {
        self.current.remote_ufrag.as_deref() == Some(ufrag)
    }

    /// Takes the peer's fragment from signalling; pairs proved under another
    /// one (a fork of our offer) are forgotten. Its password is not needed: a
    /// lite agent sends no checks.
    pub fn set_remote(&mut self, ufrag: &str) {
        let generation = &mut self.current;
        generation.remote_ufrag = Some(ufrag.to_owned());
        generation.pairs.retain(|p| p.remote_ufrag == ufrag);
        if generation.nominated.is_some_and(|pair| generation.find(pair).is_none()) {
            generation.nominated = None;
        }
    }

    /// Restarts ICE (RFC 8445 §9). The selected pair stays in use, and checks
    /// for it are answered, until the new generation nominates one.
    pub fn restart(&mut self, local: Credentials) {
        let old = std::mem::replace(&mut self.current, Generation::new(local));
        if old.nominated.is_some() || self.previous.is_none() {
            self.previous = Some(old);
        }
    }

    /// The pair to send on: nominated, with consent.
    pub fn selected(&self) -> Option<Pair> {
        self.current.nominated.or_else(|| self.previous.as_ref()?.nominated)
    }

    /// True if an authenticated check came on the pair.
    pub fn is_proved(&self, pair: Pair) -> bool {
        self.generations().any(|g| g.find(pair).is_some())
    }

    /// Every proved pair, in the order of their first check.
    pub fn proved(&self) -> impl Iterator<Item = Pair> {
        self.generations().flat_map(|g| g.pairs.iter().map(|p| p.pair))
    }

    /// Counts of everything handled.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a datagram that came from `from` to our socket at `local`.
    pub fn handle(&mut self, now: Now, from: SocketAddr, local: SocketAddr, bytes: &[u8]) -> Outcome {
        let pair = Pair { local, remote: from };
        let outcome = self.judge(now.mono, pair, bytes).unwrap_or_else(Outcome::Dropped);
        self.counters.feed(&outcome);
        outcome
    }

    fn judge(&mut self, now: Instant, pair: Pair, bytes: &[u8]) -> Result<Outcome, Reason> {
        let message = Message::parse(bytes).map_err(Reason::Malformed)?;
        match message.class {
            Class::Request => {}
            Class::Indication => return Err(Reason::Indication),
            Class::Success | Class::Error => return Err(Reason::Response),
        }
        if message.method != BINDING {
            return Err(Reason::Method);
        }
        // RFC 8489 §9.1.3 has 400 and 401 here; silence tells a stranger less
        // and an honest peer has been told our credentials by signalling.
        let (ours, theirs) = users(&message).filter(|_| message.has_integrity()).ok_or(Reason::NoCredentials)?;
        let old = self.current.local.ufrag != ours;
        let generation = match &mut self.previous {
            Some(previous) if old => previous,
            _ => &mut self.current,
        };
        if generation.local.ufrag != ours || generation.remote_ufrag.as_deref().is_some_and(|known| known != theirs) {
            return Err(Reason::UnknownUser);
        }
        let key = generation.local.pwd.reveal().as_bytes();
        if !message.is_authentic(key) {
            return Err(Reason::WrongIntegrity);
        }
        remember(&mut self.transactions, message.id, pair.remote)?;
        if let Some(refused) = refuse(&message, key) {
            return Ok(refused);
        }
        let reply = Builder::binding(Class::Success, message.id).mapped_address(pair.remote).sign(key);
        let nominates = message.get(attribute::USE_CANDIDATE).is_some();
        let change = generation.prove(now, pair, theirs, nominates);
        if change == Change::Nominated && !old {
            self.previous = None;
        }
        Ok(Outcome::Answered { reply, pair, change })
    }

    /// Renews the consent of a proved pair by media that SRTP has
    /// authenticated: peers that stop checking after ICE has ended
    /// (RFC 5245 agents) still show that they want our packets.
    pub fn keep_alive(&mut self, now: Now, pair: Pair) {
        for generation in std::iter::once(&mut self.current).chain(self.previous.as_mut()) {
            if let Some(at) = generation.find(pair) {
                generation.pairs[at].consent.renew(now.mono);
            }
        }
    }

    /// When the selected pair's consent runs out.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pair = self.selected()?;
        self.generations().filter_map(|g| g.find(pair).map(|at| g.pairs[at].consent.expires_at())).max()
    }

    /// Ends the consent of the selected pair if it is due. The pair can come
    /// back by another authenticated check that nominates it.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Expired> {
        let pair = self.selected()?;
        if self.poll_timeout()? > now.mono {
            return None;
        }
        for generation in std::iter::once(&mut self.current).chain(self.previous.as_mut()) {
            generation.pairs.retain(|p| p.pair != pair);
            if generation.nominated == Some(pair) {
                generation.nominated = None;
            }
        }
        Some(Expired(pair))
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        std::iter::once(&self.current).chain(self.previous.as_ref())
    }
}

impl Generation {
    fn new(local: Credentials) -> Self {
        Self { local, remote_ufrag: None, pairs: Vec::new(), nominated: None }
    }

    fn find(&self, pair: Pair) -> Option<usize> {
        self.pairs.iter().position(|p| p.pair == pair)
    }

    fn prove(&mut self, now: Instant, pair: Pair, remote_ufrag: &str, nominates: bool) -> Change {
        let known = self.find(pair);
        match known {
            Some(at) => self.pairs[at].consent.renew(now),
            None => {
                self.make_room();
                let consent = Consent::given(now);
                self.pairs.push(Proved { pair, remote_ufrag: remote_ufrag.to_owned(), consent });
            }
        }
        if nominates && self.nominated != Some(pair) {
            self.nominated = Some(pair);
            Change::Nominated
        } else if known.is_none() {
            Change::Proved
        } else {
            Change::Known
        }
    }

    /// Forgets the least recently checked pair that is not nominated.
    fn make_room(&mut self) {
        if self.pairs.len() < ICE_PAIRS {
            return;
        }
        let idle = (0..self.pairs.len())
            .filter(|at| Some(self.pairs[*at].pair) != self.nominated)
            .min_by_key(|at| self.pairs[*at].consent.last());
        if let Some(at) = idle {
            self.pairs.remove(at);
        }
    }
}

/// The two halves of USERNAME: the receiver's fragment, then the sender's.
fn users<'a>(message: &Message<'a>) -> Option<(&'a str, &'a str)> {
    message.username()?.split_once(':').filter(|(ours, theirs)| !ours.is_empty() && theirs.len() <= 256)
}

/// Remembers which address a transaction came from.
fn remember(
    seen: &mut VecDeque<(TransactionId, SocketAddr)>,
    id: TransactionId,
    from: SocketAddr,
) -> Result<(), Reason> {
    match seen.iter().find(|(known, _)| *known == id) {
        Some((_, at)) if *at == from => return Ok(()),
        Some(_) => return Err(Reason::Replayed),
        None => {}
    }
    if seen.len() >= ICE_TRANSACTIONS {
        seen.pop_front();
    }
    seen.push_back((id, from));
    Ok(())
}

/// The error response to an authentic request that we cannot serve.
fn refuse(message: &Message<'_>, key: &[u8]) -> Option<Outcome> {
    let error = |code, reason| Builder::binding(Class::Error, message.id).error_code(code, reason);
    // RFC 8489 §6.3.1: what has to be understood and is not.
    if message.unknown_required().next().is_some() {
        let reply = error(420, "Unknown Attribute").unknown_attributes(message.unknown_required()).sign(key);
        return Some(Outcome::Refused { reply, code: 420 });
    }
    // RFC 8445 §7.3.1.1: both are controlled. A lite agent is never the
    // controlling one, so ours counts as the lowest tie-breaker.
    if message.get(attribute::ICE_CONTROLLED).is_some() {
        return Some(Outcome::Refused { reply: error(487, "Role Conflict").sign(key), code: 487 });
    }
    None
}

/// The user fragment that a datagram is for: the key to an agent on a shared
/// port. Nothing of the datagram is authenticated by this.
pub fn ufrag_of(bytes: &[u8]) -> Option<&str> {
    let message = Message::parse(bytes).ok()?;
    Some(users(&message)?.0)
}

#[cfg(test)]
mod tests {
    use super::super::stun::StunError;
    use super::*;

    const PWD: &str = "ourpasswordof22charsxx";
    const LOCAL: &str = "192.0.2.10:8189";
    const PEER: &str = "198.51.100.7:50000";
    const OTHER: &str = "203.0.113.66:4444";

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn secs(s: u64) -> Now {
        Now::from_millis(s * 1000, s * 1000)
    }

    fn agent() -> Agent {
        let mut agent = Agent::new(Credentials::new("ours", PWD));
        agent.set_remote("theirs");
        agent
    }

    struct Check {
        id: u8,
        user: &'static str,
        pwd: &'static str,
        nominate: bool,
        extra: Option<u16>,
    }

    const CHECK: Check = Check { id: 1, user: "ours:theirs", pwd: PWD, nominate: false, extra: None };

    impl Check {
        fn bytes(&self) -> Vec<u8> {
            let mut b = Builder::binding(Class::Request, TransactionId([self.id; 12]))
                .attribute(attribute::USERNAME, self.user.as_bytes())
                .attribute(attribute::PRIORITY, &[0x6e, 0, 1, 0xff])
                .attribute(attribute::ICE_CONTROLLING, &[7; 8]);
            if self.nominate {
                b = b.attribute(attribute::USE_CANDIDATE, &[]);
            }
            if let Some(kind) = self.extra {
                b = b.attribute(kind, &[0; 8]);
            }
            b.sign(self.pwd.as_bytes())
        }

        fn send(&self, agent: &mut Agent, now: Now, from: &str) -> Outcome {
            agent.handle(now, at(from), at(LOCAL), &self.bytes())
        }
    }

    fn change(outcome: &Outcome) -> Option<Change> {
        match outcome {
            Outcome::Answered { change, .. } => Some(*change),
            Outcome::Refused { .. } | Outcome::Dropped(_) => None,
        }
    }

    fn pair(remote: &str) -> Pair {
        Pair { local: at(LOCAL), remote: at(remote) }
    }

    #[test]
    fn an_authenticated_check_proves_and_use_candidate_nominates() {
        let mut agent = agent();
        let Outcome::Answered { reply, pair: on, change } = CHECK.send(&mut agent, secs(1), PEER) else {
            panic!("an answer is due");
        };
        assert_eq!((on, change), (pair(PEER), Change::Proved));
        let answer = Message::parse(&reply).expect("a valid message");
        assert_eq!((answer.class, answer.id), (Class::Success, TransactionId([1; 12])));
        assert_eq!(answer.mapped_address(), Some(at(PEER)));
        assert!(answer.is_authentic(PWD.as_bytes()));
        assert_eq!(answer.get(attribute::SOFTWARE), None);
        assert!(agent.is_proved(pair(PEER)) && !agent.is_proved(pair(OTHER)));
        assert_eq!((agent.selected(), agent.poll_timeout()), (None, None));

        let nomination = Check { id: 2, nominate: true, ..CHECK };
        assert_eq!(self::change(&nomination.send(&mut agent, secs(2), PEER)), Some(Change::Nominated));
        assert_eq!(agent.selected(), Some(pair(PEER)));
        assert_eq!(agent.poll_timeout(), Some(Instant::from_millis(32_000)));
        assert_eq!(self::change(&Check { id: 3, ..nomination }.send(&mut agent, secs(3), PEER)), Some(Change::Known));
    }

    #[test]
    fn retransmissions_get_the_same_answer() {
        let mut agent = agent();
        let Outcome::Answered { reply: first, .. } = CHECK.send(&mut agent, secs(1), PEER) else {
            panic!("an answer is due");
        };
        let Outcome::Answered { reply, change, .. } = CHECK.send(&mut agent, secs(9), PEER) else {
            panic!("an answer is due");
        };
        assert_eq!((reply, change), (first, Change::Known));
    }

    #[test]
    fn a_later_use_candidate_nominates_anew() {
        let mut agent = agent();
        Check { nominate: true, ..CHECK }.send(&mut agent, secs(1), PEER);
        let moved = Check { id: 2, nominate: true, ..CHECK }.send(&mut agent, secs(2), OTHER);
        assert_eq!(change(&moved), Some(Change::Nominated));
        assert_eq!(agent.selected(), Some(pair(OTHER)));
        assert_eq!(agent.proved().collect::<Vec<_>>(), [pair(PEER), pair(OTHER)]);
    }

    #[test]
    fn what_is_not_authenticated_gets_no_answer_and_changes_nothing() {
        let mut agent = agent();
        let bare = Builder::binding(Class::Request, TransactionId([9; 12]))
            .attribute(attribute::USERNAME, b"ours:theirs")
            .attribute(attribute::USE_CANDIDATE, &[])
            .finish();
        let nameless = Builder::binding(Class::Request, TransactionId([9; 12])).sign(PWD.as_bytes());
        let indication = Builder::binding(Class::Indication, TransactionId([9; 12])).sign(PWD.as_bytes());
        let response = Builder::binding(Class::Success, TransactionId([9; 12]))
            .attribute(attribute::USERNAME, b"ours:theirs")
            .attribute(attribute::USE_CANDIDATE, &[])
            .sign(PWD.as_bytes());
        let mut method = CHECK.bytes();
        method.truncate(method.len() - 8);
        method[1] = 2;
        let len = (method.len() - 20) as u16;
        method[2..4].copy_from_slice(&len.to_be_bytes());
        for (bytes, reason) in [
            (bare, Reason::NoCredentials),
            (nameless, Reason::NoCredentials),
            (Check { user: "ours", ..CHECK }.bytes(), Reason::NoCredentials),
            (Check { user: "others:theirs", ..CHECK }.bytes(), Reason::UnknownUser),
            (Check { user: "ours:thirds", ..CHECK }.bytes(), Reason::UnknownUser),
            (Check { pwd: "wrong", nominate: true, ..CHECK }.bytes(), Reason::WrongIntegrity),
            (indication, Reason::Indication),
            (response, Reason::Response),
            (method, Reason::Method),
            (vec![0x80; 40], Reason::Malformed(StunError::NotStun)),
        ] {
            assert_eq!(agent.handle(secs(1), at(OTHER), at(LOCAL), &bytes), Outcome::Dropped(reason));
        }
        assert_eq!((agent.selected(), agent.proved().count()), (None, 0));
        let counted = Counters { malformed: 2, unsolicited: 2, unauthenticated: 6, ..Counters::default() };
        assert_eq!(agent.counters(), counted);
    }

    #[test]
    fn use_candidate_behind_the_integrity_nominates_nobody() {
        let mut agent = agent();
        // A third party appends USE-CANDIDATE to an authentic check.
        let mut bytes = CHECK.bytes();
        bytes.truncate(bytes.len() - 8);
        bytes.extend([0, 0x25, 0, 0]);
        let len = (bytes.len() - 20) as u16;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
        assert_eq!(change(&agent.handle(secs(1), at(PEER), at(LOCAL), &bytes)), Some(Change::Proved));
        assert_eq!(agent.selected(), None);
    }

    #[test]
    fn a_check_repeated_from_elsewhere_proves_nothing() {
        let mut agent = agent();
        let check = Check { nominate: true, ..CHECK };
        check.send(&mut agent, secs(1), PEER);
        assert_eq!(check.send(&mut agent, secs(2), OTHER), Outcome::Dropped(Reason::Replayed));
        assert_eq!(agent.selected(), Some(pair(PEER)));
        assert!(!agent.is_proved(pair(OTHER)));
    }

    #[test]
    fn refuses_unknown_attributes_and_role_conflicts_with_a_signed_error() {
        for (kind, code) in [(0x7abc, 420), (attribute::ICE_CONTROLLED, 487)] {
            let mut agent = agent();
            let check = Check { nominate: true, extra: Some(kind), ..CHECK };
            let Outcome::Refused { reply, code: given } = check.send(&mut agent, secs(1), PEER) else {
                panic!("an error is due");
            };
            let answer = Message::parse(&reply).expect("a valid message");
            let written = answer.get(attribute::ERROR_CODE).and_then(attribute::read_error_code);
            assert_eq!((given, written, answer.class), (code, Some(code), Class::Error));
            assert!(answer.is_authentic(PWD.as_bytes()));
            let unknown = answer.get(attribute::UNKNOWN_ATTRIBUTES);
            assert_eq!(unknown, (code == 420).then_some(&[0x7a, 0xbc][..]));
            assert_eq!(agent.proved().count(), 0);
        }
    }

    #[test]
    fn consent_ends_after_thirty_seconds_without_a_check() {
        let mut agent = agent();
        Check { nominate: true, ..CHECK }.send(&mut agent, secs(0), PEER);
        Check { id: 2, ..CHECK }.send(&mut agent, secs(20), PEER);
        assert_eq!(agent.handle_timeout(secs(49)), None);
        agent.keep_alive(secs(49), pair(OTHER));
        assert_eq!(agent.poll_timeout(), Some(Instant::from_millis(50_000)));
        agent.keep_alive(secs(40), pair(PEER));
        assert_eq!(agent.handle_timeout(secs(50)), None);
        assert_eq!(agent.handle_timeout(secs(70)), Some(Expired(pair(PEER))));
        assert_eq!((agent.selected(), agent.poll_timeout()), (None, None));
        assert!(!agent.is_proved(pair(PEER)));
        let again = Check { id: 3, nominate: true, ..CHECK }.send(&mut agent, secs(71), PEER);
        assert_eq!(change(&again), Some(Change::Nominated));
    }

    #[test]
    fn a_restart_keeps_the_old_pair_until_the_next_nomination() {
        let mut agent = agent();
        Check { nominate: true, ..CHECK }.send(&mut agent, secs(1), PEER);
        agent.restart(Credentials::new("fresh", "anotherpasswordof22cha"));
        agent.set_remote("renewed");
        assert_eq!(agent.selected(), Some(pair(PEER)));
        assert_eq!(change(&Check { id: 2, ..CHECK }.send(&mut agent, secs(5), PEER)), Some(Change::Known));
        let fresh = Check { id: 3, user: "fresh:renewed", pwd: "anotherpasswordof22cha", nominate: true, extra: None };
        assert_eq!(change(&fresh.send(&mut agent, secs(6), OTHER)), Some(Change::Nominated));
        assert_eq!(agent.selected(), Some(pair(OTHER)));
        let late = Check { id: 4, ..CHECK }.send(&mut agent, secs(7), PEER);
        assert_eq!(late, Outcome::Dropped(Reason::UnknownUser));
    }

    #[test]
    fn checks_before_the_answer_count_only_for_the_peer_that_answers() {
        let mut agent = Agent::new(Credentials::new("ours", PWD));
        Check { id: 1, nominate: true, ..CHECK }.send(&mut agent, secs(1), PEER);
        Check { id: 2, user: "ours:fork", nominate: true, ..CHECK }.send(&mut agent, secs(1), OTHER);
        assert_eq!(agent.selected(), Some(pair(OTHER)));
        agent.set_remote("theirs");
        assert_eq!(agent.selected(), None);
        assert_eq!(agent.proved().collect::<Vec<_>>(), [pair(PEER)]);
    }

    #[test]
    fn pairs_and_transactions_are_bounded_and_the_nominated_one_stays() {
        let mut agent = agent();
        Check { id: 255, nominate: true, ..CHECK }.send(&mut agent, secs(0), PEER);
        for n in 0..200u8 {
            let from = format!("203.0.113.9:{}", 1000 + u16::from(n));
            Check { id: n, ..CHECK }.send(&mut agent, secs(1 + u64::from(n)), &from);
        }
        assert_eq!(agent.proved().count(), ICE_PAIRS);
        assert!(agent.is_proved(pair(PEER)) && agent.is_proved(pair("203.0.113.9:1199")));
        assert_eq!(agent.transactions.len(), ICE_TRANSACTIONS);
    }

    #[test]
    fn a_shared_port_finds_the_agent_by_its_fragment() {
        assert_eq!(ufrag_of(&CHECK.bytes()), Some("ours"));
        assert_eq!(ufrag_of(&Check { user: "ours", ..CHECK }.bytes()), None);
        assert_eq!(ufrag_of(b"\x80\x00rtp"), None);
    }

    #[test]
    fn an_agent_is_data() {
        let mut agent = agent();
        Check { nominate: true, ..CHECK }.send(&mut agent, secs(1), PEER);
        let text = serde_json::to_string(&agent).expect("state is data");
        let mut again: Agent = serde_json::from_str(&text).expect("state is read back");
        assert_eq!(again.selected(), Some(pair(PEER)));
        assert_eq!(again.handle_timeout(secs(31)), Some(Expired(pair(PEER))));
    }
}
