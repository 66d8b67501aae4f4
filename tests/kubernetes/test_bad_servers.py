# SPDX-License-Identifier: Apache-2.0
"""sluice-ingress between an API server and an appliance that both misbehave on demand. Both are small stand-ins here,
because the real ones do not lie."""
import contextlib
import json
import time
from pathlib import Path
from urllib.request import urlopen

import cluster as kube
import pytest
from cluster import eventually
from stand_ins import LISTS, make_pair, running
from tests.support.lab import samples


@pytest.fixture
def pair(tmp_path):
    api, appliance = make_pair()
    with running(tmp_path, api, appliance, "--no-leader-election") as process:
        eventually(lambda: appliance.hosts() == {"first.example"}, "the first rules")
        yield api, appliance, process


def put_second(api):
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))


def has_second(appliance):
    return appliance.hosts() == {"first.example", "second.example"}


@pytest.mark.parametrize("mode", ["500", "429", "404", "garbage", "lies", "half", "close", "hang", "huge"])
def test_an_api_server_that_misbehaves_changes_nothing_and_is_followed_afterwards(pair, mode):
    api, appliance, process = pair
    before = appliance.text()
    begin, asked = time.monotonic(), api.server.asked
    api.server.mode = mode
    eventually(lambda: api.server.asked >= asked + len(LISTS), "a request for each kind")
    time.sleep(1)
    assert api.server.asked - asked < 30 + 30 * (time.monotonic() - begin), "it backs off"
    assert appliance.text() == before
    memory = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096
    assert memory < 600 << 20, "memory is bounded"
    put_second(api)
    api.server.mode = "ok"
    eventually(lambda: has_second(appliance), "the second rules")


@pytest.mark.parametrize("mode", ["500", "garbage", "lies", "half", "close", "hang"])
def test_an_appliance_that_misbehaves_gets_all_of_it_afterwards(pair, mode):
    api, appliance, _ = pair
    asked = appliance.server.asked
    appliance.server.mode = mode
    put_second(api)
    eventually(lambda: appliance.server.asked > asked, "a request")
    time.sleep(1)
    assert appliance.hosts() == {"first.example"}
    appliance.server.mode = "ok"
    eventually(lambda: has_second(appliance), "the second rules")


def test_an_appliance_is_looked_at_now_and_then_also_while_the_cluster_changes_all_the_time(pair):
    api, appliance, _ = pair
    with appliance.changed:  # by hand
        appliance.config["rules"].clear()
        appliance.revision += 1

    def mended():
        api.put("services", kube.service("other"))
        return appliance.hosts() == {"first.example"}
    eventually(mended, "the rules to come back")


def test_endpoints_that_move_are_followed_also_when_the_appliance_was_away_meanwhile(pair):
    api, appliance, _ = pair

    def members():
        return {m["address"] for g in appliance.held("server_groups") for m in g["members"] if not m.get("drain")}
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.2", "10.0.0.3"]))
    eventually(lambda: members() == {"10.0.0.2", "10.0.0.3"}, "the first move")
    asked, appliance.server.mode = appliance.server.asked, "500"
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.4"]))
    eventually(lambda: appliance.server.asked > asked, "a request")
    api.put("slices", kube.endpoint_slice("web", ["10.0.0.5", "10.0.0.2"]))
    appliance.server.mode = "ok"
    eventually(lambda: members() == {"10.0.0.5", "10.0.0.2"}, "the last move")


def test_an_object_that_an_appliance_refuses_is_left_out_alone(pair):
    api, appliance, _ = pair
    appliance.refuse = "bad.example"
    api.put("ingresses", kube.ingress("bad", rules=[kube.rule("bad.example", "web"), kube.rule("good.example", "web")]))
    eventually(lambda: appliance.hosts() == {"first.example", "good.example"}, "the good rule")


def test_objects_of_five_megabytes_and_of_wrong_types_pass_by(pair):
    api, appliance, _ = pair
    api.put("ingresses", {"metadata": {"name": "fat", "annotations": {"a": "x" * 5_000_000}}, "spec": {"rules": [{"host": 7}]}})
    api.put_raw("ingresses", {"metadata": {"name": "odd", "annotations": [1]}, "spec": {"rules": {"a": 1}, "tls": 3}})
    api.put_raw("ingresses", {"metadata": {}})
    api.put_raw("slices", {"metadata": {"name": "odd"}, "endpoints": [3], "ports": "x"})
    put_second(api)
    eventually(lambda: has_second(appliance), "the second rules")


def test_many_secrets_are_read_over_few_connections(pair):
    api, appliance, _ = pair
    names = {f"tls-{i}" for i in range(300)}
    for name in names:
        api.put("secrets", {"metadata": {"name": name, "namespace": "default"}})
    tls = [{"hosts": [f"{name}.example"], "secretName": name} for name in names]
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")], tls=tls))
    eventually(lambda: has_second(appliance), "the second rules")
    eventually(lambda: {path.split("/")[-1] for path in list(api.read)} == names, "all Secrets")  # Maybe after the rules.
    assert 1 < max(api.reading) <= 48


def test_a_secret_that_was_seen_is_pending_until_it_is_read(tmp_path):
    api, appliance = make_pair()
    tls = [{"hosts": ["second.example"], "secretName": "late"}]
    api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")], tls=tls))
    port = kube.free_port()

    def pending():
        with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
            return list(samples(page.read().decode(), "sluice_ingress_pending"))
        return None
    with running(tmp_path, api, appliance, "--no-leader-election", port=port):
        eventually(lambda: has_second(appliance) and pending() == [0], "the rules")
        api.showing.clear()
        api.put("secrets", {"metadata": {"name": "late", "namespace": "default"}})
        eventually(lambda: pending() == [1], "the Secret to be pending")
        api.showing.set()
        eventually(lambda: pending() == [0], "the Secret to be read")
        assert [path.split("/")[-1] for path in api.read] == ["late"]


def test_parameters_go_when_their_kind_is_not_there_any_more(pair):
    api, appliance, _ = pair
    idle = lambda: {listener.get("idle_timeout_ms") for listener in appliance.held("listeners")}  # noqa: E731
    assert idle() == {31000}
    api.absent.add("configs")
    eventually(lambda: 31000 not in idle(), "the defaults")
    assert appliance.hosts() == {"first.example"}


@pytest.mark.parametrize("status", [409, 503])
def test_what_cannot_be_written_back_is_tried_again_without_another_reason(pair, status):
    api, _, _ = pair
    api.refuse = status
    put_second(api)
    path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/second"
    eventually(lambda: api.written.count(("PATCH", path, status)) > 2, "more than one attempt")
    api.refuse = None
    eventually(lambda: ("PATCH", path, 200) in api.written, "the finalizer")


def test_a_lease_is_given_back_also_when_its_renewal_is_on_its_way(tmp_path):
    api, appliance = make_pair()
    with running(tmp_path, api, appliance) as process:
        eventually(lambda: api.lease_versions >= 3, "a renewal")  # done, and not answered yet
        assert api.lease["spec"]["holderIdentity"]
        process.terminate()
        process.wait(kube.PATIENCE)
        eventually(lambda: api.lease["spec"]["holderIdentity"] == "", "the Lease to be nobody's")
