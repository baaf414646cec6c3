//! Requests that make no call: OPTIONS, and all we do not do.
//!
//! OPTIONS is answered like an INVITE would be in general (RFC 3261 §11.2):
//! what we allow and accept. Methods we know and do not serve get 405, others
//! 501 (§8.2.1); what claims a dialog we do not know gets 481.

use super::around::Step;
use super::headers::{self, SDP};
use crate::sip::message::{HeaderName, Method, Request};
use crate::sip::transaction::ServerKey;

/// A request outside any dialog, other than INVITE and REGISTER.
pub fn on_request(step: &mut Step<'_, '_>, key: ServerKey, request: &Request) {
    let status = match &request.method {
        Method::Options => match required(request) {
            Some(list) => {
                let mut response = headers::reply(step.config, request, 420);
                response.headers.push(HeaderName::Unsupported, list);
                return step.respond(key, response);
            }
            None if request.max_forwards().ok().flatten() == Some(0) && !is_for_us(request) => 483,
            None => 200,
        },
        // A BYE, INFO or the like outside a dialog.
        Method::Bye | Method::Info | Method::Update | Method::Prack => 481,
        Method::Refer | Method::Notify | Method::Subscribe | Method::Message | Method::Publish => 405,
        Method::Other(_) => 501,
        // INVITE and REGISTER have their own ways in; ACK and CANCEL make no transaction.
        Method::Invite | Method::Register | Method::Ack | Method::Cancel => 500,
    };
    let mut response = headers::reply(step.config, request, status);
    if status == 200 {
        capabilities(&mut response.headers);
    }
    step.respond(key, response);
}

/// What an OPTIONS is told.
pub fn capabilities(to: &mut crate::sip::message::Headers) {
    to.set(HeaderName::Allow, headers::ALLOW);
    to.push(HeaderName::Accept, SDP);
    to.push(HeaderName::AcceptEncoding, "identity");
    to.push(HeaderName::AcceptLanguage, "en");
}

/// RFC 3261 §11: an OPTIONS for a server itself has no user part.
fn is_for_us(request: &Request) -> bool {
    request.uri.user.is_none()
}

fn required(request: &Request) -> Option<String> {
    let unknown = request.headers.unknown_options(&HeaderName::Require, &[]);
    (!unknown.is_empty()).then(|| headers::bounded(&unknown.join(", ")))
}
