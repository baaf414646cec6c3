//! Digest authentication: RFC 7616, 2617 and 8760.
//!
//! The [`Server`] gives out nonces it recognises by their MAC without having
//! stored them; it remembers a nonce only after it proved a password, to see
//! replays, and that memory is bounded. An unknown user costs the same
//! work and gets the same answer as a wrong password. [`answer`] is the client: it puts
//! credentials into the request that was challenged. Whether a challenger may
//! have an answer at all is for the owner of the credentials to decide.
//! `auth-int`, `-sess` and `userhash` are neither offered nor answered.

use std::collections::BTreeMap;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};
use subtle::ConstantTimeEq;

use super::message::{Challenge, Credentials, HeaderName, Request, Response, Uri};
use crate::base::redact::Secret;
use crate::base::{Now, Rng, limits};

/// A digest algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Algorithm {
    /// RFC 2617; weak, and all that many phones know.
    #[serde(rename = "MD5")]
    Md5,
    /// RFC 7616 and 8760.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// RFC 7616 and 8760.
    #[serde(rename = "SHA-512-256")]
    Sha512_256,
}

impl Algorithm {
    /// The name in a header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The algorithm of that name; none named is MD5 (RFC 7616 §3.3).
    fn named(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        [Self::Md5, Self::Sha256, Self::Sha512_256].into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// The digest of the parts with colons between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(&Sha256::digest(text.as_bytes())),
            Self::Sha512_256 => hex(&Sha512_256::digest(text.as_bytes())),
        }
    }
}

/// Everything that goes into a response value (RFC 7616 §3.4.1).
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// User name, unquoted.
    pub username: &'a str,
    /// Realm, unquoted.
    pub realm: &'a str,
    /// The shared secret.
    pub password: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The `uri` parameter as written.
    pub uri: &'a str,
    /// The nonce, unquoted.
    pub nonce: &'a str,
    /// `nc` and `cnonce` as written if `qop=auth`; `None` for RFC 2069.
    pub auth: Option<(&'a str, &'a str)>,
}

impl Proof<'_> {
    /// The `response` value in lower-case hexadecimal.
    pub fn response(&self) -> String {
        let ha1 = self.algorithm.hash(&[self.username, self.realm, self.password]);
        let ha2 = self.algorithm.hash(&[self.method, self.uri]);
        match self.auth {
            Some((nc, cnonce)) => self.algorithm.hash(&[&ha1, self.nonce, nc, cnonce, "auth", &ha2]),
            None => self.algorithm.hash(&[&ha1, self.nonce, &ha2]),
        }
    }
}

/// What a server asks for.
#[derive(Clone, Debug)]
pub struct Config {
    /// The realm in the challenge.
    pub realm: String,
    /// Algorithms offered and accepted, the preferred one first (RFC 8760 §2.3).
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce may be used.
    pub nonce_lifetime: Duration,
    /// Takes MD5 without `qop` (RFC 2069); such a nonce is good for one request.
    pub without_qop: bool,
}

/// What a request proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The user's password, with a fresh nonce.
    Proved {
        /// User name, unquoted.
        username: String,
    },
    /// Nothing: no credentials for our realm and algorithms. Challenge it.
    Missing,
    /// The password, with a nonce that is old, foreign or used before.
    /// Challenge with `stale`; the user need not be asked again.
    Stale,
    /// Nothing, with an unknown user or a wrong password: count it.
    Wrong,
    /// Nothing; the credentials make no sense. Answer 400.
    Malformed(&'static str),
}

/// The server's side.
pub struct Server {
    config: Config,
    secret: [u8; 32],
    rng: Rng,
    used: BTreeMap<Nonce, Uses>,
    /// Nonces up to here were forgotten and are stale.
    floor: Option<Nonce>,
}

/// A nonce of ours: when it was made, and which it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Nonce {
    made_ms: u64,
    serial: u64,
}

/// The nonce counts seen: the highest, and the 64 up to it as bits.
#[derive(Clone, Copy)]
struct Uses {
    highest: u32,
    window: u64,
}

impl Server {
    /// A server. Engines that share `secret` recognise each other's nonces.
    pub fn new(config: Config, secret: [u8; 32], rng: Rng) -> Self {
        Self { config, secret, rng, used: BTreeMap::new(), floor: None }
    }

