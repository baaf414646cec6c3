//! Header extension elements (RFC 8285), and removing the extension.
//!
//! A WebRTC leg negotiates elements (audio level, transport sequence numbers)
//! that a SIP leg has not: [`strip`] takes them off in place. Which id means
//! what is signalled and not known here.

use super::header::{FIXED_LEN, Header};

/// One-byte elements (RFC 8285 §4.2).
pub const ONE_BYTE: u16 = 0xbede;

/// The elements of a packet, as (id, value).
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
    two_byte: bool,
}

impl<'a> Elements<'a> {
    /// The elements of `packet`, whose header is `header`; none if it has no
    /// extension or one that is not of RFC 8285.
    pub fn new(packet: &'a [u8], header: &Header) -> Self {
        let rest = header
            .extension
            // RFC 8285 §4.3: 0x100 in the upper 12 bits, the rest is the application's.
            .filter(|e| e.profile == ONE_BYTE || e.profile >> 4 == 0x100)
            .and_then(|e| packet.get(e.start..e.start + e.len))
            .unwrap_or_default();
        Self { rest, two_byte: header.extension.is_some_and(|e| e.profile != ONE_BYTE) }
    }

    /// The value of the element `id`.
    pub fn find(mut self, id: u8) -> Option<&'a [u8]> {
        self.find_map(|(found, value)| (found == id).then_some(value))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                self.rest = rest; // Padding.
                continue;
            }
            let (id, len, rest) = if self.two_byte {
                let (&len, rest) = rest.split_first()?;
                (first, usize::from(len), rest)
            } else if first >> 4 == 15 {
                // RFC 8285 §4.2: id 15 ends the list.
                self.rest = &[];
                return None;
            } else {
                (first >> 4, usize::from(first & 0x0f) + 1, rest)
            };
            let Some((value, rest)) = rest.split_at_checked(len) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            return Some((id, value));
        }
    }
}

/// The voice flag and level of an audio-level element (RFC 6464): 0 is full
/// scale and 127 is silence, in -dBov.
pub fn audio_level(value: &[u8]) -> Option<(bool, u8)> {
    value.first().map(|b| (b & 0x80 != 0, b & 0x7f))
}

/// Removes the extension of a packet by moving its header forward; returns
/// where the packet starts from then on.
pub fn strip(packet: &mut [u8], header: &Header) -> usize {
    let Some(extension) = header.extension else { return 0 };
    let fixed = FIXED_LEN + 4 * usize::from(header.csrcs);
    let removed = 4 + extension.len;
    packet.copy_within(..fixed, removed);
    packet[removed] &= !0x10;
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(profile: [u8; 2], data: &[u8]) -> Vec<u8> {
        let mut p = vec![0x91, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9];
        p.extend(profile);
        p.extend(((data.len() / 4) as u16).to_be_bytes());
        p.extend(data);
        p.extend([7, 7, 7]);
        p
    }

    fn elements(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let header = Header::parse(bytes).expect("a valid packet");
        Elements::new(bytes, &header).map(|(id, v)| (id, v.to_vec())).collect()
    }

    #[test]
    fn reads_one_byte_and_two_byte_elements() {
        let one = packet([0xbe, 0xde], &[0x10, 0x85, 0, 0x21, 1, 2, 0, 0]);
        assert_eq!(elements(&one), [(1, vec![0x85]), (2, vec![1, 2])]);
        let header = Header::parse(&one).expect("a valid packet");
        assert_eq!(Elements::new(&one, &header).find(1).and_then(audio_level), Some((true, 5)));
        let two = packet([0x10, 0x05], &[1, 0, 200, 3, 1, 2, 3, 0]);
        assert_eq!(elements(&two), [(1, vec![]), (200, vec![1, 2, 3])]);
        assert_eq!(elements(&packet([0xab, 0xcd], &[0x10, 1, 0, 0])), []);
    }

    #[test]
    fn stops_at_what_does_not_fit() {
        assert_eq!(elements(&packet([0xbe, 0xde], &[0x10, 1, 0x2f, 1])), [(1, vec![1])]);
        assert_eq!(elements(&packet([0xbe, 0xde], &[0xf0, 1, 0x10, 1])), []);
        assert_eq!(elements(&packet([0x10, 0], &[1, 9, 1, 1])), []);
    }

    #[test]
    fn stripping_keeps_header_sources_and_payload() {
        let mut bytes = packet([0xbe, 0xde], &[0x10, 0x85, 0, 0]);
        let header = Header::parse(&bytes).expect("a valid packet");
        let start = strip(&mut bytes, &header);
        assert_eq!(bytes[start..], [0x81, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 9, 9, 9, 9, 7, 7, 7]);
        let header = Header::parse(&bytes[start..]).expect("a valid packet");
        assert_eq!(strip(&mut bytes[start..], &header), 0);
    }
}
