//! Session keys from a master key (RFC 3711 §4.3, RFC 6188 §2, RFC 7714 §11).
//!
//! The pseudo-random function is AES in counter mode under the master key,
//! with the label beside the salt. The key derivation rate is zero, as in every
//! profile in use: each session key is derived once.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc};
use zeroize::Zeroizing;

use super::profile::Master;

/// What a session key is for (RFC 3711 §4.3.1 and §4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    RtpKey = 0,
    RtpAuth = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuth = 4,
    RtcpSalt = 5,
}

/// The first `N` bytes of the function's output for `label`.
pub(super) fn derive<const N: usize>(master: &Master, label: Label) -> Zeroizing<[u8; N]> {
    let mut input = [0; 16];
    input[..14].copy_from_slice(master.padded_salt());
    // x = (label || index DIV rate) XOR salt, both right-aligned in 112 bits:
    // the index takes 48 of them.
    input[7] ^= label as u8;
    let mut out = Zeroizing::new([0; N]);
    match master.key().len() {
        16 => {
            let aes = Aes128Enc::new_from_slice(master.key()).expect("16 bytes were matched");
            fill(&aes, input, &mut out[..]);
        }
        _ => {
            let aes = Aes256Enc::new_from_slice(master.key()).expect("a profile has 16 or 32 bytes");
            fill(&aes, input, &mut out[..]);
        }
    }
    out
}

fn fill<A>(aes: &A, input: [u8; 16], out: &mut [u8])
where
    A: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
{
    for (counter, chunk) in out.chunks_mut(16).enumerate() {
        let mut block = input;
        block[14..].copy_from_slice(&(counter as u16).to_be_bytes());
        let mut block = Zeroizing::new(block);
        aes.encrypt_block((&mut *block).into());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::kat::{hex, kat, text};
    use super::super::profile::{Master, Profile};
    use super::*;

    #[test]
    fn derives_the_keys_of_rfc_3711_b3_and_rfc_6188_7_2() {
        let mut seen = 0;
        for case in kat()["kdf"].as_array().expect("a list") {
            let key = hex(text(case, "master_key"));
            let profile = match key.len() {
                16 => Profile::Aes128CmSha1_80,
                32 => Profile::Aes256CmSha1_80,
                _ => continue, // AES-192 is no profile of ours.
            };
            let master = Master::new(profile, &key, &hex(text(case, "master_salt"))).expect("lengths fit");
            let of = |label| derive::<94>(&master, label);
            let starts = |label, bytes: &str| assert!(of(label).starts_with(&hex(bytes)), "{label:?}");
            starts(Label::RtpKey, text(case, "srtp_cipher_key"));
            starts(Label::RtpSalt, text(case, "srtp_salt"));
            starts(Label::RtpAuth, text(case, "srtp_auth_key"));
            let rtcp = &case["srtcp_derived_not_in_rfc"];
            starts(Label::RtcpKey, text(rtcp, "cipher_key"));
            starts(Label::RtcpAuth, text(rtcp, "auth_key"));
            starts(Label::RtcpSalt, text(rtcp, "salt"));
            seen += 1;
        }
        assert_eq!(seen, 2);
    }
}
