//! Which media ports are whose.
//!
//! A look-up without timers: the call machine asks for a pair before an offer
//! goes out, so that exhaustion becomes a 503 and never a call without media
//! (RFC 3264 needs a port in the offer). A pair is an even RTP port and the
//! odd one above it for RTCP (RFC 3550 §11). A pair that was used rests for a
//! while, since late packets of the old call would be the new call's noise.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Instant, Now, RealmId, ShardId};

/// Ports of all realms.
#[derive(Clone, Debug)]
pub struct Ports {
    shards: u8,
    realms: Vec<Realm>,
    sessions: Vec<u32>,
    quarantine: Duration,
}

/// What a realm offers for media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmPorts {
    /// The address that sockets bind to.
    pub bind: IpAddr,
    /// The address that peers are told, where it differs (1:1 NAT).
    pub advertised: IpAddr,
    /// First and last port for pairs, inclusive; `None` if the realm has WebRTC legs only.
    pub range: Option<(u16, u16)>,
    /// The shared socket of shard 0; shard `n` uses this port plus `n`.
    pub shared_port: Option<u16>,
}

/// All that [`Ports::new`] needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Number of shards, at least 1.
    pub shards: u8,
    /// By [`RealmId`].
    pub realms: Vec<RealmPorts>,
    /// Rest of a used pair; default 5 s.
    pub quarantine: Duration,
}

#[derive(Clone, Debug)]
struct Realm {
    ports: RealmPorts,
    free: VecDeque<u16>,
    resting: VecDeque<(Instant, u16)>,
    used: u32,
}

/// Where a side receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// What the socket binds to.
    pub local: SocketAddr,
    /// What the peer is told.
    pub advertised: SocketAddr,
}

impl Ports {
    /// A pool with every pair free.
    pub fn new(config: Config) -> Self {
        let realms = config
            .realms
            .into_iter()
            .map(|ports| Realm { free: pairs(ports.range), resting: VecDeque::new(), used: 0, ports })
            .collect();
        let shards = config.shards.max(1);
        Self { shards, realms, sessions: vec![0; usize::from(shards)], quarantine: config.quarantine }
    }

    /// The shard with the fewest sessions; counts one more on it.
    pub fn open_session(&mut self) -> ShardId {
        let (least, count) =
            self.sessions.iter_mut().enumerate().min_by_key(|(_, n)| **n).expect("there is at least one shard");
        *count += 1;
        ShardId(least as u8)
    }

    /// Counts one session less on `shard`.
    pub fn close_session(&mut self, shard: ShardId) {
        if let Some(n) = self.sessions.get_mut(usize::from(shard.0)) {
            *n = n.saturating_sub(1);
        }
    }

    /// Takes a pair of `realm`; `None` if all are in use or resting.
    pub fn reserve(&mut self, now: Now, realm: RealmId) -> Option<Reserved> {
        let r = self.realms.get_mut(usize::from(realm.0))?;
        while let Some(&(until, port)) = r.resting.front() {
            if until > now.mono {
                break;
            }
            r.resting.pop_front();
            r.free.push_back(port);
        }
        let port = r.free.pop_front()?;
        r.used += 1;
        Some(Reserved {
            local: SocketAddr::new(r.ports.bind, port),
            advertised: SocketAddr::new(r.ports.advertised, port),
        })
    }

    /// Gives a pair back; it rests before it is used again.
    pub fn release(&mut self, now: Now, realm: RealmId, port: u16) {
        if let Some(r) = self.realms.get_mut(usize::from(realm.0)) {
            r.used = r.used.saturating_sub(1);
            r.resting.push_back((now.mono + self.quarantine, port));
        }
    }

    /// The shared socket of `shard` for WebRTC legs of `realm`.
    pub fn shared(&self, shard: ShardId, realm: RealmId) -> Option<Reserved> {
        let ports = &self.realms.get(usize::from(realm.0))?.ports;
        let port = ports.shared_port?.checked_add(u16::from(shard.0))?;
        Some(Reserved { local: SocketAddr::new(ports.bind, port), advertised: SocketAddr::new(ports.advertised, port) })
    }

    /// Every shared socket of a shard, for the media thread to bind at start.
    pub fn shared_sockets(&self, shard: ShardId) -> Vec<SocketAddr> {
        (0..self.realms.len()).filter_map(|i| self.shared(shard, RealmId(i as u16))).map(|r| r.local).collect()
    }

    /// Pairs of a realm that are free at once or after their rest.
    pub fn free(&self, realm: RealmId) -> usize {
        self.realms.get(usize::from(realm.0)).map_or(0, |r| r.free.len() + r.resting.len())
    }

    /// Pairs of all realms in use.
    pub fn used(&self) -> u32 {
        self.realms.iter().map(|r| r.used).sum()
    }

    /// Number of shards.
    pub fn shards(&self) -> u8 {
        self.shards
    }
}

fn pairs(range: Option<(u16, u16)>) -> VecDeque<u16> {
    let Some((first, last)) = range else { return VecDeque::new() };
    (first..last).filter(|port| port % 2 == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(first: u16, last: u16) -> Ports {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let realm = RealmPorts { bind: ip, advertised: ip, range: Some((first, last)), shared_port: Some(8189) };
        Ports::new(Config { shards: 2, realms: vec![realm], quarantine: Duration::from_secs(5) })
    }

    #[test]
    fn pairs_are_even_and_run_out() {
        let (now, mut p) = (Now::from_millis(0, 0), pool(30_001, 30_005));
        let mut port = || p.reserve(now, RealmId(0)).map(|r| r.local.port());
        assert_eq!((port(), port(), port()), (Some(30_002), Some(30_004), None));
        assert_eq!(p.used(), 2);
    }

    #[test]
    fn a_used_pair_rests_before_it_comes_back() {
        let (now, mut p) = (Now::from_millis(0, 0), pool(30_000, 30_001));
        let port = p.reserve(now, RealmId(0)).expect("one pair").local.port();
        p.release(now, RealmId(0), port);
        assert_eq!(p.reserve(now.after(Duration::from_millis(4_999)), RealmId(0)), None);
        assert!(p.reserve(now.after(Duration::from_secs(5)), RealmId(0)).is_some());
    }

    #[test]
    fn sessions_spread_over_shards() {
        let mut p = pool(30_000, 30_100);
        assert_eq!((p.open_session(), p.open_session()), (ShardId(0), ShardId(1)));
        p.close_session(ShardId(1));
        assert_eq!(p.open_session(), ShardId(1));
        assert_eq!(p.shared(ShardId(1), RealmId(0)).expect("shared").local.port(), 8190);
    }
}
