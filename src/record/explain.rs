//! Why a call did what it did, in plain words: the first cause first.
//!
//! Every step becomes a sentence with a severity; every internal cause and
//! every failure of media has a sentence and a hint where to look. The summary
//! is the first bad step, what routing left out if that left nothing to try,
//! and what became of the call. Numbers and addresses stand here in clear: who
//! may read this may read CDRs.

use serde::Serialize;

use super::causal::{KEEP_FIRST, Step, Story, What};
use super::fold::{Attempt, End, Fold};
use super::names::{Names, phrase, shown};
use super::outcome::Outcome;
use super::words::{hint, media_hint, media_sentence, sentence};
use crate::base::Leg;
use crate::call::cause::{Cause, Initiator, Internal};
use crate::media::event::MediaFailure;

/// The answer to `sbc why`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The call.
    pub id: String,
    /// The first cause.
    pub summary: String,
    /// What happened, in order.
    pub chain: Vec<Link>,
    /// All of it as many lines.
    pub text: String,
}

/// One step of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// Milliseconds since the call began.
    pub at_ms: u32,
    /// One sentence.
    pub text: String,
    /// How it bears on the call.
    pub severity: Severity,
    /// Where to look, for what is bad.
    pub hint: Option<&'static str>,
}

/// How a step bears on the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Info,
    /// Worth a look.
    Warn,
    /// It made the call or an attempt fail, or worse to hear.
    Bad,
}

/// Explains a call.
pub fn why(story: &Story, names: &Names) -> Why {
    let fold = &story.fold;
    let mut chain: Vec<Link> = Vec::new();
    for (place, step) in story.steps.iter().enumerate() {
        if place == KEEP_FIRST && story.left_out > 0 {
            let text = format!("{} more steps are not kept", story.left_out);
            chain.push(link(step.at_ms, text, Severity::Info, None));
        }
        explain(fold, step, names, &mut chain);
    }
    let summary = summary(fold, &chain, names);
    let text = print(fold, &summary, &chain);
    Why { id: fold.call.to_string(), summary, chain, text }
}

fn link(at_ms: u32, text: impl Into<String>, severity: Severity, hint: Option<&'static str>) -> Link {
    Link { at_ms, text: text.into(), severity, hint }
}

fn explain(fold: &Fold, step: &Step, names: &Names, chain: &mut Vec<Link>) {
    let at = step.at_ms;
    let mut say = |text: String, severity| chain.push(link(at, text, severity, None));
    match &step.what {
        What::Started => say(beginning(fold, names), Severity::Info),
        What::Authenticated => {
            let user = shown(fold.user.as_deref().unwrap_or_default(), 64);
            say(format!("the caller proved to be user {user}"), Severity::Info);
        }
        What::Challenged { status } => say(
            format!("credentials were asked for with {status}; the call comes back as another with them"),
            Severity::Info,
        ),
        What::Routed => routed(fold, at, names, chain),
        What::AttemptStarted(number) => say(attempt_begun(fold, *number, names), Severity::Info),
        What::Progress { attempt, status, early_media } => {
            let media = if *early_media { " with early media" } else { "" };
            let who = who(fold, *attempt, names);
            say(format!("{who} sent {status} {}{media}", phrase(*status)), Severity::Info);
        }
        What::AttemptEnded(number) => attempt_ended(fold, *number, at, names, chain),
        What::Answered(number) => {
            let after = fold.attempt(*number).and_then(|a| fold.attempt_times(a).setup_ms);
            let after = after.map_or_else(String::new, |ms| format!(" after {}", span(ms)));
            say(format!("{} answered{after}", who(fold, *number, names)), Severity::Info);
        }
        What::Negotiated { leg, codec, secure } => {
            let over = if *secure { "DTLS-SRTP" } else { "plain RTP" };
            say(format!("leg {leg}: {codec} over {over} agreed"), Severity::Info);
        }
        What::Held(leg) => say(format!("{} put the call on hold", party(*leg)), Severity::Info),
        What::Resumed(leg) => say(format!("{} took it off hold", party(*leg)), Severity::Info),
        What::InDialog { leg, method, status } => {
            let severity = if *status >= 400 { Severity::Warn } else { Severity::Info };
            let method = shown(method, 32);
            say(format!("{} sent {method}, answered with {status} {}", party(*leg), phrase(*status)), severity);
        }
        What::Noted { leg, what } => {
            let leg = leg.map_or_else(String::new, |leg| format!("leg {leg}: "));
            say(format!("{leg}{}", shown(what, 300)), Severity::Warn);
        }
        What::Ending => {
            if let Some(end) = fold.ending.as_deref() {
                let severity = end_severity(fold, end);
                let hint = (severity != Severity::Info).then(|| hint(end.cause.internal));
                chain.push(link(at, ending_sentence(fold, end, names), severity, hint));
            }
        }
        What::Ended => quality(fold, at, chain),
        What::IceConnected { .. }
        | What::IceMoved { .. }
        | What::DtlsConnected { .. }
        | What::FirstPacket { .. }
        | What::Latched { .. }
        | What::Digit { .. }
        | What::MediaFailed { .. }
        | What::MediaClosed => media(&step.what, at, chain),
    }
}

