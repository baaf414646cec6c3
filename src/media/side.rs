//! One side of a session: its far end, what came from it and what goes to it.
//!
//! A side knows how to tell its peer's packets from a stranger's (nominated
//! pair and SRTP, or the latch), how to open them and how to seal what is sent.
//! What crosses between two sides is `path`'s.

use std::net::SocketAddr;
use std::time::Duration;

use super::config::Config;
use super::digits::Digits;
use super::event::{MediaFailure, SideReport};
use super::latch::{Latch, Source};
use super::packet::Packet;
use super::plan::{DtlsRole, End, Fingerprint, Rtp, SidePlan, WebRtc};
use super::receiver::Receiver;
use super::sender::Sender;
use super::service::Running;
use super::shard::{PortId, Reason};
use super::transcode::Transcoder;
use crate::base::limits::CLOSE_GRACE;
use crate::base::{Instant, Now, Rng};
use crate::dtls::{self, Handshake, Handshakes};
use crate::ice;
use crate::ice::consent;
use crate::rtp::header::Ssrc;
use crate::rtp::srtp::{self, Inbound, Keys, Outbound, Profile};

/// One side.
pub struct Side {
    /// What it is to be.
    pub plan: SidePlan,
    /// Its far end.
    pub kind: Kind,
    /// What comes from the peer.
    pub receiver: Receiver,
    /// What goes to the peer.
    pub sender: Sender,
    /// When ICE began or began anew: its bound counts from here.
    pub since: Instant,
    /// Since when the peer may be heard: its silence counts from here.
    pub listens_since: Instant,
    /// True once the first packet was told.
    pub heard: bool,
    /// When the next RTCP report is due.
    pub report_at: Option<Instant>,
    /// From this side's codec to the other's, while they differ.
    pub transcoder: Option<Box<Transcoder>>,
    /// Digits being rendered towards the peer.
    pub digits: Digits,
}

/// The far end of a side.
pub enum Kind {
    /// ICE, DTLS, SRTP.
    WebRtc(Box<WebRtcEnd>),
    /// Plain RTP.
    Rtp(RtpEnd),
    /// Ourselves.
    Service(Running),
}

/// A far end behind ICE and DTLS.
pub struct WebRtcEnd {
    /// The shared socket.
    pub port: PortId,
    /// Answers its checks.
    pub agent: ice::Agent,
    /// Where to send: the nominated pair's address, until then the first proved one's.
    pub remote: Option<SocketAddr>,
    /// True once nomination was told.
    pub connected: bool,
    /// Consent ran out; nothing is sent until a check renews it.
    pub expired: bool,
    /// ICE restarted, and nothing was nominated since: a handshake waits for that.
    restarted: bool,
    /// When authentic media last came on the pair in use.
    media_at: Option<Instant>,
    handshake: Option<Box<dyn Handshake>>,
    agreed: Option<(DtlsRole, Vec<Fingerprint>)>,
    /// When the running handshake began.
    pub started: Option<Instant>,
    /// When a close of the association ends the call.
    pub closing: Option<Instant>,
    srtp: Option<(Outbound, Inbound)>,
}

/// A far end with plain RTP.
pub struct RtpEnd {
    /// The RTP socket.
    pub rtp: PortId,
    /// The RTCP socket.
    pub rtcp: PortId,
    /// Whom to believe.
    pub latch: Latch,
    /// Where RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP on the RTP port.
    pub mux: bool,
}

/// What a handshake did that others must know.
pub enum DtlsNews {
    /// Keys are there.
    Connected(Profile, Duration),
    /// There will be none.
    Failed(MediaFailure),
}

