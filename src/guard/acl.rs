//! Who is always let in, who never: address blocks and the look-up among them.
//!
//! The most specific block that contains an address decides, so that a host
//! can be excepted from a block either way; where the same block is both
//! allowed and denied, the denial stands. Addresses are judged in their
//! canonical spelling (`::ffff:192.0.2.1` is `192.0.2.1`).
//!
//! A look-up hashes once for each block length in use, so its cost does not
//! grow with the number of entries. [`PrefixMap`] also holds the bans.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use crate::base::net::{Prefix, canonical};

/// Values by address block, found by longest match.
#[derive(Clone, Debug)]
pub struct PrefixMap<V> {
    values: HashMap<Prefix, V>,
    /// The keys in order: for listing and for the blocks inside a block.
    order: BTreeSet<Prefix>,
    /// Block lengths in use with the number of their blocks, longest first.
    lengths: [Vec<(u8, u32)>; 2],
}

impl<V> PrefixMap<V> {
    /// An empty map.
    pub fn new() -> Self {
        Self { values: HashMap::new(), order: BTreeSet::new(), lengths: [Vec::new(), Vec::new()] }
    }

    /// Sets the value of a block; the former one comes back.
    pub fn insert(&mut self, prefix: Prefix, value: V) -> Option<V> {
        let former = self.values.insert(prefix, value);
        if former.is_none() {
            self.order.insert(prefix);
            let lengths = &mut self.lengths[family(prefix.base())];
            match lengths.binary_search_by(|(len, _)| prefix.bits().cmp(len)) {
                Ok(found) => lengths[found].1 += 1,
                Err(place) => lengths.insert(place, (prefix.bits(), 1)),
            }
        }
        former
    }

    /// Forgets a block.
    pub fn remove(&mut self, prefix: &Prefix) -> Option<V> {
        let value = self.values.remove(prefix)?;
        self.order.remove(prefix);
        let lengths = &mut self.lengths[family(prefix.base())];
        if let Ok(found) = lengths.binary_search_by(|(len, _)| prefix.bits().cmp(len)) {
            lengths[found].1 -= 1;
            if lengths[found].1 == 0 {
                lengths.remove(found);
            }
        }
        Some(value)
    }

    /// The most specific block that contains `ip`.
    pub fn longest(&self, ip: IpAddr) -> Option<(Prefix, &V)> {
        let ip = canonical(ip);
        self.lengths[family(ip)].iter().find_map(|(len, _)| {
            let prefix = Prefix::new(ip, *len)?;
            self.values.get(&prefix).map(|value| (prefix, value))
        })
    }

    /// The most specific block that contains the whole of `inner`.
    pub fn covering(&self, inner: Prefix) -> Option<(Prefix, &V)> {
        self.lengths[family(inner.base())].iter().filter(|(len, _)| *len <= inner.bits()).find_map(|(len, _)| {
            let prefix = Prefix::new(inner.base(), *len)?;
            self.values.get(&prefix).map(|value| (prefix, value))
        })
    }

    /// [`longest`](Self::longest), to change the value.
    pub fn longest_mut(&mut self, ip: IpAddr) -> Option<&mut V> {
        let prefix = self.longest(ip)?.0;
        self.values.get_mut(&prefix)
    }

    /// The value of exactly this block.
    pub fn get(&self, prefix: &Prefix) -> Option<&V> {
        self.values.get(prefix)
    }

    /// [`get`](Self::get), to change the value.
    pub fn get_mut(&mut self, prefix: &Prefix) -> Option<&mut V> {
        self.values.get_mut(prefix)
    }

