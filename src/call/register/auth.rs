//! Who is it? Digest for the users of the configuration.
//!
//! One digest server a realm, as each has its own name in the challenge. A
//! user that does not exist and a wrong password are the same from outside:
//! the same challenge, the same 403, the same work (RFC 3261 §22.4, NUMBERS,
//! attack 5). REGISTER and INVITE are judged alike.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::redact::Secret;
use crate::base::{Now, RealmId, Rng};
use crate::guard::Offence;
use crate::sip::digest::{self, Algorithm, Server};
use crate::sip::message::{HeaderName, Method, Request, Response, reason_phrase};

/// A user who may register and call.
#[derive(Clone, Debug)]
pub struct User {
    /// Name in digest and user part of the address-of-record.
    pub name: String,
    /// Never printed.
    pub password: Secret,
    /// Realms the user may come from; empty: any.
    pub realms: Vec<RealmId>,
}

/// What a request proved.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is this user.
    Accepted {
        /// The name.
        user: String,
    },
    /// Nothing yet: the challenge to answer with.
    Challenge(Box<Response>),
    /// It is refused with this answer.
    Refused {
        /// The answer.
        response: Box<Response>,
        /// What counts against the source.
        offence: Option<Offence>,
    },
}

/// How a realm asks for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// The digest realm.
    pub name: String,
    /// One challenge for each, in this order (RFC 8760 §2.4: the best first). Many phones give up at the first challenge
    /// whose algorithm they do not know instead of passing over it.
    pub algorithms: Vec<Algorithm>,
}

impl Realm {
    /// Asks with SHA-256 and with MD5.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), algorithms: vec![Algorithm::Sha256, Algorithm::Md5] }
    }
}

/// Judges credentials.
pub struct Authority {
    users: BTreeMap<String, User>,
    servers: Vec<Server>,
    product: String,
}

impl Authority {
    /// Digest servers for realms by these names, indexed by [`RealmId`].
    pub fn new(realms: &[Realm], users: Vec<User>, product: String, secret: [u8; 32], rng: &mut Rng) -> Self {
        let server = |realm: &Realm| {
            let config = digest::Config {
                realm: realm.name.clone(),
                algorithms: realm.algorithms.clone(),
                nonce_lifetime: NONCE_LIFETIME,
                without_qop: true,
            };
            Server::new(config, secret, rng.fork())
        };
        Self {
            servers: realms.iter().map(server).collect(),
            users: users.into_iter().map(|u| (u.name.clone(), u)).collect(),
            product,
        }
    }

    /// True if there is such a user.
    pub fn knows(&self, user: &str) -> bool {
        self.users.contains_key(user)
    }

    /// Judges a request from a realm.
    pub fn judge(&mut self, now: Now, realm: RealmId, request: &Request) -> Verdict {
        // RFC 3261 §22.2 and §22.3: a registrar and a UAS ask with 401, a proxy with 407;
        // to an INVITE a border element is a proxy, and clients answer either.
        let register = request.method == Method::Register;
        let (status, ask, answer) = if register {
            (401, HeaderName::WwwAuthenticate, HeaderName::Authorization)
        } else {
            (407, HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization)
        };
        let Some(server) = self.servers.get_mut(usize::from(realm.0)) else {
            return Verdict::Refused { response: self.reply(request, 500), offence: None };
        };
        let users = &self.users;
        let allowed = |name: &str| users.get(name).filter(|u| u.realms.is_empty() || u.realms.contains(&realm));
        match server.check(now, request, &answer, |name| allowed(name).map(|u| &u.password)) {
            digest::Verdict::Proved { username } => self.own_address(request, username),
            verdict @ (digest::Verdict::Missing | digest::Verdict::Stale) => {
                let mut response = *self.reply(request, status);
                let stale = verdict == digest::Verdict::Stale;
                if let Some(server) = self.servers.get_mut(usize::from(realm.0)) {
                    server.challenge(now, &mut response, &ask, stale);
                }
                Verdict::Challenge(Box::new(response))
            }
            digest::Verdict::Wrong => {
                Verdict::Refused { response: self.reply(request, 403), offence: Some(Offence::AuthFailure) }
            }
            digest::Verdict::Malformed(_) => {
                Verdict::Refused { response: self.reply(request, 400), offence: Some(Offence::Malformed) }
            }
        }
    }

    /// RFC 3261 §10.3 step 3 and §22.1: a user registers and calls as himself.
    fn own_address(&self, request: &Request, user: String) -> Verdict {
        let claimed = if request.method == Method::Register { request.to() } else { request.from() };
        let same = claimed.is_ok_and(|a| a.uri.user_decoded() == user);
        let anonymous = request.method != Method::Register && request.from().is_ok_and(|f| is_anonymous(&f.uri));
        if same || anonymous {
            Verdict::Accepted { user }
        } else {
            Verdict::Refused { response: self.reply(request, 403), offence: Some(Offence::Unauthorised) }
        }
    }

    fn reply(&self, request: &Request, status: u16) -> Box<Response> {
        let mut response = Response::to_request(request, status, reason_phrase(status));
        response.headers.push(HeaderName::Server, &self.product);
        Box::new(response)
    }
}

/// RFC 3323 §4.1.1.3: the From of one who does not want to be known.
fn is_anonymous(uri: &crate::sip::message::Uri) -> bool {
    uri.user.as_deref().is_some_and(|u| u.eq_ignore_ascii_case("anonymous"))
}

/// How long a nonce may be used: long enough for a call and its BYE, short enough to be no password.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
