# SPDX-License-Identifier: Apache-2.0
"""OCSP stapling between a real responder (openssl ocsp) and real clients (openssl s_client, curl)."""
import re
import subprocess
import time

import pytest

from tests.support.lab import VIP4, Lab, basic_config, wait_for
from tests.support.netns import stop
from tests.support.pki import Authority

# On the kernel's network, where management asks; not a loopback address, which certificates may not name.
RESPONDER, PORT = "10.99.0.1", 8888


@pytest.fixture(scope="module")
def lab():
    with Lab("slt") as made:
        made.lb.ip("address", "add", f"{RESPONDER}/32", "dev", "lo")
        made.start_nginx("b1")
        made.start()
        yield made
        status = made.stop()
        assert status == 0, made.log_text()[-4000:]


@pytest.fixture(scope="module")
def authority(lab):
    made = Authority(lab.folder, "issuer")
    for name in ("shop", "kept", "doomed"):
        made.issue(name, [f"{name}.test"], extensions=[f"authorityInfoAccess=OCSP;URI:http://{RESPONDER}:{PORT}/"])
    made.issue("sly", ["sly.test"], extensions=[f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{PORT}/", "tlsfeature=status_request"])
    return made


@pytest.fixture
def responder(lab, authority):
    process = start_responder(lab, authority)
    yield process
    stop(process)


def start_responder(lab, authority, minutes=1):
    process = authority.start_responder(lab.lb, PORT, minutes)
    wait_for(lambda: lab.lb.run("ss", "-Hltn", f"sport = :{PORT}").strip(), 60, "the responder")
    return process


def present(lab, authority, *names):
    config = basic_config()
    config["certificates"] = [authority.issued(name, chain=True) for name in names]
    next(x for x in config["listeners"] if x["id"] == "https")["certificates"] = list(names)
    lab.api.apply(config)


def stapled(lab, name="shop", version="1.3"):
    """What s_client is handed with the certificate: "good", "revoked", or None."""
    done = subprocess.run(lab.client.command("openssl", "s_client", "-connect", f"{VIP4}:443", "-servername", f"{name}.test",
                                             "-status", "-tls" + version.replace(".", "_")), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    found = re.search(r"Cert Status: (\w+)", done.stdout)
    assert found or "OCSP response: no response sent" in done.stdout, done.stdout
    return found and found[1]


def status(lab, name="shop"):
    """Absent in the first second of a certificate."""
    path = f"/api/v1/certificates/{name}"
    return wait_for(lambda: lab.api.ok("GET", path)["status"].get("ocsp"), 60, "something to be known")


def event_types(lab, name):
    return [e["type"] for e in lab.api.ok("GET", "/api/v1/events?limit=1000")["items"] if e["subject"] == name]


def wait_for_events(lab, name, wanted):
    """They come after what they tell of is shown."""
    wait_for(lambda: wanted <= set(event_types(lab, name)), 60, f"the events {wanted}")


def wait_for_staple(lab, name="shop"):
    """Until it is kept, and handed out: the status is shown first."""
    wait_for(lambda: status(lab, name)["state"] == "stapled", 60, f"a staple of {name}")
    wait_for(lambda: stapled(lab, name), 60, f"the staple of {name} to be handed out")


@pytest.mark.sanitizer
def test_clients_that_ask_get_the_status_in_tls12_and_13(lab, authority, responder):
    present(lab, authority, "shop")
    wait_for_staple(lab)
    assert [stapled(lab, version=v) for v in ("1.2", "1.3")] == ["good", "good"]
    for version in ("1.2", "1.3"):  # curl verifies it, signature and all
        lab.curl("--cacert", authority.base / "ca.pem", "--cert-status", "--tlsv" + version, "--tls-max", version, "--resolve",
                 f"shop.test:443:{VIP4}", "https://shop.test/")
    shown = status(lab)
    assert shown["certificate_status"] == "good"
    assert shown["responder"] == f"http://{RESPONDER}:{PORT}/"
    assert shown["error"] is None
    assert shown["this_update"] < shown["next_request"] < shown["next_update"]
    assert lab.api.metric("sluice_ocsp_stapled", certificate="shop") == 1
    assert 0 < lab.api.metric("sluice_ocsp_next_update_in_seconds", certificate="shop") <= 60
    assert lab.api.metric("sluice_tls_ocsp_stapled_total") >= 4


@pytest.mark.sanitizer
def test_a_restart_staples_at_once_without_its_responder(lab, authority):
    responder = start_responder(lab, authority, minutes=60)  # however long the restart takes
    try:
        present(lab, authority, "kept")
        wait_for_staple(lab, "kept")
    finally:
        stop(responder)
    assert lab.stop() == 0
    lab.start()
    assert stapled(lab, "kept") == "good"


@pytest.mark.sanitizer
def test_no_certificate_sends_the_appliance_to_its_own_loopback(lab, authority, responder):
    present(lab, authority, "sly")
    shown = wait_for(lambda: (s := status(lab, "sly"))["error"] and s, 60, "a failure")
    assert shown["error"]["reason"] == "address_refused"
    assert shown["must_staple"]
    assert stapled(lab, "sly") is None
    assert lab.api.metric("sluice_ocsp_failures_total", reason="address_refused") >= 1
    wait_for_events(lab, "sly", {"ocsp_failing", "must_staple_missing"})


@pytest.mark.sanitizer
def test_stapling_is_switched_off_and_on_while_it_runs(lab, authority, responder):
    present(lab, authority, "shop")
    wait_for_staple(lab)
    lab.api.ok("PATCH", "/api/v1/certificates/shop", {"ocsp_stapling": False})
    wait_for(lambda: status(lab)["state"] == "off", 60, "it to be off")
    wait_for(lambda: stapled(lab) is None, 60, "no staple")
    lab.api.ok("PATCH", "/api/v1/certificates/shop", {"ocsp_stapling": None})
    wait_for_staple(lab)
    assert stapled(lab) == "good"


def test_it_is_asked_again_in_time_told_of_revocation_and_serves_nothing_that_has_ended(lab, authority, responder):
    """The answers of openssl's responder are good for a minute at least."""
    present(lab, authority, "doomed")
    wait_for_staple(lab, "doomed")
    first = status(lab, "doomed")
    assert stapled(lab, "doomed") == "good"
    authority.revoke("doomed")
    stop(responder)  # it reads its index anew only after the next answer
    second_responder = start_responder(lab, authority)
    end = time.monotonic() + 75  # the minute, in whose half it is asked again, and a quarter for who has no time
    while (served := stapled(lab, "doomed")) == "good":
        assert time.monotonic() < end, "neither asked again nor ended"
        time.sleep(1)
    assert served == "revoked", "at no moment without a staple"
    wait_for(lambda: status(lab, "doomed")["certificate_status"] == "revoked", 60, "the revocation to be shown")
    second = status(lab, "doomed")
    assert second["this_update"] > first["this_update"]
    wait_for_events(lab, "doomed", {"certificate_revoked"})

    stop(second_responder)
    wait_for(lambda: status(lab, "doomed")["failures"], 60, "a failure")
    assert stapled(lab, "doomed") == "revoked", "the old one serves to its end"
    wait_for(lambda: status(lab, "doomed")["state"] == "missing", 90, "its end")
    assert stapled(lab, "doomed") is None
    wait_for_events(lab, "doomed", {"ocsp_expired"})
    assert event_types(lab, "doomed")[-2:] == ["ocsp_failing", "ocsp_expired"]
    third_responder = start_responder(lab, authority)
    wait_for(lambda: stapled(lab, "doomed") == "revoked", 90, "the responder's return")
    stop(third_responder)


def test_the_operators_responder_is_asked_instead_wherever_it_is(lab, authority, responder):
    lab.stop()
    lab.extra_config = f'ocsp = {{ responder = "http://127.0.0.1:{PORT}/"; }};'
    lab.start()
    present(lab, authority, "sly")
    wait_for_staple(lab, "sly")
    assert stapled(lab, "sly") == "good"
