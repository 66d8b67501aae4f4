# SPDX-License-Identifier: Apache-2.0
"""What happens to objects over their life: rollouts, rotation, classes, conflicts, cleaning up."""
import ssl
import time

from cluster import certificate, endpoint_slice, eventually, ingress, rule, service, tls_secret

ANNOTATION = "service.beta.kubernetes.io/alibaba-cloud-loadbalancer-"


def test_a_rolling_update_under_load_loses_no_request(site, namespace):
    """As a Deployment does it: a new pod is ready, then an old one ends; all over HTTP/1.1 keep-alive."""
    addresses = site.deploy("shop", namespace, replicas=4)
    vip = site.serve(ingress("shop", namespace, [rule("shop.example", "shop")]))
    with site.load("shop.example", vip, "-c16", "--timeout", "30s") as load:
        time.sleep(1)
        for i in range(4):
            old = addresses.pop(0)
            addresses.append(site.start_pod(f"shop-new-{i}", "shop"))
            site.retire_pod(old, "shop", namespace, addresses)
            time.sleep(0.5)
    assert load.requests > 100, load.report
    eventually(lambda: {site.pod("http://shop.example/", vip) for _ in range(12)}
               == {f"shop-new-{i}" for i in range(4)}, "only new pods")


def served_certificate(site, vip, name):
    done = site.lab.client.run("sh", "-c", f"echo | openssl s_client -connect {vip}:443 -servername {name} 2>/dev/null "
                                           "| openssl x509 -noout -fingerprint -sha256 -subject")
    return done.split("Fingerprint=")[1].split()[0], done


def test_certificates_are_chosen_by_sni_and_the_oldest_is_the_default(site, namespace, tmp_path):
    site.deploy("web", namespace)
    site.cluster.apply(tls_secret("a", certificate(tmp_path, "a.example"), namespace),
                       tls_secret("b", certificate(tmp_path, "b.example"), namespace))
    first = ingress("first", namespace, [rule("a.example", "web")], tls=[{"hosts": ["a.example"], "secretName": "a"}])
    site.serve(first)
    time.sleep(1.1)  # creation times are whole seconds
    vip = site.serve(ingress("second", namespace, [rule("b.example", "web")], tls=[{"hosts": ["b.example"], "secretName": "b"}]))
    assert "a.example" in served_certificate(site, vip, "a.example")[1]
    assert "b.example" in served_certificate(site, vip, "b.example")[1]
    assert "a.example" in served_certificate(site, vip, "other.example")[1]


