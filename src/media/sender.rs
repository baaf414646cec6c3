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
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Last {
    seq: u16,
    timestamp: u32,
    at: Instant,
}

/// A telephone event being passed on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Event {
    came: u32,
    sent: u32,
}

impl Sender {
    /// A stream that begins at random numbers (RFC 3550 §5.1).
    pub fn new(ssrc: Ssrc, rng: &mut Rng) -> Self {
        // The upper half is left free, so that early reordering cannot wrap below zero (RFC 3711 §3.3.1).
        let first = ((rng.u32() & 0x7fff) as u16, rng.u32());
        Self { ssrc, feed: None, last: None, first, event: None, packets: 0, bytes: 0 }
    }

    /// Rewrites a packet of the other side in place: number, time, source, payload type.
    pub fn relay(&mut self, now: Now, header: &Header, packet: &mut [u8], pt: u8, clock_hz: u32) {
        let feed = self.feed(now, Some(header.ssrc), clock_hz, header.seq, header.timestamp);
        let (seq, ts) = (header.seq.wrapping_add(feed.seq_offset), header.timestamp.wrapping_add(feed.ts_offset));
        self.stamp(now, packet, pt, seq, ts);
    }

    /// Rewrites a telephone event: it starts at our present media time, and its
    /// packets share that.
    pub fn relay_event(&mut self, now: Now, header: &Header, packet: &mut [u8], pt: u8, clock_hz: u32) {
        let ts = match self.event {
            Some(event) if event.came == header.timestamp => event.sent,
            _ => {
                let sent = self.time(now, clock_hz);
                self.event = Some(Event { came: header.timestamp, sent });
                sent
            }
        };
        let seq = match self.feed {
            Some(feed) if feed.ssrc == Some(header.ssrc) => header.seq.wrapping_add(feed.seq_offset),
            _ => self.next_seq(),
        };
        self.stamp(now, packet, pt, seq, ts);
    }

    /// Writes the header of a packet made here before `payload` bytes at
    /// `FIXED_LEN`; returns its length. `timestamp` counts in the feed's own
    /// time, which is spliced behind what was sent before.
    pub fn make(&mut self, now: Now, out: &mut [u8], payload: usize, pt: u8, timestamp: u32, clock_hz: u32) -> usize {
        let marker = self.feed.is_none_or(|f| f.ssrc.is_some());
        let feed = self.feed(now, None, clock_hz, 0, timestamp);
        let ts = timestamp.wrapping_add(feed.ts_offset);
        Header::write(out, PayloadType(pt), marker, 0, 0, self.ssrc);
        let len = FIXED_LEN + payload;
        let seq = self.next_seq();
        self.stamp(now, &mut out[..len], pt, seq, ts);
        set_marker(out, marker);
        len
    }

    /// The same at a time already in our own time line, for digits.
    pub fn make_at(&mut self, now: Now, out: &mut [u8], payload: usize, pt: u8, marker: bool, timestamp: u32) -> usize {
        Header::write(out, PayloadType(pt), marker, 0, 0, self.ssrc);
        let len = FIXED_LEN + payload;
        let seq = self.next_seq();
        // What was relayed before continues behind this one.
        self.feed = None;
        self.stamp(now, &mut out[..len], pt, seq, timestamp);
        len
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

    fn feed(&mut self, now: Now, ssrc: Option<Ssrc>, clock_hz: u32, seq: u16, timestamp: u32) -> Feed {
        match self.feed {
            Some(feed) if feed.ssrc == ssrc && feed.clock_hz == clock_hz => feed,
            _ => {
                let start = match self.last {
                    // At least one frame later than what was sent last.
                    Some(_) => self.time(now, clock_hz).wrapping_add(clock_hz / 50),
                    None => self.first.1,
                };
                let feed = Feed {
                    ssrc,
                    clock_hz,
                    seq_offset: self.next_seq().wrapping_sub(seq),
                    ts_offset: start.wrapping_sub(timestamp),
                };
                self.feed = Some(feed);
                feed
            }
        }
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
            self.last = Some(Last { seq, timestamp, at: now.mono });
        }
    }
}

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
        sender.relay(now, &header, &mut p, 8, 8000);
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

    #[test]
    fn packets_of_an_event_share_a_time() {
        let now = Now::from_millis(1000, 0);
        let mut sender = Sender::new(Ssrc(77), &mut Rng::from_number(1));
        let (s0, t0) = relay(&mut sender, now, 1, 10, 0);
        let mut times = Vec::new();
        for n in 1..4u64 {
            let mut p = packet(1, 10 + n as u16, 160);
            let header = Header::parse(&p).expect("valid");
            sender.relay_event(now.after(Duration::from_millis(20 * n)), &header, &mut p, 101, 8000);
            let sent = Header::parse(&p).expect("valid");
            times.push((sent.seq, sent.timestamp));
        }
        let t = t0.wrapping_add(160);
        assert_eq!(times, [(s0 + 1, t), (s0 + 2, t), (s0 + 3, t)]);
    }
}
