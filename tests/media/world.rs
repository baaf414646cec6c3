//! The world around a shard: a clock, sockets that are numbers, a wire that is a list.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sbc::base::redact::Secret;
use sbc::base::{CallId, Codec, Instant, Leg, MediaId, Now, RealmId, Rng};
use sbc::dtls::{Anchor, Certificate, DimplHandshakes, Fingerprint, Handshakes};
use sbc::media::command::Command;
use sbc::media::config::Config;
use sbc::media::event::{EventKind, SideReport};
use sbc::media::packet::Packet;
use sbc::media::plan::{self, Direction, End, IceCredentials, Latch, Plan, Rtp, Service, SidePlan, Stream, WebRtc};
use sbc::media::shard::{Output, PortId, Shard, Verdict};

/// The one session of most cases.
pub const MEDIA: MediaId = MediaId(7);

/// The shared socket.
pub const SHARED: &str = "192.0.2.1:8189";

/// Our RTP port of the caller's and of the called side.
pub const PAIR_A: &str = "192.0.2.1:30000";
/// See [`PAIR_A`].
pub const PAIR_B: &str = "192.0.2.1:30002";

/// Where the peers are.
pub const PEER_A: &str = "198.51.100.1:4000";
/// See [`PEER_A`].
pub const PEER_B: &str = "198.51.100.2:4000";
/// Somebody else.
pub const STRANGER: &str = "203.0.113.66:6666";

/// Our password towards every browser.
pub const PWD: &str = "our password of 22 chars";

/// A datagram that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// A shard and what is around it.
pub struct World {
    pub shard: Shard,
    pub now: Now,
    pub bound: BTreeMap<SocketAddr, PortId>,
    pub sent: Vec<Sent>,
    pub events: Vec<EventKind>,
    pub fingerprint: Fingerprint,
}

impl World {
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    pub fn with(config: Config) -> Self {
        let config = Config { shared: vec![(at(SHARED), 46)], ..config };
        let handshakes = handshakes();
        let fingerprint = handshakes.fingerprint();
        let shard = Shard::new(config, Box::new(handshakes), Rng::from_number(1));
        let now = Now::from_millis(5000, 1_795_189_440_000);
        let mut world = Self { shard, now, bound: BTreeMap::new(), sent: Vec::new(), events: Vec::new(), fingerprint };
        world.drain();
        world
    }

    /// A session of two sides, open.
    pub fn of(a: SidePlan, b: SidePlan) -> Self {
        let mut world = Self::new();
        world.open(a, b);
        world
    }

    pub fn open(&mut self, a: SidePlan, b: SidePlan) {
        self.command(Command::Open { media: MEDIA, call: CallId(1), plan: Box::new(Plan { sides: [a, b] }) });
    }

    pub fn set(&mut self, leg: Leg, plan: SidePlan) {
        self.command(Command::Set { media: MEDIA, leg, plan: Box::new(plan) });
    }

    pub fn close(&mut self) {
        self.command(Command::Close { media: MEDIA });
    }

    pub fn command(&mut self, command: Command) {
        self.shard.handle_command(self.now, command);
        self.drain();
    }

    /// A datagram arrives at our address `to`.
    pub fn arrive(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Verdict {
        let Some(port) = self.bound.get(&to).copied() else { panic!("{to} is not bound") };
        let mut packet = Packet::of(bytes);
        let verdict = self.shard.handle_packet(self.now, port, from, &mut packet);
        if let Verdict::Forward { port, to, range } = &verdict {
            let from = self.address(*port);
            self.sent.push(Sent { from, to: *to, bytes: packet.slice(range.clone()).to_vec() });
        }
        self.drain();
        verdict
    }

    /// Lets time pass, doing what falls due.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now.mono + Duration::from_millis(ms);
        while let Some(due) = self.shard.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.after(due - self.now.mono);
            self.shard.handle_timeout(self.now);
            self.drain();
            assert!(self.shard.poll_timeout().is_none_or(|next| next > self.now.mono), "time goes on");
        }
        self.now = self.now.after(until - self.now.mono);
    }

    fn drain(&mut self) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                Output::Bind { port, local, dscp } => {
                    assert_eq!(dscp, 46);
                    assert!(self.bound.insert(local, port).is_none(), "{local} is bound once");
                }
                Output::Unbind { port } => {
                    let local = self.address(port);
                    self.bound.remove(&local);
                }
                Output::Transmit { port, to, bytes } => {
                    let from = self.address(port);
                    self.sent.push(Sent { from, to, bytes });
                }
                Output::Event(event) => {
                    assert_eq!(event.at.mono, self.now.mono);
                    self.events.push(event.kind);
                }
            }
        }
    }

    fn address(&self, port: PortId) -> SocketAddr {
        let found = self.bound.iter().find(|(_, known)| **known == port);
        *found.expect("only bound sockets send").0
    }

    /// Takes what was sent to an address.
    pub fn take(&mut self, to: SocketAddr) -> Vec<Sent> {
        let (ours, rest) = std::mem::take(&mut self.sent).into_iter().partition(|sent| sent.to == to);
        self.sent = rest;
        ours
    }

    pub fn take_events(&mut self) -> Vec<EventKind> {
        std::mem::take(&mut self.events)
    }

    pub fn report(&self, leg: Leg) -> SideReport {
        self.shard.report(MEDIA).expect("a live session")[leg.index()].clone()
    }

    /// Packets dropped so far, by the reason's name.
    pub fn dropped(&self, reason: sbc::media::shard::Reason) -> u64 {
        self.shard.counters().dropped[reason as usize]
    }
}

