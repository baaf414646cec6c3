//! One call's media: two sides and what they do over time.
//!
//! The shard finds the session of a packet; here it is taken apart. Everything
//! that happens on time (ICE and DTLS bounds, consent, reports, silence, a
//! service's frames, a digit's packets) is asked for by [`Session::poll_timeout`]
//! and done by [`Session::handle_timeout`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::config::Config;
use super::event::{Event, EventKind, MediaFailure};
use super::packet::Packet;
use super::path::{self, Arrival};
use super::plan::{End, SidePlan};
use super::receiver::Content;
use super::report;
use super::shard::{Output, PortId, Reason, Verdict};
use super::side::{DtlsNews, Kind, Side};
use crate::base::{CallId, Instant, Leg, MediaId, Now, Rng};
use crate::codec::PAYLOAD_BYTES;
use crate::dtls::{self, Handshakes};
use crate::ice;
use crate::rtp::header::Header;
use crate::rtp::sequence::Seen;
use crate::rtp::telephone_event::{Digit, Heard};

/// A session.
pub struct Session {
    /// Its id.
    pub media: MediaId,
    /// Its call.
    pub call: CallId,
    /// Caller's and called side.
    pub sides: [Side; 2],
    /// A packet moved a deadline forward; the shard asks for it again.
    pub stirred: bool,
    /// A failure was told; the call is about to close us.
    failed: bool,
}

/// Both legs, for loops.
const LEGS: [Leg; 2] = [Leg::A, Leg::B];

impl Session {
    /// A session of two sides.
    pub fn new(media: MediaId, call: CallId, sides: [Side; 2]) -> Self {
        Self { media, call, sides, stirred: false, failed: false }
    }

    /// Begins what the plan allows from the start.
    pub fn begin(&mut self, now: Now, handshakes: &dyn Handshakes, rng: &mut Rng) {
        for side in &mut self.sides {
            schedule_report(now, side, rng);
            if let (Kind::WebRtc(end), End::WebRtc(plan)) = (&mut side.kind, &side.plan.end) {
                end.prepare(plan, handshakes);
            }
        }
        self.wake_services(now);
    }

    /// Takes a newer plan for a side.
    pub fn set(
        &mut self,
        now: Now,
        leg: Leg,
        plan: SidePlan,
        handshakes: &dyn Handshakes,
        rng: &mut Rng,
        out: &mut VecDeque<Output>,
    ) {
        let side = &mut self.sides[leg.index()];
        side.set(now, plan, handshakes);
        schedule_report(now, side, rng);
        self.start_dtls(now, leg, out);
        self.wake_services(now);
    }

    /// A STUN message for a side that came to its socket.
    pub fn on_stun(
        &mut self,
        now: Now,
        leg: Leg,
        (at, local): (PortId, SocketAddr),
        from: SocketAddr,
        bytes: &[u8],
        out: &mut VecDeque<Output>,
    ) -> Result<bool, Reason> {
        let side = &mut self.sides[leg.index()];
        let since = side.since;
        let Kind::WebRtc(end) = &mut side.kind else { return Err(Reason::Unexpected) };
        if end.port != at {
            // Another realm's socket: our candidates do not name it.
            return Err(Reason::Stun);
        }
        let (reply, change) = match end.agent.handle(now, from, local, bytes) {
            ice::Outcome::Answered { reply, change, .. } => (reply, Some(change)),
            ice::Outcome::Refused { reply, .. } => (reply, None),
            ice::Outcome::Dropped(_) => return Err(Reason::Stun),
        };
        out.push_back(Output::Transmit { port: at, to: from, bytes: reply });
        let Some(change) = change else { return Ok(false) };
        let moved = end.on_change(from, change);
        if change == ice::Change::Nominated {
            let first = !std::mem::replace(&mut end.connected, true);
            let remote = end.remote.unwrap_or(from);
            if first {
                let after_ms = (now.mono - since).as_millis() as u32;
                self.tell(now, EventKind::IceConnected { leg, remote, after_ms }, out);
            } else if moved {
                self.tell(now, EventKind::IceMoved { leg, remote }, out);
            }
        }
        self.start_dtls(now, leg, out);
        self.wake_services(now);
        Ok(true)
    }

