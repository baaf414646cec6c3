//! The command line: what may be said, and who does it.
//!
//! Exit status: 0 done, 1 failed, 2 wrong usage (clap's own), 64 the
//! configuration has problems.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::commands::{self, Asked};
use super::load::Source;
use super::run;
use crate::config::units;

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let Cli { command, config, socket } = Cli::parse();
    let source = Source::of(config.as_deref());
    match command.unwrap_or(Command::Run) {
        Command::Run => run::run(&source),
        Command::Check { show } => commands::check(&source, show),
        Command::NftHelper { socket } => commands::nft_helper(socket.as_deref()),
        other => commands::ask(&Asked { source, socket }, other),
    }
}

/// Session border controller and WebRTC-to-SIP B2BUA.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do; without it: run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Configuration file; without it the built-in default runs.
    #[arg(short, long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Local socket of the running process, for commands that ask it; before the command.
    #[arg(long, value_name = "PATH", env = "SBC_SOCKET")]
    pub socket: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  sbc                         run the built-in default and print the phone's URL
  sbc -c /etc/sbc/sbc.toml    run a configuration
  sbc check -c sbc.toml       list every problem of a configuration
  sbc route alice +4930123    show where a call would go, and why
  sbc calls                   list the calls in progress
  sbc why 7f3a9c1e00000001    say why a call did what it did
  sbc bans add 203.0.113.7 --secs 3600 --reason scanner

Exit status: 0 done, 1 failed, 2 wrong usage, 64 the configuration has problems.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run (the default).
    Run,
    /// Report every problem of a configuration.
    Check {
        /// Print the configuration itself; without -c the built-in one.
        #[arg(long)]
        show: bool,
    },
    /// Show where a call would go, and why; places no call.
    Route(Route),
    /// List the calls in progress.
    Calls(Output),
    /// Show one call.
    Call(One),
    /// Say why a call did what it did: first cause first, then the chain.
    Why(One),
    /// List the trunks.
    Trunks(Output),
    /// List the registrations.
    Registrations(Output),
    /// List, add or lift bans.
    Bans(Bans),
    /// Show the state of the node.
    Status(Output),
    /// Read the call records.
    Cdr(Cdr),
    /// End a call.
    Hangup {
        /// Our id of the call.
        call: String,
    },
    /// Take no new calls; those in progress go on.
    Drain {
        /// Return only when no call is left, or after this time (seconds, or 90s, 5m).
        #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "5m", value_parser = time)]
        wait: Option<Duration>,
    },
    /// Take new calls again.
    Undrain,
    /// End every call with its record, then the process.
    Stop,
    /// The firewall helper; started by `sbc` itself or by its unit.
    #[command(hide = true)]
    NftHelper {
        /// Serve this socket instead of standard input.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
}

/// How a table is printed.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Output {
    /// JSON for programs instead of a table for people.
    #[arg(long)]
    pub json: bool,
}

/// One call.
#[derive(Debug, Args)]
pub struct One {
    /// Our id, a Call-ID header or a Session-ID.
    pub call: String,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `sbc route`.
#[derive(Debug, Args)]
pub struct Route {
    /// Calling user or number.
    pub from: String,
    /// Dialled user or number, or a SIP address.
    pub to: String,
    /// Realm that the call comes in by; the first one if absent.
    #[arg(long)]
    pub realm: Option<String>,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `sbc bans`.
#[derive(Debug, Args)]
pub struct Bans {
    /// What to do with them; without it: list.
    #[command(subcommand)]
    pub action: Option<BanAction>,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `sbc bans add|del`.
#[derive(Debug, Subcommand)]
pub enum BanAction {
    /// Ban an address or block.
    Add {
        /// Address or block: 203.0.113.7, 203.0.113.0/24, 2001:db8::/64.
        prefix: String,
        /// For how long, seconds.
        #[arg(long, default_value_t = 3600)]
        secs: u32,
        /// Why, for whoever sees it later.
        #[arg(long, default_value = "by operator")]
        reason: String,
    },
    /// Lift a ban.
    Del {
        /// The banned address or block.
        prefix: String,
    },
}

/// `sbc cdr`.
#[derive(Debug, Args)]
pub struct Cdr {
    /// What to do with the records.
    #[command(subcommand)]
    pub action: CdrAction,
}

/// `sbc cdr tail|export|verify`.
#[derive(Debug, Subcommand)]
pub enum CdrAction {
    /// Print the last records.
    Tail {
        /// How many.
        #[arg(short = 'n', default_value_t = 10)]
        lines: usize,
    },
    /// Print all final records.
    Export {
        /// CSV with a header line instead of JSON lines.
        #[arg(long)]
        csv: bool,
    },
    /// Check that every attempt has exactly one final record.
    Verify,
}

/// What the process prints at its start for a newcomer.
pub fn greeting(http: &str, users: &[(&str, &str)], sip: Option<SocketAddr>) -> String {
    let mut text = String::from("\n");
    let mut line = |name: &str, value: String| writeln!(text, "  {name:<14} {value}").expect("a String takes all");
    line("browser phone", format!("http://{http}/phone"));
    line("dashboard", format!("http://{http}/"));
    for (user, password) in users {
        line("user", format!("{user:<8} password {password}"));
    }
    if let Some(at) = sip {
        line("SIP phones", format!("register at sip:{at} (UDP)"));
    }
    text.push_str("\n  Call echo, tone or hello. Ctrl-C ends.\n\n");
    text
}

/// `90`, `90s`, `5m`.
fn time(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds.or_else(|| units::duration(text)).ok_or_else(|| "a time such as 90, 90s or 5m".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_helper_has_a_socket_of_its_own() {
        let cli =
            Cli::try_parse_from(["sbc", "nft-helper", "--socket", "/run/sbc/nft.sock"]).expect("as the unit has it");
        assert!(cli.socket.is_none());
        assert!(matches!(cli.command, Some(Command::NftHelper { socket: Some(path) }) if path.ends_with("nft.sock")));
        let cli = Cli::try_parse_from(["sbc", "--socket", "/x", "calls", "--json"]).expect("before the command");
        assert_eq!(cli.socket, Some("/x".into()));
    }

    #[test]
    fn drain_waits_for_a_time() {
        let wait = |args: &[&str]| match Cli::try_parse_from(args).expect("usage").command {
            Some(Command::Drain { wait }) => wait,
            _ => None,
        };
        assert_eq!(wait(&["sbc", "drain"]), None);
        assert_eq!(wait(&["sbc", "drain", "--wait"]), Some(Duration::from_secs(300)));
        assert_eq!(wait(&["sbc", "drain", "--wait", "120s"]), Some(Duration::from_secs(120)));
        assert_eq!(wait(&["sbc", "drain", "--wait", "7"]), Some(Duration::from_secs(7)));
    }
}
