//! One peer's end of a media session: what it says, what it hears.
//!
//! A peer speaks a sine of its own frequency in the codec agreed on, or a count
//! of packets where the payload must come through untouched. What it hears is
//! kept: the last packets for finding the tone in them, digits of RFC 4733,
//! sources. Plain RTP goes out as it is; a browser's goes through ICE, DTLS and
//! SRTP first (`browser`).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use sbc::base::{Codec, Instant};
use sbc::codec::{Decoder, Encoder, EncoderConfig, tone};

use crate::browser::Rtc;
use crate::sip::Sdp;
use crate::ua::earlier;

pub const PTIME: Duration = Duration::from_millis(20);

/// What a peer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// A sine, hertz; a multiple of 50.
    Tone(u32),
    /// Payloads that count packets: only for G.711, and only untouched ones arrive.
    Count,
    Silent,
}

pub enum Transport {
    Plain,
    WebRtc(Box<Rtc>),
}

pub struct Media {
    pub transport: Transport,
    pub local: SocketAddr,
    pub remote: Option<SocketAddr>,
    pub voice: Voice,
    pub codec: Option<(u8, Codec)>,
    pub accepts: Vec<(u8, Codec)>,
    /// Telephone-event payload type and clock.
    pub events: Option<(u8, u32)>,
    pub sends: bool,
    pub receives: bool,
    pub sent: u64,
    pub heard: u64,
    pub sources: BTreeSet<SocketAddr>,
    pub ssrcs: BTreeSet<u32>,
    pub digits: String,
    /// Packets that could not be understood or came while none may come.
    pub odd: u64,
    pub counts: BTreeSet<u32>,
    last: VecDeque<(Codec, Vec<u8>)>,
    seq: u16,
    timestamp: u32,
    ssrc: u32,
    next: Option<Instant>,
    frame: usize,
    dialling: VecDeque<Event>,
    last_event: Option<u32>,
}

struct Event {
    digit: u8,
    duration: u32,
    timestamp: Option<u32>,
    ends: u8,
}

impl Media {
    pub fn new(local: SocketAddr, transport: Transport, voice: Voice, ssrc: u32) -> Self {
        Self {
            transport,
            local,
            remote: None,
            voice,
            codec: None,
            accepts: Vec::new(),
            events: None,
            sends: false,
            receives: true,
            sent: 0,
            heard: 0,
            sources: BTreeSet::new(),
            ssrcs: BTreeSet::new(),
            digits: String::new(),
            odd: 0,
            counts: BTreeSet::new(),
            last: VecDeque::new(),
            seq: ssrc as u16,
            timestamp: ssrc,
            ssrc,
            next: None,
            frame: 0,
            dialling: VecDeque::new(),
            last_event: None,
        }
    }

    /// Takes the far end's description: where, what and which way.
    pub fn agree(&mut self, now: Instant, theirs: &Sdp, wanted: &[Codec], direction: &str) {
        self.remote = theirs.address.filter(|at| !at.ip().is_unspecified() && at.port() != 0);
        let codec_of = |name: &str| Codec::from_name(name.split('/').next().unwrap_or_default());
        let known = theirs.formats.iter().filter_map(|(pt, name)| codec_of(name).map(|c| (*pt, c)));
        self.accepts = known.filter(|(_, c)| wanted.contains(c)).collect();
        self.codec = self.accepts.first().copied();
        let clock = self.codec.map_or(8000, |(_, c)| c.clock_hz());
        let event = |(pt, name): &(u8, String)| {
            name.strip_prefix("telephone-event/").and_then(|hz| hz.parse::<u32>().ok()).map(|hz| (*pt, hz))
        };
        let all: Vec<_> = theirs.formats.iter().filter_map(event).collect();
        self.events = all.iter().find(|(_, hz)| *hz == clock).or(all.first()).copied();
        let (we_send, we_hear) =
            (matches!(direction, "sendrecv" | "sendonly"), matches!(direction, "sendrecv" | "recvonly"));
        let (they_hear, they_send) = (
            matches!(theirs.direction.as_str(), "sendrecv" | "recvonly"),
            matches!(theirs.direction.as_str(), "sendrecv" | "sendonly"),
        );
        self.sends = we_send && they_hear && self.remote.is_some();
        self.receives = we_hear && they_send;
        if let Transport::WebRtc(rtc) = &mut self.transport {
            rtc.agree(now, theirs);
        }
        if self.next.is_none() {
            self.next = Some(now);
        }
    }

