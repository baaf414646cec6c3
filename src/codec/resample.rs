//! Sample rates in whole ratios: 8, 16, 24 and 48 kHz into each other.
//!
//! A polyphase FIR filter, a Kaiser-windowed sinc of 48 taps a phase at the
//! lower rate: flat to 0.42 of the lower rate (3.4 kHz at 8 kHz), 70 dB down
//! from 0.52 of it. It delays by 24 samples of the lower rate. For services
//! and tests: a call between Opus and G.711 needs none of it.

use super::{CodecError, Result};

/// Converts one stream from one rate to another.
#[derive(Clone, Debug)]
pub struct Resampler {
    ratio: Ratio,
    /// The filter, phase by phase; each phase is oldest sample first.
    taps: Vec<f32>,
    /// Samples a phase looks at.
    span: usize,
    /// The last `span` samples, twice in a row, so that a window never wraps.
    past: Vec<f32>,
    at: usize,
    /// Input samples since the last output, when going down.
    skipped: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ratio {
    Same,
    Up(usize),
    Down(usize),
}

impl Resampler {
    /// A converter from `from_hz` to `to_hz`; one must be a multiple of the
    /// other, up to six times.
    ///
    /// # Errors
    /// [`CodecError::Rate`] names the rate that cannot be reached.
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self> {
        let whole = |a: u32, b: u32| {
            let ratio = a.checked_div(b).filter(|r| (1..=MAX_RATIO).contains(r) && r * b == a)?;
            Some(ratio as usize)
        };
        let ratio = match (whole(to_hz, from_hz), whole(from_hz, to_hz)) {
            (Some(1), _) => Ratio::Same,
            (Some(up), _) => Ratio::Up(up),
            (None, Some(down)) => Ratio::Down(down),
            (None, None) => return Err(CodecError::Rate(to_hz)),
        };
        let (taps, span) = match ratio {
            Ratio::Same => (Vec::new(), 1),
            Ratio::Up(up) => (by_phase(&prototype(up), up), TAPS),
            Ratio::Down(down) => (prototype(down), TAPS * down),
        };
        Ok(Self { ratio, taps, span, past: vec![0.0; 2 * span], at: 0, skipped: 0 })
    }

    /// Most samples that `input` samples can become.
    pub fn output_len(&self, input: usize) -> usize {
        match self.ratio {
            Ratio::Same => input,
            Ratio::Up(up) => input * up,
            Ratio::Down(down) => (input + self.skipped) / down,
        }
    }

    /// Converts `input`; gives the samples written to `output`.
    ///
    /// # Errors
    /// [`CodecError::OutputTooSmall`] if `output` is shorter than
    /// [`Self::output_len`]; nothing has happened then.
    pub fn process(&mut self, input: &[i16], output: &mut [i16]) -> Result<usize> {
        let len = self.output_len(input.len());
        let output = output.get_mut(..len).ok_or(CodecError::OutputTooSmall)?;
        match self.ratio {
            Ratio::Same => output.copy_from_slice(input),
            Ratio::Up(up) => {
                for (sample, made) in input.iter().zip(output.chunks_exact_mut(up)) {
                    self.push(*sample);
                    let window = &self.past[self.at..self.at + self.span];
                    for (out, taps) in made.iter_mut().zip(self.taps.chunks_exact(self.span)) {
                        *out = dot(window, taps);
                    }
                }
            }
            Ratio::Down(down) => {
                let mut made = output.iter_mut();
                for sample in input {
                    self.push(*sample);
                    self.skipped += 1;
                    if self.skipped == down {
                        self.skipped = 0;
                        if let Some(out) = made.next() {
                            *out = dot(&self.past[self.at..self.at + self.span], &self.taps);
                        }
                    }
                }
            }
        }
        Ok(len)
    }

    fn push(&mut self, sample: i16) {
        self.past[self.at] = f32::from(sample);
        self.past[self.at + self.span] = f32::from(sample);
        self.at = if self.at + 1 == self.span { 0 } else { self.at + 1 };
    }
}

fn dot(window: &[f32], taps: &[f32]) -> i16 {
    // Eight sums side by side, which the compiler keeps in one register.
    let mut sums = [0.0_f32; 8];
    for (w, t) in window.chunks_exact(8).zip(taps.chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += w[i] * t[i];
        }
    }
    // `as` saturates.
    sums.iter().sum::<f32>().round() as i16
}

