# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 early data (0-RTT) as OpenSSL's client sends it: what backends see of it, and that a replay reaches none."""
import contextlib
import select
import socket
import subprocess
import threading
import time

import pytest

from tests.support.lab import VIP4, Lab, basic_config, wait_for

pytestmark = pytest.mark.sanitizer

RELAY = ("10.77.0.2", 4433)
BACKEND = """
location /early/ { access_log %s/early.log; return 200 "early=$http_early_data method=$request_method\\n"; }
location /refuses/ { access_log %s/early.log; if ($http_early_data) { return 425; } return 200 "late\\n"; }
"""


@pytest.fixture(scope="module")
def lab():
    """Two workers, and host one.test on an nginx that tells of Early-Data and counts its requests."""
    with Lab("slz", workers=2) as made:
        made.start_nginx("b1", BACKEND % (made.folder / "b1", made.folder / "b1"))
        made.start()
        made.config = basic_config()
        https(made.config)["early_data"] = True
        made.api.apply(made.config)
        # What came before the start is refused as long as it could be a replay.
        wait_for(lambda: "Early data was accepted" in Client(made).warm_up().ask("/early/warm-up", again=True), 60, "the first early data")
        yield made
        assert made.stop() == 0, made.log_text()[-4000:]


@pytest.fixture
def client(lab):
    return Client(lab)


def https(config):
    return next(x for x in config["listeners"] if x["id"] == "https")


def hits(lab, path):
    """How often the backend has seen it."""
    log = lab.folder / "b1/early.log"
    return log.read_text().count(f" {path} ") if log.exists() else 0


def is_seen_once(lab, path):
    """nginx writes of a request when it has sent the answer."""
    wait_for(lambda: hits(lab, path), 60, f"{path} at the backend")
    return hits(lab, path) == 1


