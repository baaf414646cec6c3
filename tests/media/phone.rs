//! A peer with plain RTP, and what both kinds of peers say and hear.

use std::net::SocketAddr;

use sbc::base::Codec;
use sbc::codec::tone::Sine;
use sbc::codec::{Decoder, Encoder, EncoderConfig, PAYLOAD_BYTES};
use sbc::media::shard::Verdict;
use sbc::rtp::header::{Header, PayloadType, Ssrc, is_rtcp};

use crate::world::{World, at};

/// A stream that a peer sends.
#[derive(Clone, Debug)]
pub struct Source {
    pub ssrc: u32,
    pub seq: u16,
    pub time: u32,
}

impl Source {
    pub fn packet(&self, pt: u8, marker: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 12];
        Header::write(&mut bytes, PayloadType(pt), marker, self.seq, self.time, Ssrc(self.ssrc));
        bytes.extend(payload);
        bytes
    }

    pub fn step(&mut self, units: u32) {
        (self.seq, self.time) = (self.seq.wrapping_add(1), self.time.wrapping_add(units));
    }
}

/// A phone at an address, talking to one of our ports.
pub struct Phone {
    pub at: SocketAddr,
    pub sbc: SocketAddr,
    pub source: Source,
}

impl Phone {
    pub fn new(here: &str, sbc: &str) -> Self {
        Self { at: at(here), sbc: at(sbc), source: Source { ssrc: 0x0050_0050, seq: 1000, time: 160_000 } }
    }

    /// Sends the next packet; its successor comes `units` later.
    pub fn say(&mut self, world: &mut World, pt: u8, payload: &[u8], units: u32) -> Verdict {
        let bytes = self.source.packet(pt, false, payload);
        self.source.step(units);
        self.send(world, &bytes)
    }

    pub fn send(&self, world: &mut World, bytes: &[u8]) -> Verdict {
        world.arrive(self.at, self.sbc, bytes)
    }

    pub fn rtcp(&self, world: &mut World, bytes: &[u8]) -> Verdict {
        let next = |a: SocketAddr| SocketAddr::new(a.ip(), a.port() + 1);
        world.arrive(next(self.at), next(self.sbc), bytes)
    }

    /// The RTP that came.
    pub fn heard(&self, world: &mut World) -> Vec<Heard> {
        world.take(self.at).into_iter().filter(|s| !is_rtcp(&s.bytes)).map(|s| Heard::of(s.bytes)).collect()
    }

    /// Talks a tone for `frames` of 20 ms and gives what `ear` heard meanwhile.
    pub fn talk(
        &mut self,
        world: &mut World,
        voice: &mut Voice,
        frames: usize,
        mut ear: impl FnMut(&mut World) -> Vec<Heard>,
    ) -> Vec<Heard> {
        let mut heard = Vec::new();
        for _ in 0..frames {
            let payload = voice.frame();
            self.say(world, voice.pt, &payload, voice.units);
            heard.extend(ear(world));
            world.pass(20);
        }
        heard
    }
}

/// A packet that a peer got, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub pt: u8,
    pub marker: bool,
    pub seq: u16,
    pub time: u32,
    pub ssrc: u32,
    pub payload: Vec<u8>,
    pub bytes: Vec<u8>,
}

impl Heard {
    pub fn of(bytes: Vec<u8>) -> Self {
        let header = Header::parse(&bytes).expect("we send valid RTP");
        assert_eq!(bytes[0], 0x80, "neither extension nor padding nor sources");
        Self {
            pt: header.payload_type.0,
            marker: header.marker,
            seq: header.seq,
            time: header.timestamp,
            ssrc: header.ssrc.0,
            payload: bytes[header.payload()].to_vec(),
            bytes,
        }
    }
}

/// A tone in some codec, frame by frame.
pub struct Voice {
    pub pt: u8,
    pub units: u32,
    sine: Sine,
    encoder: Encoder,
}

impl Voice {
    pub fn new(codec: Codec, pt: u8, hz: f64) -> Self {
        let encoder = Encoder::new(codec, EncoderConfig::default()).expect("8 kHz");
        Self { pt, units: codec.clock_hz() / 50, sine: Sine::new(8000, hz, 10_000), encoder }
    }

    pub fn frame(&mut self) -> Vec<u8> {
        let (mut pcm, mut out) = ([0; 160], [0; PAYLOAD_BYTES]);
        self.sine.fill(&mut pcm);
        let len = self.encoder.encode(&pcm, &mut out).expect("20 ms");
        out[..len].to_vec()
    }
}

/// Decodes what was heard, without the first tenth of a second.
pub fn listen(heard: &[Heard], codec: Codec) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, 8000).expect("8 kHz");
    let mut all = Vec::new();
    for packet in heard {
        let mut pcm = [0; 960];
        let samples = decoder.decode(&packet.payload, &mut pcm).expect("a valid payload");
        all.extend_from_slice(&pcm[..samples]);
    }
    all.split_off(all.len().min(800))
}

/// Asserts that numbers go up by one and time by `units`.
pub fn assert_steady(heard: &[Heard], units: u32) {
    for pair in heard.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1), "numbers go on");
        assert_eq!(pair[1].time.wrapping_sub(pair[0].time), units, "time goes on");
        assert_eq!(pair[1].ssrc, pair[0].ssrc, "one source");
    }
}
