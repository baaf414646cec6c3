//! Calls through a whole engine, as text: what peers send and what they get.
//!
//! Two phones on UDP, browsers on WebSocket, two trunks; the shards are
//! scripted. After every case everything must have been given back and every
//! call must have told exactly one story (`World::check_idle`).

#[path = "engine_calls/answer.rs"]
mod answer;
#[path = "engine_calls/change.rs"]
mod change;
#[path = "engine_calls/ends.rs"]
mod ends;
#[path = "engine_calls/hunt.rs"]
mod hunt;
#[path = "engine_calls/refuse.rs"]
mod refuse;
#[path = "engine_calls/world.rs"]
mod world;

use world::*;

const ALAW: &str = "8";

/// A call from a phone to the trunk, answered and acknowledged.
fn phone_call(w: &mut World) -> (Ua, Got, Got) {
    let mut a = Ua::new(phone_a(), "anna", "+4930123");
    w.send(a.at, &a.invite(&phone_sdp("192.0.2.10", "8 0")));
    w.expect(a.at, "SIP/2.0 100");
    let invite = w.expect(acme(), "INVITE sip:+4930123@198.51.100.1:5060");
    w.send(acme(), &invite.reply("180 Ringing", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", ""));
    w.expect(a.at, "SIP/2.0 180");
    let answer = phone_sdp("198.51.100.1", ALAW);
    w.send(acme(), &invite.reply("200 OK", "b1", "Contact: <sip:gw@198.51.100.1:5060>\n", &answer));
    let ack = w.expect(acme(), "ACK sip:gw@198.51.100.1:5060");
    assert_eq!(ack.header("CSeq").split(' ').nth(1), Some("ACK"));
    let ok = w.expect(a.at, "SIP/2.0 200");
    w.send(a.at, &a.ack(&ok, ""));
    w.nothing(a.at);
    w.nothing(acme());
    (a, invite, ok)
}
