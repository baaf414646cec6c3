//! All sessions of one media thread: who gets a packet, who has something due.
//!
//! The outside talks to this value alone. A packet finds its session by the
//! socket it came to, on the shared socket by its source address once ICE has
//! proved it; only STUN may come from an unknown address, and it is led by the
//! user fragment it names (RFC 8445 §7.3). The answer to a packet is returned
//! as a [`Verdict`] over the same buffer: nothing is queued or allocated on
//! the way of a relayed packet.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;

use super::command::Command;
use super::config::Config;
use super::demux::{self, Kind as Proto};
use super::event::{Event, EventKind, MediaFailure, SideReport};
use super::index::Index;
use super::packet::Packet;
use super::plan::{End, Plan, SidePlan};
use super::session::Session;
use super::side::Side;
use crate::base::limits::MEDIA_SESSIONS;
use crate::base::{CallId, Deadlines, Instant, Leg, MediaId, Now, Rng};
use crate::dtls::Handshakes;
use crate::ice;
use crate::rtp::srtp;

/// A socket of this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u32);

/// What to do with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send these bytes of its buffer.
    Forward {
        /// From this socket.
        port: PortId,
        /// To this address.
        to: SocketAddr,
        /// [`Packet::slice`] has them.
        range: Range<usize>,
    },
    /// It has been used up.
    Absorbed,
    /// It is counted and forgotten.
    Dropped(Reason),
}

/// Why a packet is dropped: a closed set, each a label of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// From an address that nothing has proved.
    Stranger,
    /// None of the protocols that may come here.
    Unexpected,
    /// STUN without or with wrong credentials, or not a check.
    Stun,
    /// Broken RTP, RTCP or SRTP.
    Malformed,
    /// SRTP before DTLS is done.
    NoKeys,
    /// Its tag is wrong.
    Forged,
    /// Received before, or too old to tell.
    Replayed,
    /// A payload type or codec that was not agreed.
    NotNegotiated,
    /// The socket belongs to no session any more.
    Closed,
    /// Our own limit: sources or packets of a key.
    Limit,
    /// Too far from the other packets of its source; believed if its successor follows.
    Jump,
    /// Its place in the outgoing stream has been given away.
    Late,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::Stranger,
        Self::Unexpected,
        Self::Stun,
        Self::Malformed,
        Self::NoKeys,
        Self::Forged,
        Self::Replayed,
        Self::NotNegotiated,
        Self::Closed,
        Self::Limit,
        Self::Jump,
        Self::Late,
    ];

    /// Its name as a label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stranger => "media_stranger",
            Self::Unexpected => "media_unexpected",
            Self::Stun => "media_stun",
            Self::Malformed => "media_malformed",
            Self::NoKeys => "media_no_keys",
            Self::Forged => "media_forged",
            Self::Replayed => "media_replayed",
            Self::NotNegotiated => "media_not_negotiated",
            Self::Closed => "media_closed",
            Self::Limit => "media_limit",
            Self::Jump => "media_jump",
            Self::Late => "media_late",
        }
    }
}

impl From<srtp::Drop> for Reason {
    fn from(why: srtp::Drop) -> Self {
        match why {
            srtp::Drop::Truncated | srtp::Drop::Malformed | srtp::Drop::NoRoom => Self::Malformed,
            srtp::Drop::Replayed | srtp::Drop::TooOld | srtp::Drop::IndexReused => Self::Replayed,
            srtp::Drop::BadTag => Self::Forged,
            srtp::Drop::TooManySources | srtp::Drop::UnknownSource | srtp::Drop::Exhausted => Self::Limit,
        }
    }
}

/// What the shard wants of its thread, besides the verdicts.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a socket.
    Bind {
        /// Its number from here on.
        port: PortId,
        /// Its address.
        local: SocketAddr,
        /// Its DSCP.
        dscp: u8,
    },
    /// Close it.
    Unbind {
        /// The socket.
        port: PortId,
    },
    /// Send a packet made here.
    Transmit {
        /// From this socket.
        port: PortId,
        /// To this address.
        to: SocketAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// Tell the call.
    Event(Event),
}

