# SPDX-License-Identifier: Apache-2.0
"""The scenarios of the Kubernetes ingress conformance suite, by their features and names, against our own class."""
import pytest
from cluster import certificate, endpoint_slice, eventually, ingress, rule, service, tls_secret
from tests.support.lab import ROOT


class TestDefaultBackend:
    """A class, so that it is gone when others expect 404: it is shared by all of an address."""

    @pytest.fixture(scope="class")
    def default_backend(self, site):
        ns = site.cluster.namespace()
        site.deploy("echo-service", ns)
        yield site.serve(ingress("default-backend", ns, default="echo-service"))
        site.clear(ns)

    @pytest.mark.parametrize("method,host,path", [
        ("GET", "my-host", ""), ("GET", "my-host", "sub-path"), ("POST", "some-host", ""), ("PUT", "", "resource"),
        ("DELETE", "some-host", "resource"), ("PATCH", "my-host", "resource")])
    def test_an_ingress_with_no_rules_should_send_all_requests_to_the_default_backend(
            self, site, default_backend, method, host, path):
        status, body, headers = site.curl(f"http://{host or default_backend}/{path}", default_backend, "-X", method)
        assert status == 200
        assert (body["service"], body["method"], body["path"], body["proto"]) == ("echo-service", method, f"/{path}", "HTTP/1.1")
        assert {"content-length", "content-type", "date", "server"} <= set(headers)
        assert body["headers"]["User-Agent"].startswith("curl/")


@pytest.fixture(scope="module")
def host_rules(site, tmp_path_factory):
    ns = site.cluster.namespace()
    folder = tmp_path_factory.mktemp("tls")
    site.deploy("wildcard-foo-com", ns)
    site.deploy("foo-bar-com", ns)
    site.cluster.apply(tls_secret("conformance-tls", certificate(folder, "foo.bar.com"), ns))
    named = rule("foo.bar.com", ("/", "Prefix", "foo-bar-com", "http"))
    address = site.serve(ingress("host-rules", ns, [rule("*.foo.com", "wildcard-foo-com"), named],
                                 tls=[{"hosts": ["foo.bar.com"], "secretName": "conformance-tls"}]))
    yield address, folder / "foo.bar.com.crt"
    site.clear(ns)


def test_host_rules__an_ingress_with_a_host_rule_should_send_tls_traffic_to_the_matching_backend_service(site, host_rules):
    address, ca = host_rules
    done = site.lab.curl("--cacert", ca, "--connect-to", f"foo.bar.com::{address}:", "https://foo.bar.com/", check=False)
    assert done.returncode == 0, done.stderr
    status, body, _ = site.curl("https://foo.bar.com/", address)
    assert (status, body["service"], body["host"]) == (200, "foo-bar-com", "foo.bar.com")


@pytest.mark.parametrize("host,wanted", [
    pytest.param("foo.bar.com", "foo-bar-com", id="should_send_traffic_to_the_matching_backend_service"),
    pytest.param("subdomain.bar.com", None, id="should_not_route_traffic_when_hostname_does_not_match"),
    pytest.param("bar.foo.com", "wildcard-foo-com", id="wildcard_should_send_traffic_to_the_matching_backend_service"),
    pytest.param("baz.bar.foo.com", None, id="wildcard_should_not_route_traffic_matching_on_more_than_a_single_dns_label"),
    pytest.param("foo.com", None, id="wildcard_should_not_route_traffic_matching_no_dns_label")])
def test_host_rules__an_ingress_with_a_host_rule(site, host_rules, host, wanted):
    status, body, headers = site.curl(f"http://{host}/", host_rules[0])
    if wanted is None:
        assert status == 404
        assert {"content-length", "content-type", "date", "server"} <= set(headers)
    else:
        assert (status, body["service"], body["host"]) == (200, wanted, host)


def test_ingress_class__an_ingress_with_an_invalid_ingress_class_should_not_send_traffic_to_the_matching_backend_service(
        site, namespace):
    site.deploy("ingress-class-prefix", namespace)
    foreign = ingress("test-ingress-class", namespace, [rule("ingress-class", "ingress-class-prefix")],
                      ingress_class="some-invalid-class-name")
    address = site.serve(foreign | {"metadata": {"name": "ours", "namespace": namespace},
                                    "spec": ingress("x", rules=[rule("ours", "ingress-class-prefix")])["spec"]})
    site.cluster.apply(foreign)
    site.settle()
    assert not site.cluster.get(foreign)["status"]["loadBalancer"].get("ingress")
    assert "finalizers" not in site.cluster.get(foreign)["metadata"]
    assert site.curl("http://ingress-class/", address)[0] == 404


