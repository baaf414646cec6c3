//! SRTCP, in place (RFC 3711 §3.4, RFC 7714 §9).
//!
//! The index travels in the packet beside the E bit. We always encrypt; an
//! authentic packet in the clear is read, as the RFC has it. Replay and state
//! follow the same order as for RTP: nothing is remembered of a packet that is
//! not authentic.

use super::Drop;
use super::cipher::{ENCRYPTED, RTCP_HEADER, RTCP_TRAILER};
use super::context::{Inbound, Outbound};
use super::replay::Refused;

/// Highest SRTCP index: a key is used up after 2^31 packets (RFC 3711 §9.2).
const INDEX_MAX: u32 = 0x7fff_ffff;

impl Outbound {
    /// Protects the RTCP compound in `buf[..len]` and returns its new length.
    ///
    /// `buf` needs 4 bytes and
    /// [`Profile::rtcp_tag_len`](super::Profile::rtcp_tag_len) of room.
    ///
    /// # Errors
    ///
    /// The packet must not be sent; `buf` is unchanged.
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Drop> {
        if len > buf.len() || buf.len() - len < self.rtcp.tag_len() + RTCP_TRAILER {
            return Err(Drop::NoRoom);
        }
        let ssrc = ssrc_of(&buf[..len])?;
        if self.rtcp_index > INDEX_MAX {
            return Err(Drop::Exhausted);
        }
        let len = self.rtcp.seal_rtcp(buf, len, ssrc, self.rtcp_index)?;
        self.rtcp_index += 1;
        Ok(len)
    }
}

impl Inbound {
    /// Authenticates and decrypts an RTCP compound; returns its clear length.
    ///
    /// # Errors
    ///
    /// The packet is to be dropped; its bytes may be rubbish then.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Drop> {
        let ssrc = ssrc_of(packet)?;
        if packet.len() < RTCP_HEADER + RTCP_TRAILER + self.rtcp.tag_len() {
            return Err(Drop::Truncated);
        }
        let word = self.rtcp.rtcp_word(packet);
        let index = u64::from(word & !ENCRYPTED);
        let at = self.rtcp_sources.find(ssrc);
        match at {
            Some(at) => self.rtcp_sources.0[at].window.check(index).map_err(|why| match why {
                Refused::Duplicate => Drop::Replayed,
                Refused::Old => Drop::TooOld,
            })?,
            None => self.rtcp_sources.has_room()?,
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        self.rtcp_sources.accept(at, ssrc, index);
        Ok(len)
    }
}

fn ssrc_of(packet: &[u8]) -> Result<u32, Drop> {
    match packet {
        [first, _, _, _, a, b, c, d, ..] if first >> 6 == 2 => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        [_, _, _, _, _, _, _, _, ..] => Err(Drop::Malformed),
        _ => Err(Drop::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Profile;
    use super::super::tests::master;
    use super::*;

    const REPORT: [u8; 32] = {
        let mut r = [0x11; 32];
        (r[0], r[1], r[2], r[3]) = (0x81, 201, 0, 7);
        r
    };

    fn sealed(out: &mut Outbound) -> Vec<u8> {
        let mut buf = REPORT.to_vec();
        buf.resize(64, 0);
        let len = out.protect_rtcp(&mut buf, REPORT.len()).expect("there is room");
        buf.truncate(len);
        buf
    }

    #[test]
    fn carries_e_bit_and_rising_index() {
        for profile in Profile::ALL {
            let (mut out, mut peer) = (Outbound::new(master(profile)), crate::rtp::srtp::Inbound::new(master(profile)));
            for index in 0..3u32 {
                let mut packet = sealed(&mut out);
                assert_eq!(packet.len(), 32 + 4 + profile.rtcp_tag_len());
                let at = if profile.is_aead() { packet.len() - 4 } else { 32 };
                assert_eq!(packet[at..at + 4], (0x8000_0000 | index).to_be_bytes());
                assert_ne!(packet[8..32], REPORT[8..]);
                let again = packet.clone();
                assert_eq!(peer.unprotect_rtcp(&mut packet), Ok(32));
                assert_eq!(packet[..32], REPORT);
                assert_eq!(peer.unprotect_rtcp(&mut again.clone()), Err(Drop::Replayed));
            }
        }
    }

    #[test]
    fn a_packet_cut_at_any_length_is_dropped() {
        for profile in Profile::ALL {
            let mut peer = Inbound::new(master(profile));
            let whole = sealed(&mut Outbound::new(master(profile)));
            for cut in 0..whole.len() {
                let expected = if cut < 12 + profile.rtcp_tag_len() { Drop::Truncated } else { Drop::BadTag };
                assert_eq!(peer.unprotect_rtcp(&mut whole[..cut].to_vec()), Err(expected), "{profile} {cut}");
            }
            assert_eq!(peer.rtcp_sources.0.len(), 0);
        }
    }

    #[test]
    fn stops_when_the_key_is_used_up_and_jumps_after_a_restart() {
        let mut out = Outbound::new(master(Profile::AeadAes128Gcm));
        out.rtcp_index = INDEX_MAX;
        sealed(&mut out);
        let mut buf = [0x80; 64];
        assert_eq!(out.protect_rtcp(&mut buf, 32), Err(Drop::Exhausted));
        let mut out = Outbound::new(master(Profile::AeadAes128Gcm));
        sealed(&mut out);
        let mut out = Outbound::restore(out.state(), 100);
        let packet = sealed(&mut out);
        assert_eq!(packet[packet.len() - 4..], (0x8000_0000u32 | 1025).to_be_bytes());
    }
}
