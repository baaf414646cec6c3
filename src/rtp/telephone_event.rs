//! Telephone events (RFC 4733): key presses carried as RTP packets.
//!
//! [`EventReceiver`] turns the packets of one payload type into digits with a
//! duration in milliseconds: it survives lost starts, lost ends, repeated ends
//! and events longer than a segment. [`EventSender`] renders a digit at any
//! clock rate. Between a 48 kHz and an 8 kHz leg an event goes through both, as
//! milliseconds, so that no clock leaks through.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Instant;

/// Silence after which an event without an end is over. RFC 4733 §2.5.2.2
/// counts three lost updates; senders update every 20 to 50 ms.
pub const END_TIMEOUT: Duration = Duration::from_millis(200);

/// Longest event that a sender renders: a stuck key, or a lost command to end it.
pub const EVENT_MAX_MS: u32 = 60_000;

/// Packets that report an end (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;

/// Longest segment of an event, in clock units (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xffff;

/// How late a packet of a past event may come and still be known as late.
const LATE_SECS: u32 = 10;

/// A key: 0 to 9, `*`, `#`, A to D, or flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digit(u8);

impl Digit {
    const NAMES: &'static [u8; 17] = b"0123456789*#ABCD!";

    /// The digit of an event code, 0 to 16.
    pub fn from_event(event: u8) -> Option<Self> {
        (usize::from(event) < Self::NAMES.len()).then_some(Self(event))
    }

    /// The digit of a character; `!` is flash.
    pub fn from_char(c: char) -> Option<Self> {
        let c = c.to_ascii_uppercase();
        Self::NAMES.iter().position(|n| char::from(*n) == c).map(|at| Self(at as u8))
    }

    /// The event code.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The character; `!` is flash.
    pub fn as_char(self) -> char {
        char::from(Self::NAMES[usize::from(self.0)])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// The payload of one packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// What is reported; digits are 0 to 16.
    pub event: u8,
    /// The event is over.
    pub end: bool,
    /// Power in -dBm0, 0 to 63.
    pub volume: u8,
    /// Since the packet's timestamp, in clock units.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; further events in it (RFC 4733 §2.5.1.5) are not read.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low, ..] = *payload else { return None };
        let duration = u16::from_be_bytes([high, low]);
        Some(Self { event, end: flags & 0x80 != 0, volume: flags & 0x3f, duration })
    }

    /// The payload.
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, if self.end { 0x80 } else { 0 } | self.volume & 0x3f, high, low]
    }
}

/// What a receiver makes of the packets: each digit once when it starts and
/// once when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The key.
    pub digit: Digit,
    /// How long so far; final if it ended.
    pub duration_ms: u32,
    /// True if the key was let go.
    pub end: bool,
}

/// Receives the events of one source and payload type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventReceiver {
    clock_hz: u32,
    running: Option<Running>,
    /// Timestamp of the last segment of the event that ended last.
    ended: Option<u32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Running {
    digit: Digit,
    /// Timestamp of the running segment.
    timestamp: u32,
    /// Clock units of the segments before it.
    before: u64,
    duration: u16,
    last: Instant,
}

impl EventReceiver {
    /// A receiver for a payload type with a clock of `clock_hz`.
    pub fn new(clock_hz: u32) -> Self {
        Self { clock_hz: clock_hz.max(1), running: None, ended: None }
    }

    /// Takes a packet: at most the end of the event before it, and start and
    /// end of its own, in this order. Codes that are no digit are ignored.
    pub fn on_packet(
        &mut self,
        now: Instant,
        timestamp: u32,
        e: TelephoneEvent,
    ) -> impl Iterator<Item = Heard> + use<> {
        let mut heard = [None; 3];
        let Some(digit) = Digit::from_event(e.event) else { return heard.into_iter().flatten() };
        match &mut self.running {
            Some(run) if run.digit == digit && run.timestamp == timestamp => {
                run.duration = run.duration.max(e.duration);
                run.last = now;
            }
            // RFC 4733 §2.5.1.3: the next segment starts where this one ended.
            Some(run) if run.digit == digit && timestamp == run.timestamp.wrapping_add(SEGMENT) => {
                run.before += u64::from(SEGMENT);
                (run.timestamp, run.duration, run.last) = (timestamp, e.duration, now);
            }
            Some(run) if is_late(self.clock_hz, timestamp, run.timestamp) => return heard.into_iter().flatten(),
            None if self.ended.is_some_and(|at| at == timestamp || is_late(self.clock_hz, timestamp, at)) => {
                return heard.into_iter().flatten();
            }
            Some(_) | None => {
                // The end of the event before it, if any, was lost.
                heard[0] = self.finish();
                let run = Running { digit, timestamp, before: 0, duration: e.duration, last: now };
                self.running = Some(run);
                heard[1] = Some(Heard { digit, duration_ms: run.duration_ms(self.clock_hz), end: false });
            }
        }
        if e.end {
            heard[2] = self.finish();
        }
        heard.into_iter().flatten()
    }

