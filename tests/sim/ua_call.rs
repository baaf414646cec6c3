//! The calls of a scripted peer: dialogs, offers and answers, media.
//!
//! A call is outgoing or incoming, rings, is answered and ends. Every status
//! seen is kept for tests. Session descriptions are written here as text: a
//! browser's with ICE and DTLS, a phone's without.

use std::net::SocketAddr;
use std::time::Duration;

use sbc::base::{Codec, Instant};

use crate::browser::Rtc;
use crate::media::{Media, Transport};
use crate::sip::{self, Msg, Sdp};
use crate::ua::{Client, Out, Purpose, Step, Ua, earlier};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Calling,
    Ringing,
    Answered,
    Ended,
}

pub struct Call {
    pub outgoing: bool,
    pub state: State,
    pub statuses: Vec<u16>,
    /// Final status of the first INVITE, whichever side gave it.
    pub status: Option<u16>,
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub local_tag: String,
    pub remote_tag: String,
    pub seq: u32,
    pub remote_seq: u32,
    pub target: String,
    pub media: Option<Media>,
    pub direction: &'static str,
    pub version: u64,
    pub session: u64,
    /// True if the far end hung up.
    pub remote_bye: bool,
    pub bye_answered: Option<u16>,
    pub cancelled: bool,
    pub acked: bool,
    /// Statuses of our re-INVITEs.
    pub updates: Vec<u16>,
    /// re-INVITEs of the far end that were answered.
    pub asked: u32,
    pub remote_direction: String,
    ack: Option<Vec<u8>>,
    /// Direction to ask for again after a glare.
    again: Option<(Instant, &'static str)>,
    invite: Option<usize>,
    server: Option<usize>,
    wants_cancel: bool,
    pub reason: Option<String>,
}

impl Call {
    pub fn poll_timeout(&self) -> Option<Instant> {
        let media = self.media.as_ref().and_then(Media::poll_timeout);
        earlier(media, self.again.map(|(at, _)| at))
    }

    pub fn is_live(&self) -> bool {
        self.state != State::Ended
    }
}

impl Ua {
    fn new_call(&mut self, outgoing: bool) -> Call {
        let (tag, session) = (self.rng.token(10), self.rng.u64() >> 8);
        self.secret(&tag);
        self.secret(&session.to_string());
        Call {
            outgoing,
            state: State::Calling,
            statuses: Vec::new(),
            status: None,
            call_id: String::new(),
            local: String::new(),
            remote: String::new(),
            local_tag: tag,
            remote_tag: String::new(),
            seq: 1,
            remote_seq: 0,
            target: String::new(),
            media: None,
            direction: "sendrecv",
            version: 1,
            session,
            remote_bye: false,
            bye_answered: None,
            cancelled: false,
            acked: false,
            updates: Vec::new(),
            asked: 0,
            remote_direction: "sendrecv".to_owned(),
            ack: None,
            again: None,
            invite: None,
            server: None,
            wants_cancel: false,
            reason: None,
        }
    }

    fn new_media(&mut self) -> Media {
        self.next_port += 2;
        let local = SocketAddr::new(self.profile.ip, self.next_port);
        let transport = if self.profile.webrtc {
            let mut rtc = Rtc::new(self.dtls.clone(), self.rng.fork());
            rtc.forged = self.forges_stun;
            if self.wrong_fingerprint {
                rtc.fingerprint[0] ^= 1;
            }
            self.secret(&rtc.pwd.clone());
            Transport::WebRtc(Box::new(rtc))
        } else {
            Transport::Plain
        };
        Media::new(local, transport, self.profile.voice, self.rng.u32())
    }