impl Side {
    /// A side as planned; sockets have been found or ordered by the shard.
    pub fn new(now: Now, plan: SidePlan, ports: [PortId; 2], rng: &mut Rng) -> Self {
        let kind = match &plan.end {
            End::WebRtc(w) => Kind::WebRtc(Box::new(WebRtcEnd::new(w, ports[0]))),
            End::Rtp(r) => Kind::Rtp(RtpEnd::new(now, r, ports)),
            End::Service(s) => Kind::Service(Running::new(*s)),
        };
        let ssrc = plan.stream.as_ref().map_or_else(|| rng.u32(), |s| s.ssrc);
        Self {
            sender: Sender::new(Ssrc(ssrc), rng),
            receiver: Receiver::new(),
            since: now.mono,
            listens_since: now.mono,
            heard: false,
            report_at: None,
            transcoder: None,
            digits: Digits::new(),
            plan,
            kind,
        }
    }

    /// Takes a newer plan; what does not change goes on.
    pub fn set(&mut self, now: Now, plan: SidePlan, handshakes: &dyn Handshakes) {
        match (&mut self.kind, &plan.end) {
            (Kind::WebRtc(end), End::WebRtc(w)) => {
                if end.set(w, handshakes) {
                    self.since = now.mono;
                }
            }
            (Kind::Rtp(end), End::Rtp(r)) => end.set(now, r),
            // A side never changes its kind: its address in our offer would be wrong.
            (Kind::WebRtc(_) | Kind::Rtp(_) | Kind::Service(_), _) => {}
        }
        if let Some(stream) = &plan.stream {
            self.sender.ssrc = Ssrc(stream.ssrc);
        }
        let listened = self.listens();
        self.plan = plan;
        if !listened && self.listens() {
            self.listens_since = now.mono;
        }
    }

    /// True if the peer may be heard by what was agreed.
    fn listens(&self) -> bool {
        self.plan.stream.is_some() && self.plan.direction.receives()
    }

    /// True if media can be sent now.
    pub fn is_ready(&self) -> bool {
        self.plan.direction.sends() && self.is_connected()
    }

    /// True if the peer can be reached: RTCP goes to it, held or not (RFC 3264 §8.4).
    pub fn is_connected(&self) -> bool {
        self.plan.stream.is_some()
            && match &self.kind {
                Kind::WebRtc(end) => end.srtp.is_some() && end.remote.is_some() && !end.expired,
                Kind::Rtp(end) => end.latch.address().is_some(),
                Kind::Service(_) => false,
            }
    }

    /// Where RTP leaves and goes to.
    pub fn route(&self) -> Option<(PortId, SocketAddr)> {
        match &self.kind {
            Kind::WebRtc(end) => end.remote.filter(|_| !end.expired).map(|to| (end.port, to)),
            Kind::Rtp(end) => end.latch.address().map(|to| (end.rtp, to)),
            Kind::Service(_) => None,
        }
    }

