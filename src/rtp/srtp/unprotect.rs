//! Unprotecting what the peer sends, in place (RFC 3711 §3.3).
//!
//! In this order: length, replay, authenticity, decryption, and only then is
//! anything remembered. A packet that is not authentic leaves no state, so a
//! stranger can neither use memory up nor move the roll-over counter.

use super::Drop;
use super::context::{Inbound, guess_index};
use super::replay::Refused;
use crate::rtp::header::protected_header_len;

impl Inbound {
    /// Authenticates and decrypts an RTP packet; returns its clear length.
    ///
    /// # Errors
    ///
    /// The packet is to be dropped; its bytes may be rubbish then.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Drop> {
        let header = protected_header_len(packet).map_err(Drop::from)?;
        if packet.len() < header + self.rtp.tag_len() {
            return Err(Drop::Truncated);
        }
        let seq = u16::from_be_bytes([packet[2], packet[3]]);
        let ssrc = u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]]);
        let at = self.sources.find(ssrc);
        let index = match at {
            Some(at) => {
                let window = &self.sources.0[at].window;
                let index = guess_index(window.highest(), seq).ok_or(Drop::TooOld)?;
                window.check(index).map_err(|why| match why {
                    Refused::Duplicate => Drop::Replayed,
                    Refused::Old => Drop::TooOld,
                })?;
                index
            }
            None => {
                self.sources.has_room()?;
                u64::from(seq)
            }
        };
        let len = self.rtp.open_rtp(packet, header, ssrc, index)?;
        self.sources.accept(at, ssrc, index);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{master, packet, sealed};
    use super::super::{Outbound, Profile};
    use super::*;
    use crate::base::limits::SRTP_SOURCES;

    #[test]
    fn drops_a_replayed_packet_before_decrypting() {
        for profile in Profile::ALL {
            let (mut out, mut peer) = (Outbound::new(master(profile)), Inbound::new(master(profile)));
            let first = sealed(&mut out, 7, 100, 50);
            assert_eq!(peer.unprotect(&mut first.clone()), Ok(62));
            let mut again = first.clone();
            assert_eq!(peer.unprotect(&mut again), Err(Drop::Replayed));
            assert_eq!(again, first, "the buffer was not touched");
            let far = sealed(&mut out, 7, 1000, 50);
            assert_eq!(peer.unprotect(&mut far.clone()), Ok(62));
            assert_eq!(peer.unprotect(&mut first.clone()), Err(Drop::TooOld));
        }
    }

    #[test]
    fn a_forged_packet_leaves_no_state() {
        for profile in Profile::ALL {
            let (mut out, mut peer) = (Outbound::new(master(profile)), Inbound::new(master(profile)));
            for ssrc in 0..1000 {
                let (mut forged, len) = packet(ssrc, 1, 40);
                assert_eq!(peer.unprotect(&mut forged[..len]), Err(Drop::BadTag));
            }
            assert_eq!(peer.sources(), 0);
            let good = sealed(&mut out, 7, 5, 40);
            assert!(peer.unprotect(&mut good.clone()).is_ok());
            // A forged jump does not move the window.
            let mut jump = sealed(&mut out, 7, 20_000, 40);
            jump[20] ^= 1;
            assert_eq!(peer.unprotect(&mut jump), Err(Drop::BadTag));
            assert!(peer.unprotect(&mut sealed(&mut Outbound::new(master(profile)), 7, 6, 40)).is_ok());
            assert_eq!(peer.sources(), 1);
        }
    }

    #[test]
    fn follows_the_sender_over_several_roll_overs() {
        for profile in Profile::ALL {
            let (mut out, mut peer) = (Outbound::new(master(profile)), Inbound::new(master(profile)));
            let mut seq = 30_000u16;
            for _ in 0..20 {
                let first = sealed(&mut out, 7, seq, 30);
                let second = sealed(&mut out, 7, seq.wrapping_add(1), 30);
                assert_eq!(peer.unprotect(&mut second.clone()), Ok(42));
                assert_eq!(peer.unprotect(&mut first.clone()), Ok(42), "reordered across the wrap");
                seq = seq.wrapping_add(32_000);
            }
        }
    }

    #[test]
    fn a_packet_cut_at_any_length_is_dropped() {
        for profile in Profile::ALL {
            let mut out = Outbound::new(master(profile));
            let mut peer = Inbound::new(master(profile));
            let (mut whole, len) = packet(7, 1, 40);
            whole[0] |= 0x12;
            whole[20..24].copy_from_slice(&[0xbe, 0xde, 0, 2]);
            let sealed = out.protect(&mut whole, len).expect("a valid packet");
            for cut in 0..sealed {
                let dropped = peer.unprotect(&mut whole[..cut].to_vec());
                let expected = if cut < 32 + profile.rtp_tag_len() { Drop::Truncated } else { Drop::BadTag };
                assert_eq!(dropped, Err(expected), "{profile} cut at {cut}");
            }
            assert_eq!(peer.unprotect(&mut whole[..sealed]), Ok(len));
        }
    }

    #[test]
    fn authentic_sources_are_bounded_too() {
        let profile = Profile::Aes128CmSha1_80;
        let mut peer = Inbound::new(master(profile));
        for ssrc in 0..SRTP_SOURCES as u32 + 1 {
            let result = peer.unprotect(&mut sealed(&mut Outbound::new(master(profile)), ssrc, 1, 4));
            let fits = (ssrc as usize) < SRTP_SOURCES;
            assert_eq!(result, if fits { Ok(16) } else { Err(Drop::TooManySources) });
        }
    }

    #[test]
    fn goes_on_from_a_written_state() {
        let profile = Profile::AeadAes256Gcm;
        let (mut out, mut peer) = (Outbound::new(master(profile)), Inbound::new(master(profile)));
        let first = sealed(&mut out, 7, 65_535, 20);
        assert!(peer.unprotect(&mut first.clone()).is_ok());
        let text = serde_json::to_string(&peer.state()).expect("state is data");
        let mut peer = Inbound::restore(serde_json::from_str(&text).expect("state is read back"));
        assert_eq!(peer.unprotect(&mut first.clone()), Err(Drop::Replayed));
        assert_eq!(peer.unprotect(&mut sealed(&mut out, 7, 0, 20)), Ok(32), "the roll-over is kept");
    }

    proptest! {
        #[test]
        fn no_bytes_are_taken_for_authentic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), gcm: bool) {
            let profile = if gcm { Profile::AeadAes128Gcm } else { Profile::Aes128CmSha1_80 };
            let mut peer = Inbound::new(master(profile));
            if let Some(first) = bytes.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            prop_assert!(peer.unprotect(&mut bytes.clone()).is_err());
            prop_assert!(peer.unprotect_rtcp(&mut bytes).is_err());
            prop_assert_eq!(peer.sources(), 0);
        }
    }
}
