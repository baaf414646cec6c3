//! The registrar: who is where (RFC 3261 §10, RFC 5626 in part).
//!
//! A table machine. REGISTERs come in with their flow, answers and facts go
//! out; who may is judged in `auth`, what is bound is kept in `binding`. A
//! binding is a contact together with the flow its REGISTER came on: that is
//! how browsers and phones behind NATs are reached. It ends by expiry, by the
//! end of its connection, or by wish.

pub mod auth;
pub mod binding;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::headers;
use crate::base::{ConnectionId, Flow, Instant, Now, RealmId, Rng, limits};
use crate::guard::Offence;
use crate::sip::message::{Contacts, HeaderName, NameAddr, Request, Response, reason_phrase};
use crate::sip::transaction::ServerKey;
pub use auth::{User, Verdict};
pub use binding::Binding;
use binding::{Bindings, Change, Refused, interval};

/// All that [`Registrar::new`] needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// How each realm asks for credentials, by [`RealmId`].
    pub realms: Vec<auth::Realm>,
    /// Who may register and call.
    pub users: Vec<User>,
    /// Shortest registration; default 60 s. A refresh costs two round trips.
    pub min_expires: Duration,
    /// What who asks for nothing gets; default 300 s.
    pub default_expires: Duration,
    /// Longest registration; default 3600 s.
    pub max_expires: Duration,
    /// Value of Server.
    pub product: String,
    /// Signs nonces; the same for all engines of a node.
    pub nonce_secret: [u8; 32],
}

/// See the file's head.
pub struct Registrar {
    config: Config,
    authority: auth::Authority,
    bindings: Bindings,
    out: VecDeque<Output>,
}

/// What the registrar wants done or known.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer a REGISTER.
    Respond {
        /// Its transaction.
        key: ServerKey,
        /// The answer.
        response: Response,
    },
    /// Something that counts against a source.
    Offence {
        /// Where it came from.
        flow: Flow,
        /// What it was.
        offence: Offence,
    },
    /// A fact for the records, and for calls that wait for a user's return.
    Event(Event),
}

/// What happened to a registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The stamp of the input that caused it.
    pub at: Now,
    /// The user.
    pub user: String,
    /// What.
    pub kind: EventKind,
}

