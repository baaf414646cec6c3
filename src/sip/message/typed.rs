//! Typed views of headers, read when asked for.
//!
//! Every accessor stands on [`Headers`] and, for the common ones, on
//! [`Request`] and [`Response`] too. A mandatory header that is missing is an
//! error as one that is malformed is; an optional one is `None`.

use super::auth::{Challenge, Credentials};
use super::contact::{Contacts, seconds};
use super::content::MediaType;
use super::cseq::{CSeq, RAck};
use super::event::{Event, SubscriptionState};
use super::headers::{Headers, lossy};
use super::name::HeaderName;
use super::name_addr::NameAddr;
use super::reason::{Reason, RetryAfter, Warning};
use super::scan::elements;
use super::session::{Replaces, SessionExpires};
use super::via::Via;
use super::{Request, Response};
use crate::sip::error::ParseError;

impl Headers {
    /// The topmost Via.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn via(&self) -> Result<Via, ParseError> {
        let text = self.get_lossy(&HeaderName::Via).ok_or(ParseError::new("missing Via", 0))?;
        Via::parse(elements(&text).next().unwrap_or(""))
    }

    /// All Via values, topmost first.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn vias(&self) -> Result<Vec<Via>, ParseError> {
        self.each(&HeaderName::Via, Via::parse)
    }

    /// Replaces the topmost Via.
    pub fn set_via(&mut self, via: &Via) {
        self.set_first(&HeaderName::Via, via.to_string());
    }

    /// From.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, ParseError> {
        let text = self.get_lossy(&HeaderName::From).ok_or(ParseError::new("missing From", 0))?;
        NameAddr::parse(&text)
    }

    /// To.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, ParseError> {
        let text = self.get_lossy(&HeaderName::To).ok_or(ParseError::new("missing To", 0))?;
        NameAddr::parse(&text)
    }

    /// Call-ID; empty if it is missing or no UTF-8.
    pub fn call_id(&self) -> &str {
        self.get(&HeaderName::CallId).unwrap_or("")
    }

    /// CSeq.
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq, ParseError> {
        CSeq::parse(self.get(&HeaderName::CSeq).ok_or(ParseError::new("missing CSeq", 0))?)
    }

    /// Every Contact, or `*`.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn contacts(&self) -> Result<Contacts, ParseError> {
        Contacts::parse(self.all_bytes(&HeaderName::Contact).map(lossy))
    }

    /// Max-Forwards, `None` if it is missing.
    ///
    /// # Errors
    /// If it is no number up to 255 (RFC 3261 §20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, ParseError> {
        let Some(text) = self.get_lossy(&HeaderName::MaxForwards) else { return Ok(None) };
        let hops = seconds(&text).and_then(|n| u8::try_from(n).ok());
        hops.map(Some).ok_or(ParseError::new("bad Max-Forwards", 0))
    }

    /// Expires in seconds. What is malformed or too large counts as 3600
    /// (RFC 3261 §10.3 step 6 and §20.19).
    pub fn expires(&self) -> Option<u32> {
        self.get_lossy(&HeaderName::Expires).map(|text| seconds(&text).unwrap_or(3600))
    }

    /// Min-Expires in seconds (RFC 3261 §20.23).
    pub fn min_expires(&self) -> Option<u32> {
        self.get(&HeaderName::MinExpires).and_then(seconds)
    }

    /// Route, first hop first.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn route(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::Route)
    }

    /// Record-Route in the order of the message.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn record_route(&self) -> Result<Vec<NameAddr>, ParseError> {
        self.addresses(&HeaderName::RecordRoute)
    }

    /// Every address of a list such as Path, Service-Route, P-Asserted-Identity
    /// (RFC 3327, 3608, 3325), Diversion or History-Info.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn addresses(&self, name: &HeaderName) -> Result<Vec<NameAddr>, ParseError> {
        self.each(name, NameAddr::parse)
    }

    /// One address, such as Refer-To, Referred-By or Reply-To.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn address(&self, name: &HeaderName) -> Result<Option<NameAddr>, ParseError> {
        self.get_lossy(name).map(|text| NameAddr::parse(&text)).transpose()
    }

    /// Content-Type.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn content_type(&self) -> Result<Option<MediaType>, ParseError> {
        self.get_lossy(&HeaderName::ContentType).map(|text| MediaType::parse(&text)).transpose()
    }

    /// True if the sender takes bodies of this type: Accept lists it or a range
    /// over it, or is absent and the type is SDP (RFC 3261 §20.1).
    pub fn accepts(&self, kind: &str, subtype: &str) -> bool {
        if !self.has(&HeaderName::Accept) {
            return kind.eq_ignore_ascii_case("application") && subtype.eq_ignore_ascii_case("sdp");
        }
        self.values(&HeaderName::Accept)
            .filter_map(|v| MediaType::parse(v).ok())
            .any(|range| range.covers(kind, subtype))
    }

    /// Options of `name` (Require or Proxy-Require) that are not in `known`:
    /// what a 420 lists in Unsupported (RFC 3261 §8.2.2.3).
    pub fn unknown_options(&self, name: &HeaderName, known: &[&str]) -> Vec<String> {
        let foreign = |v: &&str| !known.iter().any(|k| k.eq_ignore_ascii_case(v));
        self.values(name).filter(foreign).map(str::to_owned).collect()
    }

    /// Every readable challenge of a 401 or 407, in order.
    pub fn challenges(&self, name: &HeaderName) -> Vec<Challenge> {
        self.all(name).flat_map(Challenge::parse_all).collect()
    }

    /// Every readable Authorization or Proxy-Authorization, in order.
    pub fn credentials(&self, name: &HeaderName) -> Vec<Credentials> {
        self.all(name).filter_map(|v| Credentials::parse(v).ok()).collect()
    }

    /// Session-Expires (RFC 4028 §4).
    ///
    /// # Errors
    /// If it is malformed.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, ParseError> {
        self.get(&HeaderName::SessionExpires).map(SessionExpires::parse).transpose()
    }

    /// Min-SE in seconds (RFC 4028 §5).
    pub fn min_se(&self) -> Option<u32> {
        self.get(&HeaderName::MinSe).and_then(|v| seconds(v.split(';').next()?.trim()))
    }

    /// RSeq (RFC 3262 §7.1): 1 to 2^32-1.
    pub fn rseq(&self) -> Option<u32> {
        self.get(&HeaderName::RSeq).and_then(seconds).filter(|n| *n > 0)
    }

    /// RAck (RFC 3262 §7.2).
    ///
    /// # Errors
    /// If it is missing or malformed.
    pub fn rack(&self) -> Result<RAck, ParseError> {
        RAck::parse(self.get(&HeaderName::RAck).ok_or(ParseError::new("missing RAck", 0))?)
    }

    /// Replaces (RFC 3891 §6.1).
    ///
    /// # Errors
    /// If it is malformed.
    pub fn replaces(&self) -> Result<Option<Replaces>, ParseError> {
        self.get(&HeaderName::Replaces).map(Replaces::parse).transpose()
    }

    /// Event (RFC 6665 §8.2.1).
    ///
    /// # Errors
    /// If it is malformed.
    pub fn event(&self) -> Result<Option<Event>, ParseError> {
        self.get(&HeaderName::Event).map(Event::parse).transpose()
    }

    /// Subscription-State (RFC 6665 §8.2.3).
    ///
    /// # Errors
    /// If it is malformed.
    pub fn subscription_state(&self) -> Result<Option<SubscriptionState>, ParseError> {
        self.get(&HeaderName::SubscriptionState).map(SubscriptionState::parse).transpose()
    }

    /// Every readable Reason (RFC 3326).
    pub fn reasons(&self) -> Vec<Reason> {
        self.values(&HeaderName::Reason).filter_map(|v| Reason::parse(v).ok()).collect()
    }

    /// Every readable Warning (RFC 3261 §20.43).
    pub fn warnings(&self) -> Vec<Warning> {
        self.values(&HeaderName::Warning).filter_map(|v| Warning::parse(v).ok()).collect()
    }

    /// Retry-After (RFC 3261 §20.33), if it is readable.
    pub fn retry_after(&self) -> Option<RetryAfter> {
        self.get(&HeaderName::RetryAfter).and_then(|v| RetryAfter::parse(v).ok())
    }

    /// True if Privacy asks for `kind`, such as `id` (RFC 3323, 3325).
    pub fn wants_privacy(&self, kind: &str) -> bool {
        self.all(&HeaderName::Privacy).flat_map(|v| v.split([';', ','])).any(|p| p.trim().eq_ignore_ascii_case(kind))
    }

    fn each<T>(&self, name: &HeaderName, parse: impl Fn(&str) -> Result<T, ParseError>) -> Result<Vec<T>, ParseError> {
        let mut list = Vec::new();
        for value in self.all_bytes(name) {
            let text = lossy(value);
            for one in elements(&text).filter(|v| !v.is_empty()) {
                list.push(parse(one)?);
            }
        }
        Ok(list)
    }
}

