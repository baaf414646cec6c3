//! SDES key lines: `a=crypto` (RFC 4568 §9.1).
//!
//! Read as far as tag, suite, key and the lifetime and MKI behind it; session
//! parameters are kept as text. Legs with SDES are not served, so judging an
//! offer refuses `RTP/SAVP` without a fingerprint; this is the reader for what
//! such a peer says.

use serde::{Deserialize, Serialize};

use crate::base::redact::Secret;

/// One `a=crypto` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypto {
    /// Ties the answer's line to the offer's; up to 9 digits.
    pub tag: u32,
    /// The suite's name, such as `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// Base64 of master key and salt.
    pub key: Secret,
    /// Lifetime, as written (`2^20` or a number of packets).
    pub lifetime: Option<String>,
    /// MKI value and its length in bytes, as written (`1:4`).
    pub mki: Option<String>,
    /// Session parameters, such as `UNENCRYPTED_SRTCP`.
    pub session: Vec<String>,
}

impl Crypto {
    /// Reads the value of an `a=crypto` with one inline key.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|t| t.len() <= 9)?.parse().ok()?;
        let suite = words.next()?.to_owned();
        let (method, info) = words.next()?.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
            return None;
        }
        let mut parts = info.split('|');
        let key = parts.next().filter(|key| is_base64(key))?;
        let (mut lifetime, mut mki) = (None, None);
        for part in parts {
            // RFC 4568 §6.1: the part with a colon is the MKI, the other the lifetime.
            let slot = if part.contains(':') { &mut mki } else { &mut lifetime };
            if slot.replace(part.to_owned()).is_some() {
                return None;
            }
        }
        Some(Self { tag, suite, key: Secret::new(key), lifetime, mki, session: words.map(str::to_owned).collect() })
    }
}

fn is_base64(key: &str) -> bool {
    let body = key.trim_end_matches('=');
    !body.is_empty()
        && key.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_key_lifetime_and_mki() {
        let line = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:4 KDR=1";
        let crypto = Crypto::parse(line).expect("a crypto line");
        assert_eq!((crypto.tag, crypto.suite.as_str()), (1, "AES_CM_128_HMAC_SHA1_80"));
        assert_eq!(crypto.key.reveal(), "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR");
        assert_eq!((crypto.lifetime.as_deref(), crypto.mki.as_deref()), (Some("2^20"), Some("1:4")));
        assert_eq!(crypto.session, ["KDR=1"]);
        assert!(!format!("{crypto:?}").contains("PS1u"), "keys never print");
    }

    #[test]
    fn rubbish_is_no_crypto_line() {
        for bad in [
            "",
            "1",
            "x S inline:AAAA",
            "1 S inline:",
            "1 S outline:AAAA",
            "1 S inline:AA|1|2",
            "1 S inline:AA;inline:BB",
            "9999999999 S inline:AA",
        ] {
            assert_eq!(Crypto::parse(bad), None, "{bad}");
        }
    }
}
