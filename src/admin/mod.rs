//! HTTP API, dashboard and browser phone.
//!
//! A thread of its own with its own runtime: however slow its clients are, a
//! call never waits for it. What it shows and changes goes as an
//! [`Ask`] over a [`Line`] to whoever owns the calls;
//! nothing is known here by itself. `openapi.json` describes every resource,
//! and a test holds the router to it.

pub mod assets;
pub mod auth;
mod bans;
mod calls;
mod events;
pub mod line;
mod node;
mod problem;
mod pulse;
mod redact;
pub mod server;

pub use auth::{Role, Token};
pub use line::{Answer, Ask, Line};
pub use server::{Config, Setup, run};
