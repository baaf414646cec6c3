//! Deadlines of many owners, in one ordered table.
//!
//! A table machine keeps one of these: each key has at most one deadline, the
//! earliest is found in constant time, and equal deadlines fire in the order
//! in which they were set, so that a run can be repeated exactly.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::now::Instant;

/// Deadlines by key.
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    by_time: BTreeMap<(Instant, u64), K>,
    by_key: HashMap<K, (Instant, u64)>,
    set: u64,
}

impl<K: Clone + Eq + Hash> Deadlines<K> {
    /// An empty table.
    pub fn new() -> Self {
        Self { by_time: BTreeMap::new(), by_key: HashMap::new(), set: 0 }
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        self.stop(&key);
        self.set += 1;
        self.by_time.insert((at, self.set), key.clone());
        self.by_key.insert(key, (at, self.set));
    }

    /// Forgets the deadline of `key`; true if there was one.
    pub fn stop(&mut self, key: &K) -> bool {
        match self.by_key.remove(key) {
            Some(slot) => self.by_time.remove(&slot).is_some(),
            None => false,
        }
    }

    /// The deadline of `key`.
    pub fn at(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).map(|slot| slot.0)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.keys().next().map(|slot| slot.0)
    }

    /// Takes one key whose deadline is not after `now`, earliest first.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        let slot = *self.by_time.keys().next().filter(|slot| slot.0 <= now)?;
        let key = self.by_time.remove(&slot)?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// Number of deadlines.
    pub fn len(&self) -> usize {
        self.by_time.len()
    }

    /// True if no deadline is set.
    pub fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }
}

impl<K: Clone + Eq + Hash> Default for Deadlines<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_in_order_of_time_then_of_setting() {
        let mut d = Deadlines::new();
        d.set("late", Instant::from_millis(9));
        d.set("first", Instant::from_millis(5));
        d.set("second", Instant::from_millis(5));
        assert_eq!(d.next(), Some(Instant::from_millis(5)));
        assert_eq!(d.pop(Instant::from_millis(5)), Some("first"));
        assert_eq!(d.pop(Instant::from_millis(5)), Some("second"));
        assert_eq!(d.pop(Instant::from_millis(5)), None);
    }

    #[test]
    fn setting_again_moves_and_stopping_forgets() {
        let mut d = Deadlines::new();
        d.set(1, Instant::from_millis(5));
        d.set(1, Instant::from_millis(50));
        assert_eq!(d.len(), 1);
        assert_eq!(d.pop(Instant::from_millis(10)), None);
        assert!(d.stop(&1));
        assert!(!d.stop(&1) && d.is_empty());
    }
}