    /// Calls `to`, a user part or a whole URI.
    pub fn dial(&mut self, now: Instant, to: &str) -> usize {
        let uri = if to.contains(':') { to.to_owned() } else { format!("sip:{to}@{}", self.profile.domain) };
        let mut call = self.new_call(true);
        call.call_id = self.rng.token(24);
        self.secrets.insert(call.call_id.clone());
        call.local = format!("<sip:{}@{}>;tag={}", self.profile.user, self.profile.domain, call.local_tag);
        call.remote = format!("<{uri}>");
        call.target.clone_from(&uri);
        call.media = Some(self.new_media());
        self.calls.push(call);
        let at = self.calls.len() - 1;
        let body = self.offer(at, "actpass");
        let msg = self.in_call("INVITE", at).with_sdp(body);
        let client = self.start(now, msg, Purpose::Invite(at));
        self.calls[at].invite = Some(client);
        at
    }

    /// The INVITE once more, with credentials.
    pub fn invite_again(&mut self, now: Instant, at: usize, request: &Msg, credentials: Option<(&str, &str)>) {
        self.calls[at].seq += 1;
        let body = request.body.clone();
        let mut msg = self.in_call("INVITE", at);
        if let Some((name, value)) = credentials {
            msg.add(name, value);
        }
        let client = self.start(now, msg.with_sdp(body), Purpose::Invite(at));
        self.calls[at].invite = Some(client);
        if self.calls[at].wants_cancel {
            self.calls[at].cancelled = false;
        }
    }

    /// A request of a call's dialog; its CSeq is the call's.
    fn in_call(&mut self, method: &str, at: usize) -> Msg {
        let target = self.calls[at].target.clone();
        let contact = self.contact();
        let msg = self.request(method, &target);
        let call = &self.calls[at];
        let seq = call.seq;
        let mut msg = msg
            .with("From", &call.local)
            .with("To", &call.remote)
            .with("Call-ID", &call.call_id)
            .with("CSeq", &format!("{seq} {method}"));
        if matches!(method, "INVITE" | "UPDATE") {
            msg.add("Contact", &contact);
            msg.add("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE");
        }
        msg
    }

    fn offer(&mut self, at: usize, setup: &'static str) -> String {
        let codecs = self.profile.codecs.clone();
        let mut formats = Vec::new();
        for codec in &codecs {
            let pt = codec.static_payload_type().unwrap_or(111);
            let channels = if *codec == Codec::Opus { "/2" } else { "" };
            formats.push((pt, format!("{}/{}{channels}", codec.rtpmap_name(), codec.clock_hz())));
        }
        if codecs.contains(&Codec::Opus) {
            formats.push((110, "telephone-event/48000".to_owned()));
        }
        formats.push((101, "telephone-event/8000".to_owned()));
        self.describe(at, &formats, setup, "0")
    }

    fn answer(&mut self, at: usize, theirs: &Sdp) -> String {
        let known = |name: &str| {
            let codec = Codec::from_name(name.split('/').next().unwrap_or_default());
            name.starts_with("telephone-event/") || codec.is_some_and(|c| self.profile.codecs.contains(&c))
        };
        let formats: Vec<_> = theirs.formats.iter().filter(|(_, name)| known(name)).cloned().collect();
        let mid = theirs.mid.clone().unwrap_or_else(|| "0".to_owned());
        self.describe(at, &formats, "active", &mid)
    }

