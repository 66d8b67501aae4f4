# SPDX-License-Identifier: Apache-2.0
"""Handshakes with an engine, and with a provider, that do their operations asynchronously: tests/support/async_engine and async_provider."""
import re
import socket
import struct
import subprocess
import time

import pytest

from tests.support.handshake_storm import client_hello
from tests.support.lab import ROOT, VIP4, Lab, basic_config, wait_for
from tests.support.pki import openssl

pytestmark = pytest.mark.sanitizer

CONNECTIONS = 200


def built(name, out):
    source = ROOT / f"tests/support/{name}/{name}.cc"
    subprocess.run(["c++", "-std=c++20", "-O1", "-shared", "-fPIC", "-Wl,-z,nodelete", "-I", ROOT, source, "-o", out, "-lcrypto"],
                   check=True)
    return out


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """Its shared object, made without sanitizers: any build loads it."""
    return built("async_engine", tmp_path_factory.mktemp("engine") / "sluice-test-engine.so")


@pytest.fixture(scope="module")
def rsa(tmp_path_factory):
    """The more usual kind of certificate, as the REST API takes it."""
    folder = tmp_path_factory.mktemp("rsa")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", "/CN=any.test", "-addext",
            "subjectAltName=DNS:any.test", "-keyout", folder / "key", "-out", folder / "pem")
    return {"id": "rsa", "certificate": (folder / "pem").read_text(), "private_key": (folder / "key").read_text()}


def setting(engine, *commands, jobs=16):
    return f'tls = {{ engine = "{engine}"; engine_commands = [ {", ".join(chr(34) + c + chr(34) for c in commands)} ]; ' \
           f'engine_jobs = {jobs}; }};'


def preferring(provider):
    return f'tls = {{ providers = [ "{provider}" ]; properties = "?provider=sluice-test"; }};'


def serve(lab, certificate):
    for name in ("b1", "b2", "b3"):
        lab.start_nginx(name)
    lab.start()
    config = basic_config()
    config["certificates"] = [certificate]
    config["listeners"][1]["certificates"] = [certificate["id"]]
    lab.api.apply(config)


def engine_metric(lab, name):
    return lab.api.metric(f"sluice_tls_engine_{name}")


def failing(lab):
    """Events that tell of it."""
    return [e for e in lab.api.ok("GET", "/api/v1/events?after=0")["items"] if e["type"] == "tls_engine_failing"]


def test_requests_of_many_clients_are_answered_while_others_leave(engine, rsa):
    with Lab("sle", workers=2, extra_config=setting(engine, "DELAY=30", "FULL_PERCENT=10", "FAIL_PERCENT=5")) as lab:
        serve(lab, rsa)
        hello = client_hello("any.test")
        leaving = []
        for _ in range(60):
            with lab.client.entered():
                sock = socket.create_connection((VIP4, 443), timeout=30)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(hello)
            leaving.append(sock)
        load = subprocess.Popen(lab.client.command("h2load", "--h1", "-n", CONNECTIONS, "-c", CONNECTIONS, "-t", 1,
                                                   f"https://{VIP4}/"), stdout=subprocess.PIPE, text=True)
        for sock in leaving:
            sock.close()
        out = load.communicate(timeout=200)[0]
        assert f"{CONNECTIONS} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
        for version in ("--tlsv1.3", "--tls-max"):
            assert "backend=" in lab.curl("-k", version, *(["1.2"] if version == "--tls-max" else []), f"https://{VIP4}/")
        wait_for(lambda: engine_metric(lab, "jobs_in_flight") == 0, 60, "the engine to have ended all jobs")
        assert engine_metric(lab, "jobs_total") == engine_metric(lab, "jobs_finished_total") >= CONNECTIONS
        assert engine_metric(lab, "failures_total") > 0

        def in_service():  # as it was, or again after a trial: a second in which this machine did nothing, the engine did nothing
            lab.curl("-k", f"https://{VIP4}/")
            return engine_metric(lab, "suspended") == 0
        assert in_service() or (engine_metric(lab, "stalls_total") > 0 and wait_for(in_service, 90, "the engine to be relied on"))
        wait_for(lambda: lab.api.metric("sluice_tls_sessions") == 0, 60, "all connections to be gone")
        assert lab.stop() == 0, lab.log_text()[-4000:]


def test_an_engine_that_fails_is_told_of_and_done_without(engine, rsa):
    with Lab("sle", extra_config=setting(engine, "FAIL_PERCENT=100")) as lab:
        serve(lab, rsa)
        begin = time.monotonic()
        for _ in range(20):
            assert "backend=" in lab.curl("-k", "--curves", "X25519", f"https://{VIP4}/")
        trials = (time.monotonic() - begin) // 10  # one every 10 s
        failures = engine_metric(lab, "failures_total")
        assert 8 <= failures <= 8 + trials
        assert engine_metric(lab, "suspended") == 1
        # Three operations a handshake: in the third one it is enough. A trial ends with its first.
        assert engine_metric(lab, "bypassed_total") == 20 - 3 - (failures - 8)
        assert lab.api.metric("sluice_tls_handshakes_failed_total") == 0
        wait_for(lambda: failing(lab), 30, "an event")
        assert failing(lab)[0]["subject"] == str(engine)
        assert "operation(s) failed and were done in software" in failing(lab)[0]["message"]
        assert lab.stop() == 0, lab.log_text()[-4000:]


