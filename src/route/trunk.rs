//! A trunk: a SIP peer that calls are sent to, and how its health is watched.
//!
//! The target is kept as the text of a SIP URI; parsing it and locating the
//! peer (RFC 3263) belong to `sip`. The limits stand here for choosing among
//! targets; the guard, which counts, has the last word.

use std::num::NonZeroU32;
use std::time::Duration;

use super::number::NumberFormat;
use crate::base::RealmId;

/// A trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// The realm it is reached through.
    pub realm: RealmId,
    /// Where requests go: `sip:sip.acme.example;transport=tls`.
    pub target: String,
    /// Codecs by name, in order of preference; empty for all of the realm's.
    pub codecs: Vec<String>,
    /// Most calls at once; `None` without limit. A full trunk is skipped.
    pub max_calls: Option<u32>,
    /// Share of calls where a rule picks by weight and names none; default 1.
    pub weight: u32,
    /// Weights for numbers that begin with certain digits; the longest that
    /// fits counts instead of `weight`.
    pub prefixes: Vec<PrefixWeight>,
    /// How numbers have to be written for it; default as the rules leave them.
    pub format: NumberFormat,
    /// How it is asked whether it lives; `None` if only calls tell.
    pub probe: Option<Probe>,
    /// What failed calls tell where there is no probe.
    pub passive: Passive,
}

impl Trunk {
    /// A trunk with the defaults.
    pub fn new(name: impl Into<String>, realm: RealmId, target: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            realm,
            target: target.into(),
            codecs: Vec::new(),
            max_calls: None,
            weight: 1,
            prefixes: Vec::new(),
            format: NumberFormat::AsIs,
            probe: Some(Probe::default()),
            passive: Passive::default(),
        }
    }

    /// The weight for a dialled number.
    pub fn weight_for(&self, number: &str) -> u32 {
        let fits = self.prefixes.iter().filter(|p| number.starts_with(&p.prefix));
        fits.max_by_key(|p| p.prefix.len()).map_or(self.weight, |p| p.weight)
    }
}

/// A weight for the numbers that begin with `prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixWeight {
    /// The first characters of the number as the rule has rewritten it: `+4930`.
    pub prefix: String,
    /// The share; 0 keeps such numbers off this trunk where a rule picks by weight.
    pub weight: u32,
}

/// Asking a trunk by OPTIONS (RFC 3261 §11) whether it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Time between two probes; default 30 s, varied by a tenth.
    pub every: Duration,
    /// How long an answer may take; default 5 s.
    pub timeout: Duration,
    /// Failures in a row, of probes or calls, until it is down; default 3.
    pub down_after: NonZeroU32,
    /// Answers in a row until it is up again; default 2.
    pub up_after: NonZeroU32,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            down_after: THREE,
            up_after: NonZeroU32::MIN.saturating_add(1),
        }
    }
}

/// What failed calls tell of a trunk that is not probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passive {
    /// Failed calls in a row until it is down; default 3.
    pub down_after: NonZeroU32,
    /// How long it is left alone before one more call is tried; default 30 s.
    pub retry_after: Duration,
}

impl Default for Passive {
    fn default() -> Self {
        Self { down_after: THREE, retry_after: Duration::from_secs(30) }
    }
}

const THREE: NonZeroU32 = NonZeroU32::new(3).expect("three is not zero");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_gives_the_weight() {
        let weight = |prefix: &str, weight| PrefixWeight { prefix: prefix.to_owned(), weight };
        let prefixes = vec![weight("+49", 10), weight("+4930", 0), weight("+4", 3)];
        let trunk = Trunk { prefixes, weight: 7, ..Trunk::new("a", RealmId(0), "sip:a.example") };
        let weights = ["+4930123", "+4940123", "+43123", "+1212"].map(|number| trunk.weight_for(number));
        assert_eq!(weights, [0, 10, 3, 7]);
    }
}