/// The kinds of [`Event`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A binding was made, or refreshed.
    Registered {
        /// Where the user is.
        flow: Flow,
        /// Which device, if it says so.
        instance: Option<String>,
        /// Seconds granted.
        expires_secs: u64,
        /// True if it was there before.
        refreshed: bool,
    },
    /// The user took a binding back.
    Unregistered {
        /// Where it was.
        flow: Flow,
    },
    /// A binding's time was over.
    Expired {
        /// Where it was.
        flow: Flow,
    },
    /// A binding's connection was closed.
    Lost {
        /// Where it was.
        flow: Flow,
    },
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(config: Config, mut rng: Rng) -> Self {
        let authority = auth::Authority::new(
            &config.realms,
            config.users.clone(),
            config.product.clone(),
            config.nonce_secret,
            &mut rng,
        );
        Self { config, authority, bindings: Bindings::default(), out: VecDeque::new() }
    }

    /// Judges who sent a request; see [`Verdict`].
    pub fn authenticate(&mut self, now: Now, realm: RealmId, request: &Request) -> Verdict {
        self.authority.judge(now, realm, request)
    }

    /// Takes a REGISTER.
    pub fn handle_register(&mut self, now: Now, key: ServerKey, flow: Flow, request: &Request) {
        if let Some(unknown) =
            Some(request.headers.unknown_options(&HeaderName::Require, &["path", "outbound", "gruu"]))
                .filter(|u| !u.is_empty())
        {
            let mut response = self.reply(request, 420);
            response.headers.push(HeaderName::Unsupported, headers::bounded(&unknown.join(", ")));
            return self.respond(key, response);
        }
        let response = match self.authority.judge(now, flow.realm, request) {
            Verdict::Accepted { user } => self.register(now, flow, request, &user),
            Verdict::Challenge(response) => {
                // Trying names; the answer does not tell, the count does.
                if request.to().is_ok_and(|to| !self.authority.knows(&to.uri.user_decoded())) {
                    self.out.push_back(Output::Offence { flow, offence: Offence::UnknownUser });
                }
                *response
            }
            Verdict::Refused { response, offence } => {
                if let Some(offence) = offence {
                    self.out.push_back(Output::Offence { flow, offence });
                }
                *response
            }
        };
        self.respond(key, response);
    }

    /// RFC 3261 §10.3 from step 5 on: all of a REGISTER's changes or none.
    fn register(&mut self, now: Now, flow: Flow, request: &Request, user: &str) -> Response {
        let Ok(contacts) = request.contacts() else { return self.reply(request, 400) };
        let Ok(cseq) = request.cseq() else { return self.reply(request, 400) };
        let expires = request.headers.expires();
        match contacts {
            Contacts::Star if expires != Some(0) => self.reply(request, 400),
            Contacts::Star => {
                for gone in self.bindings.remove_all(user) {
                    self.event(now, user, EventKind::Unregistered { flow: gone.flow });
                }
                self.list(now, request, user)
            }
            Contacts::List(list) => {
                if list.len() > limits::BINDINGS_PER_USER {
                    return self.reply(request, 403);
                }
                let make = |contact: &NameAddr| self.wish(now, flow, request, contact, expires, cseq.seq);
                let wishes: Result<Vec<Binding>, u64> = list.iter().map(make).collect();
                match wishes {
                    Ok(wishes) => self.change(now, request, user, wishes),
                    Err(min) => {
                        // §10.3 step 7, §21.4.17.
                        let mut response = self.reply(request, 423);
                        response.headers.push(HeaderName::MinExpires, min.to_string());
                        response
                    }
                }
            }
        }
    }

    /// The binding that a Contact asks for. `Err` holds the shortest interval.
    fn wish(
        &self,
        now: Now,
        flow: Flow,
        request: &Request,
        contact: &NameAddr,
        expires: Option<u32>,
        cseq: u32,
    ) -> Result<Binding, u64> {
        let c = &self.config;
        let asked = contact.expires().or(expires);
        let granted = interval(asked, c.min_expires, c.default_expires, c.max_expires)?;
        Ok(Binding {
            contact: contact.uri.clone(),
            flow,
            instance: contact.instance(),
            reg_id: contact.reg_id(),
            q: contact.q(),
            call_id: request.call_id().to_owned(),
            cseq,
            expires: now.mono + granted,
            registered: now,
            user_agent: request.headers.get(&HeaderName::UserAgent).map(headers::bounded),
        })
    }

    fn change(&mut self, now: Now, request: &Request, user: &str, wishes: Vec<Binding>) -> Response {
        for wish in wishes {
            let (flow, instance) = (wish.flow, wish.instance.clone());
            let expires_secs = wish.expires_secs(now);
            let done = if expires_secs == 0 {
                self.bindings.remove(user, &wish).map(|gone| gone.map(|b| EventKind::Unregistered { flow: b.flow }))
            } else {
                self.bindings.put(user, wish).map(|change| {
                    let refreshed = change == Change::Refreshed;
                    Some(EventKind::Registered { flow, instance, expires_secs, refreshed })
                })
            };
            match done {
                Ok(Some(kind)) => self.event(now, user, kind),
                Ok(None) => {}
                // §10.3 step 7: out of order is a server error, so that the client asks anew.
                Err(Refused::OldCSeq) => return self.reply(request, 500),
                Err(Refused::TooMany) => return self.reply(request, 503),
            }
        }
        self.list(now, request, user)
    }

    /// The 200 with every binding (§10.3 step 8).
    fn list(&self, now: Now, request: &Request, user: &str) -> Response {
        let mut response = self.reply(request, 200);
        for binding in self.bindings.of(user) {
            let mut contact = NameAddr::new(binding.contact.clone());
            contact.params.set("expires", &binding.expires_secs(now).to_string());
            if let Some(instance) = &binding.instance {
                contact.params.set("+sip.instance", &format!("<{instance}>"));
            }
            if let Some(reg_id) = binding.reg_id {
                contact.params.set("reg-id", &reg_id.to_string());
            }
            response.headers.push(HeaderName::Contact, contact.to_string());
        }
        response.headers.push(HeaderName::Date, headers::date(now));
        response
    }

    /// A user's bindings, the preferred first.
    pub fn bindings(&self, now: Now, user: &str) -> Vec<Binding> {
        self.bindings.of(user).into_iter().filter(|b| b.expires > now.mono).cloned().collect()
    }

    /// True if there is such a user.
    pub fn knows(&self, user: &str) -> bool {
        self.authority.knows(user)
    }

    /// The device registered on a connection.
    pub fn instance_on(&self, user: &str, connection: ConnectionId) -> Option<String> {
        self.bindings.of(user).into_iter().find(|b| b.flow.connection == connection)?.instance.clone()
    }

    /// Every binding with its user, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.bindings.iter()
    }

    /// Number of bindings.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// True without bindings.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// A connection is closed: what was bound over it is not reachable (RFC 5626 §4.2.2).
    pub fn handle_flow_closed(&mut self, now: Now, flow: &Flow) {
        for (user, gone) in self.bindings.remove_connection(flow.connection) {
            self.event(now, &user, EventKind::Lost { flow: gone.flow });
        }
    }

    /// Ends what has expired.
    pub fn handle_timeout(&mut self, now: Now) {
        for (user, gone) in self.bindings.expire(now) {
            self.event(now, &user, EventKind::Expired { flow: gone.flow });
        }
    }

    /// When `handle_timeout` is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.bindings.next_expiry()
    }

    /// Takes one output.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn reply(&self, request: &Request, status: u16) -> Response {
        let mut response = Response::to_request(request, status, reason_phrase(status));
        response.headers.push(HeaderName::Server, &self.config.product);
        response
    }

    fn respond(&mut self, key: ServerKey, response: Response) {
        self.out.push_back(Output::Respond { key, response });
    }

    fn event(&mut self, at: Now, user: &str, kind: EventKind) {
        self.out.push_back(Output::Event(Event { at, user: user.to_owned(), kind }));
    }
}
