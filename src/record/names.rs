//! Every name that leaves in a record: cause codes, results, labels, metrics.
//!
//! Programs of other people match on these words, so they stand in one place
//! and change only with the schema version. All of them come from closed sets:
//! nothing a peer wrote becomes a label.

use crate::base::{Codec, Transport};
use crate::call::cause::{Initiator, Internal};
use crate::call::event::TargetName;
use crate::media::event::MediaFailure;
use crate::media::plan::Service;

/// How a MOS was found: the E-model of ITU-T G.107 over measured loss, jitter and delay.
pub const MOS_METHOD: &str = "e_model";

/// The internal cause code of a record: `rejected`, `media_ice_timeout`.
pub const fn internal_code(internal: Internal) -> &'static str {
    match internal {
        Internal::Hangup => "hangup",
        Internal::Cancelled => "cancelled",
        Internal::Rejected => "rejected",
        Internal::NoAnswer => "no_answer",
        Internal::TargetTimeout => "target_timeout",
        Internal::TransportError => "transport_error",
        Internal::ResolveFailed => "resolve_failed",
        Internal::NoRoute => "no_route",
        Internal::UserOffline => "user_offline",
        Internal::AuthRequired => "auth_required",
        Internal::Forbidden => "forbidden",
        Internal::Limited => "limited",
        Internal::Overloaded => "overloaded",
        Internal::BadSdp => "bad_sdp",
        Internal::NoCommonCodec => "no_common_codec",
        Internal::NoMediaPort => "no_media_port",
        Internal::BadRequest => "bad_request",
        Internal::Loop => "loop",
        Internal::NoAck => "no_ack",
        Internal::SessionExpired => "session_expired",
        Internal::FlowLost => "flow_lost",
        Internal::Media(why) => media_code(why),
        Internal::AdminHangup => "admin_hangup",
        Internal::Restart => "restart",
        Internal::Internal => "internal_error",
    }
}

/// The internal cause code of a media failure.
pub const fn media_code(why: MediaFailure) -> &'static str {
    match why {
        MediaFailure::IceTimeout => "media_ice_timeout",
        MediaFailure::ConsentExpired => "media_consent_expired",
        MediaFailure::DtlsTimeout => "media_dtls_timeout",
        MediaFailure::FingerprintMismatch => "media_fingerprint_mismatch",
        MediaFailure::DtlsFailed => "media_dtls_failed",
        MediaFailure::DtlsClosed => "media_dtls_closed",
        MediaFailure::Inactive => "media_inactive",
        MediaFailure::PortUnavailable => "media_port_unavailable",
        MediaFailure::ShardFull => "media_shard_full",
    }
}

/// The word for who ended a call.
pub const fn initiator(by: Initiator) -> &'static str {
    match by {
        Initiator::Caller => "caller",
        Initiator::Callee => "callee",
        Initiator::Sbc => "sbc",
        Initiator::Admin => "admin",
        Initiator::Timer => "timer",
        Initiator::Media => "media",
    }
}

/// The word for a service.
pub const fn service(which: Service) -> &'static str {
    match which {
        Service::Echo => "echo",
        Service::Tone => "tone",
        Service::Hello => "hello",
    }
}

/// A codec as in `a=rtpmap`: `opus/48000/2`, `PCMA/8000`.
pub const fn codec(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus/48000/2",
        Codec::Pcmu => "PCMU/8000",
        Codec::Pcma => "PCMA/8000",
        Codec::G722 => "G722/8000",
    }
}

/// The word for a transport.
pub const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Ws => "ws",
        Transport::Wss => "wss",
    }
}

/// The label of a method; `other` for what no RFC defines.
pub fn method_label(method: &str) -> &'static str {
    METHODS.iter().find(|m| **m == method).copied().unwrap_or("other")
}

/// The label of a status. A code that is not registered counts as the x00 of
/// its class, as which it is to be treated (RFC 3261 §8.1.3.2).
pub fn code_label(status: u16) -> &'static str {
    match CODES.binary_search_by_key(&status, |(code, _)| *code) {
        Ok(at) => CODES[at].1,
        Err(_) => match status {
            100..=199 => "100",
            200..=299 => "200",
            300..=399 => "300",
            400..=499 => "400",
            500..=599 => "500",
            600..=699 => "600",
            _ => "other",
        },
    }
}

