//! The RTP fixed header (RFC 3550 §5.1): read without copying, patched in place.
//!
//! [`Header::parse`] reads a clear packet, padding included;
//! [`protected_header_len`] finds where the payload of an SRTP packet starts,
//! whose padding count is still encrypted. Writers work on the caller's buffer.
//! Which payload type means what is not known here.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Length of the fixed header, bytes.
pub const FIXED_LEN: usize = 12;

/// A synchronisation source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Ssrc(pub u32);

/// A payload type, 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct PayloadType(pub u8);

/// The header extension of a packet (RFC 3550 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionAt {
    /// `0xBEDE` or `0x100x` for RFC 8285 elements.
    pub profile: u16,
    /// Offset of its first data byte in the packet.
    pub start: usize,
    /// Length of its data, bytes, a multiple of four.
    pub len: usize,
}

/// A parsed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the payload is.
    pub payload_type: PayloadType,
    /// First packet of a talkspurt, or of a telephone event.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Media time in clock units of the payload type.
    pub timestamp: u32,
    /// Source of the stream.
    pub ssrc: Ssrc,
    /// Number of contributing sources.
    pub csrcs: u8,
    /// The header extension, if there is one.
    pub extension: Option<ExtensionAt>,
    /// Offset of the first payload byte.
    pub payload_start: usize,
    /// Offset after the last payload byte, before the padding.
    pub payload_end: usize,
}

impl Header {
    /// Reads the header of a clear packet.
    ///
    /// # Errors
    ///
    /// Says which bound the packet breaks; nothing of it may be used then.
    pub fn parse(packet: &[u8]) -> Result<Self, HeaderError> {
        let (payload_start, extension) = layout(packet)?;
        let padding = if packet[0] & 0x20 != 0 {
            // RFC 3550 §5.1: the last byte counts the padding, itself included.
            let count = usize::from(packet[packet.len() - 1]);
            if count == 0 || count > packet.len() - payload_start {
                return Err(HeaderError::Padding);
            }
            count
        } else {
            0
        };
        Ok(Self {
            payload_type: PayloadType(packet[1] & 0x7f),
            marker: packet[1] & 0x80 != 0,
            seq: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]),
            ssrc: Ssrc(u32::from_be_bytes([packet[8], packet[9], packet[10], packet[11]])),
            csrcs: packet[0] & 0x0f,
            extension,
            payload_start,
            payload_end: packet.len() - padding,
        })
    }

    /// Where the payload lies in the packet.
    pub fn payload(&self) -> Range<usize> {
        self.payload_start..self.payload_end
    }

    /// Writes a fixed header without sources and extension; returns its length.
    ///
    /// `out` has at least [`FIXED_LEN`] bytes.
    pub fn write(
        out: &mut [u8],
        payload_type: PayloadType,
        marker: bool,
        seq: u16,
        timestamp: u32,
        ssrc: Ssrc,
    ) -> usize {
        out[0] = 0x80;
        out[1] = payload_type.0 & 0x7f | if marker { 0x80 } else { 0 };
        out[2..4].copy_from_slice(&seq.to_be_bytes());
        out[4..8].copy_from_slice(&timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&ssrc.0.to_be_bytes());
        FIXED_LEN
    }
}

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Shorter than its header says.
    #[error("packet is shorter than its header")]
    Truncated,
    /// Not version 2.
    #[error("version is not 2")]
    Version,
    /// The padding count is zero or exceeds the payload.
    #[error("padding count does not fit")]
    Padding,
}

/// Length of the header with sources and extension, of a clear or an SRTP packet.
///
/// # Errors
///
/// [`HeaderError::Truncated`] or [`HeaderError::Version`].
pub fn protected_header_len(packet: &[u8]) -> Result<usize, HeaderError> {
    Ok(layout(packet)?.0)
}

fn layout(packet: &[u8]) -> Result<(usize, Option<ExtensionAt>), HeaderError> {
    if packet.len() < FIXED_LEN {
        return Err(HeaderError::Truncated);
    }
    if packet[0] >> 6 != 2 {
        return Err(HeaderError::Version);
    }
    let mut at = FIXED_LEN + 4 * usize::from(packet[0] & 0x0f);
    let mut extension = None;
    if packet[0] & 0x10 != 0 {
        let Some(head) = packet.get(at..at + 4) else { return Err(HeaderError::Truncated) };
        let len = 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        extension = Some(ExtensionAt { profile: u16::from_be_bytes([head[0], head[1]]), start: at + 4, len });
        at += 4 + len;
    }
    if at > packet.len() {
        return Err(HeaderError::Truncated);
    }
    Ok((at, extension))
}