    /// When a running event is over if nothing more comes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.running.map(|run| run.last + END_TIMEOUT)
    }

    /// Ends a running event of which nothing came for [`END_TIMEOUT`].
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Heard> {
        if self.poll_timeout()? > now {
            return None;
        }
        self.finish()
    }

    fn finish(&mut self) -> Option<Heard> {
        let run = self.running.take()?;
        self.ended = Some(run.timestamp);
        Some(Heard { digit: run.digit, duration_ms: run.duration_ms(self.clock_hz), end: true })
    }
}

impl Running {
    fn duration_ms(&self, clock_hz: u32) -> u32 {
        let units = self.before + u64::from(self.duration);
        (units * 1000 / u64::from(clock_hz)).min(u64::from(u32::MAX)) as u32
    }
}

/// True if `timestamp` lies shortly before `than`; far away it is another time
/// base (RTP timestamps wrap, and senders restart).
fn is_late(clock_hz: u32, timestamp: u32, than: u32) -> bool {
    let behind = than.wrapping_sub(timestamp);
    behind != 0 && u64::from(behind) <= u64::from(LATE_SECS) * u64::from(clock_hz)
}

/// One packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// True for the first packet of the event.
    pub marker: bool,
    /// The RTP timestamp: of the event's start, or of its segment's.
    pub timestamp: u32,
    /// The RTP payload.
    pub payload: [u8; 4],
}

/// Renders one event, a packet every `ptime`.
///
/// It may be started before its length is known and finished later, so that a
/// key press crosses the border while the key is still down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventSender {
    digit: Digit,
    clock_hz: u32,
    /// Clock units from packet to packet.
    step: u32,
    /// Timestamp and length before it of the running segment.
    timestamp: u32,
    before: u64,
    /// Clock units since the start, by the packets sent.
    elapsed: u64,
    /// Clock units reported last; a duration never shrinks.
    reported: u64,
    /// Clock units after which it ends.
    total: u64,
    /// Length that the ends report, and how many of them are left.
    ending: Option<(u16, u8)>,
}

impl EventSender {
    /// Power that is reported, -10 dBm0: what telephones send.
    const VOLUME: u8 = 10;

    /// Starts an event at RTP time `timestamp`; `ptime_ms` is 1 to 200.
    pub fn new(digit: Digit, clock_hz: u32, ptime_ms: u16, timestamp: u32) -> Self {
        let units = |ms: u32| u64::from(ms) * u64::from(clock_hz) / 1000;
        let step = units(u32::from(ptime_ms.clamp(1, 200))).clamp(1, u64::from(SEGMENT)) as u32;
        let total = units(EVENT_MAX_MS);
        Self { digit, clock_hz, step, timestamp, before: 0, elapsed: 0, reported: 0, total, ending: None }
    }

    /// The same with a length that is known already.
    #[must_use]
    pub fn with_duration(mut self, duration_ms: u32) -> Self {
        self.finish(duration_ms);
        self
    }

    /// Sets the length of the event. If more has been sent already, it ends
    /// with the next packet, since a duration never shrinks.
    pub fn finish(&mut self, duration_ms: u32) {
        self.total = u64::from(duration_ms.min(EVENT_MAX_MS)) * u64::from(self.clock_hz) / 1000;
    }

    /// The key.
    pub fn digit(&self) -> Digit {
        self.digit
    }