/// The low pass at the higher rate, for a ratio of `ratio`, with sum 1.
fn prototype(ratio: usize) -> Vec<f32> {
    let len = TAPS * ratio;
    let middle = (len - 1) as f64 / 2.0;
    let cutoff = CUTOFF / ratio as f64;
    let raw: Vec<f64> = (0..len)
        .map(|i| {
            let x = i as f64 - middle;
            let angle = 2.0 * std::f64::consts::PI * cutoff * x;
            let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
            let edge = x / (middle + 1.0);
            sinc * bessel_i0(KAISER_BETA * (1.0 - edge * edge).sqrt())
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|t| (t / sum) as f32).collect()
}

/// Sorts the taps by output phase, oldest input first, each phase with sum 1.
fn by_phase(prototype: &[f32], ratio: usize) -> Vec<f32> {
    let mut taps = Vec::with_capacity(prototype.len());
    for phase in 0..ratio {
        taps.extend(prototype.iter().skip(phase).step_by(ratio).rev().map(|t| t * ratio as f32));
    }
    taps
}

/// The modified Bessel function of order zero, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

/// Taps of one phase.
const TAPS: usize = 48;
/// Middle of the transition band, in units of the lower rate.
const CUTOFF: f64 = 0.47;
/// 70 dB: 0.1102 (70 - 8.7).
const KAISER_BETA: f64 = 6.755;
/// 8 to 48 kHz.
const MAX_RATIO: u32 = 6;

const _: () = assert!(TAPS.is_multiple_of(8), "the inner loop takes eight at a time");

#[cfg(test)]
mod tests {
    use super::super::tone::{Sine, mean_square, power_at};
    use super::*;

    fn convert(from: u32, to: u32, hz: f64) -> Vec<i16> {
        let mut input = vec![0; from as usize / 2];
        Sine::new(from, hz, 10_000).fill(&mut input);
        let mut resampler = Resampler::new(from, to).expect("a whole ratio");
        let mut output = Vec::new();
        // Lengths that are no multiple of the ratio.
        for part in input.chunks(37) {
            let mut made = [0; 37 * 6];
            let len = resampler.process(part, &mut made).expect("room");
            output.extend_from_slice(&made[..len]);
        }
        output
    }

    #[test]
    fn carries_speech_between_all_rates() {
        for (from, to) in
            [(8000, 16_000), (8000, 48_000), (16_000, 48_000), (16_000, 8000), (48_000, 8000), (48_000, 16_000)]
        {
            for hz in [300.0, 1000.0, 3300.0] {
                let output = convert(from, to, hz);
                assert_eq!(output.len(), to as usize / 2, "{from} to {to}");
                let settled = &output[to as usize / 10..];
                let level = power_at(settled, to, hz) / 5.0e7;
                assert!((0.97..1.03).contains(&level), "{from} to {to}, {hz} Hz: {level}");
                let rest = mean_square(settled) - power_at(settled, to, hz);
                assert!(rest / 5.0e7 < 0.01, "{from} to {to}, {hz} Hz: images {rest}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_gone() {
        for (from, hz) in [(16_000, 4500.0), (48_000, 5000.0), (48_000, 11_000.0)] {
            let output = convert(from, 8000, hz);
            assert!(mean_square(&output[800..]) / 5.0e7 < 1e-5, "{hz} Hz at {from}");
        }
    }

    #[test]
    fn refuses_odd_ratios_and_small_buffers() {
        assert_eq!(Resampler::new(8000, 44_100).err(), Some(CodecError::Rate(44_100)));
        assert_eq!(Resampler::new(8000, 0).err(), Some(CodecError::Rate(0)));
        let mut up = Resampler::new(8000, 16_000).expect("twice");
        assert_eq!(up.process(&[0; 10], &mut [0; 19]), Err(CodecError::OutputTooSmall));
        let mut same = Resampler::new(8000, 8000).expect("same");
        let mut out = [0; 3];
        assert_eq!(same.process(&[1, 2, 3], &mut out), Ok(3));
        assert_eq!(out, [1, 2, 3]);
    }
}