    /// A DTLS datagram from a proved address.
    pub fn on_dtls(&mut self, now: Now, leg: Leg, bytes: &[u8], out: &mut VecDeque<Output>) -> Result<(), Reason> {
        let Kind::WebRtc(end) = &mut self.sides[leg.index()].kind else { return Err(Reason::Unexpected) };
        let mut outputs = Vec::new();
        end.handle_dtls(now, bytes, &mut outputs).ok_or(Reason::Unexpected)?;
        self.do_dtls(now, leg, outputs, out);
        Ok(())
    }

    fn start_dtls(&mut self, now: Now, leg: Leg, out: &mut VecDeque<Output>) {
        if let Kind::WebRtc(end) = &mut self.sides[leg.index()].kind {
            let mut outputs = Vec::new();
            end.start_dtls(now, &mut outputs);
            self.do_dtls(now, leg, outputs, out);
        }
    }

    fn do_dtls(&mut self, now: Now, leg: Leg, outputs: dtls::Outputs, out: &mut VecDeque<Output>) {
        for output in outputs {
            let side = &mut self.sides[leg.index()];
            let Kind::WebRtc(end) = &mut side.kind else { return };
            if let dtls::Output::Transmit(bytes) = output {
                if let Some(to) = end.remote {
                    out.push_back(Output::Transmit { port: end.port, to, bytes });
                }
                continue;
            }
            match end.on_dtls(now, output) {
                Some(DtlsNews::Connected(profile, took)) => {
                    let after_ms = took.as_millis() as u32;
                    let profile = profile.name().to_owned();
                    self.tell(now, EventKind::DtlsConnected { leg, profile, after_ms }, out);
                    self.wake_services(now);
                }
                Some(DtlsNews::Failed(why)) => self.fail(now, leg, why, out),
                None => {}
            }
        }
    }

    /// An RTP packet for a side; from a proved address if the side has ICE.
    pub fn on_rtp(
        &mut self,
        now: Now,
        leg: Leg,
        from: SocketAddr,
        p: &mut Packet,
        config: &Config,
        out: &mut VecDeque<Output>,
    ) -> Verdict {
        let side = &mut self.sides[leg.index()];
        let learned = match side.open_rtp(now, from, p) {
            Ok(learned) => learned,
            Err(why) => return Verdict::Dropped(why),
        };
        if learned {
            self.tell(now, EventKind::Latched { leg, remote: from }, out);
            self.wake_services(now);
            self.stirred = true;
        }
        let side = &mut self.sides[leg.index()];
        let Ok(header) = Header::parse(p.bytes()) else {
            side.receiver.discarded += 1;
            return Verdict::Dropped(Reason::Malformed);
        };
        let Some(stream) = &side.plan.stream else { return Verdict::Dropped(Reason::NotNegotiated) };
        let (content, seen) = side.receiver.on_packet(now, &header, p.bytes(), stream);
        if !side.heard {
            side.heard = true;
            self.tell(now, EventKind::FirstPacket { leg, remote: from }, out);
        }
        match (seen, content) {
            (Seen::Duplicate, _) => return Verdict::Dropped(Reason::Replayed),
            (Seen::Jump, _) => return Verdict::Dropped(Reason::Jump),
            (_, Content::Nothing) => return Verdict::Dropped(Reason::NotNegotiated),
            (_, Content::Audio(_) | Content::Event(..)) => {}
        }
        let side = &mut self.sides[leg.index()];
        if let Content::Event(event, clock_hz) = content
            && side.plan.direction.receives()
        {
            self.stirred = true;
            let heard = side.receiver.on_event(now, &header, event, clock_hz);
            for one in heard.into_iter().flatten() {
                self.heard(now, leg, one, out);
            }
        }
        path::pass(now, &mut self.sides, Arrival { leg, content, seen }, p, &config.tuning, out)
    }

    /// An RTCP compound for a side.
    pub fn on_rtcp(&mut self, now: Now, leg: Leg, from: SocketAddr, p: &mut Packet) -> Result<(), Reason> {
        let side = &mut self.sides[leg.index()];
        side.open_rtcp(from, p)?;
        report::on_rtcp(now, side, p.bytes())
    }

