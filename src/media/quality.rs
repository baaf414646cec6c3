//! How a call sounds, from loss and jitter alone (ITU-T G.107, G.113).
//!
//! The E-model's transmission rating with the values that a border can
//! measure: loss with its burstiness, the jitter buffer that such jitter
//! needs, and the codec's own impairment. Echo, noise and the delay beyond us
//! are unknown and count as ideal, so this is the best the peer's listener can
//! have got; the record names the method.

use crate::base::Codec;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The codec of the stream.
    pub codec: Codec,
    /// Lost packets, share from 0 to 1.
    pub loss: f64,
    /// Mean burst length over that of random loss, at least 1 (G.107 §7.3 BurstR).
    pub burst_ratio: f64,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: f64,
    /// Half the round trip where RTCP gave one, milliseconds.
    pub delay_ms: Option<f64>,
}

/// Equipment impairment and loss robustness of a codec (G.113 Appendix I).
/// Opus is not in the table; as a wideband codec at 32 kbit/s it has no
/// impairment on the narrowband scale, and its concealment is at least G.711's.
const fn impairment(codec: Codec) -> (f64, f64) {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::Opus => (0.0, 25.1),
        Codec::G722 => (13.0, 13.0),
    }
}

/// The rating R, 0 to 93.2 (G.107 §7.1 with its default values).
pub fn rating(m: &Measured) -> f64 {
    let (ie, bpl) = impairment(m.codec);
    let ppl = (m.loss * 100.0).clamp(0.0, 100.0);
    let burst = m.burst_ratio.max(1.0);
    let ie_eff = ie + (95.0 - ie) * ppl / (ppl / burst + bpl);
    // A receiver buffers about twice the jitter; packetisation takes a frame.
    let delay = m.delay_ms.unwrap_or(0.0) + 2.0 * m.jitter_ms + 20.0;
    let late = (delay - 177.3).max(0.0);
    let id = 0.024 * delay + 0.11 * late;
    (93.2 - id - ie_eff).clamp(0.0, 93.2)
}

/// Mean opinion score of a rating (G.107 Annex B), 1 to 4.5.
pub fn mos(r: f64) -> f64 {
    match r {
        r if r <= 0.0 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(loss: f64, jitter_ms: f64) -> f64 {
        mos(rating(&Measured { codec: Codec::Pcma, loss, burst_ratio: 1.0, jitter_ms, delay_ms: None }))
    }

    #[test]
    fn a_clean_call_is_toll_quality() {
        assert!((4.35..4.45).contains(&score(0.0, 0.0)), "{}", score(0.0, 0.0));
    }

    #[test]
    fn loss_and_jitter_cost_and_never_leave_the_scale() {
        assert!(score(0.01, 0.0) < score(0.0, 0.0) && score(0.05, 0.0) < score(0.01, 0.0));
        assert!(score(0.0, 100.0) < score(0.0, 10.0));
        // G.107 with Bpl 25.1 at 5 % random loss: Ie-eff 15.8, R about 77, MOS 3.9.
        assert!((3.8..4.0).contains(&score(0.05, 0.0)), "{}", score(0.05, 0.0));
        assert!(score(1.0, 1e9) >= 1.0);
    }
}
