//! What crosses from one side to the other: relayed, converted or turned round.
//!
//! A packet that the other peer understands is rewritten in place. One that it
//! does not is decoded and encoded. A telephone event keeps its length in
//! milliseconds when the clocks differ (RFC 4733 §2.3 counts it in clock
//! units; copying the number makes a digit six times too long). Nothing waits
//! and nothing is queued on the way.

use std::collections::VecDeque;

use super::packet::{Packet, TAIL};
use super::plan::Stream;
use super::receiver::Content;
use super::sender::EventClocks;
use super::shard::{Output, Reason, Verdict};
use super::side::{Kind, Side};
use super::transcode::{Transcoder, Tuning};
use crate::base::limits::MEDIA_PACKET_BYTES;
use crate::base::{Codec, Leg, Now};
use crate::codec::PAYLOAD_BYTES;
use crate::rtp::header::{FIXED_LEN, Header};
use crate::rtp::sequence::Seen;
use crate::rtp::telephone_event::TelephoneEvent;

/// An accepted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The side whose peer sent it.
    pub leg: Leg,
    /// What it carries.
    pub content: Content,
    /// How it stands in its stream.
    pub seen: Seen,
}

/// Length of a telephone event's payload (RFC 4733 §2.3).
const EVENT_BYTES: usize = 4;

/// Passes an accepted packet on.
pub fn pass(
    now: Now,
    sides: &mut [Side; 2],
    arrival: Arrival,
    p: &mut Packet,
    tuning: &Tuning,
    out: &mut VecDeque<Output>,
) -> Verdict {
    let leg = arrival.leg;
    let to = match &sides[leg.other().index()].kind {
        Kind::Service(service) if service.echoes() => leg,
        Kind::Service(_) => return Verdict::Absorbed,
        Kind::WebRtc(_) | Kind::Rtp(_) => leg.other(),
    };
    let passes = sides[leg.index()].plan.direction.receives() && sides[to.index()].is_ready();
    if !passes || arrival.seen == Seen::First {
        // Another source, the same one with other numbers, or one that is not
        // heard for a while: what follows is no loss of ours.
        sides[to.index()].sender.splice();
        if let Some(transcoder) = &mut sides[leg.index()].transcoder {
            transcoder.restart();
        }
    }
    if !passes {
        return Verdict::Absorbed;
    }
    match arrival.content {
        Content::Audio(codec) => audio(now, sides, arrival, to, codec, p, tuning, out),
        Content::Event(event, clock_hz) => digit(now, &mut sides[to.index()], event, clock_hz, p),
        Content::Nothing => Verdict::Absorbed,
    }
}

#[allow(clippy::too_many_arguments, reason = "the whole of the packet's way, each part named")]
fn audio(
    now: Now,
    sides: &mut [Side; 2],
    arrival: Arrival,
    to: Leg,
    codec: Codec,
    p: &mut Packet,
    tuning: &Tuning,
    out: &mut VecDeque<Output>,
) -> Verdict {
    let Some((send, pt, ptime_ms)) = stream(&sides[to.index()]).map(|s| (s.codec, s.send_pt, s.ptime_ms)) else {
        return Verdict::Absorbed;
    };
    let from = arrival.leg;
    if codec == send {
        sides[from.index()].transcoder = None;
        let Some(header) = bare(p) else { return Verdict::Dropped(Reason::Malformed) };
        let side = &mut sides[to.index()];
        if !side.sender.relay(now, &header, p.bytes_mut(), pt, codec.clock_hz()) {
            return Verdict::Dropped(Reason::Late);
        }
        return forward(side, p);
    }
    if arrival.seen == Seen::Late {
        // Its place has been concealed.
        return Verdict::Dropped(Reason::Late);
    }
    // Taken out and put back, since the packet's two sides may be one (echo).
    let kept = sides[from.index()].transcoder.take().filter(|t| t.does(codec, send));
    let Some(mut transcoder) = kept.or_else(|| Transcoder::new(codec, send, ptime_ms, tuning).ok().map(Box::new))
    else {
        return Verdict::Dropped(Reason::NotNegotiated);
    };
    let verdict = transcode(now, &mut transcoder, &mut sides[to.index()], pt, p, out);
    sides[from.index()].transcoder = Some(transcoder);
    verdict
}

