"""Headless Chromium in a host's namespace, driven over the DevTools pipe: no driver, no Node.

The page comes from 127.0.0.1 inside that namespace, because a browser gives the microphone only to a secure context.
The microphone is a file with a tone, 48 kHz mono, looped. `window.phone` of the pages is what tests call.
"""

import base64
import array
import fcntl
import json
import os
import select
import shutil
import sys
import time

from world import Failed, expect, until

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-dev-shm-usage", "--no-default-browser-check",
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints,LocalNetworkAccessChecks",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
    "--remote-debugging-pipe",
]


def binary():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One Chromium with one page."""

    def __init__(self, host, microphone, url=None, page="jssip", codec=None):
        world, role = host.world, host.role
        self.host, self.name = host, f"chromium-{role}"
        if url is None:
            self.server = host.spawn(f"pages-{role}", [sys.executable, os.path.join(HERE, "pages.py"), "8000"])
            host.connect(8000).close()
            url = f"http://127.0.0.1:8000/{page}.html" + (f"?codec={codec}" if codec else "")
        to_r, to_w = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in self._pipe())
        from_r, from_w = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 20) for fd in self._pipe())
        profile = world.path(f"profile-{role}")
        os.makedirs(profile, exist_ok=True)
        argv = ["bash", "-c", f'exec 3<&{to_r} 4>&{from_w} {to_r}<&- {from_w}>&-; exec "$@"', "-", binary(), *FLAGS,
                f"--user-data-dir={profile}", f"--use-file-for-fake-audio-capture={microphone}", "about:blank"]
        self.process = host.spawn(self.name, argv, pass_fds=(to_r, from_w), env={**os.environ, "HOME": profile, "XDG_RUNTIME_DIR": profile})
        os.close(to_r)
        os.close(from_w)
        self.to, self.source, self.buffer, self.serial = to_w, from_r, b"", 0
        self.console = []
        targets = self._ask("Target.getTargets", seconds=30)["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = None
        self.session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Runtime.enable")
        self._ask("Page.enable")
        self.open(url)

    @staticmethod
    def _pipe():
        return os.pipe()

    def open(self, url):
        answer = self._ask("Page.navigate", url=url)
        expect("errorText" not in answer, f"{url}: {answer.get('errorText')}")
        hook = "window.sbcPhone" if "/phone" in url else "window.phone"
        until(f"{hook} on {url}; console: {self.console[-5:]}", 15, lambda: self.js(f"Boolean({hook})"))

    def _ask(self, method, seconds=20, **params):
        self.serial += 1
        message = {"id": self.serial, "method": method, "params": params}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            while b"\0" in self.buffer:
                line, _, self.buffer = self.buffer.partition(b"\0")
                got = json.loads(line)
                if got.get("id") == self.serial:
                    if "error" in got:
                        raise Failed(f"{self.name} {method}: {got['error'].get('message')}")
                    return got["result"]
                self._note(got)
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.source], [], [], left)[0]:
                raise Failed(f"{self.name}: no answer to {method} within {seconds} s")
            chunk = os.read(self.source, 1 << 20)
            if not chunk:
                raise Failed(f"{self.name} ended: {self.process.log()[-400:]}")
            self.buffer += chunk

    def _note(self, event):
        if event.get("method") == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(a.get("value", a.get("description", ""))) for a in event["params"]["args"])[:300])
        if event.get("method") == "Runtime.exceptionThrown":
            details = event["params"]["exceptionDetails"]
            self.console.append("exception: " + str(details.get("exception", {}).get("description", details.get("text")))[:500])

    def js(self, code, seconds=20):
        """The value of an expression; a promise is awaited."""
        got = self._ask("Runtime.evaluate", seconds=seconds + 5, expression=code, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in got:
            raise Failed(f"{self.name}: {got['exceptionDetails'].get('exception', {}).get('description', got['exceptionDetails'])}")
        return got["result"].get("value")

    # ---- window.phone ----

    def do(self, verb, *args, seconds=20):
        return self.js(f"phone.{verb}({', '.join(json.dumps(a) for a in args)})", seconds)

    def begin(self, verb, *args):
        """As `do`, but goes on at once."""
        self.js(f"void phone.{verb}({', '.join(json.dumps(a) for a in args)})")

    def wait(self, what, seconds=10):
        return self.js(f"phone.events.wait({json.dumps(what)}, {int(seconds * 1000)})", seconds)

    def register(self, user, password=None, ws="ws://10.77.1.1:8088/sip", domain="sbc.test", expect_event="registered"):
        self.do("start", {"ws": ws, "user": user, "domain": domain, "password": password or f"{user}-secret"})
        return self.wait(expect_event, 10)

    def call(self, target, domain="sbc.test"):
        self.do("call", target if ":" in target else f"sip:{target}@{domain}")

    def record(self, seconds=2.5, meanwhile=None):
        """(rate, samples) of what the page hears; `meanwhile` is called once the recording runs."""
        self.do("captureStart")
        begun = time.monotonic()
        if meanwhile:
            meanwhile()
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        got = self.do("captureStop")
        return got["rate"], array.array("h", base64.b64decode(got["pcm"]))

    def screenshot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self._ask("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        try:
            self._ask("Browser.close", seconds=3)
        except (Failed, OSError):
            pass
        self.process.stop()
