//! The two cryptographic contexts of an association (RFC 3711 §3.2), as values.
//!
//! One context holds a direction: the session keys, and for each source the
//! indices seen. Contexts can be written down and read back by another process
//! ([`OutboundState`], [`InboundState`]); what is written contains the master
//! key. The verbs are in `protect`, `unprotect` and `rtcp`.

use serde::{Deserialize, Serialize};

use super::Drop;
use super::cipher::Cipher;
use super::profile::{Master, Profile};
use super::replay::Window;
use crate::base::limits::SRTP_SOURCES;
use crate::rtp::header::Ssrc;

/// Highest packet index (RFC 3711 §9.2): a key is used up after 2^48 packets.
const INDEX_MAX: u64 = (1 << 48) - 1;

/// RTP packets that may have been sent after the state was written, at 50 a
/// second 82 s worth. Below 2^15, so that receivers still guess the roll-over.
pub const RESTORE_MARGIN: u16 = 4096;

/// The same for RTCP packets; one goes every few seconds.
const RESTORE_MARGIN_RTCP: u32 = 1024;

/// What we send: protects RTP and RTCP.
pub struct Outbound {
    pub(super) master: Master,
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
    pub(super) sources: Sources,
    /// Index of the next RTCP packet; one count for all sources, which keeps
    /// (source, index) unique just as well.
    pub(super) rtcp_index: u32,
    /// True after a restore: sources unknown to the state are refused.
    pub(super) closed: bool,
}

impl Outbound {
    /// A context that has sent nothing.
    pub fn new(master: Master) -> Self {
        Self {
            rtp: Cipher::rtp(&master),
            rtcp: Cipher::rtcp(&master),
            master,
            sources: Sources::default(),
            rtcp_index: 0,
            closed: false,
        }
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.master.profile()
    }

    /// What another process needs to go on. Contains the master key.
    pub fn state(&self) -> OutboundState {
        OutboundState {
            master: self.master.clone(),
            sources: self.sources.0.iter().map(|s| (Ssrc(s.ssrc), s.window.highest())).collect(),
            rtcp_index: self.rtcp_index,
        }
    }

    /// Goes on from a state that is at most `margin` packets old.
    ///
    /// No index up to the state's plus `margin` is used again: the sender has
    /// to jump to [`next_seq`](Self::next_seq), and packets below it are
    /// refused with [`Drop::IndexReused`]. A source that the state does not
    /// know may have been used since it was written: it is refused until
    /// [`add_source`](Self::add_source) vouches for it.
    pub fn restore(state: OutboundState, margin: u16) -> Self {
        let mut this = Self::new(state.master);
        for (ssrc, highest) in state.sources.into_iter().take(SRTP_SOURCES) {
            let highest = highest.saturating_add(u64::from(margin)).min(INDEX_MAX);
            this.sources.0.push(Source { ssrc: ssrc.0, window: Window::closed_up_to(highest) });
        }
        this.rtcp_index = state.rtcp_index.saturating_add(RESTORE_MARGIN_RTCP);
        this.closed = true;
        this
    }

    /// The sequence number that follows the highest index of `ssrc`, if the
    /// source is known: where a restored sender continues.
    pub fn next_seq(&self, ssrc: Ssrc) -> Option<u16> {
        let source = self.sources.find(ssrc.0)?;
        Some((self.sources.0[source].window.highest() as u16).wrapping_add(1))
    }

    /// Allows a source in a restored context that was never used under these
    /// keys, because it has just been drawn at random; `first_seq` is the
    /// sequence number of its first packet.
    ///
    /// # Errors
    ///
    /// [`Drop::TooManySources`]; a source already known stays as it is.
    pub fn add_source(&mut self, ssrc: Ssrc, first_seq: u16) -> Result<(), Drop> {
        if self.sources.find(ssrc.0).is_some() {
            return Ok(());
        }
        self.sources.has_room()?;
        // RFC 3711 §3.3.1 counts from the first packet: with an index below
        // `first_seq` closed, the first one opens the window.
        let before = u64::from(first_seq).saturating_sub(1);
        let window = if first_seq == 0 { Window::open_at_zero() } else { Window::closed_up_to(before) };
        self.sources.0.push(Source { ssrc: ssrc.0, window });
        Ok(())
    }
}

