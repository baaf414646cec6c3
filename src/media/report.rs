//! RTCP of our own on each side; what one peer reports is not told to the other.
//!
//! Sender or receiver report with our name, every five seconds or so, and BYE
//! at the end (RFC 3550 §6). The peer's reports give round trip and loss of
//! what we send. Feedback that is about video or congestion of the far leg
//! ends here.

use super::shard::{Output, Reason};
use super::side::Side;
use crate::base::Now;
use crate::rtp::rtcp::{
    Compound, LastReport, Ntp, Packet, Report, ReportBlock, SenderInfo, Size, round_trip, write_bye,
};

/// Takes an opened compound from a side's peer.
///
/// # Errors
///
/// If it is malformed.
pub fn on_rtcp(now: Now, side: &mut Side, bytes: &[u8]) -> Result<(), Reason> {
    let compound = Compound::parse(bytes, Size::Reduced).map_err(|_| Reason::Malformed)?;
    // A peer that is silent by DTX, mute or hold still shows life by its reports.
    side.receiver.heard_at = Some(now.mono);
    for packet in compound.packets() {
        match packet {
            Packet::SenderReport(report) => {
                side.receiver.on_sender_report(report.ssrc, LastReport::new(report.info.ntp, now.mono));
                report.blocks().for_each(|block| on_block(now, side, &block));
            }
            Packet::ReceiverReport(report) => report.blocks().for_each(|block| on_block(now, side, &block)),
            Packet::Sdes(_) | Packet::Bye(_) | Packet::Feedback(_) | Packet::Other { .. } => {}
        }
    }
    Ok(())
}

fn on_block(now: Now, side: &mut Side, block: &ReportBlock) {
    if block.ssrc != side.sender.ssrc {
        return;
    }
    if side.sender.packets > 0 {
        let lost = block.cumulative_lost.max(0) as f32 / side.sender.packets as f32;
        side.receiver.remote.loss = Some(lost.min(1.0));
    }
    if let Some(trip) = round_trip(now.wall, block) {
        side.receiver.remote.rtt_ms = Some(trip.as_secs_f32() * 1000.0);
    }
}

/// Our report towards a side's peer, with a BYE at the end of the call.
pub fn make(now: Now, side: &mut Side, bye: bool) -> Option<Output> {
    let (port, to) = side.route_rtcp()?;
    let stream = side.plan.stream.as_ref()?;
    let clock = stream.codec.clock_hz();
    let sender = (side.sender.packets > 0).then(|| SenderInfo {
        ntp: Ntp::from_unix(now.wall),
        rtp_timestamp: side.sender.time(now, clock),
        packets: side.sender.packets as u32,
        octets: side.sender.bytes as u32,
    });
    let block = side.receiver.report_block(now);
    let mut bytes = Vec::with_capacity(256);
    let blocks = block.as_slice();
    Report { ssrc: side.sender.ssrc, cname: &stream.cname, sender, blocks }.write(&mut bytes);
    if bye {
        write_bye(&mut bytes, side.sender.ssrc, "");
    }
    side.seal_rtcp(&mut bytes).ok()?;
    Some(Output::Transmit { port, to, bytes })
}
