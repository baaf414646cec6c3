"""The harness proves itself without the SBC: what these cannot find, no other case can."""

import os
import time

import tone
from baresip import Baresip
from browser import Browser
from rtp import Peer
from sipp import Sipp
from talk import digits_arrive
from world import expect


def case_phone_to_phone_direct(world):
    one, two = world.host("p1", "inner"), world.host("p2", "inner")
    world.join(one, two)
    a = Baresip(one, "phone1", hz=440, register=False)
    b = Baresip(two, "phone2", hz=1000, register=False)
    a.call(f"sip:phone2@{two.ip}")
    b.wait("CALL_INCOMING")
    b.answer()
    a.wait("CALL_ESTABLISHED")
    time.sleep(3)
    a.hangup()
    b.wait("CALL_CLOSED")
    for phone, hz in ((a, 1000), (b, 440)):
        share, windows, median = tone.heard(*phone.recording(), hz)
        expect(share >= 0.8 and windows >= 20, f"{phone.user} heard {hz} Hz in {share:.0%} of {windows} windows, median {median:.0f} Hz")


def case_browser_to_browser_direct(world):
    one, two = world.host("b1", "outer"), world.host("b2", "outer")
    world.join(one, two)
    low = tone.write(world.path("440.wav"), 440, 10, 48000)
    high = tone.write(world.path("1000.wav"), 1000, 10, 48000)
    a, b = Browser(one, low, page="plain"), Browser(two, high, page="plain")
    offer = a.do("offer")
    expect(one.ip in offer, f"no candidate of {one.ip} in the offer")
    a.do("accept", b.do("answer", offer))
    a.wait("connected")
    b.wait("connected")
    for page, hz in ((a, 1000), (b, 440)):
        share, windows, median = tone.heard(*page.record(2.5), hz)
        expect(share >= 0.8 and windows >= 20, f"heard {hz} Hz in {share:.0%} of {windows} windows, median {median:.0f} Hz")
    digits_arrive(b, lambda: a.begin("dtmf", "159#"), "159#")
    b.close()
    a.close()


def case_sipp_to_sipp_direct(world):
    one, two = world.host("p1", "inner"), world.host("p2", "inner")
    world.join(one, two)
    media = [Peer(one, 40000, hz=440), Peer(two, 40000, hz=1000)]
    media[0].peer = (two.ip, 40000)
    uas = Sipp(two, "uas", target="")
    uac = Sipp(one, "uac", target=two.ip, user="service")
    uac.finish()
    uas.finish()
    for peer, hz in zip(media, (1000, 440)):
        peer.close()
        share, windows, median = tone.heard(8000, peer.samples, hz)
        expect(share >= 0.8 and windows >= 10, f"heard {hz} Hz in {share:.0%} of {windows} windows, median {median:.0f} Hz")


def case_scanners_find_a_plain_target(world):
    """SIPVicious works here at all: it finds a SIP server that does not defend itself."""
    one, two = world.host("evil", "inner"), world.host("p2", "inner")
    world.join(one, two)
    two.spawn("uas", ["sipp", "-sf", os.path.join(world.options.root, "tests/interop/sipp/options_uas.xml"), "-i", two.ip, "-p", "5060", "-nostdin"])
    found = one.run("svmap", two.ip, ok=None, timeout=60)
    expect(two.ip in found.stdout + found.stderr, f"svmap saw nothing: {(found.stdout + found.stderr)[-500:]}")


def case_nftables_set_with_timeout(world):
    rules = os.path.join(world.options.root, "rules/nftables/sbc.nft")
    world.sbc_host.run("nft", "-f", rules)
    world.sbc_host.run("nft", "add", "element", "inet", "sbc", "ban4", "{ 10.77.2.99 timeout 60s }")
    listed = world.sbc_host.run("nft", "list", "set", "inet", "sbc", "ban4").stdout
    expect("10.77.2.99" in listed, listed)
