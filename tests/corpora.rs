//! Every committed fuzz input, run through its target's body: inputs that once
//! broke a parser stay in `tests/fuzz/corpus` and are tried at each build.

use std::fs;
use std::path::Path;

fn each(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut tried = 0;
    for entry in fs::read_dir(&folder).expect("each target has a corpus") {
        body(&fs::read(entry.expect("a readable folder").path()).expect("a readable file"));
        tried += 1;
    }
    assert!(tried > 0, "{} is empty", folder.display());
}

#[test]
fn sip_messages_neither_panic_nor_change_when_written_again() {
    each("sip_message", sbc::sip::message::fuzz::sip_message);
}

#[test]
fn the_sip_endpoint_survives_any_order_of_messages() {
    each("sip_endpoint", sbc::sip::endpoint::fuzz::endpoint);
    each("sip_message", sbc::sip::endpoint::fuzz::endpoint);
}

#[test]
fn session_descriptions_are_read_or_refused() {
    each("sdp", sbc::sdp::fuzz::run);
}

#[test]
fn stun_is_read_or_refused() {
    each("stun", sbc::ice::fuzz::stun);
}

#[test]
fn rtp_and_rtcp_are_read_or_refused() {
    each("rtp", sbc::rtp::fuzz::header);
    each("rtcp", sbc::rtp::fuzz::rtcp);
}

#[test]
fn nothing_is_authentic_by_chance() {
    each("srtp", sbc::rtp::fuzz::unprotect);
}
