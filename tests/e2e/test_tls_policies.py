# SPDX-License-Identifier: Apache-2.0
"""TLS policies of one's own, as openssl s_client finds them."""
import re
import subprocess

import pytest

from tests.support.lab import VIP4

pytestmark = pytest.mark.sanitizer

STRICT = {"min_version": "1.2", "max_version": "1.3", "cipher_suites_tls12": ["ECDHE-ECDSA-AES256-GCM-SHA384"],
          "cipher_suites_tls13": ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"], "groups": ["P-384", "X25519"],
          "signature_algorithms": ["ECDSA+SHA256"]}


@pytest.fixture
def policy(lab, config, restored):
    """Sets the policy of the HTTPS listener; returns nothing."""
    def configure(**policy):
        config["tls_policies"] = [{"id": "own", **policy}]
        next(x for x in config["listeners"] if x["id"] == "https")["tls_policy"] = "own"
        lab.api.apply(config)
    return configure


def agreed(lab, *options):
    """(version, suite, group) of a handshake of s_client with these options; None: it was refused."""
    done = subprocess.run(lab.client.command("openssl", "s_client", "-connect", f"{VIP4}:443", *options), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    found = re.search(r"New, (TLSv[\d.]+), Cipher is ([\w-]+)", done.stdout)
    if not found:
        assert re.search(r"alert (handshake failure|protocol version)|no protocols available", done.stdout), done.stdout
        return None
    key = re.search(r"Server Temp Key: (?:ECDH, )?([\w-]+)", done.stdout)
    return found[1], found[2], key and key[1]


def test_versions_are_kept_to(lab, policy):
    policy(min_version="1.3")
    assert agreed(lab, "-tls1_2") is None
    assert agreed(lab, "-tls1_3")[0] == "TLSv1.3"
    policy(max_version="1.2")
    assert agreed(lab, "-tls1_3") is None
    assert agreed(lab)[1] == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_suites_are_those_of_the_policy_in_its_order(lab, policy):
    policy(**STRICT)
    assert agreed(lab, "-tls1_2")[1] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert agreed(lab, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305") is None
    assert agreed(lab, "-tls1_3")[1] == "TLS_AES_256_GCM_SHA384"
    assert agreed(lab, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256") is None
    assert agreed(lab, "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256")[1] == \
        "TLS_CHACHA20_POLY1305_SHA256"


def test_groups_and_signature_algorithms_are_kept_to(lab, policy):
    policy(**STRICT)
    for version in ("-tls1_2", "-tls1_3"):
        # P-256 is that of the certificate, which a client of TLS 1.2 takes only with it.
        assert agreed(lab, version, "-groups", "P-256:X25519")[2] == "X25519"
        assert agreed(lab, version, "-groups", "P-256:P-384")[2] in ("P-384", "secp384r1")
        assert agreed(lab, version, "-groups", "P-256") is None
        assert agreed(lab, version, "-sigalgs", "ECDSA+SHA256")
    policy(**STRICT | {"signature_algorithms": ["ECDSA+SHA512"]})
    assert agreed(lab, "-tls1_2", "-sigalgs", "ECDSA+SHA256") is None


def test_a_change_holds_from_the_next_handshake_on_and_ends_no_connection(lab, policy):
    policy(**STRICT)
    client = subprocess.Popen(lab.client.command("openssl", "s_client", "-connect", f"{VIP4}:443", "-tls1_2", "-crlf", "-quiet"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with client:
        try:
            def ask(path):
                client.stdin.write(f"GET /{path} HTTP/1.1\nHost: any.test\n\n")
                client.stdin.flush()
                out = ""
                while f"uri=/{path}" not in out:
                    out = client.stdout.readline()
                    assert out, f"s_client has ended before /{path}"
            ask("before")
            lab.api.ok("PATCH", "/api/v1/tls-policies/own", {"min_version": "1.3"})
            ask("after")
            assert agreed(lab, "-tls1_2") is None
            assert agreed(lab, "-tls1_3")
        finally:
            client.kill()


def test_what_is_wrong_is_named_and_what_is_used_stays(lab, policy):
    policy(**STRICT)
    status, _, answer = lab.api.request("PATCH", "/api/v1/tls-policies/own", {"groups": ["P-384", "P-385"]})
    assert status == 422
    assert answer["errors"][0]["path"] == "/groups/1"
    assert lab.api.request("PUT", "/api/v1/tls-policies/modern", {})[0] == 422
    status, _, answer = lab.api.request("DELETE", "/api/v1/tls-policies/own")
    assert status == 409
    assert answer["errors"][0]["path"] == "/listeners/https/tls_policy"
    assert agreed(lab, "-tls1_3")[1] == "TLS_AES_256_GCM_SHA384"
    built_in = lab.api.ok("GET", "/api/v1/tls/builtin-policies")["items"]
    assert "default" in [p["id"] for p in built_in]