/// Packets by fate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets handed in.
    pub received: u64,
    /// Packets sent on.
    pub forwarded: u64,
    /// Packets made here: transcoded extras, services, RTCP, STUN, DTLS.
    pub made: u64,
    /// Dropped, by [`Reason`].
    pub dropped: [u64; Reason::ALL.len()],
}

/// The sessions of one thread.
pub struct Shard {
    config: Config,
    handshakes: Box<dyn Handshakes>,
    rng: Rng,
    sessions: Vec<Option<Box<Session>>>,
    free_sessions: Vec<usize>,
    by_media: HashMap<MediaId, usize>,
    ports: Vec<Owner>,
    free_ports: Vec<PortId>,
    shared: Vec<(SocketAddr, PortId)>,
    index: Index,
    deadlines: Deadlines<usize>,
    out: VecDeque<Output>,
    counters: Counters,
}

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Nobody,
    Shared(usize),
    Rtp(usize, Leg),
    Rtcp(usize, Leg),
}

impl Shard {
    /// A shard without sessions; its shared sockets are the first outputs.
    pub fn new(config: Config, handshakes: Box<dyn Handshakes>, rng: Rng) -> Self {
        let mut shard = Self {
            handshakes,
            rng,
            sessions: Vec::new(),
            free_sessions: Vec::new(),
            by_media: HashMap::new(),
            ports: Vec::new(),
            free_ports: Vec::new(),
            shared: Vec::new(),
            index: Index::new(),
            deadlines: Deadlines::new(),
            out: VecDeque::new(),
            counters: Counters::default(),
            config,
        };
        for (local, dscp) in shard.config.shared.clone() {
            shard.shared_port(local, dscp);
        }
        shard
    }

    /// Takes a packet in its buffer.
    pub fn handle_packet(&mut self, now: Now, at: PortId, from: SocketAddr, p: &mut Packet) -> Verdict {
        self.counters.received += 1;
        let verdict = self.judge(now, at, from, p);
        match &verdict {
            Verdict::Forward { .. } => self.counters.forwarded += 1,
            Verdict::Absorbed => {}
            Verdict::Dropped(reason) => self.counters.dropped[*reason as usize] += 1,
        }
        verdict
    }

