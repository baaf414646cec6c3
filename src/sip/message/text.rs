//! A short immutable string: up to 22 bytes without an allocation.
//!
//! User parts, host names, tags, branches and parameter names are short, and
//! a typed INVITE holds some thirty of them. [`Text`] behaves like a `&str`
//! by `Deref` and is written down as an ordinary string.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// An immutable string, in place if it is at most 22 bytes long.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Text(Form);

#[derive(Clone)]
enum Form {
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

/// Fills the 24 bytes that the long form needs anyway.
const SHORT: usize = 22;

impl Text {
    /// The empty string.
    pub const EMPTY: Self = Self(Form::Short(0, [0; SHORT]));

    /// The string itself.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Short(len, bytes) => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).expect("made from a whole str of this length")
            }
            Form::Long(text) => text,
        }
    }
}

impl From<&str> for Text {
    fn from(s: &str) -> Self {
        if s.len() > SHORT {
            return Self(Form::Long(s.into()));
        }
        let mut bytes = [0; SHORT];
        bytes[..s.len()].copy_from_slice(s.as_bytes());
        Self(Form::Short(s.len() as u8, bytes))
    }
}

impl From<String> for Text {
    fn from(s: String) -> Self {
        if s.len() > SHORT { Self(Form::Long(s.into_boxed_str())) } else { Self::from(s.as_str()) }
    }
}

impl From<&String> for Text {
    fn from(s: &String) -> Self {
        Self::from(s.as_str())
    }
}

impl From<Cow<'_, str>> for Text {
    fn from(s: Cow<'_, str>) -> Self {
        Self::from(&*s)
    }
}

impl From<Text> for String {
    fn from(t: Text) -> Self {
        t.as_str().to_owned()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        self
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_strings_are_kept() {
        for len in [0, 1, 21, 22, 23, 300] {
            let s = "x".repeat(len);
            assert_eq!(Text::from(s.as_str()), s.as_str());
            assert_eq!(Text::from(s.clone()).as_str(), s);
        }
        assert_eq!(Text::from("Ünïcödé").len(), 11);
        assert_eq!(size_of::<Text>(), 24);
    }
}