/// Every internal cause, for what must have a word for each.
pub const INTERNALS: [Internal; 33] = [
    Internal::Hangup,
    Internal::Cancelled,
    Internal::Rejected,
    Internal::NoAnswer,
    Internal::TargetTimeout,
    Internal::TransportError,
    Internal::ResolveFailed,
    Internal::NoRoute,
    Internal::UserOffline,
    Internal::AuthRequired,
    Internal::Forbidden,
    Internal::Limited,
    Internal::Overloaded,
    Internal::BadSdp,
    Internal::NoCommonCodec,
    Internal::NoMediaPort,
    Internal::BadRequest,
    Internal::Loop,
    Internal::NoAck,
    Internal::SessionExpired,
    Internal::FlowLost,
    Internal::AdminHangup,
    Internal::Restart,
    Internal::Internal,
    Internal::Media(MediaFailure::IceTimeout),
    Internal::Media(MediaFailure::ConsentExpired),
    Internal::Media(MediaFailure::DtlsTimeout),
    Internal::Media(MediaFailure::FingerprintMismatch),
    Internal::Media(MediaFailure::DtlsFailed),
    Internal::Media(MediaFailure::DtlsClosed),
    Internal::Media(MediaFailure::Inactive),
    Internal::Media(MediaFailure::PortUnavailable),
    Internal::Media(MediaFailure::ShardFull),
];

/// The usual phrase of a status (RFC 3261 §21), or of its class.
pub const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => match status / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

/// Names of realms and trunks by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By `RealmId`.
    pub realms: Vec<String>,
    /// By `TrunkId`.
    pub trunks: Vec<String>,
}

impl Names {
    /// A realm's name; `unknown` if the configuration has none such.
    pub fn realm(&self, id: crate::base::RealmId) -> &str {
        self.realms.get(usize::from(id.0)).map_or("unknown", String::as_str)
    }

    /// A trunk's name; `unknown` if the configuration has none such.
    pub fn trunk(&self, id: crate::base::TrunkId) -> &str {
        self.trunks.get(usize::from(id.0)).map_or("unknown", String::as_str)
    }

    /// A target as an operator calls it: `acme`, `user bob`, `service echo`, the URI.
    pub fn target(&self, target: &TargetName) -> String {
        match target {
            TargetName::Trunk(id) => self.trunk(*id).to_owned(),
            TargetName::User(user) => format!("user {}", shown(user, 64)),
            TargetName::Service(which) => format!("service {}", service(*which)),
            TargetName::Uri(uri) => shown(uri, 128),
        }
    }
}

/// What a peer wrote, fit to be shown: at most `most` characters, without
/// controls and without marks that turn the direction of writing, which would
/// let one text pose as another.
pub fn shown(text: &str, most: usize) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).take(most).collect()
}

/// Methods that have a label of their own.
pub const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// Registered status codes (IANA, SIP Response Codes), in order.
const CODES: [(u16, &str); 72] = [
    (100, "100"),
    (180, "180"),
    (181, "181"),
    (182, "182"),
    (183, "183"),
    (199, "199"),
    (200, "200"),
    (202, "202"),
    (204, "204"),
    (300, "300"),
    (301, "301"),
    (302, "302"),
    (305, "305"),
    (380, "380"),
    (400, "400"),
    (401, "401"),
    (402, "402"),
    (403, "403"),
    (404, "404"),
    (405, "405"),
    (406, "406"),
    (407, "407"),
    (408, "408"),
    (410, "410"),
    (412, "412"),
    (413, "413"),
    (414, "414"),
    (415, "415"),
    (416, "416"),
    (417, "417"),
    (420, "420"),
    (421, "421"),
    (422, "422"),
    (423, "423"),
    (425, "425"),
    (428, "428"),
    (429, "429"),
    (430, "430"),
    (433, "433"),
    (436, "436"),
    (437, "437"),
    (438, "438"),
    (440, "440"),
    (469, "469"),
    (470, "470"),
    (480, "480"),
    (481, "481"),
    (482, "482"),
    (483, "483"),
    (484, "484"),
    (485, "485"),
    (486, "486"),
    (487, "487"),
    (488, "488"),
    (489, "489"),
    (491, "491"),
    (493, "493"),
    (494, "494"),
    (500, "500"),
    (501, "501"),
    (502, "502"),
    (503, "503"),
    (504, "504"),
    (505, "505"),
    (513, "513"),
    (555, "555"),
    (580, "580"),
    (600, "600"),
    (603, "603"),
    (604, "604"),
    (606, "606"),
    (607, "607"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_say_themselves() {
        assert!(CODES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(CODES.iter().all(|(code, label)| code.to_string() == *label));
        assert_eq!((code_label(486), code_label(499), code_label(42)), ("486", "400", "other"));
        assert_eq!((method_label("INVITE"), method_label("invite")), ("INVITE", "other"));
    }

    #[test]
    fn every_internal_code_is_its_own_word() {
        let mut words: Vec<&str> = INTERNALS.into_iter().map(internal_code).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), INTERNALS.len());
        assert!(words.iter().all(|w| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }

    #[test]
    fn what_a_peer_wrote_cannot_turn_the_line() {
        assert_eq!(shown("a\u{202e}b\nc\u{1b}[31m", 4), "abc[");
    }
}