/// The first packet that comes of it leaves in the buffer that came; more of
/// them, after a gap or with a shorter packet time, are queued.
fn transcode(
    now: Now,
    transcoder: &mut Transcoder,
    side: &mut Side,
    pt: u8,
    p: &mut Packet,
    out: &mut VecDeque<Output>,
) -> Verdict {
    let Ok(header) = Header::parse(p.bytes()) else { return Verdict::Dropped(Reason::Malformed) };
    let mut payload = [0; PAYLOAD_BYTES];
    let len = header.payload().len().min(PAYLOAD_BYTES);
    payload[..len].copy_from_slice(&p.bytes()[header.payload()][..len]);
    let clock_hz = stream(side).map_or(8000, |s| s.codec.clock_hz());
    if transcoder.is_behind(header.timestamp) {
        // A sender that keeps its sequence and sets its time back, as some do after a hold.
        transcoder.restart();
        side.sender.splice();
    }
    let mut verdict = Verdict::Absorbed;
    transcoder.feed(header.timestamp, &payload[..len], |made, time| {
        if matches!(verdict, Verdict::Absorbed) {
            p.set_len(FIXED_LEN + made.len());
            p.bytes_mut()[FIXED_LEN..].copy_from_slice(made);
            side.sender.make(now, p.bytes_mut(), made.len(), pt, time, clock_hz);
            verdict = forward(side, p);
        } else if let Some(output) = make(now, side, made, pt, time, clock_hz) {
            out.push_back(output);
        }
    });
    verdict
}

/// A packet made here, on its way through the output queue.
pub fn make(now: Now, side: &mut Side, payload: &[u8], pt: u8, time: u32, clock_hz: u32) -> Option<Output> {
    let mut bytes = vec![0; FIXED_LEN + payload.len() + TAIL];
    bytes[FIXED_LEN..FIXED_LEN + payload.len()].copy_from_slice(payload);
    let len = side.sender.make(now, &mut bytes, payload.len(), pt, time, clock_hz);
    sealed(side, bytes, len)
}

/// The next packet of a digit rendered here.
pub fn make_event(now: Now, side: &mut Side, pt: u8, marker: bool, timestamp: u32, payload: [u8; 4]) -> Option<Output> {
    let mut bytes = vec![0; FIXED_LEN + 4 + TAIL];
    bytes[FIXED_LEN..FIXED_LEN + 4].copy_from_slice(&payload);
    let len = side.sender.make_at(now, &mut bytes, 4, pt, marker, timestamp);
    sealed(side, bytes, len)
}

fn sealed(side: &mut Side, mut bytes: Vec<u8>, len: usize) -> Option<Output> {
    let (port, to) = side.route()?;
    let len = side.seal(&mut bytes, len).ok()?;
    bytes.truncate(len);
    Some(Output::Transmit { port, to, bytes })
}

fn digit(now: Now, side: &mut Side, event: TelephoneEvent, clock_hz: u32, p: &mut Packet) -> Verdict {
    let Some((pt, clock)) = stream(side).and_then(event_type) else { return Verdict::Absorbed };
    let Some(header) = bare(p) else { return Verdict::Dropped(Reason::Malformed) };
    let clocks = EventClocks { from_hz: clock_hz.max(1), to_hz: clock, pt };
    p.set_len(header.payload().start + EVENT_BYTES);
    if !side.sender.relay_event(now, &header, p.bytes_mut(), event, clocks) {
        return Verdict::Dropped(Reason::Late);
    }
    forward(side, p)
}

/// The event type that counts in the audio's clock, else any (RFC 7160 §3:
/// one source, one clock, where the peer allows it).
pub fn event_type(stream: &Stream) -> Option<(u8, u32)> {
    let clock = stream.codec.clock_hz();
    stream.send_events.iter().find(|(_, hz)| *hz == clock).or_else(|| stream.send_events.first()).copied()
}

/// Takes extension, sources and padding off: they were agreed with one side
/// only, and a mixer's sources are no business of the other one.
fn bare(p: &mut Packet) -> Option<Header> {
    let header = Header::parse(p.bytes()).ok()?;
    let (start, end) = (header.payload_start - FIXED_LEN, header.payload_end);
    if start > 0 {
        p.bytes_mut().copy_within(..FIXED_LEN, start);
    }
    p.narrow(start, end);
    // RFC 3550 §5.1: version 2 and nothing besides.
    p.bytes_mut()[0] = 0x80;
    let (payload_start, payload_end) = (FIXED_LEN, end - start);
    Some(Header { csrcs: 0, extension: None, payload_start, payload_end, ..header })
}

fn forward(side: &mut Side, p: &mut Packet) -> Verdict {
    let Some((port, to)) = side.route() else { return Verdict::Absorbed };
    let len = p.bytes().len();
    if len > MEDIA_PACKET_BYTES {
        return Verdict::Dropped(Reason::Malformed);
    }
    match side.seal(p.with_tail(), len) {
        Ok(len) => {
            p.set_len(len);
            Verdict::Forward { port, to, range: p.range() }
        }
        Err(why) => Verdict::Dropped(why),
    }
}

fn stream(side: &Side) -> Option<&Stream> {
    side.plan.stream.as_ref()
}