macro_rules! forward {
    ($($name:ident -> $result:ty, $doc:literal;)*) => {
        forward!(@on Request $($name -> $result, $doc;)*);
        forward!(@on Response $($name -> $result, $doc;)*);
    };
    (@on $type:ident $($name:ident -> $result:ty, $doc:literal;)*) => {
        impl $type {
            $(
                #[doc = $doc]
                ///
                /// # Errors
                /// If it is missing although mandatory, or malformed.
                pub fn $name(&self) -> $result {
                    self.headers.$name()
                }
            )*

            /// Call-ID; empty if it is missing or no UTF-8.
            pub fn call_id(&self) -> &str {
                self.headers.call_id()
            }

            /// Expires in seconds, see [`Headers::expires`].
            pub fn expires(&self) -> Option<u32> {
                self.headers.expires()
            }
        }
    };
}

forward! {
    via -> Result<Via, ParseError>, "The topmost Via.";
    from -> Result<NameAddr, ParseError>, "From.";
    to -> Result<NameAddr, ParseError>, "To.";
    cseq -> Result<CSeq, ParseError>, "CSeq.";
    contacts -> Result<Contacts, ParseError>, "Every Contact, or `*`.";
    max_forwards -> Result<Option<u8>, ParseError>, "Max-Forwards, `None` if it is missing.";
    route -> Result<Vec<NameAddr>, ParseError>, "Route, first hop first.";
    record_route -> Result<Vec<NameAddr>, ParseError>, "Record-Route in the order of the message.";
    content_type -> Result<Option<MediaType>, ParseError>, "Content-Type.";
}
