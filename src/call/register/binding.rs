//! Bindings: which contacts and flows an address-of-record is reached at.
//!
//! RFC 3261 §10.3 for what a REGISTER changes, RFC 5626 §4 for the flow a
//! binding keeps and for the instance that replaces its own older bindings.
//! A table with deadlines: bindings go by expiry, by the end of their
//! connection or by the user's wish. It writes no messages and judges no
//! credentials.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{ConnectionId, Deadlines, Flow, Instant, Now, limits};
use crate::sip::message::Uri;

/// One contact of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The address the user gave; a browser's is no address at all (RFC 7118 §5).
    pub contact: Uri,
    /// Where its REGISTER came from: requests go back there.
    pub flow: Flow,
    /// `+sip.instance` of RFC 5626 §4.1.
    pub instance: Option<String>,
    /// `reg-id` of RFC 5626 §4.2.
    pub reg_id: Option<u32>,
    /// `q` in thousandths.
    pub q: u16,
    /// Call-ID of the REGISTER that made or refreshed it.
    pub call_id: String,
    /// Its CSeq.
    pub cseq: u32,
    /// When it ends.
    pub expires: Instant,
    /// When it was made.
    pub registered: Now,
    /// User-Agent of the REGISTER.
    pub user_agent: Option<String>,
}

impl Binding {
    /// Seconds left, rounded up.
    pub fn expires_secs(&self, now: Now) -> u64 {
        self.expires.since(now.mono).as_millis().div_ceil(1000) as u64
    }

    /// RFC 5626 §4.2 and §6: the same instance and registration number, or the
    /// same URI where there is no instance.
    fn replaces(&self, other: &Self) -> bool {
        match (&self.instance, &other.instance) {
            (Some(a), Some(b)) => a == b && self.reg_id == other.reg_id,
            (None, None) => self.contact.equivalent(&other.contact),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// Why a change was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// RFC 3261 §10.3 step 7: same Call-ID and a CSeq that is not higher.
    OldCSeq,
    /// A bound was reached.
    TooMany,
}

/// What became of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there for the first time.
    Added,
    /// It was there and has a later end, maybe another flow.
    Refreshed,
}

/// All bindings.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    by_user: BTreeMap<String, Vec<Binding>>,
    by_connection: HashMap<ConnectionId, BTreeSet<String>>,
    deadlines: Deadlines<String>,
    count: usize,
}

impl Bindings {
    /// Adds or refreshes one binding.
    ///
    /// # Errors
    /// See [`Refused`]; nothing has changed then.
    pub fn put(&mut self, user: &str, binding: Binding) -> Result<Change, Refused> {
        let list = self.by_user.entry(user.to_owned()).or_default();
        let old = list.iter().position(|b| binding.replaces(b));
        let refused = match old {
            Some(at) if list[at].call_id == binding.call_id && list[at].cseq >= binding.cseq => Some(Refused::OldCSeq),
            Some(_) => None,
            None if list.len() >= limits::BINDINGS_PER_USER || self.count >= limits::BINDINGS => Some(Refused::TooMany),
            None => None,
        };
        if let Some(refused) = refused {
            if list.is_empty() {
                self.by_user.remove(user);
            }
            return Err(refused);
        }
        if binding.flow.connection != ConnectionId::default() {
            self.by_connection.entry(binding.flow.connection).or_default().insert(user.to_owned());
        }
        let change = match old {
            Some(at) => {
                let registered = list[at].registered;
                list[at] = Binding { registered, ..binding };
                Change::Refreshed
            }
            None => {
                list.push(binding);
                self.count += 1;
                Change::Added
            }
        };
        self.arm(user);
        Ok(change)
    }

    /// Removes the binding that `contact` (or its instance) names; what is not
    /// there is no error (RFC 3261 §10.3 step 7).
    ///
    /// # Errors
    /// [`Refused::OldCSeq`].
    pub fn remove(&mut self, user: &str, like: &Binding) -> Result<Option<Binding>, Refused> {
        let Some(list) = self.by_user.get_mut(user) else { return Ok(None) };
        let Some(at) = list.iter().position(|b| like.replaces(b)) else { return Ok(None) };
        if list[at].call_id == like.call_id && list[at].cseq >= like.cseq {
            return Err(Refused::OldCSeq);
        }
        let gone = list.remove(at);
        self.count -= 1;
        self.arm(user);
        Ok(Some(gone))
    }

    /// Removes all bindings of a user, for `Contact: *`.
    pub fn remove_all(&mut self, user: &str) -> Vec<Binding> {
        let gone = self.by_user.remove(user).unwrap_or_default();
        self.count -= gone.len();
        self.deadlines.stop(&user.to_owned());
        gone
    }

    /// Removes the bindings that came over a connection which is closed.
    pub fn remove_connection(&mut self, connection: ConnectionId) -> Vec<(String, Binding)> {
        let mut gone = Vec::new();
        for user in self.by_connection.remove(&connection).unwrap_or_default() {
            self.take_where(&user, |b| b.flow.connection == connection, &mut gone);
        }
        gone
    }

    /// Removes what has expired.
    pub fn expire(&mut self, now: Now) -> Vec<(String, Binding)> {
        let mut gone = Vec::new();
        while let Some(user) = self.deadlines.pop(now.mono) {
            self.take_where(&user, |b| b.expires <= now.mono, &mut gone);
        }
        gone
    }

    /// A user's bindings: higher `q` first, then the newest.
    pub fn of(&self, user: &str) -> Vec<&Binding> {
        let mut list: Vec<_> = self.by_user.get(user).into_iter().flatten().collect();
        list.sort_by_key(|b| (std::cmp::Reverse(b.q), std::cmp::Reverse(b.registered.mono)));
        list
    }

