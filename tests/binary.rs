//! The built binary as its operator and a phone meet it: start, OPTIONS,
//! REGISTER, a call to `echo`, the API, the commands, `kill -9` in mid call
//! and the restart after it.
//!
//! Real sockets on loopback with ports that the system gave; every process is
//! stopped by the test that started it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

#[path = "binary/phone.rs"]
mod phone;

use phone::Phone;

/// A running `sbc` with a configuration and a directory of its own.
struct Node {
    child: Child,
    dir: PathBuf,
    http: u16,
    sip: u16,
}

impl Node {
    /// Writes a configuration and starts on it.
    fn start(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("sbc-binary-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("scratch");
        let (http, sip, ws) = (free_tcp(), free_udp(), free_tcp());
        let (shared, first) = (free_udp(), 20_000 + free_udp() % 20_000 / 2 * 2);
        let text = format!(
            r#"
[node]
name = "test-1"
data_dir = "{dir}"
media_threads = 1
drain = "1s"
[admin]
listen = "127.0.0.1:{http}"
[guard]
firewall = "off"
[sip]
expires_min = "1s"
[realm.browsers]
listen = ["ws://127.0.0.1:{ws}/sip"]
leg = "webrtc"
media = {{ address = "127.0.0.1", port = {shared} }}
[realm.phones]
listen = ["udp://127.0.0.1:{sip}"]
leg = "sip"
trust = "high"
domains = ["sbc.test"]
media = {{ ports = "{first}-{last}", local = true }}
[user.demo]
password = "s3cret"
[[route]]
match = {{ to = '^echo$' }}
to = ["echo"]
[[route]]
to = ["registered"]
"#,
            dir = dir.display(),
            last = first + 99,
        );
        let file = dir.join("sbc.toml");
        std::fs::write(&file, text).expect("scratch");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("scratch");
        let mut node = Self { child: run(&dir), dir, http, sip };
        node.wait_ready();
        node
    }

    fn wait_ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while get(self.http, "/readyz").is_none_or(|(status, _)| status != 200) {
            let ended = self.child.try_wait().expect("our child");
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
            assert!(Instant::now() < until, "not ready in time\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts again on the same configuration.
    fn restart(&mut self) {
        self.child = run(&self.dir);
        self.wait_ready();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// A command with this node's configuration.
    fn sbc(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_sbc"))
            .arg("-c")
            .arg(self.dir.join("sbc.toml"))
            .args(args)
            .output()
            .expect("runs")
    }

    /// The text a command prints; it has to succeed.
    fn says(&self, args: &[&str]) -> String {
        let output = self.sbc(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn json(&self, path: &str) -> Value {
        let (status, body) = get(self.http, path).expect("an answer");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Asks until `done` holds.
    fn wait(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let value = self.json(path);
            if done(&value) {
                return value;
            }
            assert!(Instant::now() < until, "{path}: {value:#}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(done.expect("kill runs").success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

fn run(dir: &std::path::Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).expect("scratch");
    Command::new(env!("CARGO_BIN_EXE_sbc"))
        .arg("-c")
        .arg(dir.join("sbc.toml"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the binary starts")
}

fn free_tcp() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

fn free_udp() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}

/// Status and body of a GET; `None` if nobody listens.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[test]
fn answers_options_and_registers_with_a_password_only() {
    let node = Node::start("register");
    let mut phone = Phone::new("demo", "s3cret", node.sip);
    assert_eq!(phone.request("OPTIONS", "").status, 200);
    let challenge = phone.request("REGISTER", "");
    assert_eq!(challenge.status, 401, "{}", challenge.text);
    assert_eq!(Phone::new("demo", "wrong", node.sip).authorised("REGISTER", "").status, 403);
    let accepted = phone.authorised("REGISTER", "");
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    let list = node.json("/api/v1/registrations");
    assert_eq!((list["total"].as_u64(), list["registrations"][0]["user"].as_str()), (Some(1), Some("demo")));
    assert!(node.says(&["registrations"]).contains("demo"));
    assert!(node.says(&["route", "demo", "echo"]).contains("service echo"));
    assert_eq!(node.sbc(&["route", "demo", "nobody", "--realm", "nowhere"]).status.code(), Some(1));
}

#[test]
fn a_call_to_echo_is_heard_and_everywhere_on_record() {
    let node = Node::start("echo");
    let mut phone = Phone::new("demo", "s3cret", node.sip);
    phone.call("echo");
    assert!(phone.echoed(50) > 40, "the voice comes back\n{}", node.log());
    let calls = node.json("/api/v1/calls");
    assert_eq!(calls["calls"][0]["to"], "echo", "{calls:#}");
    let id = calls["calls"][0]["id"].as_str().expect("an id").to_owned();
    assert!(node.says(&["calls"]).contains(&id));
    assert_eq!(phone.bye().status, 200);
    let ended = node.wait(&format!("/api/v1/calls/{id}"), |call| !call["ended"].is_null());
    assert_eq!(
        (ended["disconnect_initiator"].as_str(), ended["cause"]["sip_code"].as_u64()),
        (Some("caller"), Some(200))
    );
    let why = node.says(&["why", &id]);
    assert!(why.contains("the caller hung up"), "{why}");
    let (_, metrics) = get(node.http, "/metrics").expect("metrics");
    assert!(metrics.contains("\nsbc_calls_total 1\n"), "{metrics}");
    assert!(metrics.contains("sbc_sip_requests_total{direction=\"in\",method=\"INVITE\"} 2"), "{metrics}");
    assert!(node.says(&["cdr", "verify"]).contains("sessions  2"));
    assert_eq!(node.says(&["cdr", "export", "--csv"]).lines().count(), 4, "head, challenge, attempt, session");
    assert!(node.says(&["cdr", "tail", "-n", "1"]).contains(&id));
}

#[test]
fn bans_are_listed_added_and_lifted() {
    let node = Node::start("bans");
    node.says(&["bans", "add", "203.0.113.7", "--secs", "600", "--reason", "too curious"]);
    let bans = node.json("/api/v1/bans");
    let ban = &bans["bans"][0];
    assert_eq!((ban["prefix"].as_str(), ban["by"].as_str()), (Some("203.0.113.7/32"), Some("operator")), "{bans:#}");
    assert_eq!(ban["enforced"], "user_space");
    assert!(node.says(&["bans"]).contains("203.0.113.7/32"));
    node.says(&["bans", "del", "203.0.113.7/32"]);
    assert_eq!(node.sbc(&["bans", "del", "203.0.113.7/32"]).status.code(), Some(1));
    assert_eq!(node.sbc(&["bans", "add", "127.0.0.1"]).status.code(), Some(1), "loopback is never banned");
    assert_eq!(node.sbc(&["bans", "add"]).status.code(), Some(2));
}

#[test]
fn kill_9_in_mid_call_leaves_one_final_record_an_attempt() {
    let mut node = Node::start("crash");
    let mut phone = Phone::new("demo", "s3cret", node.sip);
    phone.call("echo");
    assert!(phone.echoed(10) > 5);
    node.signal("KILL");
    node.child.wait().expect("our child");
    assert!(node.says(&["cdr", "verify"]).contains("open\n"), "the call is open while nobody has closed it");
    node.restart();
    let report = node.says(&["cdr", "verify"]);
    assert!(report.contains("sessions  2") && report.contains("attempts  1"), "{report}");
    let last = node.says(&["cdr", "tail", "-n", "1"]);
    let record: Value = serde_json::from_str(&last).expect("a record");
    assert_eq!(
        (record["kind"].as_str(), record["cause"]["internal_code"].as_str()),
        (Some("session"), Some("restart"))
    );
    Phone::new("demo", "s3cret", node.sip).call("echo");
    node.says(&["cdr", "verify"]);
}

#[test]
fn a_drained_node_refuses_calls_and_says_goodbye_to_those_it_has() {
    let mut node = Node::start("drain");
    let mut first = Phone::new("demo", "s3cret", node.sip);
    first.call("echo");
    assert_eq!(node.sbc(&["drain", "--wait", "0"]).status.code(), Some(1), "a call is in progress");
    assert_eq!(get(node.http, "/readyz").expect("an answer").0, 503);
    assert_eq!(get(node.http, "/healthz").expect("an answer").0, 200);
    let refused = Phone::new("demo", "s3cret", node.sip).request("INVITE", "echo");
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(refused.text.contains("\r\nRetry-After:"), "{}", refused.text);
    node.signal("TERM");
    let bye = first.expect_request("BYE");
    first.answer(&bye, 200);
    assert!(node.child.wait().expect("our child").success(), "{}", node.log());
    let report = node.says(&["cdr", "verify"]);
    assert!(report.contains("sessions  3"), "a challenge, the call, a refusal: {report}");
    assert!(!node.dir.join("sbc.sock").exists());
}

#[test]
fn every_problem_is_told_at_once_with_status_64() {
    let dir = std::env::temp_dir().join(format!("sbc-binary-check-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("scratch");
    let file = dir.join("bad.toml");
    std::fs::write(&file, "[realm.a]\nlisten = [\"udp:127.0.0.1\"]\nlegs = 1\n").expect("scratch");
    for args in [&["check"][..], &["run"], &[]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sbc")).arg("-c").arg(&file).args(args).output().expect("runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{args:?}: {text}");
        assert!(text.contains("bad.toml:2:11: realm.a.listen") && text.contains(":3:1: realm.a.legs"), "{text}");
    }
    std::fs::remove_dir_all(&dir).expect("scratch is ours");
}
