//! Opus (RFC 6716) through libopus, at the rate of the other side.
//!
//! Both directions run at the sample rate asked for, 8 kHz toward G.711:
//! libopus resamples inside its own transform for less than a resampler
//! costs. The default encoder writes CELT frames only: some builds of Chromium
//! decode SILK frames to silence, and CELT costs less and adds 2.5 ms instead
//! of 6.5. A stereo packet is mixed down. A payload from the network ends in
//! samples or an error, whatever it holds.

use std::fmt;

use opus::{Application, Bitrate, Channels, ErrorCode, Signal};

use super::{CodecError, CodecKind, PACKET_MS, Result};

/// What an encoder is tuned for (RFC 6716 §2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpusApplication {
    /// CELT frames only: every peer decodes them, least delay and CPU. No
    /// in-band error correction, which only SILK has.
    #[default]
    LowDelay,
    /// The encoder chooses, in favour of music: at 8 kHz CELT from 24 kbit/s on.
    Audio,
    /// The encoder chooses, in favour of speech: at 8 kHz always SILK, with
    /// error correction if asked for.
    Voip,
}

/// How an Opus encoder works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusConfig {
    /// What it is tuned for.
    pub application: OpusApplication,
    /// Bits a second; libopus takes 500 to 512,000.
    pub bitrate: u32,
    /// CPU against quality, 0 to 10.
    pub complexity: u8,
    /// Carry a coarse copy of the previous frame (SILK only, RFC 6716 §2.1.7).
    pub inband_fec: bool,
    /// Loss that the peer is expected to see, percent; RTCP reports tell it.
    pub expected_loss: u8,
}

/// 32 kbit/s: transparent for the 4 kHz that a telephone gives, in CELT.
impl Default for OpusConfig {
    fn default() -> Self {
        Self {
            application: OpusApplication::LowDelay,
            bitrate: 32_000,
            complexity: 5,
            inband_fec: false,
            expected_loss: 0,
        }
    }
}

/// An Opus encoder, mono.
pub struct OpusEncoder {
    library: opus::Encoder,
    pcm_hz: u32,
}

impl OpusEncoder {
    /// An encoder of samples at `pcm_hz`.
    ///
    /// # Errors
    /// [`CodecError::Rate`], or [`CodecError::Library`] for a value out of
    /// range.
    pub fn new(pcm_hz: u32, config: OpusConfig) -> Result<Self> {
        check_rate(pcm_hz)?;
        let application = match config.application {
            OpusApplication::LowDelay => Application::LowDelay,
            OpusApplication::Audio => Application::Audio,
            OpusApplication::Voip => Application::Voip,
        };
        let mut library = opus::Encoder::new(pcm_hz, Channels::Mono, application).map_err(ours)?;
        let bitrate = i32::try_from(config.bitrate).unwrap_or(i32::MAX);
        library.set_bitrate(Bitrate::Bits(bitrate)).map_err(ours)?;
        library.set_complexity(config.complexity.into()).map_err(ours)?;
        library.set_inband_fec(config.inband_fec).map_err(ours)?;
        library.set_packet_loss_perc(config.expected_loss.min(100).into()).map_err(ours)?;
        if config.application == OpusApplication::Voip {
            library.set_signal(Signal::Voice).map_err(ours)?;
        }
        // Silence is sent like speech: NAT bindings and the far end's jitter
        // buffer live on a steady stream.
        library.set_dtx(false).map_err(ours)?;
        Ok(Self { library, pcm_hz })
    }

    /// Rate of the samples it takes, Hz.
    pub fn pcm_hz(&self) -> u32 {
        self.pcm_hz
    }

    /// Tells what the peer's RTCP reports of loss, percent.
    ///
    /// # Errors
    /// [`CodecError::Library`].
    pub fn set_expected_loss(&mut self, percent: u8) -> Result<()> {
        self.library.set_packet_loss_perc(percent.min(100).into()).map_err(ours)
    }

    /// Encodes 2.5, 5, 10, 20, 40 or 60 ms; gives the bytes written.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`], [`CodecError::OutputTooSmall`].
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize> {
        let tenth_ms = pcm.len() * 10_000 / self.pcm_hz as usize;
        let whole = tenth_ms * self.pcm_hz as usize == pcm.len() * 10_000;
        if !whole || !matches!(tenth_ms, 25 | 50 | 100 | 200 | 400 | 600) {
            return Err(CodecError::FrameLength(pcm.len()));
        }
        if out.is_empty() {
            return Err(CodecError::OutputTooSmall);
        }
        self.library.encode(pcm, out).map_err(ours)
    }
}

