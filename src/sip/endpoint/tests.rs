//! The endpoint from outside: text in, the exact list of outputs out.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::base::{EngineId, RealmId, Transport};
use crate::sip::message::Text;

/// An endpoint, a clock and a peer.
struct World {
    endpoint: Endpoint,
    now: Now,
}

impl World {
    fn new() -> Self {
        Self::with(Config { engine: EngineId(7), ..Config::default() })
    }

    fn with(config: Config) -> Self {
        Self { endpoint: Endpoint::new(config, Rng::from_number(1)), now: Now::from_millis(0, 0) }
    }

    /// A message arrives; gives what came of it.
    fn receive(&mut self, flow: Flow, text: &str) -> Vec<String> {
        self.endpoint.handle_datagram(self.now, flow, &Bytes::from(text.replace('\n', "\r\n")));
        self.outputs()
    }

    /// Time passes to the next deadline that is not after `ms`; gives each
    /// output behind the millisecond in which it came.
    fn advance_to(&mut self, ms: u64) -> Vec<String> {
        let mut log = Vec::new();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| at.as_millis() <= ms) {
            self.now.mono = at;
            self.endpoint.handle_timeout(self.now);
            log.extend(self.outputs().into_iter().map(|line| format!("{} {line}", at.as_millis())));
        }
        self.now.mono = Instant::from_millis(ms);
        log
    }

    fn next_ms(&self) -> Option<u64> {
        self.endpoint.poll_timeout().map(Instant::as_millis)
    }

    fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.endpoint.poll_output()).map(|output| describe(&output)).collect()
    }

    /// The messages that are to be sent, as text, and the rest in short.
    fn transmitted(&mut self) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(output) = self.endpoint.poll_output() {
            if let Output::Transmit { bytes, .. } = output {
                sent.push(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"));
            }
        }
        sent
    }

    fn respond(&mut self, key: u64, request: &str, status: u16) -> Vec<String> {
        let mut response = Response::to_request(&read_request(request), status, "");
        response.set_to_tag("mine");
        self.endpoint.respond(self.now, ServerKey(key), response);
        self.outputs()
    }
}

fn describe(output: &Output) -> String {
    match output {
        Output::Transmit { flow, bytes } => {
            let text = String::from_utf8_lossy(bytes);
            let line = text.lines().next().unwrap_or_default();
            let first = line.strip_prefix("SIP/2.0 ").unwrap_or(line.split(' ').next().unwrap_or_default());
            format!("send {first} to {}", flow.remote)
        }
        Output::Request { key, request, .. } => format!("request {} {}", key.0, request.method),
        Output::Ack { .. } => "ack".to_owned(),
        Output::Cancel { key, .. } => format!("cancel {}", key.0),
        Output::Response { response, .. } => format!("response {}", response.status),
        Output::StrayResponse { response, .. } => format!("stray {}", response.status),
        Output::Failed { why, .. } => format!("failed {why:?}"),
        Output::ServerFailed { key, why } => format!("server {} failed {why:?}", key.0),
        Output::Malformed { what, answered, .. } => format!("malformed {what}, answered {answered}"),
        Output::KeepAlive { .. } => "keep-alive".to_owned(),
        Output::CloseFlow { why, .. } => format!("close: {why}"),
    }
}

fn udp() -> Flow {
    Flow::udp(RealmId(0), ([192, 0, 2, 1], 5060).into(), ([198, 51, 100, 9], 40_000).into())
}

fn stream(transport: Transport, connection: u64) -> Flow {
    Flow { transport, connection: ConnectionId(connection), ..udp() }
}

fn request(method: &str, branch: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.1 SIP/2.0\n\
         Via: SIP/2.0/UDP pc.example:5070;branch={branch}\n\
         Max-Forwards: 70\n\
         From: <sip:alice@a.example>;tag=a1\n\
         To: <sip:bob@b.example>\n\
         Call-ID: c1\n\
         CSeq: 1 {method}\n\
         Contact: <sip:alice@198.51.100.9>\n\
         Content-Length: 0\n\n"
    )
}

