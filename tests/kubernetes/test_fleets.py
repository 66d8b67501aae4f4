# SPDX-License-Identifier: Apache-2.0
"""Classes that name their own appliances: two of them, each with its Secret, none on the controller's command line."""
import json
import signal

import cluster as kube
import pytest
from cluster import eventually, ingress, ingress_class, rule
from k8s_site import Site, hosts, make_lab

NAMESPACE = "sluice-system"  # the controller's


class Fleets(Site):
    """Class `one` is served by the first appliance, class `two` by the second."""

    def __init__(self):
        self.other = None
        super().__init__()
        try:
            self.other = make_lab("sx", pool="10.77.0.160-10.77.0.169")
            self.labs = {"one": self.lab, "two": self.other}
            for name, lab in self.labs.items():
                self.cluster.apply(secret(name, lab), config(name, (lab, name)), ingress_class(name, name))
            self.restart_controller()
            self.settle()
        except BaseException:
            self.close()
            raise

    def controlled_labs(self):
        return []

    def serve_both(self, namespace):
        """An Ingress for each class; {class: the VIP}."""
        self.deploy("web", namespace)
        return {name: self.serve(ingress(name, namespace, [rule(f"{name}.example", "web")], ingress_class=name)) for name in self.labs}

    def metric_of(self, name, lab):
        return self.controller.metric(name, appliance=f"127.0.0.1:{lab.api_port}")

    def close(self):
        super().close()
        if self.other:
            self.other.close()


def secret(name, lab, token=None):
    data = {"token": token or lab.token(), "ca.crt": (lab.folder / "data/api.crt").read_text()}
    return kube.secret(name, data, NAMESPACE)


def url(lab):
    return f"https://127.0.0.1:{lab.api_port}"


def config(name, *served_by):
    """served_by: (appliance, name of its Secret)"""
    return kube.sluice_config(name, {"appliances": [{"url": url(lab), "credentialsSecret": {"name": s}} for lab, s in served_by]})


def members(lab):
    """Servers that get requests. The pods are in the first appliance's network: the other one is asked for what it holds."""
    groups = lab.api.ok("GET", "/api/v1/server-groups")["items"]
    return {m["address"] for g in groups for m in g["members"] if not m["drain"]}


def is_empty(lab):
    held = lab.api.ok("GET", "/api/v1/config")
    return not any(held[k] for k in ("load_balancers", "listeners", "rules", "server_groups", "certificates"))


def shown(site, obj):
    return [i["ip"] for i in site.cluster.get(obj)["status"]["loadBalancer"].get("ingress") or []]


@pytest.fixture(scope="module")
def site():
    with Fleets() as s:
        yield s


def test_each_class_is_served_by_its_own_appliance_and_shows_its_address(site, namespace):
    vips = site.serve_both(namespace)
    assert {name: hosts(lab) for name, lab in site.labs.items()} == {"one": {"one.example"}, "two": {"two.example"}}
    assert vips["one"].startswith("10.77.0.12") and vips["two"].startswith("10.77.0.16")
    assert site.pod("http://one.example/", vips["one"]) == "web-0"
    for name in site.labs:
        assert shown(site, ingress(name, namespace)) == [vips[name]]


def test_an_ingress_that_moves_to_another_class_leaves_its_old_appliance(site, namespace):
    site.serve_both(namespace)
    moving = ingress("one", namespace)
    site.cluster.ok("PATCH", site.cluster.path(moving), {"spec": {"ingressClassName": "two"}},
                    content_type="application/merge-patch+json")
    eventually(lambda: hosts(site.other) == {"one.example", "two.example"} and is_empty(site.lab), "the move")
    eventually(lambda: shown(site, moving) == shown(site, ingress("two", namespace)), "the other address")
    assert "sluice.dev/ingress" in site.cluster.get(moving)["metadata"]["finalizers"]
    site.cluster.delete(moving)
    eventually(lambda: site.cluster.get(moving) is None, "the Ingress to be gone")
    assert hosts(site.other) == {"two.example"}


def test_a_class_on_both_appliances_holds_neither_back_when_one_dies(site, namespace):
    site.cluster.apply(config("one", (site.lab, "one"), (site.other, "two")))
    try:
        vips = site.serve_both(namespace)
        eventually(lambda: hosts(site.other) == {"one.example", "two.example"}, "both classes")
        assert hosts(site.lab) == {"one.example"}
        eventually(lambda: len(shown(site, ingress("one", namespace))) == 2, "both addresses")
        assert shown(site, ingress("two", namespace)) == [vips["two"]]
        site.other.sluiced.kill()
        site.other.sluiced.wait()
        site.move_to(namespace, "web-late", "http://one.example/", vips["one"])
        site.other.start(kube.PATIENCE)
        site.settle()
        site.cluster.apply(config("one", (site.lab, "one")))
        eventually(lambda: hosts(site.other) == {"two.example"}, "the class to leave the second appliance")
        eventually(lambda: shown(site, ingress("one", namespace)) == [vips["one"]], "one address")
    finally:
        if site.other.sluiced.poll() is not None:
            site.other.start(kube.PATIENCE)
        site.cluster.apply(config("one", (site.lab, "one")))


def test_token_and_certificate_of_an_appliance_rotate(site, namespace):
    vips = site.serve_both(namespace)
    before = site.other.token()
    site.other.stop()
    for name in ("admin.token", "api.crt", "api.key"):
        (site.other.folder / "data" / name).unlink()
    site.other.start(kube.PATIENCE)  # which knows neither the old token nor the old certificate
    assert site.other.token() != before
    eventually(lambda: site.metric_of("sluice_ingress_appliance_reachable", site.other) == 0, "the controller to be refused")
    moved = site.move_to(namespace, "web-one", "http://one.example/", vips["one"])  # the other class is not held back
    assert moved not in members(site.other)
    site.cluster.apply(secret("two", site.other))
    eventually(lambda: members(site.other) == {moved}, "what was missed meanwhile")


