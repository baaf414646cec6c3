//! Echo, tone and announcement: a side whose far end is the SBC itself.
//!
//! A service makes packets on its own clock, a frame at a time, in the codec
//! of the side that listens. The echo makes nothing: what the other side sends
//! is turned round in `path`, through the same decoder and encoder as a call.

use std::time::Duration;

use super::plan::Service;
use super::transcode::Tuning;
use crate::base::{Codec, Instant, Now};
use crate::codec::Encoder;
use crate::codec::g711::Law;
use crate::codec::tone::Sine;

/// Rate of the samples that services make.
const PCM_HZ: u32 = 8000;

/// "Hello. This is SBC. You will now hear yourself." at 8 kHz, µ-law.
const HELLO: &[u8] = include_bytes!("hello.ulaw");

/// Longest frame, samples: 60 ms.
const FRAME: usize = 480;

/// A running service.
#[derive(Debug)]
pub struct Running {
    service: Service,
    sine: Sine,
    encoder: Option<Encoder>,
    /// Samples made so far; their time in the stream.
    made: u32,
    next: Option<Instant>,
}

impl Running {
    /// A service that has not begun.
    pub fn new(service: Service) -> Self {
        Self { service, sine: Sine::new(PCM_HZ, 1000.0, 10_000), encoder: None, made: 0, next: None }
    }

    /// True if what the listener says comes back to it.
    pub fn echoes(&self) -> bool {
        match self.service {
            Service::Echo => true,
            Service::Tone => false,
            Service::Hello => self.said(),
        }
    }

    fn said(&self) -> bool {
        self.made as usize >= HELLO.len()
    }

    fn makes(&self) -> bool {
        match self.service {
            Service::Echo => false,
            Service::Tone => true,
            Service::Hello => !self.said(),
        }
    }

    /// Begins once the listener can be heard; does nothing if it runs.
    pub fn begin(&mut self, now: Now) {
        if self.makes() && self.next.is_none() {
            self.next = Some(now.mono);
        }
    }

    /// Stops while the listener is on hold.
    pub fn pause(&mut self) {
        self.next = None;
    }

    /// When the next frame is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next.filter(|_| self.makes())
    }

    /// Makes the frame that is due into `out`: its payload length and its time
    /// in the codec's clock.
    pub fn frame(
        &mut self,
        now: Now,
        codec: Codec,
        ptime_ms: u16,
        tuning: &Tuning,
        out: &mut [u8],
    ) -> Option<(usize, u32)> {
        let due = self.poll_timeout().filter(|due| *due <= now.mono)?;
        let ptime = if matches!(ptime_ms, 10 | 20 | 40 | 60) { ptime_ms } else { 20 };
        let step = Duration::from_millis(u64::from(ptime));
        // After a stall the clock goes on from here instead of sending a burst.
        self.next = Some(if now.mono - due > step * 10 { now.mono + step } else { due + step });
        let samples = (usize::from(ptime) * 8).min(FRAME);
        let mut pcm = [0i16; FRAME];
        self.fill(&mut pcm[..samples]);
        if self.encoder.as_ref().is_none_or(|e| e.kind() != codec) {
            self.encoder = tuning.encoder(codec).ok();
        }
        let len = self.encoder.as_mut()?.encode(&pcm[..samples], out).ok()?;
        let time = self.made.wrapping_mul(codec.clock_hz() / PCM_HZ);
        self.made = self.made.wrapping_add(samples as u32);
        Some((len, time))
    }

    fn fill(&mut self, pcm: &mut [i16]) {
        match self.service {
            Service::Tone => self.sine.fill(pcm),
            Service::Hello => {
                let start = (self.made as usize).min(HELLO.len());
                let part = &HELLO[start..(start + pcm.len()).min(HELLO.len())];
                // The last frame of the announcement may be shorter than the frame; the rest is silence.
                let _ = Law::Mu.decode(part, pcm);
            }
            Service::Echo => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tone::share_at;

    #[test]
    fn the_tone_is_one_kilohertz_on_its_own_clock() {
        let mut running = Running::new(Service::Tone);
        let mut now = Now::from_millis(1000, 0);
        running.begin(now);
        let mut heard = Vec::new();
        for n in 0..50u32 {
            let mut out = [0; 1500];
            let (len, time) =
                running.frame(now, Codec::Pcmu, 20, &Tuning::default(), &mut out).expect("a frame is due");
            assert_eq!((len, time), (160, n * 160));
            assert!(running.frame(now, Codec::Pcmu, 20, &Tuning::default(), &mut out).is_none());
            let mut pcm = [0; 160];
            Law::Mu.decode(&out[..len], &mut pcm).expect("a frame");
            heard.extend(pcm);
            now = now.after(Duration::from_millis(20));
        }
        assert!(share_at(&heard, PCM_HZ, 1000.0) > 0.99);
    }

    #[test]
    fn hello_ends_and_then_echoes() {
        let mut running = Running::new(Service::Hello);
        let mut now = Now::from_millis(1000, 0);
        running.begin(now);
        let mut frames = 0;
        while running.poll_timeout().is_some() {
            assert!(!running.echoes());
            let mut out = [0; 1500];
            assert!(running.frame(now, Codec::Opus, 20, &Tuning::default(), &mut out).is_some());
            (now, frames) = (now.after(Duration::from_millis(20)), frames + 1);
        }
        assert!(running.echoes() && (50..500).contains(&frames), "{frames}");
    }
}
