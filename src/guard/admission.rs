//! How many calls may there be, and how many a second: the box, a realm, a
//! source, a user, a trunk.
//!
//! A call that is refused by one limit takes nothing from the others. What an
//! admitted call took is written down under its id, so that releasing it gives
//! back exactly that, once; the counts are therefore those of live calls and
//! need no bound of their own besides `limits::CALLS`. The buckets of sources
//! and users are bounded, least recently used first.

use std::collections::{HashMap, HashSet};

use super::bucket::{Bucket, Rate};
use super::config::{CallLimit, Config};
use super::event::Limit;
use super::source::Lru;
use crate::base::net::Prefix;
use crate::base::{CallId, Instant, RealmId, TrunkId, limits};

/// Calls in force and what is left of every rate.
#[derive(Clone, Debug)]
pub struct Admission {
    whole: Level,
    realms: Vec<Level>,
    trunks: Vec<Level>,
    source_calls: HashMap<Prefix, u32>,
    source_rates: Lru<Prefix, Bucket>,
    user_calls: HashMap<Box<str>, u32>,
    users: Lru<Box<str>, UserRates>,
    calls: HashMap<CallId, Held>,
    attempts: HashSet<(TrunkId, CallId, u8)>,
}

/// Calls at once and the bucket of calls a second, with their limit.
#[derive(Clone, Debug)]
struct Level {
    limit: CallLimit,
    active: u32,
    bucket: Option<Bucket>,
}

/// What one user has left.
#[derive(Clone, Debug, Default)]
struct UserRates {
    requests: Option<Bucket>,
    calls: Option<Bucket>,
}

/// What an admitted call holds.
#[derive(Clone, Debug)]
struct Held {
    realm: RealmId,
    source: Option<Prefix>,
    user: Option<Box<str>>,
}

/// Who asks for a call.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The realm it came in by.
    pub realm: RealmId,
    /// The source and its limit; `None` for peers.
    pub source: Option<(Prefix, CallLimit)>,
    /// The authenticated user.
    pub user: Option<&'a str>,
}

impl Admission {
    /// No calls, all buckets full.
    pub fn new(config: &Config) -> Self {
        Self {
            whole: Level::new(config.calls),
            realms: config.realms.iter().map(|realm| Level::new(realm.calls)).collect(),
            trunks: config.trunks.iter().map(|trunk| Level::new(trunk.calls)).collect(),
            source_calls: HashMap::new(),
            source_rates: Lru::new(limits::GUARD_SOURCES),
            user_calls: HashMap::new(),
            users: Lru::new(limits::GUARD_USERS),
            calls: HashMap::new(),
            attempts: HashSet::new(),
        }
    }

    /// Takes on other limits; calls in force stay counted.
    pub fn reconfigure(&mut self, config: &Config) {
        self.whole.set(config.calls);
        resize(&mut self.realms, config.realms.iter().map(|realm| realm.calls));
        resize(&mut self.trunks, config.trunks.iter().map(|trunk| trunk.calls));
    }

    /// One request of a user.
    pub fn take_request(&mut self, now: Instant, user: &str, rate: Rate) -> bool {
        let Some(rates) = self.user(user) else { return true };
        rates.requests.get_or_insert_with(|| Bucket::full(now, rate)).take(now, rate)
    }

