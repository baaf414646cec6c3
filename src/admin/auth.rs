//! Who may do what over the admin API.
//!
//! The local socket is protected by its file mode and counts as admin. On
//! loopback without configured tokens everyone on the machine is admin too, as
//! with the socket; everywhere else a bearer token decides. A page on some
//! other site must not act through an operator's browser: requests that change
//! something need our own `Origin`, and the `Host` must be one of ours, which
//! stops DNS rebinding.

use std::sync::Arc;

use axum::http::{HeaderMap, Method, header};
use subtle::ConstantTimeEq;

use crate::base::redact::Secret;

/// What a client may do; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads, without addresses.
    Viewer,
    /// Reads all, hangs up, bans, drains.
    Operator,
    /// Everything.
    Admin,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Name for the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A configured bearer token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Name for the audit log.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token.
    pub secret: Secret,
}

/// The rules of one listener.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Accepted tokens; none means that everyone who reaches the listener is admin.
    pub tokens: Arc<[Token]>,
    /// Host names besides address literals and `localhost`; `None` for the local socket, which has no host.
    pub hosts: Option<Arc<[String]>>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No token, or a wrong one.
    Unauthorized,
    /// Sent through a page of another site, or to a name that is not ours.
    BadOrigin,
}

impl Gate {
    /// Judges a request.
    ///
    /// # Errors
    ///
    /// If it may not pass at all; whether the role suffices is the resource's matter.
    pub fn judge(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, Refused> {
        if let Some(hosts) = &self.hosts {
            let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
            if !is_ours(host, hosts) {
                return Err(Refused::BadOrigin);
            }
            let origin = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
            let reads = matches!(*method, Method::GET | Method::HEAD);
            let same = |o: &str| o.split_once("://").is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(host));
            if !reads && origin.is_some_and(|o| !same(o)) {
                return Err(Refused::BadOrigin);
            }
        }
        if self.tokens.is_empty() {
            return Ok(Caller { name: "local".into(), role: Role::Admin });
        }
        let given =
            headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
        let given = given.ok_or(Refused::Unauthorized)?.trim().as_bytes();
        // Every token is compared, so that time tells nothing about which one was close.
        let mut found = None;
        for token in self.tokens.iter() {
            if bool::from(token.secret.reveal().as_bytes().ct_eq(given)) {
                found = Some(Caller { name: token.name.clone(), role: token.role });
            }
        }
        found.ok_or(Refused::Unauthorized)
    }
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let literal = name.trim_start_matches('[').trim_end_matches(']');
    literal.parse::<std::net::IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|n| n.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect()
    }

    fn gate(tokens: &[(&str, Role)]) -> Gate {
        let tokens = tokens.iter().map(|(t, r)| Token { name: "noc".into(), role: *r, secret: Secret::new(*t) });
        Gate { tokens: tokens.collect(), hosts: Some(Arc::from(["sbc.example".to_owned()])) }
    }

    #[test]
    fn a_foreign_host_or_origin_is_refused() {
        let gate = gate(&[]);
        let judge = |m: Method, h: &HeaderMap| gate.judge(&m, h).map(|c| c.role);
        let host = |h: &'static str| headers(&[(header::HOST, h)]);
        assert_eq!(judge(Method::GET, &host("127.0.0.1:8080")), Ok(Role::Admin));
        assert_eq!(judge(Method::GET, &host("[::1]:8080")), Ok(Role::Admin));
        assert_eq!(judge(Method::GET, &host("SBC.example")), Ok(Role::Admin));
        assert_eq!(judge(Method::GET, &host("evil.example")), Err(Refused::BadOrigin));
        let evil = headers(&[(header::HOST, "127.0.0.1:8080"), (header::ORIGIN, "http://evil.example")]);
        assert_eq!(judge(Method::POST, &evil), Err(Refused::BadOrigin));
        let own = headers(&[(header::HOST, "127.0.0.1:8080"), (header::ORIGIN, "http://127.0.0.1:8080")]);
        assert_eq!(judge(Method::POST, &own), Ok(Role::Admin));
    }

    #[test]
    fn a_token_gives_its_role_and_nothing_else_does() {
        let gate = gate(&[("s3cret-viewer", Role::Viewer), ("s3cret-admin", Role::Admin)]);
        let with = |v: &'static str| headers(&[(header::HOST, "localhost"), (header::AUTHORIZATION, v)]);
        let judge = |h: &HeaderMap| gate.judge(&Method::GET, h).map(|c| c.role);
        assert_eq!(judge(&with("Bearer s3cret-viewer")), Ok(Role::Viewer));
        assert_eq!(judge(&with("Bearer s3cret-admin")), Ok(Role::Admin));
        assert_eq!(judge(&with("Bearer s3cret-admi")), Err(Refused::Unauthorized));
        assert_eq!(judge(&headers(&[(header::HOST, "localhost")])), Err(Refused::Unauthorized));
    }
}
