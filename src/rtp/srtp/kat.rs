//! Known answers for the tests of this room: RFC 3711 B, 6188 7, 7714 16 and
//! 17, and packets around the roll-over, read from `tests/data/srtp_kat.json`.

use serde_json::Value;

/// The whole file.
pub(super) fn kat() -> Value {
    serde_json::from_str(include_str!("../../../tests/data/srtp_kat.json")).expect("the file is JSON")
}

/// A text field of a case.
pub(super) fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().expect("the field is text")
}

/// The bytes of a hexadecimal text.
pub(super) fn hex(text: &str) -> Vec<u8> {
    let digit = |d: u8| (d as char).to_digit(16).expect("a hexadecimal digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// A 32-bit number in hexadecimal.
pub(super) fn number(text: &str) -> u32 {
    u32::from_str_radix(text, 16).expect("a hexadecimal number")
}