def test_one_that_is_found_by_its_id_serves_handshakes_and_nobody_else(engine, rsa, monkeypatch):
    monkeypatch.setenv("OPENSSL_ENGINES", str(engine.parent))
    # libcurl, which sluiced starts behind it, has OpenSSL offer all engines that it knows of to everybody: its API, too.
    monkeypatch.setenv("SLUICE_TEST_ENGINE_JOBS_ONLY", "1")
    with Lab("sle", extra_config=setting(engine.stem, "DELAY=8", "FAIL_PERCENT=100")) as lab:
        serve(lab, rsa)
        assert f"by engine {engine.stem}, which the workers poll" in lab.log_text()
        for version in (["--tlsv1.3"], ["--tls-max", "1.2"]):
            assert "backend=" in lab.curl("-k", "--curves", "X25519", *version, f"https://{VIP4}/")
        # A fresh key, the secret and the signature of each.
        assert engine_metric(lab, "jobs_total") == engine_metric(lab, "jobs_finished_total") == 6
        assert engine_metric(lab, "failures_total") == 6
        assert lab.api.metric("sluice_tls_handshakes_failed_total") == 0
        wait_for(lambda: failing(lab), 30, "an event")
        assert failing(lab)[0]["subject"] == engine.stem
        assert lab.stop() == 0, lab.log_text()[-4000:]


def test_an_id_that_the_folder_of_engines_does_not_have_is_told_with_its_file(engine, monkeypatch):
    monkeypatch.setenv("OPENSSL_ENGINES", str(engine.parent))
    with Lab("sle", extra_config=setting("sluice-other-engine")) as lab:
        lab.launch()
        assert lab.sluiced.wait(90) == 1
        assert re.search(f'tls.engine "sluice-other-engine" cannot be loaded: .*{engine.parent}/sluice-other-engine.so', lab.log_text())


@pytest.mark.parametrize("name, commands, why", [
    ("qatengnie", (), 'tls.engine "qatengnie" cannot be loaded: '),
    (None, ("SEDE=1",), 'refuses the command "SEDE=1"')])
def test_an_engine_that_cannot_be_had_as_configured_ends_the_start(engine, name, commands, why):
    with Lab("sle", extra_config=setting(name or engine, *commands)) as lab:
        lab.launch()
        assert lab.sluiced.wait(90) == 1
        assert why in lab.log_text()


def test_providers_are_loaded_beside_the_default_one(rsa):
    with Lab("sle", extra_config='tls = { providers = [ "legacy", "base" ]; properties = "?provider=legacy"; };') as lab:
        serve(lab, rsa)
        for version in (["--tlsv1.3"], ["--tls-max", "1.2"]):
            assert "backend=" in lab.curl("-k", *version, f"https://{VIP4}/")
        assert "OpenSSL's providers are default, legacy, base; preferred: ?provider=legacy" in lab.log_text()
        assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    return built("async_provider", tmp_path_factory.mktemp("provider") / "sluice-test-provider.so")


def test_a_provider_that_pauses_by_itself_serves_many_clients(provider, rsa):
    with Lab("sle", workers=2, extra_config=preferring(provider)) as lab:
        serve(lab, rsa)
        out = lab.client.run("h2load", "--h1", "-n", CONNECTIONS, "-c", CONNECTIONS, "-t", 1, f"https://{VIP4}/")
        assert f"{CONNECTIONS} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
        assert "backend=" in lab.curl("-k", "--tls-max", "1.2", f"https://{VIP4}/")
        assert engine_metric(lab, "jobs_total") == engine_metric(lab, "jobs_finished_total") == CONNECTIONS + 1
        assert engine_metric(lab, "failures_total") == 0
        assert not failing(lab)
        assert lab.stop() == 0, lab.log_text()[-4000:]


def test_a_provider_that_fails_is_told_of_and_done_without(provider, rsa, monkeypatch):
    monkeypatch.setenv("SLUICE_TEST_PROVIDER", "fail=100")
    with Lab("sle", extra_config=preferring(provider)) as lab:
        serve(lab, rsa)
        begin = time.monotonic()
        answers = [lab.curl("-k", f"https://{VIP4}/", check=False) for _ in range(20)]
        trials = (time.monotonic() - begin) // 10  # one every 10 s
        failed = [n for n, a in enumerate(answers) if a.returncode != 0]
        assert failed[:8] == list(range(8))
        assert len(failed) <= 8 + trials
        assert engine_metric(lab, "failures_total") == len(failed)
        assert engine_metric(lab, "suspended") == 1
        wait_for(lambda: failing(lab), 30, "an event")
        assert failing(lab)[0]["subject"] == str(provider)
        assert "handshake(s) failed" in failing(lab)[0]["message"]
        assert lab.stop() == 0, lab.log_text()[-4000:]


@pytest.mark.parametrize("settings, why", [
    ('providers = [ "legcay" ];', 'tls.provider "legcay" cannot be loaded: '),
    ('providers = [ "/nowhere/provider.so" ];', 'tls.provider "/nowhere/provider.so" cannot be loaded: '),
    ('providers = [ "base" ]; properties = "provider=base";', 'tls.properties "provider=base" leave nothing to make a TLS context of: ')])
def test_providers_that_cannot_be_had_as_configured_end_the_start(settings, why):
    with Lab("sle", extra_config=f"tls = {{ {settings} }};") as lab:
        lab.launch()
        assert lab.sluiced.wait(90) == 1
        assert why in lab.log_text()
