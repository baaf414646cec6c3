//! The media of a browser: ICE as the controlling agent, DTLS by script, SRTP.
//!
//! Checks go to the candidate of the far end's description every 50 ms until
//! one is answered, then with USE-CANDIDATE, then every 5 s for consent (RFC
//! 7675). DTLS starts on the nominated pair; SRTP is the real one. Whatever
//! comes from an address that is not the far end's candidate is a complaint.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sbc::base::{Instant, Now, Rng, UnixMillis};
use sbc::dtls::{Fingerprint, Handshake, Handshakes, HashKind, Output, Role};
use sbc::ice::attribute::{ICE_CONTROLLING, PRIORITY, USE_CANDIDATE, USERNAME};
use sbc::ice::{Builder, Class, Message, TransactionId};
use sbc::rtp::srtp::{self, Inbound, Keys, Outbound, Profile};

use crate::dtls::{Script, Scripted};
use crate::sip::Sdp;
use crate::ua::earlier;

pub struct Rtc {
    pub ufrag: String,
    pub pwd: String,
    pub script: Arc<Script>,
    /// The fingerprint written in SDP; a test may write a wrong one.
    pub fingerprint: Vec<u8>,
    remote: Option<(String, String, SocketAddr)>,
    check: Option<Instant>,
    pub checks_sent: u32,
    pub answered: bool,
    pub nominated: bool,
    dtls: Option<Scripted>,
    srtp: Option<(Outbound, Inbound)>,
    pub failed: Option<String>,
    pub complaints: Vec<String>,
    pub forged: bool,
    rng: Rng,
}

impl Rtc {
    pub fn new(script: Arc<Script>, mut rng: Rng) -> Self {
        Self {
            ufrag: rng.token(6),
            pwd: rng.token(24),
            fingerprint: script.fingerprint().bytes().to_vec(),
            script,
            remote: None,
            check: None,
            checks_sent: 0,
            answered: false,
            nominated: false,
            dtls: None,
            srtp: None,
            failed: None,
            complaints: Vec::new(),
            forged: false,
            rng,
        }
    }

    /// True once media can flow.
    pub fn is_up(&self) -> bool {
        self.srtp.is_some()
    }

    pub fn agree(&mut self, now: Instant, theirs: &Sdp) {
        let (Some(ufrag), Some(pwd), Some(at)) =
            (theirs.ufrag.clone(), theirs.pwd.clone(), theirs.candidates.first().copied())
        else {
            self.complaints.push("a description without ICE".to_owned());
            return;
        };
        let same = self.remote.as_ref().is_some_and(|(u, p, a)| *u == ufrag && *p == pwd && *a == at);
        if !same {
            self.remote = Some((ufrag, pwd, at));
            (self.answered, self.nominated) = (false, false);
            self.check = Some(now);
        }
        if self.dtls.is_none() {
            // To an offer of `actpass` a browser answers `active`.
            let role = if theirs.setup.as_deref() == Some("active") { Role::Server } else { Role::Client };
            let expected: Vec<_> =
                theirs.fingerprint.iter().filter_map(|f| Fingerprint::new(HashKind::Sha256, f)).collect();
            self.dtls = Some(self.script.scripted(role, &expected));
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        earlier(self.check, self.dtls.as_ref().and_then(Handshake::poll_timeout))
    }

    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        if self.check.is_some_and(|at| at <= now) {
            self.send_check(now, out);
        }
        if let Some(dtls) = self.dtls.as_mut().filter(|d| d.poll_timeout().is_some_and(|at| at <= now)) {
            let mut outputs = Vec::new();
            dtls.handle_timeout(stamp(now), &mut outputs);
            self.on_outputs(outputs, out);
        }
    }

    fn send_check(&mut self, now: Instant, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        let Some((ufrag, pwd, at)) = &self.remote else { return };
        let mut id = [0; 12];
        self.rng.fill(&mut id);
        let mut check = Builder::binding(Class::Request, TransactionId(id))
            .attribute(USERNAME, format!("{ufrag}:{}", self.ufrag).as_bytes())
            .attribute(PRIORITY, &1_845_501_695u32.to_be_bytes())
            .attribute(ICE_CONTROLLING, &[7; 8]);
        if self.answered {
            check = check.attribute(USE_CANDIDATE, &[]);
        }
        let key = if self.forged { "not the password at all" } else { pwd.as_str() };
        out.push((*at, check.sign(key.as_bytes())));
        self.checks_sent += 1;
        self.check = Some(now + if self.nominated { CONSENT } else { PACE });
    }

