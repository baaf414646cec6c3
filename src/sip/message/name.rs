//! Header names: the known ones as variants, others as written.
//!
//! Names compare without case and have compact forms (RFC 3261 §7.3.3 and the
//! IANA registry). A known name is written in its canonical spelling, an
//! unknown one byte for byte.

use std::fmt;

use super::scan::{TOKEN, is, is_token};
use super::text::Text;

macro_rules! names {
    ($($variant:ident $canonical:literal $lower:literal $(| $compact:literal)?;)*) => {
        /// The name of a header.
        #[derive(Clone, Debug)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $canonical, "`")] $variant,)*
            /// Any other name, as written. [`HeaderName::new`] recognises the known ones.
            Other(Text),
        }

        /// Which name it is, in one byte: what a search through the fields compares.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Kind {
            $($variant,)*
            Other,
        }

        impl HeaderName {
            /// The canonical spelling, or what was written.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $canonical,)*
                    Self::Other(name) => name,
                }
            }

            /// A number of the variant; names of different ones differ.
            pub(super) fn kind(&self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$variant,)*
                    Self::Other(_) => Kind::Other,
                }
            }

            fn known(lower: &[u8]) -> Option<Self> {
                match lower {
                    $($lower $(| $compact)? => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

names! {
    Via "Via" b"via" | b"v";
    From "From" b"from" | b"f";
    To "To" b"to" | b"t";
    CallId "Call-ID" b"call-id" | b"i";
    CSeq "CSeq" b"cseq";
    Contact "Contact" b"contact" | b"m";
    Route "Route" b"route";
    RecordRoute "Record-Route" b"record-route";
    MaxForwards "Max-Forwards" b"max-forwards";
    ContentType "Content-Type" b"content-type" | b"c";
    ContentLength "Content-Length" b"content-length" | b"l";
    ContentDisposition "Content-Disposition" b"content-disposition";
    ContentEncoding "Content-Encoding" b"content-encoding" | b"e";
    ContentLanguage "Content-Language" b"content-language";
    Authorization "Authorization" b"authorization";
    WwwAuthenticate "WWW-Authenticate" b"www-authenticate";
    ProxyAuthenticate "Proxy-Authenticate" b"proxy-authenticate";
    ProxyAuthorization "Proxy-Authorization" b"proxy-authorization";
    AuthenticationInfo "Authentication-Info" b"authentication-info";
    Expires "Expires" b"expires";
    MinExpires "Min-Expires" b"min-expires";
    Allow "Allow" b"allow";
    AllowEvents "Allow-Events" b"allow-events" | b"u";
    Supported "Supported" b"supported" | b"k";
    Require "Require" b"require";
    ProxyRequire "Proxy-Require" b"proxy-require";
    Unsupported "Unsupported" b"unsupported";
    RetryAfter "Retry-After" b"retry-after";
    Warning "Warning" b"warning";
    Reason "Reason" b"reason";
    UserAgent "User-Agent" b"user-agent";
    Server "Server" b"server";
    SessionExpires "Session-Expires" b"session-expires" | b"x";
    MinSe "Min-SE" b"min-se";
    RSeq "RSeq" b"rseq";
    RAck "RAck" b"rack";
    ReferTo "Refer-To" b"refer-to" | b"r";
    ReferredBy "Referred-By" b"referred-by" | b"b";
    ReferSub "Refer-Sub" b"refer-sub";
    Replaces "Replaces" b"replaces";
    Join "Join" b"join";
    TargetDialog "Target-Dialog" b"target-dialog";
    Event "Event" b"event" | b"o";
    SubscriptionState "Subscription-State" b"subscription-state";
    PAssertedIdentity "P-Asserted-Identity" b"p-asserted-identity";
    PPreferredIdentity "P-Preferred-Identity" b"p-preferred-identity";
    PAssociatedUri "P-Associated-URI" b"p-associated-uri";
    PCalledPartyId "P-Called-Party-ID" b"p-called-party-id";
    PChargingVector "P-Charging-Vector" b"p-charging-vector";
    PAccessNetworkInfo "P-Access-Network-Info" b"p-access-network-info";
    PEarlyMedia "P-Early-Media" b"p-early-media";
    RemotePartyId "Remote-Party-ID" b"remote-party-id";
    Privacy "Privacy" b"privacy";
    Identity "Identity" b"identity" | b"y";
    Path "Path" b"path";
    ServiceRoute "Service-Route" b"service-route";
    SessionId "Session-ID" b"session-id";
    Diversion "Diversion" b"diversion";
    HistoryInfo "History-Info" b"history-info";
    Date "Date" b"date";
    Timestamp "Timestamp" b"timestamp";
    Subject "Subject" b"subject" | b"s";
    Organization "Organization" b"organization";
    Priority "Priority" b"priority";
    Accept "Accept" b"accept";
    AcceptContact "Accept-Contact" b"accept-contact" | b"a";
    AcceptEncoding "Accept-Encoding" b"accept-encoding";
    AcceptLanguage "Accept-Language" b"accept-language";
    RejectContact "Reject-Contact" b"reject-contact" | b"j";
    RequestDisposition "Request-Disposition" b"request-disposition" | b"d";
    AlertInfo "Alert-Info" b"alert-info";
    CallInfo "Call-Info" b"call-info";
    ErrorInfo "Error-Info" b"error-info";
    InReplyTo "In-Reply-To" b"in-reply-to";
    ReplyTo "Reply-To" b"reply-to";
    MimeVersion "MIME-Version" b"mime-version";
    InfoPackage "Info-Package" b"info-package";
    RecvInfo "Recv-Info" b"recv-info";
    SipEtag "SIP-ETag" b"sip-etag";
    SipIfMatch "SIP-If-Match" b"sip-if-match";
    UserToUser "User-to-User" b"user-to-user";
    FlowTimer "Flow-Timer" b"flow-timer";
}

/// Longer than any known name.
const LONGEST: usize = 24;

impl HeaderName {
    /// The name for `name`, known or not, long or compact.
    pub fn new(name: &str) -> Self {
        Self::lookup(name.as_bytes()).unwrap_or_else(|| Self::Other(name.into()))
    }

    /// Reads a name from a message; `None` if it is no token.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if let Some(name) = Self::lookup(bytes) {
            return Some(name);
        }
        let name = std::str::from_utf8(bytes).ok().filter(|n| is_token(n))?;
        Some(Self::Other(name.into()))
    }

    fn lookup(bytes: &[u8]) -> Option<Self> {
        // In most messages these are most of the fields, spelled like this.
        match bytes {
            b"Via" => return Some(Self::Via),
            b"To" => return Some(Self::To),
            b"From" => return Some(Self::From),
            b"CSeq" => return Some(Self::CSeq),
            b"Allow" => return Some(Self::Allow),
            b"Call-ID" => return Some(Self::CallId),
            b"Contact" => return Some(Self::Contact),
            b"Supported" => return Some(Self::Supported),
            b"User-Agent" => return Some(Self::UserAgent),
            b"Max-Forwards" => return Some(Self::MaxForwards),
            b"Content-Type" => return Some(Self::ContentType),
            b"Record-Route" => return Some(Self::RecordRoute),
            b"Content-Length" => return Some(Self::ContentLength),
            _ => {}
        }
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..bytes.len())?;
        lower.copy_from_slice(bytes);
        lower.make_ascii_lowercase();
        Self::known(lower)
    }

    /// Writes the name; characters that no name has are left out.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Other(name) if !is_token(name) => out.extend(name.bytes().filter(|c| is(*c, TOKEN))),
            known => out.extend_from_slice(known.as_str().as_bytes()),
        }
    }
}