fn beginning(fold: &Fold, names: &Names) -> String {
    let from = if fold.from.is_empty() { "an anonymous caller".to_owned() } else { shown(&fold.from, 64) };
    let to = if fold.to.is_empty() { shown(&fold.request_uri, 128) } else { shown(&fold.to, 64) };
    let trunk = fold.trunk.map_or_else(String::new, |t| format!(" by trunk {}", names.trunk(t)));
    let agent = fold.user_agent.as_deref().map_or_else(String::new, |a| format!(" with {}", shown(a, 64)));
    let realm = names.realm(fold.realm);
    format!("{from} called {to} from realm {realm}{trunk} ({}, {}){agent}", fold.flow.remote, fold.flow.transport)
}

fn routed(fold: &Fold, at: u32, names: &Names, chain: &mut Vec<Link>) {
    let Some(routed) = fold.routed.as_deref() else { return };
    for reason in &routed.reasons {
        let severity = if reason.contains(SKIPPED) { Severity::Warn } else { Severity::Info };
        chain.push(link(at, format!("routing: {}", shown(reason, 300)), severity, None));
    }
    let targets: Vec<String> = routed.targets.iter().map(|t| names.target(t)).collect();
    if targets.is_empty() {
        chain.push(link(at, "routing found no target", Severity::Bad, Some(hint(Internal::NoRoute))));
    } else {
        chain.push(link(at, format!("routing chose {}", targets.join(", then ")), Severity::Info, None));
    }
}

/// Who an attempt goes to, as an operator calls it.
fn who(fold: &Fold, number: u8, names: &Names) -> String {
    let target = fold.attempt(number).and_then(Attempt::target);
    target.map_or_else(|| format!("target {number}"), |t| names.target(t))
}

fn party(leg: Leg) -> &'static str {
    match leg {
        Leg::A => "the caller",
        Leg::B => "the called side",
    }
}

fn attempt_begun(fold: &Fold, number: u8, names: &Names) -> String {
    let who = who(fold, number, names);
    let Some(sent) = fold.attempt(number).and_then(|a| a.sent.as_deref()) else { return format!("{who} was tried") };
    match sent.flow {
        Some(flow) => {
            let to = shown(&sent.to, 64);
            format!("attempt {number}: INVITE for {to} to {who} at {} over {}", flow.remote, flow.transport)
        }
        None => format!("attempt {number}: {who} took the call"),
    }
}

fn attempt_ended(fold: &Fold, number: u8, at: u32, names: &Names, chain: &mut Vec<Link>) {
    let Some(attempt) = fold.attempt(number) else { return };
    let Some(end) = attempt.ending.as_deref() else { return };
    let outcome = Outcome::of(&end.cause, false, attempt.ringing.is_some());
    let severity = match outcome {
        Outcome::Cancelled => Severity::Info,
        // What people decide is no fault of the network, and yet the cause.
        Outcome::Busy | Outcome::NoAnswer | Outcome::Declined => Severity::Warn,
        Outcome::Answered | Outcome::NotFound | Outcome::Refused | Outcome::Failed => Severity::Bad,
    };
    let hint = (severity == Severity::Bad).then(|| hint(end.cause.internal));
    chain.push(link(at, attempt_sentence(fold, attempt, end, names), severity, hint));
}

