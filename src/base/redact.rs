//! What may stand in a log of a value that names a person or a secret.
//!
//! [`Redacted`] prints enough to tie lines together (the first characters and
//! a short digest) and not enough to dial or to log in. [`Secret`] prints
//! nothing and clears its memory.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// A user part or address on its way into a log line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redacted<'a>(pub &'a str);

/// `ali…#3f2a`: at most three characters, then 16 bits of digest.
impl fmt::Display for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        for c in self.0.chars().take(3).filter(|c| !c.is_control()) {
            write!(f, "{c}")?;
        }
        write!(f, "…#{:04x}", hasher.finish() & 0xffff)
    }
}

impl fmt::Debug for Redacted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A password or key: never printed, cleared when dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for computing with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_neither_number_nor_password() {
        let line = format!("{} {:?}", Redacted("+4930123456"), Secret::new("hunter2"));
        assert!(!line.contains("30123456") && !line.contains("hunter2"), "{line}");
        assert_eq!(Redacted("bob").to_string(), Redacted("bob").to_string());
    }
}
