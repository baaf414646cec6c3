//! The walls of the house, checked: which room imports which, what code below
//! `edge` may not call, how long a file may grow, what it begins with, what it
//! may not print. Each finding names file and line. `src/ARCHITECTURE.md` gives
//! the reasons; a wall that proves wrong is moved there and here together.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

#[path = "tidy/source.rs"]
mod source;

use source::Source;

/// A room and the rooms that it may import, besides itself. A name with `::` opens only that module and what is re-exported of it.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("sip", &["base"]),
    ("sdp", &["base"]),
    ("rtp", &["base"]),
    ("ice", &["base"]),
    ("dtls", &["base"]),
    ("codec", &["base"]),
    ("media", &["rtp", "ice", "dtls", "codec", "base"]),
    ("route", &["sip", "base"]),
    ("guard", &["base"]),
    ("call", &["sip", "sdp", "media", "route", "guard", "base"]),
    ("record", &["call", "media", "guard", "base"]),
    ("engine", &["base", "sip", "sdp", "media", "route", "guard", "call", "record"]),
    ("edge", &["engine", "media", "record", "sip", "guard", "dtls", "base"]),
    ("admin", &["engine", "record", "base"]),
    ("config", &["base", "sip", "media", "route", "guard", "call", "record", "engine", "edge", "admin"]),
    (
        "app",
        &[
            "base", "sip", "sdp", "rtp", "ice", "dtls", "codec", "media", "route", "guard", "call", "record", "engine",
            "edge", "admin", "config",
        ],
    ),
];

/// Rooms that talk to the world.
const WORLD: &[&str] = &["edge", "admin", "config", "app", ""];

/// What code below `edge` may not name, and why.
const BANNED: &[(&str, &str)] = &[
    (r"\btokio\b|\baxum\b|\bhickory_resolver\b|\bsocket2\b|\brustix\b", "the runtime and sockets belong to edge"),
    (r"\bUdpSocket\b|\bTcpStream\b|\bTcpListener\b|\bUnixStream\b|\bUnixListener\b", "sockets belong to edge"),
    (r"\bstd::thread\b|\bthread::spawn\b", "threads belong to edge"),
    (
        r"\bstd::fs\b|\bstd::process\b|\bstd::env\b|\bFile::open\b",
        "files, processes and the environment belong to edge and app",
    ),
    (
        r"\bSystemTime\b|\bstd::time::Instant\b|\bInstant::now\b",
        "time is an argument; the clock is read in edge/clock.rs",
    ),
    (
        r"\bOsRng\b|\bthread_rng\b|\brand::rng\b|\bgetrandom\b|\bSystemRandom\b",
        "randomness is a field given at construction",
    ),
    (
        r"\bMutex\b|\bRwLock\b|\bCondvar\b|\bOnceLock\b|\bLazyLock\b|\bmpsc\b",
        "a machine has one owner: no locks, no channels",
    ),
    (r"\basync\s+fn\b|\.await\b", "no async below edge"),
];

/// Files that may break one of the rules above: path, pattern it may use, reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/dtls/", "Instant", "the DTLS library counts from an instant of the real clock"),
    ("src/dtls/", "SystemRandom", "the DTLS library draws its own randomness"),
];

/// A file holds one idea in at most this many lines.
const HARD_LIMIT: usize = 700;
/// A file of `src` that has more than this has an entry below. Those of tests and benches, whose expectations are written
/// out as text, need none.
const SOFT_LIMIT: usize = 500;

/// Files over the soft limit and the size that they may not outgrow. Entries only shrink or go.
const LONG: &[(&str, usize)] = &[
    ("src/config/check.rs", 600),
    ("src/ice/lite.rs", 550),
    ("src/media/side.rs", 525),
    ("src/record/metrics.rs", 550),
    ("src/route/health.rs", 550),
    ("src/sdp/negotiate.rs", 600),
    ("src/sdp/offer_answer.rs", 550),
    ("src/sip/digest.rs", 650),
    ("src/sip/endpoint/tests.rs", 600),
    ("src/sip/transaction/table.rs", 550),
];

#[test]
fn rooms_import_only_rooms_above_them() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let path = Regex::new(r"\bcrate::(\{[^;]*?\}|[a-z_0-9]+)").expect("a valid pattern");
    let word = Regex::new(r"(?:^|[{,])\s*([a-z_0-9]+)").expect("a valid pattern");
    let mut findings = Vec::new();
    for source in Source::tree(&["src"]) {
        let room = source.room().to_owned();
        if room.is_empty() {
            continue;
        }
        let Some(allowed) = layers.get(room.as_str()) else {
            findings.push(format!("{}: the room `{room}` is not in the table of layers", source.path));
            continue;
        };
        for found in path.captures_iter(&source.code) {
            let names = &found[1];
            for name in word.captures_iter(&top_level(names)) {
                if name[1] != room && !allowed.contains(&&name[1]) && layers.contains_key(&name[1]) {
                    let at = source.line(found.get(0).expect("the match").start());
                    findings.push(format!("{}:{at}: `{room}` may not import `{}`", source.path, &name[1]));
                }
            }
        }
    }
    report(&findings);
}

