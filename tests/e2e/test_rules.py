# SPDX-License-Identifier: Apache-2.0
"""The configuration changes while requests run: none is lost, and what is wrong changes nothing."""
import copy
import re
import subprocess
import threading
import time

import pytest

from tests.support.lab import BACKENDS, VIP4, VIP6, wait_for

pytestmark = pytest.mark.sanitizer


def hammer(lab, url, seconds, connections=16):
    """h2load over HTTP/1.1 in the client's namespace; (succeeded, failed)."""
    done = subprocess.run(lab.client.command("h2load", "--h1", "-c", connections, "-D", seconds, "-T", "60s", url),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    line = next(x for x in done.stdout.splitlines() if x.startswith("requests:"))
    numbers = dict((name, int(n)) for n, name in (part.strip().split(" ")[:2] for part in line[len("requests:"):].split(",")))
    status = next(x for x in done.stdout.splitlines() if x.startswith("status codes:"))
    return numbers, status


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_twenty_rule_updates_a_second_under_load_lose_no_request(restored, config, scheme):
    stop, updates = threading.Event(), []

    def update():
        turn = 0
        while not stop.is_set():
            turn += 1
            changed = copy.deepcopy(config)
            changed["rules"] += [{"id": f"extra-{i}", "listener": scheme, "hosts": [f"h{i + turn}.test"],
                                  "paths": [{"type": "regex", "value": f"/x{turn}[0-9]+"}],
                                  "action": {"type": "forward", "server_groups": [{"server_group": "one"}]}}
                                 for i in range(5)]
            group = next(g for g in changed["server_groups"] if g["id"] == "all")
            group["members"] = group["members"][turn % 2:]
            restored.api.apply(changed)
            updates.append(turn)
            time.sleep(0.03)

    thread = threading.Thread(target=update)
    thread.start()
    succeeded, end = 0, time.monotonic() + 100
    try:
        while (len(updates) < 20 or succeeded < 200) and time.monotonic() < end:  # a machine that is slow or stalls needs more time
            numbers, status = hammer(restored, f"{scheme}://{VIP4}/", 5)
            succeeded += numbers["succeeded"]
            assert numbers["failed"] == 0 and numbers["errored"] == 0, (numbers, status)
            assert "0 3xx, 0 4xx, 0 5xx" in status
    finally:
        stop.set()
        thread.join()
    assert len(updates) >= 20, f"only {len(updates)} updates under load"
    assert succeeded >= 200


def test_members_that_leave_finish_what_they_serve(restored, config):
    slow, got = {}, restored.folder / "slow"
    got.unlink(missing_ok=True)

    def download():
        slow["out"] = restored.curl("-N", "-o", got, "-w", "%{http_code}", "-H", "Host: faulty.test", f"http://{VIP4}/slow/300")

    thread = threading.Thread(target=download)
    thread.start()
    wait_for(lambda: got.exists() and got.stat().st_size, 30, "the download's first bytes")
    config["server_groups"] = [g for g in config["server_groups"] if g["id"] != "faulty"]
    config["rules"] = [r for r in config["rules"] if not r["id"].endswith("-faulty")]
    restored.api.apply(config)
    thread.join()
    assert slow["out"] == "200" and got.read_text() == "s" * 300


BAD = {
    "regex": ("rules", {"id": "bad", "listener": "http", "hosts": [], "paths": [{"type": "regex", "value": "/a(b"}],
                        "action": {"type": "fixed_response", "status": 200}}),
    "reference": ("rules", {"id": "bad", "listener": "nowhere", "hosts": [], "paths": [],
                            "action": {"type": "fixed_response", "status": 200}}),
    "certificate": ("certificates", {"id": "bad", "certificate": "not pem", "private_key": "neither"}),
    "port": ("listeners", {"id": "bad", "load_balancer": "lb", "port": 70000}),
    "address": ("server_groups", {"id": "bad", "members": [{"address": "10.0.0.999", "port": 80}]}),
    "unknown field": ("load_balancers", {"id": "bad", "addresses": ["10.77.0.101"], "colour": "red"}),
}


@pytest.mark.parametrize("name", BAD)
def test_an_invalid_object_is_named_refused_and_changes_nothing(lab, config, name):
    kind, thing = BAD[name]
    before = lab.api.ok("GET", "/api/v1/config")
    config.setdefault(kind, []).append(thing)
    index = len(config[kind]) - 1
    status, headers, problem = lab.api.request("PUT", "/api/v1/config", config)
    assert status == 422 and headers["Content-Type"].startswith("application/problem+json")
    assert any(e["path"].startswith(f"/{kind}/{index}/") for e in problem["errors"]), problem
    assert lab.api.ok("GET", "/api/v1/config") == before
    assert lab.curl("-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/") == "200"


def test_dry_run_tells_and_changes_nothing(lab, config):
    revision = lab.api.ok("GET", "/api/v1/revisions")
    config["rules"].clear()
    assert lab.api.request("PUT", "/api/v1/config?dry_run=true", config)[0] == 200
    assert lab.api.ok("GET", "/api/v1/revisions") == revision


def test_a_new_vip_is_announced_and_answers_and_a_removed_one_is_silent(restored, config):
    config["load_balancers"].append({"id": "second", "addresses": ["10.77.0.150"]})
    config["listeners"].append({"id": "second", "load_balancer": "second", "port": 8080})
    config["rules"].append({"id": "second", "listener": "second", "hosts": [], "paths": [],
                            "action": {"type": "forward", "server_groups": [{"server_group": "all"}]}})
    restored.api.apply(config)
    assert restored.curl("-o", "/dev/null", "-w", "%{http_code}", "http://10.77.0.150:8080/") == "200"
    done = restored.curl("http://10.77.0.150:80/", check=False, timeout=30)
    assert done.returncode == 7, "a port without listener must refuse at once"
    restored.api.apply(restored.config)
    restored.client.ip("neigh", "flush", "all")
    assert restored.curl("http://10.77.0.150:8080/", check=False, timeout=5).returncode in (7, 28)


def test_a_sticky_group_leads_a_client_back_until_its_member_drains(restored, config):
    def get(*args):
        head, _, body = restored.curl("-i", *args, f"http://{VIP4}/").partition("\n\n")
        cookies = [x.split(": ", 1)[1] for x in head.split("\n") if x.lower().startswith("set-cookie: ")]
        return body.split()[0].removeprefix("backend="), cookies

    group = next(g for g in config["server_groups"] if g["id"] == "all")
    group["stickiness"] = {"type": "insert", "cookie": "ROUTE", "max_age_s": 600}
    restored.api.apply(config)
    assert len({get()[0] for _ in range(6)}) == 3, "without the cookie all members get requests"
    name, (cookie,) = get()
    assert cookie.startswith("ROUTE=") and cookie.endswith("; Path=/; Max-Age=600; HttpOnly")
    back = ("-b", cookie.split(";")[0])
    assert [get(*back) for _ in range(6)] == [(name, [])] * 6
    address = BACKENDS[name][0]
    next(m for m in group["members"] if m["address"] == address)["drain"] = True
    restored.api.apply(config)
    other, fresh = get(*back)
    assert other != name and len(fresh) == 1


def test_a_cookie_of_the_members_is_marked_and_they_do_not_see_the_mark(restored, config):
    group = next(g for g in config["server_groups"] if g["id"] == "faulty")
    group["stickiness"] = {"type": "rewrite", "cookie": "SESSION"}
    restored.api.apply(config)
    ask = ("-i", "-H", "Host: faulty.test", f"http://{VIP4}/cookie")
    cookie = re.search(r"^Set-Cookie: (SESSION=[0-9a-f]{16}~own); HttpOnly$", restored.curl(*ask), re.M | re.I)
    assert cookie, restored.curl(*ask)
    assert "Cookie: a=b; SESSION=own\n" in restored.curl("-b", f"a=b; {cookie[1]}", *ask)


@pytest.mark.parametrize("url", [f"http://{VIP4}/", f"http://[{VIP6}]/", f"https://{VIP4}/"])
def test_sources_that_a_list_keeps_out_are_dropped_and_counted(restored, config, url):
    def status(patience=30):
        return restored.curl("-k", "-o", "/dev/null", "-w", "%{http_code}", url, check=False, timeout=patience).stdout

    def access(kind, *lists):
        changed = copy.deepcopy(config)
        changed["access_control_lists"] = [{"id": "client", "entries": ["10.77.0.0/24", "fd77::/64"]},
                                           {"id": "others", "entries": ["192.0.2.0/24", "2001:db8::/32"]}]
        for listener in changed["listeners"]:
            listener["access_control"] = {"type": kind, "access_control_lists": list(lists)}
        restored.api.apply(changed)

    def denied():
        return restored.api.metric("sluice_drops_total", reason="tcp_source_denied")

    before = denied()
    access("allow", "others", "client")
    assert status() == "200"
    access("deny", "others")
    assert status() == "200" and denied() == before
    for kind, name in (("deny", "client"), ("allow", "others")):
        access(kind, name)
        assert status(patience=2) == "000"
        wait_for(lambda b=before: denied() > b, 30, "the drop to be counted")
        before = denied()
    restored.api.apply(config)
    assert status() == "200"


def test_a_connection_that_is_open_outlives_the_denial_of_its_source(restored, config, raw):
    client = raw()
    request = b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n"
    assert client.send(request).response()[0] == 200
    config["access_control_lists"] = [{"id": "all", "entries": ["0.0.0.0/0"]}]
    config["listeners"][0]["access_control"] = {"type": "deny", "access_control_lists": ["all"]}
    restored.api.apply(config)
    assert client.send(request).response()[0] == 200
    with pytest.raises(TimeoutError):
        raw(timeout=2)


def test_explain_names_the_rule_that_decides(lab):
    answer = lab.api.ok("POST", "/api/v1/explain", {"url": f"http://{VIP4}/some/path", "method": "GET", "host": "one.test"})
    assert answer["rule"] == "http-one" and answer["decision"] == "forward"
    assert "backend=b1 " in lab.curl("-H", "Host: one.test", f"http://{VIP4}/some/path")
