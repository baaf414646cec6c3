//! Tones made and tones found.
//!
//! A [`Sine`] keeps its phase from frame to frame; two of them are a DTMF digit
//! (ITU-T Q.23) or a ringback tone with its cadence (ITU-T E.180). The other
//! way round, Goertzel's algorithm measures how much of one frequency a piece
//! of sound has, which finds DTMF (ITU-T Q.24) and proves a path in tests.

use std::f64::consts::TAU;

/// A sine that goes on where it stopped.
#[derive(Clone, Debug)]
pub struct Sine {
    /// Turns, 0 to 1.
    phase: f64,
    /// Turns a sample.
    step: f64,
    amplitude: f64,
}

impl Sine {
    /// A sine of `hz` with a peak of `amplitude`, at `rate_hz` samples a
    /// second.
    pub fn new(rate_hz: u32, hz: f64, amplitude: i16) -> Self {
        Self { phase: 0.0, step: hz / f64::from(rate_hz.max(1)), amplitude: f64::from(amplitude) }
    }

    /// Overwrites `pcm`.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
        self.add(pcm);
    }

    /// Adds to `pcm`, clipping.
    pub fn add(&mut self, pcm: &mut [i16]) {
        for sample in pcm {
            let value = (self.phase * TAU).sin() * self.amplitude;
            *sample = sample.saturating_add(value.round() as i16);
            self.phase = (self.phase + self.step).fract();
        }
    }
}

/// A DTMF digit, sounding.
#[derive(Clone, Debug)]
pub struct DtmfTone {
    low: Sine,
    high: Sine,
}

impl DtmfTone {
    /// The pair of `digit`: `0`-`9`, `*`, `#`, `A`-`D`; `None` for others.
    /// Each frequency has a peak of `amplitude`, the upper one 2 dB more.
    pub fn new(digit: char, rate_hz: u32, amplitude: i16) -> Option<Self> {
        let digit = digit.to_ascii_uppercase();
        let (row, column) =
            DTMF_KEYS.iter().enumerate().find_map(|(r, keys)| keys.iter().position(|k| *k == digit).map(|c| (r, c)))?;
        let louder = (f64::from(amplitude) * 1.26).min(f64::from(i16::MAX)) as i16;
        Some(Self {
            low: Sine::new(rate_hz, DTMF_LOW[row], amplitude),
            high: Sine::new(rate_hz, DTMF_HIGH[column], louder),
        })
    }

    /// Overwrites `pcm`.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        self.low.fill(pcm);
        self.high.add(pcm);
    }
}

/// Which country's ringback a caller hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RingStyle {
    /// 425 Hz, 1 s on and 4 s off.
    #[default]
    Europe,
    /// 440 and 480 Hz, 2 s on and 4 s off.
    NorthAmerica,
    /// 400 and 450 Hz, twice 0.4 s with 0.2 s between, then 2 s off.
    Britain,
}

/// A ringback tone with its cadence.
#[derive(Clone, Debug)]
pub struct Ringback {
    tones: [Option<Sine>; 2],
    /// Samples on and off in turn.
    cadence: &'static [u32],
    /// Samples in a millisecond of the cadence.
    per_ms: u32,
    stage: usize,
    /// Samples left in the stage.
    left: u32,
}

impl Ringback {
    /// Begins with sound, at `rate_hz` samples a second.
    pub fn new(style: RingStyle, rate_hz: u32, amplitude: i16) -> Self {
        let sine = |hz| Some(Sine::new(rate_hz, hz, amplitude));
        let (tones, cadence): (_, &'static [u32]) = match style {
            RingStyle::Europe => ([sine(425.0), None], &[1000, 4000]),
            RingStyle::NorthAmerica => ([sine(440.0), sine(480.0)], &[2000, 4000]),
            RingStyle::Britain => ([sine(400.0), sine(450.0)], &[400, 200, 400, 2000]),
        };
        let per_ms = (rate_hz / 1000).max(1);
        Self { tones, cadence, per_ms, stage: 0, left: cadence[0] * per_ms }
    }

    /// Overwrites `pcm`.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        let mut rest = pcm;
        while !rest.is_empty() {
            let len = rest.len().min(self.left as usize);
            let (part, after) = rest.split_at_mut(len);
            part.fill(0);
            if self.stage.is_multiple_of(2) {
                self.tones.iter_mut().flatten().for_each(|tone| tone.add(part));
            }
            self.left -= len as u32;
            if self.left == 0 {
                self.stage = (self.stage + 1) % self.cadence.len();
                self.left = self.cadence[self.stage] * self.per_ms;
            }
            rest = after;
        }
    }
}

/// Power of `samples`: the mean of their squares.
pub fn mean_square(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    sum / samples.len().max(1) as f64
}

/// Power of the part of `samples` that is at `hz`, by Goertzel's algorithm, in
/// the units of [`mean_square`]: a sine with peak a gives a²/2.
pub fn power_at(samples: &[i16], rate_hz: u32, hz: f64) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let turn = 2.0 * (TAU * hz / f64::from(rate_hz.max(1))).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + turn * last - before, last);
    }
    let energy = last * last + before * before - turn * last * before;
    2.0 * energy / (samples.len() as f64).powi(2)
}

