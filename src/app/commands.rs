//! What the commands do: ask the running process, read the journal, print.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hyper::Method;
use serde_json::{Value, json};

use super::cli::{BanAction, CdrAction, Command, Route};
use super::load::{self, Source};
use super::{build, client, run, tables};
use crate::edge::clock::Clock;
use crate::edge::{journal, nftables};
use crate::engine::explain::explain;
use crate::record;
use crate::route::{Health, Table};

/// Whom a command asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The configuration named on the command line.
    pub source: Source,
    /// The socket named there.
    pub socket: Option<PathBuf>,
}

impl Asked {
    /// The socket to ask: the one named, or the first one that exists.
    fn socket(&self) -> PathBuf {
        if let Some(path) = &self.socket {
            return path.clone();
        }
        let all = load::sockets(&self.source);
        let found = all.iter().find(|path| path.exists()).or(all.first());
        found.cloned().unwrap_or_else(|| load::state_dir().join("sbc.sock"))
    }

    fn get(&self, path: &str) -> Result<Value> {
        client::get(&self.socket(), path)
    }

    fn order(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String> {
        client::call(&self.socket(), method, path, body)
    }
}

/// `sbc check`.
pub fn check(source: &Source, show: bool) -> ExitCode {
    if show {
        return match source.text() {
            Ok(text) => print(&text),
            Err(problems) => run::refuse(&problems),
        };
    }
    match source.settings() {
        Ok(settings) => print(&format!(
            "{}: no problem ({} realms, {} trunks, {} users, {} routes)\n",
            source.name(),
            settings.realms.len(),
            settings.trunks.len(),
            settings.users.len(),
            settings.routes.len()
        )),
        Err(problems) => run::refuse(&problems),
    }
}

/// `sbc nft-helper`.
pub fn nft_helper(socket: Option<&Path>) -> ExitCode {
    match nftables::run_helper(socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.into()),
    }
}

/// Every other command.
pub fn ask(asked: &Asked, command: Command) -> ExitCode {
    match answer(asked, command) {
        Ok((text, status)) => {
            let printed = print(&text);
            if status == 0 { printed } else { ExitCode::from(status) }
        }
        Err(error) => fail(&error),
    }
}

/// What to print, and the exit status.
fn answer(asked: &Asked, command: Command) -> Result<(String, u8)> {
    let list = |path: &str, json: bool, key: &str, columns, none: &str| -> Result<(String, u8)> {
        let value = asked.get(path)?;
        let rows = value[key].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok((if json { pretty(&value) } else { tables::table(columns, rows, none) }, 0))
    };
    match command {
        Command::Run | Command::Check { .. } | Command::NftHelper { .. } => bail!("this command asks nobody"),
        Command::Calls(o) => list("/api/v1/calls", o.json, "calls", tables::CALLS, "no calls"),
        Command::Trunks(o) => list("/api/v1/trunks", o.json, "trunks", tables::TRUNKS, "no trunks"),
        Command::Registrations(o) => {
            list("/api/v1/registrations", o.json, "registrations", tables::REGISTRATIONS, "nobody is registered")
        }
        Command::Bans(bans) => match bans.action {
            None => list("/api/v1/bans", bans.json, "bans", tables::BANS, "nobody is banned"),
            Some(action) => ban(asked, action),
        },
        Command::Call(one) => {
            let value = asked.get(&format!("/api/v1/calls/{}", client::segment(&one.call)))?;
            Ok((if one.json { pretty(&value) } else { tables::fields(&value) }, 0))
        }
        Command::Why(one) => {
            let value = asked.get(&format!("/api/v1/calls/{}/why", client::segment(&one.call)))?;
            let text = value["text"].as_str().unwrap_or_default().trim_end();
            Ok((if one.json { pretty(&value) } else { format!("{text}\n") }, 0))
        }
        Command::Status(o) => {
            let value = asked.get("/api/v1/status")?;
            Ok((if o.json { pretty(&value) } else { tables::fields(&value) }, 0))
        }
        Command::Route(route) => self::route(asked, &route),
        Command::Cdr(cdr) => self::cdr(asked, &cdr.action),
        Command::Hangup { call } => {
            asked.order(Method::DELETE, &format!("/api/v1/calls/{}", client::segment(&call)), None)?;
            Ok((String::new(), 0))
        }
        Command::Drain { wait } => drain(asked, wait),
        Command::Undrain => {
            asked.order(Method::POST, "/api/v1/undrain", None)?;
            Ok((String::new(), 0))
        }
        Command::Stop => {
            asked.order(Method::POST, "/api/v1/stop", None)?;
            Ok((String::new(), 0))
        }
    }
}

