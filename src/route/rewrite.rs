//! Rewriting the dialled and the calling number by templates.
//!
//! A template is text with `${name}` or `${1}` for the groups of the rule's
//! patterns, those of `to` before those of `from`; `${to}` and `${from}` are the
//! values themselves unless a group bears that name; `$$` is a dollar sign. A
//! group that took no part in the match is empty. A template that names a group
//! nobody has is refused when the rule is built.

use serde::Serialize;

use super::matcher::{Groups, Match};
use super::table::Query;

/// A checked template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
enum Part {
    Text(String),
    Group(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// With the position of what is wrong, in bytes.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let at = text.len() - rest.len();
            if c.is_control() || c == ' ' {
                return Err(TemplateError::Character { at });
            }
            if let Some(after) = rest.strip_prefix("$$") {
                literal.push('$');
                rest = after;
            } else if let Some(after) = rest.strip_prefix("${") {
                let (name, after) = after.split_once('}').ok_or(TemplateError::Open { at })?;
                if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
                    return Err(TemplateError::Name { at });
                }
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Group(name.to_owned()));
                rest = after;
            } else if c == '$' {
                return Err(TemplateError::Dollar { at });
            } else {
                literal.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// Names of the groups it uses.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Group(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    fn expand(&self, query: &Query<'_>, groups: &Groups<'_>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(name) => out.push_str(value(name, query, groups)),
            }
        }
        out
    }
}

/// Why a template cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${` without its closing bracket.
    #[error("'${{' at {at} is not closed")]
    Open {
        /// Byte offset.
        at: usize,
    },
    /// A lone dollar sign.
    #[error("'$' at {at} stands alone: write '${{name}}' for a group, '$$' for the sign")]
    Dollar {
        /// Byte offset.
        at: usize,
    },
    /// What stands in the brackets is no name of a group.
    #[error("'${{' at {at} is not followed by the name or number of a group")]
    Name {
        /// Byte offset.
        at: usize,
    },
    /// A blank or control character, which no user part has.
    #[error("a blank or control character at {at}")]
    Character {
        /// Byte offset.
        at: usize,
    },
}

/// How a rule rewrites the numbers; the default leaves them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    to: Option<Template>,
    from: Option<Template>,
}

impl Rewrite {
    /// Templates for the dialled and the calling number, checked against the
    /// patterns whose groups they use.
    ///
    /// # Errors
    ///
    /// If one cannot be read or names a group that no pattern has.
    pub fn new(matches: &Match, to: Option<&str>, from: Option<&str>) -> Result<Self, RewriteError> {
        let read = |text: &str| -> Result<Template, RewriteError> {
            let template = Template::parse(text)?;
            if let Some(name) = template.names().find(|name| !known(name, matches)) {
                return Err(RewriteError::UnknownGroup { name: name.to_owned(), known: names(matches) });
            }
            Ok(template)
        };
        Ok(Self { to: to.map(read).transpose()?, from: from.map(read).transpose()? })
    }

    /// The dialled number rewritten; `None` if it is left.
    pub(super) fn to(&self, query: &Query<'_>, groups: &Groups<'_>) -> Option<String> {
        self.to.as_ref().map(|template| template.expand(query, groups))
    }

    /// The calling number rewritten; `None` if it is left.
    pub(super) fn from(&self, query: &Query<'_>, groups: &Groups<'_>) -> Option<String> {
        self.from.as_ref().map(|template| template.expand(query, groups))
    }
}

/// Why a rewrite cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// A template cannot be read.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It names a group that no pattern of the rule has.
    #[error("no pattern of this rule has a group '{name}'; there are: {}", known.join(", "))]
    UnknownGroup {
        /// The name.
        name: String,
        /// What could be named.
        known: Vec<String>,
    },
}

/// The value of a group: of `to`, of `from`, or one of the values themselves.
fn value<'q>(name: &str, query: &Query<'q>, groups: &Groups<'q>) -> &'q str {
    let mut patterns = [&groups.to, &groups.from].into_iter().flatten();
    if let Ok(index) = name.parse::<usize>() {
        return patterns.next().and_then(|g| g.get(index)).map_or("", |m| m.as_str());
    }
    match patterns.find_map(|g| g.name(name)) {
        Some(found) => found.as_str(),
        None if name == "to" => query.to_user,
        None if name == "from" => query.from_user,
        None => "",
    }
}

/// True if `value` can have one for `name`.
fn known(name: &str, matches: &Match) -> bool {
    let mut patterns = [&matches.to, &matches.from].into_iter().flatten();
    match name.parse::<usize>() {
        Ok(index) => patterns.next().is_some_and(|pattern| index <= pattern.groups()),
        Err(_) => matches!(name, "to" | "from") || patterns.any(|pattern| pattern.names().any(|n| n == name)),
    }
}

fn names(matches: &Match) -> Vec<String> {
    let patterns = [&matches.to, &matches.from].into_iter().flatten();
    patterns.flat_map(|pattern| pattern.names()).chain(["to", "from"]).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::matcher::Pattern;
    use super::*;
    use crate::base::{RealmId, UnixMillis};

    fn query<'q>(from_user: &'q str, to_user: &'q str) -> Query<'q> {
        Query { realm: RealmId(0), trunk: None, from_user, to_user, to_host: "h", wall: UnixMillis(0) }
    }

    fn pattern(text: &str) -> Option<Pattern> {
        Some(Pattern::new(text).expect("a pattern"))
    }

    #[test]
    fn groups_take_their_places() {
        let matches =
            Match { to: pattern(r"\+49(?<n>\d+)(?<x>x)?"), from: pattern(r"(?<area>\d\d)\d*"), ..Match::default() };
        let rewrite = Rewrite::new(&matches, Some("0${n}${x}"), Some("+49${area}$$${1}-${from}")).expect("a rewrite");
        let query = query("301", "+4940123");
        let groups = matches.judge(&query).expect("matches");
        assert_eq!(rewrite.to(&query, &groups).as_deref(), Some("040123"));
        assert_eq!(rewrite.from(&query, &groups).as_deref(), Some("+4930$40123-301"));
        assert_eq!(Rewrite::default().to(&query, &groups), None);
    }

    #[test]
    fn a_template_that_names_nothing_is_refused_when_it_is_read() {
        let matches = Match { to: pattern("(?<n>.)"), ..Match::default() };
        let refused = |text| Rewrite::new(&matches, Some(text), None).expect_err("no template").to_string();
        assert_eq!(refused("${m}"), "no pattern of this rule has a group 'm'; there are: n, to, from");
        assert_eq!(refused("${2}"), "no pattern of this rule has a group '2'; there are: n, to, from");
        assert_eq!(refused("0${n"), "'${' at 1 is not closed");
        assert_eq!(refused("0$n"), "'$' at 1 stands alone: write '${name}' for a group, '$$' for the sign");
        assert_eq!(refused("${}"), "'${' at 0 is not followed by the name or number of a group");
        assert_eq!(refused("a\r\nb"), "a blank or control character at 1");
        assert!(Rewrite::new(&matches, Some("${1}${to}"), None).is_ok());
    }
}