    fn describe(&mut self, at: usize, formats: &[(u8, String)], setup: &'static str, mid: &str) -> String {
        let agent = self.profile.agent.clone();
        let call = &mut self.calls[at];
        let version = call.version;
        call.version += 1;
        let Some(media) = &mut call.media else { return String::new() };
        let (ip, port) = (media.local.ip(), media.local.port());
        let pts: Vec<String> = formats.iter().map(|(pt, _)| pt.to_string()).collect();
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o={} {} {version} IN IP4 {ip}", agent.replace(['/', ' '], "-"), call.session),
            "s=-".to_owned(),
            format!("c=IN IP4 {ip}"),
            "t=0 0".to_owned(),
        ];
        let profile = match &media.transport {
            Transport::Plain => "RTP/AVP",
            Transport::WebRtc(_) => "UDP/TLS/RTP/SAVPF",
        };
        if let Transport::WebRtc(_) = &media.transport {
            lines.push(format!("a=group:BUNDLE {mid}"));
        }
        lines.push(format!("m=audio {port} {profile} {}", pts.join(" ")));
        lines.extend(formats.iter().map(|(pt, name)| format!("a=rtpmap:{pt} {name}")));
        lines.push(format!("a={}", call.direction));
        if let Transport::WebRtc(rtc) = &mut media.transport {
            let digits: Vec<String> = rtc.fingerprint.iter().map(|b| format!("{b:02X}")).collect();
            lines.push(format!("a=mid:{mid}"));
            lines.push("a=rtcp-mux".to_owned());
            lines.push(format!("a=ice-ufrag:{}", rtc.ufrag));
            lines.push(format!("a=ice-pwd:{}", rtc.pwd));
            lines.push(format!("a=fingerprint:sha-256 {}", digits.join(":")));
            lines.push(format!("a=setup:{setup}"));
            lines.push(format!("a=candidate:1 1 udp 2130706431 {ip} {port} typ host generation 0"));
        }
        lines.push(String::new());
        lines.join("\r\n")
    }

    /// Takes the far end's description into the call's media.
    fn agree(&mut self, now: Instant, at: usize, body: &str) -> Option<Sdp> {
        let Some(theirs) = Sdp::read(body) else {
            self.complain(format!("unreadable description:\n{body}"));
            return None;
        };
        let webrtc = self.profile.webrtc;
        if webrtc != theirs.profile.contains("SAVPF") {
            self.complain(format!("profile {} for this kind of peer", theirs.profile));
        }
        if let Some(pwd) = theirs.pwd.clone() {
            self.secret(&pwd);
        }
        let codecs = self.profile.codecs.clone();
        let call = &mut self.calls[at];
        call.remote_direction.clone_from(&theirs.direction);
        if let Some(media) = &mut call.media {
            media.agree(now, &theirs, &codecs, call.direction);
        }
        Some(theirs)
    }

    pub fn on_provisional(&mut self, now: Instant, client: usize, msg: &Msg) {
        let Purpose::Invite(at) = self.clients[client].purpose else { return };
        let status = msg.status().unwrap_or(0);
        self.calls[at].statuses.push(status);
        if status > 100 {
            if self.calls[at].state == State::Calling {
                self.calls[at].state = State::Ringing;
            }
            if !msg.body.is_empty() {
                let body = msg.body.clone();
                self.agree(now, at, &body);
            }
        }
        if self.calls[at].wants_cancel {
            self.cancel(now, at);
        }
    }

    pub fn on_success(&mut self, now: Instant, client: usize, msg: &Msg, again: bool) {
        if self.script.never_acks {
            return;
        }
        let (Purpose::Invite(at) | Purpose::Update(at)) = self.clients[client].purpose else { return };
        if again {
            if let Some(ack) = self.calls[at].ack.clone() {
                self.out.push_back(Out::Sip(ack));
            }
            return;
        }
        let update = matches!(self.clients[client].purpose, Purpose::Update(_));
        let call = &mut self.calls[at];
        if update {
            call.updates.push(200);
        } else {
            call.statuses.push(200);
            call.status = Some(200);
            call.remote_tag = msg.target_tag().to_owned();
            call.remote = msg.get("To").unwrap_or_default().to_owned();
            call.state = State::Answered;
        }
        if let Some(contact) = msg.contact() {
            call.target = contact;
        }
        self.check_target(at);
        let body = msg.body.clone();
        self.agree(now, at, &body);
        let ack = self.in_call("ACK", at).write();
        self.calls[at].ack = Some(ack.clone());
        self.out.push_back(Out::Sip(ack));
        if self.calls[at].cancelled && !update {
            // RFC 3261 §9.1: the answer crossed the CANCEL.
            self.hang_up(now, at);
        }
    }

    /// The SBC's Contact has to lead to where this peer reaches it.
    fn check_target(&mut self, at: usize) {
        let target = self.calls[at].target.clone();
        let server = self.profile.server.to_string();
        if sip::host_port(&target) != server {
            self.complain(format!("Contact {target} does not lead to {server}"));
        }
    }

