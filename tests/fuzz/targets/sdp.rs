//! Feeds `sbc::sdp::fuzz::run`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::sdp::fuzz::run(data));
