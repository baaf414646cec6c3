//! One core's signalling: sockets in front, an [`Engine`] behind.
//!
//! A driver is a thread with a single-threaded runtime. Everything on it
//! shares one `RefCell`, borrowed for one input at a time and never across an
//! `await`, so there is no lock. The order of work for an input is: read the
//! clock once, hand the batch to the engine, perform its outputs in their
//! order (a journal line is written before the message it is about leaves),
//! re-arm the timer. Other threads speak to it through a bounded channel.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::LocalSet;

use super::clock::Clock;
use super::dns::Resolver;
use super::journal::Journal;
use super::media_thread::MediaHandle;
use super::nftables::{Firewall, Order};
use super::panics::caught;
use super::udp::{Batch, UdpListener};
use super::ws;
use crate::base::limits::{SIP_MESSAGE_BYTES, WS_CONNECTIONS};
use crate::base::net::canonical_socket;
use crate::base::{CallId, ConnectionId, Flow, Now, RealmId, Transport};
use crate::engine::{Command, Engine, Output, Query, Reply};
use crate::media::event::SideReport;
use crate::record::{Level, LogLine};
use crate::{guard, media};

/// What other threads ask of a driver.
#[derive(Debug)]
pub enum Request {
    /// Read something.
    Query(Query, oneshot::Sender<Reply>),
    /// Change something.
    Command(Command, oneshot::Sender<Reply>),
    /// A media thread has news.
    Media(media::event::Event),
    /// Numbers of running calls; `count` once a minute, for the histogram.
    Samples {
        /// Both sides of each.
        samples: Vec<(CallId, [SideReport; 2])>,
        /// See [`Engine::handle_samples`].
        count: bool,
    },
    /// End the thread; calls have been ended or handed over before.
    Stop,
}

/// All that a driver starts with. Sockets are bound before, so that a wrong
/// address stops the start and not a thread.
pub struct Setup {
    /// The engine, complete.
    pub engine: Engine,
    /// The process's clock.
    pub clock: Clock,
    /// Bound UDP sockets.
    pub udp: Vec<(std::net::UdpSocket, RealmId)>,
    /// Bound WebSocket listeners with what they let in.
    pub ws: Vec<(std::net::TcpListener, RealmId, ws::Config)>,
    /// Media threads by shard.
    pub media: Vec<MediaHandle>,
    /// The journal.
    pub journal: Journal,
    /// The firewall helper, if there is one.
    pub firewall: Option<Firewall>,
    /// Requests from other threads.
    pub inbox: mpsc::Receiver<Request>,
}

struct Driver {
    engine: Engine,
    clock: Clock,
    udp: Vec<Rc<UdpListener>>,
    connections: HashMap<ConnectionId, mpsc::Sender<ws::Write>>,
    last_connection: u64,
    media: Vec<MediaHandle>,
    journal: Journal,
    firewall: Option<Firewall>,
    resolver: Rc<Resolver>,
    rearm: Rc<Notify>,
}

type Shared = Rc<RefCell<Driver>>;

/// Runs a driver on the calling thread until it is told to stop.
///
/// # Errors
///
/// If the runtime or a socket cannot be set up.
pub fn run(setup: Setup) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(setup))
}

async fn serve(setup: Setup) -> io::Result<()> {
    let Setup { engine, clock, udp, ws, media, journal, firewall, mut inbox } = setup;
    let rearm = Rc::new(Notify::new());
    let udp = udp
        .into_iter()
        .map(|(socket, realm)| UdpListener::new(socket, realm).map(Rc::new))
        .collect::<io::Result<Vec<_>>>()?;
    let driver = Rc::new(RefCell::new(Driver {
        engine,
        clock,
        udp: udp.clone(),
        connections: HashMap::new(),
        last_connection: 0,
        media,
        journal,
        firewall,
        resolver: Rc::new(Resolver::from_system()),
        rearm: Rc::clone(&rearm),
    }));
    for listener in udp {
        tokio::task::spawn_local(read_udp(Rc::clone(&driver), listener));
    }
    for (listener, realm, config) in ws {
        let listener = TcpListener::from_std(listener)?;
        tokio::task::spawn_local(accept(Rc::clone(&driver), listener, realm, config));
    }
    tokio::task::spawn_local(keep_time(Rc::clone(&driver), rearm));
    driver.borrow_mut().flush(&driver);
    while let Some(request) = inbox.recv().await {
        if !answer(&driver, request, &mut inbox) {
            break;
        }
    }
    let driver = driver.borrow();
    driver.journal.close()
}

