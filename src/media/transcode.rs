//! One direction of a transcoded call: payload in, PCM, payload out, at once.
//!
//! A frame is encoded as soon as enough samples are there; nothing waits for
//! the next packet. A gap of a few packets is concealed (Opus may recover the
//! last of them from the packet behind the gap), a longer one is a pause, and
//! time goes on by the input's timestamps either way. The peer's own jitter
//! buffer sees the true arrival times, so none is needed here; a packet that
//! comes behind its successor is late, and `path` drops it.

use crate::base::Codec;
use crate::codec::opus::{OpusApplication, OpusConfig};
use crate::codec::{CodecError, Decoder, Encoder, EncoderConfig, PAYLOAD_BYTES};

/// Rate of the samples between the codecs: G.711's, so that nothing is resampled.
const PCM_HZ: u32 = 8000;

/// Longest gap that is concealed, samples: 60 ms, after which concealment is silence anyway.
const CONCEAL: usize = 480;

/// Most samples waiting: one longest packet, one gap and a frame.
const WAITING: usize = 960 + CONCEAL + 480;

/// How encoders are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Opus complexity, 0 to 10.
    pub complexity: u8,
    /// Opus bits a second.
    pub bitrate: u32,
    /// What Opus is tuned for.
    pub application: OpusApplication,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { complexity: 5, bitrate: 32_000, application: OpusApplication::default() }
    }
}

impl Tuning {
    /// An encoder of `codec` for samples at 8 kHz.
    pub fn encoder(&self, codec: Codec) -> Result<Encoder, CodecError> {
        let opus = OpusConfig {
            application: self.application,
            bitrate: self.bitrate,
            complexity: self.complexity,
            ..OpusConfig::default()
        };
        Encoder::new(codec, EncoderConfig { pcm_hz: PCM_HZ, opus })
    }
}

/// One direction.
#[derive(Debug)]
pub struct Transcoder {
    from: Codec,
    to: Codec,
    decoder: Decoder,
    encoder: Encoder,
    frame: usize,
    pcm: Box<[i16; WAITING]>,
    waiting: usize,
    /// Input time of the sample that comes next, in the input's clock.
    expected: Option<u32>,
    /// Output time of the first sample waiting, in samples.
    time: u32,
}

impl Transcoder {
    /// From one codec to another, in packets of `ptime_ms`.
    ///
    /// # Errors
    ///
    /// If a codec cannot be made.
    pub fn new(from: Codec, to: Codec, ptime_ms: u16, tuning: &Tuning) -> Result<Self, CodecError> {
        let frame = match ptime_ms {
            10 | 20 | 40 | 60 => usize::from(ptime_ms) * 8,
            // Opus has no 30 ms frame; other lengths are nobody's.
            30 if to != Codec::Opus => 240,
            _ => 160,
        };
        Ok(Self {
            from,
            to,
            decoder: Decoder::new(from, PCM_HZ)?,
            encoder: tuning.encoder(to)?,
            frame,
            pcm: Box::new([0; WAITING]),
            waiting: 0,
            expected: None,
            time: 0,
        })
    }

    /// True if it does just this.
    pub fn does(&self, from: Codec, to: Codec) -> bool {
        (self.from, self.to) == (from, to)
    }

    /// Forgets where the source was in its time; what was not yet a frame is
    /// lost. The output's time begins anew with the next payload.
    pub fn restart(&mut self) {
        (self.expected, self.waiting) = (None, 0);
    }

    /// True if a payload's time lies further back than sloppy clocks explain.
    pub fn is_behind(&self, timestamp: u32) -> bool {
        let scale = self.from.clock_hz() / PCM_HZ;
        self.expected.is_some_and(|expected| {
            let behind = expected.wrapping_sub(timestamp);
            behind <= u32::MAX / 2 && behind > CONCEAL as u32 * scale
        })
    }

    /// Takes a payload with its RTP timestamp; `each` gets every finished
    /// payload with its time in the output codec's clock. A payload that
    /// overlaps the one before by less than [`Self::is_behind`] tells follows
    /// it. Returns false if it could not be decoded (it is concealed then).
    pub fn feed(&mut self, timestamp: u32, payload: &[u8], mut each: impl FnMut(&[u8], u32)) -> bool {
        let scale = self.from.clock_hz() / PCM_HZ;
        match self.expected {
            None => self.time = timestamp / scale,
            Some(expected) => {
                let ahead = timestamp.wrapping_sub(expected);
                if ahead <= u32::MAX / 2 {
                    self.bridge((ahead / scale) as usize, payload, &mut each);
                }
            }
        }
        let room = &mut self.pcm[self.waiting..];
        let (samples, good) = match self.decoder.decode(payload, room) {
            Ok(samples) => (samples, true),
            Err(_) => {
                let samples = self.frame.min(room.len());
                let concealed = self.decoder.conceal(samples, room).is_ok();
                if !concealed {
                    room[..samples].fill(0);
                }
                (samples, false)
            }
        };
        self.waiting += samples;
        self.expected = Some(timestamp.wrapping_add(samples as u32 * scale));
        self.drain(&mut each);
        good
    }

