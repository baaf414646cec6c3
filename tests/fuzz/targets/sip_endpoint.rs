//! Feeds `sbc::sip::endpoint::fuzz::endpoint`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::sip::endpoint::fuzz::endpoint(data));
