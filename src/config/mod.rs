//! `sbc.toml`: every problem at once with its line, then complete values.
//!
//! No other room knows TOML. Defaults are written in `check` and, as comments,
//! in the shipped `sbc.toml`; a test holds the two together.

mod check;
pub mod problem;
pub mod secret;
pub mod section;
pub mod settings;
pub mod units;

pub use check::{outward, read};
pub use problem::Problem;
pub use settings::Settings;
