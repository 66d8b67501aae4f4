# SPDX-License-Identifier: Apache-2.0
"""How much a load balancer and its listeners take, and who is refused what."""
import socket
import statistics
import subprocess
import time

import pytest

from tests.support.lab import ROOT, VIP4, wait_for

pytestmark = pytest.mark.sanitizer
GET = b"GET /x HTTP/1.1\r\nHost: one.test\r\n\r\n"
OTHER_SOURCE = "10.77.0.77"


def counted(lab, connections):
    """Waits until so many are open. A client's connect() returns before its ACK arrives, which may then come in one burst with
    the SYN of its next connection: that SYN is answered, for nothing is full yet, and the connection reset once it is there."""
    wait_for(lambda: lab.api.metric("sluice_load_balancer_connections_active", load_balancer="lb") == connections, 60,
             f"{connections} connections")


def limited(lab, config, balancer=None, **listeners):
    """Puts the limits in force when nothing is open any more."""
    lab.api.apply(lab.config)
    counted(lab, 0)
    config["load_balancers"][0]["limits"] = balancer or {}
    for listener in config["listeners"]:
        listener["limits"] = listeners.get(listener["id"], {})
    lab.api.apply(config)


@pytest.fixture(scope="module")
def other_source(lab):
    """A second address of the client, there for as long as its connections have to end."""
    lab.client.ip("address", "add", OTHER_SOURCE + "/24", "dev", "eth0")
    return OTHER_SOURCE


@pytest.fixture
def opens(lab):
    """Opens connections: whether one came about before the client would ask again (a second later)."""
    made = []

    def connect(port=80, source=None, timeout=0.2):
        with lab.client.entered():
            sock = socket.socket()
        made.append(sock)
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        try:
            sock.connect((VIP4, port))
        except (TimeoutError, ConnectionResetError):
            sock.close()
            return False
        return True
    yield connect
    for sock in made:
        sock.close()


def too_many(opens, rate):
    """Opens connections faster than the rate allows: no more come about than a second's worth at once, a second's worth
    of overdraft, when a SYN arrives together with the ACK of the one before, and the rate."""
    begin = time.monotonic()
    opened = [opens(timeout=0.3) for _ in range(5 * rate)]
    assert 1 <= sum(opened) <= rate * (time.monotonic() - begin + 2)
    assert not all(opened)


def drops(lab, reason):
    return lab.api.metric("sluice_drops_total", reason=reason)


def test_no_more_connections_than_allowed_until_one_closes(restored, config, raw, opens):
    limited(restored, config, {"max_connections": 3})
    held = [raw(), raw(), raw(port=443)]
    counted(restored, 3)
    before = drops(restored, "tcp_max_connections")
    assert not opens()
    assert not opens(port=443)
    wait_for(lambda: drops(restored, "tcp_max_connections") >= before + 2, 30, "the refusals to be counted")
    assert restored.api.metric("sluice_load_balancer_connections_active", load_balancer="lb") == 3
    assert restored.api.metric("sluice_load_balancer_refused_total", limit="max_connections") >= 2
    assert held[0].send(GET).response()[0] == 200
    held[0].close()
    wait_for(opens, 30, "the place of the one that closed")


def test_a_listeners_bound_is_its_own(restored, config, raw, opens):
    limited(restored, config, http={"max_connections": 1})
    raw()
    counted(restored, 1)
    assert not opens()
    assert opens(port=443, timeout=20)


def test_new_connections_come_at_the_rate(restored, config, opens):
    limited(restored, config, {"connections_per_second": 3})
    before = drops(restored, "tcp_connection_rate")
    too_many(opens, 3)
    wait_for(lambda: drops(restored, "tcp_connection_rate") > before, 30, "the refusals to be counted")
    time.sleep(1.1)
    assert opens(timeout=20)


