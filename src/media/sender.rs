//! What goes to a side's peer: one SSRC, one sequence, one time line.
//!
//! Whatever feeds it (the other side's stream, a transcoder, a service, a
//! rendered digit, and any of them after the other), the peer sees a single
//! source whose numbers go on. A relayed stream keeps its gaps, so that the
//! peer sees the loss that there was; a change of feed is spliced behind what
//! was sent last.

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Now, Rng};
use crate::rtp::header::{FIXED_LEN, Header, PayloadType, Ssrc};
use crate::rtp::header::{set_marker, set_payload_type, set_seq, set_ssrc, set_timestamp};
use crate::rtp::telephone_event::TelephoneEvent;

/// The outgoing stream of a side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sender {
    /// Our source towards this peer.
    pub ssrc: Ssrc,
    feed: Option<Feed>,
    last: Option<Last>,
    first: (u16, u32),
    event: Option<Event>,
    /// Packets sent.
    pub packets: u64,
    /// Payload bytes sent.
    pub bytes: u64,
}

/// Where the numbers of the running feed come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Feed {
    /// The relayed source; `None` for packets made here.
    ssrc: Option<Ssrc>,
    clock_hz: u32,
    seq_offset: u16,
    ts_offset: u32,
    /// Our lowest number that this feed may use: what lies before it has been
    /// given to another one. `None` once that is out of reach.
    floor: Option<u16>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Last {
    seq: u16,
    timestamp: u32,
    /// When the first packet with this timestamp went.
    at: Instant,
}

/// A telephone event being passed on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Event {
    /// The source's timestamp of the running segment.
    came: u32,
    /// The source's clock units of the segments before it.
    before: u64,
    /// Our timestamp of its start.
    sent: u32,
}

impl Sender {
    /// A stream that begins at random numbers (RFC 3550 §5.1).
    pub fn new(ssrc: Ssrc, rng: &mut Rng) -> Self {
        // Below 2^15 (RFC 3711 §3.3.1), and not so low that packets from before the first one wrap below zero.
        let first = (0x100 + (rng.u32() & 0x3fff) as u16, rng.u32());
        Self { ssrc, feed: None, last: None, first, event: None, packets: 0, bytes: 0 }
    }

    /// Rewrites a packet of the other side in place: number, time, source, payload type.
    ///
    /// Returns false if its number has been given away meanwhile: the packet is too late.
    #[must_use]
    pub fn relay(&mut self, now: Now, header: &Header, packet: &mut [u8], pt: u8, clock_hz: u32) -> bool {
        let spliced = self.last.is_some() && !self.is_fed_by(Some(header.ssrc), clock_hz);
        let feed = self.feed(now, Some(header.ssrc), clock_hz, header.seq, header.timestamp);
        let (seq, ts) = (header.seq.wrapping_add(feed.seq_offset), header.timestamp.wrapping_add(feed.ts_offset));
        if !self.may_use(seq) {
            return false;
        }
        self.stamp(now, packet, pt, seq, ts);
        if spliced {
            // RFC 3551 §4.1: the receiver may take up its delay anew here.
            set_marker(packet, true);
        }
        true
    }

    /// Rewrites a telephone event, header and payload, from a clock of `from_hz`
    /// to ours: its length in milliseconds stays what it was (RFC 4733 §2.3
    /// counts it in clock units), and so does its being one event however many
    /// segments it has on either side (§2.5.1.3).
    ///
    /// Returns false if it is too late, as for [`Sender::relay`].
    #[must_use]
    pub fn relay_event(
        &mut self,
        now: Now,
        header: &Header,
        packet: &mut [u8],
        event: TelephoneEvent,
        clocks: EventClocks,
    ) -> bool {
        let Some(running) = self.event_of(now, header, clocks) else { return false };
        let seq = match self.feed {
            Some(feed) if feed.ssrc == Some(header.ssrc) => header.seq.wrapping_add(feed.seq_offset),
            _ => self.next_seq(),
        };
        if !self.may_use(seq) {
            return false;
        }
        self.event = Some(running);
        let units = (running.before + u64::from(event.duration)) * u64::from(clocks.to_hz) / u64::from(clocks.from_hz);
        let full = units.saturating_sub(1) / SEGMENT;
        let duration = (units - full * SEGMENT) as u16;
        let at = header.payload().start;
        packet[at..at + 4].copy_from_slice(&TelephoneEvent { duration, ..event }.to_bytes());
        self.stamp(now, packet, clocks.pt, seq, running.sent.wrapping_add((full * SEGMENT) as u32));
        true
    }

