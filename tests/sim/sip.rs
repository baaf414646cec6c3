//! SIP and SDP as text, for peers that owe nothing to the code under test.
//!
//! A reader that splits lines and a writer that joins them: enough for peers
//! that behave, and independent of `sbc::sip` and `sbc::sdp`. Digest answers
//! (RFC 7616, RFC 2617) are computed here as well.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A message: start line, headers in order, body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msg {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Msg {
    pub fn request(method: &str, uri: &str) -> Self {
        Self { start: format!("{method} {uri} SIP/2.0"), headers: Vec::new(), body: String::new() }
    }

    /// A response to `request` with what RFC 3261 §8.2.6 copies.
    pub fn response(request: &Self, status: u16, to_tag: &str) -> Self {
        let mut msg = Self { start: format!("SIP/2.0 {status} Whatever"), headers: Vec::new(), body: String::new() };
        for (name, value) in &request.headers {
            match name.as_str() {
                "Via" | "From" | "Call-ID" | "CSeq" => msg.add(name, value),
                "To" if param(value, "tag").is_none() && status > 100 => {
                    msg.add("To", &format!("{value};tag={to_tag}"))
                }
                "To" => msg.add(name, value),
                _ => {}
            }
        }
        msg
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next()?.to_owned();
        let headers = lines
            .map(|line| line.split_once(':').map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { start, headers, body: body.to_owned() })
    }

    pub fn write(&self) -> Vec<u8> {
        let mut out = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let _ = write!(out, "{name}: {value}\r\n");
        }
        let _ = write!(out, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        out.into_bytes()
    }

    pub fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.add(name, value);
        self
    }

    pub fn with_sdp(mut self, body: String) -> Self {
        self.add("Content-Type", "application/sdp");
        self.body = body;
        self
    }

    pub fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    pub fn method(&self) -> &str {
        match self.status() {
            None => self.start.split(' ').next().unwrap_or_default(),
            Some(_) => self.cseq().1,
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn cseq(&self) -> (u32, &str) {
        let value = self.get("CSeq").unwrap_or_default();
        let (seq, method) = value.split_once(' ').unwrap_or(("0", ""));
        (seq.parse().unwrap_or(0), method)
    }

    pub fn call_id(&self) -> &str {
        self.get("Call-ID").unwrap_or_default()
    }

    pub fn branch(&self) -> &str {
        self.get("Via").and_then(|v| param(v, "branch")).unwrap_or_default()
    }

    pub fn sender_tag(&self) -> &str {
        self.get("From").and_then(|v| param(v, "tag")).unwrap_or_default()
    }

    pub fn target_tag(&self) -> &str {
        self.get("To").and_then(|v| param(v, "tag")).unwrap_or_default()
    }

    /// The URI of the first Contact.
    pub fn contact(&self) -> Option<String> {
        self.get("Contact").map(uri_of)
    }
}

/// A parameter behind the URI of a header value.
pub fn param<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let after = value.rfind('>').map_or(value, |at| &value[at + 1..]);
    after.split(';').skip(1).find_map(|p| match p.split_once('=') {
        Some((n, v)) if n.trim().eq_ignore_ascii_case(name) => Some(v.trim().trim_matches('"')),
        _ => None,
    })
}

/// The URI inside `<…>`, or the bare one.
pub fn uri_of(value: &str) -> String {
    match (value.find('<'), value.find('>')) {
        (Some(a), Some(b)) if a < b => value[a + 1..b].to_owned(),
        _ => value.split(';').next().unwrap_or_default().trim().to_owned(),
    }
}

/// Host and port of a URI such as `sip:bob@10.0.0.1:5060;transport=udp`.
pub fn host_port(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, r)| r);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, r)| r);
    rest.split([';', '?']).next().unwrap_or_default()
}

/// Answers a challenge: RFC 7616 with SHA-256 or MD5, qop=auth if offered.
pub fn authorize(
    challenge: &str,
    user: &str,
    password: &str,
    method: &str,
    uri: &str,
    nc: u32,
    cnonce: &str,
) -> String {
    let field = |name: &str| quoted(challenge, name).unwrap_or_default();
    let (realm, nonce, opaque) = (field("realm"), field("nonce"), field("opaque"));
    let algorithm = if field("algorithm").is_empty() { "MD5".to_owned() } else { field("algorithm") };
    let h = |text: String| if algorithm == "SHA-256" { hex(&Sha256::digest(text)) } else { hex(&Md5::digest(text)) };
    let (a1, a2) = (h(format!("{user}:{realm}:{password}")), h(format!("{method}:{uri}")));
    let mut out = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm={algorithm}"
    );
    if field("qop").split(',').any(|q| q.trim() == "auth") {
        let response = h(format!("{a1}:{nonce}:{nc:08x}:{cnonce}:auth:{a2}"));
        let _ = write!(out, ", response=\"{response}\", qop=auth, nc={nc:08x}, cnonce=\"{cnonce}\"");
    } else {
        let _ = write!(out, ", response=\"{}\"", h(format!("{a1}:{nonce}:{a2}")));
    }
    if !opaque.is_empty() {
        let _ = write!(out, ", opaque=\"{opaque}\"");
    }
    out
}

