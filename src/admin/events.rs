//! `/api/v1/events`: live events by SSE (WHATWG HTML §9.2).
//!
//! A stream begins with a frame of everything, then follows the pulse. Their
//! number is bounded; a page that is turned away polls.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use super::auth::{Caller, Role};
use super::problem::Problem;
use super::pulse::{self, Frame};
use super::server::Shared;

/// Streams at once.
const STREAMS: usize = 64;

/// Silence after which a comment keeps the connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A place among the streams, given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let fits = |n: usize| (n < STREAMS).then_some(n + 1);
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok().map(|_| Self(Arc::clone(taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// `GET /api/v1/events`.
pub async fn stream(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Some(place) = Place::take(&shared.streams) else {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many pages are open"));
    };
    // Subscribed first, so that nothing is lost between the two.
    let follow = BroadcastStream::new(shared.frames.subscribe()).filter_map(Result::ok);
    let mut first = Vec::new();
    for (event, ask, _) in pulse::subjects() {
        first.push(Arc::new(pulse::frame(event, shared.line.value(ask).await?)));
    }
    let frames = tokio_stream::iter(first).chain(follow);
    let stream = Numbered { frames, number: AtomicU64::new(0), veiled: caller.role == Role::Viewer, _place: place };
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE).text("keep-alive")))
}

/// Frames as events with rising numbers.
struct Numbered<S> {
    frames: S,
    number: AtomicU64,
    veiled: bool,
    _place: Place,
}

impl<S: Stream<Item = Arc<Frame>> + Unpin> Stream for Numbered<S> {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(frame) = Pin::new(&mut self.frames).poll_next(context) else { return Poll::Pending };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let data = if self.veiled { &frame.veiled } else { &frame.full };
        Poll::Ready(Some(Ok(Event::default().event(frame.event).id(number.to_string()).data(data))))
    }
}