def test_one_source_above_its_rate_leaves_the_others_alone(restored, config, opens, other_source):
    limited(restored, config, http={"connections_per_second_per_source": 3})
    before = drops(restored, "tcp_source_rate")
    too_many(opens, 3)
    assert opens(source=other_source, timeout=20)
    assert opens(port=443, timeout=20)
    wait_for(lambda: drops(restored, "tcp_source_rate") > before, 30, "the refusals to be counted")
    assert restored.api.metric("sluice_listener_refused_total", listener="http", limit="source_rate") >= 1
    time.sleep(1.1)
    assert opens(timeout=20)


def test_a_request_too_many_is_told_when_to_come_again_and_the_connection_stays(restored, config, raw):
    limited(restored, config, {"requests_per_second": 2})
    client = raw()
    answers = [client.send(GET).response() for _ in range(20)]
    assert [status for status, _, _ in answers[:2]] == [200, 200]
    refused = [fields for status, fields, _ in answers if status == 503]
    assert refused
    assert all(fields["retry-after"] == "1" and "connection" not in fields for fields in refused)
    time.sleep(1.1)
    assert client.send(GET).response()[0] == 200
    assert restored.api.metric("sluice_load_balancer_refused_total", limit="request_rate") == len(refused)
    wait_for(lambda: sum(r["status"] == 503 and r["error"] == "request_rate" for r in restored.access_log()) >= len(refused), 30,
             "their access records")


def test_handshakes_above_the_rate_wait_outside(restored, config, opens):
    limited(restored, config, https={"handshakes_per_second": 2})
    before = drops(restored, "tcp_handshake_rate")
    for _ in range(2):
        restored.curl("-k", f"https://{VIP4}/")

    def refused():
        # Handshakes at once, that overdraw. One whose SYN came with the ACK of another is reset.
        restored.curl("-sk", "-Z", "--parallel-immediate", *[f"https://{VIP4}/"] * 4, check=False)
        opens(port=443, timeout=0.1)
        return drops(restored, "tcp_handshake_rate") > before
    wait_for(refused, 60, "a refusal")
    assert opens(port=80, timeout=20)
    restored.curl("-k", f"https://{VIP4}/")  # comes through when its SYN is sent again


def test_a_performance_class_is_known_or_named(restored, config):
    config["load_balancers"][0]["performance_class"] = "slb.s3.large"
    restored.api.apply(config)
    config["load_balancers"][0]["performance_class"] = "slb.s3.enormous"
    status, _, answer = restored.api.request("PUT", "/api/v1/config", config)
    assert status == 422
    assert [e["path"] for e in answer["errors"]] == ["/load_balancers/0/performance_class"]


def latencies(client, count):
    out = []
    for _ in range(count):
        begin = time.perf_counter()
        assert client.send(GET).response()[0] == 200
        out.append(time.perf_counter() - begin)
    return out


@pytest.fixture
def storm(lab):
    """128 clients that do nothing but begin handshakes; goes on until stopped."""
    process = lab.client.start("nice", "/usr/bin/python3", ROOT / "tests/support/handshake_storm.py", VIP4, 443, 128,
                               stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_a_storm_of_handshakes_does_not_starve_an_established_client(lab, raw, request):
    """A poll may bring as many ClientHellos as there are clients. A request must not wait for all of them."""
    client = raw(timeout=30)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    latencies(client, 50)
    quiet = statistics.median(latencies(client, 200))
    process = request.getfixturevalue("storm")
    busy = statistics.median(latencies(client, 200))
    answered = process.stdout.readline()
    process.kill()
    rate = statistics.median(int(line) for line in (answered + process.stdout.read()).split())
    assert rate > 20, "no storm"
    handshake = 1 / rate
    print(f"quiet {quiet * 1e6:.0f} us, in the storm {busy * 1e6:.0f} us: {busy / quiet:.1f} times, "
          f"or {(busy - quiet) / handshake:.1f} handshakes of {handshake * 1e6:.0f} us more")
    assert busy - quiet < 16 * handshake
