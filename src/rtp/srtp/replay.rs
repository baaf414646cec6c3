//! The sliding window of packet indices (RFC 3711 §3.3.2), 128 wide.
//!
//! Inbound it refuses replays, and is asked before a packet is decrypted and
//! told after it was authenticated. Outbound the same window refuses to use an
//! index twice, which for counter modes would give away the keystream.

use serde::{Deserialize, Serialize};

/// Packets behind the newest that can still be told apart.
pub const WIDTH: u64 = 128;

/// Indices seen so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    highest: u64,
    /// Bit n is set if `highest - n` was seen; low half, high half.
    seen: [u64; 2],
}

/// Why the window refuses an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Seen already.
    Duplicate,
    /// Behind the window.
    Old,
}

impl Window {
    /// A window whose first index is `index`.
    pub(super) fn starting(index: u64) -> Self {
        Self { highest: index, seen: [1, 0] }
    }

    /// A window in which everything up to `index` counts as seen.
    pub(super) fn closed_up_to(index: u64) -> Self {
        Self { highest: index, seen: [u64::MAX; 2] }
    }

    /// A window in which nothing counts as seen, not even index 0.
    pub(super) fn open_at_zero() -> Self {
        Self { highest: 0, seen: [0; 2] }
    }

    /// The highest index seen.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether `index` may be used.
    pub(super) fn check(&self, index: u64) -> Result<(), Refused> {
        let Some(behind) = self.highest.checked_sub(index) else { return Ok(()) };
        if behind >= WIDTH {
            Err(Refused::Old)
        } else if self.bits() >> behind & 1 == 1 {
            Err(Refused::Duplicate)
        } else {
            Ok(())
        }
    }

    /// Marks an index that [`check`](Self::check) allowed.
    pub(super) fn accept(&mut self, index: u64) {
        let bits = match index.checked_sub(self.highest) {
            Some(ahead) => {
                self.highest = index;
                if ahead >= WIDTH { 1 } else { self.bits() << ahead | 1 }
            }
            None => self.bits() | 1 << (self.highest - index).min(WIDTH - 1),
        };
        self.seen = [bits as u64, (bits >> 64) as u64];
    }

    fn bits(&self) -> u128 {
        u128::from(self.seen[1]) << 64 | u128::from(self.seen[0])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn allows_reordering_within_its_width() {
        let mut window = Window::starting(1000);
        window.accept(1005);
        assert_eq!(window.check(1000), Err(Refused::Duplicate));
        assert_eq!(window.check(1003), Ok(()));
        assert_eq!(window.check(1005 - 127), Ok(()));
        assert_eq!(window.check(1005 - 128), Err(Refused::Old));
        window.accept(5000);
        assert_eq!(window.check(1003), Err(Refused::Old));
        assert_eq!(window.highest(), 5000);
        assert_eq!(Window::closed_up_to(9).check(9), Err(Refused::Duplicate));
        assert_eq!(Window::closed_up_to(9).check(10), Ok(()));
    }

    proptest! {
        #[test]
        fn never_accepts_an_index_twice(indices in prop::collection::vec(0u64..400, 1..200)) {
            let mut window = Window::starting(200);
            let mut used = HashSet::from([200]);
            for index in indices {
                let allowed = window.check(index).is_ok();
                prop_assert!(!(allowed && used.contains(&index)));
                if window.highest() < index + WIDTH {
                    prop_assert_eq!(allowed, !used.contains(&index));
                }
                if allowed {
                    window.accept(index);
                    used.insert(index);
                }
            }
        }
    }
}