/// Runs one input inside the boundary of [`caught`]: stamp, hand in, perform.
fn input(shared: &Shared, what: &'static str, work: impl FnOnce(&mut Driver, Now)) -> bool {
    let done = caught(what, || {
        let mut driver = shared.borrow_mut();
        let now = driver.clock.now();
        work(&mut driver, now);
        driver.flush(shared);
    });
    done.is_some()
}

/// Takes a request and those that wait behind it; `false` to stop.
fn answer(shared: &Shared, first: Request, inbox: &mut mpsc::Receiver<Request>) -> bool {
    let mut next = Some(first);
    let mut stop = false;
    input(shared, "request", |driver, now| {
        for _ in 0..REQUESTS_PER_TURN {
            let Some(request) = next.take() else { return };
            match request {
                // The asker may have gone away; that is no matter of ours.
                Request::Query(query, to) => drop(to.send(driver.engine.query(now, query))),
                Request::Command(command, to) => drop(to.send(driver.engine.command(now, command))),
                Request::Media(event) => driver.engine.handle_media(now, event),
                Request::Samples { samples, count } => driver.engine.handle_samples(now, &samples, count),
                Request::Stop => {
                    stop = true;
                    return;
                }
            }
            next = inbox.try_recv().ok();
        }
    });
    !stop
}

async fn read_udp(shared: Shared, listener: Rc<UdpListener>) {
    let mut batch = Batch::new();
    while listener.readable().await.is_ok() {
        let mut datagrams = Vec::new();
        if let Err(error) = listener.receive(&mut batch, |flow, bytes| datagrams.push((flow, bytes))) {
            // ICMP answers to what we sent surface here; retransmission timers deal with them.
            tracing::debug!(%error, local = %listener.local(), "receive failed");
        }
        let now = shared.borrow().clock.now();
        for (flow, bytes) in datagrams {
            caught("datagram", || {
                let mut driver = shared.borrow_mut();
                driver.engine.handle_datagram(now, flow, &bytes);
                driver.flush(&shared);
            });
        }
        tokio::task::yield_now().await;
    }
}

async fn keep_time(shared: Shared, rearm: Rc<Notify>) {
    loop {
        let next = {
            let driver = shared.borrow();
            driver.engine.poll_timeout().map(|at| tokio::time::Instant::from_std(driver.clock.std(at)))
        };
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                if !input(&shared, "timeout", |driver, now| driver.engine.handle_timeout(now)) {
                    // What is due and broken stays due: it must not keep a core busy.
                    tokio::time::sleep(AFTER_FAULT).await;
                }
            }
            () = rearm.notified() => {}
        }
    }
}

async fn accept(shared: Shared, listener: TcpListener, realm: RealmId, config: ws::Config) {
    let (config, local) = (Arc::new(config), listener.local_addr());
    let Ok(bound) = local else { return };
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors: connections that end give some back.
                tracing::warn!(%error, %bound, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let local = stream.local_addr().unwrap_or(bound);
        let mut admitted = None;
        input(&shared, "opened", |driver, now| admitted = driver.admit(now, realm, local, remote));
        let Some(flow) = admitted else { continue };
        let _ = stream.set_nodelay(true);
        let (sink, config) = (Connection { shared: Rc::clone(&shared) }, Arc::clone(&config));
        tokio::task::spawn_local(async move {
            ws::serve(stream, flow, &config, &sink).await;
            input(&sink.shared, "closed", |driver, now| driver.connection_ended(now, flow));
        });
    }
}

struct Connection {
    shared: Shared,
}

impl ws::Sink for Connection {
    fn opened(&self, flow: Flow, queue: mpsc::Sender<ws::Write>) -> bool {
        self.shared.borrow_mut().connections.insert(flow.connection, queue);
        true
    }

    fn message(&self, flow: Flow, message: Bytes) {
        input(&self.shared, "message", |driver, now| driver.engine.handle_datagram(now, flow, &message));
    }

    fn closed(&self, flow: Flow) {
        self.shared.borrow_mut().connections.remove(&flow.connection);
    }
}