    /// Sends a digit to a side's peer as telephone events; false if it is none,
    /// or the peer takes none at present, or too many wait.
    pub fn send_digit(&mut self, now: Now, leg: Leg, digit: char, duration_ms: u32) -> bool {
        let side = &mut self.sides[leg.index()];
        let takes = side.is_ready() && side.plan.stream.as_ref().is_some_and(|s| path::event_type(s).is_some());
        match Digit::from_char(digit).filter(|_| takes) {
            Some(digit) => side.digits.push(now, digit, duration_ms),
            None => false,
        }
    }

    /// Ends the session: BYE and close_notify to whoever can be reached.
    pub fn close(&mut self, now: Now, out: &mut VecDeque<Output>) {
        for side in &mut self.sides {
            if side.is_connected() {
                out.extend(report::make(now, side, true));
            }
            let Kind::WebRtc(end) = &mut side.kind else { continue };
            let (port, remote) = (end.port, end.remote);
            let mut outputs = Vec::new();
            if let Some(handshake) = end.handshake() {
                handshake.close(now, &mut outputs);
            }
            for output in outputs {
                if let (dtls::Output::Transmit(bytes), Some(to)) = (output, remote) {
                    out.push_back(Output::Transmit { port, to, bytes });
                }
            }
        }
        let reports = Box::new([self.sides[0].report(), self.sides[1].report()]);
        self.tell(now, EventKind::Closed { reports }, out);
    }

    /// The sockets of its own.
    pub fn ports(&self) -> impl Iterator<Item = PortId> + use<> {
        let of = |side: &Side| match &side.kind {
            Kind::Rtp(end) => [Some(end.rtp), Some(end.rtcp)],
            Kind::WebRtc(_) | Kind::Service(_) => [None; 2],
        };
        [of(&self.sides[0]), of(&self.sides[1])].into_iter().flatten().flatten()
    }

