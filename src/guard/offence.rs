//! What counts against a source: kinds of offence, their weight, its decay,
//! and the signatures of known scanners.
//!
//! Each kind has a number of offences within one window that leads to a ban;
//! an offence of that kind adds one such part of a whole, so that different
//! kinds add up. The sum of the running window counts in full, that of the
//! window before it fades in a straight line: `n` offences within a window
//! always reach the limit of `n`, and whoever stays below half of it for two
//! windows never does.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::base::Instant;

/// A kind of misbehaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// Wrong credentials. A request without any, which is answered with a
    /// challenge, and a stale nonce are none.
    AuthFailure,
    /// A message that cannot be parsed.
    Malformed,
    /// A registration or call for a user who does not exist, without credentials.
    UnknownUser,
    /// The signature of a known scanner.
    Scanner,
    /// STUN with a wrong or missing MESSAGE-INTEGRITY at a port in use.
    ForgedStun,
    /// A method the realm does not allow to this source.
    Unauthorised,
    /// A message dropped because the source's bucket was empty.
    Flood,
}

impl Offence {
    /// Every kind, in order.
    pub const ALL: [Self; 7] = [
        Self::AuthFailure,
        Self::Malformed,
        Self::UnknownUser,
        Self::Scanner,
        Self::ForgedStun,
        Self::Unauthorised,
        Self::Flood,
    ];

    /// The name as a metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AuthFailure => "auth_failure",
            Self::Malformed => "malformed",
            Self::UnknownUser => "unknown_user",
            Self::Scanner => "scanner",
            Self::ForgedStun => "forged_stun",
            Self::Unauthorised => "unauthorised",
            Self::Flood => "flood",
        }
    }
}

/// In plain words, for one of them: `authentication failure`.
impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AuthFailure => "authentication failure",
            Self::Malformed => "malformed message",
            Self::UnknownUser => "unknown user",
            Self::Scanner => "scanner signature",
            Self::ForgedStun => "forged STUN check",
            Self::Unauthorised => "unauthorised request",
            Self::Flood => "surplus message",
        })
    }
}

/// How many offences of each kind within `window` lead to a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Thresholds {
    /// The time in which they are counted; default 60 s.
    pub window: Duration,
    /// Wrong credentials; default 5.
    pub auth_failures: NonZeroU32,
    /// Messages that cannot be parsed; default 10.
    pub malformed: NonZeroU32,
    /// Users that do not exist; default 10.
    pub unknown_users: NonZeroU32,
    /// Scanner signatures; default 1, at once.
    pub scanners: NonZeroU32,
    /// Forged STUN checks; default 50, as a browser that restarts ICE may send
    /// some with its old credentials.
    pub forged_stun: NonZeroU32,
    /// Methods not allowed; default 20.
    pub unauthorised: NonZeroU32,
    /// Messages dropped over the source's rate; default 3000, as a phone gone
    /// wild is to be slowed down and not banned.
    pub flood: NonZeroU32,
}

impl Thresholds {
    /// The share of a ban that one offence is worth.
    fn weight(&self, offence: Offence) -> u64 {
        let count = match offence {
            Offence::AuthFailure => self.auth_failures,
            Offence::Malformed => self.malformed,
            Offence::UnknownUser => self.unknown_users,
            Offence::Scanner => self.scanners,
            Offence::ForgedStun => self.forged_stun,
            Offence::Unauthorised => self.unauthorised,
            Offence::Flood => self.flood,
        };
        // Rounded up: exactly `count` of them make a whole.
        WHOLE.div_ceil(u64::from(count.get()))
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        let count = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            window: Duration::from_secs(60),
            auth_failures: count(5),
            malformed: count(10),
            unknown_users: count(10),
            scanners: count(1),
            forged_stun: count(50),
            unauthorised: count(20),
            flood: count(3000),
        }
    }
}

/// The offences of one source, decaying.
#[derive(Clone, Debug, Default)]
pub struct Score {
    started: bool,
    window_start: Instant,
    since: Instant,
    current: u64,
    previous: u64,
    counts: [u32; Offence::ALL.len()],
}