def test_a_secret_that_rotates_is_presented_without_touching_connections(site, namespace, tmp_path):
    site.deploy("web", namespace)
    site.cluster.apply(tls_secret("tls", certificate(tmp_path, "rotate.example"), namespace))
    vip = site.serve(ingress("web", namespace, [rule("rotate.example", "web")],
                             tls=[{"hosts": ["rotate.example"], "secretName": "tls"}]))
    before, _ = served_certificate(site, vip, "rotate.example")
    context = ssl._create_unverified_context()
    with site.lab.client.entered():
        import http.client
        connection = http.client.HTTPSConnection(vip, 443, context=context, timeout=30)
        connection.connect()
    try:
        def ask():
            connection.request("GET", "/", headers={"Host": "rotate.example"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        assert ask() == 200
        local = connection.sock.getsockname()
        site.cluster.apply(tls_secret("tls", certificate(tmp_path, "rotate.example", "more.example"), namespace))
        # Asked all the time, so that it is never idle for too long.
        eventually(lambda: ask() == 200 and served_certificate(site, vip, "rotate.example")[0] != before, "the new certificate")
        assert ask() == 200
        assert connection.sock.getsockname() == local, "the old connection goes on"
    finally:
        connection.close()


def test_a_broken_secret_is_named_and_holds_back_nobody(site, namespace, tmp_path):
    site.deploy("web", namespace)
    pair, other = certificate(tmp_path, "x.example"), certificate(tmp_path, "y.example")
    site.cluster.apply(tls_secret("mixed", (pair[0], other[1]), namespace))
    vip = site.serve(ingress("broken", namespace, [rule("x.example", "web")], tls=[{"hosts": ["x.example"], "secretName": "mixed"}]),
                     ingress("missing", namespace, [rule("z.example", "web")], tls=[{"hosts": ["z.example"], "secretName": "none"}]))
    for host in ("x.example", "z.example"):
        assert site.curl(f"https://{host}/", vip)[0] == 200, "with the appliance's own certificate"
    said = {("broken", "InvalidSecret"), ("missing", "SecretNotFound")}
    eventually(lambda: said <= site.cluster.events(namespace), "Events")
    # It is mended: the certificate is there within a moment.
    site.cluster.apply(tls_secret("mixed", pair, namespace))
    eventually(lambda: "x.example" in served_certificate(site, vip, "x.example")[1], "the mended certificate")


def test_missing_services_and_ports_answer_503_and_others_are_served(site, namespace):
    site.deploy("web", namespace)
    site.cluster.apply(service("empty", namespace))
    vip = site.serve(ingress("mixed", namespace, [rule("m.example", ("/", "Prefix", "web"), ("/gone", "Prefix", "gone"),
                                                       ("/port", "Prefix", "web", "nope"), ("/empty", "Prefix", "empty"))]))
    assert [site.curl(f"http://m.example{p}", vip)[0] for p in ("/", "/gone", "/port", "/empty")] == [200, 503, 503, 503]
    said = {("mixed", "ServiceNotFound"), ("mixed", "ServicePortNotFound")}
    eventually(lambda: said <= site.cluster.events(namespace), "Events")


def test_ten_ingresses_that_want_one_host_the_oldest_has_it_until_it_goes(site, namespace):
    for i in range(2):
        site.deploy(f"web-{i}", namespace)
    oldest = ingress("oldest", namespace, [rule("fight.example", "web-0")])
    site.serve(oldest)
    time.sleep(1.1)
    losers = [ingress(f"later-{i}", namespace, [rule("fight.example", "web-1")]) for i in range(9)]
    vip = site.serve(*losers)
    assert site.curl("http://fight.example/", vip)[1]["service"] == "web-0"
    eventually(lambda: {(f"later-{i}", "Conflict") for i in range(9)} <= site.cluster.events(namespace), "Conflict Events")
    assert ("oldest", "Conflict") not in site.cluster.events(namespace)
    site.cluster.delete(oldest)
    eventually(lambda: site.curl("http://fight.example/", vip)[1]["service"] == "web-1", "the next oldest")


def test_a_class_change_takes_routes_and_address_away(site, namespace):
    site.deploy("web", namespace)
    staying = ingress("staying", namespace, [rule("stay.example", "web")])
    moving = ingress("moving", namespace, [rule("move.example", "web")])
    vip = site.serve(staying, moving)
    assert site.curl("http://move.example/", vip)[0] == 200
    path = site.cluster.path(moving)
    site.cluster.ok("PATCH", path, {"spec": {"ingressClassName": "other"}}, content_type="application/merge-patch+json")
    eventually(lambda: site.curl("http://move.example/", vip)[0] == 404, "the routes to go")
    eventually(lambda: not site.cluster.get(moving)["status"]["loadBalancer"].get("ingress") and
               "finalizers" not in site.cluster.get(moving)["metadata"], "address and finalizer to go")
    assert site.curl("http://stay.example/", vip)[0] == 200
    site.cluster.ok("PATCH", path, {"spec": {"ingressClassName": "sluice"}}, content_type="application/merge-patch+json")
    eventually(lambda: site.curl("http://move.example/", vip)[0] == 200, "the routes to come back")


def test_with_the_last_ingress_goes_all_that_was_made_and_nothing_else(site, namespace):
    site.lab.api.ok("POST", "/api/v1/server-groups", {"id": "by-hand"})
    site.deploy("web", namespace)
    only = ingress("only", namespace, [rule("only.example", "web")])
    site.serve(only)
    assert site.lab.api.ok("GET", "/api/v1/load-balancers")["items"]
    site.cluster.delete(only)
    eventually(lambda: site.cluster.get(only) is None, "the Ingress to be gone")
    config = site.lab.api.ok("GET", "/api/v1/config")
    assert [config[k] for k in ("load_balancers", "listeners", "rules", "certificates")] == [[], [], [], []]
    assert [g["id"] for g in config["server_groups"]] == ["by-hand"]
    site.lab.api.ok("DELETE", "/api/v1/server-groups/by-hand")


def test_what_it_manages_is_not_edited_by_accident_and_an_override_is_undone(site, namespace):
    site.deploy("web", namespace)
    vip = site.serve(ingress("web", namespace, [rule("own.example", "web")]))
    rule_id = site.lab.api.ok("GET", "/api/v1/rules")["items"][0]["id"]
    status, _, problem = site.lab.api.request("DELETE", f"/api/v1/rules/{rule_id}")
    assert status == 409 and "sluice-ingress/k8s" in problem["detail"]
    site.lab.api.ok("DELETE", f"/api/v1/rules/{rule_id}?override_manager=true")
    eventually(lambda: site.curl("http://own.example/", vip)[0] == 200, "the rule to come back")


def test_an_existing_load_balancer_with_a_taken_port_is_left_alone_until_told_otherwise(site, namespace):
    api = site.lab.api
    api.ok("POST", "/api/v1/load-balancers", {"id": "edge", "addresses": ["10.77.0.150"]})
    api.ok("POST", "/api/v1/listeners", {"id": "mine", "load_balancer": "edge", "port": 80,
                                        "default_action": {"type": "fixed_response", "status": 418}})
    try:
        site.deploy("web", namespace)
        taken = ingress("taken", namespace, [rule("edge.example", "web")], annotations={ANNOTATION + "id": "edge"})
        site.cluster.apply(taken)
        eventually(lambda: ("taken", "PortConflict") in site.cluster.events(namespace), "PortConflict")
        assert site.curl("http://edge.example/", "10.77.0.150")[0] == 418
        assert not site.cluster.get(taken)["status"]["loadBalancer"].get("ingress")
        taken["metadata"]["annotations"][ANNOTATION + "force-override-listeners"] = "true"
        site.cluster.apply(taken)
        assert site.address_of(taken) == "10.77.0.150"
        assert site.curl("http://edge.example/", "10.77.0.150")[0] == 200
        site.cluster.delete(taken)
        eventually(lambda: site.cluster.get(taken) is None, "the Ingress to be gone")
        assert [lb["id"] for lb in api.ok("GET", "/api/v1/load-balancers")["items"]] == ["edge"], "what the user made stays"
        assert not api.ok("GET", "/api/v1/listeners?load_balancer=edge")["items"]
    finally:
        for listener in api.ok("GET", "/api/v1/listeners?load_balancer=edge")["items"]:
            api.ok("DELETE", f"/api/v1/listeners/{listener['id']}?override_manager=true")
        api.ok("DELETE", "/api/v1/load-balancers/edge")


def test_an_internal_load_balancer_comes_from_the_internal_pool(site, namespace):
    site.deploy("web", namespace)
    inner = ingress("inner", namespace, [rule("in.example", "web")], annotations={ANNOTATION + "address-type": "intranet"})
    vip = site.serve(inner)
    assert vip.startswith("10.77.0.14")
    assert site.curl("http://in.example/", vip)[0] == 200


def test_endpoint_changes_are_followed_by_watching_and_without_translating_all_else_anew(site, namespace):
    first = site.deploy("web", namespace)
    web = ingress("web", namespace, [rule("fast.example", "web")])
    vip = site.serve(web)
    other = site.start_pod("other", "web")
    site.cluster.note(site.cluster.get(web))  # the controller's own changes of it
    site.settle()

    def work():
        return [site.controller.metric(name, **labels) for name, labels in (
            ("sluice_ingress_lists_total", {"kind": "endpointslices"}), ("sluice_ingress_reconciles_total", {}))]
    before, updates = work(), site.controller.metric("sluice_ingress_member_updates_total")
    for addresses, wanted in [([other], "other"), (first, "web-0")] * 3:
        site.cluster.apply(endpoint_slice("web", addresses, namespace))
        eventually(lambda w=wanted: site.pod("http://fast.example/", vip) == w, wanted)
    site.settle()
    assert work() == before
    assert site.controller.metric("sluice_ingress_member_updates_total") - updates >= 6


def test_more_ingresses_than_a_list_has_on_a_page_are_all_served_and_a_restart_changes_nothing(site, namespace):
    count = 520  # a page is 500
    site.deploy("web", namespace)
    site.cluster.apply_many(ingress(f"i{i}", namespace, [rule(f"h{i}.example", "web")]) for i in range(count))
    vip = site.address_of(ingress(f"i{count - 1}", namespace))
    site.settle()
    assert [site.curl(f"http://h{i}.example/", vip)[0] for i in (0, count // 2, count - 1)] == [200] * 3
    assert len(site.lab.api.ok("GET", "/api/v1/rules")["items"]) == 2 * count
    revision = site.revision()
    site.restart_controller()
    site.settle()
    assert site.controller.metric("sluice_ingress_lists_total", kind="ingresses") == 2
    assert site.revision() == revision