    /// Admits a call; one that is admitted already stays so and takes nothing.
    ///
    /// # Errors
    ///
    /// The first limit met, in the order box, realm, source, user.
    pub fn admit(&mut self, now: Instant, caller: Caller<'_>, user: CallLimit, call: CallId) -> Result<(), Limit> {
        if self.calls.contains_key(&call) {
            return Ok(());
        }
        self.check(now, caller, user)?;
        self.whole.take(now);
        if let Some(level) = self.realms.get_mut(usize::from(caller.realm.0)) {
            level.take(now);
        }
        if let Some((source, limit)) = caller.source {
            *self.source_calls.entry(source).or_default() += 1;
            if let Some(rate) = limit.rate {
                if self.source_rates.peek(&source).is_none() {
                    self.source_rates.insert(source, Bucket::full(now, rate));
                }
                self.source_rates.get(&source).map(|bucket| bucket.take(now, rate));
            }
        }
        if let Some(name) = caller.user {
            match self.user_calls.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    self.user_calls.insert(name.into(), 1);
                }
            }
            if let (Some(rate), Some(rates)) = (user.rate, self.user(name)) {
                rates.calls.get_or_insert_with(|| Bucket::full(now, rate)).take(now, rate);
            }
        }
        let source = caller.source.map(|(source, _)| source);
        self.calls.insert(call, Held { realm: caller.realm, source, user: caller.user.map(Into::into) });
        Ok(())
    }

    /// Looks at every limit and takes nothing.
    fn check(&self, now: Instant, caller: Caller<'_>, user: CallLimit) -> Result<(), Limit> {
        if self.calls.len() >= limits::CALLS {
            return Err(Limit::BoxCalls);
        }
        self.whole.check(now, Limit::BoxCalls, Limit::BoxCallRate)?;
        if let Some(level) = self.realms.get(usize::from(caller.realm.0)) {
            level.check(now, Limit::RealmCalls, Limit::RealmCallRate)?;
        }
        if let Some((source, limit)) = caller.source {
            let active = self.source_calls.get(&source).copied().unwrap_or(0);
            let bucket = self.source_rates.peek(&source);
            check(now, limit, active, bucket, Limit::SourceCalls, Limit::SourceCallRate)?;
        }
        if let Some(name) = caller.user {
            let active = self.user_calls.get(name).copied().unwrap_or(0);
            let bucket = self.users.peek(name).and_then(|rates| rates.calls.as_ref());
            check(now, user, active, bucket, Limit::UserCalls, Limit::UserCallRate)?;
        }
        Ok(())
    }

    /// Gives back what a call holds; false if it holds nothing.
    pub fn release(&mut self, call: CallId) -> bool {
        let Some(held) = self.calls.remove(&call) else { return false };
        self.whole.release();
        if let Some(level) = self.realms.get_mut(usize::from(held.realm.0)) {
            level.release();
        }
        if let Some(source) = held.source {
            give_back(&mut self.source_calls, &source);
        }
        if let Some(user) = held.user {
            give_back(&mut self.user_calls, &user);
        }
        true
    }

    /// Admits one attempt of a call to a trunk; an attempt admitted already
    /// stays so and takes nothing.
    ///
    /// # Errors
    ///
    /// The limit met.
    pub fn admit_trunk(&mut self, now: Instant, trunk: TrunkId, call: CallId, attempt: u8) -> Result<(), Limit> {
        if self.attempts.contains(&(trunk, call, attempt)) {
            return Ok(());
        }
        if let Some(level) = self.trunks.get_mut(usize::from(trunk.0)) {
            level.check(now, Limit::TrunkCalls, Limit::TrunkCallRate)?;
            level.take(now);
        }
        self.attempts.insert((trunk, call, attempt));
        Ok(())
    }

    /// Gives back what an attempt holds; false if it holds nothing.
    pub fn release_trunk(&mut self, trunk: TrunkId, call: CallId, attempt: u8) -> bool {
        let held = self.attempts.remove(&(trunk, call, attempt));
        if let (true, Some(level)) = (held, self.trunks.get_mut(usize::from(trunk.0))) {
            level.release();
        }
        held
    }

    /// Calls in force to a trunk.
    pub fn trunk_calls(&self, trunk: TrunkId) -> u32 {
        self.trunks.get(usize::from(trunk.0)).map_or(0, |level| level.active)
    }

    /// Calls in force that came in by a realm.
    pub fn realm_calls(&self, realm: RealmId) -> u32 {
        self.realms.get(usize::from(realm.0)).map_or(0, |level| level.active)
    }

    /// Calls in force.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    fn user(&mut self, user: &str) -> Option<&mut UserRates> {
        if self.users.peek(user).is_none() {
            self.users.insert(user.into(), UserRates::default());
        }
        self.users.get(user)
    }
}

