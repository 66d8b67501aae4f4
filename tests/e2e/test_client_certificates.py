# SPDX-License-Identifier: Apache-2.0
"""Client certificates as curl and OpenSSL show them, and what backends learn of them."""
import hashlib
import ssl
import urllib.parse

import pytest

from tests.support.lab import VIP4
from tests.support.pki import Authority
from tests.support.tls_client import VERSIONS, client_context, get

pytestmark = pytest.mark.sanitizer


@pytest.fixture(scope="module")
def pki(lab):
    made = Authority(lab.folder, "staff")
    for name in ("alice", "bob"):
        made.issue(name)
    made.revoke("bob")
    return made


@pytest.fixture
def ask(lab, config, pki, restored):
    """Asks clients for certificates on the HTTPS listener; returns a function that asks a backend what it was told."""
    def configure(**how):
        config["certificate_authorities"] = [pki.resource()]
        listener = next(x for x in config["listeners"] if x["id"] == "https")
        listener["client_authentication"] = {"certificate_authority": "staff", **how}
        lab.api.apply(config)
        return lambda *args, **kwargs: told(lab, *args, **kwargs)
    return configure


def told(lab, *args, check=True):
    """The fields of a request to /head that tell of the client's certificate."""
    out = lab.curl("-k", "--resolve", f"faulty.test:443:{VIP4}", *args, "https://faulty.test/head", check=check)
    if not check:
        return out
    fields = [line.split(": ", 1) for line in out.splitlines() if ": " in line]
    return {name.lower(): value for name, value in fields if name.lower().replace("_", "-").startswith("ssl-client")}


def shows(pki, name):
    return "--cert", pki.folder / f"{name}.pem", "--key", pki.folder / f"{name}.key"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_required_certificate_is_verified_and_told_to_the_backend(ask, pki, version):
    backend = ask(pass_certificate=True)
    got = backend("--tlsv" + version, "--tls-max", version, *shows(pki, "alice"))
    assert got["ssl-client-verify"] == "SUCCESS"
    assert got["ssl-client-subject-dn"] == "CN=alice"
    assert got["ssl-client-issuer-dn"] == "CN=staff"
    pem = (pki.folder / "alice.pem").read_text()
    assert got["ssl-client-fingerprint"] == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    assert urllib.parse.unquote(got["ssl-client-cert"]) == pem


@pytest.mark.parametrize("version", VERSIONS)
def test_without_or_with_a_wrong_certificate_there_is_no_connection(lab, ask, pki, version, tmp_path):
    backend = ask()
    stranger = Authority(tmp_path, "staff")  # of the same name
    stranger.issue("mallory")
    before = lab.api.metric("sluice_tls_clients_refused_total")
    for client in ((), shows(pki, "bob"), shows(stranger, "mallory")):
        done = backend("--tlsv" + version, "--tls-max", version, *client, check=False)
        assert done.returncode in (35, 55, 56), (client, done.stderr)
        assert "alert" in done.stderr
    assert lab.api.metric("sluice_tls_clients_refused_total") == before + 3


def test_an_optional_certificate_may_be_missing_and_not_wrong(ask, pki):
    backend = ask(mode="optional")
    assert backend() == {"ssl-client-verify": "NONE"}
    assert backend(*shows(pki, "alice"))["ssl-client-subject-dn"] == "CN=alice"
    assert backend(*shows(pki, "bob"), check=False).returncode != 0


def test_nobody_forges_what_backends_are_told(lab, ask, pki):
    forged = [x for name in ("ssl-client-verify", "SSL_Client_Verify", "ssl-client-subject-dn", "ssl_client-cert")
              for x in ("-H", f"{name}: forged")]
    assert told(lab, *forged) == {}  # of a listener that asks for none
    backend = ask(mode="optional")
    assert backend(*forged) == {"ssl-client-verify": "NONE"}
    assert "forged" not in str(backend(*forged, *shows(pki, "alice")))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_resumed_session_keeps_its_verdict_and_other_rules_end_it(lab, ask, pki, version):
    ask()
    context = client_context(version)
    context.load_cert_chain(pki.folder / "alice.pem", pki.folder / "alice.key")

    def ask_again(session=None):
        resumed, session, answer = get(lab, context, session, "faulty.test", "/head")
        return resumed, session, answer.lower()
    _, session, _ = ask_again()
    resumed, session, answer = ask_again(session)
    assert resumed
    assert "ssl-client-subject-dn: cn=alice" in answer
    ask(verify_depth=3)
    resumed, _, answer = ask_again(session)
    assert not resumed
    assert "ssl-client-subject-dn: cn=alice" in answer


def test_hsts_is_in_answers_over_tls_only(lab, config, restored):
    next(x for x in config["listeners"] if x["id"] == "https")["hsts"] = {"include_subdomains": True}
    lab.api.apply(config)
    field = "strict-transport-security: max-age=31536000; includesubdomains"
    assert field in lab.curl("-kI", f"https://{VIP4}/").lower()
    assert "strict-transport" not in lab.curl("-I", f"http://{VIP4}/").lower()
