//! Bodies of the fuzz targets of this room; they always compile and are also
//! run by property tests. None may panic, whatever the bytes.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Agent, Credentials, Message, Outcome, ufrag_of};
use crate::base::Now;
use crate::base::limits::STUN_MESSAGE_BYTES;

/// Reads any datagram as STUN and hands it to an agent.
pub fn stun(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        let _ = (message.username(), message.mapped_address(), message.is_authentic(b"password"));
        assert!(message.attributes().map(|a| a.value.len()).sum::<usize>() <= STUN_MESSAGE_BYTES);
        assert!(message.unknown_required().count() <= message.attributes().count());
    }
    let _ = ufrag_of(bytes);
    let mut agent = Agent::new(Credentials::new("ufrag", "a password of 22 chars"));
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
    if let Outcome::Answered { reply, .. } | Outcome::Refused { reply, .. } =
        agent.handle(Now::from_millis(1, 1), at, at, bytes)
    {
        assert!(Message::parse(&reply).is_ok(), "an answer is a message");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            super::stun(&bytes);
            let mut framed = vec![0, 1, (bytes.len() >> 8) as u8, bytes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
            framed.extend([7; 12]);
            framed.extend(&bytes);
            super::stun(&framed);
        }
    }
}
