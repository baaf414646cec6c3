//! Codecs: PCM in, payload out, and back.
//!
//! G.711 (both laws) and Opus behind one face, [`Encoder`] and [`Decoder`];
//! loss concealment, comfort noise (RFC 3389), resampling and tones beside
//! them. Samples are mono, 16 bits, at the rate that the codec was made for;
//! toward G.711 everything runs at 8 kHz, Opus too, so that nothing is
//! resampled. No function allocates per frame: buffers are the caller's. RTP
//! headers, timestamps and jitter are not known here.

pub mod comfort_noise;
pub mod conceal;
pub mod g711;
pub mod opus;
pub mod resample;
pub mod tone;

use thiserror::Error;

pub use crate::base::Codec as CodecKind;

use conceal::Concealer;
use g711::Law;
use opus::{OpusConfig, OpusDecoder, OpusEncoder};

/// What a codec could not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The peer's payload is not one of this codec.
    #[error("malformed {} payload", .0.rtpmap_name())]
    Malformed(CodecKind),
    /// Our buffer is too small for the result.
    #[error("output buffer too small")]
    OutputTooSmall,
    /// The codec has no frame of this many samples.
    #[error("no frame of {0} samples")]
    FrameLength(usize),
    /// The codec does not run at this rate.
    #[error("no sample rate of {0} Hz")]
    Rate(u32),
    /// The codec is named in SDP and relayed, but not spoken here.
    #[error("{} cannot be transcoded", .0.rtpmap_name())]
    NotSpoken(CodecKind),
    /// The library refused for a reason of its own.
    #[error("codec library: {0}")]
    Library(&'static str),
}

/// What a room of codecs returns.
pub type Result<T> = std::result::Result<T, CodecError>;

/// How an encoder is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderConfig {
    /// Rate of the samples given to it, Hz: 8000 for G.711; 8000, 12000,
    /// 16000, 24000 or 48000 for Opus.
    pub pcm_hz: u32,
    /// What concerns Opus.
    pub opus: OpusConfig,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { pcm_hz: 8000, opus: OpusConfig::default() }
    }
}

/// Turns frames of samples into payloads.
#[derive(Debug)]
pub enum Encoder {
    /// G.711.
    G711(Law),
    /// Opus.
    Opus(OpusEncoder),
}

impl Encoder {
    /// An encoder of `kind`.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for a rate that the codec has not,
    /// [`CodecError::NotSpoken`] for G.722.
    pub fn new(kind: CodecKind, config: EncoderConfig) -> Result<Self> {
        match kind {
            CodecKind::Pcmu if config.pcm_hz == g711::RATE_HZ => Ok(Self::G711(Law::Mu)),
            CodecKind::Pcma if config.pcm_hz == g711::RATE_HZ => Ok(Self::G711(Law::A)),
            CodecKind::Pcmu | CodecKind::Pcma => Err(CodecError::Rate(config.pcm_hz)),
            CodecKind::Opus => OpusEncoder::new(config.pcm_hz, config.opus).map(Self::Opus),
            CodecKind::G722 => Err(CodecError::NotSpoken(kind)),
        }
    }

    /// Which codec this is.
    pub fn kind(&self) -> CodecKind {
        match self {
            Self::G711(law) => law.kind(),
            Self::Opus(_) => CodecKind::Opus,
        }
    }

    /// Rate of the samples it takes, Hz.
    pub fn pcm_hz(&self) -> u32 {
        match self {
            Self::G711(_) => g711::RATE_HZ,
            Self::Opus(opus) => opus.pcm_hz(),
        }
    }

    /// Encodes one packet; gives the bytes written to `out`.
    ///
    /// G.711 takes any number of samples, Opus 2.5, 5, 10, 20, 40 or 60 ms.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`], [`CodecError::OutputTooSmall`].
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize> {
        match self {
            Self::G711(law) => law.encode(pcm, out),
            Self::Opus(opus) => opus.encode(pcm, out),
        }
    }
}

/// Turns payloads into samples, and losses into something that sounds like
/// what came before.
#[derive(Debug)]
pub enum Decoder {
    /// G.711, with the memory of its concealment.
    G711(Law, Box<Concealer>),
    /// Opus.
    Opus(OpusDecoder),
}

impl Decoder {
    /// A decoder of `kind` that gives samples at `pcm_hz`.
    ///
    /// # Errors
    /// [`CodecError::Rate`] for a rate that the codec has not,
    /// [`CodecError::NotSpoken`] for G.722.
    pub fn new(kind: CodecKind, pcm_hz: u32) -> Result<Self> {
        match kind {
            CodecKind::Pcmu if pcm_hz == g711::RATE_HZ => Ok(Self::G711(Law::Mu, Box::default())),
            CodecKind::Pcma if pcm_hz == g711::RATE_HZ => Ok(Self::G711(Law::A, Box::default())),
            CodecKind::Pcmu | CodecKind::Pcma => Err(CodecError::Rate(pcm_hz)),
            CodecKind::Opus => OpusDecoder::new(pcm_hz).map(Self::Opus),
            CodecKind::G722 => Err(CodecError::NotSpoken(kind)),
        }
    }

    /// Which codec this is.
    pub fn kind(&self) -> CodecKind {
        match self {
            Self::G711(law, _) => law.kind(),
            Self::Opus(_) => CodecKind::Opus,
        }
    }