    /// Adds one challenge for each algorithm to a 401 (`WwwAuthenticate`) or
    /// 407 (`ProxyAuthenticate`), the preferred one on top (RFC 8760 §2.4).
    pub fn challenge(&mut self, now: Now, response: &mut Response, header: &HeaderName, stale: bool) {
        let nonce = Nonce { made_ms: now.mono.as_millis(), serial: self.rng.u64() };
        let text = self.write(nonce);
        for algorithm in &self.config.algorithms {
            let mut c = Challenge::digest();
            c.params.push("realm", &self.config.realm);
            c.params.push("nonce", &text);
            if stale {
                c.params.push("stale", "true");
            }
            c.params.push("algorithm", algorithm.name());
            c.params.push("qop", "auth");
            response.headers.push(header.clone(), c.to_string());
        }
    }

    /// Judges the credentials of `request` in `header`: `Authorization` or
    /// `ProxyAuthorization`. `password` looks a user name up.
    pub fn check<'p>(
        &mut self,
        now: Now,
        request: &Request,
        header: &HeaderName,
        password: impl FnOnce(&str) -> Option<&'p Secret>,
    ) -> Verdict {
        let all = request.headers.credentials(header);
        let Some((algorithm, given)) = all.iter().find_map(|c| Some((self.ours(c)?, c))) else {
            return Verdict::Missing;
        };
        let get = |name| given.params.get(name);
        let (Some(username), Some(nonce), Some(uri), Some(response)) =
            (get("username"), get("nonce"), get("uri"), get("response"))
        else {
            return Verdict::Malformed("incomplete credentials");
        };
        // RFC 7616 §3.4.6: a digest over another URI is no consent to this request.
        if !same_target(uri, &request.uri) {
            return Verdict::Malformed("digest uri is not the Request-URI");
        }
        let (nc, auth) = match (get("qop"), get("nc"), get("cnonce")) {
            (Some(qop), Some(nc), Some(cnonce)) if qop.eq_ignore_ascii_case("auth") => match nonce_count(nc) {
                Some(count) => (Some(count), Some((nc, cnonce))),
                None => return Verdict::Malformed("bad nonce count"),
            },
            (None, _, _) if self.config.without_qop && algorithm == Algorithm::Md5 => (None, None),
            _ => return Verdict::Malformed("bad qop"),
        };
        let known = password(username);
        let proof = Proof {
            algorithm,
            username,
            realm: &self.config.realm,
            // A user that does not exist costs the same time.
            password: known.map_or("", Secret::reveal),
            method: request.method.as_str(),
            uri,
            nonce,
            auth,
        };
        let right = proof.response().as_bytes().ct_eq(response.to_ascii_lowercase().as_bytes());
        if !(bool::from(right) & known.is_some()) {
            return Verdict::Wrong;
        }
        match self.read(nonce) {
            Some(nonce) if self.first_use(now, nonce, nc) => Verdict::Proved { username: username.to_owned() },
            Some(_) | None => Verdict::Stale,
        }
    }

    /// The algorithm of Digest credentials for our realm that we accept.
    fn ours(&self, c: &Credentials) -> Option<Algorithm> {
        if !c.scheme.eq_ignore_ascii_case("Digest") || c.params.get("realm") != Some(self.config.realm.as_str()) {
            return None;
        }
        Algorithm::named(c.params.get("algorithm")).filter(|a| self.config.algorithms.contains(a))
    }

    /// True if the nonce is fresh and this count was not seen with it.
    fn first_use(&mut self, now: Now, nonce: Nonce, nc: Option<u32>) -> bool {
        let lifetime = self.config.nonce_lifetime.as_millis() as u64;
        let now_ms = now.mono.as_millis();
        let expired = |n: &Nonce| now_ms.saturating_sub(n.made_ms) > lifetime;
        while let Some((oldest, _)) = self.used.first_key_value() {
            if self.used.len() < limits::DIGEST_NONCES && !expired(oldest) {
                break;
            }
            self.floor = self.used.pop_first().map(|(n, _)| n);
        }
        if expired(&nonce) || nonce.made_ms > now_ms || self.floor.is_some_and(|f| nonce <= f) {
            return false;
        }
        // Without a count one use is all that can be told from a replay.
        let count = nc.unwrap_or(u32::MAX);
        match self.used.get_mut(&nonce) {
            Some(uses) => uses.first(count),
            None => {
                self.used.insert(nonce, Uses { highest: count, window: 1 });
                true
            }
        }
    }

    fn write(&self, nonce: Nonce) -> String {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&nonce.made_ms.to_be_bytes());
        bytes[8..16].copy_from_slice(&nonce.serial.to_be_bytes());
        bytes[16..].copy_from_slice(&self.mac(nonce));
        hex(&bytes)
    }

    fn read(&self, text: &str) -> Option<Nonce> {
        let bytes: [u8; 32] = unhex(text)?;
        let number = |at: usize| bytes[at..at + 8].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let nonce = Nonce { made_ms: number(0), serial: number(8) };
        bool::from(self.mac(nonce).ct_eq(&bytes[16..])).then_some(nonce)
    }

    fn mac(&self, nonce: Nonce) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes a key of any length");
        mac.update(&nonce.made_ms.to_be_bytes());
        mac.update(&nonce.serial.to_be_bytes());
        mac.update(self.config.realm.as_bytes());
        let whole = mac.finalize().into_bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}

