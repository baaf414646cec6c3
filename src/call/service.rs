//! Services inside the SBC: echo, tone, hello.
//!
//! A service takes its call at once. It has no dialog and no messages: its side
//! of the media plan is the service itself, everything else is the same path
//! that any other call takes. It talks whatever codec the caller prefers.

use super::answer;
use super::around::Step;
use super::call::Call;
use super::event::EventKind;
use super::leg::Target;
use super::{hunt, offer, session};
use crate::base::Codec;
use crate::media::plan::Service;
use crate::sdp::Direction;

/// A service takes the call.
pub fn take(call: &mut Call, step: &mut Step<'_, '_>, number: u8, target: Target, service: Service) {
    let codec = codec(call, step);
    call.service = Some(service);
    call.winner = Some(number);
    session::open(call, step, offer::service_plan(target.realm, service, codec));
    step.event(
        call.id,
        EventKind::AttemptStarted {
            attempt: number,
            target: target.name,
            realm: target.realm,
            flow: None,
            from: target.from,
            to: target.to,
            call_id: String::new(),
        },
    );
    hunt::abandon_all(call, step, "answered elsewhere");
    call.targets.clear();
    answer::connect(call, step, number, codec, Direction::SendRecv);
}

/// What the caller and we like best.
fn codec(call: &Call, step: &Step<'_, '_>) -> Option<Codec> {
    let realm = step.config.realm(call.caller.realm)?;
    match call.a.side.as_ref().and_then(|s| s.remote.as_ref()) {
        Some(offered) => offer::choose(offered, None, &realm.codecs),
        None => realm.codecs.first().copied(),
    }
}
