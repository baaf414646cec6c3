//! HMAC-SHA1 with its inner and outer state kept (RFC 2104 §4).
//!
//! Both padded-key blocks are compressed once per key, so that a packet costs
//! its own blocks and one more; forty bytes are kept for each key, and cleared
//! when dropped. The compression function is the `sha1` crate's.

use sha1::block_api::compress;
use zeroize::{Zeroize, ZeroizeOnDrop};

const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A keyed HMAC-SHA1.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct HmacSha1 {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacSha1 {
    /// Prepares a 160-bit key.
    pub(super) fn new(key: &[u8; 20]) -> Self {
        let state = |pad: u8| {
            let mut block = [pad; 64];
            for (b, k) in block.iter_mut().zip(key) {
                *b ^= k;
            }
            let mut state = START;
            compress(&mut state, &[block]);
            block.zeroize();
            state
        };
        Self { inner: state(0x36), outer: state(0x5c) }
    }

    /// The tag of `data` followed by `suffix`, which has at most 8 bytes.
    pub(super) fn tag(&self, data: &[u8], suffix: &[u8]) -> [u8; 20] {
        let (blocks, rest) = data.as_chunks::<64>();
        let mut state = self.inner;
        compress(&mut state, blocks);
        let mut tail = [0; 128];
        tail[..rest.len()].copy_from_slice(rest);
        tail[rest.len()..rest.len() + suffix.len()].copy_from_slice(suffix);
        let used = rest.len() + suffix.len();
        tail[used] = 0x80;
        let end = if used + 9 <= 64 { 64 } else { 128 };
        let bits = 8 * (64 + data.len() + suffix.len()) as u64;
        tail[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        compress(&mut state, tail[..end].as_chunks::<64>().0);

        let mut last = [0; 64];
        write_words(&state, &mut last);
        last[20] = 0x80;
        last[56..].copy_from_slice(&(8 * 84u64).to_be_bytes());
        let mut state = self.outer;
        compress(&mut state, &[last]);
        let mut tag = [0; 20];
        write_words(&state, &mut tag);
        tag
    }
}

fn write_words(words: &[u32; 5], out: &mut [u8]) {
    for (bytes, word) in out.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    #[test]
    fn agrees_with_the_hmac_crate_at_every_length() {
        let key: [u8; 20] = std::array::from_fn(|i| i as u8 * 7);
        let mac = HmacSha1::new(&key);
        let data: Vec<u8> = (0..300u32).map(|i| (i * 31) as u8).collect();
        for len in 0..data.len() {
            for suffix in [&b""[..], b"\0\0\0\x01", b"12345678"] {
                let mut other = Hmac::<sha1::Sha1>::new_from_slice(&key).expect("any length is a key");
                other.update(&data[..len]);
                other.update(suffix);
                assert_eq!(mac.tag(&data[..len], suffix)[..], other.finalize().into_bytes()[..], "{len}");
            }
        }
    }
}
