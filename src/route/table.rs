//! The routing table: from a call to an ordered list of targets, with reasons.
//!
//! Rules are asked in order and the first that matches decides. Its targets are
//! left out if they are down, full, repeated or where the call came from, then
//! put in order by the rule's `pick`. A plan without targets says by its status
//! what to answer: 404 if no rule is for the call, 503 if no target is left.

use serde::Serialize;

use super::config::Config;
use super::explain::{Mismatch, Reason, Skip};
use super::health::Health;
use super::matcher::Groups;
use super::number::NumberFormat;
use super::rule::{Origin, Pick, Rule, Target, TargetRef};
use super::select::{Candidate, order};
use super::trunk::Trunk;
use crate::base::{RealmId, Rng, TrunkId, UnixMillis, limits};

/// The routing table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    config: Config,
}

/// A call that wants to go somewhere.
#[derive(Clone, Copy, Debug)]
pub struct Query<'q> {
    /// The realm it came in by.
    pub realm: RealmId,
    /// The trunk it came from, if from one.
    pub trunk: Option<TrunkId>,
    /// The caller's user part, unescaped; empty if there is none.
    pub from_user: &'q str,
    /// The user part of the request-URI, unescaped.
    pub to_user: &'q str,
    /// The host of the request-URI.
    pub to_host: &'q str,
    /// The time of the call.
    pub wall: UnixMillis,
}

/// A target to try, with the numbers to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Where to.
    pub target: TargetRef,
    /// The user part to dial, unescaped.
    pub to_user: String,
    /// The user part of the caller, unescaped.
    pub from_user: String,
    /// Index of the rule.
    pub rule: usize,
}

/// Where a call goes, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The targets in the order in which they are tried, at most
    /// `limits::TARGETS_PER_CALL`.
    pub targets: Vec<Choice>,
    /// Every step of the decision.
    pub reasons: Vec<Reason>,
}

impl Plan {
    /// What to answer if there is no target: 404 (RFC 3261 §21.4.5) if no rule
    /// is for the call, 503 (§21.5.4) if a rule is but none of its targets can
    /// be used. `None` if there are targets.
    pub fn status(&self) -> Option<u16> {
        if !self.targets.is_empty() {
            return None;
        }
        let left_out = |reason: &Reason| matches!(reason, Reason::NothingLeft { .. } | Reason::FellThrough { .. });
        Some(if self.reasons.iter().any(left_out) { 503 } else { 404 })
    }
}

impl Table {
    /// A table from its configuration.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// What it is made of.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A trunk by id.
    pub fn trunk(&self, id: TrunkId) -> Option<&Trunk> {
        self.config.trunks.get(usize::from(id.0))
    }

    /// A trunk's id by its name.
    pub fn trunk_named(&self, name: &str) -> Option<TrunkId> {
        self.config.trunks.iter().position(|trunk| trunk.name == name).map(|index| TrunkId(index as u16))
    }

    /// A realm's id by its name.
    pub fn realm_named(&self, name: &str) -> Option<RealmId> {
        self.config.realms.iter().position(|realm| realm.name == name).map(|index| RealmId(index as u16))
    }

    /// Decides where a call goes. `load` gives the calls in force to a trunk.
    pub fn plan(&self, query: &Query<'_>, health: &Health, load: &dyn Fn(TrunkId) -> u32, rng: &mut Rng) -> Plan {
        let mut plan = Plan::default();
        if self.config.rules.is_empty() {
            plan.reasons.push(Reason::NoRules);
        }
        for (index, rule) in self.config.rules.iter().enumerate() {
            let judged = if comes_from(rule, query) { rule.matches.judge(query) } else { Err(Mismatch::Origin) };
            let groups = match judged {
                Ok(groups) => groups,
                Err(why) => {
                    plan.reasons.push(Reason::NotMatched { rule: index, why });
                    continue;
                }
            };
            plan.reasons.push(Reason::Matched { rule: index });
            let (to, from) = rewrite(rule, query, &groups, &mut plan.reasons);
            let usable = self.usable(rule, query, &to, (health, load), &mut plan.reasons);
            if usable.is_empty() && rule.fall_through {
                plan.reasons.push(Reason::FellThrough { rule: index });
                continue;
            }
            if usable.is_empty() {
                plan.reasons.push(Reason::NothingLeft { rule: index });
                return plan;
            }
            // Callers without a number would all meet the same target.
            let key = if query.from_user.is_empty() { query.to_user } else { query.from_user };
            let targets = order(rule.pick, usable, key, rng);
            self.choose(index, rule.pick, targets, (&to, &from), &mut plan);
            return plan;
        }
        plan.reasons.push(Reason::NoRuleMatched);
        plan
    }

