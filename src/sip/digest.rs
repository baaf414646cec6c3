//! Digest authentication: RFC 7616, 2617 and 8760.
//!
//! The server gives out nonces it can recognise without remembering them; the
//! client answers a 401 or 407. Parameters are read in `message/auth.rs`.