impl Level {
    fn new(limit: CallLimit) -> Self {
        Self { limit, active: 0, bucket: None }
    }

    fn set(&mut self, limit: CallLimit) {
        // The bucket keeps its level: the rate is applied when it is next asked.
        self.limit = limit;
    }

    fn check(&self, now: Instant, calls: Limit, rate: Limit) -> Result<(), Limit> {
        check(now, self.limit, self.active, self.bucket.as_ref(), calls, rate)
    }

    fn take(&mut self, now: Instant) {
        self.active += 1;
        if let Some(rate) = self.limit.rate {
            self.bucket.get_or_insert_with(|| Bucket::full(now, rate)).take(now, rate);
        }
    }

    fn release(&mut self) {
        self.active = self.active.saturating_sub(1);
    }
}

/// A limit against a count and a bucket; a bucket not made yet is full.
fn check(
    now: Instant,
    limit: CallLimit,
    active: u32,
    bucket: Option<&Bucket>,
    calls: Limit,
    rate: Limit,
) -> Result<(), Limit> {
    if limit.calls.is_some_and(|most| active >= most) {
        return Err(calls);
    }
    match (limit.rate, bucket) {
        (Some(r), Some(bucket)) if !bucket.has_token(now, r) => Err(rate),
        _ => Ok(()),
    }
}

fn resize(levels: &mut Vec<Level>, limits: impl ExactSizeIterator<Item = CallLimit>) {
    levels.resize_with(limits.len(), || Level::new(CallLimit::default()));
    for (level, limit) in levels.iter_mut().zip(limits) {
        level.set(limit);
    }
}

