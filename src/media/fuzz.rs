//! Body of the fuzz target of this room; it always compiles and is also run by
//! a property test.
//!
//! The bytes are a script: orders, packets (raw, well-formed, authentic) and
//! passing time for one shard with a scripted handshake. Whatever they say,
//! nothing panics, the next deadline lies ahead, nothing is sent to an address
//! that neither signalling nor ICE gave, and every session closes once.

use std::net::SocketAddr;
use std::time::Duration;

use super::command::Command;
use super::config::Config;
use super::event::EventKind;
use super::packet::Packet;
use super::plan::{Direction, Fingerprint};
use super::plan::{DtlsRole, End, IceCredentials, Latch, Plan, Rtp, Service, SidePlan, Stream, WebRtc};
use super::shard::{Output, PortId, Shard, Verdict};
use crate::base::redact::Secret;
use crate::base::{CallId, Codec, Instant, Leg, MediaId, Now, RealmId, Rng};
use crate::dtls::{self, Handshake, Handshakes, KeyingMaterial, Outputs, SrtpProfile};
use crate::ice::{Builder, Class, TransactionId, attribute};
use crate::rtp::header::{Header, PayloadType, Ssrc};

/// Plays a script to a shard.
pub fn session(script: &[u8]) {
    let mut player = Player::new(script);
    while let Some(step) = player.byte() {
        match step % 8 {
            0 => player.open(),
            1 => player.set(),
            2 => player.digit(),
            3 => player.close(),
            4 => player.pass_time(),
            _ => player.packet(),
        }
        player.check();
    }
    for media in 0..MEDIA {
        player.shard.handle_command(player.now, Command::Close { media: MediaId(media) });
    }
    player.check();
    assert_eq!(player.opened, player.closed, "one end for every session");
    assert_eq!((player.shard.sessions(), player.shard.poll_timeout()), (0, None), "idle at the end");
}

/// Sessions that a script can name.
const MEDIA: u64 = 3;

/// Where packets come from; the last one is never given by anybody.
const PEERS: [&str; 4] = ["198.51.100.1:4000", "198.51.100.2:4000", "198.51.100.1:5000", "203.0.113.66:66"];

const SHARED: &str = "192.0.2.1:8189";
const PWD: &str = "a password of 22 chars";

struct Player<'a> {
    script: &'a [u8],
    shard: Shard,
    now: Now,
    opened: usize,
    closed: usize,
    count: u32,
}

