//! `sbc route`: where a call would go, and why, without placing one.
//!
//! The same table, the same state of the trunks and the same words as for a
//! real call; only a rule that draws by weight may draw otherwise.

use serde::Serialize;

use super::Engine;
use crate::base::{Now, RealmId, Rng, TrunkId};
use crate::route::{Explain, Health, Query, Table};
use crate::sip::message::Uri;

/// Where a call would go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteReply {
    /// The final status if it would go nowhere.
    pub status: Option<u16>,
    /// Targets in the order in which they would be tried.
    pub targets: Vec<RouteTarget>,
    /// Every step of the decision, a sentence each.
    pub reasons: Vec<String>,
    /// All of it, for people.
    pub text: String,
}

/// One target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteTarget {
    /// A trunk's name, `registered`, `dialled` or a service.
    pub target: String,
    /// The number as it would be sent.
    pub to: String,
    /// The calling number as it would be sent.
    pub from: String,
}

impl Engine {
    /// Asks the table; `None` if there is no realm of that name.
    pub fn route(&self, now: Now, from: &str, to: &str, realm: Option<&str>) -> Option<RouteReply> {
        let load = |trunk: TrunkId| self.guard.trunk_calls(trunk);
        explain(&self.route, &self.health, &load, now, (from, to, realm))
    }
}

/// Asks a table; `None` if it has no realm of that name. `to` is a user, a
/// number or a SIP address.
pub fn explain(
    table: &Table,
    health: &Health,
    load: &dyn Fn(TrunkId) -> u32,
    now: Now,
    (from, to, realm): (&str, &str, Option<&str>),
) -> Option<RouteReply> {
    let realm = match realm {
        Some(name) => table.realm_named(name)?,
        None => RealmId(0),
    };
    let uri = Uri::parse(to).ok().filter(Uri::is_sip);
    let user = uri.as_ref().map(|uri| uri.user.as_deref().unwrap_or_default().to_owned());
    let host = uri.as_ref().map(|uri| uri.host.to_string()).unwrap_or_default();
    let to_user = user.unwrap_or_else(|| to.to_owned());
    let query = Query { realm, trunk: None, from_user: from, to_user: &to_user, to_host: &host, wall: now.wall };
    let plan = table.plan(&query, health, load, &mut Rng::from_number(0));
    let name = |target| match target {
        crate::route::TargetRef::Trunk(id) => table.trunk(id).map_or_else(String::new, |t| t.name.clone()),
        crate::route::TargetRef::Registered => "registered".to_owned(),
        crate::route::TargetRef::Dialled => "dialled".to_owned(),
        crate::route::TargetRef::Service(service) => service.name().to_owned(),
    };
    Some(RouteReply {
        status: plan.status(),
        targets: plan
            .targets
            .iter()
            .map(|c| RouteTarget { target: name(c.target), to: c.to_user.clone(), from: c.from_user.clone() })
            .collect(),
        reasons: plan.reasons.iter().map(|r| r.with(table).to_string()).collect(),
        text: Explain { table, query: &query, plan: &plan }.to_string(),
    })
}
