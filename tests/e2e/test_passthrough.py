# SPDX-License-Identifier: Apache-2.0
"""TLS that is passed on by its server name, and never decrypted."""
import hashlib
import socket
import subprocess

import pytest

from tests.support.handshake_storm import client_hello
from tests.support.lab import BACKENDS, VIP4, wait_for
from tests.support.pki import Certificate

pytestmark = pytest.mark.sanitizer

PORT, BACKEND_PORT = 8443, 9443


@pytest.fixture(scope="module")
def passing(lab):
    """Port 8443 passes on: a.test to b1, *.b.test to b2, dead.test to nobody; each backend has a certificate of its own."""
    servers = []
    try:
        for backend, host in (("b1", "a.test"), ("b2", "x.b.test")):
            folder = lab.folder / f"tls-{backend}"
            folder.mkdir()
            shown = Certificate(folder, host.removesuffix(".test"))
            (folder / "file").write_bytes(backend.encode() * 500_000)
            servers.append(lab.namespaces[backend].start("openssl", "s_server", "-accept", BACKEND_PORT, "-cert", shown.path,
                                                         "-key", shown.key, "-WWW", "-quiet", cwd=folder))
            with lab.namespaces[backend].entered():
                wait_for(lambda b=backend: socket.socket().connect_ex((BACKENDS[b][0], BACKEND_PORT)) == 0, 30, "s_server")

        def group(name, address, port):
            return {"id": name, "members": [{"address": address, "port": port}]}

        def rule(name, host):
            return {"id": f"pass-{name}", "listener": "pass", "hosts": [host],
                    "action": {"type": "forward", "server_groups": [{"server_group": f"pass-{name}"}]}}
        config = dict(lab.config)
        config["listeners"] = [*config["listeners"], {"id": "pass", "load_balancer": config["listeners"][0]["load_balancer"],
                                                      "port": PORT, "protocol": "tls_passthrough", "header_timeout_ms": 10000}]
        config["server_groups"] = [*config["server_groups"], group("pass-a", BACKENDS["b1"][0], BACKEND_PORT),
                                   group("pass-b", BACKENDS["b2"][0], BACKEND_PORT), group("pass-dead", BACKENDS["b1"][0], 9)]
        config["rules"] = [*config["rules"], rule("a", "a.test"), rule("b", "*.b.test"), rule("dead", "dead.test")]
        lab.api.apply(config)
        yield lab
    finally:
        for server in servers:
            server.kill()
            server.wait()
        lab.api.apply(lab.config)


def certificate_of(lab, backend):
    (path,) = (lab.folder / f"tls-{backend}").glob("*.pem")
    return path


def fetch(lab, host, backend, *args):
    return lab.curl("--http1.0", "--cacert", certificate_of(lab, backend), "--resolve", f"{host}:{PORT}:{VIP4}", *args,
                    f"https://{host}:{PORT}/file", check=False)


@pytest.mark.parametrize("version", ["--tlsv1.3", "--tls-max=1.2"])
@pytest.mark.parametrize("host,backend", [("a.test", "b1"), ("x.b.test", "b2")])
def test_the_backend_with_that_name_is_reached_and_its_own_certificate_seen(passing, host, backend, version):
    got = passing.folder / "got"
    done = fetch(passing, host, backend, "-o", got, *version.split("="))
    assert done.returncode == 0, done.stderr
    want = hashlib.sha256(backend.encode() * 500_000).hexdigest()
    assert hashlib.sha256(got.read_bytes()).hexdigest() == want


def alert_of(lab, hello):
    """The alert's description with which these bytes are answered, before an orderly end."""
    with lab.client.entered(), socket.create_connection((VIP4, PORT), timeout=30) as s:
        s.sendall(hello)
        got = b""
        while block := s.recv(4096):
            got += block
    assert got[:1] == b"\x15" and len(got) == 7, got
    return got[6]


@pytest.mark.parametrize("what,hello,alert", [
    ("a name without a rule", client_hello("stranger.test"), 112),
    ("no backend", client_hello("dead.test"), 80),
    ("no TLS", b"SSH-2.0-OpenSSH_9.2\r\n", 10),
    ("another message", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", 10),
    ("garbage in the hello", b"\x16\x03\x01\x00\x06\x01\x00\x00\x02xx", 50),
    ("a hello of a megabyte", b"\x16\x03\x01\x00\x04\x01\x10\x00\x00", 22),
])
def test_what_is_not_passed_on_is_told_by_an_alert_and_counted(passing, what, hello, alert):
    before = passing.api.metric("sluice_passthrough_refused_total")
    assert alert_of(passing, hello) == alert, what
    assert passing.api.metric("sluice_passthrough_refused_total") == before + 1


def test_a_plain_request_is_told_that_this_is_a_tls_port(passing):
    out = passing.curl("-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}:{PORT}/")
    assert out == "400"


def test_a_hello_that_dribbles_is_passed_on_and_one_that_never_ends_is_closed(passing):
    hello = client_hello("a.test")
    with passing.client.entered(), socket.create_connection((VIP4, PORT), timeout=30) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), 100):  # far less than header_timeout_ms, also with a stall of seconds in it
            s.sendall(hello[at:at + 100])
        assert s.recv(3, socket.MSG_WAITALL) == b"\x16\x03\x03"  # the backend's ServerHello
    with passing.client.entered(), socket.create_connection((VIP4, PORT), timeout=60) as s:
        s.sendall(hello[:-1])
        assert s.recv(100) == b""  # after header_timeout_ms


def test_the_log_names_server_backend_and_reason(passing):
    def lines(text):
        return [line for line in passing.access_log() if line.get("passthrough") and text in str(line)]
    fetch(passing, "a.test", "b1", "-o", "/dev/null")
    alert_of(passing, client_hello("stranger.test"))
    wait_for(lambda: lines("stranger.test"), 30, "the refusal in the log")
    good = wait_for(lambda: [line for line in lines("a.test") if line["response_bytes"] > 1_000_000], 30, "the connection")[-1]
    assert good["server_name"] == "a.test" and good["server_group"] == "pass-a"
    assert "status" not in good and "path" not in good
    assert lines("stranger.test")[-1]["error"] == "no_route"


def test_a_client_certificate_reaches_the_backend(passing):
    """What a proxy that decrypts cannot do."""
    certificate = certificate_of(passing, "b1")
    done = subprocess.run(passing.client.command(
        "openssl", "s_client", "-connect", f"{VIP4}:{PORT}", "-servername", "a.test", "-CAfile", certificate,
        "-verify_return_error", "-cert", certificate, "-key", certificate.with_suffix(".key")), input="Q\n", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout
