//! What comes from a side's peer: sequence, jitter, loss, digits, and what
//! RTCP says of it.
//!
//! Fed once per accepted RTP packet; everything a report needs is here. No
//! addresses (`latch`, ICE) and no forwarding (`path`).

use serde::{Deserialize, Serialize};

use super::plan::Stream;
use super::quality::{self, Measured};
use crate::base::{Codec, Instant, Now};
use crate::rtp::header::{Header, Ssrc};
use crate::rtp::jitter::Jitter;
use crate::rtp::loss::Bursts;
use crate::rtp::rtcp::{LastReport, ReportBlock};
use crate::rtp::sequence::{Seen, Tracker};
use crate::rtp::telephone_event::{EventReceiver, Heard, TelephoneEvent};

/// Statistics of what a peer sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receiver {
    tracker: Tracker,
    jitter: Jitter,
    bursts: Bursts,
    ssrc: Option<Ssrc>,
    /// Last codec heard.
    pub codec: Option<Codec>,
    /// Payload bytes.
    pub bytes: u64,
    /// Malformed, unauthentic, replayed or not negotiated.
    pub discarded: u64,
    /// From an address that is not proved.
    pub strangers: u64,
    /// Digits that ended.
    pub digits: u32,
    /// When the last packet came, RTP or RTCP.
    pub heard_at: Option<Instant>,
    jitter_max_ms: f32,
    events: Option<(u8, EventReceiver)>,
    last_report: Option<LastReport>,
    /// Packets and losses of the sources before the running one.
    before: (u64, u64),
    /// What the peer's RTCP says of our stream: lost share and round trip.
    pub remote: Remote,
}

/// The peer's view of what we send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Remote {
    /// Lost since the beginning, share from 0 to 1.
    pub loss: Option<f32>,
    /// Round trip, milliseconds.
    pub rtt_ms: Option<f32>,
}

/// What a packet is for the side that takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Audio of this codec.
    Audio(Codec),
    /// A telephone event at this clock, hertz.
    Event(TelephoneEvent, u32),
    /// A payload type that was not negotiated, or no packet worth passing on.
    Nothing,
}

impl Receiver {
    /// Nothing heard so far.
    pub fn new() -> Self {
        Self {
            tracker: Tracker::new(),
            jitter: Jitter::new(8000),
            bursts: Bursts::new(),
            ssrc: None,
            codec: None,
            bytes: 0,
            discarded: 0,
            strangers: 0,
            digits: 0,
            heard_at: None,
            jitter_max_ms: 0.0,
            events: None,
            last_report: None,
            before: (0, 0),
            remote: Remote::default(),
        }
    }

    /// Takes an accepted packet; tells what it is and how it stands in the stream.
    pub fn on_packet(&mut self, now: Now, header: &Header, packet: &[u8], stream: &Stream) -> (Content, Seen) {
        if self.ssrc.is_some_and(|known| known != header.ssrc) {
            // RFC 3550 §8.2: another source is another sequence. Its start is no loss.
            self.before = (self.packets(), self.lost());
            self.tracker = Tracker::new();
            self.last_report = None;
            self.jitter.restart();
        }
        self.ssrc = Some(header.ssrc);
        self.heard_at = Some(now.mono);
        let content = self.content(header, packet, stream);
        let seen = self.tracker.on_packet(header.seq);
        match seen {
            Seen::Duplicate | Seen::Jump => {
                self.discarded += 1;
                return (Content::Nothing, seen);
            }
            Seen::Next { lost } if lost > 0 => self.bursts.on_lost(lost),
            Seen::First | Seen::Next { .. } | Seen::Late => {}
        }
        self.bursts.on_received();
        self.bytes += header.payload().len() as u64;
        match content {
            Content::Audio(codec) => {
                self.codec = Some(codec);
                self.jitter.set_clock(codec.clock_hz());
                self.jitter.on_packet(now.mono, header.timestamp);
                self.jitter_max_ms = self.jitter_max_ms.max(self.jitter_ms());
            }
            // Packets of one event share a timestamp; they say nothing of jitter.
            Content::Event(..) => {}
            Content::Nothing => self.discarded += 1,
        }
        (content, seen)
    }

