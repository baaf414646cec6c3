//! From where a plain-RTP peer is believed.
//!
//! RTP without SRTP proves nothing about its sender, so the SDP's address is
//! the only one believed, with one exception that phones behind a NAT need:
//! for a short window after the answer a packet from the host that signalling
//! comes from is learned, once, and nothing after it moves the address again.
//! Whoever sprays our ports from elsewhere is neither heard nor sent to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan;
use crate::base::{Instant, Now};

/// The address a side's peer is believed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latch {
    announced: Option<SocketAddr>,
    learned: Option<SocketAddr>,
    window: Option<(IpAddr, Instant)>,
    heard: bool,
}

/// What a packet's source means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The believed one.
    Believed,
    /// Learned by this packet.
    Learned,
    /// Somebody else.
    Stranger,
}

impl Latch {
    /// A latch for the address of an SDP; the window opens at `now`.
    pub fn new(now: Now, announced: Option<SocketAddr>, policy: plan::Latch) -> Self {
        let window = match policy {
            plan::Latch::Never => None,
            plan::Latch::Signalling { signalling, window_ms } => {
                Some((signalling, now.mono + Duration::from_millis(u64::from(window_ms))))
            }
        };
        Self { announced, learned: None, window, heard: false }
    }

    /// Takes a newer plan. The same address keeps what was learned, and opens
    /// the window again for a peer that has never been heard: a caller is not
    /// heard before he has the answer. Another address starts anew.
    pub fn announce(&mut self, now: Now, announced: Option<SocketAddr>, policy: plan::Latch) {
        if announced.is_some() && (announced != self.announced || !self.heard) {
            *self = Self::new(now, announced, policy);
        }
    }

    /// Judges the source of an RTP packet.
    pub fn judge(&mut self, now: Now, from: SocketAddr) -> Source {
        if self.address() == Some(from) {
            self.heard = true;
            return Source::Believed;
        }
        match self.window {
            Some((host, until)) if !self.heard && from.ip() == host && now.mono <= until => {
                (self.learned, self.heard) = (Some(from), true);
                Source::Learned
            }
            _ => Source::Stranger,
        }
    }

    /// Where to send.
    pub fn address(&self) -> Option<SocketAddr> {
        self.learned.or(self.announced)
    }

    /// True if the believed address was learned instead of announced.
    pub fn is_learned(&self) -> bool {
        self.learned.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: &str) -> SocketAddr {
        s.parse().expect("test address")
    }

    fn nat() -> (Latch, Now) {
        let now = Now::from_millis(1000, 0);
        let policy = plan::Latch::Signalling { signalling: at("198.51.100.7:0").ip(), window_ms: 250 };
        (Latch::new(now, Some(at("10.0.0.5:4000")), policy), now)
    }

    #[test]
    fn learns_once_from_the_signalling_host_within_the_window() {
        let (mut latch, now) = nat();
        assert_eq!(latch.judge(now, at("203.0.113.66:4000")), Source::Stranger);
        assert_eq!(latch.judge(now.after(Duration::from_millis(200)), at("198.51.100.7:40000")), Source::Learned);
        assert_eq!(latch.address(), Some(at("198.51.100.7:40000")));
        assert_eq!(latch.judge(now.after(Duration::from_millis(210)), at("198.51.100.7:40002")), Source::Stranger);
        assert_eq!(latch.judge(now.after(Duration::from_secs(9)), at("198.51.100.7:40000")), Source::Believed);
    }

    #[test]
    fn learns_nothing_after_the_window_or_after_the_announced_peer_spoke() {
        let (mut latch, now) = nat();
        assert_eq!(latch.judge(now.after(Duration::from_millis(251)), at("198.51.100.7:40000")), Source::Stranger);
        let (mut latch, now) = nat();
        assert_eq!(latch.judge(now, at("10.0.0.5:4000")), Source::Believed);
        assert_eq!(latch.judge(now, at("198.51.100.7:40000")), Source::Stranger);
    }

    #[test]
    fn the_next_plan_opens_the_window_again_for_a_peer_never_heard() {
        let (mut latch, now) = nat();
        let policy = plan::Latch::Signalling { signalling: at("198.51.100.7:0").ip(), window_ms: 250 };
        let later = now.after(Duration::from_secs(9));
        latch.announce(later, Some(at("10.0.0.5:4000")), policy);
        assert_eq!(latch.judge(later.after(Duration::from_millis(250)), at("198.51.100.7:40000")), Source::Learned);
        latch.announce(later, Some(at("10.0.0.5:4000")), policy);
        assert_eq!(latch.judge(later, at("198.51.100.7:40002")), Source::Stranger);
    }

    #[test]
    fn a_hold_keeps_what_was_learned_and_a_new_address_does_not() {
        let (mut latch, now) = nat();
        let policy = plan::Latch::Never;
        assert_eq!(latch.judge(now, at("198.51.100.7:40000")), Source::Learned);
        latch.announce(now, Some(at("10.0.0.5:4000")), policy);
        latch.announce(now, None, policy);
        assert_eq!(latch.address(), Some(at("198.51.100.7:40000")));
        latch.announce(now, Some(at("192.0.2.9:5000")), policy);
        assert_eq!(latch.address(), Some(at("192.0.2.9:5000")));
    }
}
