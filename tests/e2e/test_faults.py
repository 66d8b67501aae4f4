# SPDX-License-Identifier: Apache-2.0
"""Backends that fail in each way a backend can, and come back."""
import socket
import struct
import threading
import time

import pytest

from tests.support.lab import BACKENDS, VIP4, wait_for

pytestmark = pytest.mark.sanitizer


def ask(lab, path, *args, host="faulty.test"):
    return lab.curl("-o", "/dev/null", "-w", "%{http_code}", "-H", f"Host: {host}", *args, f"http://{VIP4}{path}", check=False)


@pytest.mark.parametrize("path,status", [("/hang", "504"), ("/reset", "502"), ("/garbage", "502"), ("/smuggle", "502"),
                                         ("/big-head", "502")])
def test_a_backend_that_fails_before_its_answer_is_told_by_status(lab, path, status):
    assert ask(lab, path, host="hasty.test" if status == "504" else "faulty.test").stdout == status


@pytest.mark.parametrize("path", ["/reset-body", "/close-body"])
def test_a_backend_that_fails_within_its_answer_is_never_taken_for_a_whole_one(lab, path):
    done = ask(lab, path)
    # Where its end comes with its beginning, nothing was passed on yet, and the answer is an error of ours.
    assert done.returncode in (18, 56) or done.stdout == "502", f"curl status {done.returncode}, {done.stdout}"


def test_a_refused_connection_goes_to_the_next_member(restored, config):
    group = next(g for g in config["server_groups"] if g["id"] == "all")
    group["members"].append({"address": BACKENDS["b1"][0], "port": 81})  # nobody listens
    restored.api.apply(config)
    out = restored.curl("-w", " %{http_code}\n", *[f"http://{VIP4}/{i}" for i in range(16)])
    assert out.count(" 200\n") == 16


def test_only_dead_members_are_answered_502_when_refused(restored, config):
    next(g for g in config["server_groups"] if g["id"] == "all")["members"] = [
        {"address": BACKENDS["b1"][0], "port": 81}]
    restored.api.apply(config)
    assert restored.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/") == "502"


def test_a_silent_member_is_given_up_after_the_connect_timeout_and_the_next_is_tried(restored, config):
    restored.curl(*[f"http://{VIP4}/{i}" for i in range(3)])  # its neighbours are known: a second is for the connection alone
    group = next(g for g in config["server_groups"] if g["id"] == "all")
    group["members"] = [{"address": "10.78.0.99", "port": 80}, {"address": BACKENDS["b2"][0], "port": 80}]
    group["connect_timeout_ms"] = 1000
    restored.api.apply(config)
    out = restored.curl("-w", " %{http_code}\n", *[f"http://{VIP4}/{i}" for i in range(4)])
    assert out.count("backend=b2") == 4


def test_an_early_final_answer_reaches_a_client_that_still_uploads(lab):
    source = lab.folder / "early"
    source.write_bytes(b"x" * 2_000_000)
    assert ask(lab, "/early", "-H", "Expect:", "--data-binary", f"@{source}").stdout == "413"
    assert ask(lab, "/no-continue", "-H", "Expect: 100-continue", "--data-binary", f"@{source}").stdout == "417"


def test_a_killed_backend_costs_no_request_and_is_used_again_when_it_returns(restored, config):
    group = next(g for g in config["server_groups"] if g["id"] == "all")
    # A dead one refuses at once; one that gets no time from a busy machine must not be taken for dead.
    group["health_check"] = {"type": "http", "interval_ms": 200, "timeout_ms": 10000, "healthy_threshold": 2,
                             "unhealthy_threshold": 2}
    restored.api.apply(config)
    statuses, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            statuses.append(restored.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/", check=False).stdout)

    def some_more():
        enough = len(statuses) + 12
        wait_for(lambda: len(statuses) >= enough, 60, "more requests")

    thread = threading.Thread(target=load)
    thread.start()
    try:
        some_more()
        restored.kill_nginx("b2")
        wait_for(lambda: state(restored, BACKENDS["b2"][0]) == "down", 60, "b2 seen down")
        some_more()
        restored.start_nginx("b2")
        wait_for(lambda: state(restored, BACKENDS["b2"][0]) == "up", 60, "b2 seen up")
        some_more()
    finally:
        stop.set()
        thread.join()
    assert set(statuses) == {"200"}
    assert "backend=b2" in restored.curl(*[f"http://{VIP4}/{i}" for i in range(6)])


def state(lab, address):
    health = lab.api.ok("GET", "/api/v1/health")
    for group in health["server_groups"]:
        for member in group["members"]:
            if group["id"] == "all" and member["address"] == address:
                return member["state"]
    return None


def test_tcp_health_checks_see_a_closed_port(restored, config):
    group = next(g for g in config["server_groups"] if g["id"] == "all")
    group["health_check"] = {"type": "tcp", "interval_ms": 200, "timeout_ms": 10000, "unhealthy_threshold": 1,
                             "healthy_threshold": 1}
    group["members"].append({"address": BACKENDS["b3"][0], "port": 81, "id": "closed"})
    restored.api.apply(config)

    def seen():
        members = next(g for g in restored.api.ok("GET", "/api/v1/health")["server_groups"] if g["id"] == "all")["members"]
        return {m["id"]: m["state"] for m in members}
    wait_for(lambda: seen()["closed"] == "down" and list(seen().values()).count("up") == 3, 60, "the states")


def test_a_slow_client_does_not_grow_memory_on_a_one_gigabyte_download(lab, raw):
    free = lab.api.metric("sluice_buffers_free")
    client = raw(rcvbuf=4096).send(b"GET /zeros/1000000000 HTTP/1.1\r\nHost: faulty.test\r\n\r\n")
    client.until(b"\r\n\r\n")
    low = free
    for _ in range(30):
        client.exactly(20_000)
        time.sleep(0.05)
        low = min(low, lab.api.metric("sluice_buffers_free"))
    assert free - low < 2_000, f"{free - low:.0f} buffers of 2 KB are held for one slow client"


def test_a_slow_backend_does_not_grow_memory_on_a_one_gigabyte_upload(lab, raw):
    free = lab.api.metric("sluice_buffers_free")
    client = raw().send(b"POST /stall HTTP/1.1\r\nHost: faulty.test\r\nContent-Length: 1000000000\r\n\r\n")
    client.sock.settimeout(1)
    sent = 0
    with pytest.raises(OSError):  # the window closes, and the kernel's own buffer is full: send() times out
        while sent < 1_000_000_000:
            sent += client.sock.send(bytes(65536))
    assert sent < 100_000_000
    assert free - lab.api.metric("sluice_buffers_free") < 3_000
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # what is queued will not be taken
