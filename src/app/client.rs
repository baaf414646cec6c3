//! The commands' line to the running process: HTTP over its local socket.

use std::path::Path;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Asks the process behind `socket`.
///
/// # Errors
///
/// If nothing listens there, or the answer is an error, in its own words.
pub fn call(socket: &Path, method: Method, path: &str, body: Option<&Value>) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let stream = UnixStream::connect(socket)
            .await
            .with_context(|| format!("no running sbc answers at {}", socket.display()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = body.map_or_else(Bytes::new, |v| Bytes::from(v.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let text = String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let message = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|v| v.pointer("/error/message").and_then(Value::as_str).map(str::to_owned));
        match (status, message) {
            (_, Some(message)) => bail!(message),
            (StatusCode::NOT_FOUND, None) => bail!("there is no such thing"),
            (_, None) => bail!("the answer was {status}: {text}"),
        }
    })
}

/// [`call`] with GET, and JSON back.
///
/// # Errors
///
/// As [`call`], or if the answer is no JSON.
pub fn get(socket: &Path, path: &str) -> Result<Value> {
    Ok(serde_json::from_str(&call(socket, Method::GET, path, None)?)?)
}

/// A segment of a path, percent-encoded.
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