    /// The event that a packet belongs to; `None` if it is one before the running one.
    fn event_of(&self, now: Now, header: &Header, clocks: EventClocks) -> Option<Event> {
        let came = header.timestamp;
        if let Some(event) = self.event {
            if event.came == came {
                return Some(event);
            }
            if came == event.came.wrapping_add(SEGMENT as u32) {
                return Some(Event { came, before: event.before + SEGMENT, sent: event.sent });
            }
            let behind = event.came.wrapping_sub(came);
            if u64::from(behind) < LATE_SECS * u64::from(clocks.from_hz) {
                return None;
            }
        }
        let same_time = clocks.from_hz == clocks.to_hz && self.is_fed_by(Some(header.ssrc), clocks.to_hz);
        let sent = match self.feed.filter(|_| same_time) {
            Some(feed) => came.wrapping_add(feed.ts_offset),
            None => self.time(now, clocks.to_hz),
        };
        Some(Event { came, before: 0, sent })
    }

    /// Writes the header of a packet made here before `payload` bytes at
    /// `FIXED_LEN`; returns its length. `timestamp` counts in the feed's own
    /// time, which is spliced behind what was sent before.
    pub fn make(&mut self, now: Now, out: &mut [u8], payload: usize, pt: u8, timestamp: u32, clock_hz: u32) -> usize {
        let marker = !self.is_fed_by(None, clock_hz);
        let feed = self.feed(now, None, clock_hz, 0, timestamp);
        let ts = timestamp.wrapping_add(feed.ts_offset);
        Header::write(out, PayloadType(pt), marker, 0, 0, self.ssrc);
        let len = FIXED_LEN + payload;
        let seq = self.next_seq();
        self.stamp(now, &mut out[..len], pt, seq, ts);
        len
    }

    /// The same at a time already in our own time line, for digits. The feed
    /// goes on one number later.
    pub fn make_at(&mut self, now: Now, out: &mut [u8], payload: usize, pt: u8, marker: bool, timestamp: u32) -> usize {
        Header::write(out, PayloadType(pt), marker, 0, 0, self.ssrc);
        let len = FIXED_LEN + payload;
        let seq = self.next_seq();
        if let Some(feed) = &mut self.feed {
            feed.seq_offset = feed.seq_offset.wrapping_add(1);
            feed.floor = Some(seq.wrapping_add(1));
        }
        self.stamp(now, &mut out[..len], pt, seq, timestamp);
        len
    }

    /// Ends the feed: what comes next is spliced behind what was sent last,
    /// even from the same source. For a source that started its numbers anew.
    pub fn splice(&mut self) {
        self.feed = None;
    }

    /// Our media time at `now`, as the last packet's grown by the time since.
    pub fn time(&self, now: Now, clock_hz: u32) -> u32 {
        match self.last {
            Some(last) => last.timestamp.wrapping_add(units(now.mono - last.at, clock_hz)),
            None => self.first.1,
        }
    }

    fn next_seq(&self) -> u16 {
        self.last.map_or(self.first.0, |last| last.seq.wrapping_add(1))
    }

    fn is_fed_by(&self, ssrc: Option<Ssrc>, clock_hz: u32) -> bool {
        self.feed.is_some_and(|feed| feed.ssrc == ssrc && feed.clock_hz == clock_hz)
    }

