//! Who a packet on a shared socket is for.
//!
//! STUN is led by the user fragment it names, everything else by its source
//! address once ICE has proved it. What belongs to a session is listed with
//! it, so that closing one costs by its own size and not by that of the shard.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use super::shard::PortId;
use crate::base::Leg;
use crate::base::limits::MEDIA_SOURCES;

/// A session's slot and the side.
type Owner = (usize, Leg);

/// Fragments of one side that lead to it: the running one and, until the peer
/// has moved over, the one before an ICE restart.
const FRAGMENTS: usize = 2;

/// Fragments and sources of all sessions.
#[derive(Debug, Default)]
pub struct Index {
    by_ufrag: HashMap<String, Owner>,
    by_source: HashMap<(PortId, SocketAddr), Owner>,
    owned: Vec<Owned>,
}

/// What leads to one session.
#[derive(Debug, Default)]
struct Owned {
    ufrags: [VecDeque<String>; 2],
    /// The most recently checked last.
    sources: VecDeque<(PortId, SocketAddr)>,
}

impl Index {
    /// Nothing known.
    pub fn new() -> Self {
        Self::default()
    }

    /// The side that owns a user fragment.
    pub fn by_ufrag(&self, ufrag: &str) -> Option<Owner> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// The side that a proved source belongs to.
    pub fn by_source(&self, port: PortId, source: SocketAddr) -> Option<Owner> {
        self.by_source.get(&(port, source)).copied()
    }

    /// A side's user fragment; the last but one before it leads nowhere any more.
    pub fn name(&mut self, owner: Owner, ufrag: &str) {
        if ufrag.is_empty() || self.by_ufrag.contains_key(ufrag) {
            return;
        }
        self.by_ufrag.insert(ufrag.to_owned(), owner);
        let ufrags = &mut owned(&mut self.owned, owner.0).ufrags[owner.1.index()];
        ufrags.push_back(ufrag.to_owned());
        if ufrags.len() > FRAGMENTS
            && let Some(old) = ufrags.pop_front()
        {
            self.by_ufrag.remove(&old);
        }
    }

    /// An authenticated check proved a source. It is the side's even if it was
    /// another's: a NAT gives an address to whoever uses it.
    pub fn prove(&mut self, owner: Owner, port: PortId, source: SocketAddr) {
        let key = (port, source);
        self.by_source.insert(key, owner);
        let sources = &mut owned(&mut self.owned, owner.0).sources;
        if sources.back() == Some(&key) {
            return;
        }
        if let Some(at) = sources.iter().position(|known| *known == key) {
            sources.remove(at);
        }
        sources.push_back(key);
        if sources.len() > MEDIA_SOURCES
            && let Some(old) = sources.pop_front()
        {
            forget(&mut self.by_source, &old, owner.0);
        }
    }

    /// Forgets a session.
    pub fn close(&mut self, session: usize) {
        let Some(owned) = self.owned.get_mut(session).map(std::mem::take) else { return };
        for ufrag in owned.ufrags.iter().flatten() {
            self.by_ufrag.remove(ufrag);
        }
        for source in &owned.sources {
            forget(&mut self.by_source, source, session);
        }
    }

    /// Fragments and sources known.
    pub fn len(&self) -> (usize, usize) {
        (self.by_ufrag.len(), self.by_source.len())
    }

    /// True if nothing leads anywhere.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }
}

fn owned(all: &mut Vec<Owned>, session: usize) -> &mut Owned {
    if all.len() <= session {
        all.resize_with(session + 1, Owned::default);
    }
    &mut all[session]
}

/// Takes a source off the map unless it is another session's by this time.
fn forget(by_source: &mut HashMap<(PortId, SocketAddr), Owner>, key: &(PortId, SocketAddr), session: usize) {
    if by_source.get(key).is_some_and(|found| found.0 == session) {
        by_source.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORT: PortId = PortId(3);

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([198, 51, 100, 7], port))
    }

    #[test]
    fn a_restart_keeps_one_fragment_more_and_closing_keeps_none() {
        let mut index = Index::new();
        for ufrag in ["one", "two", "three"] {
            index.name((4, Leg::B), ufrag);
        }
        assert_eq!(["one", "two", "three"].map(|u| index.by_ufrag(u).is_some()), [false, true, true]);
        index.name((5, Leg::A), "two");
        assert_eq!(index.by_ufrag("two"), Some((4, Leg::B)), "a fragment keeps its owner");
        index.close(4);
        assert!(index.is_empty());
    }

    #[test]
    fn a_source_follows_whoever_proved_it_last() {
        let mut index = Index::new();
        index.prove((0, Leg::A), PORT, at(1));
        index.prove((1, Leg::A), PORT, at(1));
        index.close(0);
        assert_eq!(index.by_source(PORT, at(1)), Some((1, Leg::A)));
        assert_eq!(index.by_source(PortId(4), at(1)), None);
        index.close(1);
        assert!(index.is_empty());
    }

    #[test]
    fn sources_of_a_session_are_bounded() {
        let mut index = Index::new();
        for n in 0..2 * MEDIA_SOURCES as u16 {
            index.prove((0, Leg::A), PORT, at(n + 1));
            index.prove((0, Leg::A), PORT, at(1));
        }
        assert_eq!(index.len(), (0, MEDIA_SOURCES));
        assert!(index.by_source(PORT, at(1)).is_some() && index.by_source(PORT, at(2)).is_none());
    }
}
