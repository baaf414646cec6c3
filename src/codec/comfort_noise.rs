//! Comfort noise payloads (RFC 3389): read, written, and made audible.
//!
//! A payload is a noise level in -dBov and up to a dozen reflection
//! coefficients, which shape white noise like the background it stands for.
//! We write the level alone (RFC 3389 §3: "the spectral information is
//! optional"), and play both. Silence is never suppressed by us.

use super::{CodecError, Result};
use crate::base::Rng;

/// What one payload says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComfortNoise {
    /// Level below overload, dB, 0 to 127.
    pub level: u8,
    reflection: [f32; MAX_ORDER],
    order: usize,
}

impl ComfortNoise {
    /// White noise at `level` dB below overload.
    pub fn white(level: u8) -> Self {
        Self { level: level.min(SILENT), reflection: [0.0; MAX_ORDER], order: 0 }
    }

    /// White noise as loud as `pcm`.
    pub fn like(pcm: &[i16]) -> Self {
        let power = super::tone::mean_square(pcm) / (OVERLOAD * OVERLOAD);
        Self::white(if power <= 0.0 { SILENT } else { (-10.0 * power.log10()).clamp(0.0, f64::from(SILENT)) as u8 })
    }

    /// Reads a payload; coefficients beyond those we play are ignored, as
    /// RFC 3389 §3.3 allows.
    ///
    /// `None` if it is empty.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (first, rest) = payload.split_first()?;
        // RFC 3389 §3.1: the highest bit is zero, and not part of the level.
        let mut noise = Self::white(first & 0x7f);
        for (k, byte) in noise.reflection.iter_mut().zip(rest) {
            // RFC 3389 §3.2: k = 258 (N - 127) / 32768; 255 is reserved.
            *k = (258.0 * (f32::from(*byte) - 127.0) / 32_768.0).clamp(-MAX_REFLECTION, MAX_REFLECTION);
            noise.order += 1;
        }
        Some(noise)
    }

    /// Writes the level; gives the bytes written.
    ///
    /// # Errors
    /// [`CodecError::OutputTooSmall`].
    pub fn write(&self, out: &mut [u8]) -> Result<usize> {
        *out.first_mut().ok_or(CodecError::OutputTooSmall)? = self.level;
        Ok(1)
    }
}

/// Plays the noise that the last payload described.
#[derive(Clone, Debug)]
pub struct NoiseGenerator {
    noise: ComfortNoise,
    /// Amplitude of the white noise that drives the filter.
    drive: f32,
    /// Backward errors of the lattice.
    backward: [f32; MAX_ORDER + 1],
    rng: Rng,
}

impl NoiseGenerator {
    /// A generator that is silent until told otherwise.
    pub fn new(rng: Rng) -> Self {
        let mut it = Self { noise: ComfortNoise::white(SILENT), drive: 0.0, backward: [0.0; MAX_ORDER + 1], rng };
        it.set(ComfortNoise::white(SILENT));
        it
    }

    /// Plays `noise` from here on.
    pub fn set(&mut self, noise: ComfortNoise) {
        self.noise = noise;
        let rms = if noise.level >= SILENT { 0.0 } else { OVERLOAD * 10.0_f64.powf(f64::from(noise.level) / -20.0) };
        // The all-pole lattice multiplies power by 1 / product(1 - k²).
        let gain: f32 = noise.reflection[..noise.order].iter().map(|k| 1.0 - k * k).product();
        // Uniform noise of amplitude a has an rms of a / sqrt 3.
        self.drive = rms as f32 * gain.sqrt() * 3.0_f32.sqrt();
    }

    /// Fills `pcm` with noise.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            let white = (self.rng.u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * self.drive;
            let mut forward = white;
            for i in (0..self.noise.order).rev() {
                let k = self.noise.reflection[i];
                forward -= k * self.backward[i];
                self.backward[i + 1] = self.backward[i] + k * forward;
            }
            self.backward[0] = forward;
            // `as` saturates.
            *sample = forward.round() as i16;
        }
    }
}

/// The level that stands for nothing at all.
const SILENT: u8 = 127;
/// The rms of a square wave at full scale, 0 dBov (RFC 3389 §3.1).
const OVERLOAD: f64 = 32_768.0;
/// Most coefficients played: RFC 3389 §6 uses 10 for G.711.
const MAX_ORDER: usize = 12;
/// A filter with larger coefficients would ring for seconds.
const MAX_REFLECTION: f32 = 0.99;

#[cfg(test)]
mod tests {
    use super::super::tone::{mean_square, power_at};
    use super::*;

    fn play(noise: ComfortNoise) -> Vec<i16> {
        let mut generator = NoiseGenerator::new(Rng::from_number(1));
        generator.set(noise);
        let mut pcm = vec![0; 16_000];
        generator.fill(&mut pcm);
        pcm
    }

    #[test]
    fn plays_the_level_that_was_measured() {
        for level in [20, 40, 60] {
            let noise = ComfortNoise::white(level);
            let again = ComfortNoise::like(&play(noise));
            assert!(again.level.abs_diff(level) <= 1, "{level}: {}", again.level);
        }
        assert_eq!(ComfortNoise::like(&[0; 160]).level, 127);
        assert!(play(ComfortNoise::white(127)).iter().all(|s| *s == 0));
    }

    #[test]
    fn coefficients_shape_the_spectrum_and_keep_the_level() {
        // k1 = 258 (20 - 127) / 32768 = -0.84: strong at low frequencies.
        let noise = ComfortNoise::parse(&[30, 20, 127]).expect("a payload");
        let pcm = play(noise);
        assert!(ComfortNoise::like(&pcm).level.abs_diff(30) <= 1);
        let around = |hz: u32| (0..20).map(|i| power_at(&pcm, 8000, f64::from(hz + i * 10))).sum::<f64>();
        assert!(around(200) > 20.0 * around(3000), "{} {}", around(200), around(3000));
        assert!(mean_square(&pcm) > 0.0);
    }

    #[test]
    fn reads_what_it_writes_and_survives_any_payload() {
        let mut out = [0; 4];
        assert_eq!(ComfortNoise::white(64).write(&mut out), Ok(1));
        assert_eq!(ComfortNoise::parse(&out[..1]), Some(ComfortNoise::white(64)));
        assert_eq!(ComfortNoise::parse(&[]), None);
        assert_eq!(ComfortNoise::white(1).write(&mut []), Err(CodecError::OutputTooSmall));
        let pcm = play(ComfortNoise::parse(&[0xff; 40]).expect("a payload"));
        assert!(pcm.iter().all(|s| *s == 0));
        play(ComfortNoise::parse(&[0; 40]).expect("a payload"));
        play(ComfortNoise::parse(&[3, 255, 0, 255, 0, 255, 0, 255]).expect("a payload"));
    }
}