fn read_request(text: &str) -> Request {
    match parse(&Bytes::from(text.replace('\n', "\r\n"))) {
        Ok(Message::Request(request)) => request,
        other => panic!("test request: {other:?}"),
    }
}

/// The response of a peer to a request that was sent.
fn answer(sent: &str, status: u16, tag: &str) -> String {
    let (_, rest) = sent.split_once('\n').expect("a start line");
    let tagged = rest.replacen("To: <sip:bob@b.example>\n", &format!("To: <sip:bob@b.example>;tag={tag}\n"), 1);
    format!("SIP/2.0 {status} x\n{tagged}")
}

fn outgoing(method: Method) -> Request {
    let mut request = Request::new(method.clone(), crate::sip::message::Uri::parse("sip:bob@b.example").expect("URI"));
    for (name, value) in [
        (HeaderName::From, "<sip:alice@a.example>;tag=a1".to_owned()),
        (HeaderName::To, "<sip:bob@b.example>".to_owned()),
        (HeaderName::CallId, "c1".to_owned()),
        (HeaderName::CSeq, format!("1 {method}")),
    ] {
        request.headers.push(name, value);
    }
    request
}

#[test]
fn an_invite_gets_its_100_at_once_on_the_way_its_via_says() {
    let mut world = World::new();
    let invite = request("INVITE", "z9hG4bK1");
    world.endpoint.handle_datagram(world.now, udp(), &Bytes::from(invite.replace('\n', "\r\n")));
    assert_eq!(
        world.transmitted(),
        ["SIP/2.0 100 Trying\n\
          Via: SIP/2.0/UDP pc.example:5070;branch=z9hG4bK1;received=198.51.100.9\n\
          From: <sip:alice@a.example>;tag=a1\n\
          To: <sip:bob@b.example>\n\
          Call-ID: c1\n\
          CSeq: 1 INVITE\n\
          Content-Length: 0\n\n"]
    );
    assert_eq!(world.next_ms(), None, "it may ring as long as its user likes");
    // RFC 3261 §18.2.2: to the source address, at the port of sent-by.
    assert_eq!(world.receive(udp(), &invite), ["send 100 Trying to 198.51.100.9:5070"]);
    assert_eq!(world.respond(1, &invite, 180), ["send 180 Ringing to 198.51.100.9:5070"]);
    assert_eq!(world.receive(udp(), &invite), ["send 180 Ringing to 198.51.100.9:5070"]);
}

#[test]
fn answers_follow_rport_and_connections() {
    let mut world = World::new();
    let rport = request("INVITE", "z9hG4bK1;rport");
    assert_eq!(world.receive(udp(), &rport), ["send 100 Trying to 198.51.100.9:40000", "request 1 INVITE"]);
    let ws = stream(Transport::Ws, 5);
    let over_ws = request("INVITE", "z9hG4bK2").replace("c1", "c2");
    assert_eq!(world.receive(ws, &over_ws), ["send 100 Trying to 198.51.100.9:40000", "request 2 INVITE"]);
    let mut forced = World::with(Config { force_rport: true, ..Config::default() });
    assert_eq!(forced.receive(udp(), &request("INVITE", "z9hG4bK1"))[0], "send 100 Trying to 198.51.100.9:40000");
    // maddr would let a stranger aim our answers.
    let maddr = request("OPTIONS", "z9hG4bK3;maddr=203.0.113.255").replace("c1", "c3");
    assert_eq!(world.receive(udp(), &maddr), ["request 3 OPTIONS"]);
    assert_eq!(world.respond(3, &maddr, 200), ["send 200 OK to 198.51.100.9:5070"]);
}

