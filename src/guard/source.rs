//! What is remembered of each source, in bounded memory.
//!
//! A source is an IPv4 address or an IPv6 /64 (`Prefix::of_source`). Two
//! tables, each dropping its least recently seen entry when full: strangers,
//! and those that have earned trust by a good registration or call. Because
//! they are apart, a flood of invented addresses can push out strangers only.
//!
//! Nothing is kept here that must not be lost: counts of calls and connections
//! live where they can be neither evicted nor invented (`admission`).

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use super::bucket::{Bucket, Rate};
use super::offence::Score;
use crate::base::Instant;
use crate::base::net::Prefix;

/// What is remembered of one source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Messages it may still send.
    pub bucket: Bucket,
    /// Its offences, once it has committed one.
    pub score: Option<Box<Score>>,
    /// Until when it counts as known; meaningless among strangers.
    pub trusted_until: Instant,
}

impl Source {
    fn stranger(now: Instant, rate: Rate) -> Self {
        Self { bucket: Bucket::full(now, rate), score: None, trusted_until: Instant::ZERO }
    }
}

/// Strangers and known sources.
#[derive(Clone, Debug)]
pub struct Sources {
    strangers: Lru<Prefix, Source>,
    known: Lru<Prefix, Source>,
}

impl Sources {
    /// Empty tables for at most so many of each.
    pub fn new(strangers: usize, known: usize) -> Self {
        Self { strangers: Lru::new(strangers), known: Lru::new(known) }
    }

    /// The entry of a source that is known at `now`; one whose trust has run
    /// out goes back to the strangers.
    pub fn known(&mut self, now: Instant, prefix: &Prefix) -> Option<&mut Source> {
        if self.known.peek(prefix)?.trusted_until <= now {
            let source = self.known.remove(prefix)?;
            self.strangers.insert(*prefix, source);
            return None;
        }
        self.known.get(prefix)
    }

    /// True if the source is known at `now`.
    pub fn is_known(&self, now: Instant, prefix: &Prefix) -> bool {
        self.known.peek(prefix).is_some_and(|source| source.trusted_until > now)
    }

    /// The entry of a stranger, if it is remembered.
    pub fn stranger(&mut self, prefix: &Prefix) -> Option<&mut Source> {
        self.strangers.get(prefix)
    }

    /// Remembers a stranger with a full bucket.
    pub fn meet(&mut self, now: Instant, prefix: Prefix, rate: Rate) -> Option<&mut Source> {
        self.strangers.insert(prefix, Source::stranger(now, rate));
        self.strangers.get(&prefix)
    }

    /// The entry of a source, known or stranger, made if need be.
    pub fn entry(&mut self, now: Instant, prefix: Prefix, rate: Rate) -> Option<&mut Source> {
        if self.is_known(now, &prefix) {
            return self.known.get(&prefix);
        }
        // Also demotes one whose trust has run out.
        let _ = self.known(now, &prefix);
        if self.strangers.peek(&prefix).is_none() {
            self.strangers.insert(prefix, Source::stranger(now, rate));
        }
        self.strangers.get(&prefix)
    }

    /// Makes a source known for `lasting` from `now`, with a bucket of `rate`
    /// if it was a stranger.
    pub fn promote(&mut self, now: Instant, prefix: Prefix, rate: Rate, lasting: Duration) {
        let until = now + lasting;
        if let Some(source) = self.known(now, &prefix) {
            source.trusted_until = source.trusted_until.max(until);
            return;
        }
        let score = self.strangers.remove(&prefix).and_then(|source| source.score);
        let source = Source { bucket: Bucket::full(now, rate), score, trusted_until: until };
        if let Some((pushed_out, former)) = self.known.insert(prefix, source) {
            self.strangers.insert(pushed_out, former);
        }
    }

    /// Forgets a source and the trust it had.
    pub fn forget(&mut self, prefix: &Prefix) {
        self.known.remove(prefix);
        self.strangers.remove(prefix);
    }

    /// Number of strangers and of known sources remembered.
    pub fn len(&self) -> (usize, usize) {
        (self.strangers.len(), self.known.len())
    }
}

