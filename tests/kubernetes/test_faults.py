# SPDX-License-Identifier: Apache-2.0
"""Outages and takeovers: nothing that was right before goes wrong, and all catch up."""
import signal
import time

import cluster as kube
import pytest
from cluster import endpoint_slice, ingress, rule
from k8s_site import Site, make_lab
from lab import wait_for


@pytest.fixture(scope="module")
def site():
    """One of our own: API servers are killed here. Without a watch cache, so that etcd's compaction is felt at once."""
    with Site(watch_cache=False) as s:
        yield s


def serve_web(site, namespace, host, replicas=1):
    addresses = site.deploy("web", namespace, replicas)
    return addresses, site.serve(ingress("web", namespace, [rule(host, "web")]))


def test_while_the_api_server_is_away_all_is_served_and_afterwards_all_is_followed(site, namespace):
    addresses, vip = serve_web(site, namespace, "away.example")
    site.cluster.stop_apiserver()
    time.sleep(2)
    assert site.curl("http://away.example/", vip)[0] == 200
    site.cluster.start_apiserver()
    addresses.append(site.start_pod("web-late", "web"))
    site.cluster.apply(endpoint_slice("web", addresses, namespace))
    wait_for(lambda: "web-late" in {site.curl("http://away.example/", vip)[1]["pod"] for _ in range(4)}, 30, "the new pod")


def test_a_watch_that_is_too_old_is_answered_410_and_the_list_is_read_anew(site, namespace):
    addresses, vip = serve_web(site, namespace, "old.example")
    resyncs = site.controller.metric("sluice_ingress_resyncs_total")
    site.controller.process.send_signal(signal.SIGSTOP)
    try:
        new = site.start_pod("web-new", "web")
        site.cluster.apply(endpoint_slice("web", [new], namespace))
        time.sleep(0.2)
        site.cluster.compact()
        site.cluster.stop_apiserver()  # breaks the watches that the controller holds
        site.cluster.start_apiserver()
        site.cluster.compact()
    finally:
        site.controller.process.send_signal(signal.SIGCONT)
    wait_for(lambda: {site.curl("http://old.example/", vip)[1]["pod"] for _ in range(3)} == {"web-new"}, 30, "the new pod")
    wait_for(lambda: site.controller.metric("sluice_ingress_resyncs_total") > resyncs, 15, "resyncs to be counted")
    assert addresses


def test_a_controller_that_is_killed_leaves_the_data_plane_alone_and_goes_on_where_it_was(site, namespace):
    _, vip = serve_web(site, namespace, "kill.example")
    revision = site.lab.api.ok("GET", "/api/v1/health")["revision"]
    site.controller.process.kill()
    site.controller.process.wait()
    assert site.curl("http://kill.example/", vip)[0] == 200
    site.controller = kube.Controller(site.cluster, [site.lab], site.lab.build)
    wait_for(lambda: site.controller.metric("sluice_ingress_leader") == 1, 40, "the Lease")
    site.settle()
    assert site.lab.api.ok("GET", "/api/v1/health")["revision"] == revision, "a restart changes nothing"
    late = site.start_pod("web-late", "web")
    site.cluster.apply(endpoint_slice("web", [late], namespace))
    wait_for(lambda: site.curl("http://kill.example/", vip)[1]["pod"] == "web-late", 20, "the new pod")


def test_of_two_controllers_one_leads_and_the_other_takes_over(site, namespace):
    _, vip = serve_web(site, namespace, "two.example")
    second = kube.Controller(site.cluster, [site.lab], site.lab.build, identity="two")
    try:
        wait_for(lambda: second.metric("sluice_ingress_ready") == 1, 30, "the second controller")
        assert (site.controller.metric("sluice_ingress_leader"), second.metric("sluice_ingress_leader")) == (1, 0)
        assert second.metric("sluice_ingress_appliance_changes_total") == 0, "who follows writes nothing"
        site.controller.stop()  # gives the Lease back
        wait_for(lambda: second.metric("sluice_ingress_leader") == 1, 10, "the takeover")
        late = site.start_pod("web-late", "web")
        site.cluster.apply(endpoint_slice("web", [late], namespace))
        wait_for(lambda: site.curl("http://two.example/", vip)[1]["pod"] == "web-late", 20, "the new pod")
    finally:
        second.stop()
        site.controller = kube.Controller(site.cluster, [site.lab], site.lab.build)
        wait_for(lambda: site.controller.metric("sluice_ingress_leader") == 1, 40, "the Lease")


def test_of_two_appliances_one_dies_and_catches_up_when_it_is_back(site, namespace):
    other = make_lab("sx", 18444, pool="10.77.0.160-10.77.0.169")
    try:
        site.controller.stop()
        site.controller = kube.Controller(site.cluster, [site.lab, other], site.lab.build)
        addresses, vip = serve_web(site, namespace, "fleet.example")
        shown = ingress("web", namespace)
        wait_for(lambda: len(site.cluster.get(shown)["status"]["loadBalancer"]["ingress"]) == 2, 20, "both addresses")
        assert {r["hosts"][0]["value"] for r in other.api.ok("GET", "/api/v1/rules")["items"]} == {"fleet.example"}
        other.sluiced.kill()
        other.sluiced.wait()
        late = site.start_pod("web-late", "web")
        site.cluster.apply(endpoint_slice("web", [late], namespace))
        wait_for(lambda: site.curl("http://fleet.example/", vip)[1]["pod"] == "web-late", 10, "the living one to follow")
        wait_for(lambda: site.controller.metric("sluice_ingress_appliance_reachable", appliance=other.prefix) == 0, 10,
                 "the dead one to be noticed")
        other.start()

        def members():
            groups = other.api.ok("GET", "/api/v1/server-groups")["items"]
            return {m["address"] for g in groups for m in g["members"]}
        wait_for(lambda: members() == {late}, 20, "the other one to catch up")
        assert addresses
    finally:
        other.close()
        site.controller.stop()
        site.controller = kube.Controller(site.cluster, [site.lab], site.lab.build)
        wait_for(lambda: site.controller.metric("sluice_ingress_leader") == 1, 40, "the Lease")
