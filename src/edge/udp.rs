//! A UDP listener: batches in, single datagrams out.
//!
//! The kernel tells to which of our addresses a datagram came (IP_PKTINFO), so
//! that a wildcard listener still answers from the address that was asked and
//! no flow ever carries a wildcard. The receive buffer is 4 MiB: with 256 KiB
//! bursts of a few thousand calls a second lose messages.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;

use bytes::Bytes;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::base::net::{canonical, canonical_socket};
use crate::base::{Flow, RealmId};

/// One bound socket of a realm.
pub struct UdpListener {
    socket: UdpSocket,
    state: UdpSocketState,
    realm: RealmId,
    local: SocketAddr,
}

/// Room for one batch of datagrams, kept by whoever reads.
pub struct Batch(Vec<Vec<u8>>);

impl Batch {
    /// Room for as many datagrams as one system call gives.
    pub fn new() -> Self {
        Self((0..BATCH_SIZE).map(|_| vec![0; DATAGRAM]).collect())
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of kernel receive buffer asked for.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Largest UDP payload.
const DATAGRAM: usize = 65_535;

/// Binds the address; `share` lets several drivers bind the same one
/// (SO_REUSEPORT).
///
/// # Errors
///
/// As the system gives them: the address is in use or not ours.
pub fn bind(local: SocketAddr, share: bool) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(share)?;
    // A smaller buffer than asked for is no reason not to start.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    Ok(socket.into())
}

impl UdpListener {
    /// Hands a bound socket to the current runtime.
    ///
    /// # Errors
    ///
    /// If the runtime or the socket options refuse it.
    pub fn new(socket: std::net::UdpSocket, realm: RealmId) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, state, realm, local })
    }

    /// True if this socket is the local end of `flow`.
    pub fn serves(&self, flow: &Flow) -> bool {
        flow.realm == self.realm
            && flow.local.port() == self.local.port()
            && (self.local.ip().is_unspecified() || self.local.ip() == flow.local.ip())
    }

    /// The bound address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits until something can be read.
    ///
    /// # Errors
    ///
    /// If the runtime has lost the socket.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Reads what is there, at most a batch; `each` gets flow and datagram.
    /// Returns the number of datagrams, 0 if there was nothing.
    ///
    /// # Errors
    ///
    /// As `recvmmsg`; an ICMP error of an earlier send is one of them and the
    /// socket stays usable.
    pub fn receive(&self, batch: &mut Batch, mut each: impl FnMut(Flow, Bytes)) -> io::Result<usize> {
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let (socket, state) = (&self.socket, &self.state);
        let read = socket.try_io(Interest::READABLE, || {
            let mut slices: Vec<IoSliceMut<'_>> = batch.0.iter_mut().map(|b| IoSliceMut::new(b)).collect();
            state.recv(UdpSockRef::from(socket), &mut slices, &mut meta)
        });
        let count = match read {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            other => other?,
        };
        for (meta, buffer) in meta.iter().zip(&batch.0).take(count) {
            let local = SocketAddr::new(meta.dst_ip.map_or(self.local.ip(), canonical), self.local.port());
            let flow = Flow::udp(self.realm, local, canonical_socket(meta.addr));
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                each(flow, Bytes::copy_from_slice(datagram));
            }
        }
        Ok(count)
    }

    /// Sends one datagram from the flow's local address.
    ///
    /// # Errors
    ///
    /// As `sendmsg`. A full socket buffer is an error too: SIP retransmits.
    pub fn send(&self, flow: &Flow, bytes: &[u8]) -> io::Result<()> {
        let from_wildcard = self.local.ip().is_unspecified() && !flow.local.ip().is_unspecified();
        let transmit = Transmit {
            destination: flow.remote,
            ecn: None,
            contents: bytes,
            segment_size: None,
            src_ip: from_wildcard.then_some(flow.local.ip()),
        };
        self.socket.try_io(Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(&self.socket), &transmit))
    }
}
