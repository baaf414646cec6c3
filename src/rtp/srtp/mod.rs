//! SRTP and SRTCP in place (RFC 3711, RFC 6188, RFC 7714).
//!
//! [`Keys`] come from the DTLS handshake and give a [`Role`] its [`Outbound`]
//! and [`Inbound`] contexts. A packet is protected in the buffer it lies in;
//! nothing is allocated per packet, nothing is remembered of a source before
//! its first authentic packet, and no index is used twice, also not after a
//! restart. Session keys are cleared when a context is dropped.

mod cipher;
mod context;
mod kdf;
mod mac;
mod profile;
mod protect;
mod replay;
mod rtcp;
mod unprotect;

#[cfg(test)]
mod kat;
#[cfg(test)]
mod oracle;

pub use context::{Inbound, InboundState, Outbound, OutboundState, RESTORE_MARGIN};
pub use profile::{KeyError, Keys, Master, Profile, Role};

use super::header::HeaderError;

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Drop {
    /// Shorter than its header and tag.
    #[error("packet is truncated")]
    Truncated,
    /// Not version 2, or too long to seal.
    #[error("packet is malformed")]
    Malformed,
    /// Inbound: its index was received already.
    #[error("packet is a replay")]
    Replayed,
    /// Behind the window.
    #[error("packet is older than the window")]
    TooOld,
    /// Its tag is not what our keys give.
    #[error("packet is not authentic")]
    BadTag,
    /// The context knows its most sources.
    #[error("too many sources")]
    TooManySources,
    /// Outbound: its index was used already.
    #[error("packet index was used before")]
    IndexReused,
    /// Outbound after a restore: the source is not in the state.
    #[error("source is unknown to the restored state")]
    UnknownSource,
    /// Outbound: the key has protected as many packets as it may.
    #[error("key is used up")]
    Exhausted,
    /// Outbound: no room for the tag.
    #[error("buffer has no room for the tag")]
    NoRoom,
}

impl From<HeaderError> for Drop {
    fn from(e: HeaderError) -> Self {
        match e {
            HeaderError::Truncated => Self::Truncated,
            HeaderError::Version | HeaderError::Padding => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::header::{Header, PayloadType, Ssrc};

    pub(super) fn master(profile: Profile) -> Master {
        let bytes: Vec<u8> = (1..=46).collect();
        Master::new(profile, &bytes[..profile.key_len()], &bytes[32..32 + profile.salt_len()]).expect("lengths fit")
    }

    /// A packet with `payload` bytes and room for any tag, and its length.
    pub(super) fn packet(ssrc: u32, seq: u16, payload: usize) -> (Vec<u8>, usize) {
        let mut buf = vec![0; 12 + payload + 16];
        Header::write(&mut buf, PayloadType(0), false, seq, u32::from(seq) * 160, Ssrc(ssrc));
        for (i, b) in buf[12..12 + payload].iter_mut().enumerate() {
            *b = i as u8;
        }
        (buf, 12 + payload)
    }

    pub(super) fn sealed(out: &mut Outbound, ssrc: u32, seq: u16, payload: usize) -> Vec<u8> {
        let (mut buf, len) = packet(ssrc, seq, payload);
        let len = out.protect(&mut buf, len).expect("a valid packet");
        buf.truncate(len);
        buf
    }

    #[test]
    fn the_two_roles_understand_each_other() {
        for profile in Profile::ALL {
            let material: Vec<u8> = (0..profile.export_len() as u8).collect();
            let keys = Keys::from_export(profile, &material).expect("the right length");
            let (mut client_out, mut client_in) = keys.contexts(Role::Client);
            let (mut server_out, mut server_in) = keys.contexts(Role::Server);
            let up = sealed(&mut client_out, 1, 1, 160);
            assert_eq!(server_in.unprotect(&mut up.clone()), Ok(172));
            assert_eq!(client_in.unprotect(&mut up.clone()), Err(Drop::BadTag), "directions have their own keys");
            assert_eq!(client_in.unprotect(&mut sealed(&mut server_out, 2, 1, 160)), Ok(172));
        }
    }
}
