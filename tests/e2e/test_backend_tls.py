# SPDX-License-Identifier: Apache-2.0
"""TLS between the appliance and its backends, which are nginx: trust, names, client certificates, resumption."""
import copy
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.lab import BACKENDS, VIP4, Lab, basic_config, wait_for
from tests.support.pki import Authority
from tests.support.tls_client import VERSIONS

pytestmark = pytest.mark.sanitizer

SERVER = """
  }
  log_format tls "$ssl_session_reused $connection $request_uri";
  server {
    listen 443 ssl; server_name %(name)s;
    ssl_certificate %(pki)s/%(name)s.pem; ssl_certificate_key %(pki)s/%(name)s.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_client_certificate %(pki)s/ca-staff/ca.pem; ssl_verify_client optional;
    access_log %(folder)s/tls.log tls;
    root %(folder)s/www;
    location / {
      return 200 "sni=$ssl_server_name reused=$ssl_session_reused connection=$connection client=$ssl_client_s_dn host=$host\\n";
    }
    location /private { if ($ssl_client_verify != SUCCESS) { return 403; } return 200 "client=$ssl_client_s_dn\\n"; }
    location /static/ { }
    location /upload/ { dav_methods PUT; }
"""


@pytest.fixture(scope="module")
def site():
    """nginx on b1 and b2 on port 443. Both are web.test by "inner"; b1's certificate names its address, too."""
    with Lab("slb") as lab:
        for name in ("inner", "other", "staff"):
            setattr(lab, name, Authority(lab.folder, name))
        lab.staff.issue("gateway")
        lab.inner.issue("b1", ["web.test"], BACKENDS["b1"][:1])
        lab.inner.issue("b2", ["web.test"])
        for name in ("b1", "b2"):
            lab.start_nginx(name, SERVER % {"name": name, "pki": lab.folder, "folder": lab.folder / name})
        lab.start()
        lab.config = basic_config()
        lab.config["certificate_authorities"] = [
            {"id": a.name, "certificates": (a.base / "ca.pem").read_text()} for a in (lab.inner, lab.other)]
        lab.config["certificates"] = [lab.staff.issued("gateway")]
        yield lab
        assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.fixture
def serve(site):
    """Puts these members behind all hosts, over TLS as told; web.test by "inner" unless told otherwise."""
    def apply(*members, tls=None, **group):
        config = copy.deepcopy(site.config)
        how = {"certificate_authority": "inner", "server_name": "web.test", **(tls or {})}
        config["server_groups"][0] = {"id": "all", "protocol": "https", "tls": how, "connect_timeout_ms": 20000,
                                      "members": [{"address": BACKENDS[m][0], "port": 443} for m in members or ("b1",)], **group}
        site.api.apply(config)
        return site
    return apply


def get(lab, path="/", scheme="http"):
    """(status, body)"""
    body, _, status = lab.curl("-k", "-w", "\n%{http_code}", f"{scheme}://{VIP4}{path}").rpartition("\n")
    return int(status), body


def told(lab, path="/"):
    """What nginx says of the connection that a request came over."""
    status, body = get(lab, path)
    assert status == 200, body
    return dict(pair.partition("=")[::2] for pair in body.split())


def last_error(lab, path):
    lines = wait_for(lambda: [x for x in lab.access_log() if x.get("path") == path], 30, "the access log")
    return lines[-1].get("error", "")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_bodies_of_any_size_pass_both_ways_whole(serve, version, scheme):
    lab = serve("b1", "b2", tls={"min_version": version, "max_version": version})
    before = lab.api.metric("sluice_upstream_tls_taken_over_total")
    for size in (1, 16384, 100_000, 5_000_000):
        name = f"f{size}"
        want = lab.folder / "b1/www/static" / name
        if not want.exists():
            lab.static_file(name, size, ("b1", "b2"))
        got = lab.folder / "got"
        for _ in range(2):  # the connection's first record layer, and its second
            lab.curl("-k", "-o", got, f"{scheme}://{VIP4}/static/{name}")
            assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(want.read_bytes()).digest(), size
        for _ in range(2):
            lab.curl("-kf", "-T", want, f"{scheme}://{VIP4}/upload/{name}")
        for backend in ("b1", "b2"):
            assert (lab.folder / backend / "www/upload" / name).read_bytes() == want.read_bytes(), size
    assert lab.api.metric("sluice_upstream_tls_taken_over_total") > before
    assert lab.api.metric("sluice_upstream_tls_left_with_openssl_total") == 0
    assert lab.api.metric("sluice_upstream_tls_handshakes_failed_total") == 0


def test_connections_are_kept_alive(serve):
    lab = serve(tls={"policy": "modern"})
    assert len({told(lab)["connection"] for _ in range(5)}) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed(serve, version):
    lab = serve(tls={"min_version": version, "max_version": version, "server_name": "web.test"}, keep_alive_ms=0)
    assert [told(lab)["reused"] for _ in range(4)] == [".", "r", "r", "r"]
    assert (lab.folder / "b1/tls.log").read_text().splitlines()[-1].startswith("r ")


