//! The words for every cause: what it means, and where to look.
//!
//! One sentence and one hint for each internal cause and each failure of media,
//! for people who run the SBC and know their network, not this code.

use crate::base::Leg;
use crate::call::cause::Internal;
use crate::media::event::MediaFailure;

/// What an internal cause means; `reason` is what the call machine wrote.
pub fn sentence(internal: Internal, reason: &str) -> String {
    let means = match internal {
        Internal::Hangup => "a party hung up",
        Internal::Cancelled => "the caller gave up",
        Internal::Rejected => "the called party or the network beyond it refused",
        Internal::NoAnswer => "nobody answered in time",
        Internal::TargetTimeout => "the target did not respond at all",
        Internal::TransportError => "the target's transport failed",
        Internal::ResolveFailed => "the target's name could not be resolved",
        Internal::NoRoute => "no rule and target was left for it",
        Internal::UserOffline => "the user who was called is not registered",
        Internal::AuthRequired => "the credentials are missing or wrong",
        Internal::Forbidden => "policy does not allow it",
        Internal::Limited => "a limit was reached",
        Internal::Overloaded => "the SBC is overloaded or draining",
        Internal::BadSdp => "the session description cannot be served",
        Internal::NoCommonCodec => "the sides have no codec in common",
        Internal::NoMediaPort => "no media port was free",
        Internal::BadRequest => "the request is malformed",
        Internal::Loop => "the call goes round in a loop",
        Internal::NoAck => "the ACK to the answer never came",
        Internal::SessionExpired => "the session timer ran out",
        Internal::FlowLost => "the browser's connection was lost and did not come back in time",
        Internal::Media(why) => media_sentence(Leg::A, why),
        Internal::AdminHangup => "an operator ended it",
        Internal::Restart => "the process ended before the call did",
        Internal::Internal => "an error of the SBC itself",
    };
    if reason.is_empty() || reason == means { means.to_owned() } else { format!("{means} ({reason})") }
}

/// What a failure of media means for a side.
pub const fn media_sentence(leg: Leg, why: MediaFailure) -> &'static str {
    match (why, leg) {
        (MediaFailure::IceTimeout, Leg::A) => "no ICE check of the caller arrived: its media never reached us",
        (MediaFailure::IceTimeout, Leg::B) => "no ICE check of the called side arrived: its media never reached us",
        (MediaFailure::ConsentExpired, Leg::A) => "the caller's network went silent: no ICE check for 30 s",
        (MediaFailure::ConsentExpired, Leg::B) => "the called side's network went silent: no ICE check for 30 s",
        (MediaFailure::DtlsTimeout, Leg::A) => "the DTLS handshake with the caller did not end in time",
        (MediaFailure::DtlsTimeout, Leg::B) => "the DTLS handshake with the called side did not end in time",
        (MediaFailure::FingerprintMismatch, Leg::A) => {
            "the caller's certificate is not the one its session description promised"
        }
        (MediaFailure::FingerprintMismatch, Leg::B) => {
            "the called side's certificate is not the one its session description promised"
        }
        (MediaFailure::DtlsFailed, Leg::A) => "the DTLS handshake with the caller failed",
        (MediaFailure::DtlsFailed, Leg::B) => "the DTLS handshake with the called side failed",
        (MediaFailure::DtlsClosed, Leg::A) => "the caller closed its DTLS connection without a BYE",
        (MediaFailure::DtlsClosed, Leg::B) => "the called side closed its DTLS connection without a BYE",
        (MediaFailure::Inactive, Leg::A) => "no media came from the caller for longer than its realm allows",
        (MediaFailure::Inactive, Leg::B) => "no media came from the called side for longer than its realm allows",
        (MediaFailure::PortUnavailable, _) => "a media port could not be opened",
        (MediaFailure::ShardFull, _) => "the media thread has no room for another session",
    }
}

