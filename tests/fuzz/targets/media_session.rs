//! Feeds `sbc::media::fuzz::session`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::media::fuzz::session(data));
