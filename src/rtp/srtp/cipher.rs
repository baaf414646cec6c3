//! The transforms under one pair of session keys: seal and open in place.
//!
//! Counter mode with HMAC-SHA1 (RFC 3711 §4.1.1 and §4.2) authenticates before
//! it decrypts, so a forged packet leaves the buffer as it was; GCM (RFC 7714)
//! may leave rubbish in a buffer that it refuses. Indices, replay and sources
//! are not known here: the caller vouches for (ssrc, index).

use aes::cipher::{Array, BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore, consts::U16};
use aes::{Aes128Enc, Aes256Enc};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ctr::{CtrCore, flavors};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Drop;
use super::kdf::{Label, derive};
use super::mac::HmacSha1;
use super::profile::Master;

/// Length of the SRTCP header that stays in the clear, bytes.
pub(super) const RTCP_HEADER: usize = 8;
/// Length of the E bit and index at the end of SRTCP, bytes.
pub(super) const RTCP_TRAILER: usize = 4;
/// The E bit: the packet is encrypted.
pub(super) const ENCRYPTED: u32 = 0x8000_0000;

/// Session keys for RTP or for RTCP in one direction.
pub(super) struct Cipher {
    transform: Transform,
    salt: [u8; 14],
    tag_len: usize,
}

enum Transform {
    Cm128(Box<CounterMode<Aes128Enc>>),
    Cm256(Box<CounterMode<Aes256Enc>>),
    Gcm(LessSafeKey),
}

struct CounterMode<A> {
    aes: A,
    mac: HmacSha1,
}

impl Cipher {
    /// The session keys for RTP.
    pub(super) fn rtp(master: &Master) -> Self {
        Self::new(master, [Label::RtpKey, Label::RtpAuth, Label::RtpSalt], master.profile().rtp_tag_len())
    }

    /// The session keys for RTCP.
    pub(super) fn rtcp(master: &Master) -> Self {
        Self::new(master, [Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt], master.profile().rtcp_tag_len())
    }