/// Where to look for an internal cause.
pub const fn hint(internal: Internal) -> &'static str {
    match internal {
        Internal::Hangup | Internal::Cancelled => "nothing: people decided so",
        Internal::Rejected => "the peer's own logs for this Call-ID; the numbers as sent, in the CDR",
        Internal::NoAnswer => "the called device; the time-out for answers, if it is too short",
        Internal::TargetTimeout => {
            "`sbc trunks`; firewall and address of the peer; whether it listens on this transport"
        }
        Internal::TransportError => "`sbc trunks`; the route to the peer; its TLS certificate if it is TLS",
        Internal::ResolveFailed => "DNS of the target's name: NAPTR, SRV and address records",
        Internal::NoRoute => "`sbc route FROM TO` shows which rule was passed over and why",
        Internal::UserOffline => "`sbc registrations`; the user's phone or browser",
        Internal::AuthRequired => "user name, password and domain of the caller; `sbc bans` if it goes on",
        Internal::Forbidden => "the realm's access list and who may call in it",
        Internal::Limited => "`limits` of the trunk, realm or user; fraud if the calls are not expected",
        Internal::Overloaded => "load of the machine; `sbc undrain` if it is draining",
        Internal::BadSdp => "the offer in `sbc trace`; the profile of the peer",
        Internal::NoCommonCodec => "`codecs` of trunk and realm against what the peer offers",
        Internal::NoMediaPort => "`media.ports` of the realm: widen it, or lower `limits.calls`",
        Internal::BadRequest => "the message in `sbc trace`; the peer's software",
        Internal::Loop => "a route that sends the call back to where it came from",
        Internal::NoAck => "the path from the caller to us; a proxy that lost the Record-Route or Contact",
        Internal::SessionExpired => "the peer that was to refresh the session; a NAT that forgot the flow",
        Internal::FlowLost => "the browser's network; a proxy in front of the WebSocket that cuts idle connections",
        Internal::Media(why) => media_hint(why),
        Internal::AdminHangup => "the audit log",
        Internal::Restart => "the system journal for the reason of the restart",
        Internal::Internal => "the log at this time; please report it",
    }
}

/// Where to look for a failure of media.
pub const fn media_hint(why: MediaFailure) -> &'static str {
    match why {
        MediaFailure::IceTimeout => {
            "UDP to the realm's media port: firewall, security group, `media.address` behind a 1:1 NAT"
        }
        MediaFailure::ConsentExpired => "the peer's network: a change of network, a closed lid, a VPN that came up",
        MediaFailure::DtlsTimeout => "UDP loss or an MTU below 1500 between the peer and us",
        MediaFailure::FingerprintMismatch => "a proxy that rewrites session descriptions, or an attack",
        MediaFailure::DtlsFailed => "DTLS version and ciphers of the peer",
        MediaFailure::DtlsClosed => "the peer's software: a page that was closed ends so",
        MediaFailure::Inactive => "one-way media: firewall, NAT without latching, a phone that hung up without a BYE",
        MediaFailure::PortUnavailable => "another program on the realm's port range",
        MediaFailure::ShardFull => "the number of media threads; calls a thread",
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::INTERNALS;
    use super::*;

    #[test]
    fn every_cause_has_its_own_words_and_a_place_to_look() {
        let mut sentences: Vec<String> = INTERNALS.into_iter().map(|i| sentence(i, "")).collect();
        assert!(INTERNALS.into_iter().all(|i| hint(i).len() > 10));
        let all = sentences.len();
        sentences.sort_unstable();
        sentences.dedup();
        assert_eq!(sentences.len(), all);
    }

    #[test]
    fn media_sentences_name_the_side() {
        let both = |why| (media_sentence(Leg::A, why), media_sentence(Leg::B, why));
        for why in [MediaFailure::IceTimeout, MediaFailure::DtlsFailed, MediaFailure::Inactive] {
            let (a, b) = both(why);
            assert!(a.contains("caller") && b.contains("called side"), "{a} / {b}");
        }
    }
}
