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
use super::shard::{Output, Reason, Verdict};
use super::side::{Kind, Side};
use super::transcode::{Transcoder, Tuning};
use crate::base::limits::MEDIA_PACKET_BYTES;
use crate::base::{Codec, Leg, Now};
use crate::codec::PAYLOAD_BYTES;
use crate::rtp::extension;
use crate::rtp::header::{FIXED_LEN, Header};
use crate::rtp::telephone_event::TelephoneEvent;

/// Passes an accepted packet of `leg`'s peer on.
pub fn pass(
    now: Now,
    sides: &mut [Side; 2],
    leg: Leg,
    content: Content,
    p: &mut Packet,
    tuning: &Tuning,
    out: &mut VecDeque<Output>,
) -> Verdict {
    let to = match &sides[leg.other().index()].kind {
        Kind::Service(service) if service.echoes() => leg,
        Kind::Service(_) => return Verdict::Absorbed,
        Kind::WebRtc(_) | Kind::Rtp(_) => leg.other(),
    };
    if !sides[to.index()].is_ready() {
        return Verdict::Absorbed;
    }
    match content {
        Content::Audio(codec) => audio(now, sides, leg, to, codec, p, tuning, out),
        Content::Event(event, clock_hz) => digit(now, &mut sides[to.index()], event, clock_hz, p),
        Content::Nothing => Verdict::Absorbed,
    }
}

#[allow(clippy::too_many_arguments, reason = "the whole of the packet's way, each part named")]
fn audio(
    now: Now,
    sides: &mut [Side; 2],
    from: Leg,
    to: Leg,
    codec: Codec,
    p: &mut Packet,
    tuning: &Tuning,
    out: &mut VecDeque<Output>,
) -> Verdict {
    let Some((send, pt, ptime_ms)) = stream(&sides[to.index()]).map(|s| (s.codec, s.send_pt, s.ptime_ms)) else {
        return Verdict::Absorbed;
    };
    if codec == send {
        sides[from.index()].transcoder = None;
        let Some(header) = bare(p) else { return Verdict::Dropped(Reason::Malformed) };
        let side = &mut sides[to.index()];
        side.sender.relay(now, &header, p.bytes_mut(), pt, codec.clock_hz());
        return forward(side, p);
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
    let duration = u64::from(event.duration) * u64::from(clock) / u64::from(clock_hz.max(1));
    let event = TelephoneEvent { duration: duration.min(0xffff) as u16, ..event };
    let at = header.payload().start;
    p.bytes_mut()[at..at + 4].copy_from_slice(&event.to_bytes());
    p.set_len(at + 4);
    side.sender.relay_event(now, &header, p.bytes_mut(), pt, clock);
    forward(side, p)
}

/// The event type that counts in the audio's clock, else any (RFC 7160 §3:
/// one source, one clock, where the peer allows it).
pub fn event_type(stream: &Stream) -> Option<(u8, u32)> {
    let clock = stream.codec.clock_hz();
    stream.send_events.iter().find(|(_, hz)| *hz == clock).or_else(|| stream.send_events.first()).copied()
}

/// Takes extension and padding off: they were negotiated with one side only.
fn bare(p: &mut Packet) -> Option<Header> {
    let header = Header::parse(p.bytes()).ok()?;
    let end = header.payload().end;
    let start = extension::strip(p.bytes_mut(), &header);
    p.narrow(start, end);
    // RFC 3550 §5.1: without padding there is no padding bit; sources of a mixer stay behind.
    p.bytes_mut()[0] &= !0x20;
    Header::parse(p.bytes()).ok()
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