#[test]
fn a_failure_is_repeated_until_its_ack_and_the_ack_goes_no_further() {
    let mut world = World::new();
    let invite = request("INVITE", "z9hG4bK1");
    world.receive(udp(), &invite);
    assert_eq!(world.respond(1, &invite, 486), ["send 486 Busy Here to 198.51.100.9:5070"]);
    assert_eq!(
        world.advance_to(4000),
        [
            "500 send 486 Busy Here to 198.51.100.9:5070",
            "1500 send 486 Busy Here to 198.51.100.9:5070",
            "3500 send 486 Busy Here to 198.51.100.9:5070"
        ]
    );
    let ack = request("ACK", "z9hG4bK1").replace("To: <sip:bob@b.example>", "To: <sip:bob@b.example>;tag=mine");
    assert_eq!(world.receive(udp(), &ack), Vec::<String>::new());
    assert_eq!(world.next_ms(), Some(9000), "timer I");
    assert_eq!(world.receive(udp(), &ack), Vec::<String>::new());
    assert_eq!(world.advance_to(9000), Vec::<String>::new());
    assert!(world.endpoint.is_idle());
    assert_eq!(world.endpoint.counters().acks_absorbed, 2);
}

#[test]
fn a_failure_without_ack_is_told_after_64_t1() {
    let mut world = World::new();
    let invite = request("INVITE", "z9hG4bK1");
    world.receive(udp(), &invite);
    world.respond(1, &invite, 603);
    let log = world.advance_to(40_000);
    assert_eq!(log.len(), 11, "{log:?}");
    assert_eq!(log[10], "32000 server 1 failed Timeout");
    assert!(world.endpoint.is_idle());
}

#[test]
fn a_2xx_is_repeated_on_demand_and_its_ack_passed_up() {
    let mut world = World::new();
    let invite = request("INVITE", "z9hG4bK1");
    world.receive(udp(), &invite);
    assert_eq!(world.respond(1, &invite, 200), ["send 200 OK to 198.51.100.9:5070"]);
    assert_eq!(world.receive(udp(), &invite), Vec::<String>::new(), "RFC 6026 §7.1");
    assert!(world.endpoint.resend_2xx(world.now, ServerKey(1)));
    assert_eq!(world.outputs(), ["send 200 OK to 198.51.100.9:5070"]);
    let ack = request("ACK", "z9hG4bKother").replace("To: <sip:bob@b.example>", "To: <sip:bob@b.example>;tag=mine");
    assert_eq!(world.receive(udp(), &ack), ["ack"]);
    // A peer of RFC 2543 acknowledges with the branch of the INVITE.
    assert_eq!(world.receive(udp(), &ack.replace("other", "1")), ["ack"]);
    world.endpoint.acknowledged(ServerKey(1));
    assert!(!world.endpoint.resend_2xx(world.now, ServerKey(1)));
    assert_eq!(world.next_ms(), Some(32_000), "timer L");
    assert_eq!(world.advance_to(32_000), Vec::<String>::new());
    assert!(world.endpoint.is_idle());
}

#[test]
fn cancel_is_answered_with_the_tag_of_the_invite() {
    let mut world = World::new();
    let (invite, cancel) = (request("INVITE", "z9hG4bK1"), request("CANCEL", "z9hG4bK1"));
    world.receive(udp(), &invite);
    world.respond(1, &invite, 180);
    world.endpoint.handle_datagram(world.now, udp(), &Bytes::from(cancel.replace('\n', "\r\n")));
    let Some(Output::Transmit { bytes, .. }) = world.endpoint.poll_output() else { panic!("no answer") };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.starts_with("SIP/2.0 200 OK\r\n") && text.contains("To: <sip:bob@b.example>;tag=mine\r\n"), "{text}");
    assert_eq!(world.outputs(), ["cancel 1"]);
    assert_eq!(world.receive(udp(), &cancel), ["send 200 OK to 198.51.100.9:5070"], "told once");
    assert_eq!(world.respond(1, &invite, 487), ["send 487 Request Terminated to 198.51.100.9:5070"]);
}

