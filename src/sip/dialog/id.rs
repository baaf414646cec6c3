//! What names a dialog: RFC 3261 §12.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sip::message::{Request, Response, Text};

/// Call-ID, our tag and the peer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DialogId {
    /// The Call-ID.
    pub call_id: Text,
    /// Our tag.
    pub local_tag: Text,
    /// The peer's tag; empty for a peer of RFC 2543 that gave none (§12.1.1).
    pub remote_tag: Text,
}

impl DialogId {
    /// The dialog a request from the peer belongs to; `None` if it has no To
    /// tag, so that it belongs to none.
    pub fn of_request(request: &Request) -> Option<Self> {
        let (from, to) = (request.from().ok()?, request.to().ok()?);
        let local_tag = Text::from(to.tag()?);
        Some(Self { call_id: Text::from(request.call_id()), local_tag, remote_tag: tag_or_empty(from.tag()) })
    }

    /// The dialog a response of the peer belongs to or makes; `None` if our
    /// tag is not in it, or if it is a 100, which makes none.
    pub fn of_response(response: &Response) -> Option<Self> {
        if response.status <= 100 {
            return None;
        }
        let (from, to) = (response.from().ok()?, response.to().ok()?);
        let local_tag = Text::from(from.tag()?);
        Some(Self { call_id: Text::from(response.call_id()), local_tag, remote_tag: tag_or_empty(to.tag()) })
    }
}

/// For logs: the Call-ID and both tags are random and name nobody.
impl fmt::Display for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};local={};remote={}", self.call_id, self.local_tag, self.remote_tag)
    }
}

fn tag_or_empty(tag: Option<&str>) -> Text {
    Text::from(tag.unwrap_or_default())
}
