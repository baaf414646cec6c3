//! Feeds `sbc::rtp::fuzz::rtcp`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::rtp::fuzz::rtcp(data));
