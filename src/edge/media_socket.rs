//! The sockets of one media thread: an epoll set, and a bell for orders.
//!
//! Sockets stand at the number that the shard gave them, so that a ready
//! socket leads to its session without a table. Everything is non-blocking: a
//! full send buffer drops the packet and counts it, since late audio is worth
//! nothing. The bell is an eventfd that other threads ring after they have put
//! an order into the thread's channel.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use socket2::{Domain, Protocol, Socket, Type};

/// Wakes a media thread; copies ring the same bell.
#[derive(Clone, Debug)]
pub struct Bell(Arc<OwnedFd>);

/// The sockets and what waits for them.
pub struct Sockets {
    epoll: OwnedFd,
    bell: Bell,
    by_number: Vec<Option<UdpSocket>>,
}

/// What a wait found; made on the thread that waits and kept by it.
pub struct Ready {
    events: Vec<epoll::Event>,
    /// Numbers of the sockets that can be read.
    pub numbers: Vec<usize>,
}

impl Ready {
    /// Room for one wait.
    pub fn new() -> Self {
        Self { events: Vec::with_capacity(EVENTS), numbers: Vec::with_capacity(EVENTS) }
    }
}

impl Default for Ready {
    fn default() -> Self {
        Self::new()
    }
}

/// What a socket is for: it decides how much the kernel may hold for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// One side of one call: 50 packets a second.
    Pair,
    /// Every browser of the thread.
    All,
}

impl Bell {
    /// Wakes the thread, now or at its next wait.
    pub fn ring(&self) {
        // Only an overflow of the counter fails, and then the bell is ringing already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    fn hush(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

impl Sockets {
    /// An empty set.
    ///
    /// # Errors
    ///
    /// If the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = Bell(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?));
        epoll::add(&epoll, &*bell.0, epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        Ok(Self { epoll, bell, by_number: Vec::new() })
    }

    /// The bell that ends a wait.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Binds a socket under a number; one that had the number is closed.
    ///
    /// # Errors
    ///
    /// As the system gives them: the address is in use or not ours, no descriptor is left.
    pub fn bind(&mut self, number: usize, local: SocketAddr, dscp: u8, share: Share) -> io::Result<()> {
        self.close(number);
        let socket = open(local, dscp, share)?;
        epoll::add(&self.epoll, &socket, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        if self.by_number.len() <= number {
            self.by_number.resize_with(number + 1, || None);
        }
        self.by_number[number] = Some(socket);
        Ok(())
    }

    /// Closes a socket; the kernel takes it out of the set.
    pub fn close(&mut self, number: usize) {
        if let Some(slot) = self.by_number.get_mut(number) {
            *slot = None;
        }
    }

    /// Waits until a socket can be read, the bell rings or the time is over.
    ///
    /// # Errors
    ///
    /// If the set is broken; an interrupted wait is none.
    pub fn wait(&self, most: Duration, ready: &mut Ready) -> io::Result<()> {
        ready.events.clear();
        ready.numbers.clear();
        let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: i64::from(most.subsec_nanos()) };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut ready.events), Some(&most)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for event in &ready.events {
            match event.data.u64() {
                BELL => self.bell.hush(),
                number => ready.numbers.push(number as usize),
            }
        }
        Ok(())
    }

    /// Reads one datagram; `None` if there is nothing. An ICMP error of an
    /// earlier send is passed over: the inactivity timer judges a dead peer.
    pub fn receive(&self, number: usize, room: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let socket = self.by_number.get(number)?.as_ref()?;
        for _ in 0..ICMP_ERRORS {
            match socket.recv_from(room) {
                Ok(read) => return Some(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends one datagram; false if the kernel did not take it.
    pub fn send(&self, number: usize, to: SocketAddr, bytes: &[u8]) -> bool {
        let Some(Some(socket)) = self.by_number.get(number) else { return false };
        socket.send_to(bytes, to).is_ok()
    }
}

fn open(local: SocketAddr, dscp: u8, share: Share) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    let bytes = match share {
        Share::Pair => PAIR_BUFFER,
        Share::All => SHARED_BUFFER,
    };
    // Less buffer or an unmarked packet is no reason to refuse a call.
    let _ = socket.set_recv_buffer_size(bytes);
    let _ = socket.set_send_buffer_size(bytes);
    let field = u32::from(dscp) << 2;
    let _ = if local.is_ipv4() { socket.set_tos_v4(field) } else { socket.set_tclass_v6(field) };
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// Stands for the bell where numbers of sockets stand.
const BELL: u64 = u64::MAX;

/// Sockets told of in one wait; those beyond are told of in the next.
const EVENTS: usize = 1024;

/// Pending ICMP errors taken from a socket before it is left for the next turn.
const ICMP_ERRORS: usize = 8;

/// Kernel buffer of a pair's socket, bytes: two seconds of G.711.
const PAIR_BUFFER: usize = 256 << 10;

/// Kernel buffer of the shared socket, bytes: 100 ms of 50,000 packets a second.
const SHARED_BUFFER: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn local(sockets: &Sockets, number: usize) -> SocketAddr {
        let socket = sockets.by_number[number].as_ref().expect("bound");
        socket.local_addr().expect("bound")
    }

    #[test]
    fn a_datagram_leads_to_the_number_of_its_socket() {
        let mut sockets = Sockets::new().expect("epoll");
        for number in [0, 5] {
            sockets.bind(number, "127.0.0.1:0".parse().expect("address"), 46, Share::Pair).expect("free port");
        }
        let to = local(&sockets, 5);
        assert!(sockets.send(0, to, b"hello"));
        assert!(!sockets.send(3, to, b"nobody"));
        let mut ready = Ready::new();
        sockets.wait(Duration::from_secs(5), &mut ready).expect("wait");
        assert_eq!(ready.numbers, [5]);
        let mut room = [0; 100];
        assert_eq!(sockets.receive(5, &mut room), Some((5, local(&sockets, 0))));
        assert_eq!(sockets.receive(5, &mut room), None);
        sockets.close(5);
        assert_eq!(sockets.receive(5, &mut room), None);
    }

    #[test]
    fn the_bell_ends_a_wait_once() {
        let sockets = Sockets::new().expect("epoll");
        let bell = sockets.bell();
        bell.ring();
        bell.ring();
        let (mut ready, started) = (Ready::new(), std::time::Instant::now());
        sockets.wait(Duration::from_secs(5), &mut ready).expect("wait");
        assert!(ready.numbers.is_empty() && started.elapsed() < Duration::from_secs(5));
        sockets.wait(Duration::from_millis(1), &mut ready).expect("wait");
        assert!(started.elapsed() >= Duration::from_millis(1));
    }

    #[test]
    fn a_taken_port_is_refused() {
        let mut sockets = Sockets::new().expect("epoll");
        let taken = UdpSocket::bind("127.0.0.1:0").expect("free port");
        let at = taken.local_addr().expect("bound");
        assert_eq!(sockets.bind(0, at, 0, Share::All).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    }
}
