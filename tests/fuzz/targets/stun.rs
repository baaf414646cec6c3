//! Feeds `sbc::ice::fuzz::stun`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::ice::fuzz::stun(data));