/// A field of a challenge or of credentials.
pub fn quoted(value: &str, name: &str) -> Option<String> {
    let value = value.strip_prefix("Digest ").unwrap_or(value);
    let mut rest = value;
    while let Some((n, after)) = rest.split_once('=') {
        let (v, next) = match after.strip_prefix('"') {
            Some(q) => {
                let (v, next) = q.split_once('"')?;
                (v, next.trim_start_matches([',', ' ']))
            }
            None => after.split_once(',').map_or((after, ""), |(v, next)| (v, next.trim_start())),
        };
        if n.trim().eq_ignore_ascii_case(name) {
            return Some(v.trim().to_owned());
        }
        rest = next;
    }
    None
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

/// What a peer reads of a session description with one audio stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdp {
    pub origin: String,
    pub address: Option<SocketAddr>,
    pub profile: String,
    /// Payload types in order with `name/clock`.
    pub formats: Vec<(u8, String)>,
    pub direction: String,
    pub ufrag: Option<String>,
    pub pwd: Option<String>,
    pub candidates: Vec<SocketAddr>,
    pub fingerprint: Option<Vec<u8>>,
    pub setup: Option<String>,
    pub mid: Option<String>,
}

impl Sdp {
    pub fn read(text: &str) -> Option<Self> {
        let mut sdp = Self { direction: "sendrecv".to_owned(), ..Self::default() };
        let (mut ip, mut port) = (None, 0u16);
        let mut names = Vec::new();
        for line in text.split("\r\n").filter(|l| !l.is_empty()) {
            let (kind, value) = line.split_once('=')?;
            match kind {
                "o" => sdp.origin = value.to_owned(),
                "c" => ip = value.rsplit(' ').next().and_then(|ip| ip.parse::<IpAddr>().ok()),
                "m" => {
                    let mut words = value.split(' ');
                    if words.next() != Some("audio") {
                        return None;
                    }
                    port = words.next()?.parse().ok()?;
                    sdp.profile = words.next()?.to_owned();
                    sdp.formats = words.filter_map(|pt| pt.parse().ok()).map(|pt| (pt, fixed_format(pt))).collect();
                }
                "a" => sdp.attribute(value, &mut names),
                _ => {}
            }
        }
        for (pt, name) in &mut sdp.formats {
            if let Some((_, n)) = names.iter().find(|(p, _)| p == pt) {
                name.clone_from(n);
            }
        }
        sdp.address = ip.map(|ip| SocketAddr::new(ip, port));
        Some(sdp)
    }

    fn attribute(&mut self, value: &str, names: &mut Vec<(u8, String)>) {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        let own = || Some(value.to_owned());
        match name {
            "sendrecv" | "sendonly" | "recvonly" | "inactive" => self.direction = name.to_owned(),
            "rtpmap" => {
                if let Some((pt, name)) = value.split_once(' ')
                    && let Ok(pt) = pt.parse()
                {
                    names.push((pt, name.to_ascii_lowercase()));
                }
            }
            "ice-ufrag" => self.ufrag = own(),
            "ice-pwd" => self.pwd = own(),
            "setup" => self.setup = own(),
            "mid" => self.mid = own(),
            "candidate" => {
                let words: Vec<&str> = value.split(' ').collect();
                if let (Some(Ok(ip)), Some(Ok(port))) =
                    (words.get(4).map(|w| w.parse()), words.get(5).map(|w| w.parse()))
                {
                    self.candidates.push(SocketAddr::new(ip, port));
                }
            }
            "fingerprint" => {
                let digits = value.rsplit(' ').next().unwrap_or_default();
                self.fingerprint = digits.split(':').map(|b| u8::from_str_radix(b, 16).ok()).collect();
            }
            _ => {}
        }
    }
}

fn fixed_format(pt: u8) -> String {
    match pt {
        0 => "pcmu/8000".to_owned(),
        8 => "pcma/8000".to_owned(),
        _ => String::new(),
    }
}
