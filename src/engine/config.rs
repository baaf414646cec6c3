//! What an engine is configured with: each room's own configuration.

use crate::base::EngineId;
use crate::{call, guard, media, record, route, sip};

/// All that [`Engine::new`](super::Engine::new) needs. The rooms agree on the
/// numbers of realms and trunks.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which engine of the process it is.
    pub id: EngineId,
    /// The node's name.
    pub node: String,
    /// Version of the configuration, for records.
    pub config_version: Option<String>,
    /// Number of engines of the process.
    pub engines: u8,
    /// Transactions.
    pub sip: sip::config::Config,
    /// Calls.
    pub call: call::Config,
    /// Registrations.
    pub register: call::register::Config,
    /// Routing.
    pub route: route::Config,
    /// Admission.
    pub guard: guard::Config,
    /// Media ports.
    pub ports: media::ports::Config,
    /// Records.
    pub record: record::Config,
}
