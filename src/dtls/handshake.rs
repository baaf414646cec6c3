//! The real handshake: `dimpl`, a DTLS library without I/O, kept in its place.
//!
//! In: datagrams from a proved pair and the time. Out: [`Output`]s. Around the
//! library stands what it lacks: plain alerts and foreign bytes are cut out
//! before it (`record`), the fingerprint decides before the keys are
//! given out, the whole takes a bounded time, and a panic inside ends one
//! association instead of a media thread. Its cookie is off: ICE has proved
//! the source (RFC 6347 §4.2.1 permits that). No RSA, no resumption, no
//! renegotiation, no application data.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use dimpl::Dtls;

use crate::base::limits::MEDIA_PACKET_BYTES;
use crate::base::{Instant, Now};

use super::certificate::Certificate;
use super::export::{KeyingMaterial, SrtpProfile};
use super::fingerprint::{self, Fingerprint, HashKind};
use super::{Config, Counters, Failure, Handshake, Handshakes, Output, Outputs, Role, Versions, record};

/// Makes [`DimplHandshake`]s that share a certificate and a configuration.
pub struct DimplHandshakes {
    library: Arc<dimpl::Config>,
    certificate: Certificate,
    config: Config,
    anchor: Anchor,
}

/// The same moment on both clocks: the library wants the standard library's
/// instants, which only a clock can make, so `edge` gives one with ours.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    /// The standard library's.
    pub std: std::time::Instant,
    /// Ours.
    pub base: Instant,
}

/// One association over `dimpl`.
pub struct DimplHandshake {
    /// `None` once the association has failed.
    library: Option<Dtls>,
    role: Role,
    expected: Vec<Fingerprint>,
    versions: Versions,
    limit: Duration,
    anchor: Anchor,
    state: State,
    /// The library's own deadline.
    library_timeout: Option<Instant>,
    peer: Option<Box<[Fingerprint; 4]>>,
    suite: &'static str,
    last_alert: Option<u8>,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Shaking { deadline: Instant },
    Connected,
    Over,
}

/// An output of the library that owns what it tells.
enum Step {
    Packet(Vec<u8>),
    PeerCertificate(Box<[Fingerprint; 4]>, bool),
    Connected,
    Keys(Option<KeyingMaterial>),
    PeerClosed,
}

impl DimplHandshakes {
    /// Checks the configuration and the crypto provider once for all calls.
    ///
    /// # Errors
    /// [`Failure::Protocol`] with the library's words if it takes neither.
    pub fn new(config: Config, certificate: Certificate, anchor: Anchor) -> Result<Self, Failure> {
        let library = dimpl::Config::builder()
            .use_server_cookie(false)
            .mtu(config.mtu_bytes)
            .flight_start_rto(config.first_repeat)
            .flight_retries(FLIGHT_RETRIES)
            // Our own limit ends the handshake; the library's is the net below it.
            .handshake_timeout(config.limit + Duration::from_secs(5))
            .build()
            .map_err(|e| Failure::Protocol(e.to_string()))?;
        Ok(Self { library: Arc::new(library), certificate, config, anchor })
    }

    /// A handshake in `role` with a peer whose SDP gave `expected`.
    pub fn handshake(&self, role: Role, expected: &[Fingerprint]) -> DimplHandshake {
        let (library, certificate) = (Arc::clone(&self.library), self.certificate.for_library());
        let versions = self.config.versions;
        let dtls = catch_unwind(AssertUnwindSafe(|| {
            let mut dtls = match versions {
                Versions::Dtls12 => Dtls::new_12(library, certificate, self.anchor.std),
                Versions::Auto => Dtls::new_auto(library, certificate, self.anchor.std),
            };
            dtls.set_active(role == Role::Client);
            dtls
        }));
        DimplHandshake {
            library: dtls.ok(),
            role,
            expected: expected.to_vec(),
            versions,
            limit: self.config.limit,
            anchor: self.anchor,
            state: State::Idle,
            library_timeout: None,
            peer: None,
            suite: record::UNKNOWN_SUITE,
            last_alert: None,
            counters: Counters::default(),
        }
    }
}

impl Handshakes for DimplHandshakes {
    fn make(&self, role: Role, expected: &[Fingerprint]) -> Box<dyn Handshake> {
        Box::new(self.handshake(role, expected))
    }

    fn fingerprint(&self) -> Fingerprint {
        self.certificate.fingerprint()
    }
}

impl Handshake for DimplHandshake {
    fn start(&mut self, now: Now, out: &mut Outputs) {
        if self.state != State::Idle {
            return;
        }
        self.state = State::Shaking { deadline: now.mono + self.limit };
        self.drive(now, out, |_| Ok(()));
    }

