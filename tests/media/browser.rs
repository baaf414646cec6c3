//! A peer with ICE, DTLS and SRTP.

use std::net::SocketAddr;

use sbc::base::Codec;
use sbc::dtls::{self, DimplHandshakes, Fingerprint, Handshake, Handshakes, SrtpProfile};
use sbc::ice::{Builder, Class, Message, TransactionId, attribute};
use sbc::media::plan::{DtlsRole, SidePlan};
use sbc::media::shard::Verdict;
use sbc::rtp::header::is_rtcp;
use sbc::rtp::srtp::{Inbound, Keys, Outbound, Profile, Role};

use crate::phone::{Heard, Source};
use crate::world::{PWD, SHARED, World, at, stream, webrtc};

/// A browser behind one address, or several one after the other.
pub struct Browser {
    pub at: SocketAddr,
    pub ufrag: String,
    pub pwd: String,
    pub source: Source,
    pub keys: Option<(Outbound, Inbound)>,
    pub failed: bool,
    factory: DimplHandshakes,
    handshake: Box<dyn Handshake>,
    transactions: u32,
}

impl Browser {
    /// A browser that is the DTLS `role`, and knows our certificate.
    pub fn new(world: &World, here: &str, ufrag: &str, role: dtls::Role) -> Self {
        let factory = crate::world::handshakes();
        let handshake = factory.make(role, std::slice::from_ref(&world.fingerprint));
        Self {
            at: at(here),
            ufrag: ufrag.to_owned(),
            pwd: PWD.to_owned(),
            source: Source { ssrc: 0x00b0_00b0, seq: 100, time: 9600 },
            keys: None,
            failed: false,
            factory,
            handshake,
            transactions: u32::from(at(here).port()) << 16,
        }
    }

    /// A browser of the usual kind: it answers, so it sends the ClientHello.
    pub fn usual(world: &World, here: &str, ufrag: &str) -> Self {
        Self::new(world, here, ufrag, dtls::Role::Client)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.factory.fingerprint()
    }

    /// Our side towards it, where it is the DTLS client.
    pub fn side(&self, codec: Codec, ssrc: u32) -> SidePlan {
        webrtc(&self.ufrag, &self.fingerprint(), DtlsRole::Server, stream(codec, ssrc))
    }

    /// A new association with another certificate.
    pub fn renew(&mut self, world: &World, role: dtls::Role) {
        self.factory = crate::world::handshakes();
        self.handshake = self.factory.make(role, std::slice::from_ref(&world.fingerprint));
    }

    /// Sends a check; true if it was answered with our address.
    pub fn check(&mut self, world: &mut World, nominate: bool) -> bool {
        let check = self.check_bytes(nominate);
        world.arrive(self.at, at(SHARED), &check);
        let mut answered = false;
        world.sent.retain(|sent| {
            let ours = sent.to == self.at && sent.bytes[0] < 4;
            if ours {
                let message = Message::parse(&sent.bytes).expect("a STUN message");
                let good = message.class == Class::Success && message.is_authentic(self.pwd.as_bytes());
                answered |= good && message.mapped_address() == Some(self.at);
            }
            !ours
        });
        answered
    }

    pub fn check_bytes(&mut self, nominate: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut id = [9; 12];
        id[..4].copy_from_slice(&self.transactions.to_be_bytes());
        let mut check = Builder::binding(Class::Request, TransactionId(id))
            .attribute(attribute::USERNAME, format!("{}:peer", self.ufrag).as_bytes())
            .attribute(attribute::PRIORITY, &[0x6e, 0, 1, 0xff])
            .attribute(attribute::ICE_CONTROLLING, &[7; 8]);
        if nominate {
            check = check.attribute(attribute::USE_CANDIDATE, &[]);
        }
        check.sign(self.pwd.as_bytes())
    }

    /// ICE and DTLS.
    pub fn connect(&mut self, world: &mut World) {
        assert!(self.check(world, true), "the check is answered");
        self.shake(world);
        assert!(self.keys.is_some(), "keys are there");
    }