/// How an attempt ended: `acme answered 503 Service Unavailable after 212 ms`.
pub fn attempt_sentence(fold: &Fold, attempt: &Attempt, end: &End, names: &Names) -> String {
    let who = who(fold, attempt.number, names);
    let after = span((end.at.mono - attempt.started.mono).as_millis() as u64);
    let Cause { sip_code, reason, internal, .. } = &end.cause;
    match internal {
        Internal::Rejected => format!("{who} answered {sip_code} {} after {after}", phrase(*sip_code)),
        Internal::TargetTimeout => format!("{who} did not respond within {after}"),
        Internal::NoAnswer => format!("{who} rang and did not answer within {after}"),
        Internal::TransportError => format!("{who} could not be reached: the transport failed after {after}"),
        Internal::ResolveFailed => format!("the address of {who} could not be found out"),
        Internal::Cancelled => format!("{who} was cancelled after {after}: {}", shown(reason, 200)),
        Internal::NoMediaPort => format!("{who} was not tried: no media port was free"),
        Internal::Limited => format!("{who} was not tried: {}", shown(reason, 200)),
        _ => format!("{who} failed after {after}: {}", sentence(*internal, &shown(reason, 200))),
    }
}

fn end_severity(fold: &Fold, end: &End) -> Severity {
    let answered = fold.answered.is_some();
    match end.cause.internal {
        Internal::Hangup | Internal::AdminHangup | Internal::Cancelled => Severity::Info,
        Internal::AuthRequired if fold.challenged => Severity::Info,
        Internal::NoAnswer => Severity::Warn,
        Internal::Rejected if !answered => match Outcome::of(&end.cause, false, fold.ringing.is_some()) {
            Outcome::Busy | Outcome::NoAnswer | Outcome::Declined => Severity::Warn,
            _ => Severity::Bad,
        },
        _ => Severity::Bad,
    }
}

/// How the call ended: `the caller hung up after 62 s of talk`.
pub fn ending_sentence(fold: &Fold, end: &End, names: &Names) -> String {
    let Cause { sip_code, reason, internal, .. } = &end.cause;
    let reason = shown(reason, 200);
    if let Some(talk_ms) = fold.times().talk_ms {
        let talk = span(talk_ms);
        return match (internal, end.by) {
            (Internal::Hangup, Initiator::Caller) => format!("the caller hung up after {talk} of talk"),
            (Internal::Hangup, Initiator::Callee) => format!("the called side hung up after {talk} of talk"),
            (Internal::Media(why), _) => {
                let leg = fold.failure.map_or(Leg::A, |(leg, _)| leg);
                format!("the call ended after {talk} of talk: {}", media_sentence(leg, *why))
            }
            _ => format!("the call ended after {talk} of talk: {}", sentence(*internal, &reason)),
        };
    }
    let waited = span((end.at.mono - fold.started.mono).as_millis() as u64);
    match internal {
        Internal::Cancelled => format!("the caller gave up after {waited}"),
        Internal::NoAnswer => format!("nobody answered within {waited}"),
        Internal::AuthRequired if fold.challenged => "the INVITE was challenged, as a first one always is".to_owned(),
        Internal::Media(why) => {
            let leg = fold.failure.map_or(Leg::A, |(leg, _)| leg);
            format!("the call failed: {}", media_sentence(leg, *why))
        }
        Internal::Rejected => {
            let by = fold.leading().map_or_else(|| "the target".to_owned(), |a| who(fold, a.number, names));
            format!("the caller got {sip_code} {} because of {by}", phrase(*sip_code))
        }
        _ => format!("the caller got {sip_code} {}: {}", phrase(*sip_code), sentence(*internal, &reason)),
    }
}

fn media(what: &What, at: u32, chain: &mut Vec<Link>) {
    let mut say = |text: String, severity| chain.push(link(at, text, severity, None));
    let slow = |ms: u32| if ms > SLOW_MS { Severity::Warn } else { Severity::Info };
    match what {
        What::IceConnected { leg, remote, after_ms } => {
            say(format!("leg {leg}: ICE proved {remote} after {}", span((*after_ms).into())), slow(*after_ms));
        }
        What::IceMoved { leg, remote } => say(format!("leg {leg}: the peer moved to {remote}"), Severity::Info),
        What::DtlsConnected { leg, after_ms } => {
            say(format!("leg {leg}: DTLS keys agreed after {}", span((*after_ms).into())), slow(*after_ms));
        }
        What::FirstPacket { leg, remote } => say(format!("leg {leg}: first packet, from {remote}"), Severity::Info),
        What::Latched { leg, remote } => {
            say(format!("leg {leg}: media comes from {remote}, which is not the address promised"), Severity::Info);
        }
        What::Digit { leg, duration_ms } => {
            say(format!("leg {leg}: a digit of {duration_ms} ms"), Severity::Info);
        }
        What::MediaFailed { leg, why } => {
            chain.push(link(at, media_sentence(*leg, *why), Severity::Bad, Some(media_hint(*why))));
        }
        _ => {}
    }
}