fn ban(asked: &Asked, action: BanAction) -> Result<(String, u8)> {
    match action {
        BanAction::Add { prefix, secs, reason } => {
            let body = json!({ "prefix": prefix, "secs": secs, "reason": reason });
            asked.order(Method::POST, "/api/v1/bans", Some(&body))?;
        }
        BanAction::Del { prefix } => {
            asked.order(Method::DELETE, &format!("/api/v1/bans/{}", client::segment(&prefix)), None)?;
        }
    }
    Ok((String::new(), 0))
}

/// Asks the running process, which knows who is up; without one the
/// configuration alone, with every trunk taken for up.
fn route(asked: &Asked, route: &Route) -> Result<(String, u8)> {
    let realm = route.realm.as_ref().map_or_else(String::new, |r| format!("&realm={}", client::segment(r)));
    let query = format!("from={}&to={}{realm}", client::segment(&route.from), client::segment(&route.to));
    let named = asked.socket.is_some() || asked.socket().exists();
    let (value, note) = match named.then(|| asked.get(&format!("/api/v1/route?{query}"))) {
        Some(Ok(value)) => (value, ""),
        Some(Err(error)) if asked.socket.is_some() => return Err(error),
        _ => (offline(asked, route)?, "(no running sbc was asked: every trunk is taken for up)\n"),
    };
    let status = u8::from(value["targets"].as_array().is_none_or(Vec::is_empty));
    if route.json {
        return Ok((pretty(&value), status));
    }
    Ok((format!("{}{note}", value["text"].as_str().unwrap_or_default()), status))
}

fn offline(asked: &Asked, route: &Route) -> Result<Value> {
    let settings = asked.source.settings().map_err(|load::Problems(list)| anyhow::anyhow!(list.join("\n")))?;
    let config = build::routing(&settings).map_err(|what| anyhow::anyhow!(what))?;
    let (now, rng) = (Clock::start().now(), crate::base::Rng::from_number(0));
    let health = Health::new(now, &config.trunks, rng);
    let table = Table::new(config);
    let reply = explain(&table, &health, &|_| 0, now, (&route.from, &route.to, route.realm.as_deref()));
    let Some(reply) = reply else { bail!("there is no realm {:?}", route.realm.as_deref().unwrap_or_default()) };
    Ok(serde_json::to_value(reply)?)
}

/// Status 1 if calls are left when the time is over.
fn drain(asked: &Asked, wait: Option<Duration>) -> Result<(String, u8)> {
    asked.order(Method::POST, "/api/v1/drain", None)?;
    let Some(wait) = wait else { return Ok((String::new(), 0)) };
    let began = Instant::now();
    loop {
        let calls = asked.get("/api/v1/status")?["calls_active"].as_u64().unwrap_or(0);
        if calls == 0 {
            return Ok((String::new(), 0));
        }
        if began.elapsed() >= wait {
            return Ok((format!("{calls} calls are still in progress\n"), 1));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Reads the journal's files; no running process is needed.
fn cdr(asked: &Asked, action: &CdrAction) -> Result<(String, u8)> {
    let settings = asked.source.settings().map_err(|load::Problems(list)| anyhow::anyhow!(list.join("\n")))?;
    let dir = &settings.cdr.dir;
    let read = || journal::read_back(dir, usize::MAX).with_context(|| format!("cannot read {}", dir.display()));
    let lines = read()?;
    match action {
        CdrAction::Tail { lines: count } => {
            let finals: Vec<&String> = lines.iter().filter(|line| is_final(line)).collect();
            let skip = finals.len().saturating_sub(*count);
            Ok((finals[skip..].iter().map(|line| format!("{line}\n")).collect(), 0))
        }
        CdrAction::Export { csv: false } => {
            Ok((lines.iter().filter(|line| is_final(line)).map(|line| format!("{line}\n")).collect(), 0))
        }
        CdrAction::Export { csv: true } => {
            let mut text = record::csv::header() + "\r\n";
            for line in &lines {
                // A torn line is `verify`'s matter.
                if let Ok(Some(row)) = record::csv::row(line) {
                    text.push_str(&row);
                    text.push_str("\r\n");
                }
            }
            Ok((text, 0))
        }
        CdrAction::Verify => {
            let report = record::verify(lines.iter().map(String::as_str));
            let status = u8::from(!report.is_sound());
            Ok((tables::fields(&serde_json::to_value(&report)?), status))
        }
    }
}

fn is_final(line: &str) -> bool {
    let kind = serde_json::from_str::<Value>(line).ok().and_then(|v| v["kind"].as_str().map(str::to_owned));
    matches!(kind.as_deref(), Some("session" | "attempt"))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn print(text: &str) -> ExitCode {
    // A closed pipe (`sbc calls | head`) is no failure of ours.
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn fail(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "sbc: {error:#}");
    ExitCode::FAILURE
}
