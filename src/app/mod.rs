//! Command line, start, drain and stop.
//!
//! `main` calls [`cli::main`]; `start` goes from the settings to running
//! threads in one straight line, `run` waits for signals and ends them again,
//! `commands` speaks to a running process. Only this room imports `config`.

pub mod build;
pub mod cli;
pub mod client;
pub mod commands;
pub mod drain;
pub mod line;
pub mod load;
pub mod logging;
pub mod records;
pub mod run;
pub mod start;
pub mod tables;