#[test]
fn a_cancel_that_comes_too_late_or_for_nothing_has_no_effect() {
    let mut world = World::new();
    let invite = request("INVITE", "z9hG4bK1");
    world.receive(udp(), &invite);
    world.respond(1, &invite, 200);
    assert_eq!(world.receive(udp(), &request("CANCEL", "z9hG4bK1")), ["send 200 OK to 198.51.100.9:5070"]);
    let stray = request("CANCEL", "z9hG4bK2");
    assert_eq!(world.receive(udp(), &stray), ["send 481 Call/Transaction Does Not Exist to 198.51.100.9:5070"]);
}

#[test]
fn peers_of_rfc_2543_are_matched_by_what_their_requests_say() {
    let mut world = World::new();
    let invite = request("INVITE", "1");
    assert_eq!(world.receive(udp(), &invite), ["send 100 Trying to 198.51.100.9:5070", "request 1 INVITE"]);
    assert_eq!(world.receive(udp(), &invite), ["send 100 Trying to 198.51.100.9:5070"]);
    world.respond(1, &invite, 486);
    let ack = request("ACK", "1").replace("To: <sip:bob@b.example>", "To: <sip:bob@b.example>;tag=mine");
    assert_eq!(world.receive(udp(), &ack), Vec::<String>::new());
    assert_eq!(world.next_ms(), Some(5000), "timer I");
    let without = request("INVITE", "x").replace(";branch=x", "").replace("c1", "c2");
    assert_eq!(world.receive(udp(), &without)[1], "request 2 INVITE");
    let cancel = request("CANCEL", "x").replace(";branch=x", "").replace("c1", "c2");
    assert_eq!(world.receive(udp(), &cancel), ["send 200 OK to 198.51.100.9:5070", "cancel 2"]);
}

#[test]
fn a_merged_request_gets_482_and_its_ack_is_known() {
    let mut world = World::new();
    world.receive(udp(), &request("INVITE", "z9hG4bK1"));
    let merged = request("INVITE", "z9hG4bK2");
    world.endpoint.handle_datagram(world.now, udp(), &Bytes::from(merged.replace('\n', "\r\n")));
    let refused = world.transmitted();
    assert!(refused[0].starts_with("SIP/2.0 482 Loop Detected\n"), "{refused:?}");
    let to = refused[0].lines().find(|line| line.starts_with("To:")).expect("a To");
    let ack = request("ACK", "z9hG4bK2").replace("To: <sip:bob@b.example>", to);
    assert_eq!(world.receive(udp(), &ack), Vec::<String>::new());
    assert_eq!(world.endpoint.counters().merged, 1);
    // The same identity in another realm is another caller.
    let elsewhere = Flow { realm: RealmId(1), ..udp() };
    assert_eq!(world.receive(elsewhere, &merged)[1], "request 2 INVITE");
}

#[test]
fn a_slow_answer_is_preceded_by_100_and_a_very_slow_one_not_sent() {
    let mut world = World::new();
    let options = request("OPTIONS", "z9hG4bK1");
    assert_eq!(world.receive(udp(), &options), ["request 1 OPTIONS"]);
    assert_eq!(world.receive(udp(), &options), Vec::<String>::new());
    assert_eq!(world.respond(1, &options, 180), Vec::<String>::new(), "RFC 4320 §4.1");
    let mut world = World::new();
    world.receive(udp(), &options);
    assert_eq!(world.advance_to(3500), ["3500 send 100 Trying to 198.51.100.9:5070"]);
    assert_eq!(world.receive(udp(), &options), ["send 100 Trying to 198.51.100.9:5070"]);
    assert_eq!(world.advance_to(32_000), ["32000 server 1 failed Timeout"]);
    assert_eq!(world.respond(1, &options, 200), Vec::<String>::new());
    assert_eq!(world.endpoint.counters().answers_dropped, 1);
    assert!(world.endpoint.is_idle());
}

