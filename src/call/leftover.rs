//! What outlives its call on the wire: INVITEs that were given up or won, and
//! BYEs.
//!
//! An INVITE that was cancelled may still be answered 2xx, a forked one by
//! several: each gets ACK and BYE (RFC 3261 §9.1, §13.2.2.4); a 2xx that comes
//! again gets its ACK again. A BYE whose challenge our credentials can answer
//! is sent a second time. None of this holds up the call's record.

use super::around::Step;
use super::call::Call;
use super::config::Trunk;
use super::desk::Use;
use super::leg::Party;
use super::{answer, headers, hunt};
use crate::base::{Flow, Leg, TrunkId};
use crate::sip::dialog::{Dialog, SentAck};
use crate::sip::message::{HeaderName, Method, Reason, Request, Response};
use crate::sip::transaction::ClientKey;

/// A final response or a failure came for something left over.
pub fn on_response(step: &mut Step<'_, '_>, key: ClientKey, response: &Response) {
    match step.desk.clients.remove(&key) {
        Some(Use::Settled { invite, flow, mut acked }) => {
            if response.is_provisional() {
                step.desk.clients.insert(key, Use::Settled { invite, flow, acked });
            } else if response.is_success() {
                settle_2xx(step, &invite, flow, response, &mut acked);
                step.desk.clients.insert(key, Use::Settled { invite, flow, acked });
                forget_later(step, key);
            } else {
                step.desk.forget.stop(&key);
            }
        }
        Some(Use::Bye { request, flow, trunk, authorised }) => {
            if response.is_provisional() {
                step.desk.clients.insert(key, Use::Bye { request, flow, trunk, authorised });
            } else if matches!(response.status, 401 | 407) && !authorised {
                bye_again(step, *request, flow, trunk, response);
            }
        }
        Some(other @ (Use::Attempt { .. } | Use::Asked { .. } | Use::Probe { .. })) => {
            step.desk.clients.insert(key, other);
        }
        None => {}
    }
}

/// RFC 3261 §13.2.2.4: a 2xx is acknowledged every time it comes; a dialog
/// nobody wants is ended at once.
fn settle_2xx(step: &mut Step<'_, '_>, invite: &Request, flow: Flow, response: &Response, acked: &mut Vec<SentAck>) {
    if let Some(sent) = acked.iter().find(|a| a.answers(response)) {
        let ack = sent.request.clone();
        return step.ack(flow, ack);
    }
    if acked.len() >= crate::base::limits::EARLY_DIALOGS {
        return;
    }
    let Ok(dialog) = Dialog::uac_from(invite, response, flow) else { return };
    let ack = dialog.ack(invite);
    acked.push(SentAck::new(&dialog, &ack));
    let mut party = Party::new(dialog);
    party.dialog.flow = answer::next_flow(step.config, &party.dialog, flow, false);
    step.ack(party.dialog.flow, ack);
    bye(step, &mut party, Vec::new());
}

/// Forgets an INVITE when no 2xx of it can come any more (RFC 6026 §8.4: timer M).
pub fn forget_later(step: &mut Step<'_, '_>, key: ClientKey) {
    if step.desk.forget.at(&key).is_none() {
        let until = step.now.mono + step.config.timing.ack();
        step.desk.forget.set(key, until);
    }
}

/// Ends a dialog with a BYE that no call waits for.
pub fn bye(step: &mut Step<'_, '_>, party: &mut Party, reasons: Vec<Reason>) {
    let request = bye_request(step, party, &reasons);
    let used =
        Use::Bye { request: Box::new(request.clone()), flow: party.dialog.flow, trunk: party.trunk, authorised: false };
    step.send(party.dialog.flow, request, used);
}

/// Sends a BYE that had to wait for its ACK.
pub fn send_bye(step: &mut Step<'_, '_>, call: &Call, leg: Leg, request: Request) {
    let Some(party) = call.party(leg) else { return };
    let used =
        Use::Bye { request: Box::new(request.clone()), flow: party.dialog.flow, trunk: party.trunk, authorised: false };
    step.send(party.dialog.flow, request, used);
}

/// The BYE of a dialog, with its causes (RFC 3326).
pub fn bye_request(step: &Step<'_, '_>, party: &mut Party, reasons: &[Reason]) -> Request {
    let mut request = party.dialog.request(Method::Bye);
    request.headers.push(HeaderName::UserAgent, &step.config.product);
    for reason in reasons {
        request.headers.push(HeaderName::Reason, reason.to_string());
    }
    request
}

/// Answers the challenge of a BYE by the credentials of its trunk.
fn bye_again(step: &mut Step<'_, '_>, mut request: Request, flow: Flow, trunk: Option<TrunkId>, challenge: &Response) {
    let login = trunk.and_then(|t| step.config.trunk(t)).and_then(Trunk::login);
    let Some(login) = login else { return };
    if hunt::authorise_request(step, &mut request, challenge, &login) {
        let used = Use::Bye { request: Box::new(request.clone()), flow, trunk, authorised: true };
        step.send(flow, request, used);
    }
}

/// The transaction of something left over failed: there is nothing to do.
pub fn on_failed(step: &mut Step<'_, '_>, key: ClientKey) {
    step.desk.clients.remove(&key);
    step.desk.forget.stop(&key);
}

/// Our own requests inside a dialog carry who we are.
pub fn dress(step: &Step<'_, '_>, call: &Call, leg: Leg, request: &mut Request) {
    let Some(party) = call.party(leg) else { return };
    let contact = headers::contact(step.config, &party.dialog.flow, None).to_string();
    request.headers.push(HeaderName::Contact, contact);
    request.headers.push(HeaderName::UserAgent, &step.config.product);
    request.headers.push(HeaderName::Allow, headers::ALLOW_IN_DIALOG);
    request.headers.push(HeaderName::SessionId, headers::session_id(&call.caller, leg));
}