    fn feed(&mut self, now: Now, ssrc: Option<Ssrc>, clock_hz: u32, seq: u16, timestamp: u32) -> Feed {
        if let Some(feed) = self.feed.filter(|feed| feed.ssrc == ssrc && feed.clock_hz == clock_hz) {
            return feed;
        }
        let start = match self.last {
            // At least one frame later than what was sent last.
            Some(_) => self.time(now, clock_hz).wrapping_add(clock_hz / 50),
            None => self.first.1,
        };
        let next = self.next_seq();
        let feed = Feed {
            ssrc,
            clock_hz,
            seq_offset: next.wrapping_sub(seq),
            ts_offset: start.wrapping_sub(timestamp),
            floor: self.last.map(|_| next),
        };
        self.feed = Some(feed);
        feed
    }

    /// False for a number from before the running feed.
    fn may_use(&self, seq: u16) -> bool {
        let late = self.last.is_some_and(|last| (seq.wrapping_sub(last.seq) as i16) < 0);
        let floor = self.feed.and_then(|feed| feed.floor);
        !late || floor.is_none_or(|floor| (seq.wrapping_sub(floor) as i16) >= 0)
    }

    fn stamp(&mut self, now: Now, packet: &mut [u8], pt: u8, seq: u16, timestamp: u32) {
        set_payload_type(packet, PayloadType(pt));
        set_seq(packet, seq);
        set_timestamp(packet, timestamp);
        set_ssrc(packet, self.ssrc);
        self.packets += 1;
        self.bytes += packet.len().saturating_sub(FIXED_LEN) as u64;
        let newer = self.last.is_none_or(|last| (seq.wrapping_sub(last.seq) as i16) > 0);
        if newer {
            // The packets of an event share a time, which is that of the first.
            let at = self.last.filter(|last| last.timestamp == timestamp).map_or(now.mono, |last| last.at);
            self.last = Some(Last { seq, timestamp, at });
        }
        if let Some(feed) = &mut self.feed
            && feed.floor.is_some_and(|floor| seq.wrapping_sub(floor) as i16 > REORDERED)
        {
            feed.floor = None;
        }
    }
}

/// How an event crosses: from the source's clock to ours, hertz, with our payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventClocks {
    /// Clock of the event type that it came with, at least 1.
    pub from_hz: u32,
    /// Clock of the one that it goes with.
    pub to_hz: u32,
    /// The type that it goes with.
    pub pt: u8,
}

/// Longest segment of an event, clock units (RFC 4733 §2.5.1.3).
const SEGMENT: u64 = 0xffff;

/// How late a packet of a past event may come and still be known as late, seconds.
const LATE_SECS: u64 = 10;

/// Numbers after which nothing from before the feed can come any more: ten
/// times what the receiver still takes for reordered.
const REORDERED: i16 = 1280;

