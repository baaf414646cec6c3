//! The resolver: questions of `sip::locate` to the system's DNS, answers back.
//!
//! Decisions (which record next, in which order) are `locate`'s; this asks,
//! caches by TTL and bounds the time. What cannot be answered is an empty
//! answer: a dead DNS is a target that was not found, never a call that hangs.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::time::timeout;

use crate::sip::locate::{Answer, Naptr, Query, Srv};
use crate::sip::message::Text;

/// The system's resolver.
pub struct Resolver {
    dns: Option<TokioResolver>,
}

/// Longest wait for one question; a caller listens to silence meanwhile.
const PATIENCE: Duration = Duration::from_secs(4);

impl Resolver {
    /// Reads the system's configuration; without one only addresses and `/etc/hosts` resolve.
    pub fn from_system() -> Self {
        let dns = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        if let Err(error) = &dns {
            tracing::warn!(%error, "no DNS resolver, targets need addresses");
        }
        Self { dns: dns.ok() }
    }

    /// Asks; the answer's kind is the question's.
    pub async fn ask(&self, query: Query) -> Answer {
        match query {
            Query::Addresses(host) => Answer::Addresses(self.addresses(&host).await),
            Query::Srv(name) => {
                let records = self.records(&name, RecordType::SRV).await;
                Answer::Srv(records.iter().filter_map(srv).collect())
            }
            Query::Naptr(name) => {
                let records = self.records(&name, RecordType::NAPTR).await;
                Answer::Naptr(records.iter().filter_map(naptr).collect())
            }
        }
    }

    async fn addresses(&self, host: &str) -> Vec<IpAddr> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return vec![ip];
        }
        // RFC 6761 §6.3: never asked of a server.
        if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") {
            return vec![IpAddr::from([127, 0, 0, 1])];
        }
        let Some(dns) = &self.dns else { return Vec::new() };
        match timeout(PATIENCE, dns.lookup_ip(absolute(host))).await {
            Ok(Ok(found)) => found.iter().collect(),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no address");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    async fn records(&self, name: &str, kind: RecordType) -> Vec<RData> {
        let Some(dns) = &self.dns else { return Vec::new() };
        match timeout(PATIENCE, dns.lookup(absolute(name), kind)).await {
            Ok(Ok(found)) => found.answers().iter().map(|record| record.data.clone()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

/// With its final dot a name is not tried in the search domains.
fn absolute(name: &str) -> String {
    if name.ends_with('.') || !name.contains('.') { name.to_owned() } else { format!("{name}.") }
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    let target = srv.target.to_ascii();
    let target = if target == "." { target } else { target.trim_end_matches('.').to_owned() };
    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: Text::from(target) })
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    let text = |bytes: &[u8]| Text::from(String::from_utf8_lossy(bytes).into_owned());
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: text(&naptr.flags),
        service: text(&naptr.services),
        replacement: Text::from(naptr.replacement.to_ascii().trim_end_matches('.').to_owned()),
    })
}
