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
use super::udp::{Batch, UdpListener};
use super::ws;
use crate::base::limits::{SIP_MESSAGE_BYTES, WS_CONNECTIONS};
use crate::base::net::canonical_socket;
use crate::base::{ConnectionId, Flow, RealmId, Transport};
use crate::engine::{Command, Engine, Output, Query, Reply};
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

/// Takes a request and those that wait behind it; `false` to stop.
fn answer(shared: &Shared, first: Request, inbox: &mut mpsc::Receiver<Request>) -> bool {
    let mut driver = shared.borrow_mut();
    let now = driver.clock.now();
    let mut next = Some(first);
    let mut left = REQUESTS_PER_TURN;
    while let Some(request) = next {
        match request {
            // The asker may have gone away; that is no matter of ours.
            Request::Query(query, to) => drop(to.send(driver.engine.query(now, query))),
            Request::Command(command, to) => drop(to.send(driver.engine.command(now, command))),
            Request::Media(event) => driver.engine.handle_media(now, event),
            Request::Stop => {
                driver.flush(shared);
                return false;
            }
        }
        left -= 1;
        next = if left > 0 { inbox.try_recv().ok() } else { None };
    }
    driver.flush(shared);
    true
}

async fn read_udp(shared: Shared, listener: Rc<UdpListener>) {
    let mut batch = Batch::new();
    while listener.readable().await.is_ok() {
        {
            let mut driver = shared.borrow_mut();
            let now = driver.clock.now();
            let read = listener.receive(&mut batch, |flow, bytes| driver.engine.handle_datagram(now, flow, &bytes));
            if let Err(error) = read {
                // ICMP answers to what we sent surface here; retransmission timers deal with them.
                tracing::debug!(%error, local = %listener.local(), "receive failed");
            }
            driver.flush(&shared);
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
                let mut driver = shared.borrow_mut();
                let now = driver.clock.now();
                driver.engine.handle_timeout(now);
                driver.flush(&shared);
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
        let Some(flow) = shared.borrow_mut().admit(realm, Transport::Ws, local, remote) else { continue };
        let _ = stream.set_nodelay(true);
        let (sink, config) = (Connection { shared: Rc::clone(&shared) }, Arc::clone(&config));
        tokio::task::spawn_local(async move {
            ws::serve(stream, flow, &config, &sink).await;
            sink.shared.borrow_mut().connection_ended(&sink.shared, flow);
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
        let mut driver = self.shared.borrow_mut();
        let now = driver.clock.now();
        driver.engine.handle_datagram(now, flow, &message);
        driver.flush(&self.shared);
    }

    fn closed(&self, flow: Flow) {
        self.shared.borrow_mut().connections.remove(&flow.connection);
    }
}

impl Driver {
    /// A connection's flow if the guard lets it in.
    fn admit(
        &mut self,
        realm: RealmId,
        transport: Transport,
        local: std::net::SocketAddr,
        remote: std::net::SocketAddr,
    ) -> Option<Flow> {
        if self.connections.len() >= WS_CONNECTIONS {
            return None;
        }
        self.last_connection += 1;
        let flow = Flow {
            transport,
            realm,
            local: canonical_socket(local),
            remote: canonical_socket(remote),
            connection: ConnectionId(self.last_connection),
        };
        let now = self.clock.now();
        self.engine.handle_flow_opened(now, flow).then_some(flow)
    }

    /// Also for connections that never finished their hand-shake: the guard counts them.
    fn connection_ended(&mut self, shared: &Shared, flow: Flow) {
        self.connections.remove(&flow.connection);
        let now = self.clock.now();
        self.engine.handle_flow_closed(now, flow);
        self.flush(shared);
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
                    if let Some(thread) = self.media.get(usize::from(shard.0)) {
                        thread.command(command);
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
                        let mut driver = shared.borrow_mut();
                        let now = driver.clock.now();
                        driver.engine.handle_resolved(now, id, answer);
                        driver.flush(&shared);
                    });
                }
                Output::Firewall(order) => self.firewall(order),
                Output::Log(line) => emit(&line),
                // Pages ask once a second; nobody follows single steps.
                Output::Live(_) => {}
            }
        }
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

/// Rest after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
