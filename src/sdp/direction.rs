//! Direction attributes and hold (RFC 8866 §6.7, RFC 3264 §5.1, §6.1, §8.4).
//!
//! A direction is always told from the side of whoever wrote it: `sendonly` in
//! a peer's offer means that the peer sends and does not want to receive, which
//! is how a call is put on hold.

use serde::{Deserialize, Serialize};

use super::attribute::Attributes;

/// Which ways media flows, seen by the describing side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways; also what is meant when nothing is said.
    #[default]
    SendRecv,
    /// Only away from the describing side.
    SendOnly,
    /// Only towards the describing side.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// From what the describing side does.
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the describing side sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describing side wants to receive.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub fn reverse(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What both `self` and `other`, told from the same side, allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The answer to an offer of `self` by a side that would like `wish`.
    #[must_use]
    pub fn answer(self, wish: Self) -> Self {
        // RFC 3264 §6.1: sendonly is answered recvonly or inactive, recvonly by sendonly or
        // inactive, inactive by inactive, sendrecv by anything.
        self.reverse().and(wish)
    }

    /// The attribute's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The first direction among the attributes.
    pub fn read(attributes: &Attributes) -> Option<Self> {
        attributes.iter().find_map(|a| {
            [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
                .into_iter()
                .find(|direction| direction.name() == a.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    use super::*;

    #[test]
    fn answers_follow_rfc_3264_6_1() {
        let table = [
            (SendRecv, SendRecv, SendRecv),
            (SendRecv, SendOnly, SendOnly),
            (SendOnly, SendRecv, RecvOnly),
            (SendOnly, SendOnly, Inactive),
            (RecvOnly, SendRecv, SendOnly),
            (RecvOnly, RecvOnly, Inactive),
            (Inactive, SendRecv, Inactive),
        ];
        for (offered, wish, answered) in table {
            assert_eq!(offered.answer(wish), answered, "{offered:?} {wish:?}");
        }
    }

    #[test]
    fn first_direction_attribute_counts() {
        let mut attributes = Attributes::default();
        assert_eq!(Direction::read(&attributes), None);
        attributes.flag("rtcp-mux");
        attributes.flag("sendonly");
        attributes.flag("sendrecv");
        assert_eq!(Direction::read(&attributes), Some(SendOnly));
    }
}
