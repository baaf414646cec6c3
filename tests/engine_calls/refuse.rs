//! Requests that make no call, and who may register.

use std::time::Duration;

use super::world::*;

#[test]
fn requests_outside_a_dialog_get_what_they_deserve() {
    let mut w = World::new();
    for (method, more, status) in [
        ("OPTIONS", "", 200),
        ("OPTIONS", "Require: foo\n", 420),
        ("MESSAGE", "", 405),
        ("SUBSCRIBE", "Event: x\n", 405),
        ("BYE", "", 481),
        ("INFO", "", 481),
        ("FOO", "", 501),
    ] {
        let mut a = Ua::new(phone_a(), "anna", "echo");
        a.call_id = format!("{method}{status}");
        w.send(a.at, &a.request(method, more, ""));
        let got = w.next(a.at);
        assert!(got.start().starts_with(&format!("SIP/2.0 {status}")), "{method}: {}", got.0);
    }
    let mut a = Ua::new(phone_a(), "anna", "echo");
    for (n, (more, change, status)) in [
        ("Require: 100rel\n", ("x", "x"), 420),
        ("", ("Max-Forwards: 70", "Max-Forwards: 0"), 483),
        ("", ("sip:echo@203.0.113.1:5060 SIP", "mailto:x@y SIP"), 416),
        ("", ("Contact: ", "X-Contact: "), 400),
        ("", ("application/sdp", "text/plain"), 415),
        ("", ("m=audio 41000 RTP/AVP 8", "m=audio 41000 RTP/AVP 18"), 488),
        ("", ("c=IN IP4 192.0.2.10", "c=IN IP4 127.0.0.001"), 488),
        ("", ("v=0", "v=7"), 488),
    ]
    .into_iter()
    .enumerate()
    {
        a.call_id = format!("bad{n}");
        let invite = a.invite_with(more, &phone_sdp("192.0.2.10", "8")).replacen(change.0, change.1, 1);
        let length = invite.split_once("\r\n\r\n").map_or(0, |(_, b)| b.len());
        let head = invite.split("Content-Length: ").next().unwrap_or_default().to_owned();
        let body = invite.split_once("\r\n\r\n").map_or("", |(_, b)| b);
        w.send(a.at, &format!("{head}Content-Length: {length}\r\n\r\n{body}"));
        let mut got = w.next(a.at);
        if got.start().contains(" 100 ") {
            got = w.next(a.at);
        }
        assert!(got.start().starts_with(&format!("SIP/2.0 {status}")), "{change:?}: {}", got.0);
        if status == 488 {
            assert_ne!(got.header("Warning"), "", "{}", got.0);
        }
        w.clear(a.at);
    }
    w.check_idle();
}

#[test]
fn registrations_are_kept_as_rfc_3261_says() {
    let mut w = World::new();
    let at = browser(1);
    let ask = |w: &mut World, cseq: u32, more: &str| -> Got {
        w.send(at, &register("alice", "r", cseq, more));
        let challenge = w.expect(at, "SIP/2.0 401");
        w.send(at, &authorise(&register("alice", "r", cseq + 1, more), &challenge, "alice"));
        w.next(at)
    };
    let brief = ask(&mut w, 1, "Contact: <sip:a@x.invalid>;expires=5\n");
    assert!(brief.start().starts_with("SIP/2.0 423") && brief.header("Min-Expires") == "60", "{}", brief.0);
    let two = ask(&mut w, 3, "Contact: <sip:a@x.invalid>, <sip:b@x.invalid>;expires=90\n");
    assert_eq!(two.headers("Contact"), ["<sip:a@x.invalid>;expires=300", "<sip:b@x.invalid>;expires=90"]);
    assert_eq!(ask(&mut w, 5, "").headers("Contact").len(), 2);
    w.advance(Duration::from_secs(91));
    assert_eq!(ask(&mut w, 7, "").headers("Contact").len(), 1);
    let bad = ask(&mut w, 9, "Contact: *\n");
    assert!(bad.start().starts_with("SIP/2.0 400"), "{}", bad.0);
    assert_eq!(ask(&mut w, 11, "Contact: *\nExpires: 0\n").headers("Contact").len(), 0);
    ask(&mut w, 13, "Contact: <sip:a@x.invalid>\n");
    w.engine.handle_flow_closed(w.now, at);
    w.collect();
    assert_eq!(ask(&mut w, 15, "").headers("Contact").len(), 0);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut w = World::new();
    let mut answers = Vec::new();
    for user in ["alice", "mallory"] {
        let at = browser(1);
        w.send(at, &register(user, user, 1, ""));
        let challenge = w.expect(at, "SIP/2.0 401");
        let request = register(user, user, 2, "");
        let wrong = authorise(&request, &challenge, "somebody")
            .replace("username=\"somebody\"", &format!("username=\"{user}\""));
        w.send(at, &wrong);
        let got = w.next(at);
        answers.push((got.start().to_owned(), got.headers("WWW-Authenticate").len()));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].0.starts_with("SIP/2.0 403"), "{answers:?}");
}

#[test]
fn rubbish_on_a_websocket_closes_it() {
    let mut w = World::new();
    w.send(browser(1), "hello world, this is no SIP at all");
    assert_eq!(w.closed, [(browser(1), 1007)]);
}

#[test]
fn a_scanner_is_banned_and_leaves_nothing_behind() {
    let mut w = World::new();
    let mut a = Ua::new(phone_a(), "100", "echo");
    w.send(a.at, &a.invite_with("User-Agent: friendly-scanner\n", &phone_sdp("192.0.2.10", "8")));
    assert_eq!(w.engine.guard().bans(w.now).len(), 1);
    w.clear(a.at);
    let mut again = Ua::new(phone_a(), "anna", "echo");
    w.send(again.at, &again.invite(&phone_sdp("192.0.2.10", "8")));
    w.nothing(again.at);
    w.check_idle();
}

#[test]
fn trying_names_ends_in_a_ban() {
    let mut w = World::new();
    let at = browser(1);
    for n in 0..12 {
        w.send(at, &register(&format!("user{n}"), &format!("c{n}"), 1, ""));
    }
    assert_eq!(w.engine.guard().bans(w.now).len(), 1);
    w.clear(at);
    w.send(at, &register("alice", "c", 1, ""));
    w.nothing(at);
}
