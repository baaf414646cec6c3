//! One media thread: sockets in front, a [`Shard`] behind.
//!
//! Order of work in a turn, all under one reading of the clock: 1. orders of
//! the engine, and the sockets they open; 2. packets, at most 32 a socket, each
//! sent on from the buffer it came in; 3. what is due; 4. packets made here;
//! 5. events to the driver, kept here while its channel is full.
//!
//! An idle thread wakes for each packet. Under load it sleeps half a
//! millisecond before it looks, so that work gathers: wake-ups are half of the
//! cost of a relayed packet and nobody hears the difference (NUMBERS.md).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::clock::Clock;
use super::driver::Request;
use super::media_socket::{Bell, Ready, Share, Sockets};
use super::panics::caught;
use crate::base::limits::MEDIA_RING;
use crate::base::{Instant, Now, ShardId};
use crate::media::command::Command;
use crate::media::event::Event;
use crate::media::packet::Packet;
use crate::media::shard::{Output, PortId, Reason, Shard, Verdict};

/// The driver's end of a media thread.
#[derive(Clone, Debug)]
pub struct MediaHandle {
    orders: SyncSender<Command>,
    bell: Bell,
    gauges: Arc<Gauges>,
}

/// A thread's numbers, renewed once a second, readable from elsewhere.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Live sessions.
    pub sessions: AtomicU64,
    /// Packets received in the last second.
    pub packets_per_sec: AtomicU64,
    /// Share of the last second spent working, thousandths.
    pub load_permille: AtomicU64,
    /// Packets received since the start.
    pub received: AtomicU64,
    /// Packets sent on since the start.
    pub forwarded: AtomicU64,
    /// Packets dropped since the start, by [`Reason`].
    pub dropped: [AtomicU64; Reason::ALL.len()],
    /// Packets that the kernel had no room for.
    pub unsent: AtomicU64,
    /// When the thread last began a turn, milliseconds of the process's clock.
    pub beat_ms: AtomicU64,
}

/// The thread itself.
struct MediaThread {
    shard: Shard,
    sockets: Sockets,
    clock: Clock,
    orders: Receiver<Command>,
    driver: tokio::sync::mpsc::Sender<Request>,
    events: VecDeque<Event>,
    packet: Packet,
    pace: Pace,
    gauges: Arc<Gauges>,
}

/// How busy the thread is, to decide whether work is left to gather.
#[derive(Debug)]
struct Pace {
    window: Instant,
    packets: u64,
    gathers: bool,
    second: Instant,
    worked: Duration,
    received: u64,
    seconds: u64,
}

impl MediaHandle {
    /// Hands on an order; never waits. False if the thread is so far behind
    /// that it has no room, which is a fault.
    pub fn command(&self, command: Command) -> bool {
        let taken = self.orders.try_send(command).is_ok();
        self.bell.ring();
        taken
    }

    /// The thread's numbers.
    pub fn gauges(&self) -> &Gauges {
        &self.gauges
    }
}

/// Binds the shard's first sockets, then starts the thread.
///
/// # Errors
///
/// If an address is in use or not ours, or no thread can be made.
pub fn spawn(
    id: ShardId,
    shard: Shard,
    clock: Clock,
    driver: tokio::sync::mpsc::Sender<Request>,
) -> io::Result<MediaHandle> {
    let (orders, inbox) = sync_channel(MEDIA_RING);
    let sockets = Sockets::new()?;
    let gauges = Arc::new(Gauges::default());
    let handle = MediaHandle { orders, bell: sockets.bell(), gauges: Arc::clone(&gauges) };
    let mut thread = MediaThread {
        shard,
        sockets,
        clock,
        orders: inbox,
        driver,
        events: VecDeque::new(),
        packet: Packet::new(),
        pace: Pace::new(clock.now().mono),
        gauges,
    };
    while let Some(output) = thread.shard.poll_output() {
        if let Output::Bind { port, local, dscp } = output {
            let bound = thread.sockets.bind(port.0 as usize, local, dscp, Share::All);
            bound.map_err(|e| io::Error::new(e.kind(), format!("udp {local} (media): {e}")))?;
        }
    }
    std::thread::Builder::new().name(format!("media-{}", id.0)).spawn(move || thread.run())?;
    Ok(handle)
}

impl MediaThread {
    fn run(mut self) {
        let mut ready = Ready::new();
        loop {
            if self.pace.gathers {
                std::thread::sleep(GATHER);
            }
            let most = self.longest_wait();
            if let Err(error) = self.sockets.wait(most, &mut ready) {
                tracing::error!(%error, "a media thread cannot wait for packets");
                std::thread::sleep(AFTER_FAULT);
            }
            let began = self.clock.now();
            self.gauges.beat_ms.store(began.mono.as_millis(), Relaxed);
            if caught("media turn", || self.turn(began, &ready.numbers)).is_none() {
                // Whatever is broken must not keep a core busy.
                std::thread::sleep(AFTER_FAULT);
            }
            if self.driver.is_closed() {
                return;
            }
            let ended = self.clock.now().mono;
            self.pace.worked += ended.since(began.mono);
            self.publish(ended);
        }
    }

    fn longest_wait(&self) -> Duration {
        let most = if self.events.is_empty() { IDLE } else { EVENT_RETRY };
        match self.shard.poll_timeout() {
            Some(due) => most.min(due.since(self.clock.now().mono)),
            None => most,
        }
    }

