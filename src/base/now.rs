//! The time of one input: a monotonic instant and the wall clock beside it.
//!
//! `edge/clock.rs` reads both once per input and hands them down; the
//! simulator makes them up. Machines compare instants and add durations, and
//! never ask for the time themselves. [`Instant`] is our own number, not
//! `std::time::Instant`, because the state of a call has to be written down
//! and read back by another process.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The time of one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic time, for timers and durations.
    pub mono: Instant,
    /// Wall time, for records and headers; it may jump.
    pub wall: UnixMillis,
}

impl Now {
    /// A stamp `mono_ms` after the origin at wall time `wall_ms`.
    pub const fn from_millis(mono_ms: u64, wall_ms: u64) -> Self {
        Self { mono: Instant::from_millis(mono_ms), wall: UnixMillis(wall_ms) }
    }

    /// This stamp moved forward on both clocks.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self { mono: self.mono + by, wall: UnixMillis(self.wall.0 + by.as_millis() as u64) }
    }
}

/// Monotonic nanoseconds since an origin that only `edge` knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(pub u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// `ms` milliseconds after the origin.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// Whole milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by.as_nanos() as u64))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, by: Duration) {
        *self = *self + by;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Whole seconds since the epoch.
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// Reads what `Display` writes, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        let shape = b"0000-00-00T00:00:00.000Z";
        let fits = |(c, s): (&u8, &u8)| if *s == b'0' { c.is_ascii_digit() } else { c == s };
        if b.len() != shape.len() || !b.iter().zip(shape).all(fits) {
            return None;
        }
        let number = |from: usize, to: usize| b[from..to].iter().fold(0, |n, c| n * 10 + u64::from(c - b'0'));
        let days = days_from_civil(number(0, 4), number(5, 7), number(8, 10))?;
        let secs = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
        let at = Self((days * 86_400 + secs) * 1000 + number(20, 23));
        (at.to_string() == text).then_some(at)
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-20T15:44:00.123Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        // By hand: every record has several of these, and `write!` costs ten times as much.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |at: usize, digits: usize, mut n: u64| {
            for place in (at..at + digits).rev() {
                text[place] = b'0' + (n % 10) as u8;
                n /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, ms / 3_600_000);
        put(14, 2, ms / 60_000 % 60);
        put(17, 2, ms / 1000 % 60);
        put(20, 3, ms % 1000);
        f.write_str(std::str::from_utf8(&text).expect("ASCII digits"))
    }
}

/// Year, month and day of a day number counted from 1970-01-01 (proleptic
/// Gregorian calendar, Howard Hinnant's days algorithm).
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, day)
}

/// The reverse of [`civil_from_days`] for dates from 1970 on.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let y = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, yoe) = (y / 400, y % 400);
    let mp = (month + 9) % 12;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5 + day.checked_sub(1)?;
    (era * 146_097 + doe).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        for ms in [0, 951_782_400_000, 1_795_189_440_123, 4_102_444_799_999] {
            assert_eq!(UnixMillis::parse(&UnixMillis(ms).to_string()), Some(UnixMillis(ms)));
        }
        for wrong in ["", "2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "1969-12-31T00:00:00.000Z", "x"] {
            assert_eq!(UnixMillis::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn prints_wall_time_as_rfc_3339() {
        assert_eq!(UnixMillis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMillis(951_782_400_000).to_string(), "2000-02-29T00:00:00.000Z");
        assert_eq!(UnixMillis(1_795_189_440_123).to_string(), "2026-11-20T15:44:00.123Z");
    }

    #[test]
    fn a_later_earlier_gives_zero() {
        assert_eq!(Instant::from_millis(5) - Instant::from_millis(9), Duration::ZERO);
    }
}
