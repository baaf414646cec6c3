//! Digits that signalling orders (INFO, API), rendered as RFC 4733 events.
//!
//! One at a time, in the order in which they were ordered, a packet every
//! packet time and a pause between two, so that the far end tells equal ones
//! apart. The packets go into the side's stream beside its audio.

use std::collections::VecDeque;
use std::time::Duration;

use super::path;
use super::plan::Stream;
use crate::base::limits::DIGITS_WAITING;
use crate::base::{Instant, Now};
use crate::rtp::telephone_event::{Digit, EventPacket, EventSender};

/// Silence between two digits. Q.24 wants receivers to tell digits apart by 40 ms;
/// the next packet time is added.
const PAUSE: Duration = Duration::from_millis(40);

/// The digits on their way to a side's peer.
#[derive(Clone, Debug, Default)]
pub struct Digits {
    waiting: VecDeque<(Digit, u32)>,
    /// The running one and its payload type.
    running: Option<(EventSender, u8)>,
    next: Instant,
}

impl Digits {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Orders a digit of `duration_ms`; false if too many wait.
    pub fn push(&mut self, now: Now, digit: Digit, duration_ms: u32) -> bool {
        if self.waiting.len() >= DIGITS_WAITING {
            return false;
        }
        self.next = if self.poll_timeout().is_none() { self.next.max(now.mono) } else { self.next };
        self.waiting.push_back((digit, duration_ms));
        true
    }

    /// Forgets all of them: the side is on hold, or takes no digits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.running = None;
    }

    /// When the next packet is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (self.running.is_some() || !self.waiting.is_empty()).then_some(self.next)
    }

    /// The packet that is due, with its payload type. `start` tells the stream's
    /// time in a clock, for a digit that begins.
    pub fn packet(&mut self, now: Now, stream: &Stream, start: impl Fn(u32) -> u32) -> Option<(u8, EventPacket)> {
        while self.poll_timeout()? <= now.mono {
            if let Some((sender, pt)) = &mut self.running {
                if let Some(packet) = sender.next_packet() {
                    let step = Duration::from_millis(u64::from(stream.ptime_ms.max(1)));
                    // After a stall the rest goes on from here instead of in a burst.
                    let late = now.mono - self.next > step * 10;
                    self.next = if late { now.mono + step } else { self.next + step };
                    return Some((*pt, packet));
                }
                self.running = None;
                self.next += PAUSE;
            } else {
                let (digit, duration_ms) = self.waiting.pop_front()?;
                let Some((pt, clock)) = path::event_type(stream) else {
                    self.clear();
                    return None;
                };
                let sender = EventSender::new(digit, clock, stream.ptime_ms, start(clock));
                self.running = Some((sender.with_duration(duration_ms), pt));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Codec;

    #[test]
    fn two_digits_follow_each_other_with_a_pause() {
        let stream = Stream {
            codec: Codec::Pcmu,
            send_pt: 0,
            receive: Vec::new(),
            send_events: vec![(101, 8000)],
            receive_events: Vec::new(),
            ptime_ms: 20,
            ssrc: 1,
            cname: String::new(),
        };
        let mut now = Now::from_millis(1000, 0);
        let mut digits = Digits::new();
        for digit in ['1', '1'] {
            assert!(digits.push(now, Digit::from_char(digit).expect("a digit"), 40));
        }
        let mut times = Vec::new();
        while let Some(at) = digits.poll_timeout() {
            now = now.after(at - now.mono);
            let clock = now.mono.as_millis() as u32 * 8;
            while let Some((pt, packet)) = digits.packet(now, &stream, |_| clock) {
                assert_eq!(pt, 101);
                times.push((now.mono.as_millis(), packet.marker, packet.timestamp));
            }
        }
        let first = [(1000, true), (1020, false), (1040, false), (1060, false)].map(|(at, m)| (at, m, 8000));
        let second = [(1120, true), (1140, false), (1160, false), (1180, false)].map(|(at, m)| (at, m, 8960));
        assert_eq!(times, [first, second].concat());
        for _ in 0..DIGITS_WAITING {
            assert!(digits.push(now, Digit::from_char('5').expect("a digit"), 40));
        }
        assert!(!digits.push(now, Digit::from_char('5').expect("a digit"), 40), "bounded");
    }
}