impl Driver {
    /// A connection's flow if the guard lets it in.
    fn admit(&mut self, now: Now, realm: RealmId, local: SocketAddr, remote: SocketAddr) -> Option<Flow> {
        if self.connections.len() >= WS_CONNECTIONS {
            return None;
        }
        self.last_connection += 1;
        let flow = Flow {
            transport: Transport::Ws,
            realm,
            local: canonical_socket(local),
            remote: canonical_socket(remote),
            connection: ConnectionId(self.last_connection),
        };
        self.engine.handle_flow_opened(now, flow).then_some(flow)
    }

    /// Also for connections that never finished their hand-shake: the guard counts them.
    fn connection_ended(&mut self, now: Now, flow: Flow) {
        self.connections.remove(&flow.connection);
        self.engine.handle_flow_closed(now, flow);
    }

    /// Performs what the engine wants done, in order, and re-arms the timer.
    fn flush(&mut self, shared: &Shared) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Transmit { flow, bytes } => self.transmit(flow, bytes),
                Output::Journal { line } => {
                    let wall = self.clock.now().wall;
                    self.journal.append(wall, line);
                }
                Output::Media { shard, command } => {
                    if !self.media.get(usize::from(shard.0)).is_some_and(|thread| thread.command(command)) {
                        tracing::error!(shard = shard.0, "a media thread takes no orders");
                    }
                }
                Output::CloseFlow { flow, code, why } => {
                    if let Some(queue) = self.connections.get(&flow.connection) {
                        let _ = queue.try_send(ws::Write::Close(code, why));
                    }
                }
                Output::Resolve { id, query } => {
                    let (shared, resolver) = (Rc::clone(shared), Rc::clone(&self.resolver));
                    tokio::task::spawn_local(async move {
                        let answer = resolver.ask(query).await;
                        input(&shared, "resolved", |driver, now| driver.engine.handle_resolved(now, id, answer));
                    });
                }
                Output::Firewall(order) => self.firewall(order),
                Output::Log(line) => emit(&line),
                // Pages ask once a second; nobody follows single steps.
                Output::Live(_) => {}
            }
        }
        // Records have been folded already; nobody else looks at facts here.
        while self.engine.poll_fact().is_some() {}
        self.rearm.notify_one();
    }

    fn transmit(&mut self, flow: Flow, bytes: Bytes) {
        if bytes.len() > SIP_MESSAGE_BYTES {
            return;
        }
        if flow.transport == Transport::Udp {
            let Some(listener) = self.udp.iter().find(|l| l.serves(&flow)) else {
                tracing::warn!(%flow, "no socket for this flow");
                return;
            };
            if let Err(error) = listener.send(&flow, &bytes) {
                tracing::debug!(%error, %flow, "send failed");
                // A full buffer is a lost datagram, which SIP repeats; no route
                // or no permission will not heal (RFC 3261 §18.4).
                if error.kind() != io::ErrorKind::WouldBlock {
                    let now = self.clock.now();
                    self.engine.handle_transport_error(now, flow);
                }
            }
        } else if let Some(queue) = self.connections.get(&flow.connection) {
            // A browser that stopped reading is dropped; its task sees the closed channel.
            if queue.try_send(ws::Write::Message(bytes)).is_err() {
                self.connections.remove(&flow.connection);
            }
        }
    }

    fn firewall(&mut self, output: guard::Output) {
        let Some(firewall) = &self.firewall else { return };
        let order = match output {
            guard::Output::Ban { prefix, ttl_secs } => Order::Ban(prefix, ttl_secs),
            guard::Output::Lift { prefix } => Order::Lift(prefix),
            guard::Output::Event(_) => return,
        };
        if !firewall.order(order) {
            tracing::warn!("the firewall helper is behind, a ban holds in user space only");
        }
    }
}

/// The record room's lines carry their fields with them.
fn emit(line: &LogLine) {
    match line.level {
        Level::Trace => tracing::trace!(target: "sbc::record", "{line}"),
        Level::Debug => tracing::debug!(target: "sbc::record", "{line}"),
        Level::Info => tracing::info!(target: "sbc::record", "{line}"),
        Level::Warn => tracing::warn!(target: "sbc::record", "{line}"),
        Level::Error => tracing::error!(target: "sbc::record", "{line}"),
    }
}

/// Requests of other threads taken before the sockets get their turn.
const REQUESTS_PER_TURN: usize = 256;

/// Rest after a fault of ours in a timer.
const AFTER_FAULT: Duration = Duration::from_millis(10);

/// Rest after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
