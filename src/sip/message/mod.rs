//! SIP messages: read, looked at, made and written (RFC 3261 §7 and §25).
//!
//! [`parse`] takes one whole message and finds its start line, fields and
//! body without copying them; typed headers are read when they are asked for.
//! What an attacker can write is refused with a [`ParseError`], which carries
//! the answer; [`validate`] finds what is well-formed and still wrong. What is
//! written cannot hold a line end that we did not mean.

mod auth;
mod contact;
mod content;
mod cseq;
mod event;
pub mod fuzz;
mod headers;
mod host;
mod method;
mod name;
mod name_addr;
mod params;
mod parse;
mod reason;
mod response;
mod scan;
mod session;
mod text;
mod typed;
mod uri;
mod validate;
mod via;
mod write;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::sip::error::{ParseError, Refusal};
pub use auth::{AuthParams, Challenge, Credentials};
pub use contact::Contacts;
pub use content::MediaType;
pub use cseq::{CSeq, RAck};
pub use event::{Event, SubscriptionState};
pub use headers::Headers;
pub use host::Host;
pub use method::Method;
pub use name::HeaderName;
pub use name_addr::NameAddr;
pub use params::{Param, Params};
pub use parse::parse;
pub use reason::{Reason, RetryAfter, Warning};
pub use response::reason_phrase;
pub use scan::{elements, is_token, unquote};
pub use session::{Refresher, Replaces, SessionExpires};
pub use text::Text;
pub use uri::{Scheme, Uri, unescape};
pub use validate::{validate, validate_response};
pub use via::{MAGIC_COOKIE, Via};

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request. It is written down as its own bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom.
    pub uri: Uri,
    /// All header fields; Content-Length is written from the body.
    pub headers: Headers,
    /// The body, as long as Content-Length said.
    pub body: Bytes,
}

/// A response. It is written down as its own bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// For humans.
    pub reason: Text,
    /// All header fields; Content-Length is written from the body.
    pub headers: Headers,
    /// The body, as long as Content-Length said.
    pub body: Bytes,
}

impl Message {
    /// The headers of either kind.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(r) => &r.headers,
            Self::Response(r) => &r.headers,
        }
    }

    /// The bytes on the wire.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Request(r) => r.to_bytes(),
            Self::Response(r) => r.to_bytes(),
        }
    }
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    /// Sets body and Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }
}

impl Response {
    /// Sets body and Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.headers.set(HeaderName::ContentType, content_type);
        self.body = body.into();
    }
}

impl TryFrom<Vec<u8>> for Request {
    type Error = ParseError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ParseError> {
        match parse(&bytes.into())? {
            Message::Request(r) => Ok(r),
            Message::Response(_) => Err(ParseError::new("a response where a request belongs", 0)),
        }
    }
}

impl TryFrom<Vec<u8>> for Response {
    type Error = ParseError;

    fn try_from(bytes: Vec<u8>) -> Result<Self, ParseError> {
        match parse(&bytes.into())? {
            Message::Response(r) => Ok(r),
            Message::Request(_) => Err(ParseError::new("a request where a response belongs", 0)),
        }
    }
}

impl From<Request> for Vec<u8> {
    fn from(r: Request) -> Self {
        r.to_bytes().into()
    }
}

impl From<Response> for Vec<u8> {
    fn from(r: Response) -> Self {
        r.to_bytes().into()
    }
}
