# SPDX-License-Identifier: Apache-2.0
"""sluiced between sluice-pktgen's two ports: each kind of shape runs, all sides count the same, and what is wrong is told.
Speed is never asserted: the cores belong to others, too."""
import json
import re
import subprocess

import pytest
from ground import VIP4, VIP6, Failed, Ground
from hugepages import NoHugePages

from tests.support.lab import wait_for

QUICK = ("--seconds", "1", "--warmup", "0.2")


@pytest.fixture(scope="module")
def ground():
    with Ground(share_core=True, huge_pages=False) as g:
        yield g
        assert g.stop() == 0, g.log_text()


class Counted:
    """What sluiced counted since this was made."""

    NAMES = {"connections": "sluice_http_connections_total", "requests": "sluice_http_requests_total",
             "full": "sluice_tls_handshakes_total", "resumed": "sluice_tls_handshakes_resumed_total",
             "bad": "sluice_http_bad_requests_total", "failed": "sluice_tls_handshakes_failed_total"}

    def __init__(self, ground):
        self.ground = ground
        self.before = self.read()

    def read(self):
        return {key: self.ground.metric(name) for key, name in self.NAMES.items()}

    def __getattr__(self, name):
        return self.ground.metric(self.NAMES[name]) - self.before[name]


def check(result, unit):
    assert result["unit"] == unit and result["count"] > 0 and result["errors"] == {}
    assert result["rate"] == pytest.approx(result["count"] / result["seconds"])
    latency = result["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p99.9"] <= latency["max"]
    assert 0 < result["generator"]["busy_share"] <= 1
    assert result["appliance"]["busy_seconds"] > 0 and result["appliance"]["cycles_per_packet"] > 0


def measured(ground, *arguments, **kwargs):
    """What sluiced counted of a run, and its result. Somebody else may have the cores for all of its short window: then once more."""
    for last in (False, False, False, True):
        counted = Counted(ground)
        try:
            return counted, ground.run(*arguments, **kwargs)
        except Failed as none:
            if last or not re.search(r"^no \w+ completed in ", str(none)):
                raise
    raise AssertionError("unreachable")


@pytest.mark.parametrize("shape", ["http-0", "http-1m", "http-post-16k", "https-1k", "https-1m", "http-slow-clients"])
def test_generator_appliance_and_backends_count_the_same_requests(ground, shape):
    counted, result = measured(ground, shape, *QUICK, "--connections", 16)
    check(result, "requests")
    run = result["whole_run"]
    assert run["operations"] == run["answered"] == counted.requests
    assert run["opened"] == counted.connections == 16 and counted.bad == 0
    assert result["connections"] == 16
    assert result["appliance"]["cycles_per_request"] > 0
    wait_for(lambda: ground.metric("sluice_http_connections_active") == 0, 30, "no connection left")


@pytest.mark.parametrize("shape,body", [("http-lossy", 16384), ("http-reordered", 16384)])
def test_a_bad_link_costs_time_and_nothing_else(ground, shape, body):
    again = ground.metric("sluice_tcp_retransmits_total")
    for _ in range(4):  # a run that got little time has lost little
        counted, result = measured(ground, shape, *QUICK)
        check(result, "requests")
        assert result["whole_run"]["operations"] == result["whole_run"]["answered"] == counted.requests
        if shape != "http-lossy" or ground.metric("sluice_tcp_retransmits_total") > again:
            return
    pytest.fail("nothing was sent again")


def test_one_request_a_connection(ground):
    counted, result = measured(ground, "http-close", *QUICK)
    check(result, "requests")
    run = result["whole_run"]
    assert run["operations"] == run["opened"] == run["answered"] == counted.requests == counted.connections


@pytest.mark.parametrize("target", [VIP4, f"[{VIP6}]:80"])
def test_connections_are_opened_and_closed_from_many_addresses(ground, target):
    counted, result = measured(ground, "tcp-connect", *QUICK, target=target)
    check(result, "connections")
    assert result["whole_run"]["operations"] == counted.connections
    wait_for(lambda: ground.metric("sluice_http_connections_active") == 0, 30, "no connection left")