class Client:
    """openssl s_client, which keeps its session in a file."""

    def __init__(self, lab):
        self.lab = lab
        self.session = lab.folder / "session.pem"
        self.request = lab.folder / "request"

    def warm_up(self):
        self.session.unlink(missing_ok=True)
        self.run("-sess_out", self.session, send="GET /early/first HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
        return self

    def ask_afresh(self, path, method="GET", body=""):
        """As ask(), with a session of this moment. A client or server that stalled on the way may have made its ticket look too old or
        too young (RFC 8446, 8.3): then once more. Whatever takes less than half of those ten seconds must be accepted."""
        for _ in range(4):
            begin = time.monotonic()
            said = self.warm_up().ask(path, method, body)
            if "Early data was accepted" in said or time.monotonic() - begin < 5:
                break
        return said

    def ask(self, path, method="GET", body="", to=(VIP4, 443), again=False):
        """All that s_client says, the answer among it, to a request that is sent as early data; `again`: and once more
        behind the handshake, where it is of no use unless early data was refused: the first one closes."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        text = f"{method} {path} HTTP/1.1\r\nHost: one.test\r\n{length}Connection: close\r\n\r\n{body}"
        self.request.write_text(text, newline="")
        return self.run("-sess_in", self.session, "-early_data", self.request, send=text if again else "", to=to)

    def run(self, *args, send="", to=(VIP4, 443)):
        """Until the server closes. Standard input stays open, or it would be the client that closes."""
        command = self.lab.client.command("openssl", "s_client", "-connect", f"{to[0]}:{to[1]}", "-servername", "one.test",
                                          "-tls1_3", "-ign_eof", *args)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            process.stdin.write(send.encode())
            process.stdin.flush()
            process.wait(60)
            return process.stdout.read().decode(errors="replace")
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


class Relay:
    """Passes one connection on to the VIP, and keeps what the client says before the server's first word."""

    def __init__(self, lab):
        self.lab, self.flight = lab, b""
        self.release = threading.Event()  # until then the client hears nothing
        self.release.set()
        with lab.client.entered():
            self.listening = socket.create_server(RELAY)
        self.thread = threading.Thread(target=self._pass)

    def _pass(self):
        near, _ = self.listening.accept()
        with self.lab.client.entered():
            far = socket.create_connection((VIP4, 443), timeout=60)
        with near, far:
            answered = False
            while ready := select.select([near, far], [], [], 60)[0]:
                for side in ready:
                    with contextlib.suppress(ConnectionError):
                        if not (data := side.recv(65536)):
                            return
                        if side is near and not answered:
                            self.flight += data
                        if side is far and not answered:
                            answered = True
                            self.release.wait(120)
                        (far if side is near else near).sendall(data)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(120)
        self.listening.close()


def replay(lab, flight):
    """The same bytes from somebody else; what the server says to them."""
    with lab.client.entered(), socket.create_connection((VIP4, 443), timeout=60) as sock:
        sock.sendall(flight)
        got = sock.recv(65536)
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while part := sock.recv(65536):
                got += part
        return got


def test_a_get_goes_to_the_backend_marked(lab, client):
    before = lab.api.metric("sluice_tls_early_data_accepted_total"), lab.api.metric("sluice_http_early_requests_total")
    said = client.ask_afresh("/early/get")
    assert "Early data was accepted" in said
    assert "early=1 method=GET" in said
    assert lab.api.metric("sluice_tls_early_data_accepted_total") == before[0] + 1
    assert lab.api.metric("sluice_http_early_requests_total") == before[1] + 1
    assert "early= method=GET" in lab.curl("-k", "--resolve", f"one.test:443:{VIP4}", "https://one.test/early/late")


def test_a_get_reaches_the_backend_and_a_post_does_not_before_the_client_has_finished_its_handshake(lab, client):
    for method, path, early in (("POST", "/early/waits", 0), ("GET", "/early/at-once", 1)):
        client.warm_up()
        accepted = lab.api.metric("sluice_tls_early_data_accepted_total")
        with Relay(lab) as relay:
            relay.release.clear()
            asking = threading.Thread(target=client.ask, args=(path, method), kwargs={"to": RELAY})
            asking.start()
            try:
                wait_for(lambda: lab.api.metric("sluice_tls_early_data_accepted_total") == accepted + 1, 60, "early data")
                # The client has not heard a word.
                if early:
                    wait_for(lambda: hits(lab, path) == 1, 60, "the request at the backend")
                else:
                    time.sleep(1)
                    assert hits(lab, path) == 0
            finally:
                relay.release.set()
                asking.join(120)
        assert is_seen_once(lab, path)


def test_a_post_waits_for_the_handshake_and_is_not_marked(lab, client):
    said = client.ask_afresh("/early/post", "POST", "body")
    assert "Early data was accepted" in said
    assert "early= method=POST" in said
    assert is_seen_once(lab, "/early/post")


def test_425_of_a_backend_reaches_the_client(lab, client):
    said = client.ask_afresh("/refuses/early")
    assert "HTTP/1.1 425" in said
    assert is_seen_once(lab, "/refuses/early")


def test_a_replay_reaches_no_backend(lab, client):
    def replayed():
        return lab.api.metric("sluice_tls_early_data_replayed_total")

    for path in (f"/early/replayed-{i}" for i in range(4)):
        begin, before = time.monotonic(), replayed()
        client.warm_up()
        with Relay(lab) as relay:
            said = client.ask(path, to=RELAY)
        if "Early data was accepted" not in said and time.monotonic() - begin > 5:
            continue
        assert "early=1" in said
        assert is_seen_once(lab, path)
        first, in_time = replay(lab, relay.flight), time.monotonic() - begin < 8
        # Ports differ, and so do workers.
        for got in (first, *(replay(lab, relay.flight) for _ in range(5))):
            assert got[:1] == b"\x16", "the handshake goes on, with a client who cannot"
        assert hits(lab, path) == 1
        assert replayed() <= before + 6
        if in_time:  # after some nine seconds it would be the ticket's age for which they are refused
            assert replayed() > before
            return
    pytest.fail("no replay came in time")


def test_a_replayed_post_reaches_no_backend_either(lab, client):
    client.warm_up()
    with Relay(lab) as relay:
        assert "method=POST" in client.ask("/early/replayed-post", "POST", "body", to=RELAY)
    for _ in range(3):
        replay(lab, relay.flight)
    assert is_seen_once(lab, "/early/replayed-post")


def test_without_early_data_the_ticket_allows_none_and_an_old_one_is_of_no_use(lab, client):
    client.warm_up()
    config = basic_config()
    try:
        lab.api.apply(config)
        said = client.ask("/early/off", again=True)
        assert "Early data was rejected" in said
        assert "early= method=GET" in said
        assert is_seen_once(lab, "/early/off")
        fresh = client.run(send="GET /early/again HTTP/1.1\r\nHost: one.test\r\nConnection: close\r\n\r\n")
        assert "Max Early Data: 0" in fresh
        assert "Max Early Data: 1" not in fresh
    finally:
        lab.api.apply(lab.config)


def test_it_is_refused_where_it_cannot_be(lab):
    config = basic_config()
    https(config).update(early_data=True, tls_max_version="1.2")
    status, _, answer = lab.api.request("PUT", "/api/v1/config", config)
    assert status == 422, answer
    assert [e["path"].rpartition("/")[2] for e in answer["errors"]] == ["early_data"]
