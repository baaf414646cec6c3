//! SIP over WebSocket, our end (RFC 7118, RFC 6455).
//!
//! One task a connection: it owns the socket, hands whole messages to the
//! driver and writes what the driver queues for it. Frames and messages are
//! bounded by the longest SIP message, the hand-shake and silence by time. A
//! browser that does not read fills its queue and is closed; it never holds
//! anybody else up.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};

use crate::base::Flow;
use crate::base::limits::{SIP_MESSAGE_BYTES, WS_QUEUE};

/// What may connect, and how long it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Path of the resource, `/sip`; others get 404.
    pub path: String,
    /// Allowed `Origin` values; empty allows any. A client without the header is no browser and is let in.
    pub origins: Vec<String>,
    /// Hand-shake bound.
    pub handshake: Duration,
    /// A ping goes out after this much silence; after twice as much the connection is dead.
    pub ping: Duration,
}

/// What the driver queues for a connection.
#[derive(Debug)]
pub enum Write {
    /// A SIP message.
    Message(Bytes),
    /// Close with this code and reason.
    Close(u16, &'static str),
}

/// What a connection tells the driver.
pub trait Sink {
    /// The hand-shake is done; `false` refuses the connection.
    fn opened(&self, flow: Flow, queue: mpsc::Sender<Write>) -> bool;
    /// A whole message.
    fn message(&self, flow: Flow, message: Bytes);
    /// The connection is gone.
    fn closed(&self, flow: Flow);
}

/// Serves one accepted connection until it ends.
pub async fn serve<S>(stream: S, flow: Flow, config: &Config, sink: &impl Sink)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let limits = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_write_buffer_size(SIP_MESSAGE_BYTES * 4)
        .max_message_size(Some(SIP_MESSAGE_BYTES))
        .max_frame_size(Some(SIP_MESSAGE_BYTES));
    #[allow(clippy::result_large_err, reason = "the callback's type is the library's")]
    let check = |request: &Request, response: Response| judge(config, request, response);
    let handshake = tokio_tungstenite::accept_hdr_async_with_config(stream, check, Some(limits));
    let Ok(Ok(socket)) = timeout(config.handshake, handshake).await else { return };
    let (queue, writes) = mpsc::channel(WS_QUEUE);
    if sink.opened(flow, queue) {
        talk(socket, writes, flow, config.ping, sink).await;
        sink.closed(flow);
    }
}

/// RFC 7118 §5.1: the client must offer the sub-protocol `sip`, and we name it.
#[allow(clippy::result_large_err, reason = "the type is the library's")]
fn judge(config: &Config, request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, why: &str| {
        let mut refusal = ErrorResponse::new(Some(why.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if request.uri().path() != config.path {
        return refuse(StatusCode::NOT_FOUND, "no such resource");
    }
    let origin = request.headers().get(header::ORIGIN);
    let allowed = |origin: &HeaderValue| {
        config.origins.is_empty()
            || config.origins.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
    };
    if origin.is_some_and(|origin| !allowed(origin)) {
        return refuse(StatusCode::FORBIDDEN, "origin not allowed");
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let sip = offered.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).any(|p| p.trim() == "sip");
    if !sip {
        return refuse(StatusCode::BAD_REQUEST, "sub-protocol sip not offered (RFC 7118)");
    }
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("sip"));
    Ok(response)
}

/// Moves messages both ways until either side is done.
async fn talk<S>(
    socket: WebSocketStream<S>,
    mut writes: mpsc::Receiver<Write>,
    flow: Flow,
    ping: Duration,
    sink: &impl Sink,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut output, mut input) = socket.split();
    let (mut heard, mut pinged) = (Instant::now(), false);
    loop {
        let silence = if pinged { ping * 2 } else { ping };
        tokio::select! {
            read = input.next() => {
                (heard, pinged) = (Instant::now(), false);
                match read {
                    Some(Ok(Message::Text(text))) => sink.message(flow, Bytes::from(text)),
                    Some(Ok(Message::Binary(bytes))) => sink.message(flow, bytes),
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                }
            }
            write = writes.recv() => {
                let sent = match write {
                    Some(Write::Message(bytes)) => output.send(message(bytes)).await,
                    Some(Write::Close(code, why)) => {
                        let frame = CloseFrame { code: CloseCode::from(code), reason: why.into() };
                        let _ = timeout(ping, output.send(Message::Close(Some(frame)))).await;
                        break;
                    }
                    None => break,
                };
                if sent.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep_until(heard + silence) => {
                if pinged || output.send(Message::Ping(Bytes::new())).await.is_err() {
                    break;
                }
                pinged = true;
            }
        }
    }
}

/// RFC 7118 §4.2: text frames carry UTF-8, what is not goes in a binary frame.
fn message(bytes: Bytes) -> Message {
    match tokio_tungstenite::tungstenite::Utf8Bytes::try_from(bytes.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(bytes),
    }
}

/// Binds a TCP listener for WebSocket or HTTP.
///
/// # Errors
///
/// As the system gives them.
pub fn listen(local: SocketAddr) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}