def test_full_and_resumed_handshakes_are_what_they_say(ground):
    counted, result = measured(ground, "tls-full-ecdsa", *QUICK)
    check(result, "handshakes")
    assert result["whole_run"]["operations"] == counted.full and counted.resumed == 0
    counted, result = measured(ground, "tls-resumed", *QUICK)
    check(result, "handshakes")
    assert counted.full == 1 and counted.resumed == result["whole_run"]["operations"] - 1
    assert counted.failed == 0


def test_an_open_loop_offers_its_rate_and_counts_latency_from_the_schedule(ground):
    _, result = measured(ground, "http-1k", "--rate", "500", *QUICK)
    check(result, "requests")
    assert result["offered_rate"] == 500
    assert result["count"] + result["not_started"] == pytest.approx(500 * result["seconds"], abs=64 + 5)
    # One connection cannot take 64 requests a second when each reads for 500 ms: all but the first wait for it.
    _, stalled = measured(ground, "http-slow-clients", "--rate", "64", "--connections", 1, *QUICK)
    # What was due first and has not completed is as old as the window, and that counts, too.
    assert stalled["not_started"] > 0 and stalled["latency_us"]["max"] > 970_000 * stalled["seconds"]


def test_find_rate_ends_with_a_rate_that_held(ground):
    """Without a core for some time any rate is late, so one of several searches must succeed."""
    said = []
    for _ in range(4):
        try:
            result = ground.run("http-1k", "--find-rate", "--late-ms", "1000", "--seconds", "0.3", "--warmup", "0.2",
                                "--connections", 8)
            assert 0 < result["highest_rate"] == result["offered_rate"]
            return
        except Failed as none:
            assert "no rate" in str(none)
            said.append(str(none))
    pytest.fail(f"no rate held in four searches: {said}")


@pytest.mark.parametrize("shape", ["idle-tcp", "idle-tls"])
def test_idle_connections_are_held_and_live(ground, shape):
    counted = Counted(ground)
    result = ground.run(shape, "--connections", 2000, *QUICK)
    assert result["connections"] == result["count"] == counted.connections == 2000
    assert result["whole_run"]["operations"] == counted.requests == 2000
    wait_for(lambda: ground.metric("sluice_http_connections_active") == 0, 30, "no connection left")


def test_two_workers_share_ports_whose_peer_has_one_queue():
    with Ground(core="0, 1", share_core=True, huge_pages=False) as ground:
        counted, result = measured(ground, "http-1k", *QUICK)
        assert result["whole_run"]["operations"] == counted.requests
        assert all(ground.metric("sluice_http_requests_total", worker=w) > 0 for w in "01")
        assert ground.stop() == 0, ground.log_text()