    /// The packet that is due, `ptime` after the one before; `None` once the
    /// third end has been given.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        let marker = self.elapsed == 0;
        if let Some((duration, left)) = self.ending {
            self.ending = Some((duration, left.checked_sub(1)?));
            return Some(self.packet(false, true, duration));
        }
        self.elapsed += u64::from(self.step);
        let end = self.elapsed >= self.total;
        let at = if end { self.total.max(self.reported).max(1) } else { self.elapsed };
        let in_segment = at - self.before;
        if in_segment > u64::from(SEGMENT) {
            // RFC 4733 §2.5.1.3: the segment is full, the next continues it.
            let packet = self.packet(marker, false, SEGMENT as u16);
            self.before += u64::from(SEGMENT);
            self.reported = self.before;
            self.timestamp = self.timestamp.wrapping_add(SEGMENT);
            return Some(packet);
        }
        if end {
            self.ending = Some((in_segment as u16, ENDS - 1));
        }
        self.reported = at;
        Some(self.packet(marker, end, in_segment as u16))
    }

    fn packet(&self, marker: bool, end: bool, duration: u16) -> EventPacket {
        let e = TelephoneEvent { event: self.digit.event(), end, volume: Self::VOLUME, duration };
        EventPacket { marker, timestamp: self.timestamp, payload: e.to_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digit(c: char) -> Digit {
        Digit::from_char(c).expect("a digit")
    }

    fn event(c: char, duration: u16, end: bool) -> TelephoneEvent {
        TelephoneEvent { event: digit(c).event(), end, volume: 10, duration }
    }

    fn started(c: char, duration_ms: u32) -> Heard {
        Heard { digit: digit(c), duration_ms, end: false }
    }

    fn ended(c: char, duration_ms: u32) -> Heard {
        Heard { digit: digit(c), duration_ms, end: true }
    }

    fn rendered(mut sender: EventSender) -> Vec<EventPacket> {
        std::iter::from_fn(|| sender.next_packet()).collect()
    }

    fn heard(clock_hz: u32, packets: &[EventPacket]) -> Vec<Heard> {
        let mut receiver = EventReceiver::new(clock_hz);
        let mut out = Vec::new();
        for (n, p) in packets.iter().enumerate() {
            let e = TelephoneEvent::parse(&p.payload).expect("four bytes");
            out.extend(receiver.on_packet(Instant::from_millis(20 * n as u64), p.timestamp, e));
        }
        out.extend(receiver.handle_timeout(Instant::from_millis(1_000_000)));
        out
    }

    #[test]
    fn renders_marker_first_rising_durations_and_three_ends() {
        let packets = rendered(EventSender::new(digit('5'), 8000, 20, 1000).with_duration(70));
        let shape: Vec<_> = packets
            .iter()
            .map(|p| {
                let e = TelephoneEvent::parse(&p.payload).expect("four bytes");
                (p.marker, p.timestamp, e.duration, e.end)
            })
            .collect();
        assert_eq!(
            shape,
            [
                (true, 1000, 160, false),
                (false, 1000, 320, false),
                (false, 1000, 480, false),
                (false, 1000, 560, true),
                (false, 1000, 560, true),
                (false, 1000, 560, true),
            ]
        );
        assert_eq!(packets[0].payload, [5, 10, 0, 160]);
        assert_eq!(packets[5].payload, [5, 0x8a, 2, 0x30]);
    }

    #[test]
    fn a_digit_crosses_from_48_to_8_khz_with_its_length() {
        let wide = rendered(EventSender::new(digit('#'), 48_000, 20, u32::MAX - 100).with_duration(160));
        assert_eq!(heard(48_000, &wide), [started('#', 20), ended('#', 160)]);
        let narrow = rendered(EventSender::new(digit('#'), 8000, 20, 7).with_duration(160));
        assert_eq!(heard(8000, &narrow), [started('#', 20), ended('#', 160)]);
        assert_eq!(wide.len(), narrow.len());
    }

    #[test]
    fn ends_are_told_once_and_late_packets_not_at_all() {
        let mut r = EventReceiver::new(8000);
        let mut at = |ts, e| r.on_packet(Instant::ZERO, ts, e).collect::<Vec<_>>();
        assert_eq!(at(8000, event('1', 160, false)), [started('1', 20)]);
        assert_eq!(at(8000, event('1', 480, true)), [ended('1', 60)]);
        assert_eq!(at(8000, event('1', 480, true)), []);
        assert_eq!(at(8000, event('1', 320, false)), [], "reordered behind its end");
        assert_eq!(at(7000, event('9', 320, false)), [], "of an event before");
        assert_eq!(at(9000, event('1', 160, false)), [started('1', 20)], "the same key again");
        assert_eq!(at(8000, event('1', 480, true)), []);
        assert_eq!(at(9000, event('1', 800, true)), [ended('1', 100)]);
        assert_eq!(at(4_000_000_000, event('2', 160, false)), [started('2', 20)], "another time base");
    }

    #[test]
    fn survives_lost_starts_and_lost_ends() {
        let mut r = EventReceiver::new(8000);
        let mut at = |ms, ts, e| r.on_packet(Instant::from_millis(ms), ts, e).collect::<Vec<_>>();
        assert_eq!(at(0, 100, event('1', 480, true)), [started('1', 60), ended('1', 60)], "only an end came");
        assert_eq!(at(20, 2000, event('2', 320, false)), [started('2', 40)]);
        assert_eq!(at(40, 2000, event('2', 160, false)), [], "reordered: the duration does not shrink");
        assert_eq!(at(60, 5000, event('3', 160, false)), [ended('2', 40), started('3', 20)], "its end was lost");
        assert_eq!(r.poll_timeout(), Some(Instant::from_millis(260)));
        assert_eq!(r.handle_timeout(Instant::from_millis(259)), None);
        assert_eq!(r.handle_timeout(Instant::from_millis(260)), Some(ended('3', 20)));
        assert_eq!(r.on_packet(Instant::from_millis(300), 5000, event('3', 900, true)).count(), 0);
        assert_eq!(r.poll_timeout(), None);
    }

    #[test]
    fn ignores_codes_that_are_no_digit() {
        let mut r = EventReceiver::new(8000);
        let tone = TelephoneEvent { event: 66, end: false, volume: 0, duration: 1 };
        assert_eq!(r.on_packet(Instant::ZERO, 1, tone).count(), 0);
        assert_eq!(TelephoneEvent::parse(&[1, 2, 3]), None);
    }

    #[test]
    fn long_events_go_in_segments() {
        let packets = rendered(EventSender::new(digit('8'), 48_000, 20, 0).with_duration(5000));
        let segments: Vec<u32> =
            packets.iter().map(|p| p.timestamp).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        assert_eq!(segments, [0, 0xffff, 2 * 0xffff, 3 * 0xffff]);
        assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
        assert_eq!(heard(48_000, &packets), [started('8', 20), ended('8', 5000)]);
        assert_eq!(packets.len(), 252, "a packet every 20 ms, and two more ends");
    }

    #[test]
    fn an_end_just_behind_a_full_segment_keeps_its_length() {
        let packets = rendered(EventSender::new(digit('7'), 48_000, 20, 0).with_duration(6827));
        assert_eq!(heard(48_000, &packets).last(), Some(&ended('7', 6827)));
    }

    #[test]
    fn a_running_event_is_finished_later_and_at_last_by_itself() {
        let mut sender = EventSender::new(digit('0'), 8000, 20, 0);
        for _ in 0..5 {
            assert_eq!(sender.next_packet().map(|p| p.payload[1] & 0x80), Some(0));
        }
        sender.finish(60);
        let e = sender.next_packet().and_then(|p| TelephoneEvent::parse(&p.payload)).expect("an end is due");
        assert_eq!((e.end, e.duration), (true, 800), "100 ms were sent, a duration never shrinks");
        assert_eq!(rendered(sender).len(), 2);
        let stuck = rendered(EventSender::new(digit('0'), 8000, 20, 0));
        assert_eq!(heard(8000, &stuck).last(), Some(&ended('0', EVENT_MAX_MS)));
    }

    #[test]
    fn digits_have_names() {
        for (c, code) in [('0', 0), ('9', 9), ('*', 10), ('#', 11), ('a', 12), ('D', 15), ('!', 16)] {
            assert_eq!(Digit::from_char(c).map(Digit::event), Some(code));
        }
        assert_eq!((Digit::from_char('E'), Digit::from_event(17)), (None, None));
        assert_eq!(digit('*').to_string(), "*");
    }

    proptest! {
        #[test]
        fn any_loss_and_repetition_gives_at_most_one_digit(
            ms in 20u32..9000, wide: bool, fates in prop::collection::vec(0u8..4, 600), start: u32,
        ) {
            let clock = if wide { 48_000 } else { 8000 };
            let sent = rendered(EventSender::new(digit('7'), clock, 20, start).with_duration(ms));
            let mut came = Vec::new();
            for (p, fate) in sent.iter().zip(&fates) {
                came.extend(std::iter::repeat_n(*p, usize::from(*fate).saturating_sub(1)));
            }
            let out = heard(clock, &came);
            // A lost segment start splits an event at most there.
            let segments = 1 + ms as usize * clock as usize / 1000 / 0xffff;
            prop_assert!(out.len() <= 2 * segments);
            prop_assert_eq!(out.iter().filter(|h| h.end).count() * 2, out.len());
            prop_assert!(out.iter().all(|h| h.duration_ms <= ms));
        }
    }
}