    /// The targets of a rule that can be used.
    fn usable<'t>(
        &'t self,
        rule: &Rule,
        query: &Query<'_>,
        to: &str,
        (health, load): (&Health, &dyn Fn(TrunkId) -> u32),
        reasons: &mut Vec<Reason>,
    ) -> Vec<Candidate<'t>> {
        let mut usable: Vec<Candidate<'t>> = Vec::new();
        for Target { target, weight } in &rule.to {
            let target = *target;
            let judged = match target {
                _ if usable.iter().any(|candidate| candidate.target == target) => Err(Skip::Repeated),
                TargetRef::Trunk(id) => self.judge_trunk(id, (rule, query), (to, *weight), health, load(id)),
                TargetRef::Registered => candidate(target, "registered", *weight),
                TargetRef::Service(service) => candidate(target, service.name(), *weight),
                TargetRef::Dialled => candidate(target, "dialled", *weight),
            };
            match judged {
                Ok(candidate) if rule.pick == Pick::Weight && candidate.weight == 0 => {
                    reasons.push(Reason::Skipped { target, why: Skip::NoWeight });
                }
                Ok(candidate) => usable.push(candidate),
                Err(why) => reasons.push(Reason::Skipped { target, why }),
            }
        }
        usable
    }

    fn judge_trunk(
        &self,
        id: TrunkId,
        (rule, query): (&Rule, &Query<'_>),
        (to, weight): (&str, Option<u32>),
        health: &Health,
        calls: u32,
    ) -> Result<Candidate<'_>, Skip> {
        let trunk = self.trunk(id).ok_or(Skip::Unknown)?;
        if query.trunk == Some(id) && !rule.hairpin {
            return Err(Skip::CameFrom);
        }
        health.usable(id)?;
        if let Some(limit) = trunk.max_calls.filter(|limit| calls >= *limit) {
            return Err(Skip::Full { calls, limit });
        }
        let weight = weight.unwrap_or_else(|| trunk.weight_for(to));
        Ok(Candidate { target: TargetRef::Trunk(id), label: &trunk.name, weight, calls })
    }

    /// Writes the ordered targets into the plan.
    fn choose(&self, rule: usize, pick: Pick, mut targets: Vec<TargetRef>, (to, from): (&str, &str), plan: &mut Plan) {
        for target in targets.iter().skip(limits::TARGETS_PER_CALL) {
            plan.reasons.push(Reason::Skipped { target: *target, why: Skip::TooMany });
        }
        targets.truncate(limits::TARGETS_PER_CALL);
        plan.reasons.push(Reason::Ordered { pick, targets: targets.clone() });
        for target in targets {
            let to_user = self.format(target, to);
            if to_user != to {
                plan.reasons.push(Reason::Formatted { target, before: to.to_owned(), after: to_user.clone() });
            }
            plan.targets.push(Choice { target, to_user, from_user: from.to_owned(), rule });
        }
    }

    /// The number as the target wants it written.
    fn format(&self, target: TargetRef, to: &str) -> String {
        let format = match target {
            TargetRef::Trunk(id) => self.trunk(id).map_or(NumberFormat::AsIs, |trunk| trunk.format),
            TargetRef::Registered | TargetRef::Service(_) | TargetRef::Dialled => NumberFormat::AsIs,
        };
        match &self.config.dialling {
            Some(dialling) => dialling.convert(to, format),
            None => to.to_owned(),
        }
    }
}