    /// Where RTCP leaves and goes to. A peer that RTP was learned from gets none
    /// of its own: nothing proves where a NAT has put its RTCP socket, and the
    /// port above its RTP may be somebody else's.
    pub fn route_rtcp(&self) -> Option<(PortId, SocketAddr)> {
        match &self.kind {
            Kind::WebRtc(_) => self.route(),
            Kind::Rtp(end) if end.mux => self.route(),
            Kind::Rtp(end) => {
                let rtp = end.latch.address()?;
                if end.latch.is_learned() {
                    return None;
                }
                let to = end.remote_rtcp.unwrap_or(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
                Some((end.rtcp, to))
            }
            Kind::Service(_) => None,
        }
    }

    /// Judges the source of an RTP packet and opens it in place. `Ok(true)` if the source was just learned.
    ///
    /// # Errors
    ///
    /// Why it is dropped.
    pub fn open_rtp(&mut self, now: Now, from: SocketAddr, p: &mut Packet) -> Result<bool, Reason> {
        match &mut self.kind {
            Kind::WebRtc(end) => {
                let (_, inbound) = end.srtp.as_mut().ok_or(Reason::NoKeys)?;
                match inbound.unprotect(p.bytes_mut()) {
                    Ok(len) => {
                        p.set_len(len);
                        if end.remote == Some(from) {
                            end.media_at = Some(now.mono);
                        }
                    }
                    Err(why) => {
                        self.receiver.discarded += 1;
                        return Err(why.into());
                    }
                }
                Ok(false)
            }
            Kind::Rtp(end) => match end.latch.judge(now, from) {
                Source::Believed => Ok(false),
                Source::Learned => Ok(true),
                Source::Stranger => {
                    self.receiver.strangers += 1;
                    Err(Reason::Stranger)
                }
            },
            Kind::Service(_) => Err(Reason::Unexpected),
        }
    }

    /// The same for RTCP.
    ///
    /// # Errors
    ///
    /// Why it is dropped.
    pub fn open_rtcp(&mut self, from: SocketAddr, p: &mut Packet) -> Result<(), Reason> {
        match &mut self.kind {
            Kind::WebRtc(end) => {
                let (_, inbound) = end.srtp.as_mut().ok_or(Reason::NoKeys)?;
                let len = inbound.unprotect_rtcp(p.bytes_mut()).map_err(Reason::from)?;
                p.set_len(len);
                Ok(())
            }
            // RTCP proves nothing either; it is believed from the peer's host only.
            Kind::Rtp(end) => match end.latch.address() {
                Some(peer) if peer.ip() == from.ip() => Ok(()),
                _ => {
                    self.receiver.strangers += 1;
                    Err(Reason::Stranger)
                }
            },
            Kind::Service(_) => Err(Reason::Unexpected),
        }
    }

    /// Seals an RTP packet of `len` bytes in `buf`, which has room behind it.
    ///
    /// # Errors
    ///
    /// It must not be sent.
    pub fn seal(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Reason> {
        match &mut self.kind {
            Kind::WebRtc(end) => {
                let (outbound, _) = end.srtp.as_mut().ok_or(Reason::NoKeys)?;
                outbound.protect(buf, len).map_err(Reason::from)
            }
            Kind::Rtp(_) => Ok(len),
            Kind::Service(_) => Err(Reason::Unexpected),
        }
    }

    /// Seals an RTCP compound.
    ///
    /// # Errors
    ///
    /// It must not be sent.
    pub fn seal_rtcp(&mut self, buf: &mut Vec<u8>) -> Result<(), Reason> {
        if let Kind::WebRtc(end) = &mut self.kind {
            let (outbound, _) = end.srtp.as_mut().ok_or(Reason::NoKeys)?;
            let len = buf.len();
            buf.resize(len + super::packet::TAIL, 0);
            let sealed = outbound.protect_rtcp(buf, len).map_err(Reason::from)?;
            buf.truncate(sealed);
        }
        Ok(())
    }

    /// Until when the peer may be silent; `None` if it is not listened to.
    pub fn silent_until(&self, config: &Config) -> Option<Instant> {
        if !self.listens() || matches!(self.kind, Kind::Service(_)) {
            return None;
        }
        let since = self.listens_since;
        Some(self.receiver.heard_at.map_or(since, |at| at.max(since)) + config.inactivity)
    }

    /// The side's numbers.
    pub fn report(&self) -> SideReport {
        let receiver = &self.receiver;
        let crypto = match &self.kind {
            Kind::WebRtc(end) => end.srtp.as_ref().map_or("none", |(out, _)| out.profile().name()),
            Kind::Rtp(_) | Kind::Service(_) => "rtp",
        };
        SideReport {
            codec: receiver.codec,
            crypto: crypto.into(),
            remote: self.route().map(|(_, to)| to),
            packets_received: receiver.packets(),
            bytes_received: receiver.bytes,
            packets_sent: self.sender.packets,
            bytes_sent: self.sender.bytes,
            packets_lost: receiver.lost(),
            packets_discarded: receiver.discarded,
            jitter_ms: receiver.jitter_ms(),
            jitter_max_ms: receiver.jitter_max_ms(),
            rtt_ms: receiver.remote.rtt_ms,
            mos: receiver.mos(self.plan.stream.as_ref().map_or(20, |s| s.ptime_ms)),
            remote_loss: receiver.remote.loss,
            digits: receiver.digits,
            strangers: receiver.strangers,
        }
    }
}

impl WebRtcEnd {
    fn new(plan: &WebRtc, port: PortId) -> Self {
        let mut agent = ice::Agent::new(credentials(&plan.ice));
        if let Some(remote) = &plan.remote_ice {
            agent.set_remote(&remote.ufrag);
        }
        Self {
            port,
            agent,
            remote: None,
            connected: false,
            expired: false,
            restarted: false,
            media_at: None,
            handshake: None,
            agreed: None,
            started: None,
            closing: None,
            srtp: None,
        }
    }

    /// True if ICE starts or restarts by this plan.
    fn set(&mut self, plan: &WebRtc, handshakes: &dyn Handshakes) -> bool {
        let restart = self.agent.local().ufrag != plan.ice.ufrag;
        if restart {
            self.agent.restart(credentials(&plan.ice));
            (self.connected, self.restarted) = (false, true);
        }
        let mut begins = restart;
        if let Some(remote) = &plan.remote_ice {
            begins |= !self.connected && !self.agent.has_remote(&remote.ufrag);
            self.agent.set_remote(&remote.ufrag);
        }
        self.prepare(plan, handshakes);
        begins
    }

    /// Takes what an authenticated check from `from` changed; true if the pair
    /// in use did.
    pub fn on_change(&mut self, from: SocketAddr, change: ice::Change) -> bool {
        match change {
            ice::Change::Nominated => {
                let remote = self.agent.selected().map_or(from, |pair| pair.remote);
                let moved = self.remote != Some(remote);
                self.remote = Some(remote);
                (self.expired, self.restarted) = (false, false);
                moved
            }
            ice::Change::Proved if self.remote.is_none() => {
                self.remote = Some(from);
                true
            }
            ice::Change::Proved | ice::Change::Known => {
                // A check on the pair in use renews consent (RFC 7675 §5.1).
                self.expired &= self.remote != Some(from);
                false
            }
        }
    }

    /// Ends the consent that is due. Peers that stop their checks once ICE is
    /// done give it by authentic media on the pair in use.
    pub fn end_consent(&mut self, now: Now) -> bool {
        if self.expired {
            return false;
        }
        if let (Some(at), Some(pair)) = (self.media_at, self.agent.selected())
            && self.agent.poll_timeout().is_some_and(|due| due <= now.mono)
            && at + consent::EXPIRY > now.mono
            && self.remote == Some(pair.remote)
        {
            self.agent.keep_alive(Now { mono: at, ..now }, pair);
        }
        self.expired = self.agent.handle_timeout(now).is_some();
        self.expired
    }

    /// Makes the handshake when role and fingerprints are known. Others than
    /// before mean another association (RFC 8842 §4); the same ones keep it.
    pub fn prepare(&mut self, plan: &WebRtc, handshakes: &dyn Handshakes) {
        let Some(role) = plan.dtls.filter(|_| !plan.fingerprints.is_empty()) else { return };
        let same =
            self.agreed.as_ref().is_some_and(|(r, f)| *f == plan.fingerprints && (*r == role || self.srtp.is_some()));
        if same {
            return;
        }
        let expected: Vec<dtls::Fingerprint> =
            plan.fingerprints.iter().filter_map(|f| dtls::Fingerprint::named(&f.hash, &f.digest)).collect();
        let role_in_dtls = match role {
            DtlsRole::Client => dtls::Role::Client,
            DtlsRole::Server => dtls::Role::Server,
        };
        self.handshake = Some(handshakes.make(role_in_dtls, &expected));
        self.agreed = Some((role, plan.fingerprints.clone()));
        self.started = None;
        self.closing = None;
    }

    /// Starts the handshake if a pair is proved and it has not begun.
    pub fn start_dtls(&mut self, now: Now, out: &mut dtls::Outputs) {
        let reachable = self.remote.is_some() && !self.restarted;
        if let Some(handshake) = self.handshake.as_mut().filter(|_| reachable && self.started.is_none()) {
            handshake.start(now, out);
            self.started = Some(now.mono);
        }
    }

    /// The association, once there is one.
    pub fn handshake(&mut self) -> Option<&mut Box<dyn Handshake>> {
        self.handshake.as_mut()
    }

    /// Gives the association a datagram; `None` if there is no association.
    pub fn handle_dtls(&mut self, now: Now, bytes: &[u8], out: &mut dtls::Outputs) -> Option<()> {
        let handshake = self.handshake.as_mut()?;
        self.started.get_or_insert(now.mono);
        handshake.handle_datagram(now, bytes, out);
        Some(())
    }

    /// True once the peer closed the association and said no goodbye in time.
    pub fn is_closed(&mut self, now: Now) -> bool {
        self.closing.take_if(|at| *at <= now.mono).is_some()
    }

    /// When the association has something to do.
    pub fn dtls_timeout(&self) -> Option<Instant> {
        self.handshake.as_ref().filter(|_| self.started.is_some())?.poll_timeout()
    }

    /// Turns an association's output that is no datagram into news.
    pub fn on_dtls(&mut self, now: Now, output: dtls::Output) -> Option<DtlsNews> {
        match output {
            dtls::Output::Transmit(_) => None,
            dtls::Output::Connected { keys, profile, role, .. } => {
                let profile = match profile {
                    dtls::SrtpProfile::Aes128CmSha1_80 => Profile::Aes128CmSha1_80,
                    dtls::SrtpProfile::AeadAes128Gcm => Profile::AeadAes128Gcm,
                    dtls::SrtpProfile::AeadAes256Gcm => Profile::AeadAes256Gcm,
                };
                let role = match role {
                    dtls::Role::Client => srtp::Role::Client,
                    dtls::Role::Server => srtp::Role::Server,
                };
                let Ok(keys) = Keys::from_export(profile, keys.bytes()) else {
                    return Some(DtlsNews::Failed(MediaFailure::DtlsFailed));
                };
                self.srtp = Some(keys.contexts(role));
                let took = now.mono - self.started.unwrap_or(now.mono);
                Some(DtlsNews::Connected(profile, took))
            }
            dtls::Output::Failed { why } => Some(DtlsNews::Failed(match why {
                dtls::Failure::FingerprintMismatch => MediaFailure::FingerprintMismatch,
                dtls::Failure::Timeout { .. } => MediaFailure::DtlsTimeout,
                dtls::Failure::NoSrtpProfile | dtls::Failure::Protocol(_) | dtls::Failure::Library => {
                    MediaFailure::DtlsFailed
                }
            })),
            dtls::Output::Closed => {
                self.closing.get_or_insert(now.mono + CLOSE_GRACE);
                None
            }
        }
    }
}

impl RtpEnd {
    fn new(now: Now, plan: &Rtp, ports: [PortId; 2]) -> Self {
        Self {
            rtp: ports[0],
            rtcp: ports[1],
            latch: Latch::new(now, plan.remote, plan.latch),
            remote_rtcp: plan.remote_rtcp,
            mux: plan.rtcp_mux,
        }
    }

    fn set(&mut self, now: Now, plan: &Rtp) {
        self.latch.announce(now, plan.remote, plan.latch);
        if plan.remote_rtcp.is_some() {
            self.remote_rtcp = plan.remote_rtcp;
        }
        self.mux = plan.rtcp_mux;
    }
}

fn credentials(plan: &super::plan::IceCredentials) -> ice::Credentials {
    ice::Credentials { ufrag: plan.ufrag.clone(), pwd: plan.pwd.clone() }
}