    /// Fills a gap before a payload.
    fn bridge(&mut self, gap: usize, next: &[u8], each: &mut impl FnMut(&[u8], u32)) {
        if gap == 0 {
            return;
        }
        let quantum = 20;
        if gap > CONCEAL || !gap.is_multiple_of(quantum) {
            // A pause: finish the frame with silence and let time jump.
            if self.waiting > 0 {
                let end = self.frame;
                self.pcm[self.waiting..end].fill(0);
                let over = end - self.waiting;
                self.waiting = end;
                self.drain(each);
                self.time = self.time.wrapping_add(gap.saturating_sub(over) as u32);
            } else {
                self.time = self.time.wrapping_add(gap as u32);
            }
            return;
        }
        let last = gap.min(160);
        let room = &mut self.pcm[self.waiting..];
        if gap > last && self.decoder.conceal(gap - last, room).is_err() {
            room[..gap - last].fill(0);
        }
        let room = &mut self.pcm[self.waiting + gap - last..];
        if self.decoder.recover(next, last, room).is_err() {
            room[..last].fill(0);
        }
        self.waiting += gap;
        self.drain(each);
    }

    fn drain(&mut self, each: &mut impl FnMut(&[u8], u32)) {
        let mut out = [0; PAYLOAD_BYTES];
        let scale = self.to.clock_hz() / PCM_HZ;
        let mut done = 0;
        while self.waiting - done >= self.frame {
            if let Ok(len) = self.encoder.encode(&self.pcm[done..done + self.frame], &mut out) {
                each(&out[..len], self.time.wrapping_mul(scale));
            }
            self.time = self.time.wrapping_add(self.frame as u32);
            done += self.frame;
        }
        self.pcm.copy_within(done..self.waiting, 0);
        self.waiting -= done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::{Sine, share_at};

    fn opus_frames(count: usize) -> Vec<Vec<u8>> {
        let mut encoder = Tuning::default().encoder(Codec::Opus).expect("encoder");
        let mut sine = Sine::new(PCM_HZ, 1000.0, 10_000);
        (0..count)
            .map(|_| {
                let (mut pcm, mut out) = ([0; 160], [0; PAYLOAD_BYTES]);
                sine.fill(&mut pcm);
                let len = encoder.encode(&pcm, &mut out).expect("20 ms");
                out[..len].to_vec()
            })
            .collect()
    }

    fn run(skip: &[usize]) -> (Vec<u32>, Vec<i16>) {
        let mut t = Transcoder::new(Codec::Opus, Codec::Pcma, 20, &Tuning::default()).expect("both known");
        let mut decoder = Decoder::new(Codec::Pcma, PCM_HZ).expect("G.711");
        let (mut times, mut heard) = (Vec::new(), Vec::new());
        let start = u32::MAX - 960 * 3;
        for (n, frame) in opus_frames(50).iter().enumerate().filter(|(n, _)| !skip.contains(n)) {
            t.feed(start.wrapping_add(n as u32 * 960), frame, |payload, time| {
                let mut pcm = [0; 160];
                decoder.decode(payload, &mut pcm).expect("160 bytes");
                times.push(time);
                heard.extend_from_slice(&pcm);
            });
        }
        (times, heard)
    }

    #[test]
    fn emits_each_frame_at_once_and_time_goes_on_over_the_wrap() {
        let (times, heard) = run(&[]);
        assert_eq!(times.len(), 50);
        assert!(times.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 160), "{times:?}");
        assert!(share_at(&heard[1600..], PCM_HZ, 1000.0) > 0.97);
    }

    #[test]
    fn conceals_what_is_lost_without_a_gap() {
        let (times, heard) = run(&[20, 30, 31]);
        assert_eq!(times.len(), 50);
        assert!(times.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 160));
        assert!(share_at(&heard[1600..], PCM_HZ, 1000.0) > 0.8);
    }

    #[test]
    fn a_broken_payload_is_concealed_and_a_sender_set_back_is_noticed() {
        let frames = opus_frames(3);
        let mut t = Transcoder::new(Codec::Opus, Codec::Pcmu, 20, &Tuning::default()).expect("both known");
        assert!(t.feed(9600, &frames[0], |_, _| ()));
        assert!(!t.is_behind(10_560 - 2880) && t.is_behind(10_560 - 2881) && !t.is_behind(10_561));
        let mut count = 0;
        assert!(!t.feed(10_560, &[0xff, 0xff, 0xff], |_, _| count += 1));
        assert_eq!(count, 1, "a broken payload is concealed");
        t.restart();
        let mut times = Vec::new();
        assert!(t.feed(480, &frames[1], |_, time| times.push(time)));
        assert_eq!(times, [80]);
    }
}