/// A bounded table that forgets the entry not touched for longest.
///
/// The entries stand in one vector, linked in order of last use by index:
/// touching, inserting and evicting take constant time, and memory grows to
/// `capacity` entries and no further.
#[derive(Clone, Debug)]
pub struct Lru<K, V> {
    places: HashMap<K, u32>,
    nodes: Vec<Node<K, V>>,
    /// Places emptied by `remove`.
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Node<K, V> {
    entry: Option<(K, V)>,
    newer: u32,
    older: u32,
}

/// The end of the list.
const NONE: u32 = u32::MAX;

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// An empty table for at most `capacity` entries, at least one.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, NONE as usize - 1);
        Self { places: HashMap::new(), nodes: Vec::new(), free: Vec::new(), newest: NONE, oldest: NONE, capacity }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The value of `key`, which becomes the most recently used.
    pub fn get<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let place = *self.places.get(key)?;
        if self.newest != place {
            self.unlink(place);
            self.link(place);
        }
        self.nodes[place as usize].entry.as_mut().map(|(_, value)| value)
    }

    /// The value of `key` without touching it.
    pub fn peek<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let place = *self.places.get(key)?;
        self.nodes[place as usize].entry.as_ref().map(|(_, value)| value)
    }

    /// Sets the value of `key`, the most recently used from here on. What was
    /// pushed out for it comes back: a former value of the key is dropped.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        if let Some(slot) = self.get(&key) {
            *slot = value;
            return None;
        }
        let evicted = if self.places.len() >= self.capacity { self.pop_oldest() } else { None };
        let node = Node { entry: Some((key.clone(), value)), newer: NONE, older: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                self.nodes[place as usize] = node;
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() as u32 - 1
            }
        };
        self.places.insert(key, place);
        self.link(place);
        evicted
    }

    /// Forgets `key`.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        self.nodes[place as usize].entry.take().map(|(_, value)| value)
    }

    fn pop_oldest(&mut self) -> Option<(K, V)> {
        let place = self.oldest;
        if place == NONE {
            return None;
        }
        self.unlink(place);
        self.free.push(place);
        let (key, value) = self.nodes[place as usize].entry.take()?;
        self.places.remove(&key);
        Some((key, value))
    }

    /// Puts an unlinked node in front.
    fn link(&mut self, place: u32) {
        let former = self.newest;
        self.nodes[place as usize].newer = NONE;
        self.nodes[place as usize].older = former;
        match former {
            NONE => self.oldest = place,
            _ => self.nodes[former as usize].newer = place,
        }
        self.newest = place;
    }

    fn unlink(&mut self, place: u32) {
        let Node { newer, older, .. } = self.nodes[place as usize];
        match newer {
            NONE => self.newest = older,
            _ => self.nodes[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            _ => self.nodes[older as usize].newer = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forgets_the_entry_not_touched_for_longest() {
        let mut lru = Lru::new(2);
        assert_eq!(lru.insert("a", 1), None);
        assert_eq!(lru.insert("b", 2), None);
        assert_eq!(lru.get("a").copied(), Some(1));
        assert_eq!(lru.insert("c", 3), Some(("b", 2)));
        assert_eq!(lru.peek("a"), Some(&1));
        assert_eq!(lru.insert("d", 4), Some(("a", 1)));
    }

    #[test]
    fn a_million_strangers_take_the_room_of_its_bound() {
        let rate = Rate::new(50, 200).expect("rate");
        let mut sources = Sources::new(200_000, 1000);
        let known = Prefix::of_source(IpAddr::from([192, 0, 2, 1]));
        sources.promote(Instant::ZERO, known, rate, Duration::from_secs(60));
        for n in 0..1_000_000_u32 {
            sources.meet(Instant::ZERO, Prefix::host(IpAddr::V4(n.into())), rate);
        }
        assert_eq!(sources.len(), (200_000, 1));
        assert_eq!(sources.strangers.nodes.len(), 200_000);
        assert!(sources.strangers.nodes.capacity() <= 262_144 && sources.strangers.places.capacity() <= 262_144 * 2);
        assert!(sources.is_known(Instant::from_millis(59_999), &known));
        assert!(!sources.is_known(Instant::from_millis(60_000), &known));
    }

    #[test]
    fn trust_that_has_run_out_leaves_the_score() {
        let rate = Rate::new(50, 200).expect("rate");
        let mut sources = Sources::new(4, 4);
        let a = Prefix::of_source(IpAddr::from([192, 0, 2, 1]));
        sources.meet(Instant::ZERO, a, rate).expect("met").score = Some(Box::default());
        sources.promote(Instant::ZERO, a, rate, Duration::from_secs(1));
        assert_eq!(sources.len(), (0, 1));
        assert!(sources.entry(Instant::from_millis(1000), a, rate).expect("entry").score.is_some());
        assert_eq!(sources.len(), (1, 0));
    }

    proptest! {
        /// Against the plainest model: a vector in order of use.
        #[test]
        fn behaves_like_a_list_in_order_of_use(
            capacity in 1_usize..6, steps in prop::collection::vec((0_u8..4, 0_u8..10), 0..200),
        ) {
            let mut lru = Lru::new(capacity);
            let mut model: Vec<(u8, u32)> = Vec::new();
            for (n, (what, key)) in steps.into_iter().enumerate() {
                let at = model.iter().position(|(k, _)| *k == key);
                match what {
                    0 => {
                        prop_assert_eq!(lru.remove(&key), at.map(|i| model.remove(i).1));
                    }
                    1 => {
                        let found = at.map(|i| model.remove(i));
                        model.extend(found);
                        prop_assert_eq!(lru.get(&key).copied(), found.map(|f| f.1));
                    }
                    _ => {
                        if let Some(i) = at {
                            model.remove(i);
                        }
                        let out = (model.len() == capacity).then(|| model.remove(0));
                        model.push((key, n as u32));
                        prop_assert_eq!(lru.insert(key, n as u32), out);
                    }
                }
                prop_assert_eq!(lru.len(), model.len());
                prop_assert!(lru.nodes.len() <= capacity);
            }
        }
    }
}