#[test]
fn nothing_below_edge_touches_the_world() {
    let rules: Vec<(Regex, &str)> =
        BANNED.iter().map(|(p, why)| (Regex::new(p).expect("a valid pattern"), *why)).collect();
    let mut findings = Vec::new();
    for source in Source::tree(&["src"]).iter().filter(|s| !WORLD.contains(&s.room()) && !s.is_test()) {
        for (rule, why) in &rules {
            for found in rule.find_iter(&source.code) {
                let excused = EXCEPTIONS
                    .iter()
                    .any(|(path, name, _)| source.path.starts_with(path) && found.as_str().contains(name));
                if !excused {
                    findings.push(format!(
                        "{}:{}: `{}`: {why}",
                        source.path,
                        source.line(found.start()),
                        found.as_str()
                    ));
                }
            }
        }
    }
    report(&findings);
}

/// The order of a `HashMap` differs from run to run, and so would ours.
#[test]
fn nobody_below_edge_walks_through_a_hash_map() {
    let declared = Regex::new(r"\b([a-z_0-9]+)\s*:\s*(?:&(?:mut )?)?Hash(?:Map|Set)<|\blet (?:mut )?([a-z_0-9]+)(?::[^=;]*)? = Hash(?:Map|Set)::").expect("a valid pattern");
    let mut findings = Vec::new();
    for source in Source::tree(&["src"]).iter().filter(|s| !WORLD.contains(&s.room()) && !s.is_test()) {
        let names: BTreeSet<&str> = declared
            .captures_iter(&source.code)
            .filter_map(|c| c.get(1).or_else(|| c.get(2)))
            .map(|m| m.as_str())
            .collect();
        for name in names {
            let walk = format!(
                r"\b{name}\s*\.(?:iter|iter_mut|keys|into_keys|values|values_mut|into_values|into_iter|drain)\(|\bin &?(?:mut )?(?:self\.)?{name}\s*\{{"
            );
            for found in Regex::new(&walk).expect("a valid pattern").find_iter(&source.code) {
                findings.push(format!(
                    "{}:{}: walks through the hash table `{name}`",
                    source.path,
                    source.line(found.start())
                ));
            }
        }
    }
    report(&findings);
}

#[test]
fn every_file_says_first_what_it_is() {
    let findings: Vec<String> = Source::tree(&["src"])
        .iter()
        .filter(|s| !s.text.starts_with("//! "))
        .map(|s| format!("{}:1: begins without `//!`", s.path))
        .collect();
    report(&findings);
}

#[test]
fn files_stay_short() {
    let known: BTreeMap<&str, usize> = LONG.iter().copied().collect();
    let mut findings = Vec::new();
    for source in Source::tree(&["src", "tests", "benches"]) {
        let lines = source.text.lines().count();
        let soft = if source.path.starts_with("src/") { SOFT_LIMIT } else { HARD_LIMIT };
        let limit = known.get(source.path.as_str()).copied().unwrap_or(soft).min(HARD_LIMIT);
        if lines > limit {
            findings.push(format!("{}: {lines} lines, may have {limit}", source.path));
        }
        if known.contains_key(source.path.as_str()) && lines <= soft {
            findings.push(format!("{}: only {lines} lines: take it off the list", source.path));
        }
    }
    report(&findings);
}

#[test]
fn nothing_is_unsafe_unfinished_or_printed() {
    let rule = Regex::new(r"\bunsafe\b|\b(?:todo|unimplemented|dbg)!|\be?print(?:ln)?!").expect("a valid pattern");
    let mut findings = Vec::new();
    for source in Source::tree(&["src"]) {
        for found in rule.find_iter(&source.code) {
            findings.push(format!("{}:{}: `{}`", source.path, source.line(found.start()), found.as_str()));
        }
    }
    report(&findings);
}

/// `{base, sip::{message, x}}` as `{base, sip}`: only names at the first level.
fn top_level(names: &str) -> String {
    let mut depth = 0;
    names
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '{');
            let keep = depth <= 1;
            depth -= i32::from(*c == '}');
            keep
        })
        .collect()
}

fn report(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}
