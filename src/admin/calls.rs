//! `/api/v1/calls`: what is going on, one call in full, why, and hanging up.

use std::collections::HashMap;

use axum::Extension;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::auth::Caller;
use super::line::Ask;
use super::problem::Problem;
use super::server::{Shared, shown};

/// Calls listed at most.
const MOST: usize = 500;

/// `GET /api/v1/calls[?limit=n]`.
pub async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Problem> {
    let limit = match query.get("limit").map(|text| text.parse::<usize>()) {
        None => MOST,
        Some(Ok(limit)) => limit.min(MOST),
        Some(Err(_)) => return Err(Problem::unprocessable("bad_limit", "limit is a number from 0 to 500")),
    };
    Ok(Json(shown(&caller, shared.line.value(Ask::Calls { limit }).await?)))
}

/// `GET /api/v1/calls/{id}`.
pub async fn one(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&caller, shared.line.value(Ask::Call { name }).await?)))
}

/// `GET /api/v1/calls/{id}/why`.
pub async fn why(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&caller, shared.line.value(Ask::Why { name }).await?)))
}

/// `DELETE /api/v1/calls/{id}`.
pub async fn hang_up(State(shared): State<Shared>, Path(call): Path<String>) -> Result<Response, Problem> {
    shared.line.ask(Ask::Hangup { call: call.clone() }).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": call }))).into_response())
}
