//! Fingerprints of certificates (RFC 8122 §5), computed and compared.
//!
//! A fingerprint is a hash function and its output over the DER certificate.
//! Of several in an SDP, those of the best hash count (RFC 8122 §5.1), so that
//! a weak one beside a strong one weakens nothing. Comparison takes the same
//! time whatever differs.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};

/// Hash functions of RFC 8122 §5 that are accepted, weakest first. MD5 and MD2
/// are not among them: the RFC forbids them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HashKind {
    /// `sha-1`: old SIP systems send nothing else.
    Sha1,
    /// `sha-224`.
    Sha224,
    /// `sha-256`: what everybody sends.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashKind {
    /// The name in `a=fingerprint`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// The function of a name, which is matched without case (RFC 8122 §5).
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of its output.
    pub const fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// A hash function and its output over a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    hash: HashKind,
    bytes: [u8; 64],
}

impl Fingerprint {
    /// The fingerprint of a DER certificate.
    pub fn of(hash: HashKind, certificate: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..hash.size()].copy_from_slice(digest::digest(hash.algorithm(), certificate).as_ref());
        Self { hash, bytes }
    }

    /// A fingerprint as it stands in an SDP; `None` if the length is wrong.
    pub fn new(hash: HashKind, value: &[u8]) -> Option<Self> {
        let mut bytes = [0; 64];
        bytes.get_mut(..hash.size()).filter(|room| room.len() == value.len())?.copy_from_slice(value);
        Some(Self { hash, bytes })
    }

    /// [`Self::new`] with the name of the hash as in SDP; `None` also for a
    /// hash that is not accepted.
    pub fn named(hash: &str, value: &[u8]) -> Option<Self> {
        Self::new(HashKind::from_name(hash)?, value)
    }

    /// Reads `AB:CD:…`, in either case.
    pub fn parse(hash: HashKind, text: &str) -> Option<Self> {
        let mut value = [0; 64];
        let mut len = 0;
        for pair in text.split(':') {
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            *value.get_mut(len)? = u8::from_str_radix(pair, 16).ok()?;
            len += 1;
        }
        Self::new(hash, &value[..len])
    }

    /// The hash function.
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// The hash's output.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.hash.size()]
    }
}

/// `AB:CD:…`, the form of `a=fingerprint` without the name of the hash.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.bytes().iter().enumerate() {
            write!(f, "{}{byte:02X}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.hash.name())
    }
}

/// True if `certificate` has one of the `expected` fingerprints.
///
/// RFC 8122 §5.1: of the functions that the peer used, the best one decides.
/// No expectation matches nothing.
pub fn matches(certificate: &[u8], expected: &[Fingerprint]) -> bool {
    let Some(best) = expected.iter().map(|f| f.hash).max() else { return false };
    let seen = Fingerprint::of(best, certificate);
    let mut found = Choice::from(0);
    for candidate in expected.iter().filter(|f| f.hash == best) {
        found |= candidate.bytes.ct_eq(&seen.bytes);
    }
    found.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_what_fips_180_gives_for_abc() {
        let text = |kind| Fingerprint::of(kind, b"abc").to_string();
        assert_eq!(text(HashKind::Sha1), "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D");
        assert_eq!(
            text(HashKind::Sha256),
            "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
        );
    }

    #[test]
    fn reads_what_it_prints_and_refuses_the_rest() {
        let one = Fingerprint::of(HashKind::Sha256, b"x");
        assert_eq!(Fingerprint::parse(HashKind::Sha256, &one.to_string()), Some(one));
        assert_eq!(Fingerprint::parse(HashKind::Sha256, &one.to_string().to_lowercase()), Some(one));
        for text in ["", "AB", "+1:00", "GG:00", &format!("{one}:00"), "A9:é"] {
            assert_eq!(Fingerprint::parse(HashKind::Sha256, text), None, "{text}");
        }
        assert_eq!(HashKind::from_name("SHA-256"), Some(HashKind::Sha256));
        assert_eq!(Fingerprint::named("sha-256", one.bytes()), Some(one));
        assert_eq!(Fingerprint::named("md5", &one.bytes()[..16]), None);
    }

    #[test]
    fn the_best_hash_decides() {
        let good = Fingerprint::of(HashKind::Sha256, b"cert");
        let other = Fingerprint::of(HashKind::Sha256, b"other");
        let weak = Fingerprint::of(HashKind::Sha1, b"cert");
        assert!(matches(b"cert", &[good]));
        assert!(matches(b"cert", &[other, good]));
        assert!(matches(b"cert", &[weak]));
        assert!(!matches(b"cert", &[weak, other]));
        assert!(!matches(b"cert", &[other]));
        assert!(!matches(b"cert", &[]));
    }
}