    fn new(master: &Master, [key, auth, salt]: [Label; 3], tag_len: usize) -> Self {
        let profile = master.profile();
        let mac = || HmacSha1::new(&derive::<20>(master, auth));
        let key: Zeroizing<[u8; 32]> = derive(master, key);
        let key = &key[..profile.key_len()];
        let fits = "the profile's key length is the cipher's";
        let transform = match (profile.is_aead(), key.len()) {
            (true, 16) => Transform::Gcm(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).expect(fits))),
            (true, _) => Transform::Gcm(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect(fits))),
            (false, 16) => {
                Transform::Cm128(Box::new(CounterMode { aes: Aes128Enc::new_from_slice(key).expect(fits), mac: mac() }))
            }
            (false, _) => {
                Transform::Cm256(Box::new(CounterMode { aes: Aes256Enc::new_from_slice(key).expect(fits), mac: mac() }))
            }
        };
        Self { transform, salt: *derive::<14>(master, salt), tag_len }
    }

    /// Length of the tag, bytes.
    pub(super) fn tag_len(&self) -> usize {
        self.tag_len
    }

    /// Encrypts `buf[header..len]` and writes the tag behind it; returns the
    /// length of the packet. `buf` has room for the tag.
    pub(super) fn seal_rtp(
        &self,
        buf: &mut [u8],
        header: usize,
        len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Drop> {
        let end = len + self.tag_len;
        match &self.transform {
            Transform::Cm128(cm) => cm.seal_rtp(self, &mut buf[..end], header, len, ssrc, index),
            Transform::Cm256(cm) => cm.seal_rtp(self, &mut buf[..end], header, len, ssrc, index),
            Transform::Gcm(key) => {
                let (aad, rest) = buf[..end].split_at_mut(header);
                let (body, tag_at) = rest.split_at_mut(len - header);
                let nonce = self.gcm_nonce(ssrc, index);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(&*aad), body).map_err(|_| Drop::Malformed)?;
                tag_at.copy_from_slice(tag.as_ref());
            }
        }
        Ok(end)
    }

    /// Authenticates and decrypts a packet of at least `header` bytes and a
    /// tag; returns its length without the tag.
    pub(super) fn open_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) -> Result<usize, Drop> {
        match &self.transform {
            Transform::Cm128(cm) => cm.open_rtp(self, packet, header, ssrc, index),
            Transform::Cm256(cm) => cm.open_rtp(self, packet, header, ssrc, index),
            Transform::Gcm(key) => {
                let (aad, sealed) = packet.split_at_mut(header);
                let nonce = self.gcm_nonce(ssrc, index);
                let clear = key.open_in_place(nonce, Aad::from(&*aad), sealed).map_err(|_| Drop::BadTag)?;
                Ok(header + clear.len())
            }
        }
    }

    /// Encrypts `buf[8..len]`, writes tag, E bit and index behind it; returns
    /// the length of the packet. `buf` has room for them.
    pub(super) fn seal_rtcp(&self, buf: &mut [u8], len: usize, ssrc: u32, index: u32) -> Result<usize, Drop> {
        let word = (ENCRYPTED | index).to_be_bytes();
        let end = len + self.tag_len + RTCP_TRAILER;
        let (head, rest) = buf[..end].split_at_mut(RTCP_HEADER);
        let (body, tail) = rest.split_at_mut(len - RTCP_HEADER);
        match &self.transform {
            Transform::Gcm(key) => {
                let mut aad = [0; RTCP_HEADER + RTCP_TRAILER];
                aad[..RTCP_HEADER].copy_from_slice(head);
                aad[RTCP_HEADER..].copy_from_slice(&word);
                let nonce = self.gcm_nonce(ssrc, u64::from(index));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), body).map_err(|_| Drop::Malformed)?;
                tail[..self.tag_len].copy_from_slice(tag.as_ref());
                tail[self.tag_len..].copy_from_slice(&word);
            }
            Transform::Cm128(_) | Transform::Cm256(_) => {
                self.keystream(ssrc, u64::from(index), body);
                tail[..RTCP_TRAILER].copy_from_slice(&word);
                let tag = self.rtcp_tag(&buf[..len + RTCP_TRAILER]);
                buf[len + RTCP_TRAILER..end].copy_from_slice(&tag[..self.tag_len]);
            }
        }
        Ok(end)
    }

    /// The E bit and index of a packet long enough to have them.
    pub(super) fn rtcp_word(&self, packet: &[u8]) -> u32 {
        let at = match self.transform {
            Transform::Gcm(_) => packet.len() - RTCP_TRAILER,
            Transform::Cm128(_) | Transform::Cm256(_) => packet.len() - self.tag_len - RTCP_TRAILER,
        };
        u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
    }

    /// Authenticates a packet and decrypts it if its E bit says so; returns
    /// its length without index and tag.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, word: u32) -> Result<usize, Drop> {
        let len = packet.len() - self.tag_len - RTCP_TRAILER;
        let index = word & !ENCRYPTED;
        let Transform::Gcm(key) = &self.transform else {
            let (signed, tag) = packet.split_at_mut(len + RTCP_TRAILER);
            if !bool::from(self.rtcp_tag(signed)[..self.tag_len].ct_eq(tag)) {
                return Err(Drop::BadTag);
            }
            if word & ENCRYPTED != 0 {
                self.keystream(ssrc, u64::from(index), &mut signed[RTCP_HEADER..len]);
            }
            return Ok(len);
        };
        let nonce = self.gcm_nonce(ssrc, u64::from(index));
        if word & ENCRYPTED != 0 {
            let mut aad = [0; RTCP_HEADER + RTCP_TRAILER];
            aad[..RTCP_HEADER].copy_from_slice(&packet[..RTCP_HEADER]);
            aad[RTCP_HEADER..].copy_from_slice(&word.to_be_bytes());
            let sealed = &mut packet[RTCP_HEADER..len + self.tag_len];
            key.open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| Drop::BadTag)?;
        } else {
            // RFC 7714 §9.3: the whole packet and the index are associated
            // data; the tag stands between them and has to step aside.
            let mut tag = [0; 16];
            tag.copy_from_slice(&packet[len..len + 16]);
            packet.copy_within(len + 16.., len);
            key.open_in_place(nonce, Aad::from(&packet[..len + RTCP_TRAILER]), &mut tag).map_err(|_| Drop::BadTag)?;
        }
        Ok(len)
    }

    fn rtcp_tag(&self, signed: &[u8]) -> [u8; 20] {
        match &self.transform {
            Transform::Cm128(cm) => cm.mac.tag(signed, &[]),
            Transform::Cm256(cm) => cm.mac.tag(signed, &[]),
            Transform::Gcm(_) => [0; 20], // Callers are in a counter-mode branch.
        }
    }

    fn keystream(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        match &self.transform {
            Transform::Cm128(cm) => cm.keystream(&self.cm_iv(ssrc, index), data),
            Transform::Cm256(cm) => cm.keystream(&self.cm_iv(ssrc, index), data),
            Transform::Gcm(_) => {} // Callers are in a counter-mode branch.
        }
    }

    /// RFC 3711 §4.1.1: salt, source and index, each at its own offset.
    fn cm_iv(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let salt = u128::from_be_bytes(padded(&self.salt));
        (salt ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16).to_be_bytes()
    }

    /// RFC 7714 §8.1 and §9.1: 0, source, and 48 bits of roll-over counter and
    /// sequence number, or of the SRTCP index; salted.
    fn gcm_nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut iv = [0; 12];
        iv[2..6].copy_from_slice(&ssrc.to_be_bytes());
        iv[6..].copy_from_slice(&index.to_be_bytes()[2..]);
        for (b, s) in iv.iter_mut().zip(&self.salt) {
            *b ^= s;
        }
        Nonce::assume_unique_for_key(iv)
    }
}

