//! Requests kept in a call, written down as the bytes they were on the wire.
//!
//! What is read back was written by us; if it cannot be read, the record is
//! damaged and the whole call is refused, never half of it.

/// `#[serde(with)]` for a request.
pub mod request {
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::sip::message::{Message, Request, parse};

    /// Writes the request's bytes.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(request: &Request, to: S) -> Result<S::Ok, S::Error> {
        request.to_bytes().to_vec().serialize(to)
    }

    /// Reads a request.
    ///
    /// # Errors
    /// If the bytes are no request.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Request, D::Error> {
        let bytes = Bytes::from(Vec::<u8>::deserialize(from)?);
        match parse(&bytes) {
            Ok(Message::Request(request)) => Ok(request),
            Ok(Message::Response(_)) => Err(D::Error::custom("a response where a request was kept")),
            Err(e) => Err(D::Error::custom(e.what)),
        }
    }
}

/// `#[serde(with)]` for a request that may be absent.
pub mod maybe_request {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::sip::message::Request;

    #[derive(Serialize, Deserialize)]
    struct Wrapped(#[serde(with = "super::request")] Request);

    /// Writes the request's bytes, or nothing.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(request: &Option<Request>, to: S) -> Result<S::Ok, S::Error> {
        request.clone().map(Wrapped).serialize(to)
    }

    /// Reads a request or nothing.
    ///
    /// # Errors
    /// If the bytes are no request.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Request>, D::Error> {
        Ok(Option::<Wrapped>::deserialize(from)?.map(|w| w.0))
    }
}
