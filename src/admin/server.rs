//! The two listeners of the API: HTTP over TCP, and the commands' local socket.
//!
//! Order of work for a request: host, origin and token (`auth`), the role the
//! resource needs, the resource, an audit line if it was to change something,
//! security headers. Connections are counted and have to send their request in
//! time, so that a silent one holds nothing up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::serve::Listener;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::auth::{Caller, Gate, Refused, Role, Token};
use super::line::Line;
use super::problem::Problem;
use super::pulse::{self, Frames};
use super::{assets, bans, calls, events, node, redact};

/// What the API goes by.
#[derive(Clone)]
pub struct Config {
    /// The way to the engines.
    pub line: Line,
    /// Accepted tokens; none: everyone who reaches the listener is admin.
    pub tokens: Vec<Token>,
    /// Host names besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// What the browser phone needs to log in; only in the built-in default.
    pub phone: Option<Value>,
}

/// All that the thread starts with; bound before, so that a wrong address
/// stops the start.
pub struct Setup {
    /// What it goes by.
    pub config: Config,
    /// HTTP, if it is not off.
    pub tcp: Option<std::net::TcpListener>,
    /// The local socket, mode 0600.
    pub local: std::os::unix::net::UnixListener,
}

/// What every resource may use.
#[derive(Clone)]
pub struct Shared {
    /// The way to the engines.
    pub line: Line,
    /// The phone's login.
    pub phone: Option<Arc<Value>>,
    /// Frames for open pages.
    pub frames: Frames,
    /// Open pages.
    pub streams: Arc<AtomicUsize>,
    gate: Gate,
}

/// What an audit line says besides the path.
#[derive(Clone, Debug)]
pub struct AuditDetail(pub String);

/// Connections at once, of both listeners each.
const CONNECTIONS: usize = 256;

/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);

/// Longest body, bytes: the largest is a ban.
const BODY: usize = 16 << 10;

/// Serves on the calling thread until the process ends.
///
/// # Errors
///
/// If the runtime or a listener cannot be set up.
pub fn run(setup: Setup) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(setup))
}

async fn serve(Setup { config, tcp, local }: Setup) -> io::Result<()> {
    let frames = pulse::channel();
    tokio::spawn(pulse::run(config.line.clone(), frames.clone()));
    let shared = Shared {
        line: config.line,
        phone: config.phone.map(Arc::new),
        frames,
        streams: Arc::new(AtomicUsize::new(0)),
        gate: Gate { tokens: Arc::new([]), hosts: None },
    };
    if let Some(tcp) = tcp {
        let gate = Gate { tokens: config.tokens.into(), hosts: Some(config.hosts.into()) };
        let listener = tokio::net::TcpListener::from_std(tcp)?;
        tokio::spawn(accept(listener, router(Shared { gate, ..shared.clone() })));
    }
    accept(tokio::net::UnixListener::from_std(local)?, router(shared)).await;
    Ok(())
}

/// Takes connections, each a task of its own.
async fn accept<L: Listener>(mut listener: L, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, _) = listener.accept().await;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = connection {
                tracing::debug!(%error, "HTTP connection ended");
            }
            drop(place);
        });
    }
}