/// No secret and no state.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("realm", &self.config.realm)
            .field("used", &self.used.len())
            .finish_non_exhaustive()
    }
}

impl Uses {
    /// Notes a count; false if it was seen or is too old to tell. Requests in
    /// flight together may arrive in another order than they were counted.
    fn first(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.window = self.window.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1u64.checked_shl(self.highest - count).unwrap_or(0);
        let first = bit != 0 && self.window & bit == 0;
        self.window |= bit;
        first
    }
}

/// A user and password for the challenges of one peer.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// The only realm to answer; `None` answers any.
    pub realm: Option<String>,
}

/// Why a challenge was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// No challenge for our realm with an algorithm and `qop` we know.
    #[error("no challenge that could be answered")]
    NoChallenge,
    /// The request already had an answer and the nonce is not stale: the
    /// password is wrong, and asking again would only lock the account.
    #[error("credentials refused")]
    Refused,
}

/// Puts the answer to a 401 or 407 into `request`, which is what was
/// challenged; CSeq and branch are the caller's to renew. `cnonce` is a fresh
/// random token. The first challenge that we can answer counts (RFC 8760 §2.4).
///
/// # Errors
/// [`Unanswerable`]; the request is unchanged then.
pub fn answer(response: &Response, request: &mut Request, login: &Login, cnonce: &str) -> Result<(), Unanswerable> {
    let (from, to) = if response.status == 407 {
        (HeaderName::ProxyAuthenticate, HeaderName::ProxyAuthorization)
    } else {
        (HeaderName::WwwAuthenticate, HeaderName::Authorization)
    };
    let challenges = response.headers.challenges(&from);
    let Some((challenge, algorithm, realm, nonce)) = challenges.iter().find_map(|c| answerable(c, login)) else {
        return Err(Unanswerable::NoChallenge);
    };
    let stale = challenge.params.get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true"));
    let before = request.headers.credentials(&to);
    if !stale && before.iter().any(|c| c.params.get("realm") == Some(realm)) {
        return Err(Unanswerable::Refused);
    }
    let uri = request.uri.to_string();
    // RFC 7616 §3.4: without `qop` in the challenge, RFC 2069.
    let auth = challenge.params.get("qop").map(|_| (FIRST_USE, cnonce));
    let method = request.method.as_str();
    let proof = Proof {
        algorithm,
        username: &login.username,
        realm,
        password: login.password.reveal(),
        method,
        uri: &uri,
        nonce,
        auth,
    };
    let mut c = Credentials::digest();
    let fields = [("username", login.username.as_str()), ("realm", realm), ("nonce", nonce), ("uri", &uri)];
    fields.iter().for_each(|(name, value)| c.params.push(name, value));
    c.params.push("response", &proof.response());
    if challenge.params.get("algorithm").is_some() {
        c.params.push("algorithm", algorithm.name());
    }
    if let Some((nc, cnonce)) = auth {
        c.params.push("cnonce", cnonce);
        c.params.push("qop", "auth");
        c.params.push("nc", nc);
    }
    if let Some(opaque) = challenge.params.get("opaque") {
        c.params.push("opaque", opaque);
    }
    // Answers for other realms on the way stay (RFC 3261 §22.3).
    request.headers.remove(&to);
    for other in before.iter().filter(|c| c.params.get("realm") != Some(realm)) {
        request.headers.push(to.clone(), other.to_string());
    }
    request.headers.push(to, c.to_string());
    Ok(())
}