impl fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpusEncoder({} Hz)", self.pcm_hz)
    }
}

/// An Opus decoder; gives mono whatever comes.
pub struct OpusDecoder {
    library: opus::Decoder,
    pcm_hz: u32,
}

impl OpusDecoder {
    /// A decoder that gives samples at `pcm_hz`.
    ///
    /// # Errors
    /// [`CodecError::Rate`].
    pub fn new(pcm_hz: u32) -> Result<Self> {
        check_rate(pcm_hz)?;
        let library = opus::Decoder::new(pcm_hz, Channels::Mono).map_err(ours)?;
        Ok(Self { library, pcm_hz })
    }

    /// Rate of the samples it gives, Hz.
    pub fn pcm_hz(&self) -> u32 {
        self.pcm_hz
    }

    /// Samples that `payload` will give.
    ///
    /// # Errors
    /// [`CodecError::Malformed`].
    pub fn samples_of(&self, payload: &[u8]) -> Result<usize> {
        if payload.is_empty() {
            return Err(MALFORMED);
        }
        let samples = self.library.get_nb_samples(payload).map_err(|_| MALFORMED)?;
        // RFC 6716 §3.4 requirement 5: at most 120 ms.
        if samples == 0 || samples * 1000 > PACKET_MS * self.pcm_hz as usize { Err(MALFORMED) } else { Ok(samples) }
    }

    /// Decodes one packet; gives the samples written.
    ///
    /// # Errors
    /// [`CodecError::Malformed`], [`CodecError::OutputTooSmall`].
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize> {
        let samples = self.samples_of(payload)?;
        let pcm = pcm.get_mut(..samples).ok_or(CodecError::OutputTooSmall)?;
        self.library.decode(payload, pcm, false).map_err(|_| MALFORMED)
    }

    /// Fills `pcm` in place of lost packets (RFC 6716 §4.4).
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] if it is not a multiple of 2.5 ms.
    pub fn conceal(&mut self, pcm: &mut [i16]) -> Result<()> {
        let quantum = self.pcm_hz as usize / 400;
        if pcm.is_empty() || !pcm.len().is_multiple_of(quantum) {
            return Err(CodecError::FrameLength(pcm.len()));
        }
        // libopus conceals at most what one packet can hold at a time.
        for part in pcm.chunks_mut(PACKET_MS * self.pcm_hz as usize / 1000) {
            self.library.decode(&[], part, false).map_err(ours)?;
        }
        Ok(())
    }

    /// Fills `pcm` from the copy that the next packet carries of the lost one;
    /// without a copy it conceals.
    ///
    /// # Errors
    /// As [`Self::conceal`].
    pub fn recover(&mut self, next: &[u8], pcm: &mut [i16]) -> Result<()> {
        let quantum = self.pcm_hz as usize / 400;
        if pcm.is_empty() || !pcm.len().is_multiple_of(quantum) {
            return Err(CodecError::FrameLength(pcm.len()));
        }
        if self.samples_of(next).is_err() || pcm.len() * 1000 > PACKET_MS * self.pcm_hz as usize {
            return self.conceal(pcm);
        }
        match self.library.decode(next, pcm, true) {
            Ok(_) => Ok(()),
            Err(_) => self.conceal(pcm),
        }
    }
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpusDecoder({} Hz)", self.pcm_hz)
    }
}

/// How a frame was coded, told by its first byte (RFC 6716 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameMode {
    /// Linear prediction.
    Silk,
    /// Both.
    Hybrid,
    /// Transform.
    Celt,
}

/// The mode of a packet; `None` if it is empty.
pub fn frame_mode(payload: &[u8]) -> Option<FrameMode> {
    Some(match payload.first()? >> 3 {
        0..=11 => FrameMode::Silk,
        12..=15 => FrameMode::Hybrid,
        _ => FrameMode::Celt,
    })
}

fn check_rate(hz: u32) -> Result<()> {
    if matches!(hz, 8000 | 12_000 | 16_000 | 24_000 | 48_000) { Ok(()) } else { Err(CodecError::Rate(hz)) }
}

fn ours(error: opus::Error) -> CodecError {
    match error.code() {
        ErrorCode::BufferTooSmall => CodecError::OutputTooSmall,
        ErrorCode::InvalidPacket => MALFORMED,
        code => CodecError::Library(code.description()),
    }
}

