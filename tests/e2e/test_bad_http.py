# SPDX-License-Identifier: Apache-2.0
"""What an attacker sends: refused with the right status, closed, and never passed to a backend."""
import contextlib
import ssl

import pytest

from tests.support.lab import wait_for

pytestmark = pytest.mark.sanitizer

HOST = b"Host: faulty.test\r\n"
SHAPES = {
    "cl and te": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
    "length list": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
    "signed length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nhello", 400),
    "huge length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
    "te in other words": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n", (400, 501)),
    "te twice": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "te on 1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "obs-fold": (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\r\n c\r\n\r\n", 400),
    "bare lf": (b"GET / HTTP/1.1\n" + b"Host: faulty.test\n\n", 400),
    "bare cr": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", 400),
    "nul in value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "space before colon": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nhello", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "host with user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "bad method": (b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "space in target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bad percent": (b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "http/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
    "http/1.2": (b"GET / HTTP/3.0\r\n" + HOST + b"\r\n", 505),
    "connect": (b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", (400, 405, 501)),
    "long line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "big head": (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: " % i + b"y" * 1000 + b"\r\n" for i in range(50)) + b"\r\n", 431),
    "many fields": (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: y\r\n" % i for i in range(200)) + b"\r\n", 431),
    "expectation": (b"GET / HTTP/1.1\r\n" + HOST + b"Expect: the-unexpected\r\n\r\n", 417),
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
}


def refused(client, data):
    """What comes back for these bytes, which may be before all of them are sent."""
    with contextlib.suppress(ConnectionError):
        client.send(data)
    return client.rest()


@pytest.mark.parametrize("name", SHAPES)
def test_ambiguous_and_malformed_requests_are_refused_and_the_connection_closed(lab, raw, name):
    data, want = SHAPES[name]
    before = lab.api.metric("sluice_http_upstream_connects_total") + lab.api.metric("sluice_http_upstream_reused_total")
    answer = refused(raw(), data)
    status = int(answer.split(b" ")[1])
    assert status in (want if isinstance(want, tuple) else (want,))
    assert answer.count(b"HTTP/1.1 ") == 1, "what followed was taken for another request"
    after = lab.api.metric("sluice_http_upstream_connects_total") + lab.api.metric("sluice_http_upstream_reused_total")
    assert after == before


@pytest.mark.parametrize("body", [b"5\nhello\r\n0\r\n\r\n", b"zz\r\n", b"-1\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n",
                                  b"5\r\nhelloXX0\r\n\r\n"])
def test_bad_chunks_end_the_connection(lab, raw, body):
    answer = refused(raw(), b"POST /sha HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer


def test_a_body_over_the_limit_is_answered_413(restored, config, raw):
    for one in config["listeners"]:
        one["max_body_bytes"] = 10_000
    restored.api.apply(config)
    head = b"POST /sha HTTP/1.1\r\n" + HOST
    assert raw().send(head + b"Content-Length: 10001\r\n\r\n").rest().startswith(b"HTTP/1.1 413")
    answer = refused(raw(), head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 4)
    assert answer.startswith(b"HTTP/1.1 413")


def test_slow_heads_are_answered_408_and_idle_connections_closed(restored, config, raw):
    def timeouts(idle):  # from the connection's begin on: a client that stalls before it sends must not be idle for too long
        for one in config["listeners"]:
            one.update(header_timeout_ms=500, idle_timeout_ms=idle, body_timeout_ms=500)
        restored.api.apply(config)
    timeouts(idle=1000)
    assert raw().rest() == b""
    timeouts(idle=60000)
    assert raw().send(b"GET / HTTP/1.1\r\n").rest().startswith(b"HTTP/1.1 408")
    assert b"HTTP/1.1 408" in raw().send(b"POST /sha HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n12").rest()


def test_plain_http_on_the_https_port_is_told_so(lab, raw):
    assert raw(port=443).send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").rest().startswith(b"HTTP/1.1 400")


def test_garbage_instead_of_tls_is_closed_and_counted(lab, raw):
    before = lab.api.metric("sluice_tls_handshakes_failed_total")
    refused(raw(port=443), b"\x00garbage" * 100)
    assert lab.api.metric("sluice_tls_handshakes_failed_total") == before + 1


def test_clients_that_vanish_at_any_point_leave_nothing_open(lab, raw):
    pieces = b"POST /sha HTTP/1.1\r\n" + HOST + b"Content-Length: 50\r\n\r\n" + b"x" * 20
    for cut in range(0, len(pieces), 7):
        raw().send(pieces[:cut]).close()
    context = ssl._create_unverified_context()
    for cut in (1, 50, 200):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        raw(port=443).send(outgoing.read()[:cut]).close()
    wait_for(lambda: lab.api.metric("sluice_http_connections_active") == 0, 60, "no client connection left")
    assert lab.curl("-o", "/dev/null", "-w", "%{http_code}", "http://10.77.0.100/") == "200"
