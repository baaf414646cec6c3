//! Protecting what we send, in place (RFC 3711 §3.3).
//!
//! The index comes from the packet's sequence number and the highest index of
//! its source. Packets may be sent out of order within the window; an index is
//! never used twice, since that would give away the keystream (and with GCM
//! the authentication key).

use super::Drop;
use super::context::{Outbound, guess_index};
use super::replay::Refused;
use crate::rtp::header::protected_header_len;

impl Outbound {
    /// Protects the RTP packet in `buf[..len]` and returns its new length.
    ///
    /// `buf` needs [`Profile::rtp_tag_len`](super::Profile::rtp_tag_len) bytes
    /// of room behind the packet. A sender should start below sequence number
    /// 2^15 (RFC 3711 §3.3.1), or a receiver that loses the first packets can
    /// guess a wrong roll-over.
    ///
    /// # Errors
    ///
    /// The packet must not be sent; `buf` is unchanged.
    pub fn protect(&mut self, buf: &mut [u8], len: usize) -> Result<usize, Drop> {
        let packet = buf.get(..len).ok_or(Drop::NoRoom)?;
        let header = protected_header_len(packet).map_err(Drop::from)?;
        if buf.len() - len < self.rtp.tag_len() {
            return Err(Drop::NoRoom);
        }
        let seq = u16::from_be_bytes([buf[2], buf[3]]);
        let ssrc = u32::from_be_bytes([buf[8], buf[9], buf[10], buf[11]]);
        let at = self.sources.find(ssrc);
        let index = match at {
            Some(at) => {
                let window = &self.sources.0[at].window;
                let index = guess_index(window.highest(), seq).ok_or(if window.highest() >> 47 == 0 {
                    Drop::TooOld
                } else {
                    Drop::Exhausted
                })?;
                window.check(index).map_err(|why| match why {
                    Refused::Duplicate => Drop::IndexReused,
                    Refused::Old => Drop::TooOld,
                })?;
                index
            }
            None if self.closed => return Err(Drop::UnknownSource),
            None => {
                self.sources.has_room()?;
                u64::from(seq)
            }
        };
        let len = self.rtp.seal_rtp(buf, header, len, ssrc, index)?;
        self.sources.accept(at, ssrc, index);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{master, packet};
    use super::super::{Inbound, Profile, RESTORE_MARGIN};
    use super::*;
    use crate::base::limits::SRTP_SOURCES;
    use crate::rtp::header::Ssrc;

    #[test]
    fn never_uses_an_index_twice() {
        let mut out = Outbound::new(master(Profile::AeadAes128Gcm));
        let mut send = |seq| {
            let (mut buf, len) = packet(7, seq, 20);
            out.protect(&mut buf, len).map(|_| ())
        };
        assert_eq!(send(1000), Ok(()));
        assert_eq!(send(1002), Ok(()));
        assert_eq!(send(1001), Ok(()), "reordered packets pass");
        assert_eq!(send(1001), Err(Drop::IndexReused));
        assert_eq!(send(1002), Err(Drop::IndexReused));
        assert_eq!(send(1002 - 128), Err(Drop::TooOld));
    }

    #[test]
    fn jumps_over_what_may_have_been_sent_before_a_restart() {
        for profile in Profile::ALL {
            let mut out = Outbound::new(master(profile));
            let mut peer = Inbound::new(master(profile));
            let (mut buf, len) = packet(7, 65_000, 20);
            let sealed = out.protect(&mut buf, len).expect("first packet");
            assert_eq!(peer.unprotect(&mut buf[..sealed]), Ok(len));
            let text = serde_json::to_string(&out.state()).expect("state is data");
            let mut out = Outbound::restore(serde_json::from_str(&text).expect("state is read back"), RESTORE_MARGIN);
            let next = out.next_seq(Ssrc(7)).expect("a known source");
            assert_eq!(next, 65_000u16.wrapping_add(RESTORE_MARGIN + 1));
            for (seq, expected) in [(65_001, Err(Drop::TooOld)), (next - 1, Err(Drop::IndexReused)), (next, Ok(()))] {
                let (mut buf, len) = packet(7, seq, 20);
                let sealed = out.protect(&mut buf, len);
                assert_eq!(sealed.map(|_| ()), expected, "{profile} {seq}");
                if let Ok(sealed) = sealed {
                    assert_eq!(peer.unprotect(&mut buf[..sealed]), Ok(len), "across the roll-over");
                }
            }
            let (mut buf, len) = packet(8, 0, 20);
            assert_eq!(out.protect(&mut buf, len), Err(Drop::UnknownSource));
            assert_eq!(out.add_source(Ssrc(8), 0), Ok(()));
            assert!(out.protect(&mut buf, len).is_ok());
            let (mut buf, len) = packet(8, 0, 20);
            assert_eq!(out.protect(&mut buf, len), Err(Drop::IndexReused));
        }
    }

    #[test]
    fn sources_and_room_are_bounded() {
        let mut out = Outbound::new(master(Profile::Aes128CmSha1_80));
        for ssrc in 0..SRTP_SOURCES as u32 {
            let (mut buf, len) = packet(ssrc, 1, 4);
            assert!(out.protect(&mut buf, len).is_ok());
        }
        let (mut buf, len) = packet(9999, 1, 4);
        assert_eq!(out.protect(&mut buf, len), Err(Drop::TooManySources));
        let (mut buf, len) = packet(1, 2, 4);
        assert_eq!(out.protect(&mut buf[..len + 9], len), Err(Drop::NoRoom));
        assert_eq!(out.protect(&mut buf, 4000), Err(Drop::NoRoom));
        assert_eq!(out.protect(&mut buf, 11), Err(Drop::Truncated));
    }
}
