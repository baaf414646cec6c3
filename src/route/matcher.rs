//! What a rule asks of a call: patterns on the numbers and the host, and hours.
//!
//! A pattern is a regular expression (crate `regex`: linear time, no look-around
//! and no back references) that has to match the **whole** value: `+49.*` for
//! numbers that begin so. Anchors may be written and change nothing. Matching a
//! part would let `\\d+` accept `x1;y`, the classic hole of dial plans. Named
//! groups `(?<n>…)` are there for rewriting.

use std::fmt;

use regex::{Captures, Regex, RegexBuilder};
use serde::Serialize;

use super::explain::Mismatch;
use super::table::Query;
use crate::base::UnixMillis;

/// A compiled pattern that matches whole values.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// The regex crate's own explanation, which points at the place.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        // `text` alone first: only then is a bracket that closes ours an error.
        compile(text)?;
        // A comment of `(?x)` would swallow our bracket: a line end closes it.
        let regex = compile(&format!("\\A(?:{text})\\z")).or_else(|_| compile(&format!("\\A(?:{text}\n)\\z")))?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// True if the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// The groups, if the whole of `value` matches.
    pub fn captures<'v>(&self, value: &'v str) -> Option<Captures<'v>> {
        self.regex.captures(value)
    }

    /// Names of the named groups.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }

    /// Number of groups, without the whole.
    pub fn groups(&self) -> usize {
        self.regex.captures_len() - 1
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(String);

fn compile(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text).size_limit(REGEX_BYTES).build().map_err(|e| PatternError(e.to_string()))
}

/// Largest compiled pattern, bytes. A list of some thousand numbers fits.
const REGEX_BYTES: usize = 1 << 20;

/// Everything a rule asks besides where a call comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// On the user part that is dialled.
    pub to: Option<Pattern>,
    /// On the caller's user part.
    pub from: Option<Pattern>,
    /// On the host of the request-URI.
    pub host: Option<Pattern>,
    /// The time of the call.
    pub hours: Option<Hours>,
}

/// The groups that a call's values gave.
#[derive(Debug, Default)]
pub struct Groups<'q> {
    pub(super) to: Option<Captures<'q>>,
    pub(super) from: Option<Captures<'q>>,
}

impl Match {
    /// The groups if everything asked for holds.
    ///
    /// # Errors
    ///
    /// The first thing that does not hold.
    pub fn judge<'q>(&self, query: &Query<'q>) -> Result<Groups<'q>, Mismatch> {
        if self.hours.as_ref().is_some_and(|hours| !hours.contains(query.wall)) {
            return Err(Mismatch::Hours);
        }
        if self.host.as_ref().is_some_and(|host| !host.matches(query.to_host)) {
            return Err(Mismatch::Host);
        }
        let groups = |pattern: &Option<Pattern>, value: &'q str, mismatch| match pattern {
            Some(pattern) => pattern.captures(value).map(Some).ok_or(mismatch),
            None => Ok(None),
        };
        let to = groups(&self.to, query.to_user, Mismatch::To)?;
        let from = groups(&self.from, query.from_user, Mismatch::From)?;
        Ok(Groups { to, from })
    }
}

/// Hours of the week, at a fixed offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hours {
    /// Monday first.
    pub days: [bool; 7],
    /// First minute of the day, 0 to 1439.
    pub start_minute: u16,
    /// The minute after the last. Not after `start_minute`, the hours last past
    /// midnight and belong to the day on which they began.
    pub end_minute: u16,
    /// Minutes east of UTC; daylight saving is not followed.
    pub utc_offset_minutes: i16,
}

impl Hours {
    /// True if `at` lies in them.
    pub fn contains(&self, at: UnixMillis) -> bool {
        let minutes = (at.secs() / 60) as i64 + i64::from(self.utc_offset_minutes);
        // 1970-01-01 was a Thursday: 3 when Monday is 0.
        let today = (minutes.div_euclid(1440) + 3).rem_euclid(7) as usize;
        let minute = minutes.rem_euclid(1440) as u16;
        let day = |i: usize| self.days[i % 7];
        if self.start_minute < self.end_minute {
            return day(today) && (self.start_minute..self.end_minute).contains(&minute);
        }
        (day(today) && minute >= self.start_minute) || (day(today + 6) && minute < self.end_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_value_with_or_without_anchors() {
        for text in [r"\+49\d+", r"^\+49\d+$", r"(?x) \+49 \d+ # Germany"] {
            let pattern = Pattern::new(text).expect("a pattern");
            assert!(pattern.matches("+493012345"), "{text}");
            for other in ["+49", "x+4930", "+4930;ext=1", "+4930\n", ""] {
                assert!(!pattern.matches(other), "{text} {other:?}");
            }
        }
        assert!(!Pattern::new("1|2").expect("a pattern").matches("13"));
    }

    #[test]
    fn patterns_that_cannot_be_used_say_why() {
        for text in ["(", "a)|(?:b", "(?=x)", r"(a)\1", "a{1000000}"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_nasty_pattern_takes_linear_time() {
        let pattern = Pattern::new("(a+)+b").expect("a pattern");
        assert!(!pattern.matches(&"a".repeat(50_000)));
    }

    #[test]
    fn hours_follow_the_week_and_cross_midnight() {
        let weekdays = [true, true, true, true, true, false, false];
        let office = Hours { days: weekdays, start_minute: 540, end_minute: 1020, utc_offset_minutes: 60 };
        // Friday 2026-11-20.
        let friday = 1_795_132_800_000;
        let at = |hour: u64, minute: u64| UnixMillis(friday + (hour * 60 + minute) * 60_000);
        assert!(!office.contains(at(7, 59)) && office.contains(at(8, 0)));
        assert!(office.contains(at(15, 59)) && !office.contains(at(16, 0)));
        assert!(!office.contains(at(24 + 10, 0)));
        let night = Hours { start_minute: 1320, end_minute: 360, utc_offset_minutes: 0, ..office };
        assert!(night.contains(at(22, 0)) && night.contains(at(24 + 5, 59)));
        assert!(!night.contains(at(24 + 6, 0)) && !night.contains(at(24 + 22, 0)));
    }
}
