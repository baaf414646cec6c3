//! What the world is to do for an engine, in order.

use bytes::Bytes;

use crate::base::{Flow, ShardId};
use crate::call::ResolveId;
use crate::guard;
use crate::media::command::Command;
use crate::record;
use crate::sip::locate::Query;

/// One thing to do. A journal line stands before the message that follows from
/// it and is written before that message is sent.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a message.
    Transmit {
        /// Where to.
        flow: Flow,
        /// The message.
        bytes: Bytes,
    },
    /// Close a connection.
    CloseFlow {
        /// Which.
        flow: Flow,
        /// WebSocket close code (RFC 6455 §7.4).
        code: u16,
        /// Why, from a closed set.
        why: &'static str,
    },
    /// Ask the resolver, then tell [`Engine::handle_resolved`](super::Engine::handle_resolved).
    Resolve {
        /// Names it.
        id: ResolveId,
        /// The question.
        query: Query,
    },
    /// Order something of a shard.
    Media {
        /// The shard.
        shard: ShardId,
        /// The order.
        command: Command,
    },
    /// Write a line to the journal of records.
    Journal {
        /// One line of JSON, without its end.
        line: Vec<u8>,
    },
    /// Change the packet filter's set.
    Firewall(guard::Output),
    /// Write a log line.
    Log(record::LogLine),
    /// Show a step of a call to whoever watches.
    Live(record::LiveEvent),
}