    fn handle_datagram(&mut self, now: Now, datagram: &[u8], out: &mut Outputs) {
        if datagram.len() > MEDIA_PACKET_BYTES {
            self.counters.oversized += 1;
            return;
        }
        if self.state == State::Over {
            self.counters.unexpected += 1;
            return;
        }
        let seen = record::filter(datagram);
        self.counters.plain_alerts += seen.plain_alerts;
        self.counters.not_dtls += u32::from(seen.not_dtls);
        self.last_alert = seen.alert.or(self.last_alert);
        if seen.records.is_empty() {
            return;
        }
        self.start(now, out);
        if self.role == Role::Client
            && let State::Shaking { .. } = self.state
        {
            self.suite = record::server_hello_suite(&seen.records).unwrap_or(self.suite);
        }
        self.drive(now, out, |dtls| dtls.handle_packet(&seen.records));
    }

    fn handle_timeout(&mut self, now: Now, out: &mut Outputs) {
        match self.state {
            State::Idle | State::Over => {}
            State::Shaking { deadline } if deadline <= now.mono => {
                self.fail(Failure::Timeout { alert: self.last_alert }, out);
            }
            State::Shaking { .. } | State::Connected => self.drive(now, out, |_| Ok(())),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle | State::Over => None,
            State::Shaking { deadline } => Some(self.library_timeout.map_or(deadline, |at| at.min(deadline))),
            State::Connected => self.library_timeout,
        }
    }

    fn close(&mut self, now: Now, out: &mut Outputs) {
        if self.state == State::Connected {
            self.drive(now, out, Dtls::close);
        }
        self.end();
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

impl DimplHandshake {
    /// The version in use, once both sides have agreed: "DTLS 1.2" or
    /// "DTLS 1.3".
    pub fn version(&self) -> Option<&'static str> {
        match self.library.as_ref()?.protocol_version()? {
            dimpl::ProtocolVersion::DTLS1_2 => Some("DTLS 1.2"),
            dimpl::ProtocolVersion::DTLS1_3 => Some("DTLS 1.3"),
            _ => None,
        }
    }

    /// Tells the library the time, gives it `input`, and takes all it has.
    fn drive(&mut self, now: Now, out: &mut Outputs, input: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>) {
        let Some(mut dtls) = self.library.take() else {
            return self.fail(Failure::Library, out);
        };
        let at = self.anchor.to_std(now.mono);
        let (anchor, expected) = (self.anchor, &self.expected);
        // The library is dropped after a panic, so nothing half-done is seen.
        let driven = catch_unwind(AssertUnwindSafe(|| {
            let result = dtls.handle_timeout(at).and_then(|()| input(&mut dtls));
            let (steps, timeout) = drain(&mut dtls, expected);
            (dtls, result, steps, timeout.map(|t| anchor.to_base(t)))
        }));
        let Ok((dtls, result, steps, timeout)) = driven else {
            return self.fail(Failure::Library, out);
        };
        self.library = Some(dtls);
        // The library says "never" by a time years away; a deadline in the past
        // would be polled for ever.
        self.library_timeout =
            timeout.filter(|t| t.since(now.mono) < NEVER).map(|t| t.max(now.mono + Duration::from_millis(1)));
        self.take(steps, out);
        if let Err(error) = result
            && self.state != State::Over
        {
            self.on_error(error, out);
        }
    }

    fn on_error(&mut self, error: dimpl::Error, out: &mut Outputs) {
        use dimpl::{Error, UnexpectedMessageError};
        match (self.state, error) {
            // The version probe sees the first datagram after the hello only,
            // and keeps its state: a reordered flight comes again.
            (
                State::Shaking { .. },
                Error::UnexpectedMessage(UnexpectedMessageError::UnrecognizedAutoServerResponse),
            ) => {
                self.counters.unexpected += 1;
            }
            (State::Shaking { .. }, Error::Timeout(_)) => self.fail(Failure::Timeout { alert: self.last_alert }, out),
            // Only an authenticated alert or message can do this to it.
            (State::Connected, Error::SecurityError(_) | Error::ConnectionClosed) => {
                self.end();
                out.push(Output::Closed);
            }
            // SRTP goes on with the keys it has; the association is deaf.
            (State::Connected, _) => {
                self.counters.unexpected += 1;
                self.end();
            }
            (State::Idle | State::Shaking { .. } | State::Over, error) => {
                self.fail(Failure::Protocol(error.to_string()), out);
            }
        }
    }

    fn take(&mut self, steps: Vec<Step>, out: &mut Outputs) {
        let (mut connected, mut keys) = (false, None);
        for step in steps {
            match step {
                Step::Packet(packet) => {
                    if self.role == Role::Server
                        && let State::Shaking { .. } = self.state
                    {
                        self.suite = record::server_hello_suite(&packet).unwrap_or(self.suite);
                    }
                    out.push(Output::Transmit(packet));
                }
                Step::PeerCertificate(seen, true) => self.peer = Some(seen),
                Step::PeerCertificate(_, false) => {
                    // RFC 8122 §5.1: end the association with bad_certificate.
                    out.push(Output::Transmit(record::fatal_alert(BAD_CERTIFICATE)));
                    return self.fail(Failure::FingerprintMismatch, out);
                }
                Step::Connected => connected = true,
                Step::Keys(material) => keys = material,
                Step::PeerClosed => {
                    let was = self.state;
                    self.end();
                    match was {
                        State::Connected => out.push(Output::Closed),
                        State::Idle | State::Shaking { .. } | State::Over => {
                            out.push(Output::Failed { why: Failure::Protocol("closed by the peer".into()) });
                        }
                    }
                    return;
                }
            }
        }
        if connected {
            self.connect(keys, out);
        }
    }

    fn connect(&mut self, keys: Option<KeyingMaterial>, out: &mut Outputs) {
        let Some(keys) = keys else { return self.fail(Failure::NoSrtpProfile, out) };
        // Certificates are required of both sides, so this one was seen.
        let Some(peer_fingerprints) = self.peer.take() else { return self.fail(Failure::FingerprintMismatch, out) };
        self.state = State::Connected;
        let (profile, suite, role) = (keys.profile(), self.suite, self.role);
        out.push(Output::Connected { keys, profile, suite, role, peer_fingerprints });
    }

    fn fail(&mut self, why: Failure, out: &mut Outputs) {
        let was = self.state;
        self.end();
        if was != State::Over {
            out.push(Output::Failed { why });
        }
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.library = None;
        self.library_timeout = None;
    }
}

impl Anchor {
    fn to_std(self, at: Instant) -> std::time::Instant {
        self.std + at.since(self.base)
    }

