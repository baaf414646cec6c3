//! Resources of the node itself: state, lists that fit no other file, health,
//! metrics, draining and stopping.

use std::collections::HashMap;

use axum::extract::{Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::assets::plain;
use super::auth::Caller;
use super::line::{Answer, Ask};
use super::problem::Problem;
use super::server::{Shared, shown};

/// The description of this API, kept by hand.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `GET /api/v1/status`.
pub async fn status(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(shared.line.value(Ask::Status).await?))
}

/// `GET /api/v1/trunks`.
pub async fn trunks(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(shared.line.value(Ask::Trunks).await?))
}

/// `GET /api/v1/registrations`.
pub async fn registrations(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&caller, shared.line.value(Ask::Registrations).await?)))
}

/// `GET /api/v1/phone`: with a password in it, so only where the password is
/// made at start and everybody who asks sits at this machine.
pub async fn phone(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    shared.phone.as_deref().cloned().map(Json).ok_or_else(Problem::missing)
}

/// `GET /api/v1/route?from=&to=[&realm=]`.
pub async fn route(
    State(shared): State<Shared>,
    Query(mut query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let Some(to) = query.remove("to") else {
        return Err(Problem::unprocessable("bad_query", "to is missing: the user or address dialled"));
    };
    let from = query.remove("from").unwrap_or_default();
    let answer = shared.line.value(Ask::Route { from, to, realm: query.remove("realm") }).await?;
    Ok(Json(answer))
}

/// `POST /api/v1/drain`.
pub async fn drain(State(shared): State<Shared>) -> Result<Response, Problem> {
    shared.line.ask(Ask::Drain).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "state": "draining" }))).into_response())
}

/// `POST /api/v1/undrain`.
pub async fn undrain(State(shared): State<Shared>) -> Result<Response, Problem> {
    shared.line.ask(Ask::Undrain).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "state": "running" }))).into_response())
}

/// `POST /api/v1/stop`.
pub async fn stop(State(shared): State<Shared>) -> Result<Response, Problem> {
    shared.line.ask(Ask::Stop).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "state": "stopping" }))).into_response())
}

/// `GET /api/v1/openapi.json`.
pub async fn openapi() -> Response {
    let mut response = Response::new(OPENAPI.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `GET /healthz`: the process lives.
pub async fn healthz() -> Response {
    plain(StatusCode::OK, "ok\n")
}

/// `GET /readyz`: it takes calls.
pub async fn readyz(State(shared): State<Shared>) -> Response {
    let state = shared.line.value(Ask::Status).await.ok();
    match state.as_ref().and_then(|s| s.get("state")).and_then(Value::as_str) {
        Some("running") => plain(StatusCode::OK, "ready\n"),
        Some(other) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{other}\n")),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "no answer\n"),
    }
}

/// `GET /metrics`.
pub async fn metrics(State(shared): State<Shared>) -> Result<Response, Problem> {
    let text = match shared.line.ask(Ask::Metrics).await? {
        Answer::Text(text) => text,
        Answer::Value(_) | Answer::Done | Answer::Missing | Answer::Refused { .. } => String::new(),
    };
    let mut response = Response::new(text.into());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
