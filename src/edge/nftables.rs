//! The firewall's side of a ban: a helper process that alone may touch it.
//!
//! The SBC talks to strangers and therefore holds no privilege; a second
//! process of the same binary (`sbc nft-helper`) holds CAP_NET_ADMIN, knows
//! four lines of text and nothing else. It owns one table, `inet sbc`, whose
//! sets have time-outs, so that even if both processes die no ban outlives its
//! time. Lines in: `ban PREFIX SECS`, `lift PREFIX`, `flush`; lines out: `ok`,
//! `error TEXT`. The table comes from `rules/nftables/sbc.nft`, which is built in.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use nftables::expr::{Elem, Expression, NamedExpression, Prefix as NftPrefix};
use nftables::schema::{Element, NfCmd, NfListObject, NfObject, Nftables};
use nftables::types::NfFamily;

use super::clock::Clock;
use crate::base::Instant;
use crate::base::limits::BANS;
use crate::base::net::Prefix;
use crate::guard::acl::PrefixMap;

/// An order for the firewall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Drop everything from a block for so many seconds.
    Ban(Prefix, u32),
    /// Let it in again.
    Lift(Prefix),
}

/// Name of our table.
const TABLE: &str = "sbc";

/// The ruleset loaded by the helper at its start.
const RULESET: &str = include_str!("../../rules/nftables/sbc.nft");

/// Whoever begins to give orders holds no ban yet: none may be left that he
/// does not know and could not lift.
const EMPTY: &str = "\nflush set inet sbc ban4\nflush set inet sbc ban6\n";

/// Orders written to the kernel in one transaction: `nft` costs 2 ms a call
/// however many elements it carries.
const BATCH: usize = 512;

/// The running SBC's end.
#[derive(Debug)]
pub struct Firewall {
    orders: SyncSender<Order>,
}

/// How the helper is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Helper {
    /// A unit of its own listens here.
    Socket(PathBuf),
    /// We are allowed to start it ourselves.
    Spawn,
}

impl Firewall {
    /// Connects to the helper, or starts it, and loads the table.
    ///
    /// # Errors
    ///
    /// If there is no helper or it has not the privilege: bans then work in
    /// user space only, which the caller says once.
    pub fn connect(helper: &Helper) -> io::Result<Self> {
        let mut link = Link::open(helper)?;
        link.exchange("flush")?;
        let (orders, inbox) = sync_channel(BANS);
        std::thread::Builder::new().name("firewall".into()).spawn(move || feed(&inbox, link))?;
        Ok(Self { orders })
    }

    /// Hands on an order; never waits. A full queue loses it, and the ban
    /// still holds in user space.
    pub fn order(&self, order: Order) -> bool {
        !matches!(self.orders.try_send(order), Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))
    }
}

/// The line to the helper.
struct Link {
    reader: Box<dyn BufRead + Send>,
    writer: Box<dyn Write + Send>,
    child: Option<Child>,
}

impl Link {
    fn open(helper: &Helper) -> io::Result<Self> {
        match helper {
            Helper::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                let reader = Box::new(BufReader::new(stream.try_clone()?));
                Ok(Self { reader, writer: Box::new(stream), child: None })
            }
            Helper::Spawn => {
                let mut child = Command::new(std::env::current_exe()?)
                    .arg("nft-helper")
                    .env_clear()
                    .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let reader = child.stdout.take().expect("stdout is piped");
                let writer = child.stdin.take().expect("stdin is piped");
                Ok(Self { reader: Box::new(BufReader::new(reader)), writer: Box::new(writer), child: Some(child) })
            }
        }
    }

    /// Writes lines and reads one answer for each.
    fn exchange(&mut self, lines: &str) -> io::Result<()> {
        writeln!(self.writer, "{lines}")?;
        self.writer.flush()?;
        let mut answer = String::new();
        if self.reader.read_line(&mut answer)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the firewall helper has ended"));
        }
        match answer.trim().strip_prefix("error ") {
            Some(what) => Err(io::Error::other(what.to_owned())),
            None => Ok(()),
        }
    }
}

impl Drop for Link {
    /// Closing its input ends a helper that we started; the wait reaps it.
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.writer = Box::new(io::sink());
            let _ = child.wait();
        }
    }
}

/// Sends orders in batches until the SBC ends.
fn feed(inbox: &Receiver<Order>, mut link: Link) {
    let mut last_error = String::new();
    while let Ok(first) = inbox.recv() {
        let mut line = to_line(&first);
        for order in inbox.try_iter().take(BATCH - 1) {
            line.push(';');
            line.push_str(&to_line(&order));
        }
        if let Err(error) = link.exchange(&line) {
            let text = error.to_string();
            if text != last_error {
                tracing::warn!(error = %text, "firewall order failed, bans hold in user space");
                last_error = text;
            }
        }
    }
}

fn to_line(order: &Order) -> String {
    match order {
        Order::Ban(prefix, secs) => format!("ban {prefix} {secs}"),
        Order::Lift(prefix) => format!("lift {prefix}"),
    }
}