def test_without_its_secret_an_appliance_is_left_as_it_is(site, namespace):
    vips = site.serve_both(namespace)
    revision = site.revision(site.other)
    site.cluster.delete(secret("two", site.other))
    eventually(lambda: ("two", "SecretNotFound") in site.cluster.events("default"), "an Event on the SluiceConfig")
    eventually(lambda: site.controller.metric("sluice_ingress_notices", reason="SecretNotFound") == 1
               and site.metric_of("sluice_ingress_appliance_reachable", site.other) == 0, "the metrics")
    site.move_to(namespace, "web-late", "http://one.example/", vips["one"])
    assert site.revision(site.other) == revision
    assert hosts(site.other) == {"two.example"}
    assert shown(site, ingress("two", namespace)) == [vips["two"]]
    site.restart_controller()  # it cannot read that appliance at all now
    moved = site.move_to(namespace, "web-later", "http://one.example/", vips["one"])
    assert site.revision(site.other) == revision
    assert shown(site, ingress("two", namespace)) == [vips["two"]]
    site.cluster.apply(secret("two", site.other))
    eventually(lambda: members(site.other) == {moved}, "what was missed meanwhile")
    eventually(lambda: site.controller.metric("sluice_ingress_notices", reason="SecretNotFound") is None, "nothing wrong any more")


def test_an_appliance_that_no_class_names_any_more_is_emptied_and_forgotten(site, namespace):
    site.other.api.ok("POST", "/api/v1/server-groups", {"id": "by-hand"})
    vips = site.serve_both(namespace)
    try:
        site.cluster.apply(config("two", (site.lab, "one")))
        eventually(lambda: [g["id"] for g in site.other.api.ok("GET", "/api/v1/server-groups")["items"]] == ["by-hand"]
                   and not site.other.api.ok("GET", "/api/v1/load-balancers")["items"], "the appliance to be emptied")
        eventually(lambda: site.metric_of("sluice_ingress_appliance_reachable", site.other) is None, "it to be forgotten")
        eventually(lambda: shown(site, ingress("two", namespace)) not in ([], [vips["two"]]), "an address of the other one")
        assert hosts(site.lab) == {"one.example", "two.example"}
    finally:
        site.other.api.ok("DELETE", "/api/v1/server-groups/by-hand")
        site.cluster.apply(config("two", (site.other, "two")))
    eventually(lambda: hosts(site.other) == {"two.example"}, "the class to come back")


def remembered(site):
    """Appliances that the next controller would know of."""
    lease = site.cluster.ok("GET", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/sluice-ingress")
    return set(json.loads(lease["metadata"].get("annotations", {}).get("sluice.dev/appliances", "{}")))


@pytest.mark.parametrize("when", ["no controller ran", "it was away"])
def test_an_appliance_that_left_is_emptied_by_the_next_controller(site, namespace, when):
    site.serve_both(namespace)
    assert remembered(site) == {url(site.lab), url(site.other)}
    try:
        if when == "it was away":
            site.other.sluiced.send_signal(signal.SIGSTOP)
            site.cluster.apply(config("two", (site.lab, "one")))
            eventually(lambda: hosts(site.lab) == {"one.example", "two.example"}, "the class to move")
        site.controller.process.kill()
        site.controller.process.wait()
        site.cluster.apply(config("two", (site.lab, "one")))
        assert remembered(site) == {url(site.lab), url(site.other)}
        site.start_controller()
        site.other.sluiced.send_signal(signal.SIGCONT)
        eventually(lambda: is_empty(site.other), "the appliance to be emptied")
        eventually(lambda: remembered(site) == {url(site.lab)}, "it to be forgotten")
        eventually(lambda: site.metric_of("sluice_ingress_appliance_reachable", site.other) is None, "nothing of it to be shown")
        eventually(lambda: hosts(site.lab) == {"one.example", "two.example"}, "the class to be where it is now")
    finally:
        site.other.sluiced.send_signal(signal.SIGCONT)
        site.cluster.apply(config("two", (site.other, "two")))
    eventually(lambda: hosts(site.other) == {"two.example"}, "the class to come back")


def test_a_class_that_names_none_says_that_nobody_serves_it(site, namespace):
    site.deploy("web", namespace)
    nobody = ingress("nobody", namespace, [rule("nobody.example", "web")])  # class sluice, without parameters
    site.cluster.apply(nobody)
    eventually(lambda: ("nobody", "NoAppliance") in site.cluster.events(namespace), "an Event")
    site.cluster.delete(nobody)
    eventually(lambda: site.cluster.get(nobody) is None, "the Ingress to be gone")


def test_only_secrets_that_are_named_are_read(site, namespace):
    site.serve_both(namespace)
    before = site.controller.metric("sluice_ingress_secrets_read_total")
    for i in range(3):
        other = secret(f"unnamed-{i}", site.lab)
        site.cluster.apply(other)
        site.cluster.delete(other)
    site.cluster.apply(secret("one", site.lab, token="another-token-for-a-moment"), secret("one", site.lab))
    eventually(lambda: site.controller.metric("sluice_ingress_secrets_read_total") > before, "the one that is named")
    site.settle()
    assert site.controller.metric("sluice_ingress_secrets_read_total") <= before + 2
