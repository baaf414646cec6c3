//! The one source of randomness: ChaCha20, seeded once.
//!
//! `edge` seeds it from the operating system, the simulator from a number it
//! prints when a run fails. A machine keeps its own generator, made by
//! [`Rng::fork`], so that the order in which machines draw cannot matter to
//! the others. Output is fit for tags, branches, nonces and keys.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use serde::{Deserialize, Serialize};

/// A seeded cryptographic generator.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// A generator from 32 bytes of entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A generator from a small number: tests and simulation only.
    pub fn from_number(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// An independent generator drawn from this one.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Self::from_seed(seed)
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// A random number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A random number.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..below`, or 0 if `below` is 0.
    pub fn below(&mut self, below: u64) -> u64 {
        ((u128::from(self.u64()) * u128::from(below)) >> 64) as u64
    }

    /// True with probability `p`, which is between 0 and 1.
    pub fn chance(&mut self, p: f64) -> bool {
        (self.u32() as f64) < p * f64::from(u32::MAX)
    }

    /// `len` random characters of `[0-9a-z]` without look-alikes: 5 bits each.
    pub fn token(&mut self, len: usize) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut out = String::with_capacity(len);
        let (mut bits, mut left) = (0, 0);
        for _ in 0..len {
            if left == 0 {
                (bits, left) = (self.u64(), 12);
            }
            out.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
            left -= 1;
        }
        out
    }
}

/// Prints no state: it predicts every key drawn from here on.
impl std::fmt::Debug for Rng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rng")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_gives_the_same_tokens() {
        let (mut a, mut b) = (Rng::from_number(7), Rng::from_number(7));
        assert_eq!(a.token(40), b.token(40));
        assert_ne!(a.token(16), a.token(16));
        assert_eq!(a.token(33).len(), 33);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::from_number(1);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
