//! What the handshake leaves: SRTP master keys and salts (RFC 5764 §4.2).
//!
//! The exporter gives one run of bytes: client key, server key, client salt,
//! server salt, with the lengths of the chosen profile (RFC 5764 §4.1.2,
//! RFC 7714 §12). [`KeyingMaterial`] cuts it and clears it when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Role;

/// An SRTP protection profile that the handshake can agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SrtpProfile {
    /// SRTP_AES128_CM_HMAC_SHA1_80, 0x0001.
    Aes128CmSha1_80,
    /// SRTP_AEAD_AES_128_GCM, 0x0007.
    AeadAes128Gcm,
    /// SRTP_AEAD_AES_256_GCM, 0x0008.
    AeadAes256Gcm,
}

impl SrtpProfile {
    /// Bytes of a master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// Bytes that the exporter gives for both sides.
    pub const fn exported_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// IANA's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CmSha1_80 => "SRTP_AES128_CM_HMAC_SHA1_80",
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        }
    }
}

impl fmt::Display for SrtpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The exporter's output for `EXTRACTOR-dtls_srtp`; cleared when dropped.
#[derive(Clone)]
pub struct KeyingMaterial {
    profile: SrtpProfile,
    bytes: Zeroizing<Vec<u8>>,
}

/// A master key and its salt, borrowed from [`KeyingMaterial`].
#[derive(Clone, Copy)]
pub struct MasterKey<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The salt.
    pub salt: &'a [u8],
}

impl KeyingMaterial {
    /// Wraps exporter output; `None` unless it has the length of `profile`.
    pub fn new(profile: SrtpProfile, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == profile.exported_len()).then(|| Self { profile, bytes: Zeroizing::new(bytes.to_vec()) })
    }

    /// The profile that these keys are for.
    pub fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// The exporter's bytes: client key, server key, client salt, server salt.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What `writer` protects with.
    pub fn of(&self, writer: Role) -> MasterKey<'_> {
        let (key, salt) = (self.profile.key_len(), self.profile.salt_len());
        let (keys, salts) = self.bytes.split_at(2 * key);
        match writer {
            Role::Client => MasterKey { key: &keys[..key], salt: &salts[..salt] },
            Role::Server => MasterKey { key: &keys[key..], salt: &salts[salt..] },
        }
    }

    /// What we protect with, if our role is `us`.
    pub fn ours(&self, us: Role) -> MasterKey<'_> {
        self.of(us)
    }

    /// What the peer protects with, if our role is `us`.
    pub fn peers(&self, us: Role) -> MasterKey<'_> {
        self.of(us.other())
    }
}

/// Prints no key.
impl fmt::Debug for KeyingMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyingMaterial({})", self.profile)
    }
}

/// Prints no key.
impl fmt::Debug for MasterKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

impl Role {
    /// The peer's role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_keys_before_salts_and_client_before_server() {
        let bytes: Vec<u8> = (0..60).collect();
        let keys = KeyingMaterial::new(SrtpProfile::Aes128CmSha1_80, &bytes).expect("60 bytes");
        let (client, server) = (keys.ours(Role::Client), keys.peers(Role::Client));
        assert_eq!((client.key, client.salt), (&bytes[0..16], &bytes[32..46]));
        assert_eq!((server.key, server.salt), (&bytes[16..32], &bytes[46..60]));
        assert_eq!(keys.ours(Role::Server).key, server.key);
    }

    #[test]
    fn refuses_other_lengths_and_prints_no_key() {
        assert!(KeyingMaterial::new(SrtpProfile::AeadAes256Gcm, &[0; 60]).is_none());
        let keys = KeyingMaterial::new(SrtpProfile::AeadAes256Gcm, &[0xaa; 88]).expect("88 bytes");
        assert_eq!(format!("{keys:?}"), "KeyingMaterial(SRTP_AEAD_AES_256_GCM)");
    }
}
