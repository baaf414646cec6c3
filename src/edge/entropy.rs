//! The only place that draws entropy: seeds for every generator.

use aws_lc_rs::error::Unspecified;

use crate::base::Rng;

/// A generator seeded by the operating system.
///
/// # Errors
///
/// If the system gives no entropy, without which nothing may start.
pub fn rng() -> Result<Rng, Unspecified> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed)?;
    Ok(Rng::from_seed(seed))
}