    pub fn dial(&mut self, digits: &str, millis: u32) {
        for c in digits.chars() {
            let digit = "0123456789*#ABCD".find(c).unwrap_or(0) as u8;
            self.dialling.push_back(Event { digit, duration: millis, timestamp: None, ends: 0 });
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let rtc = match &self.transport {
            Transport::Plain => None,
            Transport::WebRtc(rtc) => rtc.poll_timeout(),
        };
        earlier(self.next, rtc)
    }

    /// Sends what is due; each with its destination.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        if let Transport::WebRtc(rtc) = &mut self.transport {
            rtc.handle_timeout(now, out);
        }
        while self.next.is_some_and(|at| at <= now) {
            self.next = self.next.map(|at| at + PTIME);
            if let Some(mut packet) = self.packet() {
                match (&mut self.transport, self.remote) {
                    (Transport::Plain, Some(to)) => {
                        self.sent += 1;
                        out.push((to, packet));
                    }
                    (Transport::WebRtc(rtc), _) => {
                        if let Some(to) = rtc.protect(&mut packet) {
                            self.sent += 1;
                            out.push((to, packet));
                        }
                    }
                    (Transport::Plain, None) => {}
                }
            }
        }
    }

    fn packet(&mut self) -> Option<Vec<u8>> {
        let (pt, codec) = self.codec?;
        let step = codec.clock_hz() / 50;
        self.timestamp = self.timestamp.wrapping_add(step);
        if !self.sends {
            return None;
        }
        self.seq = self.seq.wrapping_add(1);
        if let (Some((event_pt, clock)), Some(event)) = (self.events, self.dialling.front_mut()) {
            let first = event.timestamp.is_none();
            let start = *event.timestamp.get_or_insert(self.timestamp);
            let whole = event.duration * clock / 1000;
            let elapsed = self.timestamp.wrapping_sub(start) / step * (clock / 50) + clock / 50;
            let end = elapsed >= whole;
            let so_far = elapsed.min(whole) as u16;
            let flags = if end { 0x80 | 10 } else { 10 };
            let payload = [event.digit, flags, (so_far >> 8) as u8, so_far as u8];
            event.ends += u8::from(end);
            let done = event.ends == 3;
            if done {
                self.dialling.pop_front();
            }
            return Some(rtp(event_pt, first, self.seq, start, self.ssrc, &payload));
        }
        let payload = match self.voice {
            Voice::Tone(hz) => {
                self.frame += 1;
                tone_frame(codec, hz, self.frame)
            }
            Voice::Count => {
                let mut payload = vec![0; 160];
                payload[..4].copy_from_slice(&(self.sent as u32).to_be_bytes());
                payload
            }
            Voice::Silent => return None,
        };
        Some(rtp(pt, self.sent == 0, self.seq, self.timestamp, self.ssrc, &payload))
    }

    /// Takes a datagram from the far end.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<(SocketAddr, Vec<u8>)>,
    ) {
        let mut packet = bytes.to_vec();
        if let Transport::WebRtc(rtc) = &mut self.transport {
            match rtc.handle_packet(now, from, &mut packet, out) {
                Some(len) => packet.truncate(len),
                None => return,
            }
        }
        let is_rtcp = packet.get(1).is_some_and(|b| (192..224).contains(b));
        if is_rtcp {
            return;
        }
        if packet.len() < 12 || packet[0] != 0x80 {
            self.odd += 1;
            return;
        }
        self.sources.insert(from);
        let pt = packet[1] & 0x7f;
        let timestamp = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        self.ssrcs.insert(u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]));
        let payload = &packet[12..];
        if let Some((event_pt, _)) = self.events.filter(|(event_pt, _)| *event_pt == pt) {
            let _ = event_pt;
            return self.on_event(timestamp, payload);
        }
        let Some((_, codec)) = self.accepts.iter().find(|(p, _)| *p == pt).copied() else {
            // Media may overtake the answer that says what it is.
            self.odd += u64::from(!self.accepts.is_empty());
            return;
        };
        self.heard += 1;
        if self.voice == Voice::Count && payload.len() == 160 {
            self.counts.insert(u32::from_be_bytes([payload[0], payload[1], payload[2], payload[3]]));
        }
        self.last.push_back((codec, payload.to_vec()));
        if self.last.len() > 12 {
            self.last.pop_front();
        }
    }

    fn on_event(&mut self, timestamp: u32, payload: &[u8]) {
        let (Some(digit), Some(flags)) = (payload.first(), payload.get(1)) else { return };
        if flags & 0x80 != 0 && self.last_event != Some(timestamp) {
            self.last_event = Some(timestamp);
            self.digits.extend("0123456789*#ABCD".chars().nth(usize::from(*digit)));
        }
    }

    /// The frequency in the last packets, a multiple of 50 Hz, if one stands out.
    pub fn heard_hz(&self) -> Option<u32> {
        let (codec, _) = *self.last.back().map(|(c, p)| (c, p)).as_ref()?;
        let mut decoder = Decoder::new(*codec, 8000).ok()?;
        let mut samples = Vec::new();
        for (c, payload) in &self.last {
            if c != codec {
                return None;
            }
            let mut pcm = [0; 960];
            let n = decoder.decode(payload, &mut pcm).ok()?;
            samples.extend(&pcm[..n]);
        }
        let tail = samples.get(samples.len().checked_sub(1280)?..)?;
        let share = |hz: u32| tone::share_at(tail, 8000, f64::from(hz));
        let best = (6..=60).map(|n| n * 50).max_by(|a, b| share(*a).total_cmp(&share(*b)))?;
        (share(best) > 0.7).then_some(best)
    }
}

