# SPDX-License-Identifier: Apache-2.0
"""An API server that goes and comes back, forgets, changes its credentials, or is of another age."""
import json
import signal

import pytest
from cluster import endpoint_slice, endpoints, eventually, service, slice_v1_crd
from k8s_site import Site


@pytest.fixture(scope="module")
def site():
    """One of our own: API servers are killed here. Without a watch cache, so that etcd's compaction is felt at once."""
    with Site(watch_cache=False) as s:
        yield s


def test_while_the_api_server_is_away_all_is_served_and_its_return_changes_nothing(site, namespace):
    _, vip = site.serve_web(namespace, "away.example")
    before = site.revision()
    site.cluster.stop_apiserver()
    failures = site.controller.metric("sluice_ingress_watch_failures_total")
    eventually(lambda: site.controller.metric("sluice_ingress_watch_failures_total") > failures, "the outage to be noticed")
    assert site.pod("http://away.example/", vip) == "web-0"
    site.cluster.start_apiserver()
    site.cluster.apply(service("another", namespace))
    site.settle()  # it has seen that
    assert site.revision() == before
    site.move_to(namespace, "web-late", "http://away.example/", vip)


def test_a_watch_that_is_too_old_is_answered_410_and_the_list_is_read_anew(site, namespace):
    _, vip = site.serve_web(namespace, "old.example")
    resyncs = site.controller.metric("sluice_ingress_resyncs_total", kind="endpointslices")
    new = site.start_pod("web-new", "web")
    site.controller.process.send_signal(signal.SIGSTOP)
    try:
        # More than one change: the news of the first may be on its way to the controller already.
        site.cluster.apply(endpoint_slice("web", [new], namespace), *(service(f"another-{i}", namespace) for i in range(5)))
        site.cluster.restart_apiserver()  # breaks the watches that the controller holds
        site.cluster.compact()
        assert site.pod("http://old.example/", vip) == "web-0"
    finally:
        site.controller.process.send_signal(signal.SIGCONT)
    eventually(lambda: site.pod("http://old.example/", vip) == "web-new", "the new pod")
    eventually(lambda: site.controller.metric("sluice_ingress_resyncs_total", kind="endpointslices") > resyncs, "a resync")


def test_a_token_and_a_ca_that_rotate_are_taken_over(site, namespace):
    _, vip = site.serve_web(namespace, "rotate.example")
    site.cluster.make_credentials()
    site.cluster.restart_apiserver()  # which knows neither the old token nor the old certificate
    site.move_to(namespace, "web-rotated", "http://rotate.example/", vip)
    assert site.controller.process.poll() is None


def test_a_program_that_shows_the_token_is_asked_again_when_that_is_refused(site, namespace):
    version = "client.authentication.k8s.io/v1"
    shown, config = site.cluster.folder / "shown.json", site.cluster.kubeconfig("controller")
    plain = config.read_text()

    def show():
        token = site.cluster.token_file("controller").read_text()
        shown.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}))
    show()
    user = {"exec": {"apiVersion": version, "command": "cat", "args": [str(shown)], "interactiveMode": "Never"}}
    config.write_text(json.dumps({**json.loads(plain), "users": [{"name": "test", "user": user}]}))
    try:
        site.restart_controller()
        _, vip = site.serve_web(namespace, "exec.example")
        site.cluster.make_credentials()
        show()
        site.cluster.restart_apiserver()  # which does not know the old token
        site.move_to(namespace, "web-rotated", "http://exec.example/", vip)
    finally:
        config.write_text(plain)
        site.restart_controller()


def test_endpoints_serve_where_there_are_no_slices_and_slices_v1_where_there_are(site, namespace):
    old, vip = site.serve_web(namespace, "forms.example")
    try:
        site.cluster.restart_apiserver("--runtime-config=discovery.k8s.io/v1beta1=false")
        site.cluster.apply(endpoints("web", [old], namespace))
        site.restart_controller()
        site.settle()
        assert site.pod("http://forms.example/", vip) == "web-0"
        assert site.controller.metric("sluice_ingress_watch_version", kind="endpoints")
        site.cluster.apply(endpoints("web", [site.start_pod("by-endpoints", "web")], namespace))
        eventually(lambda: site.pod("http://forms.example/", vip) == "by-endpoints", "Endpoints to be followed")

        site.cluster.apply(slice_v1_crd())
        in_v1 = endpoint_slice("web", [site.start_pod("by-slices", "web")], namespace, version="v1")
        create = "POST", site.cluster.path(in_v1, name=False), in_v1
        eventually(lambda: site.cluster.request(*create)[0] == 201, "the kind to be there")
        site.restart_controller()
        eventually(lambda: site.pod("http://forms.example/", vip) == "by-slices", "slices to go before Endpoints")
        assert site.controller.metric("sluice_ingress_watch_version", kind="endpoints") is None
        moved = endpoint_slice("web", [old], namespace, version="v1")
        site.cluster.apply(moved)
        eventually(lambda: site.pod("http://forms.example/", vip) == "web-0", "slices to be followed")
    finally:
        site.cluster.delete(slice_v1_crd())
        site.cluster.newest.pop("endpointslices", None)
        site.cluster.newest.pop("endpoints", None)
        site.cluster.restart_apiserver()
        site.restart_controller()
