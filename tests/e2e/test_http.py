# SPDX-License-Identifier: Apache-2.0
"""Ordinary HTTP and HTTPS through the appliance, as curl and nginx see it."""
import hashlib
import json
import re

import pytest

from tests.support.lab import VIP4, VIP6, run, wait_for

pytestmark = pytest.mark.sanitizer


def faulty(path, scheme="http"):
    port = 443 if scheme == "https" else 80
    return ("-k", "--resolve", f"faulty.test:{port}:{VIP4}", f"{scheme}://faulty.test{path}")


@pytest.mark.parametrize("url", [f"http://{VIP4}/a?b=c", f"https://{VIP4}/a?b=c", f"http://[{VIP6}]/a?b=c",
                                 f"https://[{VIP6}]/a?b=c"])
def test_a_get_reaches_nginx_and_comes_back_over_both_schemes_and_families(lab, url):
    body = lab.curl("-gk", "-w", " %{http_code} %{http_version}", url)
    assert "uri=/a?b=c" in body and body.endswith(" 200 1.1")
    assert f"proto={url.split(':')[0]} " in body


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_1_2_and_1_3_are_spoken(lab, version):
    out = lab.curl("-kv", f"--tlsv{version}", "--tls-max", version, f"https://{VIP4}/", check=False)
    assert out.returncode == 0, out.stderr
    assert f"SSL connection using TLSv{version}" in out.stderr
    assert "ALPN: server accepted http/1.1" in out.stderr


def test_tls_1_1_is_refused(lab):
    assert lab.curl("-k", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", f"https://{VIP4}/",
                    check=False).returncode == 35


def test_requests_are_spread_over_all_members(lab):
    out = lab.curl(*[f"http://{VIP4}/{i}" for i in range(9)])
    counts = [out.count(f"backend={b} ") for b in ("b1", "b2", "b3")]
    assert counts == [3, 3, 3]


def test_the_host_picks_the_rule(lab):
    out = lab.curl("-H", "Host: ONE.test.", *[f"http://{VIP4}/{i}" for i in range(3)])
    assert out.count("backend=b1 ") == 3


def test_keep_alive_serves_many_requests_on_one_connection(lab):
    out = lab.curl("-w", "new=%{num_connects}\n", *[f"http://{VIP4}/{i}" for i in range(5)])
    assert re.findall(r"new=(\d)", out) == ["1", "0", "0", "0", "0"]


def test_head_has_the_length_and_no_body(lab):
    out = lab.curl("-I", f"http://{VIP4}/")
    assert out.startswith("HTTP/1.1 200") and re.search(r"(?i)content-length: [1-9]", out)


def test_forwarded_headers_are_set_and_the_clients_own_replaced(lab):
    out = lab.curl("-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Real-IP: 6.6.6.6", "-H", "X-Forwarded-Proto: gopher", "-H",
                   "Connection: close, X-Hop", "-H", "X-Hop: 1", "-H", "Keep-Alive: 5", *faulty("/head"))
    fields = {k.lower(): v for k, v in (line.split(": ", 1) for line in out.splitlines()[1:] if ": " in line)}
    assert fields["x-forwarded-for"] == "10.77.0.2"
    assert fields["x-real-ip"] == "10.77.0.2"
    assert fields["x-forwarded-proto"] == "http"
    assert fields["x-forwarded-host"] == "faulty.test"
    assert fields["x-forwarded-port"] == "80"
    assert len(fields["x-request-id"]) >= 16
    assert fields["host"] == "faulty.test"
    assert "x-hop" not in fields and "keep-alive" not in fields


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("size", [0, 1, 1447, 1448, 16384, 65536, 3_000_000])
def test_downloads_of_any_size_are_byte_exact(lab, scheme, size):
    name = f"d{size}"
    want = lab.folder / "b1/www/static" / name
    if not want.exists():
        lab.static_file(name, size)
    got = lab.folder / "got"
    lab.curl("-k", "-o", got, f"{scheme}://{VIP4}/static/{name}")
    assert hashlib.sha256(got.read_bytes()).digest() == hashlib.sha256(want.read_bytes()).digest()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [1, 20_000, 3_000_000])