    /// The length of the RTP packet that `bytes` now holds in clear, if it is one.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        out: &mut Vec<(SocketAddr, Vec<u8>)>,
    ) -> Option<usize> {
        match bytes.first()? {
            0..=3 => self.on_stun(now, bytes, out),
            20..=63 => {
                let mut outputs = Vec::new();
                if let Some(dtls) = &mut self.dtls {
                    dtls.handle_datagram(stamp(now), bytes, &mut outputs);
                }
                self.on_outputs(outputs, out);
            }
            128..=191 => return self.on_srtp(from, bytes),
            _ => self.complaints.push("a packet that is nothing".to_owned()),
        }
        None
    }

    fn on_srtp(&mut self, from: SocketAddr, bytes: &mut [u8]) -> Option<usize> {
        if self.remote.as_ref().is_none_or(|(_, _, at)| *at != from) {
            self.complaints.push(format!("media from {from}"));
        }
        let (_, inbound) = self.srtp.as_mut()?;
        let is_rtcp = bytes.get(1).is_some_and(|b| (192..224).contains(b));
        let result = if is_rtcp { inbound.unprotect_rtcp(bytes) } else { inbound.unprotect(bytes) };
        match result {
            Ok(len) => Some(len),
            // The network doubles packets; that is not the sender's doing.
            Err(srtp::Drop::Replayed) => None,
            Err(why) => {
                self.complaints.push(format!("srtp: {why:?}"));
                None
            }
        }
    }

    fn on_stun(&mut self, now: Instant, bytes: &[u8], out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        let Ok(message) = Message::parse(bytes) else {
            self.complaints.push("broken STUN".to_owned());
            return;
        };
        let Some((_, pwd, _)) = &self.remote else { return };
        match message.class {
            Class::Success if message.is_authentic(pwd.as_bytes()) => {}
            Class::Error => return,
            Class::Success | Class::Request | Class::Indication => {
                self.complaints.push(format!("STUN {:?} that should not be", message.class));
                return;
            }
        }
        if !self.answered {
            self.answered = true;
            self.check = Some(now);
        } else if !self.nominated {
            self.nominated = true;
            self.check = Some(now + CONSENT);
            if let Some(dtls) = self.dtls.as_mut().filter(|d| d.poll_timeout().is_none() && self.srtp.is_none()) {
                let mut outputs = Vec::new();
                dtls.start(stamp(now), &mut outputs);
                self.on_outputs(outputs, out);
            }
        }
    }

    fn on_outputs(&mut self, outputs: Vec<Output>, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
        for output in outputs {
            match output {
                Output::Transmit(bytes) => {
                    if let Some((_, _, at)) = &self.remote {
                        out.push((*at, bytes));
                    }
                }
                Output::Connected { keys, role, .. } => {
                    let role = if role == Role::Client { srtp::Role::Client } else { srtp::Role::Server };
                    let keys = Keys::from_export(Profile::AeadAes128Gcm, keys.bytes());
                    self.srtp = keys.ok().map(|keys| keys.contexts(role));
                }
                Output::Failed { why } => self.failed = Some(why.to_string()),
                Output::Closed => self.check = None,
            }
        }
    }

    /// Protects a packet; gives its destination once there is one.
    pub fn protect(&mut self, packet: &mut Vec<u8>) -> Option<SocketAddr> {
        let (outbound, _) = self.srtp.as_mut()?;
        let (_, _, at) = self.remote.as_ref()?;
        let len = packet.len();
        packet.resize(len + 32, 0);
        let len = outbound.protect(packet, len).ok()?;
        packet.truncate(len);
        Some(*at)
    }
}

fn stamp(now: Instant) -> Now {
    Now { mono: now, wall: UnixMillis(0) }
}

const PACE: Duration = Duration::from_millis(50);
const CONSENT: Duration = Duration::from_secs(5);
