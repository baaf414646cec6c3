//! A second opinion: every profile both ways against the `webrtc-srtp` crate,
//! with honest packets only, since that crate does not survive others.

use proptest::prelude::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

use super::tests::packet;
use super::{Inbound, Master, Outbound, Profile};

fn theirs(profile: Profile) -> ProtectionProfile {
    match profile {
        Profile::Aes128CmSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Profile::Aes128CmSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Profile::Aes256CmSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Profile::Aes256CmSha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Profile::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    }
}

fn both(profile: Profile, seed: u8) -> (Outbound, Inbound, Context, Context) {
    let bytes: Vec<u8> = (0..46u8).map(|i| i.wrapping_mul(seed | 1).wrapping_add(seed)).collect();
    let (key, salt) = (&bytes[..profile.key_len()], &bytes[32..32 + profile.salt_len()]);
    let master = Master::new(profile, key, salt).expect("lengths fit");
    let other = || Context::new(key, salt, theirs(profile), None, None).expect("lengths fit");
    (Outbound::new(master.clone()), Inbound::new(master), other(), other())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_on_rtp_in_both_directions(
        seed: u8, ssrc: u32, start in 0u16..32_768, steps in prop::collection::vec(1u16..20_000, 1..12), payload in 0usize..1300,
    ) {
        for profile in Profile::ALL {
            let (mut out, mut inbound, mut sealer, mut opener) = both(profile, seed);
            let mut seq = start;
            for step in &steps {
                seq = seq.wrapping_add(*step);
                let (mut buf, len) = packet(ssrc, seq, payload);
                let clear = buf[..len].to_vec();
                let sealed = out.protect(&mut buf, len).expect("an honest packet");
                let other = sealer.encrypt_rtp(&clear).expect("an honest packet");
                prop_assert_eq!(&buf[..sealed], &other[..], "{}", profile);
                let opened = opener.decrypt_rtp(&buf[..sealed]).expect("an authentic packet");
                prop_assert_eq!(&opened[..], &clear[..]);
                let mut other = other.to_vec();
                prop_assert_eq!(inbound.unprotect(&mut other), Ok(len));
                prop_assert_eq!(&other[..len], &clear[..]);
            }
        }
    }

    #[test]
    fn agrees_on_rtcp_in_both_directions(seed: u8, ssrc: u32, words in 1usize..60) {
        for profile in Profile::ALL {
            let (mut out, mut inbound, mut sealer, mut opener) = both(profile, seed);
            let mut clear = vec![0x80, 201, 0, words as u8];
            clear.extend(ssrc.to_be_bytes());
            clear.resize(4 + 4 * words, 0x5a);
            for _ in 0..3 {
                let mut buf = clear.clone();
                buf.resize(clear.len() + 20, 0);
                let sealed = out.protect_rtcp(&mut buf, clear.len()).expect("there is room");
                let opened = opener.decrypt_rtcp(&buf[..sealed]).expect("an authentic packet");
                prop_assert_eq!(&opened[..], &clear[..], "{}", profile);
                let mut other = sealer.encrypt_rtcp(&clear).expect("an honest packet").to_vec();
                prop_assert_eq!(inbound.unprotect_rtcp(&mut other), Ok(clear.len()), "{}", profile);
                prop_assert_eq!(&other[..clear.len()], &clear[..]);
            }
        }
    }
}