impl Score {
    /// Adds an offence; true if the sum has reached a ban.
    pub fn add(&mut self, now: Instant, offence: Offence, thresholds: &Thresholds) -> bool {
        self.roll(now, thresholds.window);
        let count = &mut self.counts[offence as usize];
        *count = count.saturating_add(1);
        self.current = self.current.saturating_add(thresholds.weight(offence));
        self.current.saturating_add(self.faded(now, thresholds.window)) >= WHOLE
    }

    /// What was counted, for the record.
    pub fn evidence(&self, now: Instant) -> Evidence {
        let counts = Offence::ALL.into_iter().zip(self.counts).filter(|(_, n)| *n > 0).collect();
        Evidence { counts, over_secs: now.since(self.since).as_secs().max(1), detail: None }
    }

    /// Moves the window forward until `now` lies in it.
    fn roll(&mut self, now: Instant, window: Duration) {
        let elapsed = now.since(self.window_start);
        if !self.started || elapsed >= window * 2 {
            *self = Self { started: true, window_start: now, since: now, ..Self::default() };
        } else if elapsed >= window {
            self.previous = self.current;
            self.current = 0;
            self.window_start += window;
        }
    }

    fn faded(&self, now: Instant, window: Duration) -> u64 {
        let whole = window.as_nanos().max(1);
        let left = whole.saturating_sub(now.since(self.window_start).as_nanos());
        (u128::from(self.previous) * left / whole) as u64
    }
}

/// Why a source was banned: what was counted over what time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Offences by kind, without the kinds that did not occur.
    pub counts: Vec<(Offence, u32)>,
    /// Seconds from the first of them to the ban, at least 1.
    pub over_secs: u64,
    /// The signature that matched, or the operator's own words.
    pub detail: Option<String>,
}

/// `5 authentication failures, 2 malformed messages in 12 s (friendly-scanner)`.
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (offence, count)) in self.counts.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let plural = if *count == 1 { "" } else { "s" };
            write!(f, "{comma}{count} {offence}{plural}")?;
        }
        if !self.counts.is_empty() {
            write!(f, " in {} s", self.over_secs)?;
        }
        match (&self.detail, self.counts.is_empty()) {
            (Some(detail), false) => write!(f, " ({detail})"),
            (Some(detail), true) => f.write_str(detail),
            (None, _) => Ok(()),
        }
    }
}

/// The signatures of scanners, searched for in one pass.
#[derive(Clone, Debug)]
pub struct Signatures {
    texts: Vec<String>,
    /// By first byte: which texts begin with it.
    by_first: Box<[Vec<u16>; 256]>,
}

impl Signatures {
    /// Prepares a search for `texts`; case does not matter, empty ones are left out.
    pub fn new<S: AsRef<str>>(texts: &[S]) -> Self {
        let texts: Vec<String> = texts
            .iter()
            .map(|text| text.as_ref().trim().to_ascii_lowercase())
            .filter(|text| !text.is_empty())
            .take(u16::MAX as usize)
            .collect();
        let mut by_first = Box::new([const { Vec::new() }; 256]);
        for (i, text) in texts.iter().enumerate() {
            by_first[text.as_bytes()[0] as usize].push(i as u16);
        }
        Self { texts, by_first }
    }

    /// The first signature that stands in `field` at the start of a word.
    pub fn find(&self, field: &str) -> Option<&str> {
        let bytes = field.as_bytes();
        let mut in_word = false;
        for (at, byte) in bytes.iter().enumerate() {
            if !in_word {
                let rest = &bytes[at..];
                let fits = |i: &&u16| {
                    let text = self.texts[usize::from(**i)].as_bytes();
                    rest.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text))
                };
                if let Some(i) = self.by_first[byte.to_ascii_lowercase() as usize].iter().find(fits) {
                    return Some(&self.texts[usize::from(*i)]);
                }
            }
            in_word = byte.is_ascii_alphanumeric();
        }
        None
    }
}