impl<'a> Player<'a> {
    fn new(script: &'a [u8]) -> Self {
        let config = Config { shared: vec![(at(SHARED), 46)], sessions: 2, ..Config::default() };
        let shard = Shard::new(config, Box::new(Scripted), Rng::from_number(1));
        Self { script, shard, now: Now::from_millis(1000, 1_000_000), opened: 0, closed: 0, count: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.script.split_first()?;
        self.script = rest;
        Some(first)
    }

    fn pick(&mut self, below: u8) -> u8 {
        self.byte().unwrap_or(0) % below
    }

    fn media(&mut self) -> MediaId {
        MediaId(u64::from(self.pick(MEDIA as u8)))
    }

    fn leg(&mut self) -> Leg {
        [Leg::A, Leg::B][usize::from(self.pick(2))]
    }

    fn open(&mut self) {
        let media = self.media();
        let known = self.shard.report(media).is_some();
        let sides = [self.side(media, Leg::A), self.side(media, Leg::B)];
        self.opened += usize::from(!known);
        let plan = Box::new(Plan { sides });
        self.shard.handle_command(self.now, Command::Open { media, call: CallId(media.0), plan });
    }

    fn set(&mut self) {
        let (media, leg) = (self.media(), self.leg());
        let plan = Box::new(self.side(media, leg));
        self.shard.handle_command(self.now, Command::Set { media, leg, plan });
    }

    fn digit(&mut self) {
        let (media, leg, digit) = (self.media(), self.leg(), char::from(self.pick(128)));
        let duration_ms = u32::from(self.pick(255)) * 40;
        self.shard.handle_command(self.now, Command::Digit { media, leg, digit, duration_ms });
    }

    fn close(&mut self) {
        let media = self.media();
        self.shard.handle_command(self.now, Command::Close { media });
    }

    fn pass_time(&mut self) {
        let until = self.now.after(Duration::from_millis(1 << self.pick(17)));
        while let Some(due) = self.shard.poll_timeout().filter(|due| *due <= until.mono) {
            self.now = self.now.after(due - self.now.mono);
            self.shard.handle_timeout(self.now);
            assert!(self.shard.poll_timeout().is_none_or(|next| next > self.now.mono), "time goes on");
            self.check();
        }
        self.now = until;
    }

    fn side(&mut self, media: MediaId, leg: Leg) -> SidePlan {
        let shape = self.pick(8);
        let end = match shape {
            0..=2 => End::Rtp(self.rtp(media, leg)),
            3..=5 => End::WebRtc(self.webrtc(media, leg)),
            _ => End::Service([Service::Echo, Service::Tone, Service::Hello][usize::from(self.pick(3))]),
        };
        let directions = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
        let direction = directions[usize::from(self.pick(7)).saturating_sub(3)];
        let stream = (self.pick(5) > 0).then(|| self.stream());
        SidePlan { realm: RealmId(0), end, direction, stream }
    }

    fn rtp(&mut self, media: MediaId, leg: Leg) -> Rtp {
        let port = 30_000 + 4 * media.0 as u16 + 2 * leg.index() as u16;
        let window = self.pick(3);
        Rtp {
            local: SocketAddr::from(([192, 0, 2, 1], port)),
            remote: (self.pick(4) > 0).then(|| at(PEERS[usize::from(window)])),
            remote_rtcp: (self.pick(4) == 0).then(|| at(PEERS[1])),
            rtcp_mux: self.pick(2) == 0,
            latch: match window {
                0 => Latch::Never,
                _ => Latch::Signalling { signalling: at(PEERS[0]).ip(), window_ms: 250 },
            },
        }
    }

    fn webrtc(&mut self, media: MediaId, leg: Leg) -> WebRtc {
        let generation = self.pick(2);
        let credentials = |ufrag: String| IceCredentials { ufrag, pwd: Secret::new(PWD) };
        WebRtc {
            local: at(SHARED),
            ice: credentials(format!("{}{leg}{generation}", media.0)),
            remote_ice: (self.pick(3) > 0).then(|| credentials("peer".to_owned())),
            dtls: [None, Some(DtlsRole::Client), Some(DtlsRole::Server)][usize::from(self.pick(3))],
            fingerprints: vec![Fingerprint { hash: "sha-256".to_owned(), digest: vec![self.pick(2); 32] }],
        }
    }

    fn stream(&mut self) -> Stream {
        let codec = [Codec::Pcmu, Codec::Pcma, Codec::Opus, Codec::G722][usize::from(self.pick(4))];
        let clock = codec.clock_hz();
        Stream {
            codec,
            send_pt: 96,
            receive: vec![(0, Codec::Pcmu), (8, Codec::Pcma), (111, Codec::Opus), (9, Codec::G722)],
            send_events: if self.pick(3) > 0 { vec![(101, clock)] } else { Vec::new() },
            receive_events: vec![(101, 8000), (102, 48_000)],
            ptime_ms: [20, 10, 30, 60, 0, 65_535][usize::from(self.pick(6))],
            ssrc: u32::from(self.pick(4)),
            cname: "name".to_owned(),
        }
    }

    fn packet(&mut self) {
        let port = PortId(u32::from(self.pick(14)));
        let from = at(PEERS[usize::from(self.pick(4))]);
        let bytes = match self.pick(5) {
            0 => {
                let len = usize::from(self.pick(64)).min(self.script.len());
                let (raw, rest) = self.script.split_at(len);
                self.script = rest;
                raw.to_vec()
            }
            1 => self.check_of(from),
            2 => vec![22, 0xfe, 0xfd, self.pick(6)],
            3 => self.rtp_packet(),
            _ => self.rtcp_packet(),
        };
        let mut p = Packet::of(&bytes);
        if let Verdict::Forward { to, range, .. } = self.shard.handle_packet(self.now, port, from, &mut p) {
            assert!(to != at(PEERS[3]) && !p.slice(range).is_empty());
        }
    }

    fn check_of(&mut self, from: SocketAddr) -> Vec<u8> {
        let user = format!("{}{}{}:peer", self.pick(3), ["A", "B"][usize::from(self.pick(2))], self.pick(2));
        self.count += 1;
        let mut id = [0; 12];
        id[..4].copy_from_slice(&self.count.to_be_bytes());
        let mut check = Builder::binding(Class::Request, TransactionId(id))
            .attribute(attribute::USERNAME, user.as_bytes())
            .attribute(attribute::ICE_CONTROLLING, &[7; 8]);
        if self.pick(2) == 0 {
            check = check.attribute(attribute::USE_CANDIDATE, &[]);
        }
        // The stranger does not know the password.
        check.sign(if from == at(PEERS[3]) { b"wrong" } else { PWD.as_bytes() })
    }

    fn rtp_packet(&mut self) -> Vec<u8> {
        let pt = [0, 8, 111, 101, 102, 9, 13][usize::from(self.pick(7))];
        let (seq, time) = (u16::from(self.pick(255)) * 257, u32::from(self.pick(255)) * 160);
        let mut bytes = vec![0; 12 + usize::from(self.pick(200))];
        Header::write(&mut bytes, PayloadType(pt), false, seq, time, Ssrc(u32::from(self.pick(2))));
        bytes[0] |= [0, 0x10, 0x20, 0x01][usize::from(self.pick(4))];
        if let Some(last) = bytes.last_mut() {
            *last = self.pick(16);
        }
        bytes
    }

    fn rtcp_packet(&mut self) -> Vec<u8> {
        let kind = 200 + self.pick(8);
        let mut bytes = vec![0x81, kind, 0, 7];
        bytes.extend(std::iter::repeat_with(|| self.pick(255)).take(28));
        bytes
    }

    fn check(&mut self) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                Output::Transmit { to, bytes, .. } => {
                    assert!(to.ip() != at(PEERS[3]).ip(), "nothing goes to a stranger");
                    assert!(!bytes.is_empty());
                }
                Output::Event(event) => self.closed += usize::from(matches!(event.kind, EventKind::Closed { .. })),
                Output::Bind { port, .. } if port.0 % 5 == 4 => self.shard.handle_bind_failed(self.now, port),
                Output::Bind { .. } | Output::Unbind { .. } => {}
            }
        }
    }
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("a constant address")
}

