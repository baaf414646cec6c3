//! A realm, as far as routing knows it: one side of the border, by name.
//!
//! Listeners, media addresses and trust belong to other rooms.

/// A realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// Its name in the configuration, for explanations.
    pub name: String,
}
