//! Our certificate: self-signed, ECDSA on P-256, made at start.
//!
//! RFC 8827 §6.5 asks for exactly this kind, and browsers look at nothing but
//! the hash of it in the SDP. The library that speaks DTLS makes it; the key
//! comes from the operating system's entropy and never leaves the process.

use std::fmt;

use dimpl::DtlsCertificate;
use zeroize::Zeroize;

use super::Failure;
use super::fingerprint::{Fingerprint, HashKind};

/// A certificate and its private key.
#[derive(Clone)]
pub struct Certificate {
    der: DtlsCertificate,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    /// [`Failure::Library`] if the key cannot be made (no entropy).
    pub fn self_signed() -> Result<Self, Failure> {
        let der = dimpl::certificate::generate_self_signed_certificate().map_err(|_| Failure::Library)?;
        let fingerprint = Fingerprint::of(HashKind::Sha256, &der.certificate);
        Ok(Self { der, fingerprint })
    }

    /// The SHA-256 fingerprint, for `a=fingerprint`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate, DER.
    pub fn der(&self) -> &[u8] {
        &self.der.certificate
    }

    pub(super) fn for_library(&self) -> DtlsCertificate {
        self.der.clone()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        self.der.private_key.zeroize();
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({:?})", self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_certificates_differ_and_print_no_key() {
        let (a, b) = (Certificate::self_signed().expect("entropy"), Certificate::self_signed().expect("entropy"));
        assert_ne!(a.fingerprint(), b.fingerprint());
        assert_eq!(a.fingerprint().to_string().len(), 95);
        assert_eq!(format!("{a:?}"), format!("Certificate(sha-256 {})", a.fingerprint()));
        assert_eq!(a.der()[0], 0x30);
    }
}