/// A handshake that does what the datagram's fourth byte says.
struct Scripted;

/// One association of it.
struct Association(dtls::Role, Option<Instant>);

impl Handshakes for Scripted {
    fn make(&self, role: dtls::Role, _: &[dtls::Fingerprint]) -> Box<dyn Handshake> {
        Box::new(Association(role, None))
    }

    fn fingerprint(&self) -> dtls::Fingerprint {
        dtls::Fingerprint::of(dtls::HashKind::Sha256, b"scripted")
    }
}

impl Handshake for Association {
    fn start(&mut self, now: Now, out: &mut Outputs) {
        self.1 = Some(now.mono + Duration::from_secs(1));
        out.push(dtls::Output::Transmit(vec![22, 1]));
    }

    fn handle_datagram(&mut self, _: Now, datagram: &[u8], out: &mut Outputs) {
        let profile = SrtpProfile::Aes128CmSha1_80;
        match datagram.get(3) {
            Some(0..=2) => {
                let keys = KeyingMaterial::new(profile, &[7; 60]).expect("the profile's length");
                let hash = || dtls::Fingerprint::of(dtls::HashKind::Sha256, b"peer");
                let peer_fingerprints = Box::new([hash(), hash(), hash(), hash()]);
                out.push(dtls::Output::Connected { keys, profile, suite: "", role: self.0, peer_fingerprints });
            }
            Some(3) => out.push(dtls::Output::Failed { why: dtls::Failure::FingerprintMismatch }),
            Some(4) => out.push(dtls::Output::Closed),
            Some(_) | None => {}
        }
    }

    fn handle_timeout(&mut self, _: Now, out: &mut Outputs) {
        if self.1.take().is_some() {
            out.push(dtls::Output::Transmit(vec![22, 2]));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survives_any_script(script in prop::collection::vec(any::<u8>(), 0..600)) {
            super::session(&script);
        }
    }
}
