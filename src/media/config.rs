//! What a shard is configured with: complete, valid by type.

use std::net::SocketAddr;
use std::time::Duration;

use super::transcode::Tuning;
use crate::base::limits::MEDIA_SESSIONS;

/// All that [`Shard::new`](super::shard::Shard::new) needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Shared sockets for WebRTC legs, bound at start, with their DSCP.
    pub shared: Vec<(SocketAddr, u8)>,
    /// DSCP by [`RealmId`](crate::base::RealmId), 0 to 63; default 46 (EF, RFC 4594 §4.1).
    pub dscp: Vec<u8>,
    /// From the peer's credentials to a nominated pair; default 15 s.
    pub ice: Duration,
    /// Silence of a peer that may speak, before its call is ended; default 60 s.
    pub inactivity: Duration,
    /// Mean time between RTCP reports; default 5 s (RFC 3550 §6.2).
    pub report_every: Duration,
    /// How audio is encoded.
    pub tuning: Tuning,
    /// Most sessions; default and most `limits::MEDIA_SESSIONS`.
    pub sessions: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            shared: Vec::new(),
            dscp: Vec::new(),
            ice: Duration::from_secs(15),
            inactivity: Duration::from_secs(60),
            report_every: Duration::from_secs(5),
            tuning: Tuning::default(),
            sessions: MEDIA_SESSIONS,
        }
    }
}
