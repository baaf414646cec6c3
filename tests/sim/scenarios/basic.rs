//! A call is made, talked in and hung up.

use std::time::Duration;

use crate::ua_call::State;
use crate::world::{CallRef, World};

const LONG: Duration = Duration::from_secs(30);

/// Two registered peers with a call between them, answered.
fn talk(w: &mut World, a: usize, b: usize, to: &str) -> (CallRef, CallRef) {
    let call = w.dial(a, to);
    assert!(w.run_until(LONG, |w| w.call(call).state == State::Answered), "{:?}", w.call(call).statuses);
    w.secs(3);
    (call, w.last(b))
}

/// Each side hears the other's tone.
fn both_hear(w: &World, a: CallRef, b: CallRef) {
    let hz = |c: CallRef| w.call(c).media.as_ref().and_then(|m| m.heard_hz());
    let says = |c: CallRef| match w.uas[c.ua].profile.voice {
        crate::media::Voice::Tone(hz) => Some(hz),
        _ => None,
    };
    assert_eq!((hz(a), hz(b)), (says(b), says(a)), "what A and B hear");
}

#[test]
fn phone_calls_phone_and_hangs_up() {
    let mut w = World::new(1);
    let (a, b) = (w.phone("alice"), w.phone("bob"));
    w.register(a);
    w.register(b);
    let (ca, cb) = talk(&mut w, a, b, "bob");
    both_hear(&w, ca, cb);
    w.hang_up(ca);
    w.settle();
    assert!(w.call(cb).remote_bye);
}
