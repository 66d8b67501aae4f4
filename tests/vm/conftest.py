# SPDX-License-Identifier: Apache-2.0
"""One machine for all tests: a boot is the dear part. A test that stops the appliance starts it again."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.lab import run  # noqa: E402
from tests.vm.vm_lab import BACKEND4, BACKEND6, VIP4, VIP6, VmLab  # noqa: E402


def pytest_runtest_makereport(item, call):
    """A failure shows what the guest said, the boot included."""
    lab = item.funcargs.get("vm") if call.when == "call" else item.session.stash.get(KEY, None)
    if call.excinfo is not None and lab is not None:
        item.add_report_section(call.when, "console", lab.log_text()[-6000:])


KEY = pytest.StashKey()


def configuration(certificate, key):
    """One host on two VIPs; the backend by its IPv4 address for /, and by its IPv6 address for /v6."""
    def group(name, address):
        return {"id": name, "members": [{"address": address, "port": 80}]}

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


@pytest.fixture(scope="session")
def vm(request):
    with VmLab() as made:
        request.session.stash[KEY] = made
        made.start_nginx("b1")
        made.static_file("8m", 8_000_000, ("b1",))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test",
            "-keyout", made.folder / "key.pem", "-out", made.folder / "cert.pem")
        made.start()
        made.api.apply(configuration((made.folder / "cert.pem").read_text(), (made.folder / "key.pem").read_text()))
        yield made
