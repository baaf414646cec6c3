//! Reading and writing an INVITE as a phone sends it.
//!
//! `parse` finds start line, fields and body; `parse_typed` also reads the
//! headers that every request through the border needs: Via, From, To, CSeq,
//! Call-ID, Contact, Max-Forwards. `write` gives the bytes back.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use sbc::sip::message::{Message, parse, validate};

const INVITE: &str = "INVITE sip:+493012345678@sbc.example.com;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK-524287-1---a1b2c3d4e5f6;rport\r\n\
Max-Forwards: 70\r\n\
Contact: <sip:alice@192.0.2.15:5060;transport=udp>\r\n\
To: <sip:+493012345678@sbc.example.com>\r\n\
From: \"Alice Example\" <sip:alice@sbc.example.com>;tag=8f2c11a7\r\n\
Call-ID: 5sZ2kqJx0QbV7m3E1tLw8A..\r\n\
CSeq: 1 INVITE\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE\r\n\
Content-Type: application/sdp\r\n\
Supported: replaces, norefersub, timer\r\n\
User-Agent: Phone/3.2.1\r\n\
Allow-Events: presence, kpml, talk\r\n\
Session-Expires: 1800\r\n\
Content-Length: 247\r\n\
\r\n\
v=0\r\n\
o=- 3900000000 1 IN IP4 192.0.2.15\r\n\
s=call\r\n\
c=IN IP4 192.0.2.15\r\n\
t=0 0\r\n\
m=audio 40000 RTP/AVP 8 0 9 101\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-16\r\n\
a=sendrecv\r\n\
a=x:y\r\n";

fn sip_parse(c: &mut Criterion) {
    let bytes = Bytes::from_static(INVITE.as_bytes());
    let Ok(Message::Request(invite)) = parse(&bytes) else { panic!("the INVITE is well-formed") };

    c.bench_function("sip/parse", |b| b.iter(|| parse(black_box(&bytes))));
    c.bench_function("sip/parse_typed", |b| {
        b.iter(|| {
            let Ok(Message::Request(r)) = parse(black_box(&bytes)) else { panic!("the INVITE is well-formed") };
            let typed = (r.via(), r.from(), r.to(), r.cseq(), r.contacts(), r.max_forwards());
            (typed, r.call_id().len())
        });
    });
    c.bench_function("sip/validate", |b| b.iter(|| validate(black_box(&invite))));
    let mut out = Vec::with_capacity(4096);
    c.bench_function("sip/write", |b| {
        b.iter(|| {
            out.clear();
            black_box(&invite).write(&mut out);
            black_box(out.len())
        });
    });
    c.bench_function("sip/write_to_bytes", |b| b.iter(|| black_box(&invite).to_bytes()));
}

criterion_group!(benches, sip_parse);
criterion_main!(benches);