    fn judge(&mut self, now: Now, at: PortId, from: SocketAddr, p: &mut Packet) -> Verdict {
        let owner = self.ports.get(at.0 as usize).copied().unwrap_or(Owner::Nobody);
        let proto = demux::kind_of(p.bytes());
        let (index, leg) = match (owner, proto) {
            (Owner::Nobody, _) => return Verdict::Dropped(Reason::Closed),
            (Owner::Shared(slot), Proto::Stun) => return self.stun(now, at, self.shared[slot].0, from, p),
            (Owner::Shared(_), _) => match self.index.by_source(at, from) {
                Some(found) => found,
                None => return Verdict::Dropped(Reason::Stranger),
            },
            (Owner::Rtp(index, leg), Proto::Rtp | Proto::Rtcp) => (index, leg),
            (Owner::Rtcp(index, leg), Proto::Rtcp) => (index, leg),
            (Owner::Rtp(..) | Owner::Rtcp(..), _) => return Verdict::Dropped(Reason::Unexpected),
        };
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Verdict::Dropped(Reason::Closed);
        };
        match proto {
            Proto::Rtp => {
                let verdict = session.on_rtp(now, leg, from, p, &self.config, &mut self.out);
                if std::mem::take(&mut session.stirred) {
                    self.rearm(index);
                }
                verdict
            }
            Proto::Rtcp => absorbed(session.on_rtcp(now, leg, from, p)),
            Proto::Dtls => {
                let verdict = absorbed(session.on_dtls(now, leg, p.bytes(), &mut self.out));
                self.rearm(index);
                verdict
            }
            Proto::Stun | Proto::Unknown => Verdict::Dropped(Reason::Unexpected),
        }
    }

    fn stun(&mut self, now: Now, at: PortId, local: SocketAddr, from: SocketAddr, p: &Packet) -> Verdict {
        // The fragment decides, not the source: a NAT may give an old address to another browser.
        let found = ice::ufrag_of(p.bytes()).and_then(|ufrag| self.index.by_ufrag(ufrag));
        let Some((index, leg)) = found else { return Verdict::Dropped(Reason::Stun) };
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Verdict::Dropped(Reason::Closed);
        };
        match session.on_stun(now, leg, (at, local), from, p.bytes(), &mut self.out) {
            Ok(proved) => {
                if proved {
                    self.index.prove((index, leg), at, from);
                }
                self.rearm(index);
                Verdict::Absorbed
            }
            Err(why) => Verdict::Dropped(why),
        }
    }

    /// Obeys an order. One for a session that is gone is no error: orders and
    /// events cross.
    pub fn handle_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { media, call, plan } => self.open(now, media, call, *plan),
            Command::Set { media, leg, plan } => self.set(now, media, leg, *plan),
            Command::Digit { media, leg, digit, duration_ms } => {
                if let Some((index, session)) = self.find(media) {
                    session.send_digit(now, leg, digit, duration_ms);
                    self.rearm(index);
                }
            }
            Command::Close { media } => self.close(now, media),
        }
    }

    fn open(&mut self, now: Now, media: MediaId, call: CallId, plan: Plan) {
        if self.by_media.contains_key(&media) {
            // An order that came twice; the session goes on, and its one `Closed` is still to come.
            return;
        }
        if self.by_media.len() >= self.config.sessions.min(MEDIA_SESSIONS) {
            let tell = |kind| Output::Event(Event { at: now, media, call, kind });
            self.out.push_back(tell(EventKind::Failed { leg: Leg::A, why: MediaFailure::ShardFull }));
            self.out.push_back(tell(EventKind::Closed { reports: Box::default() }));
            return;
        }
        let index = self.free_sessions.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            self.sessions.len() - 1
        });
        let [a, b] = plan.sides;
        let sides = [self.side(now, index, Leg::A, a), self.side(now, index, Leg::B, b)];
        let mut session = Box::new(Session::new(media, call, sides));
        session.begin(now, self.handshakes.as_ref(), &mut self.rng);
        self.sessions[index] = Some(session);
        self.by_media.insert(media, index);
        self.rearm(index);
    }

    /// A side with its sockets.
    fn side(&mut self, now: Now, index: usize, leg: Leg, plan: SidePlan) -> Side {
        let dscp = self.config.dscp.get(usize::from(plan.realm.0)).copied().unwrap_or(46);
        let ports = match &plan.end {
            End::WebRtc(w) => {
                self.index.name((index, leg), &w.ice.ufrag);
                [self.shared_port(w.local, dscp); 2]
            }
            End::Rtp(r) => {
                let rtcp = SocketAddr::new(r.local.ip(), r.local.port().saturating_add(1));
                [self.bind(r.local, dscp, Owner::Rtp(index, leg)), self.bind(rtcp, dscp, Owner::Rtcp(index, leg))]
            }
            End::Service(_) => [PortId(u32::MAX); 2],
        };
        Side::new(now, plan, ports, &mut self.rng)
    }

    fn bind(&mut self, local: SocketAddr, dscp: u8, owner: Owner) -> PortId {
        let port = self.free_ports.pop().unwrap_or_else(|| {
            self.ports.push(Owner::Nobody);
            PortId(self.ports.len() as u32 - 1)
        });
        self.ports[port.0 as usize] = owner;
        self.out.push_back(Output::Bind { port, local, dscp });
        port
    }

    fn shared_port(&mut self, local: SocketAddr, dscp: u8) -> PortId {
        if let Some((_, port)) = self.shared.iter().find(|(known, _)| *known == local) {
            return *port;
        }
        let port = self.bind(local, dscp, Owner::Shared(self.shared.len()));
        self.shared.push((local, port));
        port
    }

    fn set(&mut self, now: Now, media: MediaId, leg: Leg, plan: SidePlan) {
        let Some(&index) = self.by_media.get(&media) else { return };
        if let End::WebRtc(w) = &plan.end {
            // After a restart checks with the old fragment still come for a while; both lead here.
            self.index.name((index, leg), &w.ice.ufrag);
        }
        if let Some(session) = self.sessions[index].as_mut() {
            session.set(now, leg, plan, self.handshakes.as_ref(), &mut self.rng, &mut self.out);
        }
        self.rearm(index);
    }

    fn close(&mut self, now: Now, media: MediaId) {
        let Some(index) = self.by_media.remove(&media) else { return };
        let Some(mut session) = self.sessions[index].take() else { return };
        session.close(now, &mut self.out);
        for port in session.ports() {
            self.ports[port.0 as usize] = Owner::Nobody;
            self.free_ports.push(port);
            self.out.push_back(Output::Unbind { port });
        }
        self.index.close(index);
        self.deadlines.stop(&index);
        self.free_sessions.push(index);
    }

    /// A socket could not be opened: its session cannot go on.
    pub fn handle_bind_failed(&mut self, now: Now, port: PortId) {
        let owner = self.ports.get(port.0 as usize).copied().unwrap_or(Owner::Nobody);
        let (Owner::Rtp(index, leg) | Owner::Rtcp(index, leg)) = owner else { return };
        if let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) {
            session.fail(now, leg, MediaFailure::PortUnavailable, &mut self.out);
        }
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(index) = self.deadlines.pop(now.mono) {
            if let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) {
                session.handle_timeout(now, &self.config, &mut self.rng, &mut self.out);
            }
            self.rearm_after(index, now.mono);
        }
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.out.pop_front()?;
        self.counters.made += u64::from(matches!(output, Output::Transmit { .. }));
        Some(output)
    }

    /// The numbers of a session so far.
    pub fn report(&self, media: MediaId) -> Option<[SideReport; 2]> {
        let session = self.sessions.get(*self.by_media.get(&media)?)?.as_ref()?;
        Some([session.sides[0].report(), session.sides[1].report()])
    }

    /// The numbers of every session that has heard or sent anything, in the order of its slots.
    pub fn samples(&self) -> Vec<(CallId, [SideReport; 2])> {
        let live = self.sessions.iter().flatten();
        let sample = |s: &Session| (s.call, [s.sides[0].report(), s.sides[1].report()]);
        live.map(|s| sample(s)).filter(|(_, r)| r.iter().any(|r| r.packets_received + r.packets_sent > 0)).collect()
    }

    /// Packets by fate.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Live sessions.
    pub fn sessions(&self) -> usize {
        self.by_media.len()
    }

    fn find(&mut self, media: MediaId) -> Option<(usize, &mut Session)> {
        let index = *self.by_media.get(&media)?;
        Some((index, self.sessions.get_mut(index)?.as_mut()?))
    }

    /// Moves a session's deadline forward if it is due earlier than it was; one
    /// that is due later is found out when the old one comes, so that packets
    /// cost nothing here.
    fn rearm(&mut self, index: usize) {
        let due = self.sessions[index].as_ref().and_then(|s| s.poll_timeout(&self.config));
        let Some(due) = due else { return };
        if self.deadlines.at(&index).is_none_or(|set| due < set) {
            self.deadlines.set(index, due);
        }
    }

    /// The same after a deadline; never again at once, whatever a machine says.
    fn rearm_after(&mut self, index: usize, now: Instant) {
        let Some(session) = self.sessions.get(index).and_then(Option::as_ref) else { return };
        if let Some(due) = session.poll_timeout(&self.config) {
            self.deadlines.set(index, due.max(now + std::time::Duration::from_millis(1)));
        }
    }
}

fn absorbed(result: Result<(), Reason>) -> Verdict {
    match result {
        Ok(()) => Verdict::Absorbed,
        Err(why) => Verdict::Dropped(why),
    }
}