    /// The users, by name, with their bindings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.by_user.iter().flat_map(|(user, list)| list.iter().map(move |b| (user.as_str(), b)))
    }

    /// The user whose binding lives on this connection.
    pub fn user_on(&self, connection: ConnectionId) -> Option<&str> {
        self.by_connection.get(&connection)?.iter().next().map(String::as_str)
    }

    /// When the next binding ends.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Number of bindings.
    pub fn len(&self) -> usize {
        self.count
    }

    /// True without bindings.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn take_where(&mut self, user: &str, which: impl Fn(&Binding) -> bool, gone: &mut Vec<(String, Binding)>) {
        let Some(list) = self.by_user.get_mut(user) else { return };
        let (out, stay): (Vec<_>, Vec<_>) = std::mem::take(list).into_iter().partition(which);
        *list = stay;
        self.count -= out.len();
        gone.extend(out.into_iter().map(|b| (user.to_owned(), b)));
        self.arm(user);
    }

    /// Sets the user's deadline to the first of his bindings, and forgets a user without any.
    fn arm(&mut self, user: &str) {
        let key = user.to_owned();
        match self.by_user.get(user).and_then(|list| list.iter().map(|b| b.expires).min()) {
            Some(first) => self.deadlines.set(key, first),
            None => {
                self.deadlines.stop(&key);
                self.by_user.remove(user);
            }
        }
    }
}

/// The interval to grant (RFC 3261 §10.3 step 7): the Contact's, else the
/// Expires header's, else the default; never above the maximum. `Err` holds
/// the minimum if it is too brief; 0 is a removal and always allowed.
pub fn interval(asked: Option<u32>, min: Duration, default: Duration, max: Duration) -> Result<Duration, u64> {
    match asked {
        None => Ok(default),
        Some(0) => Ok(Duration::ZERO),
        Some(secs) if u64::from(secs) < min.as_secs() => Err(min.as_secs()),
        Some(secs) => Ok(Duration::from_secs(u64::from(secs)).min(max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{RealmId, Transport};

    fn binding(contact: &str, connection: u64, cseq: u32, at_secs: u64) -> Binding {
        let address = "192.0.2.1:5060".parse().expect("address");
        let flow = Flow {
            transport: Transport::Ws,
            realm: RealmId(0),
            local: address,
            remote: address,
            connection: ConnectionId(connection),
        };
        let registered = Now::from_millis(at_secs * 1000, at_secs * 1000);
        Binding {
            contact: Uri::parse(contact).expect("uri"),
            flow,
            instance: None,
            reg_id: None,
            q: 1000,
            call_id: "one".to_owned(),
            cseq,
            expires: registered.mono + Duration::from_secs(60),
            registered,
            user_agent: None,
        }
    }

    #[test]
    fn a_repeated_cseq_changes_nothing() {
        let mut b = Bindings::default();
        assert_eq!(b.put("al", binding("sip:a@x", 1, 5, 0)), Ok(Change::Added));
        assert_eq!(b.put("al", binding("sip:a@x", 1, 5, 1)), Err(Refused::OldCSeq));
        assert_eq!(b.put("al", binding("sip:a@x", 1, 6, 1)), Ok(Change::Refreshed));
        assert_eq!(b.remove("al", &binding("sip:a@x", 1, 6, 1)), Err(Refused::OldCSeq));
        assert_eq!(b.len(), 1);
    }

    #[test]
    fn the_same_instance_replaces_its_old_flow() {
        let mut b = Bindings::default();
        let with = |contact, connection, cseq| Binding {
            instance: Some("urn:uuid:1".to_owned()),
            reg_id: Some(1),
            ..binding(contact, connection, cseq, 0)
        };
        b.put("al", with("sip:r1@h.invalid", 1, 1)).expect("added");
        b.put("al", with("sip:r2@h.invalid", 2, 2)).expect("refreshed");
        assert_eq!(b.of("al").len(), 1);
        assert!(b.remove_connection(ConnectionId(1)).is_empty());
        assert_eq!(b.remove_connection(ConnectionId(2)).len(), 1);
        assert!(b.is_empty() && b.next_expiry().is_none());
    }

    #[test]
    fn bindings_end_when_their_time_is_over() {
        let mut b = Bindings::default();
        b.put("al", binding("sip:a@x", 1, 1, 0)).expect("added");
        b.put("al", binding("sip:b@x", 2, 1, 30)).expect("added");
        assert_eq!(b.next_expiry(), Some(Instant::from_millis(60_000)));
        assert_eq!(b.expire(Now::from_millis(60_000, 0)).len(), 1);
        assert_eq!(b.next_expiry(), Some(Instant::from_millis(90_000)));
        assert_eq!(b.of("al")[0].contact.to_string(), "sip:b@x");
    }

    #[test]
    fn a_user_cannot_fill_the_table() {
        let mut b = Bindings::default();
        for n in 0..limits::BINDINGS_PER_USER {
            b.put("al", binding(&format!("sip:{n}@x"), 1, 1, 0)).expect("room");
        }
        assert_eq!(b.put("al", binding("sip:more@x", 1, 1, 0)), Err(Refused::TooMany));
        assert_eq!(b.remove_all("al").len(), limits::BINDINGS_PER_USER);
    }

    #[test]
    fn intervals_keep_their_bounds() {
        let s = Duration::from_secs;
        let grant = |asked| interval(asked, s(60), s(300), s(3600));
        assert_eq!(grant(None), Ok(s(300)));
        assert_eq!(grant(Some(0)), Ok(s(0)));
        assert_eq!(grant(Some(59)), Err(60));
        assert_eq!(grant(Some(86_400)), Ok(s(3600)));
    }
}
