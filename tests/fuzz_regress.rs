//! Runs every committed fuzz input through its body, in the ordinary tests.
//!
//! `tests/fuzz/corpus` holds the seeds that `tests/fuzz/run` starts from,
//! `tests/fuzz/regressions` the smallest input of each finding. A body panics
//! when the code breaks a promise, so running through is the assertion.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

type Body = fn(&[u8]);

/// Each target with its body and with the folders under `tests` that serve as
/// seeds besides its corpus; `tests/fuzz/run` names the same folders.
const TARGETS: [(&str, Body, &[&str]); 8] = [
    ("media_session", sbc::media::fuzz::session, &[]),
    ("rtcp", sbc::rtp::fuzz::rtcp, &[]),
    ("rtp_header", sbc::rtp::fuzz::header, &[]),
    ("sdp", sbc::sdp::fuzz::run, &[]),
    ("sip_endpoint", sbc::sip::endpoint::fuzz::endpoint, &[]),
    ("sip_message", sbc::sip::message::fuzz::sip_message, &["wire/rfc4475", "wire/rfc5118"]),
    ("srtp_unprotect", sbc::rtp::fuzz::unprotect, &[]),
    ("stun", sbc::ice::fuzz::stun, &["data/stun-rfc5769"]),
];

fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The files of a folder, in order; none if there is no such folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|entry| entry.expect("a readable folder").path()).filter(|path| path.is_file()).collect()
}

/// The names of the folders and files in a folder, without extension.
fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
        .collect()
}

#[test]
fn every_committed_input_keeps_the_promises() {
    let mut failed = Vec::new();
    for (name, body, more) in TARGETS {
        let corpus = files(&tests_folder().join("fuzz/corpus").join(name));
        assert!(!corpus.is_empty(), "{name} has no seeds");
        let regressions = files(&tests_folder().join("fuzz/regressions").join(name));
        let more = more.iter().flat_map(|folder| files(&tests_folder().join(folder)));
        for path in corpus.into_iter().chain(regressions).chain(more) {
            let bytes = std::fs::read(&path).expect("a readable file");
            if catch_unwind(AssertUnwindSafe(|| body(&bytes))).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "these inputs break a promise: {failed:#?}");
}

#[test]
fn every_target_has_a_body_here_and_seeds() {
    let here: BTreeSet<String> = TARGETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(names(&tests_folder().join("fuzz/targets")), here);
    assert_eq!(names(&tests_folder().join("fuzz/corpus")), here);
    let regressions = names(&tests_folder().join("fuzz/regressions"));
    assert!(regressions.is_subset(&here), "{regressions:?}");
}
