//! The order in which the targets of a rule are tried.
//!
//! Whatever the way to pick, all targets stay in the list: those after the first
//! are for fail-over. Only picking by weight draws random numbers.

use super::rule::{Pick, TargetRef};
use crate::base::Rng;

/// A target that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'t> {
    /// The target.
    pub target: TargetRef,
    /// A name that stays the same when the configuration is reordered.
    pub label: &'t str,
    /// Share of the calls, above 0.
    pub weight: u32,
    /// Calls in force.
    pub calls: u32,
}

/// Puts candidates in order; `key` stands for the caller.
pub fn order(pick: Pick, mut candidates: Vec<Candidate<'_>>, key: &str, rng: &mut Rng) -> Vec<TargetRef> {
    match pick {
        Pick::Failover => {}
        Pick::Weight => candidates = draw(candidates, rng),
        Pick::Hash => {
            candidates.sort_by_cached_key(|candidate| std::cmp::Reverse(rendezvous(key, candidate.label)));
        }
        // Stable: among equals the order written.
        Pick::LeastCalls => candidates.sort_by_key(|candidate| candidate.calls),
    }
    candidates.into_iter().map(|candidate| candidate.target).collect()
}

/// Draws without putting back, each time by the weights that are left.
fn draw<'t>(mut left: Vec<Candidate<'t>>, rng: &mut Rng) -> Vec<Candidate<'t>> {
    let mut drawn = Vec::with_capacity(left.len());
    while left.len() > 1 {
        let total: u64 = left.iter().map(|candidate| u64::from(candidate.weight)).sum();
        let mut ticket = rng.below(total);
        let hit = left.iter().position(|candidate| match ticket.checked_sub(candidate.weight.into()) {
            Some(rest) => {
                ticket = rest;
                false
            }
            None => true,
        });
        drawn.push(left.remove(hit.unwrap_or(0)));
    }
    drawn.append(&mut left);
    drawn
}

/// Highest random weight hashing: each caller ranks the targets in his own
/// order, so that one target less moves only those who had it first. FNV-1a
/// with a finaliser, written out because the order must stay the same between
/// versions and processes.
fn rendezvous(key: &str, label: &str) -> u64 {
    let bytes = key.bytes().chain([0]).chain(label.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TrunkId;

    fn candidates(given: &[(&'static str, u32, u32)]) -> Vec<Candidate<'static>> {
        let all = given.iter().enumerate();
        all.map(|(i, &(label, weight, calls))| Candidate {
            target: TargetRef::Trunk(TrunkId(i as u16)),
            label,
            weight,
            calls,
        })
        .collect()
    }

    fn ids(targets: &[TargetRef]) -> Vec<u16> {
        let id = |t: &TargetRef| if let TargetRef::Trunk(id) = t { id.0 } else { u16::MAX };
        targets.iter().map(id).collect()
    }

    #[test]
    fn failover_keeps_the_order_and_least_calls_sorts_stably() {
        let mut rng = Rng::from_number(1);
        let all = candidates(&[("a", 1, 7), ("b", 1, 3), ("c", 1, 7), ("d", 1, 0)]);
        assert_eq!(ids(&order(Pick::Failover, all.clone(), "", &mut rng)), [0, 1, 2, 3]);
        assert_eq!(ids(&order(Pick::LeastCalls, all, "", &mut rng)), [3, 1, 0, 2]);
        assert_eq!(rng.u64(), Rng::from_number(1).u64(), "neither draws");
    }

    #[test]
    fn weights_give_shares_of_the_first_try() {
        let mut rng = Rng::from_number(7);
        let mut first = [0_u32; 3];
        for _ in 0..10_000 {
            let all = candidates(&[("a", 70, 0), ("b", 20, 0), ("c", 10, 0)]);
            let order = ids(&order(Pick::Weight, all, "", &mut rng));
            assert_eq!(order.len(), 3);
            first[usize::from(order[0])] += 1;
        }
        for (count, share) in first.into_iter().zip([7000_u32, 2000, 1000]) {
            assert!(count.abs_diff(share) < 250, "{first:?}");
        }
    }

    #[test]
    fn a_caller_stays_with_his_target_when_another_goes() {
        let mut rng = Rng::from_number(1);
        let (mut load, mut moved) = ([0_u32; 3], 0);
        for n in 0..3000 {
            let key = format!("user{n}");
            let all = candidates(&[("a", 1, 0), ("b", 1, 0), ("c", 1, 0)]);
            let before = ids(&order(Pick::Hash, all.clone(), &key, &mut rng));
            let after = ids(&order(Pick::Hash, all[..2].to_vec(), &key, &mut rng));
            load[usize::from(before[0])] += 1;
            assert!(before[0] == 2 || before[0] == after[0], "{key} moved without need");
            moved += u32::from(before[0] == 2);
        }
        assert!(load.iter().all(|n| n.abs_diff(1000) < 120) && moved == load[2], "{load:?}");
    }
}