impl std::ops::Drop for Cipher {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.salt);
    }
}

impl<A: BlockCipherEncrypt<BlockSize = U16>> CounterMode<A> {
    fn seal_rtp(&self, cipher: &Cipher, packet: &mut [u8], header: usize, len: usize, ssrc: u32, index: u64) {
        self.keystream(&cipher.cm_iv(ssrc, index), &mut packet[header..len]);
        let tag = self.mac.tag(&packet[..len], &roll_over(index));
        packet[len..].copy_from_slice(&tag[..cipher.tag_len]);
    }

    fn open_rtp(
        &self,
        cipher: &Cipher,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<usize, Drop> {
        let (signed, tag) = packet.split_at_mut(packet.len() - cipher.tag_len);
        let ours = self.mac.tag(signed, &roll_over(index));
        if !bool::from(ours[..cipher.tag_len].ct_eq(tag)) {
            return Err(Drop::BadTag);
        }
        self.keystream(&cipher.cm_iv(ssrc, index), &mut signed[header..]);
        Ok(signed.len())
    }

    fn keystream(&self, iv: &[u8; 16], data: &mut [u8]) {
        let core = CtrCore::<&A, flavors::Ctr128BE>::inner_iv_init(&self.aes, &Array(*iv));
        core.apply_keystream_partial(data.into());
    }
}

/// The roll-over counter that is authenticated with a packet (RFC 3711 §4.2).
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn padded(salt: &[u8; 14]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..14].copy_from_slice(salt);
    out
}

#[cfg(test)]
mod tests {
    use super::super::kat::{hex, kat, number, text};
    use super::*;

