//! What the documents say of the tree is true: files that they name exist,
//! rooms are all on the map, tests that show a demand are there, examples run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use regex::Regex;
use sbc::app::load::{Problems, Source};

const DOCUMENTS: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "src/ARCHITECTURE.md",
    "tests/wire/README.md",
    "tests/wire/requirements.md",
    "rules/routes/README.md",
    "rules/prometheus/README.md",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder of the tree");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn rooms() -> BTreeSet<String> {
    let src = root().join("src");
    names(&src).into_iter().filter(|name| src.join(name).is_dir()).collect()
}

/// What stands between backticks outside of blocks of code.
fn quoted(text: &str) -> Vec<String> {
    let block = Regex::new(r"(?ms)^```.*?^```").expect("a valid pattern");
    let text = block.replace_all(text, "");
    let word = Regex::new(r"`([^`\n]+)`").expect("a valid pattern");
    word.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_path_in_the_documents_exists() {
    let looks_like_a_path = Regex::new(r"^\.?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]*)+$").expect("a valid pattern");
    let link = Regex::new(r"\]\(([^)#]+)\)").expect("a valid pattern");
    let (top, rooms) = (names(&root()), rooms());
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = read(document);
        let folder = root().join(document).parent().expect("a file in a folder").to_owned();
        for word in quoted(&text) {
            let word = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ').trim_start_matches("./");
            let Some(first) = word.split('/').next().filter(|_| looks_like_a_path.is_match(word)) else { continue };
            let known = top.contains(first) || rooms.contains(first);
            if known && !root().join(word).exists() && !root().join("src").join(word).exists() {
                missing.push(format!("{document}: `{word}`"));
            }
        }
        for found in link.captures_iter(&text).filter(|found| !found[1].contains("://")) {
            if !folder.join(&found[1]).exists() {
                missing.push(format!("{document}: ({})", &found[1]));
            }
        }
    }
    assert!(missing.is_empty(), "no such files:\n{}", missing.join("\n"));
}

#[test]
fn every_room_stands_in_the_table() {
    let row = Regex::new(r"(?m)^\| `([a-z]+)` \|").expect("a valid pattern");
    let map = read("src/ARCHITECTURE.md");
    let (_, section) = map.split_once("## The rooms").expect("a section about rooms");
    let (section, _) = section.split_once("\n## ").expect("a section behind it");
    let table: BTreeSet<String> = row.captures_iter(section).map(|found| found[1].to_owned()).collect();
    assert_eq!(table, rooms());
}

/// What is wrong with a configuration, the secrets it names being there.
fn problems(name: &str, text: &str) -> Vec<String> {
    let folder = std::env::temp_dir().join(format!("sbc-docs-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let secret = Regex::new(r#"_file\s*=\s*"([^"]+)""#).expect("a valid pattern");
    for found in secret.captures_iter(text) {
        let path = folder.join(&found[1]);
        fs::write(&path, "a secret of many characters").expect("a secret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a private secret");
    }
    let file = folder.join("sbc.toml");
    fs::write(&file, text).expect("a configuration");
    let found = Source::File(file).settings().err().map_or_else(Vec::new, |Problems(list)| list);
    fs::remove_dir_all(&folder).expect("our own folder");
    found
}

#[test]
fn the_examples_are_configurations_without_a_problem() {
    let mut wrong = Vec::new();
    for name in names(&root().join("rules/routes")).iter().filter(|name| name.ends_with(".toml")) {
        wrong.extend(problems(name, &read(&format!("rules/routes/{name}"))));
    }
    let readme = read("README.md");
    let block = Regex::new(r"(?ms)^```toml\n(.*?)^```").expect("a valid pattern");
    let shipped = read("sbc.toml");
    let (head, last) = shipped.rsplit_once("[[route]]").expect("the shipped file has a route");
    for found in block.captures_iter(&readme) {
        wrong.extend(problems("readme", &format!("{head}{}\n[[route]]{last}", &found[1])));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_in_the_list_of_demands_exists() {
    let list = read("tests/wire/requirements.md");
    let short = Regex::new(r"(?m)^\| `([a-z0-9_/]+\.rs)` \| ([A-Z]+) \|$").expect("a valid pattern");
    let files: BTreeMap<String, String> =
        short.captures_iter(&list).map(|found| (found[2].to_owned(), read(&found[1]))).collect();
    assert!(files.len() > 10, "the table of files is not read: {:?}", files.keys());
    let part = Regex::new(r"\b([A-Z]{1,2}): ((?:`[a-z0-9_]+`(?:, )?)+)").expect("a valid pattern");
    let mut checked = 0;
    for found in part.captures_iter(&list) {
        let text = files.get(&found[1]).unwrap_or_else(|| panic!("{} is in no row of the table", &found[1]));
        for name in found[2].split(", ").map(|name| name.trim_matches('`')).filter(|name| !name.is_empty()) {
            assert!(text.contains(&format!("fn {name}(")), "{}: there is no test {name}", &found[1]);
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} tests are named");
}
