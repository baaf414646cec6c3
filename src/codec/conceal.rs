//! Concealment of lost G.711 packets, after ITU-T G.711 Appendix I.
//!
//! The last pitch period is repeated; after 10 and 20 ms one more period is
//! taken in, so that it does not buzz; from 10 ms on it fades, to nothing at
//! 60 ms. What comes after is led over to. Unlike the appendix this adds no
//! delay: the seam at the start of a loss is smoothed with the past played
//! backwards instead of with 3.75 ms held back. 8 kHz only.

/// The memory of one stream, and what it plays during a loss.
#[derive(Clone)]
pub struct Concealer {
    /// The last samples played, oldest first.
    history: [i16; HISTORY],
    /// The history as it was when the loss began.
    past: [i16; HISTORY],
    /// What is repeated: the last `period` samples of it are one round.
    pattern: [f32; PATTERN],
    /// Samples of one pitch period.
    pitch: usize,
    /// Periods in a round.
    rounds: usize,
    /// Where in the round the next sample is.
    at: usize,
    /// Samples concealed since the last packet.
    lost: usize,
}

impl Concealer {
    /// A stream that was silent so far.
    pub fn new() -> Self {
        Self {
            history: [0; HISTORY],
            past: [0; HISTORY],
            pattern: [0.0; PATTERN],
            pitch: PITCH_MIN,
            rounds: 1,
            at: 0,
            lost: 0,
        }
    }

    /// Takes the samples of a packet that came; after a loss their beginning
    /// is mixed with what would have been played on.
    pub fn received(&mut self, pcm: &mut [i16]) {
        if self.lost > 0 {
            // Appendix I: a quarter period, and 4 ms for each 10 ms lost
            // after the first, at most 10 ms.
            let overlap = (self.pitch / 4 + self.lost.saturating_sub(TEN_MS) * 4 / 10).min(TEN_MS).min(pcm.len());
            for (i, sample) in pcm[..overlap].iter_mut().enumerate() {
                let share = (i + 1) as f32 / (overlap + 1) as f32;
                let synthetic = self.next_sample();
                *sample = to_i16(f32::from(*sample) * share + synthetic * (1.0 - share));
            }
            self.lost = 0;
        }
        self.remember(pcm);
    }

    /// Fills `pcm` in place of a packet that did not come.
    pub fn lost(&mut self, pcm: &mut [i16]) {
        if self.lost == 0 {
            self.past = self.history;
            self.pitch = self.find_pitch();
            self.rounds = 1;
            self.at = 0;
            self.make_pattern();
        }
        for sample in pcm.iter_mut() {
            if self.lost == TEN_MS || self.lost == 2 * TEN_MS {
                // Appendix I: one more period, at the same phase.
                self.rounds += 1;
                self.at %= self.pitch;
                self.make_pattern();
            }
            let smoothing = self.pitch / 4;
            let (i, synthetic) = (self.lost, self.next_sample());
            *sample = if i < smoothing {
                let share = (i + 1) as f32 / (smoothing + 1) as f32;
                let mirrored = f32::from(self.past[HISTORY - 1 - i]);
                to_i16(synthetic * share + mirrored * (1.0 - share))
            } else {
                to_i16(synthetic)
            };
        }
        self.remember(pcm);
    }

    /// The next sample of the repetition, faded.
    fn next_sample(&mut self) -> f32 {
        let round = self.rounds * self.pitch;
        let sample = self.pattern[PATTERN - round + self.at];
        self.at = if self.at + 1 >= round { 0 } else { self.at + 1 };
        // Appendix I: full for 10 ms, then down by a fifth each 10 ms.
        let faded = self.lost.saturating_sub(TEN_MS) as f32 / (FADE_TENS * TEN_MS) as f32;
        self.lost += 1;
        sample * (1.0 - faded).max(0.0)
    }

    /// The lag at which the past resembles itself best (normalised correlation
    /// over 20 ms, lags of 66 to 200 Hz), first coarsely, then around the best.
    fn find_pitch(&self) -> usize {
        let recent = &self.past[HISTORY - CORRELATED..];
        let score = |lag: usize| {
            let earlier = &self.past[HISTORY - CORRELATED - lag..HISTORY - lag];
            let (mut product, mut energy) = (0.0_f32, 0.0_f32);
            for (a, b) in recent.iter().zip(earlier) {
                product += f32::from(*a) * f32::from(*b);
                energy += f32::from(*b) * f32::from(*b);
            }
            product / energy.max(MIN_ENERGY).sqrt()
        };
        let best = |lags: &mut dyn Iterator<Item = usize>| {
            lags.map(|lag| (score(lag), lag)).fold((f32::MIN, PITCH_MIN), |a, b| if b.0 > a.0 { b } else { a }).1
        };
        let coarse = best(&mut (PITCH_MIN..=PITCH_MAX).step_by(2));
        best(&mut (coarse.max(PITCH_MIN + 1) - 1..=(coarse + 1).min(PITCH_MAX)))
    }

