//! JSON of the API as tables for people.
//!
//! Whatever peers wrote is printed without control characters: it goes to a
//! terminal.

use serde_json::Value;

/// A column: its title, and where its value stands.
pub type Column = (&'static str, &'static str);

/// Columns of `sbc calls`.
pub const CALLS: &[Column] = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("FROM", "from"),
    ("TO", "to"),
    ("REALMS", "realm_in"),
    ("", "realm_out"),
    ("TRUNK", "trunk"),
    ("SECS", "duration_secs"),
    ("CODEC A", "codec_a"),
    ("CODEC B", "codec_b"),
    ("PATH", "path"),
];

/// Columns of `sbc trunks`.
pub const TRUNKS: &[Column] = &[
    ("TRUNK", "name"),
    ("REALM", "realm"),
    ("STATE", "state"),
    ("CALLS", "calls_active"),
    ("LIMIT", "calls_limit"),
    ("ASR", "asr_ratio"),
    ("NER", "ner_ratio"),
    ("ACD", "acd_secs"),
    ("MOS", "mos_avg"),
    ("TARGET", "target"),
    ("REASON", "reason"),
];

/// Columns of `sbc registrations`.
pub const REGISTRATIONS: &[Column] = &[
    ("USER", "user"),
    ("REALM", "realm"),
    ("VIA", "transport"),
    ("SOURCE", "source"),
    ("EXPIRES", "expires_secs"),
    ("USER AGENT", "user_agent"),
];

/// Columns of `sbc bans`.
pub const BANS: &[Column] = &[
    ("PREFIX", "prefix"),
    ("REASON", "reason"),
    ("SECS LEFT", "expires_secs"),
    ("HITS", "hits"),
    ("BY", "by"),
    ("WHERE", "enforced"),
    ("EVIDENCE", "evidence"),
];

/// Rows as a table with aligned columns; one line if there are none.
pub fn table(columns: &[Column], rows: &[Value], none: &str) -> String {
    if rows.is_empty() {
        return format!("{none}\n");
    }
    let mut cells: Vec<Vec<String>> = vec![columns.iter().map(|c| c.0.to_owned()).collect()];
    cells.extend(rows.iter().map(|row| columns.iter().map(|c| shown(&row[c.1])).collect()));
    let width = |at: usize| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &cells {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The fields of one value, a line each; lists and objects below it indented.
pub fn fields(value: &Value) -> String {
    let mut text = String::new();
    below(value, 0, &mut text);
    text
}

fn below(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            let width = map.iter().filter(|(_, v)| is_plain(v)).map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, value) in map {
                if is_plain(value) {
                    text.push_str(&format!("{indent}{name:<width$}  {}\n", shown(value)));
                } else {
                    text.push_str(&format!("{indent}{name}\n"));
                    below(value, depth + 1, text);
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                if index > 0 && !is_plain(value) {
                    text.push('\n');
                }
                below(value, depth, text);
            }
        }
        plain => text.push_str(&format!("{indent}{}\n", shown(plain))),
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_what_is_missing_is_a_dash() {
        let rows = [json!({"user": "demo", "via": "ws"}), json!({"user": "a-long-name", "via": null})];
        let text = table(&[("USER", "user"), ("VIA", "via")], &rows, "nobody");
        assert_eq!(text, "USER         VIA\ndemo         ws\na-long-name  -\n");
        assert_eq!(table(&[("USER", "user")], &[], "nobody"), "nobody\n");
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(table(&[("A", "a")], &[json!({"a": "\u{1b}[2Jx\n"})], ""), "A\n\u{fffd}[2Jx\u{fffd}\n");
    }

    #[test]
    fn nested_values_are_indented() {
        let text = fields(&json!({"id": "1", "legs": [{"name": "A"}, {"name": "B"}]}));
        assert_eq!(text, "id  1\nlegs\n  name  A\n\n  name  B\n");
    }
}
