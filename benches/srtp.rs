//! SRTP per packet, in place: 172 bytes (20 ms of G.711) and 1,200 bytes.
//!
//! `cargo bench --bench srtp`. One context, kept; the copy of the sealed packet
//! that `unprotect` needs each time is part of its figure.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sbc::rtp::header::{Header, PayloadType, Ssrc, set_seq};
use sbc::rtp::srtp::{Inbound, Master, Outbound, Profile};

fn master(profile: Profile) -> Master {
    let bytes = [0x5a; 46];
    Master::new(profile, &bytes[..profile.key_len()], &bytes[..profile.salt_len()]).expect("lengths fit")
}

fn srtp(c: &mut Criterion) {
    for (profile, len) in [
        (Profile::Aes128CmSha1_80, 172),
        (Profile::AeadAes128Gcm, 172),
        (Profile::AeadAes256Gcm, 172),
        (Profile::Aes128CmSha1_80, 1200),
        (Profile::AeadAes128Gcm, 1200),
    ] {
        let mut packet = [0u8; 1300];
        Header::write(&mut packet, PayloadType(0), false, 0, 0, Ssrc(7));
        let mut out = Outbound::new(master(profile));
        let mut seq = 0u16;
        c.bench_function(&format!("protect {profile} {len}"), |b| {
            b.iter(|| {
                set_seq(&mut packet, seq);
                seq = seq.wrapping_add(1);
                out.protect(black_box(&mut packet), len)
            });
        });
        let (mut out, mut peer) = (Outbound::new(master(profile)), Inbound::new(master(profile)));
        let mut seq = 0u16;
        c.bench_function(&format!("unprotect {profile} {len}"), |b| {
            b.iter_batched_ref(
                || {
                    let mut sealed = [0u8; 1300];
                    Header::write(&mut sealed, PayloadType(0), false, seq, 0, Ssrc(7));
                    seq = seq.wrapping_add(1);
                    let n = out.protect(&mut sealed, len).expect("a valid packet");
                    (sealed, n)
                },
                |(sealed, n)| peer.unprotect(black_box(&mut sealed[..*n])).expect("an authentic packet"),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, srtp);
criterion_main!(benches);