const MALFORMED: CodecError = CodecError::Malformed(CodecKind::Opus);

#[cfg(test)]
mod tests {
    use super::super::tone::{Sine, share_at};
    use super::*;
    use crate::base::Rng;

    macro_rules! stream {
        ($name:literal) => {
            (
                $name,
                include_bytes!(concat!("../../tests/data/opus/", $name, ".bit")).as_slice(),
                include_bytes!(concat!("../../tests/data/opus/", $name, ".dec8k.s16le")).as_slice(),
            )
        };
    }

    const STREAMS: [(&str, &[u8], &[u8]); 12] = [
        stream!("cbr-24k-20ms"),
        stream!("celt-fb-10ms"),
        stream!("celt-fb-2.5ms"),
        stream!("celt-fb-20ms"),
        stream!("hybrid-fb-20ms"),
        stream!("silk-nb-20ms"),
        stream!("silk-wb-20ms"),
        stream!("silk-wb-40ms"),
        stream!("silk-wb-60ms"),
        stream!("silk-wb-dtx"),
        stream!("silk-wb-fec"),
        stream!("stereo-fb-20ms"),
    ];

    fn packets(mut bytes: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
            let (payload, after) = rest[4..].split_at(u32::from_be_bytes(*len) as usize);
            found.push(payload);
            bytes = after;
        }
        found
    }

    fn samples(bytes: &[u8]) -> Vec<i16> {
        bytes.as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect()
    }

    /// Signal against difference, dB.
    fn snr(expected: &[i16], heard: &[i16]) -> f64 {
        let power = |it: &mut dyn Iterator<Item = f64>| it.map(|x| x * x).sum::<f64>();
        let signal = power(&mut expected.iter().map(|s| f64::from(*s)));
        let noise = power(&mut expected.iter().zip(heard).map(|(a, b)| f64::from(*a) - f64::from(*b)));
        10.0 * (signal / noise.max(1e-9)).log10()
    }

    #[test]
    fn decodes_every_kind_of_stream_like_the_reference() {
        let mut modes = Vec::new();
        for (name, stream, expected) in STREAMS {
            let mut decoder = OpusDecoder::new(8000).expect("8 kHz");
            let (mut heard, mut pcm) = (Vec::new(), [0; 960]);
            for packet in packets(stream) {
                let len = if packet.is_empty() {
                    decoder.conceal(&mut pcm[..160]).expect("20 ms");
                    160
                } else {
                    modes.extend(frame_mode(packet));
                    decoder.decode(packet, &mut pcm).expect("a good packet")
                };
                heard.extend_from_slice(&pcm[..len]);
            }
            let expected = samples(expected);
            assert_eq!(heard.len(), expected.len(), "{name}");
            let snr = snr(&expected, &heard);
            assert!(snr > 30.0, "{name}: {snr:.1} dB");
        }
        assert!([FrameMode::Silk, FrameMode::Hybrid, FrameMode::Celt].iter().all(|m| modes.contains(m)));
    }

    #[test]
    fn error_correction_beats_concealment() {
        let Some((_, stream, expected)) = STREAMS.iter().find(|s| s.0 == "silk-wb-fec") else { panic!("in the list") };
        let (packets, expected) = (packets(stream), samples(expected));
        let hear = |correct: bool| {
            let mut decoder = OpusDecoder::new(8000).expect("8 kHz");
            let (mut heard, mut pcm) = (Vec::new(), [0; 160]);
            for (i, packet) in packets.iter().enumerate() {
                match packets.get(i + 1) {
                    Some(next) if i % 5 == 4 && correct => decoder.recover(next, &mut pcm).expect("20 ms"),
                    Some(_) if i % 5 == 4 => decoder.conceal(&mut pcm).expect("20 ms"),
                    Some(_) | None => assert_eq!(decoder.decode(packet, &mut pcm), Ok(160)),
                }
                heard.extend_from_slice(&pcm);
            }
            snr(&expected, &heard)
        };
        let (corrected, concealed) = (hear(true), hear(false));
        assert!(corrected > concealed + 1.0, "{corrected:.1} dB against {concealed:.1} dB");
    }

    fn modes_of(pcm_hz: u32, config: OpusConfig) -> Vec<FrameMode> {
        let mut encoder = OpusEncoder::new(pcm_hz, config).expect("a valid configuration");
        let (mut rng, mut sine) = (Rng::from_number(1), Sine::new(pcm_hz, 180.0, 9000));
        let (mut pcm, mut payload) = (vec![0; pcm_hz as usize / 50], [0; 1500]);
        let mut modes = Vec::new();
        for i in 0..50 {
            sine.fill(&mut pcm);
            // Voice, breath and silence in turn.
            match i / 10 % 3 {
                0 => {}
                1 => pcm.iter_mut().for_each(|s| *s = s.wrapping_shr(3).wrapping_add(rng.below(4000) as i16 - 2000)),
                _ => pcm.fill(0),
            }
            let len = encoder.encode(&pcm, &mut payload).expect("20 ms");
            modes.extend(frame_mode(&payload[..len]));
        }
        modes
    }

    #[test]
    fn the_default_writes_celt_frames_only() {
        for pcm_hz in [8000, 16_000, 48_000] {
            for bitrate in [6_000, 12_000, 24_000, 32_000, 64_000] {
                for (inband_fec, expected_loss) in [(false, 0), (true, 20)] {
                    let config = OpusConfig { bitrate, inband_fec, expected_loss, ..OpusConfig::default() };
                    let modes = modes_of(pcm_hz, config);
                    assert!(modes.iter().all(|m| *m == FrameMode::Celt), "{pcm_hz} Hz, {bitrate} bit/s: {modes:?}");
                }
            }
        }
    }

    #[test]
    fn voip_writes_silk_at_telephone_rates_and_audio_celt_from_24_kbit_on() {
        let all = |application, bitrate, mode| {
            let modes = modes_of(8000, OpusConfig { application, bitrate, ..OpusConfig::default() });
            assert!(modes.iter().all(|m| *m == mode), "{application:?} at {bitrate} bit/s: {modes:?}");
        };
        for bitrate in [12_000, 24_000, 32_000, 48_000] {
            all(OpusApplication::Voip, bitrate, FrameMode::Silk);
        }
        all(OpusApplication::Audio, 12_000, FrameMode::Silk);
        for bitrate in [24_000, 28_000, 32_000, 48_000] {
            all(OpusApplication::Audio, bitrate, FrameMode::Celt);
        }
    }

    #[test]
    fn refuses_odd_frames_and_rubbish_without_harm() {
        let mut encoder = OpusEncoder::new(8000, OpusConfig::default()).expect("8 kHz");
        for len in [0, 1, 19, 161, 800, 9600] {
            assert_eq!(encoder.encode(&vec![0; len], &mut [0; 1500]), Err(CodecError::FrameLength(len)));
        }
        assert_eq!(encoder.encode(&[0; 160], &mut []), Err(CodecError::OutputTooSmall));
        let (mut decoder, mut rng, mut pcm) = (OpusDecoder::new(8000).expect("8 kHz"), Rng::from_number(2), [0; 960]);
        for _ in 0..3000 {
            let mut packet = [0; 60];
            rng.fill(&mut packet);
            let packet = &packet[..rng.below(61) as usize];
            match decoder.decode(packet, &mut pcm) {
                Ok(samples) => assert_eq!(decoder.samples_of(packet), Ok(samples)),
                Err(error) => assert_eq!(error, MALFORMED),
            }
            decoder.recover(packet, &mut pcm[..160]).expect("20 ms of anything");
        }
        assert_eq!(decoder.conceal(&mut pcm[..161]), Err(CodecError::FrameLength(161)));
        decoder.conceal(&mut [0; 4000]).expect("half a second");
        assert_eq!(decoder.decode(&[0x80; 3], &mut pcm[..1]), Err(CodecError::OutputTooSmall));
    }

    #[test]
    fn a_stereo_tone_is_heard_in_mono() {
        let mut encoder =
            opus::Encoder::new(48_000, Channels::Stereo, Application::Audio).expect("the library's own encoder");
        let (mut decoder, mut sine) = (OpusDecoder::new(8000).expect("8 kHz"), Sine::new(48_000, 440.0, 8000));
        let mut heard = Vec::new();
        for _ in 0..30 {
            let (mut mono, mut payload, mut pcm) = ([0; 960], [0; 1500], [0; 160]);
            sine.fill(&mut mono);
            let both: Vec<i16> = mono.iter().flat_map(|s| [*s, *s]).collect();
            let len = encoder.encode(&both, &mut payload).expect("20 ms");
            assert_eq!(decoder.decode(&payload[..len], &mut pcm), Ok(160));
            heard.extend_from_slice(&pcm);
        }
        assert!(share_at(&heard[800..], 8000, 440.0) > 0.99);
    }
}