#[test]
fn an_invite_of_ours_is_repeated_answered_and_acknowledged() {
    let mut world = World::new();
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    let sent = world.transmitted();
    let branch = sent[0].split_once("branch=").and_then(|(_, rest)| rest.split_once(';')).expect("a branch").0;
    assert_eq!(lead::read_branch(branch).map(|(engine, _)| engine), Some(EngineId(7)));
    assert_eq!(
        sent[0],
        format!(
            "INVITE sip:bob@b.example SIP/2.0\n\
             Via: SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport\n\
             Max-Forwards: 70\n\
             From: <sip:alice@a.example>;tag=a1\n\
             To: <sip:bob@b.example>\n\
             Call-ID: c1\n\
             CSeq: 1 INVITE\n\
             Content-Length: 0\n\n"
        )
    );
    let to = "198.51.100.9:40000";
    assert_eq!(world.advance_to(1500), [format!("500 send INVITE to {to}"), format!("1500 send INVITE to {to}")]);
    assert_eq!(world.receive(udp(), &answer(&sent[0], 180, "b1")), ["response 180"]);
    assert_eq!(world.next_ms(), None);
    let busy = answer(&sent[0], 486, "b1");
    assert_eq!(world.receive(udp(), &busy), [format!("send ACK to {to}"), "response 486".to_owned()]);
    assert_eq!(world.receive(udp(), &busy), [format!("send ACK to {to}")]);
    assert_eq!(world.next_ms(), Some(33_500), "timer D");
    assert_eq!(world.advance_to(33_500), Vec::<String>::new());
    assert!(world.endpoint.is_idle());
}

#[test]
fn every_2xx_of_a_fork_comes_and_a_late_one_is_a_stray() {
    let mut world = World::new();
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    let sent = world.transmitted().remove(0);
    assert_eq!(world.receive(udp(), &answer(&sent, 200, "b1")), ["response 200"]);
    assert_eq!(world.receive(udp(), &answer(&sent, 200, "b2")), ["response 200"]);
    assert_eq!(world.receive(udp(), &answer(&sent, 486, "b3")), Vec::<String>::new());
    assert_eq!(world.advance_to(32_000), Vec::<String>::new());
    assert_eq!(world.receive(udp(), &answer(&sent, 200, "b1")), ["stray 200"]);
    assert_eq!(world.receive(udp(), &answer(&sent, 486, "b1")), Vec::<String>::new());
    assert!(world.endpoint.is_idle());
}

#[test]
fn an_unanswered_invite_fails_after_64_t1() {
    let mut world = World::new();
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    world.outputs();
    let log = world.advance_to(40_000);
    let at: Vec<_> = log.iter().map(|line| line.split_once(' ').expect("a time").0).collect();
    assert_eq!(at, ["500", "1500", "3500", "7500", "15500", "31500", "32000"]);
    assert_eq!(log[6], "32000 failed Timeout");
    assert!(world.endpoint.is_idle());
}

#[test]
fn cancel_waits_for_a_provisional_and_shares_the_branch() {
    let mut world = World::new();
    let key = world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    let invite = world.transmitted().remove(0);
    world.endpoint.cancel(world.now, key);
    assert_eq!(world.outputs(), Vec::<String>::new());
    world.endpoint.handle_datagram(world.now, udp(), &Bytes::from(answer(&invite, 100, "b1").replace('\n', "\r\n")));
    let cancel = world.transmitted().remove(0);
    assert!(cancel.starts_with("CANCEL sip:bob@b.example SIP/2.0\n"), "{cancel}");
    assert_eq!(invite.lines().nth(1), cancel.lines().nth(1), "the Via of the INVITE");
    assert_eq!(world.next_ms(), Some(500), "timer E of the CANCEL");
    assert_eq!(world.receive(udp(), &answer(&cancel, 200, "b1")), Vec::<String>::new());
    let terminated = answer(&invite, 487, "b1");
    assert_eq!(world.receive(udp(), &terminated), ["send ACK to 198.51.100.9:40000", "response 487"]);
    assert_eq!(world.advance_to(40_000), Vec::<String>::new());
    assert!(world.endpoint.is_idle());
}