    /// The handshake, until nothing more is said.
    pub fn shake(&mut self, world: &mut World) {
        let mut out = Vec::new();
        self.handshake.start(world.now, &mut out);
        for _ in 0..20 {
            let datagrams = self.settle(&mut out);
            let ours: Vec<_> = world.take(self.at);
            let (dtls, rest): (Vec<_>, Vec<_>) = ours.into_iter().partition(|s| matches!(s.bytes[0], 20..=63));
            world.sent.extend(rest);
            if datagrams.is_empty() && dtls.is_empty() {
                return;
            }
            for datagram in datagrams {
                world.arrive(self.at, at(SHARED), &datagram);
            }
            for sent in dtls {
                self.handshake.handle_datagram(world.now, &sent.bytes, &mut out);
            }
            world.pass(1);
        }
    }

    /// Begins a handshake without going on; gives its first datagrams.
    pub fn hello(&mut self, world: &World) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.handshake.start(world.now, &mut out);
        self.settle(&mut out)
    }

    /// Closes the association; gives what is said about it.
    pub fn goodbye(&mut self, world: &World) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.handshake.close(world.now, &mut out);
        self.settle(&mut out)
    }

    fn settle(&mut self, out: &mut dtls::Outputs) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        for output in out.drain(..) {
            match output {
                dtls::Output::Transmit(bytes) => datagrams.push(bytes),
                dtls::Output::Connected { keys, profile, role, .. } => {
                    let profile = match profile {
                        SrtpProfile::Aes128CmSha1_80 => Profile::Aes128CmSha1_80,
                        SrtpProfile::AeadAes128Gcm => Profile::AeadAes128Gcm,
                        SrtpProfile::AeadAes256Gcm => Profile::AeadAes256Gcm,
                    };
                    let role = match role {
                        dtls::Role::Client => Role::Client,
                        dtls::Role::Server => Role::Server,
                    };
                    let keys = Keys::from_export(profile, keys.bytes()).expect("the profile's length");
                    self.keys = Some(keys.contexts(role));
                }
                dtls::Output::Failed { .. } | dtls::Output::Closed => self.failed = true,
            }
        }
        datagrams
    }

    /// Sends the next packet; its successor comes `units` later.
    pub fn say(&mut self, world: &mut World, pt: u8, payload: &[u8], units: u32) -> Verdict {
        let bytes = self.source.packet(pt, false, payload);
        self.source.step(units);
        self.send(world, &bytes)
    }

    /// Seals and sends.
    pub fn send(&mut self, world: &mut World, bytes: &[u8]) -> Verdict {
        let sealed = self.seal(bytes);
        world.arrive(self.at, at(SHARED), &sealed)
    }

    pub fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (out, _) = self.keys.as_mut().expect("connected");
        let mut sealed = bytes.to_vec();
        sealed.resize(bytes.len() + 64, 0);
        let len = if is_rtcp(bytes) {
            out.protect_rtcp(&mut sealed, bytes.len())
        } else {
            out.protect(&mut sealed, bytes.len())
        };
        sealed.truncate(len.expect("a valid packet"));
        sealed
    }

    /// The RTP that came, opened.
    pub fn heard(&mut self, world: &mut World) -> Vec<Heard> {
        self.opened(world, false).into_iter().map(Heard::of).collect()
    }

    /// The RTCP that came, opened.
    pub fn reports(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        self.opened(world, true)
    }

    fn opened(&mut self, world: &mut World, rtcp: bool) -> Vec<Vec<u8>> {
        let sent = world.take(self.at);
        let wanted = |bytes: &[u8]| (128..192).contains(&bytes[0]) && is_rtcp(bytes) == rtcp;
        let (ours, rest): (Vec<_>, Vec<_>) = sent.into_iter().partition(|s| wanted(&s.bytes));
        world.sent.extend(rest);
        let (_, inbound) = self.keys.as_mut().expect("connected");
        let mut all = Vec::new();
        for sent in ours {
            let mut bytes = sent.bytes;
            let len = if rtcp { inbound.unprotect_rtcp(&mut bytes) } else { inbound.unprotect(&mut bytes) };
            bytes.truncate(len.expect("we seal what we send, each index once"));
            all.push(bytes);
        }
        all
    }

    /// Talks a tone for `frames` of 20 ms and gives what `ear` heard meanwhile.
    pub fn talk(
        &mut self,
        world: &mut World,
        voice: &mut crate::phone::Voice,
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