fn rtp(pt: u8, marker: bool, seq: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80, pt | if marker { 0x80 } else { 0 }];
    out.extend(seq.to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    out.extend(payload);
    out
}

type Frames = Rc<Vec<Vec<u8>>>;

thread_local! {
    static FRAMES: RefCell<BTreeMap<(Codec, u32), Frames>> = const { RefCell::new(BTreeMap::new()) };
}

/// The `n`-th packet of a tone, from a store: encoding is not what is under test.
fn tone_frame(codec: Codec, hz: u32, n: usize) -> Vec<u8> {
    let frames = FRAMES.with_borrow_mut(|store| {
        Rc::clone(store.entry((codec, hz)).or_insert_with(|| Rc::new(encode_tone(codec, hz))))
    });
    frames[n % frames.len()].clone()
}

fn encode_tone(codec: Codec, hz: u32) -> Vec<Vec<u8>> {
    let Ok(mut encoder) = Encoder::new(codec, EncoderConfig::default()) else { return vec![vec![0; 160]] };
    let mut sine = tone::Sine::new(8000, f64::from(hz), 8000);
    let mut frames = Vec::new();
    for _ in 0..50 {
        let (mut pcm, mut out) = ([0i16; 160], [0u8; 1000]);
        sine.fill(&mut pcm);
        let n = encoder.encode(&pcm, &mut out).unwrap_or(0);
        frames.push(out[..n].to_vec());
    }
    // The first packets of an encoder start from nothing.
    frames.split_off(10)
}
