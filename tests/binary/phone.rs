//! A phone of a few lines: one UDP socket for SIP, one for RTP.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};

/// A phone with an account.
pub struct Phone {
    user: String,
    password: String,
    sip: UdpSocket,
    rtp: UdpSocket,
    server: u16,
    call_id: String,
    cseq: u32,
    dialog: Option<Dialog>,
    media: u16,
}

struct Dialog {
    to: String,
    target: String,
}

/// A message from the server.
pub struct Message {
    /// Status of a response, 0 for a request.
    pub status: u16,
    /// All of it.
    pub text: String,
}

impl Message {
    /// The first header field of that name.
    pub fn header(&self, name: &str) -> &str {
        let wanted = format!("{name}:");
        self.text.lines().find(|line| line.starts_with(&wanted)).map_or("", |line| line[wanted.len()..].trim())
    }
}

impl Phone {
    /// A phone for the server at a loopback port.
    pub fn new(user: &str, password: &str, server: u16) -> Self {
        let socket = || UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let (sip, rtp) = (socket(), socket());
        sip.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        let call_id = format!("{}@test", sip.local_addr().expect("bound").port());
        Self {
            user: user.into(),
            password: password.into(),
            sip,
            rtp,
            server,
            call_id,
            cseq: 0,
            dialog: None,
            media: 0,
        }
    }

    fn port(socket: &UdpSocket) -> u16 {
        socket.local_addr().expect("bound").port()
    }

    fn write(&mut self, method: &str, to: &str, extra: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let (user, port, cseq) = (&self.user, Self::port(&self.sip), self.cseq);
        let whom = if to.is_empty() { String::new() } else { format!("{to}@") };
        let uri = match &self.dialog {
            Some(dialog) => dialog.target.clone(),
            None => format!("sip:{whom}127.0.0.1:{}", self.server),
        };
        let to = match (&self.dialog, method) {
            (Some(dialog), _) => dialog.to.clone(),
            (None, "REGISTER") => format!("<sip:{user}@sbc.test>"),
            (None, _) => format!("<sip:{whom}sbc.test>"),
        };
        let body = if method == "INVITE" {
            let rtp = Self::port(&self.rtp);
            format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {rtp} RTP/AVP 8\r\n"
            )
        } else {
            String::new()
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{port}{cseq}{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:{user}@sbc.test>;tag=t{port}\r\nTo: {to}\r\nCall-ID: {id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:{user}@127.0.0.1:{port}>\r\n{extra}{kind}\
             Content-Length: {len}\r\n\r\n{body}",
            id = self.call_id,
            len = body.len(),
        )
    }

    fn send(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), ("127.0.0.1", self.server)).expect("sent");
    }

    fn receive(&self) -> Message {
        let mut buffer = [0; 65_535];
        let (len, _) = self.sip.recv_from(&mut buffer).expect("a message in time");
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest[..3].parse().ok()).unwrap_or(0);
        Message { status, text }
    }

    fn receive_final(&self) -> Message {
        loop {
            let message = self.receive();
            if message.status >= 200 {
                return message;
            }
        }
    }

    /// Sends a request and waits for its final answer.
    pub fn request(&mut self, method: &str, to: &str) -> Message {
        let text = self.write(method, to, "");
        self.send(&text);
        self.receive_final()
    }

    /// The same with credentials, after the challenge.
    pub fn authorised(&mut self, method: &str, to: &str) -> Message {
        let challenge = self.request(method, to);
        assert!(matches!(challenge.status, 401 | 407), "no challenge: {}", challenge.text);
        self.acknowledge(method, to, &challenge);
        let line = challenge.text.lines().find(|l| l.contains("-Authenticate:") && l.contains("MD5"));
        let line = line.expect("a challenge with MD5");
        let field = |name: &str| {
            let rest = line.split(&format!("{name}=")).nth(1).expect("a parameter");
            rest.trim_start_matches('"').split(['"', ',']).next().unwrap_or_default().to_owned()
        };
        let (realm, nonce) = (field("realm"), field("nonce"));
        let uri = if to.is_empty() {
            format!("sip:127.0.0.1:{}", self.server)
        } else {
            format!("sip:{to}@127.0.0.1:{}", self.server)
        };
        let secret = hash(&format!("{}:{realm}:{}", self.user, self.password));
        let response = hash(&format!("{secret}:{nonce}:00000001:c:auth:{}", hash(&format!("{method}:{uri}"))));
        let name = if challenge.status == 401 { "Authorization" } else { "Proxy-Authorization" };
        let extra = format!(
            "{name}: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", algorithm=MD5, \
             qop=auth, nc=00000001, cnonce=\"c\", response=\"{response}\"\r\n",
            self.user
        );
        let text = self.write(method, to, &extra);
        self.send(&text);
        let answer = self.receive_final();
        if answer.status >= 300 {
            self.acknowledge(method, to, &answer);
        }
        answer
    }

    /// ACK of a failure: same branch as the INVITE.
    fn acknowledge(&mut self, method: &str, to: &str, answer: &Message) {
        if method == "INVITE" {
            let tagged = answer.header("To").to_owned();
            let ack =
                self.write("ACK", to, "").replace(&format!("{}ACK;", self.cseq), &format!("{}INVITE;", self.cseq));
            let own = format!("To: <sip:{to}@sbc.test>\r\n");
            self.send(&ack.replace(&own, &format!("To: {tagged}\r\n")));
        }
    }

    /// Calls and is answered.
    pub fn call(&mut self, to: &str) {
        let answer = self.authorised("INVITE", to);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let contact = answer.header("Contact");
        let target = contact.split(['<', '>']).nth(1).expect("a Contact").to_owned();
        self.dialog = Some(Dialog { to: answer.header("To").to_owned(), target });
        let audio = answer.text.split("m=audio ").nth(1).expect("an audio line");
        self.media = audio.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
        let ack = self.write("ACK", to, "");
        self.send(&ack);
    }

    /// Sends so many packets, 20 ms apart, and counts those that come back.
    pub fn echoed(&mut self, packets: u16) -> usize {
        self.rtp.set_read_timeout(Some(Duration::from_millis(1))).expect("a time-out");
        let (mut heard, mut buffer) = (0, [0; 2048]);
        let began = Instant::now();
        for sequence in 0..packets {
            let mut packet = vec![0x80, 8, (sequence >> 8) as u8, sequence as u8];
            packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
            packet.extend_from_slice(&[0, 0, 0, 7]);
            packet.extend_from_slice(&[0xd5; 160]);
            self.rtp.send_to(&packet, ("127.0.0.1", self.media)).expect("sent");
            while began.elapsed() < Duration::from_millis(20 * u64::from(sequence + 1)) {
                heard += usize::from(self.rtp.recv_from(&mut buffer).is_ok_and(|(len, _)| len == 172));
            }
        }
        heard
    }

    /// Hangs up.
    pub fn bye(&mut self) -> Message {
        self.request("BYE", "")
    }

    /// Waits for a request of the server.
    pub fn expect_request(&mut self, method: &str) -> Message {
        loop {
            let message = self.receive();
            if message.text.starts_with(method) {
                return message;
            }
        }
    }

    /// Answers a request.
    pub fn answer(&mut self, request: &Message, status: u16) {
        let copied =
            ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", request.header(name)));
        self.send(&format!("SIP/2.0 {status} OK\r\n{}Content-Length: 0\r\n\r\n", copied.concat()));
    }
}

fn hash(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}
