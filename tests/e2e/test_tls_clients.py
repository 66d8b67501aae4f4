# SPDX-License-Identifier: Apache-2.0
"""TLS as the libraries of others speak it: OpenSSL, GnuTLS, NSS, BoringSSL (Chromium), Go's and Java's own. All of them verify
the certificate's chain and name. Then testssl.sh, which looks for what is weak or broken."""
import hashlib
import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import config_with_faulty
from tests.support.lab import VIP4, wait_for
from tests.support.pki import Authority

CLIENTS = Path(__file__).parent / "clients"
NAME = "faulty.test"
VERSIONS = ("1.2", "1.3")
COUNT = itertools.count()


@pytest.fixture(scope="module")
def site(lab):
    """An ECDSA and a RSA certificate for one name, which has uploads on the faulty backend, and a page on nginx."""
    ca = Authority(lab.folder, "clients")
    ca.issue("ecdsa", [NAME])
    ca.issue("rsa", [NAME], rsa=True)
    config = config_with_faulty()
    config["certificates"] = [ca.issued("ecdsa"), ca.issued("rsa")]
    next(x for x in config["listeners"] if x["id"] == "https")["certificates"] = ["ecdsa", "rsa"]
    config["rules"].append({"id": "page", "listener": "https", "hosts": [NAME], "paths": [{"type": "prefix", "value": "/static"}],
                            "action": {"type": "forward", "server_groups": [{"server_group": "all"}]}})
    lab.api.apply(config)
    page = lab.static_file("page", 300_000)
    yield lab, ca.base / "ca.pem", page
    lab.api.apply(lab.config)


def run(lab, *command, timeout=120, **environment):
    done = subprocess.run(lab.client.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, check=False, env={**os.environ, **environment})
    return done.returncode, done.stdout


def talk(lab, page, version, *command):
    """A program for terminals gets a request for the page as input, and shows it."""
    notes = lab.folder / "notes"
    path = f"/static/page?{next(COUNT)}"
    with open(notes, "wb") as err, subprocess.Popen(lab.client.command("timeout", 90, *command), stdin=subprocess.PIPE,
                                                    stdout=subprocess.PIPE, stderr=err) as process:
        process.stdin.write(f"GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        process.stdin.flush()  # and stays open, as that of a user who waits
        out = b""
        while page.read_bytes() not in out and (more := process.stdout.read1()):
            out += more
        process.terminate()
    assert page.read_bytes() in out, (out[:2000], notes.read_text())
    (record,) = wait_for(lambda: [r for r in lab.access_log() if r.get("path") == path], 30, "the record of it")
    assert record["tls_version"] == f"TLSv{version}"
    return out


@pytest.mark.parametrize("key", ("ECDSA", "RSA"))
@pytest.mark.parametrize("version", VERSIONS)
def test_gnutls(site, version, key):
    lab, ca, page = site
    priority = f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-SIGN-ALL:" + {
        "ECDSA": "+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256",
        "RSA": "+SIGN-RSA-SHA256:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-ECDSA-SHA256:-ECDHE-ECDSA"}[key]
    out = talk(lab, page, version, "gnutls-cli", "--x509cafile", ca, "--priority", priority, "--sni-hostname", NAME, "--verify-hostname",
               NAME, "-p", 443, VIP4)
    assert {"ECDSA": b"CN=ecdsa", "RSA": b"CN=rsa"}[key] in out, out[:2000]


@pytest.mark.parametrize("version", VERSIONS)
def test_nss(site, version):
    lab, ca, page = site
    store = lab.folder / f"nss-{version}"
    store.mkdir()
    subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True)
    subprocess.run(["certutil", "-A", "-d", f"sql:{store}", "-n", "ca", "-t", "C,,", "-i", ca], check=True)
    talk(lab, page, version, "tstclnt", "-h", VIP4, "-a", NAME, "-p", 443, "-d", f"sql:{store}", "-V", f"tls{version}:tls{version}")


def fetched(site, version, *command, **environment):
    lab, ca, page = site
    upload = lab.folder / "upload"
    upload.write_bytes(os.urandom(200_000))
    status, out = run(lab, *command, ca, VIP4, NAME, version, "/static/page", upload, **environment)
    assert status == 0, out.decode(errors="replace")
    assert out.decode().split() == [hashlib.sha256(upload.read_bytes()).hexdigest(), hashlib.sha256(page.read_bytes()).hexdigest(),
                                    version, "true"]


@pytest.mark.parametrize("version", VERSIONS)
def test_go(site, version):
    program = site[0].folder / "fetch"
    if not program.exists():
        subprocess.run(["go", "build", "-o", program, CLIENTS / "fetch.go"], check=True,
                       env={**os.environ, "GOCACHE": str(site[0].folder / "go"), "GO111MODULE": "off"})
    fetched(site, version, program)


@pytest.mark.parametrize("version", VERSIONS)
def test_java(site, version):
    fetched(site, version, "java", CLIENTS / "Fetch.java")


def test_chromium(site):
    lab, ca, _ = site
    home = lab.folder / "home"
    store = home / ".pki/nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True)
    subprocess.run(["certutil", "-A", "-d", f"sql:{store}", "-n", "ca", "-t", "C,,", "-i", ca], check=True)
    status, out = run(lab, "timeout", 110, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                      f"--user-data-dir={home}/profile", f"--host-resolver-rules=MAP * {VIP4}", "--dump-dom",
                      f"https://{NAME}/head", HOME=str(home))
    page = out.decode(errors="replace")
    assert status == 0 and f"host: {NAME}" in page.lower() and "sec-fetch-mode: navigate" in page.lower(), page[:3000]


def test_testssl_finds_nothing_above_low(site):
    lab, ca, _ = site
    report = lab.folder / "testssl.json"
    checks = ("--protocols", "--std", "--fs", "--server-preference", "--server-defaults", "--vulnerable")  # not the backend's page
    _, out = run(lab, "testssl", "--quiet", "--color", 0, "--warnings", "off", "--ip", VIP4, "--nodns", "min", "--add-ca", ca, *checks,
                 "--jsonfile", report, f"https://{NAME}:443/", timeout=280)
    # Of the openssl that it runs; and of sessions, which it tries with clients that may be gone before the ticket comes.
    findings = [f for f in json.loads(report.read_text()) if f["id"] not in ("engine_problem", "sessionresumption_ticket")]
    assert len(findings) > 100, out.decode(errors="replace")[-3000:]
    assert not [f for f in findings if f["severity"] not in ("OK", "INFO", "LOW")]