/// Without case.
impl PartialEq for HeaderName {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && match (self, other) {
                (Self::Other(a), Self::Other(b)) => a.eq_ignore_ascii_case(b),
                _ => true,
            }
    }
}

impl Eq for HeaderName {}

impl From<&str> for HeaderName {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_compact_and_odd_case_name_the_same_header() {
        for name in ["Call-ID", "call-id", "CALL-ID", "i", "I"] {
            assert_eq!(HeaderName::new(name), HeaderName::CallId);
        }
        assert_eq!(HeaderName::new("X-Custom"), HeaderName::new("x-cusTOM"));
        assert_ne!(HeaderName::new("X-Custom"), HeaderName::new("X-Other"));
        assert_eq!(HeaderName::new("x-cusTOM").as_str(), "x-cusTOM");
    }

    #[test]
    fn only_tokens_are_names() {
        for bad in ["", "a b", "a\0", "Via\t", "a\r", "(", "\u{e9}"] {
            assert_eq!(HeaderName::parse(bad.as_bytes()), None, "{bad:?}");
        }
        // `%` is a token character: this is an unknown header and no Content-Length.
        assert_eq!(HeaderName::parse(b"Content-Length%20"), Some(HeaderName::Other("Content-Length%20".into())));
    }

    #[test]
    fn a_forged_name_cannot_end_its_line() {
        let mut out = Vec::new();
        HeaderName::Other("X\r\nEvil: a".into()).write(&mut out);
        assert_eq!(out, b"XEvila");
    }
}