    fn to_base(self, at: std::time::Instant) -> Instant {
        self.base + at.saturating_duration_since(self.std)
    }
}

/// Takes every output that the library has; the last is its deadline.
fn drain(dtls: &mut Dtls, expected: &[Fingerprint]) -> (Vec<Step>, Option<std::time::Instant>) {
    let mut steps = Vec::new();
    let mut room = vec![0; MEDIA_PACKET_BYTES];
    for _ in 0..OUTPUTS_AT_ONCE {
        let step = match dtls.poll_output(&mut room) {
            dimpl::Output::Timeout(at) => return (steps, Some(at)),
            dimpl::Output::BufferTooSmall { needed } if needed <= MESSAGE_BYTES => {
                room.resize(needed, 0);
                continue;
            }
            dimpl::Output::Packet(packet) => Step::Packet(packet.to_vec()),
            dimpl::Output::PeerCert(der) => Step::PeerCertificate(
                Box::new(COMPARED.map(|hash| Fingerprint::of(hash, der))),
                fingerprint::matches(der, expected),
            ),
            dimpl::Output::Connected => Step::Connected,
            dimpl::Output::KeyingMaterial(bytes, profile) => {
                Step::Keys(ours(profile).and_then(|profile| KeyingMaterial::new(profile, &bytes)))
            }
            dimpl::Output::CloseNotify => Step::PeerClosed,
            // Nothing is spoken inside a DTLS-SRTP association (RFC 5764 §4).
            _ => continue,
        };
        steps.push(step);
    }
    (steps, None)
}

fn ours(profile: dimpl::SrtpProfile) -> Option<SrtpProfile> {
    match profile {
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => Some(SrtpProfile::Aes128CmSha1_80),
        dimpl::SrtpProfile::AEAD_AES_128_GCM => Some(SrtpProfile::AeadAes128Gcm),
        dimpl::SrtpProfile::AEAD_AES_256_GCM => Some(SrtpProfile::AeadAes256Gcm),
        _ => None,
    }
}

impl fmt::Debug for DimplHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DimplHandshake({:?}, {:?}, {:?})", self.role, self.versions, self.state)
    }
}

impl fmt::Debug for DimplHandshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DimplHandshakes({:?}, {:?})", self.config, self.certificate)
    }
}

/// The order of `peer_fingerprints` in [`Output::Connected`].
const COMPARED: [HashKind; 4] = [HashKind::Sha256, HashKind::Sha384, HashKind::Sha512, HashKind::Sha1];
/// Alert description (RFC 5246 §7.2).
const BAD_CERTIFICATE: u8 = 42;
/// Repetitions of a flight; doubling from a quarter of a second they outlast
/// the limit of the handshake, which is what ends it.
const FLIGHT_RETRIES: usize = 10;
/// No deadline of the library that matters is as far away as this.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Outputs of one input; a whole flight with a long chain has under 20.
const OUTPUTS_AT_ONCE: usize = 256;
/// Longest output, bytes: a certificate chain is surfaced whole.
const MESSAGE_BYTES: usize = 65_536;