/// What the numbers say at the end.
fn quality(fold: &Fold, at: u32, chain: &mut Vec<Link>) {
    for leg in fold.silent_sides() {
        let text = format!("one-way audio: nothing came from {} although it was sent to", party(leg));
        chain.push(link(at, text, Severity::Bad, Some(media_hint(MediaFailure::Inactive))));
    }
    let Some(reports) = fold.reports.as_deref().filter(|_| fold.answered.is_some()) else { return };
    for (leg, report) in [Leg::A, Leg::B].into_iter().zip(reports).filter(|(_, r)| r.packets_received > 0) {
        let lost = super::cdr::ratio(report.packets_lost, report.packets_received + report.packets_lost);
        let bad = lost >= BAD_LOSS || report.mos.is_some_and(|mos| mos < BAD_MOS);
        let mos = report.mos.map_or_else(String::new, |mos| format!(", MOS {mos:.1}"));
        let from = party(leg);
        let (packets, jitter) = (report.packets_received, report.jitter_ms);
        let text = format!("from {from}: {packets} packets, {:.1} % lost, jitter {jitter:.0} ms{mos}", lost * 100.0);
        let severity = if bad { Severity::Bad } else { Severity::Info };
        chain.push(link(at, text, severity, bad.then_some("the network between this side and us")));
    }
}

fn summary(fold: &Fold, chain: &[Link], names: &Names) -> String {
    let Some(end) = fold.ending.as_deref() else {
        return format!("in progress: {}", chain.last().map_or("nothing has happened", |l| l.text.as_str()));
    };
    let ending = ending_sentence(fold, end, names);
    let worst = chain.iter().map(|l| l.severity).max().unwrap_or(Severity::Info);
    let failed = fold.answered.is_none() && worst > Severity::Info;
    let skipped = |l: &&Link| l.severity == Severity::Warn && l.text.contains(SKIPPED);
    let cause = |l: &&Link| l.severity == Severity::Bad && l.text != ending;
    // People's decisions are warnings; they are the cause where nothing is worse.
    let decision = |l: &&Link| failed && l.severity == Severity::Warn && !l.text.contains(SKIPPED) && l.text != ending;
    let first = chain.iter().find(cause).or_else(|| chain.iter().find(decision));
    let mut parts: Vec<String> = first.map(|l| l.text.clone()).into_iter().collect();
    if failed {
        let list = chain.iter().filter(skipped).map(|l| l.text.trim_start_matches("routing: ").to_owned());
        parts.extend(list.take(3));
    }
    // The ending often only repeats the failure of media that made it.
    let repeats = first.is_some_and(|l| ending.contains(&l.text));
    parts.push(ending);
    if repeats {
        parts.remove(0);
    }
    parts.join("; ")
}

fn print(fold: &Fold, summary: &str, chain: &[Link]) -> String {
    let mut out = format!("call {}  {}\n{summary}\n\n", fold.call, fold.started.wall);
    for link in chain {
        let mark = match link.severity {
            Severity::Info => ' ',
            Severity::Warn => '!',
            Severity::Bad => 'X',
        };
        let (secs, ms) = (link.at_ms / 1000, link.at_ms % 1000);
        out.push_str(&format!("{mark} +{secs}.{ms:03} s  {}\n", link.text));
        if let Some(hint) = link.hint {
            out.push_str(&format!("             look at: {hint}\n"));
        }
    }
    out
}

/// A duration for people: `212 ms`, `2.4 s`, `12 min 5 s`.
fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..120_000 => format!("{} s", ms / 1000),
        120_000..7_200_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// The word that routing's reasons have for a target that was left out.
const SKIPPED: &str = "skipped:";

/// ICE or DTLS above this is heard as a late beginning.
const SLOW_MS: u32 = 2_000;

/// Loss that concealment does not hide.
const BAD_LOSS: f64 = 0.05;

/// ITU-T G.107 annex B: below it nearly all users are dissatisfied.
const BAD_MOS: f32 = 3.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_by_people() {
        let all = [212, 2_450, 62_000, 725_000, 7_260_000].map(span);
        assert_eq!(all, ["212 ms", "2.4 s", "62 s", "12 min 5 s", "2 h 1 min"]);
    }
}