    /// Rate of the samples it gives, Hz.
    pub fn pcm_hz(&self) -> u32 {
        match self {
            Self::G711(..) => g711::RATE_HZ,
            Self::Opus(opus) => opus.pcm_hz(),
        }
    }

    /// Samples that `payload` will give, without decoding it.
    ///
    /// # Errors
    /// [`CodecError::Malformed`].
    pub fn samples_of(&self, payload: &[u8]) -> Result<usize> {
        match self {
            Self::G711(law, _) if payload.is_empty() => Err(CodecError::Malformed(law.kind())),
            Self::G711(..) => Ok(payload.len()),
            Self::Opus(opus) => opus.samples_of(payload),
        }
    }

    /// Decodes one packet; gives the samples written to `pcm`. After a loss the
    /// first milliseconds lead over from what concealed it.
    ///
    /// # Errors
    /// [`CodecError::Malformed`], [`CodecError::OutputTooSmall`].
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize> {
        match self {
            Self::G711(law, concealer) => {
                if payload.is_empty() {
                    return Err(CodecError::Malformed(law.kind()));
                }
                let samples = law.decode(payload, pcm)?;
                concealer.received(&mut pcm[..samples]);
                Ok(samples)
            }
            Self::Opus(opus) => opus.decode(payload, pcm),
        }
    }

    /// Fills `pcm` with `samples` in place of a packet that was lost.
    ///
    /// # Errors
    /// [`CodecError::OutputTooSmall`]; [`CodecError::FrameLength`] from Opus if
    /// `samples` is not a multiple of 2.5 ms.
    pub fn conceal(&mut self, samples: usize, pcm: &mut [i16]) -> Result<()> {
        let pcm = pcm.get_mut(..samples).ok_or(CodecError::OutputTooSmall)?;
        match self {
            Self::G711(_, concealer) => {
                concealer.lost(pcm);
                Ok(())
            }
            Self::Opus(opus) => opus.conceal(pcm),
        }
    }

    /// Fills `pcm` in place of a lost packet, when the one after it is at hand:
    /// Opus may carry a second copy in it (RFC 6716 §2.1.7). Falls back on
    /// [`Self::conceal`].
    ///
    /// # Errors
    /// As [`Self::conceal`].
    pub fn recover(&mut self, next: &[u8], samples: usize, pcm: &mut [i16]) -> Result<()> {
        match self {
            Self::G711(..) => self.conceal(samples, pcm),
            Self::Opus(opus) => opus.recover(next, pcm.get_mut(..samples).ok_or(CodecError::OutputTooSmall)?),
        }
    }
}

/// Longest payload of one packet, bytes: 120 ms of Opus at its highest rate
/// stays below, as does every MTU (RFC 6716 §3.4: 1275 a frame).
pub const PAYLOAD_BYTES: usize = 1500;

/// Longest packet in time, ms (RFC 6716 §3.4 requirement 5).
pub const PACKET_MS: usize = 120;

#[cfg(test)]
mod tests {
    use super::tone::{Sine, share_at};
    use super::*;

    #[test]
    fn every_codec_carries_a_tone_both_ways() {
        for kind in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::Opus] {
            let mut encoder = Encoder::new(kind, EncoderConfig::default()).expect("8 kHz");
            let mut decoder = Decoder::new(kind, 8000).expect("8 kHz");
            assert_eq!((encoder.kind(), decoder.kind(), encoder.pcm_hz(), decoder.pcm_hz()), (kind, kind, 8000, 8000));
            let (mut sine, mut heard) = (Sine::new(8000, 1000.0, 10_000), Vec::new());
            for _ in 0..25 {
                let (mut pcm, mut payload) = ([0; 160], [0; PAYLOAD_BYTES]);
                sine.fill(&mut pcm);
                let len = encoder.encode(&pcm, &mut payload).expect("20 ms");
                assert_eq!(decoder.samples_of(&payload[..len]), Ok(160));
                assert_eq!(decoder.decode(&payload[..len], &mut pcm), Ok(160));
                heard.extend_from_slice(&pcm);
            }
            let share = share_at(&heard[800..], 8000, 1000.0);
            assert!(share > 0.97, "{kind:?}: {share}");
        }
    }

    #[test]
    fn refuses_rates_and_buffers_that_do_not_fit() {
        let config = EncoderConfig { pcm_hz: 16_000, ..EncoderConfig::default() };
        assert_eq!(Encoder::new(CodecKind::Pcma, config).err(), Some(CodecError::Rate(16_000)));
        assert_eq!(Decoder::new(CodecKind::Pcmu, 48_000).err(), Some(CodecError::Rate(48_000)));
        assert_eq!(Decoder::new(CodecKind::G722, 16_000).err(), Some(CodecError::NotSpoken(CodecKind::G722)));
        assert_eq!(Decoder::new(CodecKind::Opus, 44_100).err(), Some(CodecError::Rate(44_100)));
        for kind in [CodecKind::Pcmu, CodecKind::Opus] {
            let mut decoder = Decoder::new(kind, 8000).expect("8 kHz");
            let mut pcm = [0; 160];
            assert_eq!(decoder.decode(&[], &mut pcm), Err(CodecError::Malformed(kind)));
            assert_eq!(decoder.conceal(320, &mut pcm), Err(CodecError::OutputTooSmall));
            assert_eq!(decoder.recover(&[], 320, &mut pcm), Err(CodecError::OutputTooSmall));
        }
    }
}