    fn gcm(case: &serde_json::Value) -> Cipher {
        let key = hex(text(case, "key"));
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(&hex(text(case, "salt")));
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("a key of 16 or 32 bytes"));
        Cipher { transform: Transform::Gcm(key), salt, tag_len: 16 }
    }

    #[test]
    fn keystream_is_that_of_rfc_3711_b2_and_rfc_6188_7_1() {
        let mut seen = 0;
        for case in kat()["keystream"].as_array().expect("a list") {
            let key = hex(text(case, "session_key"));
            let mac = HmacSha1::new(&[0; 20]);
            let transform = match key.len() {
                16 => Transform::Cm128(Box::new(CounterMode {
                    aes: Aes128Enc::new_from_slice(&key).expect("16 bytes"),
                    mac,
                })),
                32 => Transform::Cm256(Box::new(CounterMode {
                    aes: Aes256Enc::new_from_slice(&key).expect("32 bytes"),
                    mac,
                })),
                _ => continue, // AES-192 is no profile of ours.
            };
            let salt = hex(text(case, "session_salt")).try_into().expect("14 bytes");
            let cipher = Cipher { transform, salt, tag_len: 10 };
            let mut stream = vec![0; 16 * 0xff02];
            cipher.keystream(0, 0, &mut stream);
            for (block, expected) in case["blocks"].as_object().expect("blocks by number") {
                let at = 16 * number(block) as usize;
                assert_eq!(stream[at..at + 16], hex(expected.as_str().expect("text")), "{block}");
                seen += 1;
            }
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn gcm_packets_are_those_of_rfc_7714_16() {
        let mut seen = 0;
        for case in kat()["gcm_rtp"].as_array().expect("a list") {
            let Some(plain) = case["plain_packet"].as_str() else { continue };
            let (cipher, sealed) = (gcm(case), hex(text(case, "srtp_packet")));
            let mut buf = hex(plain);
            let len = buf.len();
            buf.resize(len + 16, 0);
            let ssrc = u32::from_be_bytes([buf[8], buf[9], buf[10], buf[11]]);
            let index = u64::from(number(text(case, "roc"))) << 16 | u64::from(buf[2]) << 8 | u64::from(buf[3]);
            assert_eq!(cipher.seal_rtp(&mut buf, 12, len, ssrc, index), Ok(len + 16));
            assert_eq!(buf, sealed);
            assert_eq!(cipher.open_rtp(&mut buf, 12, ssrc, index), Ok(len));
            assert_eq!(buf[..len], hex(plain));
            seen += 1;
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn gcm_control_packets_are_those_of_rfc_7714_17() {
        let cases = kat();
        for case in cases["gcm_rtcp"].as_array().expect("a list") {
            let (cipher, plain) = (gcm(case), hex(text(case, "plain_packet")));
            let mut packet = hex(text(case, "srtcp_packet"));
            let word = cipher.rtcp_word(&packet);
            let ssrc = u32::from_be_bytes([plain[4], plain[5], plain[6], plain[7]]);
            assert_eq!(word & !ENCRYPTED, number(text(case, "index")));
            if word & ENCRYPTED != 0 {
                let mut buf = plain.clone();
                buf.resize(plain.len() + 20, 0);
                assert_eq!(cipher.seal_rtcp(&mut buf, plain.len(), ssrc, word & !ENCRYPTED), Ok(buf.len()));
                assert_eq!(buf, packet);
            }
            let mut forged = packet.clone();
            forged[12] ^= 1;
            assert_eq!(cipher.open_rtcp(&mut forged, ssrc, word), Err(Drop::BadTag));
            assert_eq!(cipher.open_rtcp(&mut packet, ssrc, word), Ok(plain.len()));
            assert_eq!(packet[..plain.len()], plain);
        }
    }

    #[test]
    fn counter_mode_packets_hold_across_the_roll_over() {
        for case in kat()["aes_cm_hmac_sha1_packets"].as_array().expect("a list") {
            let profile = super::super::Profile::from_name(text(case, "profile")).expect("a profile");
            let (key, salt) = (hex(text(case, "master_key")), hex(text(case, "master_salt")));
            let cipher = Cipher::rtp(&Master::new(profile, &key, &salt).expect("lengths fit"));
            let (plain, sealed) = (hex(text(case, "plain")), hex(text(case, "srtp")));
            let index = u64::from(number(text(case, "roc"))) << 16 | u64::from(plain[2]) << 8 | u64::from(plain[3]);
            let mut buf = plain.clone();
            buf.resize(sealed.len(), 0);
            assert_eq!(cipher.seal_rtp(&mut buf, 12, plain.len(), 0xcafe_babe, index), Ok(sealed.len()));
            assert_eq!(buf, sealed);
            assert_eq!(cipher.open_rtp(&mut buf, 12, 0xcafe_babe, index + 0x1_0000), Err(Drop::BadTag));
            assert_eq!(buf, sealed, "a forged packet is left as it was");
            assert_eq!(cipher.open_rtp(&mut buf, 12, 0xcafe_babe, index), Ok(plain.len()));
            assert_eq!(buf[..plain.len()], plain);
        }
    }
}
