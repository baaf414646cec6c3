//! What has to hold at every step, whatever happens.
//!
//! Nothing of one side is seen on the other; media goes to proved addresses
//! only; every call's events begin with Started, have one Ending and one Ended,
//! and ports in use are those of live calls. A problem found stops the run with
//! the time at which it was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use sbc::base::{CallId, RealmId};
use sbc::call::event::EventKind;
use sbc::engine::{Engine, Fact};

use crate::house::OURS;
use crate::net::Net;
use crate::sip::Sdp;
use crate::ua::{Purpose, Ua};

pub struct Checkers {
    pub problems: Vec<String>,
    /// Addresses that signalling or an authenticated check has proved.
    pub proved: BTreeSet<SocketAddr>,
    /// Looks for secrets as parts of anything, not only as whole words.
    pub thorough: bool,
    /// Secrets that a test has given to a stranger.
    pub known_outside: BTreeSet<String>,
    calls: BTreeMap<CallId, Progress>,
    pub ended: u32,
    pub crashes: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    ending: bool,
    ended: bool,
}

impl Checkers {
    pub fn new() -> Self {
        Self {
            problems: Vec::new(),
            proved: BTreeSet::new(),
            thorough: true,
            known_outside: BTreeSet::new(),
            calls: BTreeMap::new(),
            ended: 0,
            crashes: 0,
        }
    }

    /// Events end with the process that tells them; the journal goes on.
    pub fn crashed(&mut self) {
        self.calls.clear();
        self.crashes += 1;
    }

    /// A peer's description proves its plain-RTP address.
    pub fn peer_sent(&mut self, ua: &Ua, bytes: &[u8]) {
        if ua.profile.webrtc {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        if let Some(address) = Sdp::read(body).and_then(|sdp| sdp.address) {
            self.proved.insert(address);
            self.proved.insert(SocketAddr::new(address.ip(), address.port().saturating_add(1)));
        }
    }

    /// A message of the SBC to a peer: no word of another peer's.
    pub fn sbc_sent(&mut self, uas: &[Ua], net: &Net, to: Option<usize>, realm: RealmId, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let words: BTreeSet<&str> =
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').map(|w| w.trim_matches('.')).collect();
        for (n, ours) in OURS.iter().enumerate() {
            if n != usize::from(realm.0) && words.contains(ours) {
                self.problems.push(format!("our address {ours} is seen in realm {}:\n{text}", realm.0));
            }
        }
        for (n, ua) in uas.iter().enumerate().filter(|(n, _)| Some(*n) != to) {
            // A registrar tells a user of all his devices (RFC 3261 §10.3).
            if to.is_some_and(|to| uas[to].profile.user == ua.profile.user) {
                continue;
            }
            let own = to.map(|to| &uas[to].secrets);
            let seen = |secret: &&String| {
                let hit = words.contains(secret.as_str())
                    || (self.thorough && !secret.contains('.') && text.contains(secret.as_str()));
                hit && !self.known_outside.contains(*secret) && !own.is_some_and(|own| own.contains(*secret))
            };
            if let Some(secret) = ua.secrets.iter().find(seen) {
                self.problems.push(format!("{secret} of {} is seen by {to:?}:\n{text}", uas[n].profile.user));
            }
            let public = net.public_ip(ua.profile.ip).to_string();
            if words.contains(public.as_str()) {
                self.problems.push(format!("{public} of {} is seen by {to:?}:\n{text}", ua.profile.user));
            }
        }
    }

    pub fn sbc_sent_media(&mut self, from: SocketAddr, to: SocketAddr) {
        if !self.proved.contains(&to) {
            self.problems.push(format!("media from {from} to {to}, which nothing has proved"));
        }
    }

    pub fn feed(&mut self, fact: &Fact) {
        let Fact::Call(event) = fact else { return };
        let known = self.calls.contains_key(&event.call);
        let progress = self.calls.entry(event.call).or_default();
        let wrong = match event.kind {
            EventKind::Started { .. } => known.then_some("started twice"),
            _ if !known => Some("has events before it started"),
            _ if progress.ended => Some("has events after its end"),
            EventKind::Ending { .. } if std::mem::replace(&mut progress.ending, true) => Some("ends twice"),
            EventKind::Ended if !progress.ending => Some("ended without ending"),
            EventKind::Ended => {
                progress.ended = true;
                self.ended += 1;
                None
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.problems.push(format!("call {} {wrong}: {:?}", event.call, event.kind));
        }
    }

    pub fn after_step(&mut self, engine: &Engine, sockets: usize) {
        let of_calls: usize = engine.calls().iter().map(|c| c.ports.iter().filter(|p| p.pair.is_some()).count()).sum();
        let used = engine.ports().used() as usize;
        if used != of_calls {
            self.problems.push(format!("{used} port pairs are in use, calls hold {of_calls}"));
        }
        if sockets > 2 * used {
            self.problems.push(format!("{sockets} sockets are open for {used} port pairs"));
        }
    }

    /// Calls whose events have not come to an end.
    pub fn open_calls(&self) -> Vec<String> {
        self.calls.iter().filter(|(_, p)| !p.ended).map(|(id, _)| format!("call {id} has no Ended event")).collect()
    }

    /// INVITEs of a peer that never had a final answer.
    pub fn unanswered(&self, ua: &Ua) -> Vec<String> {
        // Who hangs up does not wait for the answer to his last offer.
        let over = |c: &crate::ua::Client| match c.purpose {
            Purpose::Update(call) => !ua.calls[call].is_live(),
            _ => false,
        };
        let open = |c: &&crate::ua::Client| c.method == "INVITE" && c.finals.is_empty() && !over(c);
        let name = &ua.profile.user;
        if ua.script.deaf || ua.missed_answers || ua.profile.websocket && ua.connection.is_none() {
            return Vec::new();
        }
        ua.clients.iter().filter(open).map(|c| format!("{name}: INVITE {} has no final answer", c.branch)).collect()
    }
}
