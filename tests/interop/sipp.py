"""SIPp with the scenarios of `sipp/`."""

import os
import re

from world import INNER, Failed, until

HERE = os.path.dirname(os.path.abspath(__file__))


class Sipp:
    """One run of a scenario; `finish` waits for its calls and demands that all succeeded."""

    def __init__(self, host, scenario, *extra, target=f"{INNER}.1:5060", user="echo", calls=1, port=5060, rate=10):
        self.host, self.scenario = host, scenario
        name = f"sipp-{host.role}-{scenario}"
        self.errors = host.world.path(f"{name}.errors")
        self.messages = host.world.path(f"{name}.messages")
        self.process = host.spawn(name, [
            "sipp", target, "-sf", os.path.join(HERE, "sipp", f"{scenario}.xml"), "-i", host.ip, "-p", str(port), "-mi", host.ip,
            "-s", user, "-m", str(calls), "-r", str(rate), "-nostdin", "-trace_err", "-error_file", self.errors, "-trace_msg", "-message_file", self.messages,
            "-timeout", "40s", "-timeout_error", *extra])

    def finish(self, seconds=45):
        code = self.process.wait(seconds)
        if code != 0:
            text = ""
            for path in (self.errors, self.process.log_path):
                if os.path.exists(path):
                    text += open(path, errors="replace").read()[-700:]
            raise Failed(f"SIPp {self.scenario} ended with {code}: {text}")

    def log(self):
        return open(self.messages, errors="replace").read() if os.path.exists(self.messages) else ""

    def received(self):
        """Messages that SIPp received, as text."""
        return [part.split("\n\n", 1)[-1] for part in self.log().split("-----------------------------------------------") if "message received" in part]

    def remote_media(self, seconds=8):
        """(address, port) of the newest session description that SIPp received."""
        def look():
            for text in reversed(self.received()):
                address, port = re.search(r"^c=IN IP4 (\S+)", text, re.M), re.search(r"^m=audio (\d+)", text, re.M)
                if address and port:
                    return address[1], int(port[1])
            return None
        return until(f"a session description at SIPp {self.scenario}", seconds, look)