/// Counts down and forgets what reaches zero.
fn give_back<K, Q>(counts: &mut HashMap<K, u32>, key: &Q)
where
    K: std::borrow::Borrow<Q> + Eq + std::hash::Hash,
    Q: Eq + std::hash::Hash + ?Sized,
{
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{Realm, Trunk};
    use super::*;

    const NONE: CallLimit = CallLimit { calls: None, rate: None };

    fn two_calls() -> CallLimit {
        CallLimit { calls: Some(2), rate: None }
    }

    fn from(source: &str, user: Option<&'static str>) -> Caller<'static> {
        let source = Some((source.parse().expect("address"), two_calls()));
        Caller { realm: RealmId(0), source, user }
    }

    fn config(calls: CallLimit, realm: CallLimit, trunk: CallLimit) -> Config {
        Config {
            calls,
            realms: vec![Realm { calls: realm, ..Realm::default() }],
            trunks: vec![Trunk { calls: trunk, ..Trunk::default() }],
            ..Config::default()
        }
    }

    #[test]
    fn a_call_counts_once_and_is_given_back_once() {
        let mut a = Admission::new(&config(NONE, two_calls(), NONE));
        let at = Instant::ZERO;
        let (one, two) = (from("192.0.2.1", Some("bob")), from("192.0.2.2", None));
        assert_eq!(a.admit(at, one, NONE, CallId(1)), Ok(()));
        assert_eq!(a.admit(at, one, NONE, CallId(1)), Ok(()));
        assert_eq!(a.admit(at, two, NONE, CallId(2)), Ok(()));
        assert_eq!(a.admit(at, two, NONE, CallId(3)), Err(Limit::RealmCalls));
        assert_eq!(a.realm_calls(RealmId(0)), 2);
        assert!(a.release(CallId(1)) && !a.release(CallId(1)));
        assert_eq!((a.calls(), a.source_calls.len(), a.user_calls.len()), (1, 1, 0));
        assert_eq!(a.admit(at, two, NONE, CallId(3)), Ok(()));
        assert!(a.release(CallId(2)) && a.release(CallId(3)));
        assert_eq!((a.calls(), a.source_calls.len(), a.realm_calls(RealmId(0))), (0, 0, 0));
    }

    #[test]
    fn each_limit_is_named() {
        let at = Instant::ZERO;
        let mut a = Admission::new(&config(NONE, NONE, NONE));
        for call in [1, 2] {
            assert_eq!(a.admit(at, from("192.0.2.1", None), NONE, CallId(call)), Ok(()));
        }
        assert_eq!(a.admit(at, from("192.0.2.1", None), NONE, CallId(3)), Err(Limit::SourceCalls));
        let one_a_second = CallLimit { calls: None, rate: Rate::new(1, 1) };
        let bob = from("192.0.2.2", Some("bob"));
        assert_eq!(a.admit(at, bob, one_a_second, CallId(4)), Ok(()));
        assert_eq!(a.admit(at, bob, one_a_second, CallId(5)), Err(Limit::UserCallRate));
        assert_eq!(a.admit(Instant::from_millis(1000), bob, one_a_second, CallId(5)), Ok(()));
        let bob = from("192.0.2.3", Some("bob"));
        assert_eq!(a.admit(at, bob, two_calls(), CallId(6)), Err(Limit::UserCalls));
        let mut full = Admission::new(&config(CallLimit { calls: Some(0), rate: None }, NONE, NONE));
        assert_eq!(full.admit(at, bob, NONE, CallId(1)), Err(Limit::BoxCalls));
    }

    #[test]
    fn a_refused_call_takes_nothing() {
        let at = Instant::ZERO;
        let rate = CallLimit { calls: None, rate: Rate::new(1, 1) };
        let mut a = Admission::new(&config(rate, rate, NONE));
        let nobody = CallLimit { calls: Some(0), rate: None };
        assert_eq!(a.admit(at, from("192.0.2.1", Some("bob")), nobody, CallId(1)), Err(Limit::UserCalls));
        assert_eq!(a.admit(at, from("192.0.2.1", Some("eve")), NONE, CallId(2)), Ok(()));
        assert_eq!(a.admit(at, from("192.0.2.1", Some("eve")), NONE, CallId(3)), Err(Limit::BoxCallRate));
    }

    #[test]
    fn a_trunk_has_calls_at_once_and_calls_a_second() {
        let limit = CallLimit { calls: Some(3), rate: Rate::new(1, 2) };
        let mut a = Admission::new(&config(NONE, NONE, limit));
        let (at, t) = (Instant::ZERO, TrunkId(0));
        assert_eq!(a.admit_trunk(at, t, CallId(1), 0), Ok(()));
        assert_eq!(a.admit_trunk(at, t, CallId(1), 0), Ok(()));
        assert_eq!(a.admit_trunk(at, t, CallId(2), 0), Ok(()));
        assert_eq!(a.admit_trunk(at, t, CallId(3), 0), Err(Limit::TrunkCallRate));
        assert_eq!(a.admit_trunk(Instant::from_millis(1000), t, CallId(3), 0), Ok(()));
        assert_eq!(a.admit_trunk(Instant::from_millis(9000), t, CallId(4), 0), Err(Limit::TrunkCalls));
        assert_eq!(a.trunk_calls(t), 3);
        assert!(a.release_trunk(t, CallId(1), 0) && !a.release_trunk(t, CallId(1), 0));
        assert!(!a.release_trunk(t, CallId(2), 1));
        assert_eq!(a.trunk_calls(t), 2);
    }

    #[test]
    fn users_past_the_bound_do_not_grow_memory() {
        let mut a = Admission::new(&Config::default());
        let rate = Rate::new(1, 1).expect("rate");
        for n in 0..limits::GUARD_USERS + 1000 {
            assert!(a.take_request(Instant::ZERO, &format!("u{n}"), rate));
        }
        assert_eq!(a.users.len(), limits::GUARD_USERS);
    }
}
