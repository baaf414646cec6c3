//! A table of the file, read key by key.
//!
//! Each getter takes a key with its default, notes a problem if the value is
//! of the wrong kind or out of range, and remembers the key; what nobody asked
//! for is an unknown key, which is a problem too: a misspelt limit must not
//! silently be no limit.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::units;

/// A table with its path.
pub struct Section<'a, 't> {
    path: String,
    at: usize,
    table: Option<&'a DeTable<'t>>,
    problems: &'a RefCell<Problems<'t>>,
    asked: RefCell<HashSet<String>>,
}

/// A value with its place, for problems found later.
#[derive(Clone, Debug, PartialEq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Byte offset in the file.
    pub at: usize,
    /// Full key.
    pub key: String,
}

impl<'a, 't> Section<'a, 't> {
    /// The whole file.
    pub fn root(table: &'a DeTable<'t>, problems: &'a RefCell<Problems<'t>>) -> Self {
        Self { path: String::new(), at: 0, table: Some(table), problems, asked: RefCell::default() }
    }

    fn key_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Full name of this section.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where it begins.
    pub fn at(&self) -> usize {
        self.at
    }

    /// True if the file has this section.
    pub fn exists(&self) -> bool {
        self.table.is_some()
    }

    /// Notes a problem of the section itself or of one of its keys.
    pub fn problem(&self, key: &str, at: usize, found: impl Into<String>, allowed: impl Into<String>) {
        self.problems.borrow_mut().add(at, &self.key_path(key), found, allowed);
    }

    fn take(&self, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.table?.iter().find(|(k, _)| k.get_ref().as_ref() == key).map(|(_, v)| v)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, allowed: &str) {
        self.problem(key, value.span().start, format!("found {}", show(value.get_ref())), allowed);
    }

    /// A table below this one; empty if it is absent.
    pub fn section(&self, key: &str) -> Section<'a, 't> {
        let value = self.take(key);
        let table = value.and_then(|v| {
            let table = v.get_ref().as_table();
            if table.is_none() {
                self.wrong(key, v, "a table");
            }
            table
        });
        Section {
            path: self.key_path(key),
            at: value.map_or(self.at, |v| v.span().start),
            table,
            problems: self.problems,
            asked: RefCell::default(),
        }
    }

    /// The tables `[key.NAME]` by name, in the order of the file.
    pub fn named(&self, key: &str) -> Vec<(String, Section<'a, 't>)> {
        let parent = self.section(key);
        let Some(table) = parent.table else { return Vec::new() };
        let mut keys: Vec<_> = table.keys().collect();
        keys.sort_by_key(|k| k.span().start);
        keys.into_iter().map(|k| (k.get_ref().to_string(), parent.section(k.get_ref()))).collect()
    }

    /// The tables `[[key]]`.
    pub fn list(&self, key: &str) -> Vec<Section<'a, 't>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong(key, value, "an array of tables, [[…]]");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let path = format!("{}[{index}]", self.key_path(key));
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section {
                    path,
                    at: item.span().start,
                    table: Some(table),
                    problems: self.problems,
                    asked: RefCell::default(),
                }),
                None => self.wrong(key, item, "a table"),
            }
        }
        sections
    }

    /// A string that `read` understands.
    pub fn parsed<T>(&self, key: &str, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Option<At<T>> {
        let value = self.take(key)?;
        match value.get_ref().as_str().and_then(&read) {
            Some(read) => Some(At { value: read, at: value.span().start, key: self.key_path(key) }),
            None => {
                self.wrong(key, value, allowed);
                None
            }
        }
    }

    /// Any string.
    pub fn string(&self, key: &str) -> Option<At<String>> {
        self.parsed(key, "a string", |s| Some(s.to_owned()))
    }

    /// A string that is one of a few.
    pub fn one_of<T: Copy>(&self, key: &str, default: T, choices: &[(&str, T)]) -> T {
        let names: Vec<&str> = choices.iter().map(|c| c.0).collect();
        self.parsed(key, &names.join(", "), |s| choices.iter().find(|c| c.0 == s).map(|c| c.1))
            .map_or(default, |v| v.value)
    }

    /// A duration within bounds.
    pub fn duration(&self, key: &str, default: Duration, range: RangeInclusive<Duration>) -> Duration {
        let allowed = format!(
            "a duration such as \"20s\" from {} to {}",
            units::spell(*range.start()),
            units::spell(*range.end())
        );
        self.parsed(key, &allowed, |s| units::duration(s).filter(|d| range.contains(d))).map_or(default, |v| v.value)
    }

    /// A rate a second within bounds.
    pub fn rate(&self, key: &str, default: f64, range: RangeInclusive<f64>) -> f64 {
        let allowed = format!("a rate such as \"50/s\" from {}/s to {}/s", range.start(), range.end());
        self.parsed(key, &allowed, |s| units::rate(s).filter(|r| range.contains(r))).map_or(default, |v| v.value)
    }

    /// A whole number within bounds.
    pub fn integer<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let value = self.take(key)?;
        let number = value.get_ref().as_integer().filter(|i| i.radix() == 10).and_then(|i| i.as_str().parse().ok());
        let number = number.filter(|n| range.contains(n));
        if number.is_none() {
            self.wrong(key, value, &format!("a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &str, default: bool) -> bool {
        let Some(value) = self.take(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong(key, value, "true or false");
            default
        })
    }

    /// A list of strings that `read` understands; a single string counts as a list of one.
    pub fn strings<T>(&self, key: &str, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Vec<At<T>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let one = std::slice::from_ref(value);
        let items: Vec<&Spanned<DeValue<'_>>> = match value.get_ref().as_array() {
            Some(array) => array.iter().collect(),
            None => one.iter().collect(),
        };
        let mut list = Vec::new();
        for item in items {
            match item.get_ref().as_str().and_then(&read) {
                Some(read) => list.push(At { value: read, at: item.span().start, key: self.key_path(key) }),
                None => self.wrong(key, item, allowed),
            }
        }
        list
    }

    /// True if the key is there, of whatever kind.
    pub fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|t| t.keys().any(|k| k.get_ref().as_ref() == key))
    }

    /// Notes every key that nobody asked for.
    pub fn finish(&self) {
        let Some(table) = self.table else { return };
        let asked = self.asked.borrow();
        for key in table.keys().filter(|k| !asked.contains(k.get_ref().as_ref())) {
            let mut known: Vec<&str> = asked.iter().map(String::as_str).collect();
            known.sort_unstable();
            self.problem(key.get_ref(), key.span().start, "unknown key", known.join(", "));
        }
    }
}

/// A value for a message; secrets have keys of their own that never come here.
fn show(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(s) => format!("{s:?}"),
        DeValue::Integer(i) => i.to_string(),
        DeValue::Float(f) => f.as_str().to_owned(),
        DeValue::Boolean(b) => b.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "an array".into(),
        DeValue::Table(_) => "a table".into(),
    }
}