fn candidate(target: TargetRef, label: &'static str, weight: Option<u32>) -> Result<Candidate<'static>, Skip> {
    Ok(Candidate { target, label, weight: weight.unwrap_or(1), calls: 0 })
}

fn comes_from(rule: &Rule, query: &Query<'_>) -> bool {
    let fits = |origin: &Origin| match origin {
        Origin::Realm(realm) => *realm == query.realm,
        Origin::Trunk(trunk) => Some(*trunk) == query.trunk,
    };
    rule.from.is_empty() || rule.from.iter().any(fits)
}

/// The dialled and the calling number as the rule rewrites them.
fn rewrite(rule: &Rule, query: &Query<'_>, groups: &Groups<'_>, reasons: &mut Vec<Reason>) -> (String, String) {
    let to = rule.rewrite.to(query, groups);
    let from = rule.rewrite.from(query, groups);
    if let Some(after) = &to {
        reasons.push(Reason::RewroteTo { before: query.to_user.to_owned(), after: after.clone() });
    }
    if let Some(after) = &from {
        reasons.push(Reason::RewroteFrom { before: query.from_user.to_owned(), after: after.clone() });
    }
    (to.unwrap_or_else(|| query.to_user.to_owned()), from.unwrap_or_else(|| query.from_user.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::explain::Explain;
    use super::super::health::Outcome;
    use super::super::matcher::{Match, Pattern};
    use super::super::number::Dialling;
    use super::super::realm::Realm;
    use super::super::rewrite::Rewrite;
    use super::super::rule::Service;
    use super::*;
    use crate::base::Now;

    const ACME: TargetRef = TargetRef::Trunk(TrunkId(0));
    const BACKUP: TargetRef = TargetRef::Trunk(TrunkId(1));

    fn matching(to: &str) -> Match {
        Match { to: Some(Pattern::new(to).expect("a pattern")), ..Match::default() }
    }

    fn config() -> Config {
        let matches = matching(r"^\+49(?<n>\d+)$");
        let rewrite = Rewrite::new(&matches, Some("0${n}"), None).expect("a rewrite");
        Config {
            realms: ["browsers", "carriers"].map(|name| Realm { name: name.to_owned() }).to_vec(),
            trunks: ["acme", "backup"].map(|name| Trunk::new(name, RealmId(1), format!("sip:{name}.example"))).to_vec(),
            rules: vec![
                Rule {
                    name: Some("germany".to_owned()),
                    from: vec![Origin::Realm(RealmId(0))],
                    matches,
                    to: vec![ACME.into(), BACKUP.into()],
                    rewrite,
                    ..Rule::default()
                },
                Rule {
                    matches: matching("echo"),
                    to: vec![TargetRef::Service(Service::Echo).into()],
                    ..Rule::default()
                },
                Rule { matches: matching("[a-z]+"), to: vec![TargetRef::Registered.into()], ..Rule::default() },
            ],
            dialling: None,
        }
    }

    fn query(to_user: &str) -> Query<'_> {
        Query { realm: RealmId(0), trunk: None, from_user: "alice", to_user, to_host: "sbc", wall: UnixMillis(0) }
    }

    fn health(config: &Config) -> Health {
        Health::new(Now::from_millis(0, 0), &config.trunks, Rng::from_number(1))
    }

    fn plan(config: &Config, query: &Query<'_>, health: &Health) -> Plan {
        Table::new(config.clone()).plan(query, health, &|_| 0, &mut Rng::from_number(1))
    }

    fn targets(plan: &Plan) -> Vec<TargetRef> {
        plan.targets.iter().map(|choice| choice.target).collect()
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_rewrites() {
        let config = config();
        let query = query("+493012345");
        let plan = plan(&config, &query, &health(&config));
        let choice = |target| Choice { target, to_user: "03012345".into(), from_user: "alice".into(), rule: 0 };
        assert_eq!(plan.targets, [choice(ACME), choice(BACKUP)]);
        assert_eq!(plan.status(), None);
        let explained = Explain { table: &Table::new(config), query: &query, plan: &plan }.to_string();
        assert_eq!(
            explained,
            "call from 'alice' to '+493012345' at 'sbc', realm browsers\n\
             \u{20} rule 1 (germany) matches\n\
             \u{20} number dialled rewritten from '+493012345' to '03012345'\n\
             \u{20} order by failover: trunk acme, trunk backup\n\
             1. trunk acme as '03012345' from 'alice'\n\
             2. trunk backup as '03012345' from 'alice'\n"
        );
    }

    #[test]
    fn a_trunk_that_is_down_is_skipped_and_without_any_the_answer_is_503() {
        let config = config();
        let mut health = health(&config);
        let down = |health: &mut Health, trunk| {
            for ms in 0..3 {
                health.handle_call(Now::from_millis(ms, ms), trunk, Outcome::Timeout);
            }
        };
        down(&mut health, TrunkId(0));
        let one = plan(&config, &query("+4930"), &health);
        assert_eq!(targets(&one), [BACKUP]);
        assert!(one.reasons.contains(&Reason::Skipped { target: ACME, why: Skip::Down }));
        down(&mut health, TrunkId(1));
        let none = plan(&config, &query("+4930"), &health);
        assert_eq!((none.targets.len(), none.status()), (0, Some(503)));
        assert_eq!(none.reasons.last().map(ToString::to_string).as_deref(), Some("rule 1 has no target left"));
    }

    #[test]
    fn a_full_trunk_is_skipped() {
        let mut config = config();
        config.trunks[0].max_calls = Some(5);
        let health = health(&config);
        let table = Table::new(config);
        let load = |id: TrunkId| if id == TrunkId(0) { 5 } else { 900 };
        let plan = table.plan(&query("+4930"), &health, &load, &mut Rng::from_number(1));
        assert_eq!(targets(&plan), [BACKUP]);
        let words: Vec<String> = plan.reasons.iter().map(|reason| reason.with(&table).to_string()).collect();
        assert_eq!(words[2], "trunk acme skipped: it is full: 5 of 5 calls");
    }

    #[test]
    fn no_rule_is_404_and_says_why_for_each() {
        let config = config();
        let plan = plan(&config, &Query { realm: RealmId(1), ..query("+49\u{1b}[2J") }, &health(&config));
        assert_eq!(plan.status(), Some(404));
        let words: Vec<String> = plan.reasons.iter().map(ToString::to_string).collect();
        assert_eq!(
            words,
            [
                "rule 1 does not match: it is for calls from elsewhere",
                "rule 2 does not match: the number dialled does not match",
                "rule 3 does not match: the number dialled does not match",
                "no rule is for this call",
            ]
        );
        let empty = Table::default().plan(&query("x"), &health(&config), &|_| 0, &mut Rng::from_number(1));
        assert_eq!((empty.status(), &empty.reasons[0]), (Some(404), &Reason::NoRules));
    }

    #[test]
    fn what_a_caller_wrote_cannot_reach_the_terminal() {
        let config = config();
        let query = query("+49\u{1b}[2J");
        let plan = plan(&config, &query, &health(&config));
        let explained = Explain { table: &Table::new(config), query: &query, plan: &plan }.to_string();
        assert!(explained.contains("\\u{1b}[2J") && !explained.contains('\u{1b}'), "{explained}");
    }

    #[test]
    fn services_and_registered_users_are_targets() {
        let config = config();
        let health = health(&config);
        assert_eq!(targets(&plan(&config, &query("echo"), &health)), [TargetRef::Service(Service::Echo)]);
        assert_eq!(targets(&plan(&config, &query("bob"), &health)), [TargetRef::Registered]);
    }

    #[test]
    fn a_plan_is_data_for_programs() {
        let config = config();
        let plan = plan(&config, &query("echo"), &health(&config));
        let json = serde_json::to_string(&plan).expect("serialises");
        assert_eq!(
            json,
            "{\"targets\":[{\"target\":{\"service\":\"echo\"},\"to_user\":\"echo\",\"from_user\":\"alice\",\"rule\":1}],\
             \"reasons\":[{\"step\":\"not_matched\",\"rule\":0,\"why\":\"to\"},{\"step\":\"matched\",\"rule\":1},\
             {\"step\":\"ordered\",\"pick\":\"failover\",\"targets\":[{\"service\":\"echo\"}]}]}"
        );
    }

    #[test]
    fn a_call_does_not_go_back_to_its_trunk_unless_allowed() {
        let mut config = config();
        let health = health(&config);
        let from_acme = Query { trunk: Some(TrunkId(0)), ..query("+4930") };
        assert_eq!(targets(&plan(&config, &from_acme, &health)), [BACKUP]);
        config.rules[0].hairpin = true;
        assert_eq!(targets(&plan(&config, &from_acme, &health)), [ACME, BACKUP]);
        config.rules[0].from = vec![Origin::Trunk(TrunkId(0))];
        assert_eq!(plan(&config, &query("+4930"), &health).status(), Some(404));
    }

    #[test]
    fn later_rules_decide_only_when_asked_to() {
        let mut config = config();
        config.rules[0].to = vec![TargetRef::Trunk(TrunkId(9)).into()];
        config.rules.push(Rule { to: vec![TargetRef::Dialled.into()], ..Rule::default() });
        let health = health(&config);
        assert_eq!(plan(&config, &query("+4930"), &health).status(), Some(503));
        config.rules[0].fall_through = true;
        let plan = plan(&config, &query("+4930"), &health);
        assert_eq!((targets(&plan), &plan.targets[0].to_user[..]), (vec![TargetRef::Dialled], "+4930"));
        assert!(plan.reasons.contains(&Reason::FellThrough { rule: 0 }));
    }

    #[test]
    fn each_trunk_gets_the_number_in_its_format() {
        let mut config = config();
        config.dialling = Dialling::new("49", "00", "0");
        config.trunks[0].format = NumberFormat::Plus;
        let plan = plan(&config, &query("+493012345"), &health(&config));
        let numbers: Vec<&str> = plan.targets.iter().map(|choice| choice.to_user.as_str()).collect();
        assert_eq!(numbers, ["+493012345", "03012345"]);
    }

    #[test]
    fn no_more_targets_than_are_tried_for_one_call() {
        let mut config = config();
        config.trunks = (0..15).map(|n| Trunk::new(format!("t{n}"), RealmId(1), "sip:x")).collect();
        config.rules[0].to = (0..15).chain([3]).map(|n| TargetRef::Trunk(TrunkId(n)).into()).collect();
        let plan = plan(&config, &query("+4930"), &health(&config));
        assert_eq!(plan.targets.len(), limits::TARGETS_PER_CALL);
        let skipped =
            |why| plan.reasons.iter().filter(|r| matches!(r, Reason::Skipped { why: w, .. } if *w == why)).count();
        assert_eq!((skipped(Skip::TooMany), skipped(Skip::Repeated)), (5, 1));
    }

    #[test]
    fn a_weight_of_nothing_keeps_a_number_off_a_trunk() {
        let mut config = config();
        config.rules[0].pick = Pick::Weight;
        config.trunks[0].prefixes = vec![super::super::trunk::PrefixWeight { prefix: "030".into(), weight: 0 }];
        let health = health(&config);
        let berlin = plan(&config, &query("+4930"), &health);
        assert_eq!(targets(&berlin), [BACKUP]);
        assert!(berlin.reasons.contains(&Reason::Skipped { target: ACME, why: Skip::NoWeight }));
        assert_eq!(plan(&config, &query("+4940"), &health).targets.len(), 2);
    }

    #[test]
    fn a_trunk_that_asked_for_rest_gets_it() {
        let config = config();
        let mut health = health(&config);
        let busy = Outcome::Answer { status: 503, retry_after: Some(Duration::from_secs(20)) };
        health.handle_call(Now::from_millis(0, 0), TrunkId(0), busy);
        assert!(
            plan(&config, &query("+4930"), &health)
                .reasons
                .contains(&Reason::Skipped { target: ACME, why: Skip::Resting })
        );
        health.handle_timeout(Now::from_millis(20_000, 20_000));
        assert_eq!(targets(&plan(&config, &query("+4930"), &health)), [ACME, BACKUP]);
    }
}
