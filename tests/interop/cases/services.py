"""The newcomer's way: `sbc` without arguments, the printed URL in Chromium, echo, tone and hello from the browser phone."""

import os
import re
import signal
import subprocess
import time

from browser import Browser
from talk import microphone
from world import expect, until


def started(world):
    """(host, process, URL of the phone, password) of the built-in default in a host with a way out."""
    host = world.host("box", "outer")
    home = world.path("home")
    os.makedirs(home, exist_ok=True)
    process = host.spawn("sbc-default", [world.options.sbc], env={**os.environ, "HOME": home, "NO_COLOR": "1", "XDG_STATE_HOME": home, "XDG_RUNTIME_DIR": home}, cwd=home)
    url = until("a printed URL", 10, lambda: re.search(r"http://\S+/phone", process.log()))[0]
    password = re.search(r"password\s+(\S+)", process.log())
    expect(password, f"no password printed: {process.log()[-500:]}")
    return host, process, url, password[1]


def phone_state(browser):
    return browser.js("sbcPhone.state()")


def in_call(browser, target):
    browser.js(f"sbcPhone.call('{target}')")
    until(f"{target} answers; {phone_state(browser)}", 10, lambda: phone_state(browser)["call"] == "answered")


def pitches(browser, side, seconds=3.0):
    out, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        out.append(browser.js("sbcPhone.levels()"))
        time.sleep(0.1)
    return [(level[f"{side}_db"], level[f"{side}_hz"] or 0) for level in out]


def share(levels, hz, within=15):
    return sum(abs(f - hz) <= within for _, f in levels) / len(levels)


def case_phone_page_calls_echo_tone_and_hello(world):
    host, process, url, password = started(world)
    browser = Browser(host, microphone(world), url=url)
    until(f"registered; {phone_state(browser)}", 10, lambda: phone_state(browser)["registration"] == "registered")
    browser.screenshot(world.path("registered.png"))

    in_call(browser, "tone")
    time.sleep(0.7)
    heard = pitches(browser, "remote")
    expect(share(heard, 1000) >= 0.8, f"tone: 1000 Hz in {share(heard, 1000):.0%} of {heard}")
    stats = browser.js("sbcPhone.stats()")
    expect(stats and stats["packets_in"] > 50, f"{stats}")
    browser.screenshot(world.path("tone.png"))
    browser.js("sbcPhone.hangup()")
    until("ended", 5, lambda: phone_state(browser)["call"] == "ended")

    in_call(browser, "echo")
    time.sleep(1.0)
    heard = pitches(browser, "remote")
    expect(share(heard, 440) >= 0.8, f"echo: 440 Hz in {share(heard, 440):.0%} of {heard}")
    browser.js("sbcPhone.mute(true)")
    time.sleep(0.8)
    quiet = pitches(browser, "remote", 1.0)
    expect(share(quiet, 440) <= 0.2, f"echo after mute: {quiet}")
    browser.js("sbcPhone.mute(false)")
    expect(browser.js("sbcPhone.sendDtmf('1')") == "rtp", "digits go as RTP events")
    browser.js("sbcPhone.hangup()")
    until("ended", 5, lambda: phone_state(browser)["call"] == "ended")

    in_call(browser, "hello")
    spoken = pitches(browser, "remote", 2.0)
    expect(sum(db > -50 for db, _ in spoken) >= 5, f"hello: silence: {spoken}")
    end = time.monotonic() + 15
    while share(pitches(browser, "remote", 1.0), 440) < 0.8:
        expect(time.monotonic() < end, "hello: no echo after the announcement")
    browser.js("sbcPhone.hangup()")
    until("ended", 5, lambda: phone_state(browser)["call"] == "ended")
    browser.close()
    expect(process.running() and "panicked at" not in process.log(), process.log()[-600:])


def case_pages_api_and_metrics_answer(world):
    host, process, url, password = started(world)
    port = int(re.search(r":(\d+)/", url)[1])
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 200), ("/api/v1/status", 200), ("/api/v1/calls", 200), ("/nothing", 404)):
        got, body = host.get(port, path)
        expect(got == status, f"{path}: {got}")
        expect(password not in body, f"{path} shows the password")
    metrics = host.get(port, "/metrics")[1]
    path = world.path("metrics.txt")
    with open(path, "w") as f:
        f.write(metrics)
    with open(path) as f:

        checked = subprocess.run(["promtool", "check", "metrics"], stdin=f, capture_output=True, text=True)
    expect(checked.returncode == 0, f"promtool check metrics: {checked.stdout}{checked.stderr}")
    browser = Browser(host, microphone(world), url=url)
    browser._ask("Page.navigate", url=url.replace("/phone", "/"))
    until("the dashboard", 10, lambda: browser.js("document.body?.innerText.length > 50"))
    time.sleep(1.5)
    browser.screenshot(world.path("dashboard.png"))
    bad = [line for line in browser.console if "exception" in line.lower()]
    expect(not bad, f"the dashboard throws: {bad}")
    browser.close()


def case_stop_ends_quickly_and_quietly(world):

    host, process, url, _ = started(world)
    process.signal(signal.SIGTERM)
    code = process.wait(10)
    expect(code == 0, f"SIGTERM: exit {code}: {process.log()[-400:]}")