fn answerable<'c>(c: &'c Challenge, login: &Login) -> Option<(&'c Challenge, Algorithm, &'c str, &'c str)> {
    let algorithm = Algorithm::named(c.params.get("algorithm"))?;
    let (realm, nonce) = (c.params.get("realm")?, c.params.get("nonce")?);
    let qop = c.params.get("qop").is_none_or(|q| q.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")));
    let ours = login.realm.as_deref().is_none_or(|r| r == realm);
    (c.scheme.eq_ignore_ascii_case("Digest") && qop && ours).then_some((c, algorithm, realm, nonce))
}

/// True if the `uri` parameter names the target of the request. Port and
/// parameters may differ: phones write them with less care than the start line.
fn same_target(text: &str, uri: &Uri) -> bool {
    Uri::parse(text).is_ok_and(|given| {
        given.equivalent(uri)
            || given.is_sip() && uri.is_sip() && given.user_decoded() == uri.user_decoded() && given.host == uri.host
    })
}

/// RFC 7616 §3.4: eight hexadecimal digits; zero is not a count.
fn nonce_count(nc: &str) -> Option<u32> {
    let digits = nc.len() == 8 && nc.bytes().all(|c| c.is_ascii_hexdigit());
    u32::from_str_radix(nc, 16).ok().filter(|n| digits && *n > 0)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|d| char::from(DIGITS[usize::from(d)])).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (to, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *to = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(out)
}

/// A nonce is answered once.
const FIRST_USE: &str = "00000001";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;

    fn server(algorithms: &[Algorithm]) -> Server {
        let config = Config {
            realm: "example.com".into(),
            algorithms: algorithms.to_vec(),
            nonce_lifetime: Duration::from_secs(300),
            without_qop: true,
        };
        Server::new(config, [7; 32], Rng::from_number(1))
    }

    fn register() -> Request {
        let mut r = Request::new(Method::Register, Uri::parse("sip:example.com").expect("URI"));
        r.headers.push(HeaderName::CallId, "1");
        r
    }

    fn login(password: &str) -> Login {
        Login { username: "alice".into(), password: Secret::new(password), realm: None }
    }

    fn at(secs: u64) -> Now {
        Now::from_millis(secs * 1000, 0)
    }

    /// A challenge of `server`, answered with `password`.
    fn answered(server: &mut Server, now: Now, password: &str) -> Request {
        let mut request = register();
        let mut response = Response::to_request(&request, 401, "");
        server.challenge(now, &mut response, &HeaderName::WwwAuthenticate, false);
        answer(&response, &mut request, &login(password), "c0ffee").expect("answerable");
        request
    }

    fn check(server: &mut Server, now: Now, request: &Request) -> Verdict {
        let secret = Secret::new("sesame");
        server.check(now, request, &HeaderName::Authorization, |user| (user == "alice").then_some(&secret))
    }

    fn proved() -> Verdict {
        Verdict::Proved { username: "alice".into() }
    }

    #[test]
    fn every_algorithm_proves_a_password_once() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
            let mut s = server(&[algorithm]);
            assert_eq!(check(&mut s, at(0), &register()), Verdict::Missing);
            let request = answered(&mut s, at(0), "sesame");
            assert_eq!(check(&mut s, at(1), &request), proved());
            assert_eq!(check(&mut s, at(1), &request), Verdict::Stale, "a replay");
        }
    }

    #[test]
    fn the_first_algorithm_the_client_knows_is_used() {
        let mut s = server(&[Algorithm::Sha256, Algorithm::Md5]);
        let request = answered(&mut s, at(0), "sesame");
        let value = request.headers.get(&HeaderName::Authorization).expect("answered");
        assert!(
            value.contains("algorithm=SHA-256") && value.contains("nc=00000001") && value.contains("qop=auth"),
            "{value}"
        );
    }

    #[test]
    fn wrong_password_and_unknown_user_look_alike_and_leave_no_state() {
        let mut s = server(&[Algorithm::Sha256]);
        let wrong = answered(&mut s, at(0), "guess");
        assert_eq!(check(&mut s, at(0), &wrong), Verdict::Wrong);
        let right = answered(&mut s, at(0), "sesame");
        let verdict = s.check(at(0), &right, &HeaderName::Authorization, |_| None);
        assert_eq!(verdict, Verdict::Wrong);
        let empty = answered(&mut s, at(0), "");
        assert_eq!(s.check(at(0), &empty, &HeaderName::Authorization, |_| None), Verdict::Wrong);
        assert!(s.used.is_empty());
    }

    #[test]
    fn old_and_foreign_nonces_are_stale() {
        let mut s = server(&[Algorithm::Md5]);
        let request = answered(&mut s, at(0), "sesame");
        assert_eq!(check(&mut s, at(301), &request), Verdict::Stale);
        let mut other = Server::new(s.config.clone(), [8; 32], Rng::from_number(1));
        let request = answered(&mut other, at(0), "sesame");
        assert_eq!(check(&mut s, at(1), &request), Verdict::Stale);
    }

    #[test]
    fn a_full_memory_makes_the_oldest_stale() {
        let mut s = server(&[Algorithm::Md5]);
        let first = answered(&mut s, at(1), "sesame");
        assert_eq!(check(&mut s, at(2), &first), proved());
        for serial in 0..limits::DIGEST_NONCES as u64 {
            assert!(s.first_use(at(2), Nonce { made_ms: 2000, serial }, Some(1)));
        }
        assert_eq!(s.used.len(), limits::DIGEST_NONCES);
        assert_eq!(check(&mut s, at(2), &first), Verdict::Stale);
    }

    #[test]
    fn counts_may_arrive_out_of_order_but_not_twice() {
        let mut uses = Uses { highest: 1, window: 1 };
        let seen: Vec<_> = [3, 2, 2, 1, 80, 16, 17, 80].iter().map(|n| uses.first(*n)).collect();
        assert_eq!(seen, [true, true, false, false, true, false, true, false]);
    }

    #[test]
    fn without_qop_a_nonce_is_good_once() {
        let mut s = server(&[Algorithm::Md5]);
        let mut response = Response::to_request(&register(), 401, "");
        s.challenge(at(0), &mut response, &HeaderName::WwwAuthenticate, false);
        let text =
            response.headers.get(&HeaderName::WwwAuthenticate).expect("challenged").replace(", qop=\"auth\"", "");
        response.headers.set(HeaderName::WwwAuthenticate, text);
        let mut request = register();
        answer(&response, &mut request, &login("sesame"), "x").expect("answerable");
        assert_eq!(check(&mut s, at(0), &request), proved());
        assert_eq!(check(&mut s, at(0), &request), Verdict::Stale);
        s.config.without_qop = false;
        assert_eq!(check(&mut s, at(0), &request), Verdict::Malformed("bad qop"));
    }

    #[test]
    fn credentials_for_another_target_are_malformed() {
        let mut s = server(&[Algorithm::Md5]);
        let mut request = answered(&mut s, at(0), "sesame");
        request.uri = Uri::parse("sip:bob@example.com").expect("URI");
        assert_eq!(check(&mut s, at(0), &request), Verdict::Malformed("digest uri is not the Request-URI"));
    }

    #[test]
    fn the_client_answers_once_unless_stale() {
        let mut s = server(&[Algorithm::Md5]);
        let mut request = answered(&mut s, at(0), "guess");
        let mut response = Response::to_request(&request, 401, "");
        s.challenge(at(0), &mut response, &HeaderName::WwwAuthenticate, false);
        assert_eq!(answer(&response, &mut request, &login("guess"), "c"), Err(Unanswerable::Refused));
        let mut response = Response::to_request(&request, 401, "");
        s.challenge(at(0), &mut response, &HeaderName::WwwAuthenticate, true);
        assert_eq!(answer(&response, &mut request, &login("sesame"), "c"), Ok(()));
        assert_eq!(request.headers.count(&HeaderName::Authorization), 1);
        assert_eq!(check(&mut s, at(0), &request), proved());
    }

    #[test]
    fn foreign_realms_and_unknown_algorithms_get_no_answer() {
        let mut response = Response::to_request(&register(), 407, "");
        let header = HeaderName::ProxyAuthenticate;
        response.headers.push(header.clone(), "Digest realm=\"evil\", nonce=\"n\"");
        response.headers.push(header.clone(), "Digest realm=\"home\", nonce=\"n\", algorithm=MD5-sess");
        response.headers.push(header, "Digest realm=\"home\", nonce=\"n\", qop=\"auth-int\"");
        let login = Login { realm: Some("home".into()), ..login("x") };
        let mut request = register();
        assert_eq!(answer(&response, &mut request, &login, "c"), Err(Unanswerable::NoChallenge));
        assert_eq!(request, register());
    }
}
