//! Feeds `sbc::sip::message::fuzz::sip_message`, where the promises that it checks are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sbc::sip::message::fuzz::sip_message(data));
