//! Stories with known ends, and what they have in common.

mod answers;
mod attacks;
mod basic;
mod crash;
mod faults;
mod limits;
mod media;
mod registration;
mod trunks;
mod updates;

use std::time::Duration;

use crate::media::Voice;
use crate::ua_call::State;
use crate::world::{CallRef, World};

pub const LONG: Duration = Duration::from_secs(40);

/// A registered phone.
pub fn phone(w: &mut World, user: &str) -> usize {
    let ua = w.phone(user);
    w.register(ua);
    ua
}

/// A registered browser.
pub fn browser(w: &mut World, user: &str) -> usize {
    let ua = w.browser(user);
    w.register(ua);
    ua
}

/// Calls until the answer; both ends of the call.
pub fn answered(w: &mut World, a: usize, b: usize, to: &str) -> (CallRef, CallRef) {
    let call = w.dial(a, to);
    let done = w.run_until(LONG, |w| w.call(call).state == State::Answered && w.has_call(b, State::Answered));
    assert!(done, "{:?}", w.call(call).statuses);
    (call, w.last(b))
}

/// Calls, answers and talks for three seconds.
pub fn talk(w: &mut World, a: usize, b: usize, to: &str) -> (CallRef, CallRef) {
    let pair = answered(w, a, b, to);
    w.secs(3);
    pair
}

/// Calls until a final answer that is no success.
pub fn refused(w: &mut World, a: usize, to: &str) -> CallRef {
    let call = w.dial(a, to);
    assert!(w.run_until(Duration::from_secs(250), |w| !w.call(call).is_live()), "{:?}", w.call(call).statuses);
    call
}

/// The frequency a peer speaks at.
pub fn says(w: &World, c: CallRef) -> Option<u32> {
    match w.uas[c.ua].profile.voice {
        Voice::Tone(hz) => Some(hz),
        Voice::Count | Voice::Silent => None,
    }
}

/// The frequency that a peer has heard last.
pub fn hears(w: &World, c: CallRef) -> Option<u32> {
    w.call(c).media.as_ref().and_then(|m| m.heard_hz())
}

/// Each side hears the other's tone.
#[track_caller]
pub fn both_hear(w: &World, a: CallRef, b: CallRef) {
    assert_eq!((hears(w, a), hears(w, b)), (says(w, b), says(w, a)), "what A and B hear");
    for c in [a, b] {
        if let Some(media) = &w.call(c).media {
            assert_eq!(media.odd, 0, "packets that make no sense");
            assert!(media.ssrcs.len() <= 1, "one source a stream: {:?}", media.ssrcs);
        }
    }
}
