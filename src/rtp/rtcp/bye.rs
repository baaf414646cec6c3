//! BYE, a source leaves (RFC 3550 §6.6). It does not end a call: signalling does.

use super::word;
use crate::rtp::header::Ssrc;

/// A received BYE.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Bye<'a> {
    /// `body` has `count` sources.
    pub(super) fn new(body: &'a [u8], count: usize) -> Self {
        let (sources, rest) = body.split_at(4 * count);
        Self { sources, rest }
    }

    /// Who leaves; may be nobody.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + use<'a> {
        self.sources.chunks_exact(4).map(|b| Ssrc(word(b, 0)))
    }

    /// Why, if it says so in a way that fits.
    pub fn reason(&self) -> Option<&'a [u8]> {
        let (len, text) = self.rest.split_first()?;
        text.get(..usize::from(*len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sources_and_a_reason_that_fits() {
        let bye = Bye::new(&[0, 0, 0, 1, 0, 0, 0, 2, 2, b'o', b'k', 0], 2);
        assert_eq!(bye.sources().collect::<Vec<_>>(), [Ssrc(1), Ssrc(2)]);
        assert_eq!(bye.reason(), Some(&b"ok"[..]));
        assert_eq!(Bye::new(&[9, b'o', b'k', 0], 0).reason(), None);
        assert_eq!(Bye::new(&[], 0).reason(), None);
    }
}