/// Every resource.
fn router(shared: Shared) -> Router {
    let api = Router::new()
        .route("/api/v1/status", get(node::status))
        .route("/api/v1/calls", get(calls::list))
        .route("/api/v1/calls/{id}", get(calls::one).delete(calls::hang_up))
        .route("/api/v1/calls/{id}/why", get(calls::why))
        .route("/api/v1/trunks", get(node::trunks))
        .route("/api/v1/registrations", get(node::registrations))
        .route("/api/v1/bans", get(bans::list).post(bans::add))
        .route("/api/v1/bans/{prefix}", delete(bans::lift))
        .route("/api/v1/route", get(node::route))
        .route("/api/v1/phone", get(node::phone))
        .route("/api/v1/events", get(events::stream))
        .route("/api/v1/drain", post(node::drain))
        .route("/api/v1/undrain", post(node::undrain))
        .route("/api/v1/stop", post(node::stop))
        .route("/api/v1/openapi.json", get(node::openapi))
        .route("/metrics", get(node::metrics));
    Router::new()
        .merge(api)
        .route("/healthz", get(node::healthz))
        .route("/readyz", get(node::readyz))
        .fallback(other)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// Host, origin, token and role before the resource; audit and headers after it.
async fn guard(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match admit(&shared.gate, &method, &path, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            let response = next.run(request).await;
            if !is_read(&method) {
                let detail = response.extensions().get::<AuditDetail>().map_or("", |d| d.0.as_str());
                let status = response.status().as_u16();
                tracing::info!(target: "audit", by = %caller.name, %method, path, detail, status, "change");
            }
            response
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CONTENT_SECURITY_POLICY, assets::POLICY);
    if !headers.contains_key(header::CACHE_CONTROL) || path.starts_with("/api/") {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Who asks, if the request may pass. Pages, `/healthz` and `/readyz` hold
/// nothing that a token would protect, and a browser cannot send one for them.
fn admit(gate: &Gate, method: &Method, path: &str, headers: &HeaderMap) -> Result<Caller, Problem> {
    let open = !(path.starts_with("/api/") || path == "/metrics");
    let caller = match gate.judge(method, headers) {
        Ok(caller) => caller,
        Err(Refused::BadOrigin) => return Err(Problem::bad_origin()),
        Err(Refused::Unauthorized) if open && is_read(method) => Caller { name: "anybody".into(), role: Role::Viewer },
        Err(Refused::Unauthorized) => return Err(Problem::unauthorized()),
    };
    let needed = match (is_read(method), path) {
        (true, _) => Role::Viewer,
        (false, "/api/v1/stop") => Role::Admin,
        (false, _) => Role::Operator,
    };
    if caller.role < needed { Err(Problem::forbidden()) } else { Ok(caller) }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// A value as far as the caller may see it.
pub fn shown(caller: &Caller, mut value: Value) -> Value {
    if caller.role == Role::Viewer {
        redact::addresses(&mut value);
    }
    value
}

async fn other(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if uri.path().starts_with("/api/") {
        return Problem::missing().into_response();
    }
    if is_read(&method) { assets::serve(uri.path(), &headers) } else { wrong_method().await.into_response() }
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this resource has no such method")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http_body_util::{BodyExt, Full};
    use hyper::body::Bytes;
    use serde_json::json;

    use super::super::line::{Answer, Ask};
    use super::*;
    use crate::base::redact::Secret;

    /// Answers as a node with one call and one ban would.
    fn node() -> Line {
        Line::new(async |ask| {
            Some(match ask {
                Ask::Status => Answer::Value(json!({ "state": "draining" })),
                Ask::Call { name } if name == "1" => {
                    Answer::Value(json!({ "id": "1", "legs": [{ "peer": "192.0.2.1:5060" }] }))
                }
                Ask::Ban { prefix, secs, .. } => {
                    Answer::Value(json!({ "prefix": prefix.to_string(), "expires_secs": secs }))
                }
                Ask::Lift { prefix } if prefix.to_string() == "203.0.113.7" => Answer::Done,
                _ => Answer::Missing,
            })
        })
    }

    fn shared(tokens: &[(&str, Role)]) -> Shared {
        let tokens = tokens.iter().map(|(t, role)| Token { name: (*t).into(), role: *role, secret: Secret::new(*t) });
        let gate = Gate { tokens: tokens.collect(), hosts: Some(Arc::from([])) };
        Shared { line: node(), phone: None, frames: pulse::channel(), streams: Arc::default(), gate }
    }

    /// One request over a pipe: status, headers, body.
    fn ask(shared: Shared, head: &[(&str, &str)], method: Method, path: &str, body: &str) -> (u16, HeaderMap, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(64 << 10);
            let service = TowerToHyperService::new(router(shared));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(far), service));
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(near)).await.expect("pipe");
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8080");
            for (name, value) in head {
                request = request.header(*name, *value);
            }
            let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("request");
            let response = sender.send_request(request).await.expect("answer");
            let (parts, body) = response.into_parts();
            let body = body.collect().await.expect("body").to_bytes();
            (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
        })
    }

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let source = include_str!("server.rs");
        let source = &source[..source.find("#[cfg(test)]").expect("tests")];
        let mut routed = BTreeSet::new();
        for line in source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")) {
            let (path, handlers) = line.split_once('"').expect("a path ends");
            for method in ["get", "post", "delete"].iter().filter(|m| handlers.contains(&format!("{m}("))) {
                routed.insert(format!("{method} {path}"));
            }
        }
        let api: Value = serde_json::from_str(node::OPENAPI).expect("openapi.json is JSON");
        let mut described = BTreeSet::new();
        for (path, methods) in api["paths"].as_object().expect("paths") {
            described.extend(methods.as_object().expect("methods").keys().map(|m| format!("{m} {path}")));
        }
        assert_eq!(routed, described);
    }

    #[test]
    fn errors_are_a_word_and_a_sentence() {
        let (status, headers, body) = ask(shared(&[]), &[], Method::GET, "/api/v1/calls/7", "");
        assert_eq!(
            (status, body.as_str()),
            (404, r#"{"error":{"code":"not_found","message":"there is no such thing"}}"#)
        );
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(ask(shared(&[]), &[], Method::PUT, "/api/v1/calls", "").0, 405);
        assert_eq!(ask(shared(&[]), &[], Method::GET, "/api/v1/phone", "").0, 404);
        assert_eq!(ask(shared(&[]), &[], Method::GET, "/api/v1/nothing", "").0, 404);
        assert_eq!(ask(shared(&[]), &[], Method::POST, "/api/v1/bans", "{}").0, 422);
        assert_eq!(ask(shared(&[]), &[], Method::POST, "/api/v1/bans", r#"{"prefix":"nonsense"}"#).0, 422);
    }

    #[test]
    fn a_ban_is_made_and_lifted_by_its_prefix() {
        let (status, _, body) =
            ask(shared(&[]), &[], Method::POST, "/api/v1/bans", r#"{"prefix":"203.0.113.9/24","secs":60}"#);
        assert_eq!((status, body.as_str()), (201, r#"{"expires_secs":60,"prefix":"203.0.113.0/24"}"#));
        assert_eq!(ask(shared(&[]), &[], Method::DELETE, "/api/v1/bans/203.0.113.7%2F32", "").0, 204);
        assert_eq!(ask(shared(&[]), &[], Method::DELETE, "/api/v1/bans/203.0.113.8", "").0, 404);
    }

    #[test]
    fn roles_decide_what_is_seen_and_done() {
        let tokens = [("viewer", Role::Viewer), ("operator", Role::Operator)];
        let with = |token: &str, method: Method, path: &str| {
            let (status, headers, body) =
                ask(shared(&tokens), &[("authorization", &format!("Bearer {token}"))], method, path, "");
            (status, headers.contains_key("www-authenticate"), body)
        };
        assert_eq!(with("viewer", Method::GET, "/api/v1/calls/1").2, r#"{"id":"1","legs":[{"peer":null}]}"#);
        assert_eq!(
            with("operator", Method::GET, "/api/v1/calls/1").2,
            r#"{"id":"1","legs":[{"peer":"192.0.2.1:5060"}]}"#
        );
        assert_eq!(with("viewer", Method::DELETE, "/api/v1/bans/203.0.113.7").0, 403);
        assert_eq!(with("operator", Method::DELETE, "/api/v1/bans/203.0.113.7").0, 204);
        assert_eq!(with("operator", Method::POST, "/api/v1/stop").0, 403);
        let (status, challenged, _) = with("nobody", Method::GET, "/metrics");
        assert_eq!((status, challenged), (401, true));
        assert_eq!(with("nobody", Method::GET, "/healthz").0, 200);
        assert_eq!(with("nobody", Method::GET, "/phone/").0, 200);
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let foreign = [("origin", "http://evil.example")];
        assert_eq!(ask(shared(&[]), &foreign, Method::POST, "/api/v1/drain", "").0, 403);
        let (status, headers, _) = ask(shared(&[]), &[], Method::GET, "/", "");
        assert_eq!((status, headers["content-security-policy"].to_str().expect("text")), (200, assets::POLICY));
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(ask(shared(&[]), &[], Method::GET, "/phone", "").1["location"], "/phone/");
    }

    #[test]
    fn a_draining_node_is_alive_and_not_ready() {
        assert_eq!(ask(shared(&[]), &[], Method::GET, "/healthz", "").0, 200);
        assert_eq!(ask(shared(&[]), &[], Method::GET, "/readyz", "").0, 503);
    }
}