/// How much of the power of `samples` is at `hz`, 0 to 1; 0 in silence.
pub fn share_at(samples: &[i16], rate_hz: u32, hz: f64) -> f64 {
    let whole = mean_square(samples);
    if whole > 0.0 { power_at(samples, rate_hz, hz) / whole } else { 0.0 }
}

/// The DTMF digit that sounds throughout `samples`; 20 to 50 ms of them tell.
///
/// ITU-T Q.24: one frequency of each group, neither much louder than the
/// other, and little besides.
pub fn dtmf_digit(samples: &[i16], rate_hz: u32) -> Option<char> {
    let whole = mean_square(samples);
    if whole < DTMF_MIN_POWER {
        return None;
    }
    let strongest = |group: &[f64; 4]| {
        let powers = group.map(|hz| power_at(samples, rate_hz, hz));
        let best = (0..4).max_by(|a, b| powers[*a].total_cmp(&powers[*b]))?;
        let clear = (0..4).all(|i| i == best || powers[i] * 6.0 < powers[best]);
        clear.then_some((best, powers[best]))
    };
    let (row, low) = strongest(&DTMF_LOW)?;
    let (column, high) = strongest(&DTMF_HIGH)?;
    let twist_fits = low < high * 6.3 && high < low * 6.3;
    (twist_fits && low + high > 0.7 * whole).then_some(DTMF_KEYS[row][column])
}

/// ITU-T Q.23, Hz.
const DTMF_LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const DTMF_HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const DTMF_KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// About -43 dB below full scale: Q.24 asks receivers for -25 dBm and better.
const DTMF_MIN_POWER: f64 = 2.0e4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_goes_on_where_it_stopped() {
        let (mut whole, mut parts) = ([0; 500], [0; 500]);
        Sine::new(8000, 1000.0, 10_000).fill(&mut whole);
        let mut sine = Sine::new(8000, 1000.0, 10_000);
        parts.chunks_mut(33).for_each(|part| sine.fill(part));
        assert_eq!(whole, parts);
        assert_eq!(whole[..5], [0, 7071, 10_000, 7071, 0]);
    }

    #[test]
    fn goertzel_measures_power_in_the_units_of_the_samples() {
        let mut pcm = [0; 800];
        Sine::new(8000, 1000.0, 10_000).fill(&mut pcm);
        assert!((power_at(&pcm, 8000, 1000.0) / 5.0e7 - 1.0).abs() < 1e-3);
        assert!(share_at(&pcm, 8000, 1000.0) > 0.999);
        assert!(share_at(&pcm, 8000, 1300.0) < 1e-6);
        assert_eq!(share_at(&[0; 10], 8000, 1000.0), 0.0);
        assert_eq!(power_at(&[], 8000, 1000.0), 0.0);
    }

    #[test]
    fn every_digit_is_found_and_nothing_else() {
        for digit in "0123456789*#ABCD".chars() {
            for rate in [8000, 48_000] {
                let mut pcm = vec![0; rate as usize / 40];
                DtmfTone::new(digit, rate, 6000).expect("a digit").fill(&mut pcm);
                assert_eq!(dtmf_digit(&pcm, rate), Some(digit), "{rate} Hz");
            }
        }
        assert!(DtmfTone::new('E', 8000, 6000).is_none());
        let mut pcm = [0; 200];
        assert_eq!(dtmf_digit(&pcm, 8000), None);
        Sine::new(8000, 697.0, 10_000).fill(&mut pcm);
        assert_eq!(dtmf_digit(&pcm, 8000), None);
        Sine::new(8000, 1000.0, 9000).add(&mut pcm);
        Sine::new(8000, 1209.0, 9000).add(&mut pcm);
        assert_eq!(dtmf_digit(&pcm, 8000), None);
    }

    #[test]
    fn ringback_keeps_its_cadence_across_frames() {
        let mut ringback = Ringback::new(RingStyle::Europe, 8000, 5000);
        let mut pcm = vec![0; 6 * 8000];
        pcm.chunks_mut(160).for_each(|frame| ringback.fill(frame));
        assert!(share_at(&pcm[..8000], 8000, 425.0) > 0.99);
        assert!(pcm[8000..40_000].iter().all(|s| *s == 0));
        assert!(share_at(&pcm[40_000..], 8000, 425.0) > 0.99);
        let mut ringback = Ringback::new(RingStyle::Britain, 8000, 5000);
        let mut pcm = vec![0; 8 * 3000];
        ringback.fill(&mut pcm);
        let loud: Vec<bool> = pcm.chunks(8 * 200).map(|c| mean_square(c) > 0.0).collect();
        assert_eq!(loud[..6], [true, true, false, true, true, false]);
        assert!(loud[5..15].iter().all(|l| !l));
    }
}
