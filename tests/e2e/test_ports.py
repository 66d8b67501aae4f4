# SPDX-License-Identifier: Apache-2.0
"""Each kind of port, one worker and two: ARP, ND, echo, HTTP, HTTPS; garbage on the wire; a cable pulled and put back."""
import contextlib
import hashlib
import subprocess
import time

import pytest

from tests.support.lab import BACKENDS, VIP4, VIP6, Lab, basic_config, wait_for

pytestmark = pytest.mark.sanitizer
PORTS = [("af_packet", 1), ("af_packet", 2), ("af_xdp", 1), ("af_xdp", 2), ("tap", 1), ("tap", 2)]


@pytest.fixture(scope="module", params=PORTS, ids=lambda p: f"{p[0]}-{p[1]}")
def port_lab(request):
    driver, workers = request.param
    with Lab("slp", driver=driver, workers=workers) as lab:
        for name in BACKENDS:
            lab.start_nginx(name)
        lab.static_file("20m", 20_000_000)
        lab.start()
        lab.api.apply(basic_config())
        yield lab
        assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.mark.parametrize("address", [VIP4, "10.77.0.1", VIP6, "fd77::1"])
def test_echo_is_answered_for_vips_and_own_addresses(port_lab, address):
    port_lab.client.run("ping", "-c3", "-i0.2", "-W20", address)


@pytest.mark.parametrize("scheme,vip", [("http", f"{VIP4}:80"), ("https", f"[{VIP6}]:443")])
def test_many_connections_are_served(port_lab, scheme, vip):
    done = subprocess.run(port_lab.client.command("h2load", "--h1", "-n", 2000, "-c", 50, f"--connect-to={vip}",
                                                  f"{scheme}://any.test/"), check=True, stdout=subprocess.PIPE, text=True)
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in done.stdout
    assert "status codes: 2000 2xx" in done.stdout


def test_a_big_body_is_byte_exact_over_tls(port_lab):
    want = (port_lab.folder / "b1/www/static/20m").read_bytes()
    got = port_lab.folder / "got"
    port_lab.curl("-k", "-o", got, f"https://{VIP4}/static/20m")
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(want).digest()


def test_both_workers_serve_when_there_are_two(port_lab):
    def served():
        return [port_lab.api.metric("sluice_http_requests_total", worker=str(w)) for w in range(port_lab.workers)]
    before = served()

    def each_has_served():  # ports differ from connection to connection, and so do workers
        port_lab.curl(f"http://{VIP4}/")
        return all(n > b for n, b in zip(served(), before))
    wait_for(each_has_served, 60, f"both workers to serve; before: {before}")


GARBAGE = r"""
import random, time
from scapy.all import *
random.seed(7)
for _ in range(20):  # each waits for some seconds
    if mac := getmacbyip("10.77.0.100"):
        break
e = Ether(dst=mac)
good = e/IP(src="10.77.0.2", dst="10.77.0.100")/TCP(sport=1234, dport=80, flags="S")
frames = [
    e/IP(src="10.77.0.2", dst="10.77.0.100", chksum=0x1234)/TCP(dport=80, flags="S"),
    e/IP(src="10.77.0.2", dst="10.77.0.100")/TCP(dport=80, flags="S", chksum=0x1234),
    e/IP(src="10.77.0.2", dst="10.77.0.100", ihl=4)/TCP(dport=80),
    e/IP(src="10.77.0.2", dst="10.77.0.100", len=4000)/TCP(dport=80),
    e/IP(src="10.77.0.2", dst="10.77.0.100")/TCP(dport=80, dataofs=15),
    e/IP(src="10.77.0.2", dst="10.77.0.100")/TCP(dport=80, dataofs=2),
    e/IP(src="10.77.0.2", dst="10.77.0.100", flags="MF")/TCP(dport=80),
    e/IP(src="10.77.0.2", dst="10.77.0.100", frag=10)/Raw(b"x" * 64),
    e/IP(src="10.77.0.2", dst="10.77.0.100", proto=132)/Raw(b"x" * 64),
    e/IP(src="10.77.0.2", dst="10.9.9.9")/TCP(dport=80),
    e/IP(src="255.255.255.255", dst="10.77.0.100")/TCP(dport=80),
    e/IP(src="10.77.0.2", dst="10.77.0.100")/ICMP(type=3, code=4)/Raw(b"short"),
    e/IPv6(src="fd77::2", dst="fd77::100", nh=6, plen=4000)/TCP(dport=80),
    e/IPv6(src="fd77::2", dst="fd77::100")/IPv6ExtHdrDestOpt(len=200)/TCP(dport=80),
    e/ARP(op=1, hwlen=3), Ether(dst=mac, type=0x1234)/Raw(b"?" * 60), Ether(dst=mac, type=0x0800)/Raw(b""),
]
frames += [Ether(dst=mac, type=random.choice([0x0800, 0x86dd, 0x0806, 0x8100]))/Raw(random.randbytes(random.randint(0, 1400)))
           for _ in range(400)]
raw_good = bytes(good)
for cut in range(14, len(raw_good)):
    frames.append(Raw(raw_good[:cut]))
for _ in range(400):
    b = bytearray(raw_good + b"payload")
    for _ in range(random.randint(1, 6)):
        b[random.randrange(12, len(b))] = random.randrange(256)
    frames.append(Raw(bytes(b)))
s = conf.L2socket(iface="eth0")
for i, f in enumerate(frames):
    s.send(bytes(f))
    if i % 8 == 0:
        time.sleep(0.005)  # a worker that gets no time for long finds its ring full
print(len(frames))
"""


def test_garbage_on_the_wire_is_dropped_with_a_reason_and_hurts_nobody(port_lab):
    # What the kernel does on the way: the bridge before a TAP drops broken IP headers itself, and AF_PACKET's fan-out
    # reassembles fragments.
    least = 100 if port_lab.driver == "tap" else 500

    def counted():
        """Of one time that all of it is sent. A worker that stalls loses what does not fit into its ring."""
        before = port_lab.api.metric("sluice_drops_total")
        port_lab.client.run("/usr/bin/python3", "-c", GARBAGE)
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: port_lab.api.metric("sluice_drops_total") > before + least, 20, "the drops to be counted")
        return False
    assert any(counted() for _ in range(4))
    reasons = {"af_packet": ["ip_checksum"], "af_xdp": ["ip_checksum", "ip_fragment"], "tap": ["ip_fragment"]}
    for reason in ["tcp_checksum", "ethertype_unknown", *reasons[port_lab.driver]]:
        wait_for(lambda r=reason: port_lab.api.metric("sluice_drops_total", reason=r) > 0, 20, f"drops for {reason}")
    assert port_lab.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/") == "200"


def test_a_cable_pulled_and_put_back_is_survived(port_lab):
    port_lab.client.ip("link", "set", "eth0", "down")
    time.sleep(1.5)
    port_lab.client.ip("link", "set", "eth0", "up")
    port_lab.client.ip("address", "replace", "fd77::2/64", "dev", "eth0", "nodad")
    wait_for(lambda: port_lab.curl("-o", "/dev/null", "-w", "%{http_code}", "--connect-timeout", "5", f"http://{VIP4}/",
                                   check=False).stdout == "200", 60, "service after the link is back")