    /// Every block with its value, in order of address.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &V)> {
        self.order.iter().filter_map(|prefix| self.values.get(prefix).map(|value| (*prefix, value)))
    }

    /// The blocks that lie inside `outer`, itself included, in order.
    pub fn inside(&self, outer: Prefix) -> impl Iterator<Item = (Prefix, &V)> {
        // Ordered by first address, they are one run that starts at `outer`'s own.
        self.order
            .range(widest_at(outer)..)
            .take_while(move |prefix| outer.contains(prefix.base()))
            .filter(move |prefix| prefix.bits() >= outer.bits())
            .filter_map(|prefix| self.values.get(prefix).map(|value| (*prefix, value)))
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True without any block.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// The widest block that starts where `outer` starts: the least key of those.
fn widest_at(outer: Prefix) -> Prefix {
    (0..outer.bits())
        .filter_map(|len| Prefix::new(outer.base(), len))
        .find(|prefix| prefix.base() == outer.base())
        .unwrap_or(outer)
}

/// 0 for IPv4, 1 for IPv6.
fn family(ip: IpAddr) -> usize {
    usize::from(ip.is_ipv6())
}

/// What an access list says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Never let in.
    Denied,
    /// On an allow list: never banned, not limited before parsing.
    Allowed,
    /// A trunk's address: as allowed.
    Trunk,
    /// On no list.
    Unlisted,
}

impl Listing {
    /// True for what must never be banned.
    pub const fn is_peer(self) -> bool {
        matches!(self, Self::Allowed | Self::Trunk)
    }
}

/// The access list of one realm.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    blocks: PrefixMap<Listing>,
    /// Addresses of trunks as they were last resolved; replaced as a whole.
    learned: PrefixMap<Listing>,
}