    /// Cuts `rounds` periods from the past; the last quarter period leads over
    /// to the samples before the cut, so that the end joins the beginning.
    fn make_pattern(&mut self) {
        let round = self.rounds * self.pitch;
        let quarter = self.pitch / 4;
        for i in 0..round {
            self.pattern[PATTERN - round + i] = f32::from(self.past[HISTORY - round + i]);
        }
        for i in 0..quarter {
            let share = (i + 1) as f32 / (quarter + 1) as f32;
            let before = f32::from(self.past[HISTORY - round - quarter + i]);
            let end = &mut self.pattern[PATTERN - quarter + i];
            *end = *end * (1.0 - share) + before * share;
        }
    }

    fn remember(&mut self, pcm: &[i16]) {
        if let Some(tail) = pcm.len().checked_sub(HISTORY) {
            self.history.copy_from_slice(&pcm[tail..]);
        } else {
            self.history.copy_within(pcm.len().., 0);
            self.history[HISTORY - pcm.len()..].copy_from_slice(pcm);
        }
    }
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Concealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Concealer(pitch {}, lost {})", self.pitch, self.lost)
    }
}

fn to_i16(sample: f32) -> i16 {
    // `as` saturates.
    sample.round() as i16
}

/// 10 ms, samples.
const TEN_MS: usize = 80;
/// Shortest and longest pitch period, samples: 200 Hz and 66 Hz.
const PITCH_MIN: usize = 40;
const PITCH_MAX: usize = 120;
/// Three periods and the quarter before them.
const PATTERN: usize = 3 * PITCH_MAX;
const HISTORY: usize = PATTERN + PITCH_MAX / 4;
/// Samples compared when looking for the pitch.
const CORRELATED: usize = 160;
/// Below this energy all lags are as good as each other.
const MIN_ENERGY: f32 = 250.0;
/// The fade takes five times 10 ms, after the first 10 ms.
const FADE_TENS: usize = 5;

const _: () = assert!(CORRELATED + PITCH_MAX <= HISTORY, "the longest lag lies in the past kept");

#[cfg(test)]
mod tests {
    use super::super::tone::{Sine, mean_square, share_at};
    use super::*;

    fn played(sine: &mut Sine, concealer: &mut Concealer, frames: usize) -> Vec<i16> {
        let mut pcm = vec![0; 160 * frames];
        sine.fill(&mut pcm);
        pcm.chunks_mut(160).for_each(|frame| concealer.received(frame));
        pcm
    }

    #[test]
    fn continues_a_periodic_sound_at_its_pitch() {
        for hz in [100.0, 125.0, 180.0] {
            let (mut sine, mut concealer) = (Sine::new(8000, hz, 8000), Concealer::new());
            let mut heard = played(&mut sine, &mut concealer, 10);
            let mut gap = [0; 160];
            concealer.lost(&mut gap);
            heard.extend_from_slice(&gap);
            assert!(share_at(&heard[heard.len() - 640..], 8000, hz) > 0.95, "{hz} Hz goes on");
            // No click where the loss begins: no step much larger than the
            // sine's own.
            let own = heard[..1000].windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
            let seam = heard[1590..].windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
            assert!(seam < own.map(|o| 3 * o), "{hz} Hz: {seam:?} against {own:?}");
        }
    }

    #[test]
    fn is_full_for_10_ms_and_silent_from_60_ms_on() {
        let (mut sine, mut concealer) = (Sine::new(8000, 100.0, 8000), Concealer::new());
        let before = mean_square(&played(&mut sine, &mut concealer, 10));
        let mut gap = [0; 640];
        concealer.lost(&mut gap);
        let power: Vec<f64> = gap.chunks(80).map(|c| mean_square(c) / before).collect();
        assert!(power[0] > 0.7, "{power:?}");
        assert!(power[1] > power[3] && power[3] > power[5], "{power:?}");
        assert!(gap[480..].iter().all(|s| *s == 0), "{power:?}");
    }

    #[test]
    fn leads_over_to_what_comes_next() {
        let (mut sine, mut concealer) = (Sine::new(8000, 100.0, 8000), Concealer::new());
        played(&mut sine, &mut concealer, 10);
        let mut gap = [0; 160];
        concealer.lost(&mut gap);
        let mut next = [10_000; 160];
        concealer.received(&mut next);
        let step = (i32::from(next[0]) - i32::from(gap[159])).abs();
        assert!(step < 3000, "joins: {step}");
        assert!(next[100..].iter().all(|s| *s == 10_000), "the rest is untouched");
        let mut after = [5; 160];
        concealer.received(&mut after);
        assert_eq!(after, [5; 160]);
    }

    #[test]
    fn silence_stays_silence_and_odd_lengths_are_fine() {
        let mut concealer = Concealer::new();
        let mut gap = [1; 333];
        concealer.lost(&mut gap);
        assert_eq!(gap, [0; 333]);
        concealer.received(&mut []);
        concealer.received(&mut [7; 1]);
        concealer.received(&mut [7; 2000]);
        concealer.lost(&mut gap[..1]);
        concealer.lost(&mut []);
        assert_eq!(gap[0], 7);
    }
}
