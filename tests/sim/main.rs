//! The simulator: the whole SBC but its sockets, against scripted peers.
//!
//! Engines and media shards run on a fake clock over a network with loss,
//! duplication, overtaking and NATs. `world` holds it all and moves time, `net`
//! is the network, `ua`, `ua_call`, `media` and `browser` are the peers,
//! `checkers` hold the invariants after every step, `scenarios` tell stories,
//! `swarm` makes them up from a seed. Set `SBC_SIM_TRACE` to see the messages.

mod browser;
mod checkers;
mod dtls;
mod house;
mod media;
mod net;
mod records;
mod scenarios;
mod sip;
mod swarm;
mod ua;
mod ua_call;
mod world;
