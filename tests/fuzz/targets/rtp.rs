//! Fuzz target: the body is in the room.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::rtp::fuzz::header(data));
