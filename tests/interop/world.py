"""A case's world: network namespaces, the processes in them, and the SBC under test.

One namespace an endpoint, joined by veth pairs to two bridges inside the SBC's own namespace: `outer` (browsers) and
`inner` (phones, trunks, strangers). Bridge ports are isolated and nothing is forwarded, so endpoints hear each other
only through the SBC. Names carry our process id: what a killed run left behind is found and removed at the next start.
Every process dies with us (PR_SET_PDEATHSIG) and is ended by its own id.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import time

PREFIX = "sbcit"
OUTER = "10.77.1"
INNER = "10.77.2"
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A case's expectation did not hold."""


class Skip(Exception):
    """A case cannot run here; the text says what is missing."""


def expect(condition, text):
    if not condition:
        raise Failed(text)


def until(what, seconds, probe, every=0.05):
    """Polls `probe` until it returns something true."""
    end = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(every)


def run(*argv, ok=(0,), timeout=60, **kw):
    """Runs a short command to its end; any other exit code is an error."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **kw)
    if ok is not None and done.returncode not in ok:
        raise Failed(f"{' '.join(argv)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done


def die_with_parent():
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


def remove_namespace(name):
    """Ends whatever still runs in a namespace of ours, then deletes it."""
    for _ in range(20):
        pids = [int(p) for p in run("ip", "netns", "pids", name, ok=None).stdout.split()]
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    run("ip", "netns", "del", name, ok=None)


def sweep():
    """Removes the namespaces and short folders of runs whose process is gone."""
    for name in os.listdir("/tmp"):
        parts = name.split("-")
        if len(parts) == 3 and parts[0] == PREFIX and parts[1].isdigit() and not alive(int(parts[1])):
            shutil.rmtree(os.path.join("/tmp", name), ignore_errors=True)
    for line in run("ip", "netns", "list", ok=None).stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        parts = name.split("-")
        if len(parts) >= 3 and parts[0] == PREFIX and parts[1].isdigit() and not alive(int(parts[1])):
            remove_namespace(name)


def namespaces_work():
    """None if we may make namespaces and bridges, else the reason why not."""
    if os.geteuid() != 0:
        return "not root"
    name = f"{PREFIX}-{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "add", "b0", "type", "bridge")
        return None
    except (Failed, OSError) as why:
        return str(why)
    finally:
        remove_namespace(name)


class Process:
    """A process in a host, its output in a file of the case's folder."""

    def __init__(self, host, name, argv, env=None, cwd=None, pass_fds=(), stdin=subprocess.DEVNULL):
        self.host, self.name = host, name
        self.log_path = os.path.join(host.world.dir, f"{name}.log")
        with open(self.log_path, "ab") as out:
            self.popen = subprocess.Popen(
                ["ip", "netns", "exec", host.ns, *argv], stdin=stdin, stdout=out, stderr=subprocess.STDOUT,
                env=env, cwd=cwd or host.world.dir, pass_fds=pass_fds, start_new_session=True, preexec_fn=die_with_parent)
        host.world.processes.append(self)

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def running(self):
        return self.popen.poll() is None

    def wait(self, seconds):
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} still runs after {seconds} s: ...{self.log()[-600:]}") from None

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def stop(self, grace=2.0):
        """Ends it and the group it leads."""
        if self.running():
            self.signal(signal.SIGTERM)
            try:
                self.popen.wait(grace)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)  # it leads its own session, so the group is its alone
        except (ProcessLookupError, PermissionError):
            pass
        self.popen.wait()


class Host:
    """One namespace with one address."""

    def __init__(self, world, role, address=None, gateway=None):
        self.world, self.role, self.ip = world, role, address
        self.ns = f"{PREFIX}-{os.getpid()}-{world.serial}{role}"
        run("ip", "netns", "add", self.ns)
        run("ip", "-n", self.ns, "link", "set", "lo", "up")
        self.gateway = gateway

    def spawn(self, name, argv, **kw):
        return Process(self, name, argv, **kw)

    def run(self, *argv, **kw):
        return run("ip", "netns", "exec", self.ns, *argv, **kw)

    def connect(self, port, address="127.0.0.1", seconds=5):
        """A TCP connection made inside the namespace (the socket keeps it)."""
        def attempt():
            sock = self.socket(socket.SOCK_STREAM)
            try:
                sock.connect((address, port))
                return sock
            except OSError:
                sock.close()
                return None
        return until(f"{self.role}: TCP {address}:{port}", seconds, attempt)

    def socket(self, kind=socket.SOCK_DGRAM):
        """A socket born in the namespace: sockets stay where they were made."""
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.ns}", os.O_RDONLY)
        try:
            if LIBC.setns(there, 0x40000000):  # CLONE_NEWNET, this thread only
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(socket.AF_INET, kind)
            finally:
                if LIBC.setns(here, 0x40000000):
                    os._exit(70)
        finally:
            os.close(here)
            os.close(there)

    def get(self, port, path, address="127.0.0.1", timeout=5):
        """HTTP GET from inside: (status, body)."""
        sock = self.connect(port, address, timeout)
        sock.settimeout(timeout)
        with sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := sock.recv(65536):
                data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            out, rest = b"", body
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                n = int(size.split(b";")[0] or b"0", 16)
                if n == 0:
                    break
                out, rest = out + rest[:n], rest[n + 2:]
            body = out
        return int(head.split()[1]), body.decode(errors="replace")