/// What known scanners call themselves in User-Agent or From. Tools that
/// operators use themselves (sipsak, SIPp) are not among them.
pub const SCANNERS: &[&str] = &[
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sip-scan",
    "sipscan",
    "sipcli",
    "pplsip",
    "vaxsipuseragent",
    "vaxipuseragent",
    "sundayddr",
    "iwar",
    "sivus",
    "siparmyknife",
    "sip-bruteforce",
    "sipbrute",
    "sipptk",
    "mr.sip",
    "smap",
    "nmap",
    "masscan",
    "zgrab",
    "stretchoid",
];

/// One ban, in the unit of weights. Large, so that rounding up a share cannot
/// add up to an offence.
const WHOLE: u64 = 1 << 60;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_millis(secs * 1000)
    }

    #[test]
    fn the_fifth_failure_within_a_minute_bans() {
        let t = Thresholds::default();
        let mut score = Score::default();
        let bans: Vec<bool> =
            [7, 20, 30, 45, 66].map(|s| score.add(at(s), Offence::AuthFailure, &t)).into_iter().collect();
        assert_eq!(bans, [false, false, false, false, true]);
        assert_eq!(score.evidence(at(66)).to_string(), "5 authentication failures in 59 s");
    }

    #[test]
    fn offences_fade_and_kinds_add_up() {
        let t = Thresholds::default();
        let mut score = Score::default();
        for _ in 0..4 {
            assert!(!score.add(at(0), Offence::AuthFailure, &t));
        }
        // A minute and a half later half of the four is left.
        assert!(!score.add(at(90), Offence::AuthFailure, &t));
        assert!(!score.add(at(90), Offence::Malformed, &t));
        assert!(!score.add(at(90), Offence::AuthFailure, &t));
        assert!(score.add(at(90), Offence::Malformed, &t));
        assert_eq!(score.evidence(at(90)).to_string(), "6 authentication failures, 2 malformed messages in 90 s");
        // Two windows of silence clear it.
        assert!(!score.add(at(300), Offence::AuthFailure, &t));
        assert_eq!(score.evidence(at(300)).to_string(), "1 authentication failure in 1 s");
    }

    #[test]
    fn scanners_are_known_by_their_names_at_the_start_of_a_word() {
        let s = Signatures::new(SCANNERS);
        assert_eq!(s.find("friendly-scanner"), Some("friendly-scanner"));
        assert_eq!(s.find("VaxSIPUserAgent/3.5"), Some("vaxsipuseragent"));
        assert_eq!(s.find("\"sipvicious\"<sip:100@1.1.1.1>"), Some("sipvicious"));
        assert_eq!(s.find("Mozilla (SIPCLI v1.8)"), Some("sipcli"));
        assert_eq!(s.find("iWar"), Some("iwar"));
        for honest in ["Kaiwar phone", "baresip v3.16 (x86_64/Linux)", "JsSIP 3.10.1", "Linphone", "", "ünïcödé"] {
            assert_eq!(s.find(honest), None, "{honest}");
        }
    }

    proptest! {
        #[test]
        fn exactly_the_configured_number_bans(n in 1_u32..3000, spread_ms in 0_u64..59_000) {
            let t = Thresholds { malformed: NonZeroU32::new(n).expect("above zero"), ..Thresholds::default() };
            let mut score = Score::default();
            for i in 0..n {
                let now = Instant::from_millis(u64::from(i) * spread_ms / u64::from(n));
                prop_assert_eq!(score.add(now, Offence::Malformed, &t), i + 1 == n);
            }
        }

        #[test]
        fn less_than_half_the_limit_a_window_never_bans(n in 4_u32..200, windows in 1_u64..30) {
            let t = Thresholds { malformed: NonZeroU32::new(n).expect("above zero"), ..Thresholds::default() };
            let mut score = Score::default();
            let each = u64::from(n / 2 - 1);
            for w in 0..windows {
                for i in 0..each {
                    let now = Instant::from_millis(w * 60_000 + i * 60_000 / each);
                    prop_assert!(!score.add(now, Offence::Malformed, &t));
                }
            }
        }

        #[test]
        fn any_field_is_searched_without_panic(field in ".{0,200}") {
            let _ = Signatures::new(SCANNERS).find(&field);
        }
    }
}
