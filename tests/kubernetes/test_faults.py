# SPDX-License-Identifier: Apache-2.0
"""Controllers and appliances that die: nothing that was right before goes wrong, and all catch up."""
import cluster as kube
from cluster import eventually, ingress
from k8s_site import hosts, make_lab


def test_a_controller_that_is_killed_leaves_the_data_plane_alone_and_goes_on_where_it_was(site, namespace):
    _, vip = site.serve_web(namespace, "kill.example")
    revision = site.revision()
    site.controller.process.kill()
    site.controller.process.wait()
    assert site.pod("http://kill.example/", vip) == "web-0"
    site.start_controller()
    site.settle()
    assert site.revision() == revision, "a restart changes nothing"
    site.move_to(namespace, "web-late", "http://kill.example/", vip)


def test_of_two_controllers_one_leads_and_the_other_takes_over(site, namespace):
    _, vip = site.serve_web(namespace, "two.example")
    leader = site.controller
    follower = kube.Controller(site.cluster, [site.lab], site.lab.build, identity="two")
    try:
        eventually(lambda: follower.metric("sluice_ingress_ready") == 1, "the second controller")
        assert (leader.metric("sluice_ingress_leader"), follower.metric("sluice_ingress_leader")) == (1, 0)
        assert follower.metric("sluice_ingress_appliance_changes_total") == 0, "who follows writes nothing"
        leader.stop()  # gives the Lease back
        eventually(lambda: follower.metric("sluice_ingress_leader") == 1, "the takeover")
        site.move_to(namespace, "web-late", "http://two.example/", vip)
    finally:
        follower.stop()
        site.restart_controller()


def test_of_two_appliances_one_dies_and_catches_up_when_it_is_back(site, namespace):
    other = make_lab("sx", pool="10.77.0.160-10.77.0.169")
    try:
        site.restart_controller(site.lab, other)
        _, vip = site.serve_web(namespace, "fleet.example")
        shown = ingress("web", namespace)
        eventually(lambda: len(site.cluster.get(shown)["status"]["loadBalancer"]["ingress"]) == 2, "both addresses")
        assert hosts(other) == {"fleet.example"}
        other.sluiced.kill()
        other.sluiced.wait()
        late = site.move_to(namespace, "web-late", "http://fleet.example/", vip)
        eventually(lambda: site.controller.metric("sluice_ingress_appliance_reachable", appliance=other.prefix) == 0,
                   "the dead one to be noticed")
        other.start(kube.PATIENCE)

        def members():
            groups = other.api.ok("GET", "/api/v1/server-groups")["items"]
            return {m["address"] for g in groups for m in g["members"]}
        eventually(lambda: members() == {late}, "the other one to catch up")
    finally:
        other.close()
        site.restart_controller()
