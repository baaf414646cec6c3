//! A source file as tidy reads it: what is code, without comments, strings and
//! tests, and which lines it stands on. A scanner of a hundred lines suffices
//! because `cargo fmt` and the compiler have already had their say.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the tree.
pub struct Source {
    /// Path below the package's root, with `/`.
    pub path: String,
    /// The text as it is.
    pub text: String,
    /// The same length in lines, with comments and literals blanked and
    /// `#[cfg(test)]` items removed.
    pub code: String,
}

impl Source {
    /// Reads every `.rs` file under some folders, in the order of their names.
    pub fn tree(folders: &[&str]) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        for folder in folders {
            collect(&root.join(folder), &mut paths);
        }
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                let code = without_tests(&without_text(&text));
                let path = path.strip_prefix(root).expect("it was found below").to_string_lossy().replace('\\', "/");
                Self { path, text, code }
            })
            .collect()
    }

    /// `base` for `src/base/now.rs`; empty for files directly under `src`.
    pub fn room(&self) -> &str {
        match self.path.strip_prefix("src/").and_then(|rest| rest.split_once('/')) {
            Some((room, _)) => room,
            None => "",
        }
    }

    /// Whether the whole file is a test, by its name.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/") || !self.path.starts_with("src/")
    }

    /// The line of a byte of `code`.
    pub fn line(&self, at: usize) -> usize {
        self.code[..at].matches('\n').count() + 1
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("node_modules") {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// Blanks comments, string and character literals; keeps line ends.
fn without_text(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let skip = literal(rest, at.checked_sub(1).map(|before| bytes[before]));
        if skip == 0 {
            let c = rest.chars().next().expect("at is a boundary inside the text");
            out.push(if c.is_ascii() { c } else { ' ' });
            at += c.len_utf8();
        } else {
            out.extend(rest[..skip].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            at += skip;
        }
    }
    out
}

/// Length of the comment or literal that begins here, 0 if none does.
fn literal(rest: &str, before: Option<u8>) -> usize {
    let bytes = rest.as_bytes();
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    let in_word = before.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let raw = rest.trim_start_matches('b').trim_start_matches('r');
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    if !in_word && (rest.starts_with('r') || rest.starts_with("br")) && raw[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let open = rest.len() - raw.len() + hashes + 1;
        return rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len());
    }
    if bytes[0] == b'"' {
        let mut at = 1;
        while at < bytes.len() && bytes[at] != b'"' {
            at += 1 + usize::from(bytes[at] == b'\\');
        }
        return (at + 1).min(bytes.len());
    }
    if bytes[0] == b'\'' {
        // A character closes within a few bytes; a lifetime does not.
        if bytes.get(1) == Some(&b'\\') {
            return rest[3..].find('\'').map_or(0, |end| end + 4);
        }
        let c = rest[1..].chars().next().map_or(1, char::len_utf8);
        if bytes.get(1 + c) == Some(&b'\'') {
            return c + 2;
        }
    }
    0
}

/// Blanks every item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find("#[cfg(test)]") {
        let start = from + found;
        let end = end_of_item(&out, start + "#[cfg(test)]".len());
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blank);
        from = end;
    }
    out
}

fn end_of_item(code: &str, from: usize) -> usize {
    let mut depth = 0usize;
    for (at, c) in code[from..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return from + at + 1;
                }
            }
            ';' if depth == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn literals_comments_and_tests_are_no_code() {
    let text = "let a = \"std::fs\"; // std::fs\nlet c = '\"'; let s = r#\"x\"y\"#;\nlet l: &'static str = b;\n#[cfg(test)]\nmod tests { fn f() { std::fs } }\nfn g() {}\n";
    let code = without_tests(&without_text(text));
    assert!(!code.contains("std::fs"), "{code}");
    assert!(code.contains("&'static str = b") && code.contains("fn g() {}"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}