    /// When something is due.
    pub fn poll_timeout(&self, config: &Config) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut earlier = |at: Option<Instant>| next = next.into_iter().chain(at).min();
        for (leg, side) in LEGS.into_iter().zip(&self.sides) {
            earlier(side.receiver.poll_timeout());
            earlier(side.report_at);
            earlier(side.digits.poll_timeout());
            if !self.failed {
                earlier(side.silent_until(config));
                earlier(self.ice_until(leg, config));
            }
            match &side.kind {
                Kind::WebRtc(end) => {
                    earlier(end.dtls_timeout());
                    earlier(end.closing);
                    earlier(end.agent.poll_timeout().filter(|_| !end.expired));
                }
                Kind::Rtp(_) => {}
                Kind::Service(service) => earlier(service.poll_timeout()),
            }
        }
        next
    }

    fn ice_until(&self, leg: Leg, config: &Config) -> Option<Instant> {
        let side = &self.sides[leg.index()];
        match (&side.kind, &side.plan.end) {
            (Kind::WebRtc(end), End::WebRtc(plan)) if !end.connected && plan.remote_ice.is_some() => {
                Some(side.since + config.ice)
            }
            _ => None,
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now, config: &Config, rng: &mut Rng, out: &mut VecDeque<Output>) {
        for leg in LEGS {
            self.serve(now, leg, config, out);
            self.render_digits(now, leg, out);
            let side = &mut self.sides[leg.index()];
            if let Some(heard) = side.receiver.handle_timeout(now) {
                self.heard(now, leg, heard, out);
            }
            self.time_transport(now, leg, config, out);
            let side = &mut self.sides[leg.index()];
            if side.report_at.is_some_and(|at| at <= now.mono) {
                let spread = config.report_every.as_millis() as u64;
                // RFC 3550 §6.3.1: between half and one and a half of the interval.
                side.report_at = Some(now.mono + Duration::from_millis(spread / 2 + rng.below(spread)));
                if side.is_connected() {
                    out.extend(report::make(now, side, false));
                }
            }
            if !self.failed && self.sides[leg.index()].silent_until(config).is_some_and(|at| at <= now.mono) {
                self.fail(now, leg, MediaFailure::Inactive, out);
            }
        }
    }

    fn time_transport(&mut self, now: Now, leg: Leg, config: &Config, out: &mut VecDeque<Output>) {
        if !self.failed && self.ice_until(leg, config).is_some_and(|at| at <= now.mono) {
            self.fail(now, leg, MediaFailure::IceTimeout, out);
        }
        let Kind::WebRtc(end) = &mut self.sides[leg.index()].kind else { return };
        let mut outputs = Vec::new();
        let due = end.dtls_timeout().is_some_and(|at| at <= now.mono);
        if let Some(handshake) = end.handshake().filter(|_| due) {
            handshake.handle_timeout(now, &mut outputs);
        }
        let (lost, closed) = (end.end_consent(now), end.is_closed(now));
        self.do_dtls(now, leg, outputs, out);
        if closed {
            self.fail(now, leg, MediaFailure::DtlsClosed, out);
        }
        if lost {
            self.fail(now, leg, MediaFailure::ConsentExpired, out);
        }
    }

    /// The frames that a service on the other side owes this side's peer.
    fn serve(&mut self, now: Now, leg: Leg, config: &Config, out: &mut VecDeque<Output>) {
        let [a, b] = &mut self.sides;
        let (listener, other) = match leg {
            Leg::A => (a, b),
            Leg::B => (b, a),
        };
        let Kind::Service(service) = &mut other.kind else { return };
        let Some((codec, pt, ptime)) = listener.plan.stream.as_ref().map(|s| (s.codec, s.send_pt, s.ptime_ms)) else {
            return;
        };
        if !listener.is_ready() {
            // What it says after a hold is later by the hold.
            service.pause();
            listener.sender.splice();
            return;
        }
        let mut payload = [0; PAYLOAD_BYTES];
        while let Some((len, time)) = service.frame(now, codec, ptime, &config.tuning, &mut payload) {
            out.extend(path::make(now, listener, &payload[..len], pt, time, codec.clock_hz()));
        }
    }

    fn render_digits(&mut self, now: Now, leg: Leg, out: &mut VecDeque<Output>) {
        let side = &mut self.sides[leg.index()];
        if !side.is_ready() {
            side.digits.clear();
        }
        while let Some(stream) = &side.plan.stream
            && let Some((pt, packet)) = side.digits.packet(now, stream, |clock| side.sender.time(now, clock))
        {
            out.extend(path::make_event(now, side, pt, packet.marker, packet.timestamp, packet.payload));
        }
    }

    fn wake_services(&mut self, now: Now) {
        let ready = [self.sides[0].is_ready(), self.sides[1].is_ready()];
        for (side, listener) in self.sides.iter_mut().zip([ready[1], ready[0]]) {
            match &mut side.kind {
                Kind::Service(service) if listener => service.begin(now),
                Kind::Service(_) | Kind::WebRtc(_) | Kind::Rtp(_) => {}
            }
        }
    }

    fn heard(&mut self, now: Now, leg: Leg, heard: Heard, out: &mut VecDeque<Output>) {
        if heard.end {
            let (digit, duration_ms) = (heard.digit.as_char(), heard.duration_ms);
            self.tell(now, EventKind::Digit { leg, digit, duration_ms }, out);
        }
    }

    /// Tells a failure once; the call machine closes the session.
    pub fn fail(&mut self, now: Now, leg: Leg, why: MediaFailure, out: &mut VecDeque<Output>) {
        if !self.failed {
            self.failed = true;
            self.tell(now, EventKind::Failed { leg, why }, out);
        }
    }

    fn tell(&self, now: Now, kind: EventKind, out: &mut VecDeque<Output>) {
        out.push_back(Output::Event(Event { at: now, media: self.media, call: self.call, kind }));
    }
}

/// RFC 3550 §6.2: the first report about half an interval after the stream is agreed.
fn schedule_report(now: Now, side: &mut Side, rng: &mut Rng) {
    if side.report_at.is_none() && side.plan.stream.is_some() && !matches!(side.kind, Kind::Service(_)) {
        side.report_at = Some(now.mono + Duration::from_millis(1000 + rng.below(1500)));
    }
}
