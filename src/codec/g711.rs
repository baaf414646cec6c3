//! G.711: µ-law and A-law by table.
//!
//! The tables are computed while compiling, from the formula of ITU-T G.711
//! (as the ITU's own software tools library writes it: negative samples by
//! their one's complement). µ-law looks at the upper 14 bits of a sample,
//! A-law at the upper 12, which is what their tables are indexed by.

use super::{CodecError, CodecKind, Result};

/// Samples a second.
pub const RATE_HZ: u32 = 8000;

/// One of the two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law: PCMU, payload type 0.
    Mu,
    /// A-law: PCMA, payload type 8.
    A,
}

impl Law {
    /// The codec of this law.
    pub const fn kind(self) -> CodecKind {
        match self {
            Self::Mu => CodecKind::Pcmu,
            Self::A => CodecKind::Pcma,
        }
    }

    /// One byte a sample.
    ///
    /// # Errors
    /// [`CodecError::OutputTooSmall`].
    pub fn encode(self, pcm: &[i16], out: &mut [u8]) -> Result<usize> {
        let out = out.get_mut(..pcm.len()).ok_or(CodecError::OutputTooSmall)?;
        match self {
            Self::Mu => out.iter_mut().zip(pcm).for_each(|(o, &s)| *o = ULAW_OF[(s as u16 >> 2) as usize]),
            Self::A => out.iter_mut().zip(pcm).for_each(|(o, &s)| *o = ALAW_OF[(s as u16 >> 4) as usize]),
        }
        Ok(pcm.len())
    }

    /// One sample a byte; every byte means something.
    ///
    /// # Errors
    /// [`CodecError::OutputTooSmall`].
    pub fn decode(self, payload: &[u8], pcm: &mut [i16]) -> Result<usize> {
        let pcm = pcm.get_mut(..payload.len()).ok_or(CodecError::OutputTooSmall)?;
        let table = match self {
            Self::Mu => &OF_ULAW,
            Self::A => &OF_ALAW,
        };
        pcm.iter_mut().zip(payload).for_each(|(s, &b)| *s = table[b as usize]);
        Ok(payload.len())
    }

    /// The byte of a silent sample.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => ULAW_OF[0],
            Self::A => ALAW_OF[0],
        }
    }
}

static ULAW_OF: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut i = 0;
    while i < table.len() {
        table[i] = ulaw_of(((i << 2) as u16) as i16);
        i += 1;
    }
    table
};

static ALAW_OF: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut i = 0;
    while i < table.len() {
        table[i] = alaw_of(((i << 4) as u16) as i16);
        i += 1;
    }
    table
};

static OF_ULAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = of_ulaw(i as u8);
        i += 1;
    }
    table
};

static OF_ALAW: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = of_alaw(i as u8);
        i += 1;
    }
    table
};

/// Segments begin at powers of two of the biased magnitude; all bits of the
/// byte are inverted.
const fn ulaw_of(sample: i16) -> u8 {
    let folded = if sample < 0 { !sample } else { sample };
    let biased = (folded >> 2) as u16 + 33;
    let magnitude = if biased > 0x1fff { 0x1fff } else { biased };
    // 33 is 2^5 and 1: the lowest segment has its leading bit at 5.
    let segment = magnitude.ilog2() - 5;
    let step = (magnitude >> (segment + 1)) & 0x0f;
    let byte = ((7 - segment as u16) << 4) | (0x0f - step);
    byte as u8 | if sample < 0 { 0 } else { 0x80 }
}

/// The lowest two segments have the same step; even bits are inverted.
const fn alaw_of(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample } >> 4) as u16;
    let byte = if magnitude < 16 {
        magnitude
    } else {
        let segment = magnitude.ilog2() - 3;
        (segment as u16) << 4 | (magnitude >> (segment - 1)) & 0x0f
    };
    (byte as u8 | if sample < 0 { 0 } else { 0x80 }) ^ 0x55
}

const fn of_ulaw(byte: u8) -> i16 {
    let inverted = !byte;
    let (segment, step) = ((inverted >> 4) & 7, (inverted & 0x0f) as i16);
    // The middle of the step, 14 bits raised to 16, without the bias.
    let magnitude = (((step << 1) + 33) << segment) - 33;
    if byte & 0x80 == 0 { -(magnitude << 2) } else { magnitude << 2 }
}

const fn of_alaw(byte: u8) -> i16 {
    let plain = byte ^ 0x55;
    let (segment, step) = ((plain >> 4) & 7, (plain & 0x0f) as i16);
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    if plain & 0x80 == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    fn sha256(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
    }

    /// All samples from -32768 to 32767, encoded, and decoded again as 16-bit
    /// little-endian words.
    fn sweep(law: Law) -> (String, String) {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let (mut bytes, mut back) = (vec![0; 65_536], vec![0; 65_536]);
        assert_eq!(law.encode(&samples, &mut bytes), Ok(65_536));
        assert_eq!(law.decode(&bytes, &mut back), Ok(65_536));
        let words: Vec<u8> = back.iter().flat_map(|s| s.to_le_bytes()).collect();
        (sha256(&bytes), sha256(&words))
    }

    /// The hashes are of the sweep files of the ITU-T Software Tools Library.
    #[test]
    fn every_sample_is_coded_as_the_itu_codes_it() {
        assert_eq!(
            sweep(Law::A),
            (
                "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b".into(),
                "faf8570479a0e7d0e1da55d48c42e76961d0e5c285c35d42e9f6dafbafae8a35".into()
            )
        );
        assert_eq!(
            sweep(Law::Mu),
            (
                "90c29de505fb68e766118303bd552a16005dcf810873698bee1d8f3b247ce28c".into(),
                "cf9f90195534a105f211b1fb5c511ab45ee76827ac0987d6cc804afb897ef0f6".into()
            )
        );
    }

    #[test]
    fn knows_silence_and_full_scale() {
        assert_eq!((Law::Mu.silence(), Law::A.silence()), (0xff, 0xd5));
        let mut pcm = [0; 2];
        assert_eq!(Law::Mu.decode(&[0x80, 0x00], &mut pcm), Ok(2));
        assert_eq!(pcm, [32_124, -32_124]);
        assert_eq!(Law::A.decode(&[0xaa, 0x2a], &mut pcm), Ok(2));
        assert_eq!(pcm, [32_256, -32_256]);
    }

    #[test]
    fn a_small_buffer_is_an_error() {
        assert_eq!(Law::A.encode(&[0; 3], &mut [0; 2]), Err(CodecError::OutputTooSmall));
        assert_eq!(Law::A.decode(&[0; 3], &mut [0; 2]), Err(CodecError::OutputTooSmall));
    }
}
