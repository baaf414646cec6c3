//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Local socket of the running process, for commands that ask it.
    #[arg(long, global = true, value_name = "PATH", env = "SBC_SOCKET")]
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
    Check,
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
        /// Return only when no call is left, or after this many seconds.
        #[arg(long, value_name = "SECS", num_args = 0..=1, default_missing_value = "300")]
        wait: Option<u64>,
    },
    /// Take new calls again.
    Undrain,
    /// End every call with its record, then the process.
    Stop,
    /// The firewall helper; started by `sbc` itself or by its unit.
    #[command(hide = true)]
    NftHelper {
        /// Serve this socket instead of standard input.
        #[arg(long, value_name = "PATH", id = "helper_socket")]
        listen: Option<PathBuf>,
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
pub fn greeting(phone: SocketAddr, user: &str, password: &str, sip: Option<SocketAddr>) -> String {
    let sip = sip.map_or_else(String::new, |at| format!("  SIP phones     register at sip:{at} (UDP)\n"));
    format!(
        "\n  browser phone  http://{phone}/phone\n  dashboard      http://{phone}/\n  user           {user}\n  \
         password       {password}\n{sip}\n  Call echo, tone or hello. Ctrl-C ends.\n"
    )
}
