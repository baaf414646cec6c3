//! The protection profiles, and where their master keys come from.
//!
//! Lengths and tags of RFC 3711 §8.2, RFC 6188 §3 and RFC 7714 §12; the order
//! of the exported keying material is RFC 5764 §4.2's. No master key
//! identifiers: one master key a direction, as DTLS-SRTP has it.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::context::{Inbound, Outbound};

/// A protection profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Profile {
    /// AES-128 in counter mode, HMAC-SHA1 cut to 80 bits.
    Aes128CmSha1_80,
    /// AES-128 in counter mode, HMAC-SHA1 cut to 32 bits (80 for SRTCP).
    Aes128CmSha1_32,
    /// AES-256 in counter mode, HMAC-SHA1 cut to 80 bits.
    Aes256CmSha1_80,
    /// AES-256 in counter mode, HMAC-SHA1 cut to 32 bits (80 for SRTCP).
    Aes256CmSha1_32,
    /// AES-128 in Galois/counter mode.
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode.
    AeadAes256Gcm,
}

impl Profile {
    /// All of them, most wanted first.
    pub const ALL: [Self; 6] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::Aes128CmSha1_80,
        Self::Aes128CmSha1_32,
        Self::Aes256CmSha1_80,
        Self::Aes256CmSha1_32,
    ];

    /// Length of the master and session keys, bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes128CmSha1_32 | Self::AeadAes128Gcm => 16,
            Self::Aes256CmSha1_80 | Self::Aes256CmSha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of the master and session salts, bytes.
    pub const fn salt_len(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Length of the tag of an SRTP packet, bytes.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::Aes256CmSha1_80 => 10,
            Self::Aes128CmSha1_32 | Self::Aes256CmSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Length of the tag of an SRTCP packet, bytes (RFC 3711 §5.2: never 32 bits).
    pub const fn rtcp_tag_len(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }

    /// True for the GCM profiles.
    pub const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// Length of the keying material to export from DTLS, bytes (RFC 5764 §4.2).
    pub const fn export_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// The number in the DTLS `use_srtp` extension; AES-256-CM has none.
    pub const fn dtls_id(self) -> Option<u16> {
        match self {
            Self::Aes128CmSha1_80 => Some(0x0001),
            Self::Aes128CmSha1_32 => Some(0x0002),
            Self::AeadAes128Gcm => Some(0x0007),
            Self::AeadAes256Gcm => Some(0x0008),
            Self::Aes256CmSha1_80 | Self::Aes256CmSha1_32 => None,
        }
    }

    /// The profile of a `use_srtp` number.
    pub fn from_dtls_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.dtls_id() == Some(id))
    }

    /// The crypto suite's name in SDP (RFC 4568, 6188, 7714).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128CmSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::Aes128CmSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::Aes256CmSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::Aes256CmSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The profile of a crypto suite's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A master key and salt: prints nothing, cleared when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct Master {
    #[zeroize(skip)]
    profile: Profile,
    key: [u8; 32],
    salt: [u8; 14],
}

impl Master {
    /// A master of `profile`.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if a length is not the profile's.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return Err(KeyError { expected: profile.key_len() + profile.salt_len(), found: key.len() + salt.len() });
        }
        let mut master = Self { profile, key: [0; 32], salt: [0; 14] };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        Ok(master)
    }

    /// The profile it belongs to.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key[..self.profile.key_len()]
    }

    /// The salt, padded with zeros to 112 bits (RFC 7714 §11).
    pub(super) fn padded_salt(&self) -> &[u8; 14] {
        &self.salt
    }
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Master({})", self.profile)
    }
}

/// Our side of the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// We sent the ClientHello (`a=setup:active`).
    Client,
    /// We answered it (`a=setup:passive`).
    Server,
}

/// Both masters of a DTLS-SRTP association.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The negotiated profile.
    pub profile: Profile,
    /// What the DTLS client sends with.
    pub client: Master,
    /// What the DTLS server sends with.
    pub server: Master,
}

impl Keys {
    /// Cuts exported keying material: client key, server key, client salt,
    /// server salt (RFC 5764 §4.2).
    ///
    /// # Errors
    ///
    /// [`KeyError`] if there are not exactly [`Profile::export_len`] bytes.
    pub fn from_export(profile: Profile, material: &[u8]) -> Result<Self, KeyError> {
        if material.len() != profile.export_len() {
            return Err(KeyError { expected: profile.export_len(), found: material.len() });
        }
        let (keys, salts) = material.split_at(2 * profile.key_len());
        let (client_key, server_key) = keys.split_at(profile.key_len());
        let (client_salt, server_salt) = salts.split_at(profile.salt_len());
        Ok(Self {
            profile,
            client: Master::new(profile, client_key, client_salt)?,
            server: Master::new(profile, server_key, server_salt)?,
        })
    }

    /// The two contexts of the side that has `role`.
    pub fn contexts(&self, role: Role) -> (Outbound, Inbound) {
        let (ours, theirs) = match role {
            Role::Client => (&self.client, &self.server),
            Role::Server => (&self.server, &self.client),
        };
        (Outbound::new(ours.clone()), Inbound::new(theirs.clone()))
    }
}

/// Keying material of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} bytes of keying material where {expected} are needed")]
pub struct KeyError {
    /// Bytes the profile needs.
    pub expected: usize,
    /// Bytes given.
    pub found: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_exported_material_in_the_order_of_the_rfc() {
        let material: Vec<u8> = (0..56).collect();
        let keys = Keys::from_export(Profile::AeadAes128Gcm, &material).expect("56 bytes");
        assert_eq!(keys.client.key(), &material[..16]);
        assert_eq!(keys.server.key(), &material[16..32]);
        assert_eq!(keys.client.padded_salt()[..12], material[32..44]);
        assert_eq!(keys.server.padded_salt()[..12], material[44..]);
        assert_eq!(keys.server.padded_salt()[12..], [0, 0]);
        let wrong = Keys::from_export(Profile::Aes128CmSha1_80, &material);
        assert_eq!(wrong, Err(KeyError { expected: 60, found: 56 }));
    }

    #[test]
    fn names_and_numbers_lead_back() {
        for profile in Profile::ALL {
            assert_eq!(Profile::from_name(profile.name()), Some(profile));
            if let Some(id) = profile.dtls_id() {
                assert_eq!(Profile::from_dtls_id(id), Some(profile));
            }
        }
        assert_eq!(Profile::from_dtls_id(5), None);
    }

    #[test]
    fn prints_no_key() {
        let master = Master::new(Profile::Aes128CmSha1_80, &[0x41; 16], &[0x42; 14]).expect("lengths fit");
        assert_eq!(format!("{master:?}"), "Master(AES_CM_128_HMAC_SHA1_80)");
    }
}
