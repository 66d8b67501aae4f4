# SPDX-License-Identifier: Apache-2.0
"""Big bodies over a lossy link arrive whole: 100 MB each way at 1 % and 5 % of packets lost in each direction."""
import hashlib

import pytest

from tests.e2e.conftest import config_with_faulty, start_faulty
from tests.support.lab import VIP4, Lab

SIZE = 100_000_000
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def loss_lab():
    with Lab("sll") as lab:
        lab.start_nginx("b1")
        lab.static_file("big", SIZE, ("b1",))
        start_faulty(lab)
        lab.start()
        lab.api.apply(config_with_faulty())
        yield lab
        assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.fixture(params=[0.01, 0.05], ids=["1%", "5%"])
def lossy(loss_lab, request):
    rules = [(chain, "-m", "statistic", "--mode", "random", "--probability", str(request.param), "-j", "DROP")
             for chain in ("INPUT", "OUTPUT")]
    for rule in rules:
        loss_lab.client.run("iptables", "-A", *rule)
    yield loss_lab
    for rule in rules:
        loss_lab.client.run("iptables", "-D", *rule)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_100_mb_download_arrives_whole(lossy, scheme):
    got = lossy.folder / "got"
    lossy.curl("-k", "-H", "Host: one.test", "-o", got, f"{scheme}://{VIP4}/static/big", timeout=580)
    assert digest(got) == digest(lossy.folder / "b1/www/static/big")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_100_mb_upload_arrives_whole(lossy, scheme):
    source = lossy.folder / "b1/www/static/big"
    out = lossy.curl("-k", "-H", "Host: faulty.test", "-H", "Expect:", "--data-binary", f"@{source}",
                     f"{scheme}://{VIP4}/sha", timeout=580)
    assert out.split()[:2] == [digest(source), str(SIZE)]