def test_load_balancing__an_ingress_with_no_rules_should_use_all_the_pods_available(site, namespace):
    addresses = site.deploy("echo-service", namespace)
    address = site.serve(ingress("load-balancing", namespace, default="echo-service"))
    addresses += [site.start_pod(f"echo-service-{i}", "echo-service") for i in range(1, 10)]
    site.cluster.apply(endpoint_slice("echo-service", addresses, namespace))
    site.settle()
    answers = [site.curl("http://load-balancing/", address) for _ in range(100)]
    assert {a[0] for a in answers} == {200}
    assert len({a[1]["pod"] for a in answers}) == 10


@pytest.fixture(scope="module")
def path_rules(site):
    ns = site.cluster.namespace()
    pod = site.start_pod("one-for-all", "path-rules")
    for name in ("foo-exact", "foo-prefix", "aaa-slash-bbb-prefix", "aaa-prefix", "aaa-slash-bbb-slash-prefix", "foo-slash-exact"):
        # One pod behind all: each Service has its own port there, which says who was asked.
        port = 4000 + sum(map(ord, name)) % 1000
        netns = site.lab.namespaces[next(n for n in ("b1", "b2", "b3") if pod in site.lab.namespaces[n].ip("address"))]
        netns.start("/usr/bin/python3", ROOT / "tests/kubernetes/pod.py", name, name, pod, port)
        site.cluster.apply(service(name, ns), endpoint_slice(name, [pod], ns, port=port))
        eventually(lambda n=netns, p=port: _answers(n, pod, p), name)
    rules = [rule("exact-path-rules", ("/foo", "Exact", "foo-exact")),
             rule("prefix-path-rules", ("/foo", "Prefix", "foo-prefix"), ("/aaa/bbb", "Prefix", "aaa-slash-bbb-prefix"),
                  ("/aaa", "Prefix", "aaa-prefix")),
             rule("mixed-path-rules", ("/foo", "Prefix", "foo-prefix"), ("/foo", "Exact", "foo-exact")),
             rule("trailing-slash-path-rules", ("/aaa/bbb/", "Prefix", "aaa-slash-bbb-slash-prefix"),
                  ("/foo/", "Exact", "foo-slash-exact"))]
    yield site.serve(ingress("path-rules", ns, rules))
    site.clear(ns)


def _answers(netns, address, port):
    try:
        netns.run("curl", "-sfo", "/dev/null", f"http://{address}:{port}/")
        return True
    except RuntimeError:
        return False


EXACT, PREFIX, MIXED, SLASH = "exact-path-rules", "prefix-path-rules", "mixed-path-rules", "trailing-slash-path-rules"


@pytest.mark.parametrize("host,path,wanted", [
    pytest.param(EXACT, "/foo", "foo-exact", id="exact_should_send_traffic_to_the_matching_backend_service"),
    pytest.param(EXACT, "/foo/", None, id="exact_should_not_match_requests_with_trailing_slash"),
    pytest.param(EXACT, "/FOO", None, id="exact_should_be_case_sensitive"),
    pytest.param(EXACT, "/bar", None, id="exact_should_not_match_any_other_label"),
    pytest.param(PREFIX, "/foo", "foo-prefix", id="prefix_should_send_traffic_to_the_matching_backend_service"),
    pytest.param(PREFIX, "/foo/", "foo-prefix", id="prefix_should_ignore_the_request_trailing_slash"),
    pytest.param(PREFIX, "/FOO", None, id="prefix_should_be_case_sensitive"),
    pytest.param(PREFIX, "/aaa/bbb", "aaa-slash-bbb-prefix", id="prefix_should_match_multiple_labels_and_the_longest_path"),
    pytest.param(PREFIX, "/aaa/bbb/ccc", "aaa-slash-bbb-prefix", id="prefix_should_match_the_longest_path_and_subpaths"),
    pytest.param(PREFIX, "/aaa/ccc", "aaa-prefix", id="prefix_should_send_subpaths_to_the_matching_backend_service"),
    pytest.param(PREFIX, "/aaaccc", None, id="prefix_should_match_each_labels_string_prefix"),
    pytest.param(PREFIX, "/foo/?a=b", "foo-prefix", id="prefix_should_ignore_the_request_trailing_slash_again"),
    pytest.param(MIXED, "/foo", "foo-exact", id="mixed_should_prefer_exact"),
    pytest.param(SLASH, "/aaa/bbb", "aaa-slash-bbb-slash-prefix", id="trailing_slash_in_a_prefix_should_be_ignored"),
    pytest.param(SLASH, "/aaa/bbb/", "aaa-slash-bbb-slash-prefix", id="trailing_slash_in_a_prefix_should_match_itself"),
    pytest.param(SLASH, "/foo", None, id="trailing_slash_in_an_exact_path_should_not_match_requests_without")])
def test_path_rules__an_ingress_with_path_rules(site, path_rules, host, path, wanted):
    status, body, _ = site.curl(f"http://{host}{path}", path_rules)
    assert status == (200 if wanted else 404)
    if wanted:
        assert (body["service"], body["path"]) == (wanted, path)