    pub fn on_refused(&mut self, _now: Instant, at: usize, status: u16) {
        let call = &mut self.calls[at];
        call.statuses.push(status);
        call.status = Some(status);
        call.state = State::Ended;
        call.media = None;
    }

    pub fn on_update_refused(&mut self, now: Instant, at: usize, status: u16) {
        let wait = if self.calls[at].outgoing { 2100 + self.rng.below(190) * 10 } else { self.rng.below(200) * 10 };
        let call = &mut self.calls[at];
        call.updates.push(status);
        match status {
            // RFC 3261 §14.1.
            491 => call.again = Some((now + Duration::from_millis(wait), call.direction)),
            408 | 481 => self.end(at),
            _ => {}
        }
    }

    pub fn on_no_answer(&mut self, now: Instant, purpose: Purpose) {
        match purpose {
            Purpose::Register => self.registration.refused = Some(408),
            Purpose::Invite(at) => self.on_refused(now, at, 408),
            Purpose::Update(at) => self.on_update_refused(now, at, 408),
            Purpose::Bye(at) => self.calls[at].bye_answered = Some(408),
            Purpose::Cancel => {}
        }
    }

    pub fn on_invite(&mut self, now: Instant, server: usize, msg: &Msg) {
        let mut call = self.new_call(false);
        call.call_id = msg.call_id().to_owned();
        call.remote = msg.get("From").unwrap_or_default().to_owned();
        call.remote_tag = msg.sender_tag().to_owned();
        call.local = format!("{};tag={}", msg.get("To").unwrap_or_default(), call.local_tag);
        call.target = msg.contact().unwrap_or_default();
        call.remote_seq = msg.cseq().0;
        call.state = State::Ringing;
        call.server = Some(server);
        call.media = Some(self.new_media());
        self.calls.push(call);
        let at = self.calls.len() - 1;
        self.servers[server].call = Some(at);
        self.check_target(at);
        if msg.get("Max-Forwards").is_none() {
            self.complain("INVITE without Max-Forwards");
        }
        self.servers[server].due = self.script.steps.iter().map(|s| (now + s.after, *s)).collect();
    }

    /// One step of the script for an INVITE.
    pub fn on_step(&mut self, now: Instant, server: usize, step: Step) {
        let Some(at) = self.servers[server].call.filter(|at| self.calls[*at].is_live()) else { return };
        let request = self.servers[server].request.clone();
        let tag = match step.fork {
            0 => self.calls[at].local_tag.clone(),
            n => format!("{}f{n}", self.calls[at].local_tag),
        };
        let mut response = Msg::response(&request, step.status, &tag);
        if step.status > 100 {
            response.add("Contact", &self.contact());
            response.add("User-Agent", &self.profile.agent.clone());
        }
        if step.sdp {
            let body = match self.agree(now, at, &request.body) {
                Some(theirs) => self.answer(at, &theirs),
                None => String::new(),
            };
            response = response.with_sdp(body);
        }
        let call = &mut self.calls[at];
        if step.status >= 200 {
            call.status = Some(step.status);
            call.state = if step.status < 300 { State::Answered } else { State::Ended };
            if step.status < 300 {
                call.local_tag.clone_from(&tag);
                call.local = format!("{};tag={tag}", request.get("To").unwrap_or_default());
            } else {
                call.media = None;
            }
        }
        self.respond(now, server, &response);
        if step.status == 200 && self.script.second_answer {
            self.second_answer(&request, &response);
        }
    }

