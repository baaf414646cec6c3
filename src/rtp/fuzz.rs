//! Bodies of the fuzz targets of this room; they always compile and are also
//! run by property tests. None may panic, whatever the bytes.

use super::extension::{Elements, strip};
use super::header::Header;
use super::rtcp::{Compound, Packet, Size};
use super::srtp::{Inbound, Master, Profile};
use super::telephone_event::{EventReceiver, TelephoneEvent};
use crate::base::Instant;

/// Reads any datagram as RTP, walks its extension and takes it off; what
/// remains is the same packet.
pub fn header(bytes: &[u8]) {
    let Ok(header) = Header::parse(bytes) else { return };
    let payload = &bytes[header.payload()];
    assert!(Elements::new(bytes, &header).map(|(_, v)| v.len()).sum::<usize>() <= bytes.len());
    let mut event = EventReceiver::new(8000);
    if let Some(e) = TelephoneEvent::parse(payload) {
        let heard = event.on_packet(Instant::ZERO, header.timestamp, e).count();
        assert!(heard <= 2);
    }
    let mut copy = bytes.to_vec();
    let start = strip(&mut copy, &header);
    let again = Header::parse(&copy[start..]).expect("stripping keeps a packet valid");
    assert_eq!(&copy[start..][again.payload()], payload);
    assert_eq!((again.seq, again.ssrc, again.csrcs), (header.seq, header.ssrc, header.csrcs));
}

/// Reads any datagram as RTCP and walks all there is.
pub fn rtcp(bytes: &[u8]) {
    for size in [Size::Full, Size::Reduced] {
        let Ok(compound) = Compound::parse(bytes, size) else { continue };
        for packet in compound.packets() {
            match packet {
                Packet::SenderReport(sr) => drop(sr.blocks().count()),
                Packet::ReceiverReport(rr) => drop(rr.blocks().count()),
                Packet::Sdes(sdes) => drop((sdes.items().count(), sdes.cname())),
                Packet::Bye(bye) => drop((bye.sources().count(), bye.reason())),
                Packet::Feedback(feedback) => drop((feedback.nacks().count(), feedback.remb_bps())),
                Packet::Other { .. } => {}
            }
        }
    }
}

/// Unprotects any datagram under every profile; nothing may come out.
pub fn unprotect(bytes: &[u8]) {
    for profile in Profile::ALL {
        let (key, salt) = ([1; 32], [2; 14]);
        let master = Master::new(profile, &key[..profile.key_len()], &salt[..profile.salt_len()]);
        let mut inbound = Inbound::new(master.expect("lengths are the profile's"));
        assert!(inbound.unprotect(&mut bytes.to_vec()).is_err(), "no bytes are authentic by chance");
        assert!(inbound.unprotect_rtcp(&mut bytes.to_vec()).is_err(), "no bytes are authentic by chance");
        assert_eq!(inbound.sources(), 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survive_any_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..160), kind in 64u8..80) {
            if bytes.len() > 1 {
                bytes[0] = bytes[0] & 0x3f | 0x80;
                super::header(&bytes);
                bytes[1] = 192 + kind % 32;
            }
            super::unprotect(&bytes);
            if bytes.len() >= 4 {
                let words = (bytes.len() / 4 - 1) as u16;
                bytes[2..4].copy_from_slice(&words.to_be_bytes());
                bytes.truncate(4 * (usize::from(words) + 1));
            }
            super::rtcp(&bytes);
            super::header(&bytes);
        }
    }
}