def test_uploads_are_byte_exact_with_length_and_chunked(lab, scheme, chunked, size):
    source = lab.folder / "up"
    source.write_bytes(bytes(i * 7 % 251 for i in range(4096)) * (size // 4096) + b"z" * (size % 4096))
    extra = ("-H", "Transfer-Encoding: chunked") if chunked else ()
    out = lab.curl(*extra, "--data-binary", f"@{source}", *faulty("/sha", scheme)).split()
    assert out == [hashlib.sha256(source.read_bytes()).hexdigest(), str(size), "chunked" if chunked else "length"]


def test_expect_100_continue_sends_the_body_after_the_go_ahead(lab):
    source = lab.folder / "up"
    source.write_bytes(b"x" * 100_000)
    done = lab.curl("-v", "-H", "Expect: 100-continue", "--expect100-timeout", "30", "--data-binary", f"@{source}",
                    *faulty("/sha"), check=False)
    assert "100 Continue" in done.stderr and " 100000 " in done.stdout


def test_chunked_responses_and_trailers_pass(lab, raw):
    client = raw().send(b"GET /chunked/5 HTTP/1.1\r\nHost: faulty.test\r\nTE: trailers\r\n\r\n")
    head = client.until(b"\r\n\r\n").lower()
    assert b"transfer-encoding: chunked" in head
    body = client.until(b"\r\n0\r\n")
    assert body.count(b"c") == 5000
    assert client.until(b"\r\n\r\n").lower().startswith(b"x-sum: 42")
    assert client.send(b"GET /head HTTP/1.1\r\nHost: faulty.test\r\n\r\n").response()[0] == 200


def test_a_body_that_ends_by_close_becomes_chunked(lab):
    assert lab.curl(*faulty("/until-close")) == "until close\n" * 100


def test_http_1_0_clients_get_no_chunks_and_a_close(lab, raw):
    client = raw().send(b"GET /chunked/3 HTTP/1.0\r\nHost: faulty.test\r\n\r\n")
    answer = client.rest()
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b"transfer-encoding" not in head.lower()
    assert body == b"c" * 3000


def test_pipelined_requests_are_answered_in_order(lab, raw):
    client = raw().send(b"".join(b"GET /%d HTTP/1.1\r\nHost: one.test\r\n\r\n" % i for i in range(20)))
    for i in range(20):
        status, _, body = client.response()
        assert status == 200 and f"uri=/{i} ".encode() in body


def test_early_hints_pass(lab):
    out = lab.curl("-i", *faulty("/hints"))
    assert "103 Early Hints" in out and "after hints" in out


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body_keep_the_connection(lab, raw, status):
    client = raw().send(b"GET /status/%d HTTP/1.1\r\nHost: faulty.test\r\n\r\n" % status)
    assert client.response()[0] == status
    assert client.send(b"GET /head HTTP/1.1\r\nHost: faulty.test\r\n\r\n").response()[0] == 200


def test_websocket_upgrade_becomes_a_tunnel(lab, raw):
    client = raw().send(b"GET /ws HTTP/1.1\r\nHost: faulty.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    for size in (1, 1000, 300_000):
        blob = bytes(range(256)) * (size // 256) + b"e" * (size % 256)
        client.send(blob)
        assert client.exactly(size) == blob


def test_no_rule_is_answered_404_and_no_member_503(restored, config):
    config["server_groups"].append({"id": "empty", "members": []})
    config["rules"] = [{"id": "e", "listener": "http", "hosts": ["empty.test"], "paths": [],
                        "action": {"type": "forward", "server_groups": [{"server_group": "empty"}]}}]
    restored.api.apply(config)
    assert restored.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/") == "404"
    assert restored.curl("-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: empty.test", f"http://{VIP4}/") == "503"


def test_redirects_and_fixed_responses_come_from_the_appliance(restored, config):
    config["rules"] = [
        {"id": "r", "listener": "http", "hosts": ["r.test"], "paths": [{"type": "prefix", "value": "/"}],
         "action": {"type": "redirect", "status": 308, "scheme": "https"}},
        {"id": "f", "listener": "http", "hosts": ["f.test"], "paths": [{"type": "exact", "value": "/teapot"}],
         "action": {"type": "fixed_response", "status": 418, "content_type": "text/plain", "body": "short and stout"}}]
    restored.api.apply(config)
    out = restored.curl("-H", "Host: r.test", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://{VIP4}/x?y=1")
    assert out == "308 https://r.test/x?y=1"
    out = restored.curl("-H", "Host: f.test", "-w", " %{http_code}", f"http://{VIP4}/teapot")
    assert out == "short and stout 418"


def test_the_access_log_tells_the_request(lab):
    mark = "find-me-in-the-log"
    lab.curl("-k", "-H", f"X-Request-ID: {mark}", f"https://{VIP4}/logged?q=1")
    record = wait_for(lambda: [r for r in lab.access_log() if r.get("request_id") == mark], 30, "the record")[0]
    assert record["status"] == 200 and record["method"] == "GET" and record["path"] == "/logged?q=1"
    assert record["client"].startswith("10.77.0.2:") and record["upstream"].startswith("10.78.0.1")
    assert record["listener"] == "https" and record["rule"] == "https-all"
    assert json.dumps(record)


def test_sni_picks_the_certificate(restored, config):
    for name in ("first", "second"):
        folder = restored.folder
        run("openssl", "req", "-x509", "-newkey", "rsa:2048" if name == "first" else "ec", *(
            [] if name == "first" else ["-pkeyopt", "ec_paramgen_curve:P-256"]), "-nodes", "-days", "2", "-subj",
            f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.test,DNS:*.{name}.test", "-keyout",
            folder / f"{name}.key", "-out", folder / f"{name}.pem")
        config.setdefault("certificates", []).append({
            "id": name, "certificate": (folder / f"{name}.pem").read_text(),
            "private_key": (folder / f"{name}.key").read_text()})
    config["listeners"][1]["certificates"] = ["first", "second"]
    restored.api.apply(config)
    for host, name in (("first.test", "first"), ("a.second.test", "second"), ("other.test", "first"), (None, "first")):
        args = ["-servername", host] if host else ["-noservername"]
        out = restored.client.run("bash", "-c", f"openssl s_client -connect {VIP4}:443 {' '.join(args)} </dev/null 2>&1")
        assert f"CN = {name}" in out, out
    shown = restored.api.ok("GET", "/api/v1/certificates")
    assert "PRIVATE KEY" not in json.dumps(shown)


def test_wrk_sees_no_error_over_many_connections(lab):
    made = 0
    for _ in range(10):  # a machine that stalls for a whole run makes few
        out = lab.client.run("wrk", "-t1", "-c64", "-d4s", "--timeout", "60s", "-H", "Host: one.test", f"http://{VIP4}/")
        assert "Socket errors" not in out and "Non-2xx" not in out, out
        made += int(re.search(r"(\d+) requests in", out)[1])
        if made > 200:
            return
    pytest.fail(f"{made} requests")