#[test]
fn a_cancelled_invite_without_final_fails_after_64_t1() {
    let mut world = World::new();
    let key = world.endpoint.send_request(world.now, stream(Transport::Tcp, 1), outgoing(Method::Invite));
    let invite = world.transmitted().remove(0);
    world.receive(stream(Transport::Tcp, 1), &answer(&invite, 180, "b1"));
    world.endpoint.cancel(world.now, key);
    assert_eq!(world.outputs(), ["send CANCEL to 198.51.100.9:40000"]);
    assert_eq!(world.advance_to(40_000), ["32000 failed Timeout"]);
    assert!(world.endpoint.is_idle());
}

#[test]
fn responses_that_are_not_for_us_go_nowhere() {
    let mut world = World::new();
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Options));
    let sent = world.transmitted().remove(0);
    let ok = answer(&sent, 200, "b1");
    let two_vias = ok.replacen("Max-Forwards", "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1\nMax-Forwards", 1);
    assert_eq!(world.receive(udp(), &two_vias), ["malformed not exactly one Via, answered false"]);
    assert_eq!(world.receive(udp(), &ok.replace("z9hG4bK07", "z9hG4bK08")), Vec::<String>::new());
    assert_eq!(world.receive(udp(), &ok.replace("1 OPTIONS", "1 INFO")), Vec::<String>::new());
    assert_eq!(world.receive(Flow { realm: RealmId(1), ..udp() }, &ok), Vec::<String>::new());
    assert_eq!(world.endpoint.counters().responses_dropped, 4);
    assert_eq!(world.receive(udp(), &ok), ["response 200"]);
    assert_eq!(world.next_ms(), Some(5000), "timer K");
}

#[test]
fn a_closed_connection_fails_what_was_on_it() {
    let mut world = World::new();
    let (tcp, other) = (stream(Transport::Tcp, 1), stream(Transport::Tcp, 2));
    world.receive(tcp, &request("INVITE", "z9hG4bK1"));
    world.endpoint.send_request(world.now, tcp, outgoing(Method::Options));
    world.endpoint.send_request(world.now, other, outgoing(Method::Options));
    // One that waits for a connection to this peer to be opened.
    world.endpoint.send_request(world.now, stream(Transport::Tcp, 0), outgoing(Method::Options));
    world.outputs();
    world.endpoint.handle_flow_closed(world.now, tcp);
    assert_eq!(world.outputs(), ["failed TransportError", "server 1 failed TransportError", "failed TransportError"]);
    assert_eq!(world.endpoint.transactions(), 1);
}

#[test]
fn a_connection_that_was_opened_for_a_request_takes_it_over() {
    let mut world = World::new();
    let asked = stream(Transport::Tcp, 0);
    let opened = Flow { local: ([192, 0, 2, 1], 33_333).into(), ..stream(Transport::Tcp, 8) };
    world.endpoint.send_request(world.now, asked, outgoing(Method::Invite));
    let sent = world.transmitted().remove(0);
    world.endpoint.handle_flow_opened(asked, opened);
    world.endpoint.handle_datagram(world.now, opened, &Bytes::from(answer(&sent, 486, "b1").replace('\n', "\r\n")));
    let Some(Output::Transmit { flow, .. }) = world.endpoint.poll_output() else { panic!("no ACK") };
    assert_eq!(flow, opened);
    assert_eq!(world.outputs(), ["response 486"]);
    world.endpoint.send_request(world.now, asked, outgoing(Method::Options));
    world.endpoint.handle_flow_opened(asked, opened);
    world.outputs();
    world.endpoint.handle_flow_closed(world.now, opened);
    assert_eq!(world.outputs(), ["failed TransportError"]);
    assert!(world.endpoint.is_idle());
}