def test_a_generator_that_dies_under_load_takes_nobody_with_it():
    with Ground(share_core=True, huge_pages=False) as ground:
        for _ in range(2):
            with subprocess.Popen(ground.command("http-1k", "--seconds", "60"), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as dying:
                before = ground.metric("sluice_http_requests_total")
                wait_for(lambda b=before: ground.metric("sluice_http_requests_total") > b + 1000, 60, "load")
                dying.kill()
        assert measured(ground, "http-1k", *QUICK)[1]["count"] > 0
        assert ground.stop() in (0, 3), ground.log_text()  # 3: its requests cannot end


def test_vhost_user():
    try:
        ground = Ground("vhost", share_core=True, memory_mb=256)
    except NoHugePages as none:
        pytest.skip(str(none))
    with ground:
        for shape in ("http-1k", "https-1m"):
            counted, result = measured(ground, shape, *QUICK, "--connections", 16)
            check(result, "requests")
            assert result["whole_run"]["operations"] == counted.requests
        assert ground.stop() == 0, ground.log_text()


def test_virtio_user():
    """Ports with checksum offload and TSO. The second run finds the sockets of the first."""
    try:
        ground = Ground("virtio", share_core=True, memory_mb=256)
    except NoHugePages as none:
        pytest.skip(str(none))
    with ground:
        for shape in ("http-1k", "https-1m"):
            check(ground.run(shape, *QUICK, "--connections", 16), "requests")
            assert "checksums in hardware" in ground.log_text()
            assert ground.metric("sluice_http_requests_total") > 0
        assert ground.stop() == 0, ground.log_text()


# ---- What is wrong is told in one line, with a status that is not 0

def refusal(ground, *arguments, shape="http-1k", drop=(), status=None, target=VIP4):
    """What sluice-pktgen says before it gives up. `drop`: options of the usual ones to leave out, with their value."""
    command = ground.command(shape, *QUICK, "--json", "-", *arguments, target=target)
    for option in drop:
        at = command.index(option)
        del command[at:at + (1 if option == "--share-core" else 2)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == (done.returncode or "no status") if status is None else status == done.returncode, done.stderr
    assert "{" not in done.stdout, "a result was printed"
    last = done.stderr.strip().splitlines()[-1]
    return last


@pytest.mark.parametrize("text,told", [
    ("", "kind: is missing"), ('kind = "http"; colour = 1;', "colour: unknown name"), ('kind = "gopher";', "kind: expected one of"),
    ('kind = "http"; rate = 0;', "rate: expected a whole number from 1"), ("kind = ", "syntax error")])
def test_a_bad_shape(ground, tmp_path, text, told):
    (tmp_path / "bad.conf").write_text(text)
    assert told in refusal(ground, shape=tmp_path / "bad.conf", status=2)


@pytest.mark.parametrize("arguments,drop,told", [
    (["--rate", "0"], [], "--rate"), (["--connections", "0"], [], "--connections"), (["--speed", "9"], [], "--speed"),
    (["--client-net", "10.0.0.0/99"], [], "--client-net"), ([], ["--clients"], "--clients is missing"),
    ([], ["--backends"], "--backends is missing"), ([], ["--target"], "--target is missing"), ([], ["--shape"], "--shape is missing"),
    (["--find-rate", "--rate", "5"], [], "exclude each other")])
def test_bad_arguments(ground, arguments, drop, told):
    command = ground.command("http-1k", *arguments)
    for option in drop:
        at = command.index(option)
        del command[at:at + 2]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=30)
    assert done.returncode == 2 and told in done.stderr


def test_an_unknown_shape(ground):
    assert "shape http-2k: neither a file nor one of those" in refusal(ground, shape="http-2k", status=2)


def test_a_device_that_cannot_be_opened(ground):
    command = ground.command("http-1k")
    command[command.index("--clients") + 1] = "net_memif0,role=client,socket=/nonexistent/x.sock,socket-abstract=no"
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "port clients" in done.stderr.splitlines()[-1] and not done.stdout


def test_a_core_that_does_not_exist(ground):
    assert "core 777 does not exist" in refusal(ground, "--core", "777", drop=["--core"], status=1)


def test_a_core_that_the_appliance_uses(ground):
    told = refusal(ground, "--core", ground.core, drop=["--core", "--share-core"], status=1)
    assert f"core {ground.core}: a worker of process" in told


def test_a_target_that_nobody_has(ground):
    assert "unreachable while connecting (10.77.0.99:80)" in refusal(ground, target="10.77.0.99", status=1)


def test_a_port_that_nobody_listens_on(ground):
    assert "refused" in refusal(ground, target=f"{VIP4}:81", status=1)


def test_an_api_that_does_not_answer(ground):
    assert "appliance https://127.0.0.1:1/metrics" in refusal(ground, "--appliance", "https://127.0.0.1:1", drop=["--appliance"],
                                                              status=1)


def test_a_certificate_of_another_key(ground):
    assert "the shape expects rsa" in refusal(ground, shape="tls-full-rsa", status=1)


def test_a_wrong_byte_a_wrong_status_and_a_wrong_length_fail_the_run(ground, tmp_path):
    """The shape's path is not what the backends expect to see, once the appliance rewrites or answers it."""
    fixed = {"type": "fixed_response", "status": 200, "body": "x" * 1024, "content_type": "text/plain"}
    ground.configure(default_action=fixed)
    try:
        assert "byte 0 of 1024" in refusal(ground, status=1)
        ground.configure(default_action={**fixed, "body": "x" * 1000})
        assert 'Content-Length "1000", the body has 1024 bytes' in refusal(ground, status=1)
        ground.configure(default_action={**fixed, "status": 503})
        assert '"HTTP/1.1 503' in refusal(ground, status=1)
    finally:
        ground.configure()
    with pytest.raises(Failed, match="wrong_status"):
        ground.configure(default_action={**fixed, "status": 500})
        ground.run("http-1k", *QUICK)
    ground.configure()
    assert json.dumps(measured(ground, "http-1k", *QUICK)[1])