/// True if a packet that is RTP or RTCP by RFC 7983 (first byte 128 to 191) is
/// RTCP: its type lies in 192 to 223 (RFC 5761 §4).
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() > 1 && (192..=223).contains(&packet[1])
}

/// The source of an RTP packet; `None` if it is shorter than a header.
pub fn ssrc_of(packet: &[u8]) -> Option<Ssrc> {
    let bytes = packet.get(8..12)?;
    Some(Ssrc(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])))
}

/// Replaces the payload type of a packet whose header was parsed.
pub fn set_payload_type(packet: &mut [u8], to: PayloadType) {
    packet[1] = packet[1] & 0x80 | to.0 & 0x7f;
}

/// Replaces the marker of a packet whose header was parsed.
pub fn set_marker(packet: &mut [u8], to: bool) {
    packet[1] = packet[1] & 0x7f | if to { 0x80 } else { 0 };
}

/// Replaces the sequence number of a packet whose header was parsed.
pub fn set_seq(packet: &mut [u8], to: u16) {
    packet[2..4].copy_from_slice(&to.to_be_bytes());
}

/// Replaces the timestamp of a packet whose header was parsed.
pub fn set_timestamp(packet: &mut [u8], to: u32) {
    packet[4..8].copy_from_slice(&to.to_be_bytes());
}

/// Replaces the source of a packet whose header was parsed.
pub fn set_ssrc(packet: &mut [u8], to: Ssrc) {
    packet[8..12].copy_from_slice(&to.0.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sources_extension_and_padding() {
        let mut packet = vec![0xb1, 0xe0, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 7];
        packet.extend([1, 1, 1, 1]);
        packet.extend([0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0]);
        packet.extend([5, 6, 7, 0, 2]);
        let header = Header::parse(&packet).expect("a valid packet");
        assert_eq!(
            header,
            Header {
                payload_type: PayloadType(96),
                marker: true,
                seq: 0x1234,
                timestamp: 9,
                ssrc: Ssrc(7),
                csrcs: 1,
                extension: Some(ExtensionAt { profile: 0xbede, start: 20, len: 4 }),
                payload_start: 24,
                payload_end: 27,
            }
        );
        assert_eq!(&packet[header.payload()], &[5, 6, 7]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut packet = [0u8; 16];
        Header::write(&mut packet, PayloadType(0), false, 1, 2, Ssrc(3));
        assert_eq!(Header::parse(&packet[..11]), Err(HeaderError::Truncated));
        packet[0] = 0x40;
        assert_eq!(Header::parse(&packet), Err(HeaderError::Version));
        packet[0] = 0x82;
        assert_eq!(Header::parse(&packet), Err(HeaderError::Truncated));
        packet[0] = 0x90;
        packet[12..16].copy_from_slice(&[0xbe, 0xde, 0xff, 0xff]);
        assert_eq!(Header::parse(&packet), Err(HeaderError::Truncated));
        packet[0] = 0xa0;
        for count in [0, 5, 255] {
            packet[15] = count;
            assert_eq!(Header::parse(&packet), Err(HeaderError::Padding));
        }
        packet[15] = 4;
        assert_eq!(Header::parse(&packet).map(|h| h.payload()), Ok(12..12));
    }

    #[test]
    fn patches_change_only_their_field() {
        let mut packet = [0u8; 12];
        Header::write(&mut packet, PayloadType(8), true, 1, 2, Ssrc(3));
        set_payload_type(&mut packet, PayloadType(111));
        set_seq(&mut packet, 0xfffe);
        set_timestamp(&mut packet, 0xdead_beef);
        set_ssrc(&mut packet, Ssrc(0x0102_0304));
        assert_eq!(packet, [0x80, 0xef, 0xff, 0xfe, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4]);
        set_marker(&mut packet, false);
        assert_eq!(packet[1], 111);
        assert!(!is_rtcp(&packet) && is_rtcp(&[0x80, 200]) && !is_rtcp(&[0x80]));
        assert_eq!(ssrc_of(&packet), Some(Ssrc(0x0102_0304)));
    }
}
