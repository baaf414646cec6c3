//! Text in, text out: messages as a user would paste them, and what comes of them.

mod digest_answers;
mod sip_ordinary;
mod sip_smuggling;
mod sip_torture;
