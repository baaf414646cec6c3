//! INFO: digits of phones that send them in signalling.
//!
//! `application/dtmf-relay` and `application/dtmf` are nobody's standard and
//! everybody's habit (RFC 6086 §1 calls it legacy usage). The digit goes to the
//! other side by media, as that side understands it.

use super::around::Step;
use super::call::Call;
use super::event::EventKind;
use super::headers;
use crate::base::Leg;
use crate::media::command::Command;
use crate::sip::message::{HeaderName, Request};
use crate::sip::transaction::ServerKey;

/// An INFO came from a side.
pub fn on_info(call: &mut Call, step: &mut Step<'_, '_>, leg: Leg, key: ServerKey, request: &Request) {
    let status = match read(request) {
        Content::Digit(digit, duration_ms) => {
            send_digit(call, step, leg.other(), digit, duration_ms);
            200
        }
        // RFC 2976 §2.2: an INFO without a body only asks whether the dialog lives.
        Content::Nothing => 200,
        Content::Malformed => 400,
        Content::Unknown => 415,
    };
    // A call that only owes an ACK has told its end already.
    if !call.ended {
        step.event(call.id, EventKind::InDialog { leg, method: "INFO".to_owned(), status });
    }
    let mut response = headers::dialog_reply(step.config, call, leg, request, status);
    if status == 415 {
        response.headers.push(HeaderName::Accept, "application/dtmf-relay, application/dtmf");
    }
    step.respond(key, response);
}

fn send_digit(call: &Call, step: &mut Step<'_, '_>, leg: Leg, digit: char, duration_ms: u32) {
    let Some(session) = call.media.as_ref().filter(|s| s.open && !s.closing) else { return };
    step.media(session.shard, Command::Digit { media: session.id, leg, digit, duration_ms });
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Digit(char, u32),
    Nothing,
    Malformed,
    Unknown,
}

fn read(request: &Request) -> Content {
    if request.body.is_empty() {
        return Content::Nothing;
    }
    let Ok(Some(kind)) = request.content_type() else { return Content::Unknown };
    let Ok(text) = std::str::from_utf8(&request.body) else { return Content::Malformed };
    if kind.is("application", "dtmf-relay") {
        relay(text)
    } else if kind.is("application", "dtmf") {
        digit(text.trim()).map_or(Content::Malformed, |d| Content::Digit(d, DEFAULT_MS))
    } else {
        Content::Unknown
    }
}

/// `Signal=5`, `Duration=160`, one a line.
fn relay(text: &str) -> Content {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let duration = value("duration").and_then(|v| v.parse().ok()).unwrap_or(DEFAULT_MS);
    match value("signal").and_then(digit) {
        Some(d) => Content::Digit(d, duration.clamp(MIN_MS, MAX_MS)),
        None => Content::Malformed,
    }
}

fn digit(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next().map(|c| c.to_ascii_uppercase()), chars.next()) {
        (Some(c @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(c),
        // Some phones send the event number of RFC 4733 §3.2.
        (Some('1'), Some(second @ '0'..='5')) if chars.next().is_none() => {
            "*#ABCD".chars().nth(second as usize - '0' as usize)
        }
        _ => None,
    }
}

/// What a digit without a length gets, milliseconds.
const DEFAULT_MS: u32 = 160;

/// Shorter digits are not heard everywhere (ITU-T Q.24: 40 ms), milliseconds.
const MIN_MS: u32 = 40;

/// Longer ones are stuck keys, milliseconds.
const MAX_MS: u32 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_digits_as_phones_write_them() {
        assert_eq!(relay("Signal=5\r\nDuration=160\r\n"), Content::Digit('5', 160));
        assert_eq!(relay("Signal= #\nDuration= 10\n"), Content::Digit('#', 40));
        assert_eq!(relay("Signal=11\r\n"), Content::Digit('#', 160));
        assert_eq!(relay("signal=d\r\nduration=999999"), Content::Digit('D', 5000));
        for bad in ["", "Signal=", "Signal=16", "Signal=x", "Duration=5"] {
            assert_eq!(relay(bad), Content::Malformed, "{bad}");
        }
    }
}