/// What the peer sends: unprotects RTP and RTCP.
pub struct Inbound {
    pub(super) master: Master,
    pub(super) rtp: Cipher,
    pub(super) rtcp: Cipher,
    pub(super) sources: Sources,
    pub(super) rtcp_sources: Sources,
}

impl Inbound {
    /// A context that has received nothing.
    pub fn new(master: Master) -> Self {
        Self {
            rtp: Cipher::rtp(&master),
            rtcp: Cipher::rtcp(&master),
            master,
            sources: Sources::default(),
            rtcp_sources: Sources::default(),
        }
    }

    /// The profile.
    pub fn profile(&self) -> Profile {
        self.master.profile()
    }

    /// Number of sources with an authentic RTP packet.
    pub fn sources(&self) -> usize {
        self.sources.0.len()
    }

    /// What another process needs to go on. Contains the master key.
    pub fn state(&self) -> InboundState {
        InboundState {
            master: self.master.clone(),
            sources: self.sources.clone(),
            rtcp_sources: self.rtcp_sources.clone(),
        }
    }

    /// Goes on from a state. Packets that were received after it was written
    /// can be replayed once; a gap of up to 2^15 packets is bridged.
    pub fn restore(state: InboundState) -> Self {
        let mut this = Self::new(state.master);
        this.sources = state.sources;
        this.rtcp_sources = state.rtcp_sources;
        this.sources.0.truncate(SRTP_SOURCES);
        this.rtcp_sources.0.truncate(SRTP_SOURCES);
        this
    }
}

/// [`Outbound`] written down. Contains the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundState {
    master: Master,
    sources: Vec<(Ssrc, u64)>,
    rtcp_index: u32,
}

/// [`Inbound`] written down. Contains the master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundState {
    master: Master,
    sources: Sources,
    rtcp_sources: Sources,
}

/// The sources of a context, at most [`SRTP_SOURCES`]; few enough to search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sources(pub(super) Vec<Source>);

/// The indices of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) ssrc: u32,
    pub(super) window: Window,
}

impl Sources {
    pub(super) fn find(&self, ssrc: u32) -> Option<usize> {
        self.0.iter().position(|s| s.ssrc == ssrc)
    }

    pub(super) fn has_room(&self) -> Result<(), Drop> {
        // None is ever evicted: with its window the proof would go that an
        // index was not seen.
        if self.0.len() < SRTP_SOURCES { Ok(()) } else { Err(Drop::TooManySources) }
    }

    /// Marks `index` of the source at `at`, or of a source seen first.
    pub(super) fn accept(&mut self, at: Option<usize>, ssrc: u32, index: u64) {
        match at {
            Some(at) => self.0[at].window.accept(index),
            None => self.0.push(Source { ssrc, window: Window::starting(index) }),
        }
    }
}

/// The index of a packet, guessed from the highest one (RFC 3711 §3.3.1 and
/// appendix A); `None` before the first and after the last.
pub(super) fn guess_index(highest: u64, seq: u16) -> Option<u64> {
    let (roll_over, last) = (highest >> 16, highest as u16);
    let roll_over = if last < 0x8000 {
        if i32::from(seq) - i32::from(last) > 0x8000 { roll_over.checked_sub(1)? } else { roll_over }
    } else if last - 0x8000 > seq {
        roll_over + 1
    } else {
        roll_over
    };
    let index = roll_over << 16 | u64::from(seq);
    (index <= INDEX_MAX).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_the_roll_over_in_both_directions() {
        assert_eq!(guess_index(0xffff, 0), Some(0x1_0000));
        assert_eq!(guess_index(0x1_0002, 0xfffe), Some(0xfffe));
        assert_eq!(guess_index(0x2_8000, 0x7fff), Some(0x2_7fff));
        assert_eq!(guess_index(0x2_9000, 0x0fff), Some(0x3_0fff));
        assert_eq!(guess_index(5, 0xfff0), None, "before the first packet");
        assert_eq!(guess_index(INDEX_MAX, 0), None, "the key is used up");
    }
}
