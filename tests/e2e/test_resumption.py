# SPDX-License-Identifier: Apache-2.0
"""Session tickets: keys set over the API, two appliances that share them, and their rotation under load."""
import secrets
import threading

import pytest

from tests.support.lab import Lab, basic_config, wait_for
from tests.support.tls_client import VERSIONS, client_context, get

KEYS = "/api/v1/tls/ticket-keys"

pytestmark = pytest.mark.sanitizer


@pytest.fixture(scope="module")
def fleet():
    """Two appliances, the first with two workers, each with a network of its own."""
    with Lab("slp", workers=2) as first, Lab("slq", api_port=8444) as second:
        for lab in (first, second):
            lab.start_nginx("b1")
            lab.start()
            lab.api.apply(basic_config())
        yield first, second
        for lab in (first, second):
            assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.fixture
def own_keys(fleet):
    yield
    for lab in fleet:
        lab.api.ok("DELETE", KEYS)


def set_keys(lab, *keys):
    return lab.api.ok("PUT", KEYS, {"keys": [{"secret": k} for k in keys]})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_at_each_worker_with_keys_of_our_own(fleet, version):
    context = client_context(version)
    resumed, session, _ = get(fleet[0], context)
    assert not resumed
    for _ in range(8):  # ports differ, and so do workers; each session is for one use (RFC 8446, C.4)
        resumed, session, _ = get(fleet[0], context, session)
        assert resumed
    assert not get(fleet[1], context, session)[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_resumes_at_another_appliance_that_has_the_key(fleet, own_keys, version):
    old, new = secrets.token_hex(32), secrets.token_hex(48)
    names = [set_keys(lab, old)["keys"][0]["name"] for lab in fleet]
    assert names[0] == names[1]
    context = client_context(version)
    _, session, _ = get(fleet[0], context)
    resumed, session, _ = get(fleet[1], context, session)
    assert resumed

    set_keys(fleet[1], new, old)
    resumed, renewed, _ = get(fleet[1], context, session)
    assert resumed
    _, of_old_key, _ = get(fleet[0], context)
    set_keys(fleet[0], new)
    before = fleet[0].api.metric("sluice_tls_tickets_unknown_total")
    assert not get(fleet[0], context, of_old_key)[0]  # of a retired key: a full handshake
    assert fleet[0].api.metric("sluice_tls_tickets_unknown_total") == before + 1
    assert get(fleet[0], context, renewed)[0]


def test_keys_that_were_set_outlive_a_restart(fleet, own_keys):
    key = secrets.token_hex(32)
    set_keys(fleet[1], key)
    context = client_context()
    _, session, _ = get(fleet[1], context)
    assert fleet[1].stop() == 0
    fleet[1].start()
    assert fleet[1].api.ok("GET", KEYS)["source"] == "configured"
    assert get(fleet[1], context, session)[0]
    assert key not in fleet[1].log_text()


def test_no_handshake_fails_while_keys_are_rotated_under_load(fleet, own_keys):
    lab, stop, outcomes, failures = fleet[0], threading.Event(), [], []

    def client(version):
        context, session = client_context(version), None
        while not stop.is_set():
            try:
                resumed, session, _ = get(lab, context, session)
                outcomes.append(resumed)
            except Exception as e:  # pylint: disable=broad-except
                failures.append(repr(e))
                return
    clients = [threading.Thread(target=client, args=(v,)) for v in ("1.2", "1.3", "1.3")]
    for c in clients:
        c.start()
    ring = []
    try:
        for _ in range(50):
            ring = [secrets.token_hex(32), *ring[:2]]
            set_keys(lab, *ring)
            enough = len(outcomes) + 2 * len(clients)  # a ticket is used before its key has left the ring
            wait_for(lambda n=enough: len(outcomes) >= n or failures, 60, "more handshakes")
    finally:
        stop.set()
        for c in clients:
            c.join()
    assert not failures
    assert sum(outcomes) > len(outcomes) / 2, f"{sum(outcomes)} of {len(outcomes)}"
