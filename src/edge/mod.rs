//! Sockets, threads, clock, DNS, files, the firewall: the only room that does I/O.
//!
//! Nothing here decides what a message means. A driver owns an engine, a media
//! thread owns a shard; both read inputs, stamp them once, hand them in and
//! perform what comes out, in order.

pub mod clock;
pub mod dns;
pub mod driver;
pub mod entropy;
pub mod journal;
pub mod media_socket;
pub mod media_thread;
pub mod nftables;
pub mod panics;
pub mod udp;
pub mod ws;