    fn content(&self, header: &Header, packet: &[u8], stream: &Stream) -> Content {
        let pt = header.payload_type.0;
        if let Some((_, codec)) = stream.receive.iter().find(|(known, _)| *known == pt) {
            return Content::Audio(*codec);
        }
        match stream.receive_events.iter().find(|(known, _)| *known == pt) {
            Some((_, clock)) => match TelephoneEvent::parse(&packet[header.payload()]) {
                Some(event) => Content::Event(event, *clock),
                None => Content::Nothing,
            },
            None => Content::Nothing,
        }
    }

    /// Takes a telephone event; gives the digits that it starts and ends.
    pub fn on_event(&mut self, now: Now, header: &Header, event: TelephoneEvent, clock_hz: u32) -> [Option<Heard>; 3] {
        let pt = header.payload_type.0;
        if self.events.as_ref().is_none_or(|(known, _)| *known != pt) {
            self.events = Some((pt, EventReceiver::new(clock_hz)));
        }
        let mut heard = [None; 3];
        if let Some((_, events)) = &mut self.events {
            for (slot, one) in heard.iter_mut().zip(events.on_packet(now.mono, header.timestamp, event)) {
                self.digits += u32::from(one.end);
                *slot = Some(one);
            }
        }
        heard
    }

    /// When an event whose end was lost is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.events.as_ref()?.1.poll_timeout()
    }

    /// Ends such an event.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Heard> {
        let heard = self.events.as_mut()?.1.handle_timeout(now.mono)?;
        self.digits += 1;
        Some(heard)
    }

    /// Takes the peer's sender report.
    pub fn on_sender_report(&mut self, ssrc: Ssrc, report: LastReport) {
        if self.ssrc.is_none_or(|known| known == ssrc) {
            self.last_report = Some(report);
        }
    }

    /// The block for our next report; `None` if nothing was received.
    pub fn report_block(&mut self, now: Now) -> Option<ReportBlock> {
        let loss = self.tracker.report()?;
        let mut block = ReportBlock { ssrc: self.ssrc?, jitter: self.jitter.units(), ..ReportBlock::default() };
        loss.fill(&mut block);
        if let Some(last) = &self.last_report {
            last.fill(now.mono, &mut block);
        }
        Some(block)
    }

    /// Packets received, without duplicates.
    pub fn packets(&self) -> u64 {
        let totals = self.tracker.totals();
        self.before.0 + totals.received - totals.duplicates.min(totals.received)
    }

    /// Packets that never came.
    pub fn lost(&self) -> u64 {
        self.before.1 + self.tracker.lost()
    }

    /// Jitter, milliseconds.
    pub fn jitter_ms(&self) -> f32 {
        self.jitter.duration().as_secs_f32() * 1000.0
    }

    /// Highest jitter so far, milliseconds.
    pub fn jitter_max_ms(&self) -> f32 {
        self.jitter_max_ms
    }

    /// Mean opinion score of the stream so far; `None` before 50 packets, which
    /// say nothing about quality.
    pub fn mos(&self, ptime_ms: u16) -> Option<f32> {
        let codec = self.codec?;
        let (got, lost) = (self.packets(), self.lost());
        if got < 50 {
            return None;
        }
        let loss = lost as f64 / (got + lost) as f64;
        let packet = std::time::Duration::from_millis(u64::from(ptime_ms.max(1)));
        let bursts = self.bursts.report(packet);
        // BurstR: mean burst length over 1/(1-p), that of random loss (G.107 §7.3).
        let packets = bursts.burst.as_secs_f64() / packet.as_secs_f64();
        let burst_ratio =
            if bursts.bursts == 0 { 1.0 } else { (packets * bursts.burst_density * (1.0 - loss)).max(1.0) };
        let delay_ms = self.remote.rtt_ms.map(|rtt| f64::from(rtt) / 2.0);
        let measured = Measured { codec, loss, burst_ratio, jitter_ms: f64::from(self.jitter_ms()), delay_ms };
        Some(quality::mos(quality::rating(&measured)) as f32)
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}