fn from_line(text: &str) -> Result<Order, String> {
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("ban"), Some(prefix), Some(secs), None) => {
            let secs: u32 = secs.parse().map_err(|_| format!("'{secs}' is no number of seconds"))?;
            Ok(Order::Ban(prefix.parse()?, secs.clamp(1, 86_400)))
        }
        (Some("lift"), Some(prefix), None, None) => Ok(Order::Lift(prefix.parse()?)),
        _ => Err("expected 'ban PREFIX SECS', 'lift PREFIX' or 'flush'".into()),
    }
}

/// The helper process: serves its standard input, or connections of the
/// socket one after the other.
///
/// # Errors
///
/// If the table cannot be loaded (no privilege, no `nft`) or the socket not bound.
pub fn run_helper(socket: Option<&Path>) -> io::Result<()> {
    let mut kernel = Kernel::load();
    let Some(path) = socket else {
        return serve(BufReader::new(io::stdin()), io::stdout(), &mut kernel);
    };
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path)?;
    // The unit's group shares the socket's directory; nobody else may order bans.
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o660))?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    for stream in listener.incoming() {
        let stream = stream?;
        if let Err(error) = serve(BufReader::new(stream.try_clone()?), stream, &mut kernel) {
            tracing::debug!(%error, "connection ended");
        }
    }
    Ok(())
}

fn serve(input: impl BufRead, mut output: impl Write, kernel: &mut Kernel) -> io::Result<()> {
    for line in input.lines() {
        match kernel.obey(&line?) {
            Ok(()) => writeln!(output, "ok")?,
            Err(what) => writeln!(output, "error {}", what.replace(['\n', '\r'], " "))?,
        }
        output.flush()?;
    }
    Ok(())
}

/// The kernel's table as the helper left it.
struct Kernel {
    /// Banned blocks and when the kernel lets go of them by itself.
    held: PrefixMap<Instant>,
    clock: Clock,
    broken: Option<String>,
}

impl Kernel {
    /// Loads the table; a failure is answered to every order.
    fn load() -> Self {
        Self { held: PrefixMap::new(), clock: Clock::start(), broken: load_ruleset().err() }
    }

    fn obey(&mut self, line: &str) -> Result<(), String> {
        if line.trim() == "flush" {
            self.broken = load_ruleset().err();
            self.held = PrefixMap::new();
        }
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        if line.trim() == "flush" {
            return Ok(());
        }
        let orders = line.split(';').map(from_line).collect::<Result<Vec<_>, _>>()?;
        let changes = self.changes(self.clock.now().mono, &orders);
        // Two transactions: within one the kernel sees what goes and what comes
        // as overlapping. User space holds the ban in between.
        commit(&changes.gone)?;
        commit(&changes.come)
    }

    /// What changes in the kernel. Elements of a set may not overlap: a block
    /// inside one that is banned is dropped already, and blocks inside a new one
    /// make room for it. A later ban of the same block replaces the earlier,
    /// since an element's time-out cannot be changed in place.
    fn changes(&mut self, now: Instant, orders: &[Order]) -> Changes {
        let over: Vec<Prefix> = self.held.iter().filter(|(_, end)| **end <= now).map(|(prefix, _)| prefix).collect();
        for prefix in over {
            self.held.remove(&prefix);
        }
        let mut changes = Changes::default();
        for order in one_a_block(orders) {
            match order {
                Order::Lift(prefix) => self.forget(*prefix, &mut changes),
                Order::Ban(prefix, secs) => {
                    if self.held.covering(*prefix).is_some_and(|(outer, _)| outer != *prefix) {
                        continue;
                    }
                    let inside: Vec<Prefix> = self.held.inside(*prefix).map(|(inner, _)| inner).collect();
                    for inner in inside {
                        self.forget(inner, &mut changes);
                    }
                    self.held.insert(*prefix, now + Duration::from_secs(u64::from(*secs)));
                    changes.come.push(add(element(*prefix, Some(*secs))));
                }
            }
        }
        changes
    }

    fn forget(&mut self, prefix: Prefix, changes: &mut Changes) {
        if self.held.remove(&prefix).is_some() {
            // Adding first makes deleting safe where the kernel's time-out was quicker.
            changes.gone.push(add(element(prefix, Some(60))));
            changes.gone.push(NfObject::CmdObject(NfCmd::Delete(element(prefix, None))));
        }
    }
}

/// What is to change in the kernel.
#[derive(Default)]
struct Changes {
    gone: Vec<NfObject<'static>>,
    come: Vec<NfObject<'static>>,
}

/// The last order for each block, wide blocks before those inside them.
fn one_a_block(orders: &[Order]) -> impl Iterator<Item = &Order> {
    let block = |order: &Order| match order {
        Order::Ban(prefix, _) | Order::Lift(prefix) => *prefix,
    };
    orders.iter().map(|order| (block(order), order)).collect::<BTreeMap<_, _>>().into_values()
}

