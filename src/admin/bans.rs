//! `/api/v1/bans`: who is kept out; banning and lifting by hand.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::line::Ask;
use super::problem::Problem;
use super::server::{AuditDetail, Shared};
use crate::base::net::Prefix;

/// Longest reason, characters.
const REASON: usize = 200;

/// `GET /api/v1/bans`.
pub async fn list(State(shared): State<Shared>) -> Result<Json<Value>, Problem> {
    Ok(Json(shared.line.value(Ask::Bans).await?))
}

#[derive(Deserialize)]
struct Wish {
    prefix: String,
    #[serde(default)]
    secs: Option<u32>,
    #[serde(default)]
    reason: String,
}

/// `POST /api/v1/bans`.
pub async fn add(State(shared): State<Shared>, body: Bytes) -> Result<Response, Problem> {
    let wish: Wish =
        serde_json::from_slice(&body).map_err(|error| Problem::unprocessable("bad_body", error.to_string()))?;
    let prefix = read(&wish.prefix)?;
    if wish.reason.chars().count() > REASON {
        return Err(Problem::unprocessable("bad_reason", "a reason has at most 200 characters"));
    }
    if wish.secs == Some(0) {
        return Err(Problem::unprocessable("bad_secs", "a ban lasts at least 1 second"));
    }
    let detail = AuditDetail(prefix.to_string());
    let answer = shared.line.value(Ask::Ban { prefix, secs: wish.secs, reason: wish.reason }).await?;
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    response.extensions_mut().insert(detail);
    Ok(response)
}

/// `DELETE /api/v1/bans/{prefix}`.
pub async fn lift(State(shared): State<Shared>, Path(prefix): Path<String>) -> Result<StatusCode, Problem> {
    shared.line.ask(Ask::Lift { prefix: read(&prefix)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(prefix: &str) -> Result<Prefix, Problem> {
    prefix.parse().map_err(|message: String| Problem::unprocessable("bad_prefix", message))
}