#[test]
fn an_unreachable_peer_fails_only_what_it_has_not_answered() {
    let mut world = World::new();
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    let sent = world.transmitted().remove(0);
    world.receive(udp(), &answer(&sent, 180, "b1"));
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Invite));
    world.outputs();
    world.endpoint.handle_transport_error(world.now, udp());
    assert_eq!(world.outputs(), ["failed TransportError"]);
    assert_eq!(world.endpoint.transactions(), 1);
}

#[test]
fn what_is_malformed_is_answered_where_it_can_be() {
    let mut world = World::new();
    let mismatch = request("OPTIONS", "z9hG4bK1").replace("1 OPTIONS", "1 INVITE");
    let first = world.receive(udp(), &mismatch);
    assert_eq!(
        first,
        ["send 400 CSeq Method Mismatch to 198.51.100.9:5070", "malformed CSeq Method Mismatch, answered true"]
    );
    assert_eq!(world.receive(udp(), &mismatch), first);
    assert_eq!(world.receive(udp(), "rubbish\n\n").len(), 1);
    let ack = request("ACK", "z9hG4bK1").replace("1 ACK", "1 INVITE");
    assert_eq!(world.receive(udp(), &ack), ["malformed CSeq Method Mismatch, answered false"]);
    let scheme = request("OPTIONS", "z9hG4bK1").replace("sip:bob@192.0.2.1", "nobody:knows");
    assert_eq!(world.receive(udp(), &scheme), ["send 416 Unsupported URI Scheme to 198.51.100.9:5070"]);
    assert!(world.endpoint.is_idle());
    assert_eq!((world.endpoint.counters().malformed, world.endpoint.counters().refused), (4, 1));
    // A Via that cannot be read leads nowhere, but the packet came from somewhere.
    let via = request("OPTIONS", "z9hG4bK1;;,;,,");
    assert_eq!(
        world.receive(udp(), &via),
        ["send 400 Bad Via to 198.51.100.9:40000", "malformed Bad Via, answered true"]
    );
}

#[test]
fn a_full_table_refuses_invites_first() {
    let mut world = World::with(Config { max_transactions: 8, ..Config::default() });
    for n in 0..7 {
        world.receive(udp(), &request("INVITE", &format!("z9hG4bK{n}")).replace("c1", &format!("c{n}")));
    }
    assert_eq!(world.endpoint.transactions(), 7);
    let invite = request("INVITE", "z9hG4bKx").replace("c1", "cx");
    world.endpoint.handle_datagram(world.now, udp(), &Bytes::from(invite.replace('\n', "\r\n")));
    let refused = world.transmitted();
    assert!(refused[0].starts_with("SIP/2.0 503 ") && refused[0].contains("\nRetry-After: 10\n"), "{refused:?}");
    let bye = request("BYE", "z9hG4bKy").replace("c1", "cy");
    assert_eq!(world.receive(udp(), &bye), ["request 8 BYE"]);
    assert_eq!(world.receive(udp(), &bye.replace("Ky", "Kz")), ["send 503 Service Unavailable to 198.51.100.9:5070"]);
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Options));
    assert_eq!(world.outputs(), ["failed Overload"]);
    assert_eq!(world.endpoint.counters().overload, 3);
}

#[test]
fn keep_alives_are_answered_on_streams_only() {
    let mut world = World::new();
    assert_eq!(world.receive(udp(), "\n\n"), ["keep-alive"]);
    assert_eq!(world.receive(udp(), "\0\0\0\0"), ["keep-alive"]);
    let ws = stream(Transport::Wss, 3);
    assert_eq!(world.receive(ws, "\n\n"), ["send  to 198.51.100.9:40000", "keep-alive"]);
    let tcp = stream(Transport::Tcp, 4);
    world.endpoint.handle_stream(world.now, tcp, b"\r\n\r\n");
    assert_eq!(world.outputs(), ["send  to 198.51.100.9:40000", "keep-alive"]);
    assert!(world.endpoint.is_idle());
}

