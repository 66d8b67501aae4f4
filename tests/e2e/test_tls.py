# SPDX-License-Identifier: Apache-2.0
"""Records in each suite, as OpenSSL's clients see them."""
import hashlib
import subprocess

import pytest

from tests.support.lab import VIP4

pytestmark = pytest.mark.sanitizer

TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
TLS12 = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305")


def choice(suite):
    if suite in TLS13:
        return ("--tlsv1.3", "--tls13-ciphers", suite)
    return ("--tls-max", "1.2", "--ciphers", suite)


@pytest.mark.parametrize("suite", TLS13 + TLS12)
def test_bodies_pass_whole_both_ways_over_records_of_our_own(lab, suite):
    name = "records"
    want = lab.folder / "b1/www/static" / name
    if not want.exists():
        lab.static_file(name, 700_000)
    digest = hashlib.sha256(want.read_bytes()).hexdigest()
    before = lab.api.metric("sluice_tls_taken_over_total")
    got = lab.folder / "got"
    lab.curl("-k", *choice(suite), "-o", got, f"https://{VIP4}/static/{name}")
    assert hashlib.sha256(got.read_bytes()).hexdigest() == digest
    out = lab.curl("-k", *choice(suite), "--resolve", f"faulty.test:443:{VIP4}", "--data-binary", f"@{want}",
                   "https://faulty.test/sha").split()
    assert out[:2] == [digest, "700000"]
    assert lab.api.metric("sluice_tls_taken_over_total") == before + 2
    assert lab.api.metric("sluice_tls_left_with_openssl_total") == 0


def test_keys_change_at_the_clients_wish(lab):
    """s_client sends a KeyUpdate for a line that begins with k, and wants one back for K. A test that hangs is ended by pytest."""
    client = subprocess.Popen(lab.client.command("openssl", "s_client", "-connect", f"{VIP4}:443", "-tls1_3", "-crlf"),
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with client:
        try:
            for line, answer in (("k", "KEYUPDATE"), ("K", "KEYUPDATE"), ("K", "KEYUPDATE"),
                                 ("GET /after HTTP/1.1\nHost: any.test\nConnection: close\n", "uri=/after")):
                client.stdin.write(line + "\n")
                client.stdin.flush()
                out = ""
                while answer not in out:
                    out = client.stdout.readline()
                    assert out, f"s_client has ended before {answer}"
        finally:
            client.kill()
