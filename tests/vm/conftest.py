# SPDX-License-Identifier: Apache-2.0
"""A machine for each module: a boot is the dear part, then a start of the appliance."""
import hashlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.lab import run  # noqa: E402
from tests.vm.vm_lab import BACKEND4, BACKEND6, HOST, VIP4, VIP6, VmLab  # noqa: E402


KEY = pytest.StashKey()


def pytest_runtest_makereport(item, call):
    """A failure shows what the guest said, the boot included."""
    lab = item.session.stash.get(KEY, None)
    if call.excinfo is not None and lab is not None:
        item.add_report_section(call.when, "console", lab.log_text()[-6000:])


def configuration(certificate, key):
    """One host on two VIPs; the backend by its IPv4 address for /, and by its IPv6 address for /v6."""
    def group(name, address):
        return {"id": name, "members": [{"address": address, "port": 80}], "connect_timeout_ms": 20000}

    def rule(listener, name, path):
        return {"id": f"{listener}-{name}", "listener": listener, "hosts": [], "paths": [{"type": "prefix", "value": path}],
                "action": {"type": "forward", "server_groups": [{"server_group": name}]}}
    return {
        "load_balancers": [{"id": "eni", "addresses": [VIP4, VIP6]}],
        "certificates": [{"id": "shop", "certificate": certificate, "private_key": key}],
        "server_groups": [group("v4", BACKEND4), group("v6", BACKEND6)],
        "listeners": [{"id": "http", "load_balancer": "eni", "port": 80},
                      {"id": "https", "load_balancer": "eni", "port": 443, "protocol": "https", "certificates": ["shop"]}],
        "rules": [rule(listener, *where) for listener in ("http", "https") for where in (("v4", "/"), ("v6", "/v6"))],
    }


@pytest.fixture(scope="module")
def machine(request):
    """With an IOMMU or without, as the module says."""
    with VmLab(iommu=request.module.IOMMU) as made:
        request.session.stash[KEY] = made
        made.start_nginx("b1")
        made.static_file("8m", 8_000_000, ("b1",))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
            "-keyout", made.folder / "key.pem", "-out", made.folder / "cert.pem")
        made.start()
        made.api.apply(configuration((made.folder / "cert.pem").read_text(), (made.folder / "key.pem").read_text()))
        yield made


@pytest.fixture
def vm(machine):
    """The machine; its appliance serves with the sample configuration as it stands."""
    if not machine.running:
        machine.serve()
    return machine


@pytest.fixture
def stopped(machine):
    """The machine without its appliance. What a test changes around that is put back."""
    def stop():
        if machine.running:
            status, log = machine.end()
            assert status == 0, log
    stop()
    yield machine
    stop()
    for name in ("cl", "b1"):
        machine.namespaces[name].ip("link", "set", "eth0", "mtu", 1500)
    machine.bind("0000:00:06.0")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_bodies_both_ways(lab, vip):
    """Eight megabytes down and up, byte for byte."""
    served, got = lab.folder / "b1/www/static/8m", lab.folder / "got"
    lab.get("/static/8m", "-o", got, vip=vip)
    assert digest(got) == digest(served)
    assert lab.get("/upload/8m", "-T", served, "-w", "%{http_code}", vip=vip) in ("201", "204")
    assert digest(lab.folder / "b1/www/upload/8m") == digest(served)