#[test]
fn a_stream_gives_its_messages_and_closes_on_what_it_cannot_frame() {
    let mut world = World::new();
    let tcp = stream(Transport::Tcp, 4);
    let text = request("OPTIONS", "z9hG4bK1").replace('\n', "\r\n");
    let (first, second) = text.as_bytes().split_at(30);
    world.endpoint.handle_stream(world.now, tcp, first);
    assert_eq!((world.outputs(), world.next_ms()), (Vec::new(), Some(32_000)));
    world.endpoint.handle_stream(world.now, tcp, second);
    assert_eq!(world.outputs(), ["request 1 OPTIONS"]);
    let unframed = text.replace("Content-Length: 0\r\n", "").replace("K1", "K2");
    world.endpoint.handle_stream(world.now, tcp, unframed.as_bytes());
    assert_eq!(
        world.outputs(),
        [
            "send 400 no Content-Length to 198.51.100.9:40000",
            "malformed no Content-Length, answered true",
            "close: no Content-Length"
        ]
    );
    world.endpoint.handle_stream(world.now, tcp, text.as_bytes());
    assert_eq!(world.outputs(), Vec::<String>::new(), "nothing is read behind it");
    world.endpoint.handle_flow_closed(world.now, tcp);
    assert_eq!(world.outputs(), ["server 1 failed TransportError"]);
    assert!(world.endpoint.is_idle());
}

#[test]
fn a_message_that_never_ends_closes_its_connection() {
    let mut world = World::new();
    let tcp = stream(Transport::Tcp, 4);
    world.endpoint.handle_stream(world.now, tcp, b"OPTIONS sip:a SIP/2.0\r\n");
    world.now.mono = Instant::from_millis(20_000);
    world.endpoint.handle_stream(world.now, tcp, b"Via: ");
    assert_eq!(world.advance_to(40_000), ["32000 close: message not finished in time"]);
    world.endpoint.handle_stream(world.now, tcp, b"rubbish\r\n\r\n");
    assert_eq!(world.outputs(), Vec::<String>::new());
    world.endpoint.handle_flow_closed(world.now, tcp);
    assert!(world.endpoint.is_idle());
}

#[test]
fn our_name_stands_in_messages_that_have_none() {
    let mut world = World::with(Config { server: Some(Text::from("sbc")), ..Config::default() });
    world.endpoint.send_request(world.now, udp(), outgoing(Method::Options));
    world.endpoint.send_ack(world.now, udp(), outgoing(Method::Ack));
    let sent = world.transmitted();
    assert!(sent.iter().all(|text| text.contains("\nUser-Agent: sbc\n")), "{sent:?}");
    let options = request("OPTIONS", "z9hG4bK1");
    world.receive(udp(), &options);
    world.endpoint.respond(world.now, ServerKey(1), Response::to_request(&read_request(&options), 200, ""));
    let answer = world.transmitted().remove(0);
    assert!(answer.contains("\nServer: sbc\n") && answer.contains("To: <sip:bob@b.example>;tag="), "{answer}");
}

#[test]
fn any_sequence_of_inputs_leaves_nothing_behind() {
    let mut rng = Rng::from_number(11);
    for _ in 0..400 {
        let mut data = vec![0; 20 + rng.below(600) as usize];
        rng.fill(&mut data);
        fuzz::endpoint(&data);
    }
}

#[test]
fn a_transaction_is_small() {
    let patience = World::new().endpoint.stream_patience();
    assert_eq!(patience, Duration::from_secs(32));
    assert!(crate::sip::transaction::table::entry_bytes() <= 320, "{}", crate::sip::transaction::table::entry_bytes());
}