fn units(time: std::time::Duration, clock_hz: u32) -> u32 {
    (time.as_micros() * u128::from(clock_hz) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn packet(ssrc: u32, seq: u16, ts: u32) -> Vec<u8> {
        let mut p = vec![0; 172];
        Header::write(&mut p, PayloadType(0), false, seq, ts, Ssrc(ssrc));
        p
    }

    fn relay(sender: &mut Sender, now: Now, ssrc: u32, seq: u16, ts: u32) -> (u16, u32) {
        let mut p = packet(ssrc, seq, ts);
        let header = Header::parse(&p).expect("valid");
        assert!(sender.relay(now, &header, &mut p, 8, 8000), "not late");
        let sent = Header::parse(&p).expect("valid");
        assert_eq!((sent.ssrc, sent.payload_type), (Ssrc(77), PayloadType(8)));
        (sent.seq, sent.timestamp)
    }

    #[test]
    fn gaps_are_kept_and_a_new_source_is_spliced_behind() {
        let now = Now::from_millis(1000, 0);
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (s0, t0) = relay(&mut sender, now, 1, 65_534, 1000);
        let later = now.after(Duration::from_millis(60));
        assert_eq!(relay(&mut sender, later, 1, 1, 1480), (s0.wrapping_add(3), t0.wrapping_add(480)));
        let (s1, t1) = relay(&mut sender, later.after(Duration::from_millis(20)), 2, 9, 99);
        assert_eq!((s1, t1), (s0.wrapping_add(4), t0.wrapping_add(480 + 160 + 160)));
    }

    fn relay_event(
        sender: &mut Sender,
        now: Now,
        seq: u16,
        ts: u32,
        duration: u16,
        from_hz: u32,
    ) -> Option<(u16, u32, u16)> {
        let mut p = packet(1, seq, ts);
        let header = Header::parse(&p).expect("valid");
        let event = TelephoneEvent { event: 5, end: false, volume: 10, duration };
        let clocks = EventClocks { from_hz, to_hz: 8000, pt: 101 };
        if !sender.relay_event(now, &header, &mut p, event, clocks) {
            return None;
        }
        let sent = Header::parse(&p).expect("valid");
        Some((sent.seq, sent.timestamp, TelephoneEvent::parse(&p[12..]).expect("four bytes").duration))
    }

    #[test]
    fn packets_of_an_event_share_a_time_and_late_ones_go_nowhere() {
        let now = Now::from_millis(1000, 0);
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (s0, t0) = relay(&mut sender, now, 1, 10, 0);
        let t = t0.wrapping_add(160);
        for n in 1..4u16 {
            let later = now.after(Duration::from_millis(20 * u64::from(n)));
            assert_eq!(relay_event(&mut sender, later, 10 + n, 160, 160 * n, 8000), Some((s0 + n, t, 160 * n)));
        }
        assert_eq!(sender.time(now.after(Duration::from_millis(80)), 8000), t.wrapping_add(480), "time goes on");
        assert_eq!(relay_event(&mut sender, now, 14, 100, 160, 8000), None, "of an event before");
    }

    #[test]
    fn a_long_event_stays_one_between_clocks() {
        let now = Now::from_millis(1000, 0);
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (_, t, first) = relay_event(&mut sender, now, 1, 9, 48_000, 48_000).expect("sent");
        assert_eq!(first, 8000);
        let (_, again, second) = relay_event(&mut sender, now, 2, 9 + 0xffff, 30_465, 48_000).expect("sent");
        assert_eq!((again, second), (t, 16_000), "two segments of 48 kHz are one of 8 kHz");
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (_, t, first) = relay_event(&mut sender, now, 1, 9, 8000, 1000).expect("sent");
        assert_eq!(first, 64_000);
        let (_, next, rest) = relay_event(&mut sender, now, 2, 9, 9000, 1000).expect("sent");
        assert_eq!((next.wrapping_sub(t), rest), (0xffff, 6465), "one segment becomes two");
    }

    #[test]
    fn a_number_is_given_once_whatever_comes_late() {
        let now = Now::from_millis(1000, 0);
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (s0, _) = relay(&mut sender, now, 1, 10, 0);
        assert_eq!(relay(&mut sender, now, 1, 9, 0).0, s0 - 1, "before the first there is room");
        assert_eq!(relay(&mut sender, now, 1, 12, 0).0, s0 + 2);
        let mut out = [0; 32];
        sender.make_at(now, &mut out, 4, 101, true, 0);
        assert_eq!(relay(&mut sender, now, 1, 13, 0).0, s0 + 4, "the feed goes on behind what was put in");
        let mut late = packet(1, 11, 0);
        let header = Header::parse(&late).expect("valid");
        assert!(!sender.relay(now, &header, &mut late, 8, 8000), "its number is the event's");
        sender.splice();
        assert_eq!(relay(&mut sender, now, 1, 40_000, 0).0, s0 + 5, "a restart is no gap");
        for n in 1..40_000u16 {
            relay(&mut sender, now, 1, 40_000u16.wrapping_add(n), 0);
        }
        relay(&mut sender, now, 1, 40_000u16.wrapping_add(40_001), 0);
        let mut late = packet(1, 40_000u16.wrapping_add(40_000), 0);
        let header = Header::parse(&late).expect("valid");
        assert!(sender.relay(now, &header, &mut late, 8, 8000), "the start is long out of reach");
    }
}
