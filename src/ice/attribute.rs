//! STUN attributes by number, and the values that are more than bytes.
//!
//! RFC 8489 §14 (addresses are XORed with the cookie, §14.2; error codes,
//! §14.8) and RFC 8445 §16.1. Types below 0x8000 have to be understood.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::stun::{COOKIE, TransactionId};

/// MAPPED-ADDRESS.
pub const MAPPED_ADDRESS: u16 = 0x0001;
/// USERNAME.
pub const USERNAME: u16 = 0x0006;
/// MESSAGE-INTEGRITY, an HMAC-SHA1.
pub const MESSAGE_INTEGRITY: u16 = 0x0008;
/// ERROR-CODE.
pub const ERROR_CODE: u16 = 0x0009;
/// UNKNOWN-ATTRIBUTES.
pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
/// REALM.
pub const REALM: u16 = 0x0014;
/// NONCE.
pub const NONCE: u16 = 0x0015;
/// MESSAGE-INTEGRITY-SHA256.
pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
/// XOR-MAPPED-ADDRESS.
pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// PRIORITY (RFC 8445 §16.1).
pub const PRIORITY: u16 = 0x0024;
/// USE-CANDIDATE (RFC 8445 §16.1).
pub const USE_CANDIDATE: u16 = 0x0025;
/// SOFTWARE.
pub const SOFTWARE: u16 = 0x8022;
/// FINGERPRINT, the last attribute.
pub const FINGERPRINT: u16 = 0x8028;
/// ICE-CONTROLLED (RFC 8445 §16.1).
pub const ICE_CONTROLLED: u16 = 0x8029;
/// ICE-CONTROLLING (RFC 8445 §16.1).
pub const ICE_CONTROLLING: u16 = 0x802a;

/// One attribute: type, and value without its padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The type.
    pub kind: u16,
    /// The value.
    pub value: &'a [u8],
}

/// True for what an agent may meet in a check and need not reject.
///
/// The short-term mechanism of ICE has no realm and no nonce, but a peer may
/// send them; neither changes what the check means.
pub const fn is_known(kind: u16) -> bool {
    matches!(
        kind,
        MAPPED_ADDRESS
            | USERNAME
            | MESSAGE_INTEGRITY
            | ERROR_CODE
            | UNKNOWN_ATTRIBUTES
            | REALM
            | NONCE
            | MESSAGE_INTEGRITY_SHA256
            | XOR_MAPPED_ADDRESS
            | PRIORITY
            | USE_CANDIDATE
    )
}

/// True if an agent that does not know `kind` has to reject the message
/// (RFC 8489 §14).
pub const fn is_comprehension_required(kind: u16) -> bool {
    kind < 0x8000
}

/// The value of an XOR-MAPPED-ADDRESS: at most 20 bytes, and their number.
pub(super) fn write_xor_address(at: SocketAddr, id: &TransactionId) -> ([u8; 20], usize) {
    let mut out = [0; 20];
    out[2..4].copy_from_slice(&(at.port() ^ (COOKIE >> 16) as u16).to_be_bytes());
    match at.ip() {
        IpAddr::V4(ip) => {
            out[1] = 1;
            out[4..8].copy_from_slice(&(u32::from(ip) ^ COOKIE).to_be_bytes());
            (out, 8)
        }
        IpAddr::V6(ip) => {
            out[1] = 2;
            out[4..].copy_from_slice(&(u128::from(ip) ^ v6_mask(id)).to_be_bytes());
            (out, 20)
        }
    }
}

/// Reads the value of an XOR-MAPPED-ADDRESS; `None` if it is not one.
pub fn read_xor_address(value: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    let (head, ip) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2], head[3]]) ^ (COOKIE >> 16) as u16;
    let ip = match head[1] {
        1 => IpAddr::V4((u32::from_be_bytes(ip.try_into().ok()?) ^ COOKIE).into()),
        2 => IpAddr::V6(Ipv6Addr::from(u128::from_be_bytes(ip.try_into().ok()?) ^ v6_mask(id))),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn v6_mask(id: &TransactionId) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&id.0);
    u128::from_be_bytes(mask)
}

/// Reads the value of an ERROR-CODE: 300 to 699; `None` if it is not one.
pub fn read_error_code(value: &[u8]) -> Option<u16> {
    let [_, _, class, number, ..] = value else { return None };
    let (class, number) = (u16::from(class & 7), u16::from(*number));
    ((3..=6).contains(&class) && number < 100).then_some(class * 100 + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_back() {
        let id = TransactionId([0xb7, 0xe7, 0xa7, 1, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
        for at in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
            let at: SocketAddr = at.parse().expect("an address");
            let (value, len) = write_xor_address(at, &id);
            assert_eq!(read_xor_address(&value[..len], &id), Some(at));
            assert_eq!(read_xor_address(&value[..len - 1], &id), None);
        }
        let v4 = write_xor_address("192.0.2.1:32853".parse().expect("an address"), &id);
        assert_eq!(v4.0[..8], [0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
        assert_eq!(read_xor_address(&[0, 3, 0, 0, 1, 2, 3, 4], &id), None);
    }

    #[test]
    fn error_codes_are_bounded() {
        assert_eq!(read_error_code(&[0, 0, 4, 87, b'x']), Some(487));
        assert_eq!(read_error_code(&[0, 0, 4, 100]), None);
        assert_eq!(read_error_code(&[0, 0, 7, 0]), None);
        assert_eq!(read_error_code(&[0, 0, 4]), None);
    }
}