/// A factory with a certificate of its own.
pub fn handshakes() -> DimplHandshakes {
    let anchor = Anchor { std: std::time::Instant::now(), base: Instant::from_millis(1000) };
    let certificate = Certificate::self_signed().expect("entropy");
    DimplHandshakes::new(sbc::dtls::Config::default(), certificate, anchor).expect("a valid configuration")
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().expect("a test address")
}

/// What a side speaks by default: payload types as we announce them.
pub fn stream(codec: Codec, ssrc: u32) -> Stream {
    let (pt, events) = match codec {
        Codec::Pcmu => (0, vec![(101, 8000)]),
        Codec::Pcma => (8, vec![(101, 8000)]),
        Codec::G722 => (9, vec![(101, 8000)]),
        Codec::Opus => (111, vec![(110, 48_000)]),
    };
    let receive = vec![(0, Codec::Pcmu), (8, Codec::Pcma), (9, Codec::G722), (111, Codec::Opus)];
    Stream {
        codec,
        send_pt: pt,
        receive,
        send_events: events.clone(),
        receive_events: events,
        ptime_ms: 20,
        ssrc,
        cname: format!("name{ssrc}"),
    }
}

fn side(end: End, stream: Option<Stream>) -> SidePlan {
    SidePlan { realm: RealmId(0), end, direction: Direction::SendRecv, stream }
}

/// A plain side at one of our pairs, with the peer at its place.
pub fn rtp(local: &str, remote: &str, stream: Stream) -> SidePlan {
    let end =
        Rtp { local: at(local), remote: Some(at(remote)), remote_rtcp: None, rtcp_mux: false, latch: Latch::Never };
    side(End::Rtp(end), Some(stream))
}

/// The caller's and the called phone.
pub fn phone_a(codec: Codec) -> SidePlan {
    rtp(PAIR_A, PEER_A, stream(codec, 0xa))
}

/// See [`phone_a`].
pub fn phone_b(codec: Codec) -> SidePlan {
    rtp(PAIR_B, PEER_B, stream(codec, 0xb))
}

/// A WebRTC side with the peer's fingerprint and our role.
pub fn webrtc(ufrag: &str, theirs: &Fingerprint, role: plan::DtlsRole, stream: Stream) -> SidePlan {
    let credentials = |ufrag: &str, pwd: &str| IceCredentials { ufrag: ufrag.to_owned(), pwd: Secret::new(pwd) };
    let end = WebRtc {
        local: at(SHARED),
        ice: credentials(ufrag, PWD),
        remote_ice: Some(credentials("peer", "the peer's own password")),
        dtls: Some(role),
        fingerprints: vec![plan::Fingerprint { hash: "sha-256".to_owned(), digest: theirs.bytes().to_vec() }],
    };
    side(End::WebRtc(end), Some(stream))
}

pub fn service(service: Service) -> SidePlan {
    side(End::Service(service), None)
}

pub fn directed(plan: SidePlan, direction: Direction) -> SidePlan {
    SidePlan { direction, ..plan }
}

/// Changes a plain side's end.
pub fn with_rtp(mut plan: SidePlan, change: impl FnOnce(&mut Rtp)) -> SidePlan {
    if let End::Rtp(end) = &mut plan.end {
        change(end);
    }
    plan
}

/// Changes a WebRTC side's end.
pub fn with_webrtc(mut plan: SidePlan, change: impl FnOnce(&mut WebRtc)) -> SidePlan {
    if let End::WebRtc(end) = &mut plan.end {
        change(end);
    }
    plan
}
