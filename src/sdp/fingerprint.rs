//! Certificate fingerprints: `a=fingerprint` (RFC 8122 §5).
//!
//! SHA-256, -384 and -512 count. MD2 and MD5 are forbidden by the RFC, SHA-1 can
//! be collided, and a line with any of them is as if it were not there: a peer
//! that has nothing better gets no call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The hash of a certificate that the peer will present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Which hash.
    pub hash: HashKind,
    /// The digest: as many bytes as `hash` has.
    pub bytes: Vec<u8>,
}

/// Hash functions good enough to pin a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HashKind {
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashKind {
    /// Length of the digest, bytes.
    pub fn len_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }
}

impl Fingerprint {
    /// A SHA-256 fingerprint.
    pub fn sha256(digest: [u8; 32]) -> Self {
        Self { hash: HashKind::Sha256, bytes: digest.to_vec() }
    }

    /// Reads the value of an `a=fingerprint`; `None` for a weak hash or a wrong length.
    pub fn parse(value: &str) -> Option<Self> {
        let (name, digest) = value.trim().split_once(' ')?;
        let hash = [HashKind::Sha256, HashKind::Sha384, HashKind::Sha512]
            .into_iter()
            .find(|hash| name.eq_ignore_ascii_case(hash.name()))?;
        let mut bytes = Vec::with_capacity(hash.len_bytes());
        for pair in digest.trim().split(':') {
            let valid = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            if !valid || bytes.len() == hash.len_bytes() {
                return None;
            }
            bytes.push(u8::from_str_radix(pair, 16).ok()?);
        }
        (bytes.len() == hash.len_bytes()).then_some(Self { hash, bytes })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hash.name())?;
        for (i, byte) in self.bytes.iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_in_either_case() {
        let ours = Fingerprint::sha256([0xA5; 32]);
        assert_eq!(Fingerprint::parse(&ours.to_string()), Some(ours.clone()));
        assert_eq!(Fingerprint::parse(&ours.to_string().to_lowercase()), Some(ours));
    }

    #[test]
    fn weak_hashes_and_wrong_lengths_are_nothing() {
        let sha256 = Fingerprint::sha256([1; 32]).to_string();
        for bad in ["sha-1 01:02", "md5 01", "sha-256", "sha-256 01:02", "sha-512 01", ""] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
        assert_eq!(Fingerprint::parse(&format!("{sha256}:01")), None);
        assert_eq!(Fingerprint::parse(&sha256.replacen("01", "+1", 1)), None);
    }
}
