//! SDES, the source description (RFC 3550 §6.5).
//!
//! Reading stops at the first chunk or item that does not fit; what was read
//! before it holds.

use super::word;
use crate::rtp::header::Ssrc;

/// The item type of a canonical name.
pub const CNAME: u8 = 1;

/// One item of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Whom it describes.
    pub ssrc: Ssrc,
    /// What it is; 1 is CNAME.
    pub kind: u8,
    /// Its text, said to be UTF-8.
    pub text: &'a [u8],
}

/// A received SDES.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    body: &'a [u8],
    chunks: usize,
}

impl<'a> Sdes<'a> {
    pub(super) fn new(body: &'a [u8], chunks: usize) -> Self {
        Self { body, chunks }
    }

    /// Every item that can be read.
    pub fn items(&self) -> impl Iterator<Item = Item<'a>> + use<'a> {
        let (body, mut at, mut left) = (self.body, 0, self.chunks);
        let mut ssrc = None;
        std::iter::from_fn(move || {
            loop {
                let Some(of) = ssrc else {
                    left = left.checked_sub(1)?;
                    if body.len() < at + 4 {
                        return None;
                    }
                    ssrc = Some(Ssrc(word(body, at)));
                    at += 4;
                    continue;
                };
                let kind = *body.get(at)?;
                if kind == 0 {
                    // The chunk ends at the next word boundary.
                    at = (at + 1).next_multiple_of(4);
                    ssrc = None;
                    continue;
                }
                let len = usize::from(*body.get(at + 1)?);
                let text = body.get(at + 2..at + 2 + len)?;
                at += 2 + len;
                return Some(Item { ssrc: of, kind, text });
            }
        })
    }

    /// The first canonical name, with its source.
    pub fn cname(&self) -> Option<(Ssrc, &'a [u8])> {
        self.items().find(|i| i.kind == CNAME).map(|i| (i.ssrc, i.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_chunks_at_word_boundaries() {
        let body = [
            0, 0, 0, 1, 1, 3, b'a', b'b', b'c', 2, 1, b'x', 0, 0, 0, 0, // Two items, four bytes of end.
            0, 0, 0, 2, 1, 2, b'd', b'e', 0, 0, 0, 0,
        ];
        let sdes = Sdes::new(&body, 2);
        let item = |ssrc, kind, text| Item { ssrc: Ssrc(ssrc), kind, text };
        assert_eq!(sdes.items().collect::<Vec<_>>(), [item(1, 1, b"abc"), item(1, 2, b"x"), item(2, 1, b"de")]);
        assert_eq!(sdes.cname(), Some((Ssrc(1), &b"abc"[..])));
    }

    #[test]
    fn stops_at_what_does_not_fit() {
        for (body, expected) in [
            (&[0, 0, 0, 1, 1, 200, b'a', b'b'][..], 0),
            (&[0, 0, 0, 1, 1, 1, b'a', 2][..], 1),
            (&[0, 0, 0, 1, 1, 2, b'a', b'b'][..], 1),
            (&[0, 0, 0][..], 0),
            (&[][..], 0),
        ] {
            assert_eq!(Sdes::new(body, 31).items().count(), expected, "{body:?}");
        }
    }
}