def test_the_name_is_asked_for_whatever_the_host_of_the_request(serve):
    lab = serve()
    assert told(lab)["sni"] == "web.test"
    assert told(lab)["host"] == VIP4
    lab = serve("b1", tls={"server_name": ""})  # Its address is in the certificate,
    assert told(lab)["sni"] == ""
    lab = serve("b2", tls={"server_name": ""})  # and this one's is not.
    assert get(lab, "/no-name")[0] == 502
    assert last_error(lab, "/no-name") == "tls: certificate verify failed: IP address mismatch"


@pytest.mark.parametrize("tls,why", [
    ({"certificate_authority": "other"}, "unable to get local issuer certificate"),
    ({"certificate_authority": ""}, "unable to get local issuer certificate"),
    ({"server_name": "shop.test"}, "hostname mismatch"),
])
def test_who_is_not_trusted_gets_no_request(serve, tls, why):
    lab = serve("b1", "b2", tls=tls)
    refused = lab.api.metric("sluice_upstream_tls_servers_refused_total")
    path = f"/refused-{abs(hash(str(tls)))}"
    assert get(lab, path)[0] == 502
    assert last_error(lab, path) == f"tls: certificate verify failed: {why}"
    assert lab.api.metric("sluice_upstream_tls_servers_refused_total") == refused + 2  # each of them was tried
    for backend in ("b1", "b2"):
        assert path not in (lab.folder / backend / "tls.log").read_text()
    # Without a restart: the right one, and then anybody.
    assert get(serve("b1", "b2"), path)[0] == 200
    assert get(serve("b1", "b2", tls={**tls, "verify": False}), path)[0] == 200


def test_a_member_that_is_not_trusted_does_not_hurt_those_that_are(serve):
    lab = serve("b1", "b2", tls={"server_name": ""})
    assert [get(lab)[0] for _ in range(6)] == [200] * 6


def test_a_member_that_does_not_speak_tls_is_a_502_with_its_reason(serve):
    lab = serve(members=[{"address": BACKENDS["b1"][0], "port": 80}])
    assert get(lab, "/plain")[0] == 502
    assert last_error(lab, "/plain") == "tls: wrong version number"


def test_no_request_is_lost_while_settings_change(serve):
    lab = serve("b1", "b2")
    lab.static_file("live", 100_000, ("b1", "b2"))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lab.curl, "-o", "/dev/null", "-w", "%{http_code}\n", f"http://{VIP4}/static/live?[1-400]", timeout=240)
        while not asked.done():
            for tls in ({"min_version": "1.3"}, {"max_version": "1.2"}, {"certificate": "gateway"}, {"verify": False}):
                serve("b1", "b2", tls=tls)
                time.sleep(0.2)
        assert asked.result().split() == ["200"] * 400


def test_a_client_certificate_is_shown_to_who_asks(serve):
    assert get(serve(), "/private")[0] == 403
    assert get(serve(tls={"certificate": "gateway"}), "/private") == (200, "client=CN=gateway\n")


def test_health_checks_are_over_tls(serve):
    check = {"type": "http", "interval_ms": 200, "timeout_ms": 10000, "unhealthy_threshold": 1, "healthy_threshold": 1}

    def states(lab):
        groups = {g["id"]: g for g in lab.api.ok("GET", "/api/v1/health")["server_groups"]}
        assert groups["all"]["protocol"] == "https"
        return [m["state"] for m in groups["all"]["members"]]
    lab = serve("b1", "b2", health_check=check)
    wait_for(lambda: states(lab) == ["up", "up"], 60, "both to be up")
    lab = serve("b1", "b2", tls={"server_name": ""}, health_check=check)
    wait_for(lambda: states(lab) == ["up", "down"], 60, "b2 to be down")
    why = "TLS: certificate verify failed: IP address mismatch"
    wait_for(lambda: why in json.dumps(lab.api.ok("GET", "/api/v1/events")), 30, "the event")


def test_explain_says_what_members_have_to_prove(serve):
    lab = serve()
    (group,) = lab.api.ok("GET", "/api/v1/explain?url=http://x.test/")["server_groups"]
    assert group["protocol"] == "https"
    assert group["tls"] == {"verify": True, "server_name": "web.test", "certificate_authority": "inner"}


@pytest.mark.parametrize("wrong,path", [
    ({"tls": {"certificate_authority": "gone"}}, "/tls/certificate_authority"),
    ({"tls": {"certificate": "gone"}}, "/tls/certificate"),
    ({"tls": {"server_name": "not a name"}}, "/tls/server_name"),
    ({"tls": {"verify": "maybe"}}, "/tls/verify"),
    ({"protocol": "http", "tls": {}}, "/tls"),
    ({"protocol": "h3"}, "/protocol"),
])
def test_what_is_wrong_is_refused_by_its_path(serve, wrong, path):
    lab = serve()
    status, _, answer = lab.api.request("POST", "/api/v1/server-groups", {"protocol": "https", **wrong})
    assert status == 422, answer
    assert re.search(rf'"{path}"', json.dumps(answer)), answer


def test_an_authority_that_is_in_use_stays(serve):
    status, _, answer = serve().api.request("DELETE", "/api/v1/certificate-authorities/inner")
    assert status in (409, 422), answer
