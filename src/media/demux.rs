//! What a datagram is, by its first bytes (RFC 7983 §7, RFC 5761 §4).

/// The protocols that share a media port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191, and not RTCP.
    Rtp,
    /// As RTP, second byte 192 to 223.
    Rtcp,
    /// None of them: ZRTP, TURN channels, rubbish.
    Unknown,
}

/// Tells the protocol of a datagram.
pub fn kind_of(bytes: &[u8]) -> Kind {
    match (bytes.first(), bytes.get(1)) {
        (Some(0..=3), _) => Kind::Stun,
        (Some(20..=63), _) => Kind::Dtls,
        (Some(128..=191), Some(192..=223)) => Kind::Rtcp,
        (Some(128..=191), Some(_)) => Kind::Rtp,
        _ => Kind::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_byte_has_its_place() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => Kind::Stun,
                20..=63 => Kind::Dtls,
                128..=191 => Kind::Rtp,
                _ => Kind::Unknown,
            };
            assert_eq!(kind_of(&[first, 96, 0]), expected, "{first}");
        }
        assert_eq!(kind_of(&[0x80, 200]), Kind::Rtcp);
        assert_eq!(kind_of(&[0x80]), Kind::Unknown);
        assert_eq!(kind_of(&[]), Kind::Unknown);
    }
}