    /// See the file's head for the order.
    fn turn(&mut self, now: Now, ready: &[usize]) {
        for _ in 0..ORDERS {
            let Ok(command) = self.orders.try_recv() else { break };
            self.shard.handle_command(now, command);
        }
        self.perform(now);
        let mut packets = 0;
        for number in ready {
            for _ in 0..PACKETS {
                let Some((len, from)) = self.sockets.receive(*number, self.packet.room()) else { break };
                self.packet.received(len);
                packets += 1;
                match self.shard.handle_packet(now, PortId(*number as u32), from, &mut self.packet) {
                    Verdict::Forward { port, to, range } => {
                        if !self.sockets.send(port.0 as usize, to, self.packet.slice(range)) {
                            self.gauges.unsent.fetch_add(1, Relaxed);
                        }
                    }
                    Verdict::Absorbed | Verdict::Dropped(_) => {}
                }
            }
        }
        self.pace.count(now.mono, packets);
        if self.shard.poll_timeout().is_some_and(|due| due <= now.mono) {
            self.shard.handle_timeout(now);
        }
        self.perform(now);
        self.tell();
    }

    /// Does what the shard wants, in its order.
    fn perform(&mut self, now: Now) {
        while let Some(output) = self.shard.poll_output() {
            match output {
                Output::Bind { port, local, dscp } => {
                    if let Err(error) = self.sockets.bind(port.0 as usize, local, dscp, Share::Pair) {
                        tracing::warn!(%error, %local, "a media port cannot be bound");
                        self.shard.handle_bind_failed(now, port);
                    }
                }
                Output::Unbind { port } => self.sockets.close(port.0 as usize),
                Output::Transmit { port, to, bytes } => {
                    if !self.sockets.send(port.0 as usize, to, &bytes) {
                        self.gauges.unsent.fetch_add(1, Relaxed);
                    }
                }
                Output::Event(event) => {
                    if self.events.len() >= MEDIA_RING {
                        tracing::error!("the signalling thread does not take media events");
                        self.events.pop_front();
                    }
                    self.events.push_back(event);
                }
            }
        }
    }

    fn tell(&mut self) {
        while !self.events.is_empty() {
            let Ok(place) = self.driver.try_reserve() else { return };
            if let Some(event) = self.events.pop_front() {
                place.send(Request::Media(event));
            }
        }
    }

    /// Renews the numbers once a second.
    fn publish(&mut self, now: Instant) {
        let passed = now.since(self.pace.second);
        if passed < IDLE {
            return;
        }
        let counters = self.shard.counters();
        let per_sec = |n: u64| (n as f64 / passed.as_secs_f64()).round() as u64;
        let g = &self.gauges;
        g.sessions.store(self.shard.sessions() as u64, Relaxed);
        g.packets_per_sec.store(per_sec(counters.received - self.pace.received), Relaxed);
        g.load_permille.store(per_sec(self.pace.worked.as_millis() as u64).min(1000), Relaxed);
        g.received.store(counters.received, Relaxed);
        g.forwarded.store(counters.forwarded, Relaxed);
        for (gauge, count) in g.dropped.iter().zip(counters.dropped) {
            gauge.store(count, Relaxed);
        }
        (self.pace.second, self.pace.worked, self.pace.received) = (now, Duration::ZERO, counters.received);
        self.pace.seconds += 1;
        if self.pace.seconds.is_multiple_of(SAMPLE_SECONDS) && self.shard.sessions() > 0 {
            let count = self.pace.seconds.is_multiple_of(COUNT_SECONDS);
            // Without room they are left out: the next ones tell more.
            let _ = self.driver.try_send(Request::Samples { samples: self.shard.samples(), count });
        }
    }
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { window: now, packets: 0, gathers: false, second: now, worked: Duration::ZERO, received: 0, seconds: 0 }
    }

    /// Counts a turn's packets and decides anew after each window.
    fn count(&mut self, now: Instant, packets: u64) {
        self.packets += packets;
        if now.since(self.window) >= WINDOW {
            self.gathers = self.packets >= BUSY;
            (self.window, self.packets) = (now, 0);
        }
    }
}

/// How long work gathers under load.
const GATHER: Duration = Duration::from_micros(500);

/// How often the load is judged.
const WINDOW: Duration = Duration::from_millis(10);

/// Packets in a window from which on work gathers: two in half a millisecond,
/// below that a wake-up for each is cheaper than a delay for all.
const BUSY: u64 = 40;

/// Seconds between two samples of every running call.
const SAMPLE_SECONDS: u64 = 5;

/// Seconds between two samples that count for the histogram of quality.
const COUNT_SECONDS: u64 = 60;

/// Longest wait, so that numbers are renewed.
const IDLE: Duration = Duration::from_secs(1);

/// Wait while events have no room in the driver's channel.
const EVENT_RETRY: Duration = Duration::from_millis(2);

/// Rest after a fault of ours.
const AFTER_FAULT: Duration = Duration::from_millis(10);

/// Orders taken in a turn before packets have theirs.
const ORDERS: usize = 1024;

/// Packets taken from a socket in a turn, so that a flooded one cannot starve the others.
const PACKETS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_gathers_under_load_only() {
        let mut pace = Pace::new(Instant::ZERO);
        let mut at = Instant::ZERO;
        let mut turns = |pace: &mut Pace, packets: u64| {
            for _ in 0..20 {
                at += Duration::from_millis(1);
                pace.count(at, packets);
            }
            pace.gathers
        };
        assert!(!turns(&mut pace, 1));
        assert!(turns(&mut pace, 10));
        assert!(!turns(&mut pace, 0));
    }
}
