//! Attribute lines: `a=name` and `a=name:value` (RFC 8866 §5.13).
//!
//! A section keeps every attribute as it came, known or not; the typed readers
//! (`rtpmap`, `fmtp`, `candidate` …) work on the value. Names are compared
//! exactly: RFC 8866 §6 makes them case-sensitive.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One attribute line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// What stands before the first colon.
    pub name: String,
    /// What follows the colon; `None` for a property attribute.
    pub value: Option<String>,
}

impl Attribute {
    /// Reads what follows `a=`; `None` if the name is empty.
    pub fn parse(line: &str) -> Option<Self> {
        let (name, value) = match line.split_once(':') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (line, None),
        };
        (!name.is_empty()).then(|| Self { name: name.to_owned(), value })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}:{value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The attributes of a section, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(pub Vec<Attribute>);

impl Attributes {
    /// The value of the first `name` that has one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of every `name` that has one.
    pub fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.0.iter().filter(move |a| a.name == name).filter_map(|a| a.value.as_deref())
    }

    /// Whether `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|a| a.name == name)
    }

    /// Appends `a=name`.
    pub fn flag(&mut self, name: &str) {
        self.0.push(Attribute { name: name.to_owned(), value: None });
    }

    /// Appends `a=name:value`.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push(Attribute { name: name.to_owned(), value: Some(value.to_string()) });
    }

    /// The attributes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Attribute> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_keeps_its_own_colons() {
        let attribute = Attribute::parse("fingerprint:sha-256 AB:CD").expect("an attribute");
        assert_eq!(attribute.value.as_deref(), Some("sha-256 AB:CD"));
        assert_eq!(attribute.to_string(), "fingerprint:sha-256 AB:CD");
    }

    #[test]
    fn property_has_no_value_and_nameless_is_nothing() {
        assert_eq!(Attribute::parse("rtcp-mux").and_then(|a| a.value), None);
        assert_eq!(Attribute::parse(":x"), None);
        let mut attributes = Attributes::default();
        attributes.flag("ptime");
        attributes.push("ptime", 20);
        assert_eq!(attributes.value("ptime"), Some("20"));
        assert!(attributes.has("ptime") && !attributes.has("Ptime"));
    }
}
