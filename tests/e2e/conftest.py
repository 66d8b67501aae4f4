# SPDX-License-Identifier: Apache-2.0
"""Labs for the end-to-end tests. A module shares one; what a test changes in the configuration it puts back."""
import copy
import socket
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.support.lab import BACKENDS, VIP4, Lab, basic_config, wait_for  # noqa: E402

FAULTY_PORT = 9000


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitizer: also run against the build with ASan and UBSan")


def pytest_runtest_makereport(item, call):
    """A failure shows the end of the appliance's log."""
    if call.when == "call" and call.excinfo is not None:
        for value in item.funcargs.values():
            if isinstance(value, Lab) and (value.folder / "sluiced.log").exists():
                item.add_report_section("call", "sluiced.log", value.log_text()[-4000:])


def start_faulty(lab, name="b3"):
    process = lab.namespaces[name].start("/usr/bin/python3", ROOT / "tests/support/faulty_backend.py", FAULTY_PORT)
    address = BACKENDS[name][0]

    def listening():
        with lab.namespaces[name].entered(), socket.socket() as probe:
            return probe.connect_ex((address, FAULTY_PORT)) == 0
    wait_for(listening, 30, "the faulty backend")
    return process


def config_with_faulty(**listener):
    """basic_config, and hosts faulty.test and hasty.test on the faulty backend, for which the second waits a second only."""
    config = basic_config(**listener)
    members = [{"address": BACKENDS["b3"][0], "port": FAULTY_PORT}]
    for name, timeouts in (("faulty", {}), ("hasty", {"request_timeout_ms": 1000})):
        config["server_groups"].append({"id": name, "members": members, "connect_timeout_ms": 20000, **timeouts})
        for entry in ("http", "https"):
            config["rules"].append({"id": f"{entry}-{name}", "listener": entry, "hosts": [f"{name}.test"],
                                    "paths": [{"type": "prefix", "value": "/"}],
                                    "action": {"type": "forward", "server_groups": [{"server_group": name}]}})
    return config


@pytest.fixture(scope="module")
def lab(request):
    """nginx on b1 and b2, nginx and the faulty backend on b3; one worker on AF_PACKET."""
    with Lab("slt") as made:
        for name in BACKENDS:
            made.start_nginx(name)
        start_faulty(made)
        made.start()
        made.config = config_with_faulty()
        made.api.apply(made.config)
        yield made
        status = made.stop()
        assert status == 0, made.log_text()[-4000:]


@pytest.fixture
def restored(lab):
    """The lab, whose configuration is put back after the test."""
    yield lab
    lab.api.apply(lab.config)


@pytest.fixture
def config(lab):
    return copy.deepcopy(lab.config)


class RawClient:
    """A kernel TCP connection from the client's namespace, for bytes that no HTTP library would send."""

    def __init__(self, lab, address=VIP4, port=80, timeout=30, rcvbuf=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with lab.client.entered():
            self.sock = socket.socket(family)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect((address, port))
        self.data = b""

    def send(self, data):
        self.sock.sendall(data)
        return self

    def until(self, mark):
        while mark not in self.data:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError(self.data)
            self.data += got
        out, self.data = self.data.split(mark, 1)
        return out + mark

    def exactly(self, n):
        while len(self.data) < n:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError(self.data)
            self.data += got
        out, self.data = self.data[:n], self.data[n:]
        return out

    def response(self, head_only=False):
        """(status, fields, body) of the next response with a Content-Length."""
        head = self.until(b"\r\n\r\n").decode("latin-1")
        lines = head.split("\r\n")
        fields = {k.lower(): v.strip() for k, v in (x.split(":", 1) for x in lines[1:] if ":" in x)}
        body = b"" if head_only else self.exactly(int(fields.get("content-length", 0)))
        return int(lines[0].split(" ")[1]), fields, body

    def rest(self):
        """What comes until the peer closes (or resets)."""
        try:
            while got := self.sock.recv(65536):
                self.data += got
        except ConnectionResetError:
            pass
        out, self.data = self.data, b""
        return out

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.fixture
def raw(lab):
    """Makes RawClients that are closed after the test."""
    made = []

    def connect(*args, **kwargs):
        made.append(RawClient(lab, *args, **kwargs))
        return made[-1]
    yield connect
    for one in made:
        one.close()