    /// Another branch of a fork beyond this peer answers as well.
    fn second_answer(&mut self, request: &Msg, first: &Msg) {
        let mut call = self.new_call(false);
        call.call_id = request.call_id().to_owned();
        call.remote = request.get("From").unwrap_or_default().to_owned();
        call.remote_tag = request.sender_tag().to_owned();
        call.local = format!("{};tag={}", request.get("To").unwrap_or_default(), call.local_tag);
        call.target = request.contact().unwrap_or_default();
        call.remote_seq = request.cseq().0;
        call.state = State::Answered;
        call.status = Some(200);
        let mut second = Msg::response(request, 200, &call.local_tag);
        second.add("Contact", &self.contact());
        self.out.push_back(Out::Sip(second.with_sdp(first.body.clone()).write()));
        self.calls.push(call);
    }

    /// Answers a call that rings.
    pub fn answer_now(&mut self, now: Instant, at: usize, status: u16) {
        let Some(server) = self.calls[at].server else { return };
        let step = Step { after: Duration::ZERO, status, sdp: matches!(status, 183 | 200), fork: 0 };
        self.on_step(now, server, step);
    }

    pub fn on_call_ack(&mut self, at: Option<usize>, tag: &str, msg: &Msg) {
        let own = at.map(|at| self.calls[at].local_tag.clone());
        let found = match own {
            Some(own) if own == tag => at,
            _ => self.calls.iter().position(|c| c.local_tag == tag && c.call_id == msg.call_id()),
        };
        if let Some(at) = found {
            self.calls[at].acked = true;
        }
    }

    pub fn on_no_ack(&mut self, now: Instant, at: Option<usize>) {
        if let Some(at) = at.filter(|at| self.calls[*at].state == State::Answered) {
            self.hang_up(now, at);
        }
    }

    fn find_call(&self, msg: &Msg) -> Option<usize> {
        self.calls.iter().position(|c| {
            c.call_id == msg.call_id()
                && c.local_tag == msg.target_tag()
                && (c.remote_tag == msg.sender_tag() || c.remote_tag.is_empty())
        })
    }

    pub fn on_update(&mut self, now: Instant, server: usize, msg: &Msg) {
        let Some(at) = self.find_call(msg).filter(|at| self.calls[*at].is_live()) else {
            return self.respond(now, server, &Msg::response(msg, 481, ""));
        };
        self.servers[server].call = Some(at);
        let pending = self.clients.iter().any(|c: &Client| c.purpose == Purpose::Update(at) && c.finals.is_empty());
        let status = if pending { 491 } else { self.script.update_status };
        let mut response = Msg::response(msg, status, "");
        if status == 200 {
            self.calls[at].asked += 1;
            response.add("Contact", &self.contact());
            let body = if msg.body.is_empty() {
                self.offer(at, "actpass")
            } else {
                match self.agree(now, at, &msg.body.clone()) {
                    Some(theirs) => {
                        let kept = self.calls[at].direction;
                        self.calls[at].direction = answer_direction(&theirs.direction, kept);
                        let body = self.answer(at, &theirs);
                        self.calls[at].direction = kept;
                        body
                    }
                    None => String::new(),
                }
            };
            response = response.with_sdp(body);
        }
        self.respond(now, server, &response);
    }

    pub fn on_bye(&mut self, now: Instant, server: usize, msg: &Msg) {
        let found = self.find_call(msg);
        if self.script.ignores_bye {
            return;
        }
        let status = if found.is_some() { 200 } else { 481 };
        self.respond(now, server, &Msg::response(msg, status, ""));
        if let Some(at) = found {
            if self.calls[at].is_live() {
                self.calls[at].remote_bye = true;
            }
            self.calls[at].reason = msg.get("Reason").map(str::to_owned);
            self.end(at);
        }
    }

    pub fn on_cancel(&mut self, now: Instant, server: usize, msg: &Msg) {
        let branch = msg.branch().to_owned();
        let invite = self.servers.iter().position(|s| s.method == "INVITE" && s.branch == branch);
        let status = if invite.is_some() { 200 } else { 481 };
        let tag =
            invite.and_then(|i| self.servers[i].call).map(|at| self.calls[at].local_tag.clone()).unwrap_or_default();
        self.respond(now, server, &Msg::response(msg, status, &tag));
        if let Some(i) = invite.filter(|i| self.servers[*i].status < 200) {
            let request = self.servers[i].request.clone();
            self.respond(now, i, &Msg::response(&request, 487, &tag));
            if let Some(at) = self.servers[i].call {
                self.calls[at].cancelled = true;
                self.calls[at].status = Some(487);
                self.end(at);
            }
        }
    }

