//! Feeds `sbc::rtp::fuzz::header`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::rtp::fuzz::header(data));
