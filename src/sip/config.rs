//! What the SIP room has to be told; complete and valid by type.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{Host, Text, Via};
use super::transaction::Timing;
use crate::base::{EngineId, Flow};

/// Configuration of an [`Endpoint`](super::endpoint::Endpoint).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Our engine, written into every Call-ID, tag and branch we make.
    pub engine: EngineId,
    /// RFC 3261 T1; 500 ms.
    pub t1: Duration,
    /// RFC 3261 T2; 4 s.
    pub t2: Duration,
    /// RFC 3261 T4; 5 s.
    pub t4: Duration,
    /// Timer C (§16.6): how long a call may ring; more than 3 minutes. Read by
    /// the call, whose timer it is.
    pub timer_c: Duration,
    /// Value of Server and User-Agent where a message has none; `None` tells
    /// nobody what we are.
    pub server: Option<Text>,
    /// What stands in our Via instead of a listener's own address.
    pub advertise: BTreeMap<SocketAddr, SentBy>,
    /// Responses over UDP go to the source port even if the Via has no `rport`
    /// (RFC 3581 asks for it): for realms of clients behind NATs.
    pub force_rport: bool,
    /// Most live transactions; INVITEs are refused at 7/8 of it, others at all
    /// of it. At most `base::limits::TRANSACTIONS`.
    pub max_transactions: usize,
    /// Retry-After of our 503, seconds.
    pub retry_after_secs: u32,
}

impl Config {
    /// The timer values as transactions use them.
    pub fn timing(&self) -> Timing {
        let ms = |d: Duration| u32::try_from(d.as_millis()).unwrap_or(u32::MAX / 64).min(u32::MAX / 64);
        Timing { t1_ms: ms(self.t1).max(1), t2_ms: ms(self.t2).max(1), t4_ms: ms(self.t4).max(1) }
    }

    /// The address under which peers of `flow` know us.
    pub fn sent_by(&self, flow: &Flow) -> SentBy {
        match self.advertise.get(&flow.local) {
            Some(sent_by) => sent_by.clone(),
            None => SentBy { host: Host::from(flow.local.ip()), port: Some(flow.local.port()) },
        }
    }

    /// Our Via for a request on `flow` (RFC 3261 §18.1.1, RFC 3581 §3).
    pub fn via(&self, flow: &Flow, branch: &str) -> Via {
        let SentBy { host, port } = self.sent_by(flow);
        let mut via = Via::new(flow.transport, host, port, branch);
        if !via.params.has("rport") {
            via.params.set_flag("rport");
        }
        via
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: EngineId(0),
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            timer_c: Duration::from_secs(185),
            server: None,
            advertise: BTreeMap::new(),
            force_rport: false,
            max_transactions: crate::base::limits::TRANSACTIONS,
            retry_after_secs: 10,
        }
    }
}

/// A host and port as they stand in a Via or Contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentBy {
    /// Address or name.
    pub host: Host,
    /// Port; the transport's own if `None`.
    pub port: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RealmId;

    #[test]
    fn our_via_names_the_listener_or_what_it_is_advertised_as() {
        let local: SocketAddr = "192.0.2.1:5060".parse().expect("test address");
        let flow = Flow::udp(RealmId(0), local, local);
        let mut config = Config::default();
        assert_eq!(config.via(&flow, "z9hG4bK00").to_string(), "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK00;rport");
        let host = Host::parse("sbc.example").expect("test host");
        config.advertise.insert(local, SentBy { host, port: None });
        assert_eq!(config.via(&flow, "z9hG4bK00").to_string(), "SIP/2.0/UDP sbc.example;branch=z9hG4bK00;rport");
    }
}