/// Writes changes in one transaction, or one by one if that fails: a
/// transaction is all or nothing, and one bad element must not keep the rest out.
fn commit(objects: &[NfObject<'static>]) -> Result<(), String> {
    if objects.is_empty() || apply(objects).is_ok() {
        return Ok(());
    }
    let failed = objects.iter().filter(|object| apply(std::slice::from_ref(object)).is_err()).count();
    if failed == 0 { Ok(()) } else { Err(format!("nft refused {failed} of {} changes", objects.len())) }
}

fn add(element: NfListObject<'static>) -> NfObject<'static> {
    NfObject::CmdObject(NfCmd::Add(element))
}

/// One transaction of the kernel. `nft` writes its complaints to our standard error.
fn apply(objects: &[NfObject<'static>]) -> Result<(), String> {
    let ruleset = Nftables { objects: objects.to_vec().into() };
    nftables::helper::apply_ruleset(&ruleset).map_err(|e| e.to_string())
}

fn load_ruleset() -> Result<(), String> {
    let mut nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("nft: {e}"))?;
    let mut input = nft.stdin.take().expect("stdin is piped");
    let written = input.write_all(RULESET.as_bytes()).and_then(|()| input.write_all(EMPTY.as_bytes()));
    drop(input);
    let done = nft.wait_with_output().map_err(|e| e.to_string())?;
    match (written, done.status.success()) {
        (Ok(()), true) => Ok(()),
        _ => Err(format!("nft: {}", String::from_utf8_lossy(&done.stderr).trim())),
    }
}

fn element(prefix: Prefix, secs: Option<u32>) -> NfListObject<'static> {
    let base = Expression::String(Cow::Owned(prefix.base().to_string()));
    let whole = matches!((prefix.base(), prefix.bits()), (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128));
    let block = if whole {
        base
    } else {
        let len = u32::from(prefix.bits());
        Expression::Named(NamedExpression::Prefix(NftPrefix { addr: Box::new(base), len }))
    };
    let elem = match secs {
        None => block,
        Some(secs) => Expression::Named(NamedExpression::Elem(Elem {
            val: Box::new(block),
            timeout: Some(secs),
            expires: None,
            comment: None,
            counter: None,
        })),
    };
    NfListObject::Element(Element {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: if prefix.base().is_ipv4() { "ban4".into() } else { "ban6".into() },
        elem: Cow::Owned(vec![elem]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_their_line() {
        for order in [
            Order::Ban("192.0.2.7".parse().expect("address"), 30),
            Order::Ban("2001:db8::/64".parse().expect("block"), 3600),
            Order::Lift("192.0.2.0/24".parse().expect("block")),
        ] {
            assert_eq!(from_line(&to_line(&order)), Ok(order));
        }
        assert!(from_line("ban 192.0.2.7").is_err());
        assert!(from_line("add rule inet filter input accept").is_err());
    }

    fn kernel() -> Kernel {
        Kernel { held: PrefixMap::new(), clock: Clock::start(), broken: None }
    }

    fn ban(block: &str, secs: u32) -> Order {
        Order::Ban(block.parse().expect("block"), secs)
    }

    fn counts(changes: &Changes) -> (usize, usize) {
        (changes.gone.len(), changes.come.len())
    }

    #[test]
    fn a_second_ban_replaces_the_first() {
        let (mut kernel, now) = (kernel(), Instant::ZERO);
        let lift = Order::Lift("192.0.2.7".parse().expect("address"));
        assert_eq!(counts(&kernel.changes(now, &[ban("192.0.2.7", 30)])), (0, 1));
        assert_eq!(counts(&kernel.changes(now, &[ban("192.0.2.7", 60)])), (2, 1));
        assert_eq!(counts(&kernel.changes(now, std::slice::from_ref(&lift))), (2, 0));
        assert_eq!(counts(&kernel.changes(now, &[lift])), (0, 0));
    }

    #[test]
    fn an_address_inside_a_banned_block_is_banned_already() {
        let (mut kernel, now) = (kernel(), Instant::ZERO);
        assert_eq!(counts(&kernel.changes(now, &[ban("192.0.2.7", 60), ban("192.0.2.0/24", 30)])), (0, 1));
        let later = now + Duration::from_secs(30);
        assert_eq!(counts(&kernel.changes(later, &[ban("192.0.2.7", 60)])), (0, 1), "the block's time is over");
        assert_eq!(counts(&kernel.changes(later, &[ban("192.0.2.0/24", 60)])), (2, 1), "it makes room");
        assert_eq!(kernel.held.len(), 1);
    }

    #[test]
    fn the_last_order_for_a_block_counts() {
        let (mut kernel, now) = (kernel(), Instant::ZERO);
        let lift = Order::Lift("192.0.2.7".parse().expect("address"));
        assert_eq!(counts(&kernel.changes(now, &[ban("192.0.2.7", 30), lift])), (0, 0));
    }
}