    fn end(&mut self, at: usize) {
        self.calls[at].state = State::Ended;
        self.calls[at].again = None;
        self.calls[at].media = None;
        for server in self.servers.iter_mut().filter(|s| s.call == Some(at)) {
            server.due.clear();
        }
    }

    /// Ends a call in the way its state wants: CANCEL, refusal or BYE.
    pub fn hang_up(&mut self, now: Instant, at: usize) {
        match (self.calls[at].state, self.calls[at].outgoing) {
            (State::Ended, _) => {}
            (State::Calling | State::Ringing, true) => self.cancel(now, at),
            (State::Calling | State::Ringing, false) => self.answer_now(now, at, 603),
            (State::Answered, _) => {
                self.calls[at].seq += 1;
                let bye = self.in_call("BYE", at);
                self.end(at);
                self.start(now, bye, Purpose::Bye(at));
            }
        }
    }

    fn cancel(&mut self, now: Instant, at: usize) {
        let Some(client) = self.calls[at].invite else { return };
        self.calls[at].wants_cancel = true;
        let heard = self.calls[at].statuses.iter().any(|s| *s >= 100);
        if self.calls[at].cancelled || !heard || !self.clients[client].finals.is_empty() {
            return;
        }
        self.calls[at].cancelled = true;
        let invite = self.clients[client].request.clone();
        let uri = invite.start.split(' ').nth(1).unwrap_or_default();
        let mut cancel = Msg::request("CANCEL", uri);
        for name in ["Via", "Max-Forwards", "From", "To", "Call-ID"] {
            cancel.add(name, invite.get(name).unwrap_or_default());
        }
        cancel.add("CSeq", &format!("{} CANCEL", invite.cseq().0));
        self.start(now, cancel, Purpose::Cancel);
    }

    /// Offers again in the call: hold, resume.
    pub fn update(&mut self, now: Instant, at: usize, direction: &'static str) {
        let call = &mut self.calls[at];
        if call.state != State::Answered {
            return;
        }
        call.direction = direction;
        call.seq += 1;
        let setup = "actpass";
        let body = self.offer(at, setup);
        let msg = self.in_call("INVITE", at).with_sdp(body);
        self.start(now, msg, Purpose::Update(at));
    }

    pub fn call_timeout(&mut self, now: Instant, at: usize) {
        if let Some((_, direction)) = self.calls[at].again.filter(|(due, _)| *due <= now) {
            self.calls[at].again = None;
            self.update(now, at, direction);
        }
        let mut packets = Vec::new();
        if let Some(media) = &mut self.calls[at].media {
            media.handle_timeout(now, &mut packets);
            let from = media.local;
            self.out.extend(packets.into_iter().map(|(to, bytes)| Out::Media { from, to, bytes }));
        }
    }

    /// Takes a datagram at one of the media addresses.
    pub fn handle_media(&mut self, now: Instant, to: SocketAddr, from: SocketAddr, bytes: &[u8]) {
        let mut packets = Vec::new();
        let Some(media) = self.calls.iter_mut().filter_map(|c| c.media.as_mut()).find(|m| m.local == to) else {
            return;
        };
        media.handle_packet(now, from, bytes, &mut packets);
        self.out.extend(packets.into_iter().map(|(at, bytes)| Out::Media { from: to, to: at, bytes }));
    }
}

/// RFC 3264 §6.1.
fn answer_direction(offered: &str, wish: &'static str) -> &'static str {
    match (offered, wish) {
        ("sendrecv", wish) => wish,
        ("sendonly", "sendrecv" | "recvonly") => "recvonly",
        ("recvonly", "sendrecv" | "sendonly") => "sendonly",
        _ => "inactive",
    }
}