impl Acl {
    /// A list from its blocks.
    pub fn new<'a>(
        deny: impl IntoIterator<Item = &'a Prefix>,
        allow: impl IntoIterator<Item = &'a Prefix>,
        trunks: impl IntoIterator<Item = &'a Prefix>,
    ) -> Self {
        let mut blocks = PrefixMap::new();
        // Later lines overwrite earlier ones: a denial of the same block stands last.
        for prefix in trunks {
            blocks.insert(*prefix, Listing::Trunk);
        }
        for prefix in allow {
            blocks.insert(*prefix, Listing::Allowed);
        }
        for prefix in deny {
            blocks.insert(*prefix, Listing::Denied);
        }
        Self { blocks, learned: PrefixMap::new() }
    }

    /// Replaces the addresses that trunks' names resolved to.
    pub fn set_learned(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.learned = PrefixMap::new();
        for ip in addresses {
            self.learned.insert(Prefix::host(ip), Listing::Trunk);
        }
    }

    /// What the list says of `ip`.
    pub fn judge(&self, ip: IpAddr) -> Listing {
        let listed = self.blocks.longest(ip);
        let learned = self.learned.longest(ip);
        match (listed, learned) {
            (Some((block, Listing::Denied)), Some((host, _))) if block == host => Listing::Denied,
            (_, Some((_, listing))) | (Some((_, listing)), None) => *listing,
            (None, None) => Listing::Unlisted,
        }
    }

    /// A block of peers that shares an address with `block`, if there is one.
    pub fn peer_in(&self, block: Prefix) -> Option<Prefix> {
        let around = self.blocks.covering(block).filter(|(_, listing)| listing.is_peer());
        around
            .or_else(|| self.blocks.inside(block).find(|(_, listing)| listing.is_peer()))
            .or_else(|| self.learned.inside(block).next())
            .map(|(peer, _)| peer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn p(s: &str) -> Prefix {
        s.parse().expect("test block")
    }

    fn ip(s: &str) -> IpAddr {
        s.parse().expect("test address")
    }

    #[test]
    fn the_most_specific_block_decides() {
        let acl = Acl::new(&[p("10.0.0.0/8"), p("10.1.2.3")], &[p("10.1.0.0/16")], &[p("10.9.9.9")]);
        assert_eq!(acl.judge(ip("10.7.0.1")), Listing::Denied);
        assert_eq!(acl.judge(ip("10.1.0.1")), Listing::Allowed);
        assert_eq!(acl.judge(ip("10.1.2.3")), Listing::Denied);
        assert_eq!(acl.judge(ip("10.9.9.9")), Listing::Trunk);
        assert_eq!(acl.judge(ip("192.0.2.1")), Listing::Unlisted);
    }

    #[test]
    fn a_denial_stands_against_an_allowance_of_the_same_block() {
        let acl = Acl::new(&[p("192.0.2.0/24")], &[p("192.0.2.0/24")], &[p("192.0.2.0/24")]);
        assert_eq!(acl.judge(ip("192.0.2.7")), Listing::Denied);
    }

    #[test]
    fn other_spellings_of_an_address_are_the_same_address() {
        let acl = Acl::new(&[p("127.0.0.0/8")], &[p("2001:db8::/64")], &[]);
        assert_eq!(acl.judge(ip("::ffff:127.0.0.1")), Listing::Denied);
        assert_eq!(acl.judge(ip("::ffff:7f00:1")), Listing::Denied);
        assert_eq!(acl.judge(ip("2001:0DB8:0:0:0:0:0:1")), Listing::Allowed);
        assert_eq!(acl.judge(ip("::1")), Listing::Unlisted);
    }

    #[test]
    fn a_resolved_trunk_is_a_peer_unless_denied_by_its_own_address() {
        let mut acl = Acl::new(&[p("203.0.113.0/24"), p("203.0.113.9")], &[], &[]);
        acl.set_learned([ip("203.0.113.8"), ip("203.0.113.9")]);
        assert_eq!(acl.judge(ip("203.0.113.8")), Listing::Trunk);
        assert_eq!(acl.judge(ip("203.0.113.9")), Listing::Denied);
        acl.set_learned([]);
        assert_eq!(acl.judge(ip("203.0.113.8")), Listing::Denied);
    }

    #[test]
    fn a_block_that_holds_a_peer_is_found() {
        let acl = Acl::new(&[], &[p("2001:db8::7"), p("10.1.0.0/16")], &[]);
        assert_eq!(acl.peer_in(p("2001:db8::/64")), Some(p("2001:db8::7")));
        assert_eq!(acl.peer_in(p("2001:db8:0:1::/64")), None);
        assert_eq!(acl.peer_in(p("0.0.0.0/0")), Some(p("10.1.0.0/16")));
        assert_eq!(acl.peer_in(p("10.1.200.0/24")), Some(p("10.1.0.0/16")));
        assert_eq!(acl.peer_in(p("10.2.0.0/16")), None);
    }

    fn last_address(prefix: Prefix) -> IpAddr {
        match prefix.base() {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(u32::from(prefix.bits())).unwrap_or(0);
                IpAddr::V4((u32::from(v4) | host).into())
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(u32::from(prefix.bits())).unwrap_or(0);
                IpAddr::V6((u128::from(v6) | host).into())
            }
        }
    }

    fn block() -> impl Strategy<Value = Prefix> {
        // Few distinct bits, so that blocks nest and meet.
        prop_oneof![
            (0_u32..16, 0_u8..=32).prop_map(|(bits, len)| {
                Prefix::new(IpAddr::V4((bits << 28 | bits).into()), len).expect("len fits")
            }),
            (0_u128..16, 0_u8..=128).prop_map(|(bits, len)| {
                Prefix::new(IpAddr::V6((bits << 124 | 1 << 90 | bits).into()), len).expect("len fits")
            }),
        ]
    }

    proptest! {
        #[test]
        fn longest_match_is_what_a_search_of_all_blocks_finds(
            blocks in prop::collection::btree_set(block(), 0..30), gone in prop::collection::vec(block(), 0..10), probe in block(),
        ) {
            let mut map = PrefixMap::new();
            for b in &blocks {
                map.insert(*b, ());
            }
            let mut left = blocks.clone();
            for b in &gone {
                prop_assert_eq!(map.remove(b).is_some(), left.remove(b));
            }
            for at in [probe.base(), last_address(probe)] {
                let slow = left.iter().filter(|b| b.contains(at)).max_by_key(|b| b.bits()).copied();
                prop_assert_eq!(map.longest(at).map(|f| f.0), slow);
            }
            let inside: Vec<Prefix> = map.inside(probe).map(|f| f.0).collect();
            let slow: Vec<Prefix> =
                left.iter().filter(|b| probe.contains(b.base()) && b.bits() >= probe.bits()).copied().collect();
            prop_assert_eq!(inside, slow);
        }
    }
}
