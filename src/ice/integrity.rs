//! MESSAGE-INTEGRITY (RFC 8489 §14.5) and FINGERPRINT (§14.7).
//!
//! Both cover the bytes before their own attribute, under a header whose
//! length already counts it. Tags are compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

/// Length of a MESSAGE-INTEGRITY value, bytes.
pub(super) const HMAC_LEN: usize = 20;

/// The HMAC of `message[..at]` as if the attribute at `at` were its last.
pub(super) fn hmac_sha1(message: &[u8], at: usize, key: &[u8]) -> [u8; HMAC_LEN] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&message[..2]);
    mac.update(&((at + 4 + HMAC_LEN - 20) as u16).to_be_bytes());
    mac.update(&message[4..at]);
    mac.finalize().into_bytes().into()
}

/// True if `value` is the HMAC of `message` with MESSAGE-INTEGRITY at `at`.
pub(super) fn verify(message: &[u8], at: usize, value: &[u8], key: &[u8]) -> bool {
    hmac_sha1(message, at, key).ct_eq(value).into()
}

/// The FINGERPRINT of `message[..at]`, whose header length already counts it.
pub(super) fn fingerprint(message: &[u8], at: usize) -> u32 {
    let mut crc = u32::MAX;
    for byte in &message[..at] {
        crc = CRC[usize::from(crc as u8 ^ byte)] ^ crc >> 8;
    }
    !crc ^ 0x5354_554e
}

/// CRC-32 of ITU-T V.42, reflected, byte by byte.
const CRC: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_the_crc_of_v42() {
        assert_eq!(fingerprint(b"123456789", 9) ^ 0x5354_554e, 0xcbf4_3926);
    }
}