class World:
    """All of one case; `close` leaves only the folder with logs."""

    count = 0

    def __init__(self, directory, options):
        World.count += 1
        self.serial = World.count
        self.dir, self.options = directory, options
        os.makedirs(directory, exist_ok=True)
        # Paths of sockets and of baresip's recordings are short by rule; the case's folder may not be.
        self.short = f"/tmp/{PREFIX}-{os.getpid()}-{self.serial}"
        self.socket = f"{self.short}/sbc.sock"
        os.makedirs(self.short, exist_ok=True)
        self.processes, self.hosts, self.used = [], [], {}
        self.sbc_host = Host(self, "sbc", f"{INNER}.1")
        self.hosts.append(self.sbc_host)
        for bridge, net in (("outer", OUTER), ("inner", INNER)):
            run("ip", "-n", self.sbc_host.ns, "link", "add", bridge, "type", "bridge")
            run("ip", "-n", self.sbc_host.ns, "addr", "add", f"{net}.1/24", "dev", bridge)
            run("ip", "-n", self.sbc_host.ns, "link", "set", bridge, "up")

    def host(self, role, side):
        """A new endpoint on `outer` or `inner`, with its own address and a default route."""
        net = {"outer": OUTER, "inner": INNER}[side]
        number = self.used[side] = self.used.get(side, 9) + 1
        host = Host(self, role, f"{net}.{number}", f"{net}.1")
        self.hosts.append(host)
        port = f"{side[0]}{number}"
        run("ip", "link", "add", "eth0", "netns", host.ns, "type", "veth", "peer", "name", port, "netns", self.sbc_host.ns)
        run("ip", "-n", self.sbc_host.ns, "link", "set", port, "master", side)
        run("ip", "-n", self.sbc_host.ns, "link", "set", port, "type", "bridge_slave", "isolated", "on")
        run("ip", "-n", self.sbc_host.ns, "link", "set", port, "up")
        run("ip", "-n", host.ns, "addr", "add", f"{host.ip}/24", "dev", "eth0")
        run("ip", "-n", host.ns, "link", "set", "eth0", "up")
        run("ip", "-n", host.ns, "route", "add", "default", "via", host.gateway)
        return host

    def join(self, *hosts):
        """Lets endpoints reach each other directly (harness cases without the SBC)."""
        for host in hosts:
            side = "outer" if host.ip.startswith(OUTER) else "inner"
            port = f"{side[0]}{host.ip.rsplit('.', 1)[1]}"
            run("ip", "-n", self.sbc_host.ns, "link", "set", port, "type", "bridge_slave", "isolated", "off")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def close(self):
        for process in reversed(self.processes):
            try:
                process.stop(grace=1.0)
            except Exception as why:  # the rest must still be cleaned
                print(f"    (ending {process.name}: {why})")
        for host in reversed(self.hosts):
            remove_namespace(host.ns)
        shutil.rmtree(self.short, ignore_errors=True)


CONFIG = """\
[node]
name = "interop"
data_dir = "{data}"

[log]
level = "{level}"

[admin]
listen = "127.0.0.1:8080"
socket = "{socket}"

[realm.browsers]
listen = ["ws://{outer}.1:8088/sip"]
leg = "webrtc"
domains = ["sbc.test", "{outer}.1"]
media = {{ port = 8189 }}

[realm.phones]
listen = ["udp://{inner}.1:5060"]
leg = "sip"
domains = ["sbc.test", "{inner}.1"]
codecs = ["PCMA", "PCMU"]
media = {{ ports = "30000-30999" }}

[user.alice]
password = "alice-secret"
[user.bob]
password = "bob-secret"
[user.phone1]
password = "phone1-secret"
[user.phone2]
password = "phone2-secret"

"""

ROUTES = """
[[route]]
match = { to = '^echo$' }
to = ["echo"]
[[route]]
match = { to = '^tone$' }
to = ["tone"]
[[route]]
match = { to = '^hello$' }
to = ["hello"]
[[route]]
to = ["registered"]
"""


class Sbc:
    """The binary under test on a configuration written for the case."""

    def __init__(self, world, trunks="", routes="", extra="", level="debug", start=True):
        self.world, self.host = world, world.sbc_host
        self.data = world.path("data")
        os.makedirs(self.data, exist_ok=True)
        self.config = world.path("sbc.toml")
        body = CONFIG.format(data=self.data, level=level, outer=OUTER, inner=INNER, socket=world.socket)
        with open(os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(body + extra + "\n" + trunks + "\n" + routes + ROUTES)
        self.process = None
        if start:
            self.start()

    def start(self):
        binary = self.world.options.sbc
        number = sum(p.name.startswith("sbc") for p in self.world.processes)
        self.process = self.host.spawn(f"sbc{number or ''}", [binary, "-c", self.config], env={**os.environ, "NO_COLOR": "1"})

        def ready():
            expect(self.process.running(), f"sbc ended with {self.process.popen.returncode}: {self.process.log()[-800:]}")
            try:
                return self.host.get(8080, "/readyz", timeout=1)[0] == 200
            except (Failed, OSError, IndexError, ValueError):
                return False
        until("sbc ready", 10, ready)

    def cli(self, *argv, ok=(0,)):
        """Runs `sbc ARGV` against the running process."""
        return self.host.run(self.world.options.sbc, "-c", self.config, *argv, ok=ok).stdout

    def api(self, path):
        status, body = self.host.get(8080, path)
        expect(status == 200, f"GET {path}: {status} {body[:200]}")
        return json.loads(body)

    def records(self):
        """Every journal line, oldest first."""
        directory = os.path.join(self.data, "cdr")
        lines = []
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            with open(os.path.join(directory, name)) as f:
                for line in f:
                    if line.endswith("\n") and line.strip():
                        lines.append(json.loads(line))
        return lines
