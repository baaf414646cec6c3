//! Event and Subscription-State (RFC 6665 §8.2).

use std::fmt;

use super::contact::seconds;
use super::params::Params;
use super::scan::Scan;
use super::text::Text;
use crate::sip::error::ParseError;

/// An event package with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// `refer`, `dialog`, `message-summary`; compared without case.
    pub package: Text,
    /// Parameters such as `id`.
    pub params: Params,
}

impl Event {
    /// Reads an Event.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let (package, params) = token_and_params(s, "bad Event")?;
        Ok(Self { package, params })
    }

    /// The `id` parameter.
    pub fn id(&self) -> Option<&str> {
        self.params.get("id")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params)
    }
}

/// The state of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// `active`, `pending`, `terminated` or an extension.
    pub state: Text,
    /// Parameters: `expires`, `reason`, `retry-after`.
    pub params: Params,
}

impl SubscriptionState {
    /// Reads a Subscription-State.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(s: &str) -> Result<Self, ParseError> {
        let (state, params) = token_and_params(s, "bad Subscription-State")?;
        Ok(Self { state, params })
    }

    /// True if no further NOTIFY comes.
    pub fn is_terminated(&self) -> bool {
        self.state.eq_ignore_ascii_case("terminated")
    }

    /// Seconds left, if it is said.
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").and_then(seconds)
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.state, self.params)
    }
}

fn token_and_params(s: &str, what: &'static str) -> Result<(Text, Params), ParseError> {
    let mut scan = Scan::new(s);
    scan.blanks();
    let token = scan.token(what)?;
    let params = Params::scan(&mut scan)?;
    if scan.at_end() { Ok((token.into(), params)) } else { Err(scan.fail(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_package_and_state() {
        let e = Event::parse("refer;id=93809824").expect("well-formed");
        assert_eq!((e.package.as_str(), e.id()), ("refer", Some("93809824")));
        let s = SubscriptionState::parse("Terminated;reason=noresource").expect("well-formed");
        assert!(s.is_terminated() && s.expires().is_none());
        assert_eq!(SubscriptionState::parse("active;expires=60").expect("well-formed").expires(), Some(60));
        assert!(Event::parse("").is_err() && Event::parse("a b").is_err());
    }
}
