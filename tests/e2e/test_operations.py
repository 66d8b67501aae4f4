# SPDX-License-Identifier: Apache-2.0
"""What an operator does: restart, stop under load, a second instance, a full disk, a wrong file, the command line."""
import json
import os
import re
import resource
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.lab import BACKENDS, VIP4, Lab, basic_config, run, wait_for
from tests.support.pki import Authority, Certificate

pytestmark = pytest.mark.sanitizer


@pytest.fixture(scope="module")
def ops():
    with Lab("slo") as lab:
        for name in BACKENDS:
            lab.start_nginx(name)
        lab.start()
        lab.api.apply(basic_config())
        yield lab


def code(lab, url=f"http://{VIP4}/"):
    return lab.curl("-o", "/dev/null", "-w", "%{http_code}", url, check=False, timeout=30).stdout


def test_a_restart_serves_the_last_revision(ops):
    before = ops.api.ok("GET", "/api/v1/config")
    assert ops.stop() == 0, ops.log_text()[-3000:]
    ops.start()
    assert code(ops) == "200"
    assert ops.api.ok("GET", "/api/v1/config") == before


def test_kill_9_loses_no_revision(ops):
    config = basic_config()
    config["rules"].append({"id": "new", "listener": "http", "hosts": ["new.test"], "paths": [],
                            "action": {"type": "fixed_response", "status": 299, "body": "kept"}})
    ops.api.apply(config)
    ops.sluiced.kill()
    ops.stop()
    ops.start()
    assert ops.curl("-H", "Host: new.test", f"http://{VIP4}/") == "kept"


def test_a_graceful_stop_finishes_requests(ops):
    ops.static_file("10m", 10_000_000, ("b1", "b2", "b3"))
    result, got = {}, ops.folder / "got"
    got.unlink(missing_ok=True)

    def download():
        result["done"] = ops.curl("--limit-rate", "2M", "-o", got, "-w", "%{http_code} %{size_download}",
                                  f"http://{VIP4}/static/10m", check=False)
    thread = threading.Thread(target=download)
    thread.start()
    wait_for(lambda: got.exists() and got.stat().st_size, 30, "the download's first bytes")
    assert ops.stop() == 0, ops.log_text()[-3000:]
    thread.join()
    assert result["done"].stdout == "200 10000000", result["done"].stderr
    ops.start()


def test_a_second_instance_on_the_same_data_is_refused_and_the_first_goes_on(ops):
    text = ops.config_text().replace(f"slo{os.getpid()}", f"slo2{os.getpid()}").replace("8443", "8444")
    text = re.sub(r'device = "[^"]+"', 'device = "net_null0"', text, count=1)
    text = re.sub(r'device = "net_af[^"]+"', 'device = "net_null1"', text)
    conf = ops.folder / "second.conf"
    conf.write_text(text)
    done = subprocess.run(ops.lb_command(ops.build / "mgmt/daemon/sluiced", "--config", conf), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
    assert done.returncode not in (0, 99) and re.search(r"(?i)another|in use|lock", done.stdout), done.stdout
    assert code(ops) == "200"


def test_a_full_disk_refuses_the_change_and_serving_goes_on():
    with Lab("sld2") as lab:
        lab.start_nginx("b1")
        data = lab.folder / "data"
        data.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=12m", "none", data)
        try:
            lab.start()
            lab.api.apply(basic_config())
            with open(data / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(bytes(4096))
                except OSError:
                    pass
            config = basic_config()
            config["rules"] += [{"id": f"r{i}", "listener": "http", "hosts": [f"h{i}.test"], "paths": [],
                                 "action": {"type": "fixed_response", "status": 200, "body": "x" * 2000}} for i in range(500)]
            status, _, problem = lab.api.request("PUT", "/api/v1/config", config)
            assert status in (503, 507), problem
            assert len(lab.api.ok("GET", "/api/v1/config")["rules"]) == 4
            assert lab.curl("-o", "/dev/null", "-w", "%{http_code}", "-H", "Host: one.test", f"http://{VIP4}/") == "200"
            (data / "filler").unlink()
            lab.api.apply(config)
            assert lab.stop() == 0
        finally:
            subprocess.run(["umount", "-l", data], check=False)


WRONG = {
    "a port without device": ('ports = ( { name = "a"; addresses = [ "10.0.0.1/24" ]; } );', "device"),
    "a bad address": ('ports = ( { name = "a"; device = "net_null0"; addresses = [ "10.0.0.999/24" ]; } );', "addresses"),
    "an unknown field": ('ports = ( { name = "a"; device = "net_null0"; colour = "red"; } );', "colour"),
    "broken syntax": ("ports = ( {", ""),
    "a bad idle policy": ('workers = { cores = [ 1 ]; idle = "sometimes"; };', "idle"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_line_and_field(ops, name):
    text, field = WRONG[name]
    conf = ops.folder / "wrong.conf"
    conf.write_text("# first line\n" + text + "\n")
    done = subprocess.run([ops.build / "mgmt/daemon/sluiced", "--config", conf], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
    assert done.returncode == 2, done.stdout
    assert re.search(rf"wrong\.conf:\d+: .*{field}", done.stdout), done.stdout


@pytest.mark.parametrize("device,core,said", [("0000:ff:1f.7", 1, "0000:ff:1f.7"), ("net_af_packet0,iface=nosuch0", 1, "nosuch0|wan"),
                                              ("net_null0", 99, "core|99")])
def test_a_missing_device_or_core_is_named(ops, device, core, said):
    conf = ops.folder / "missing.conf"
    conf.write_text(f'ports = ( {{ name = "wan"; device = "{device}"; addresses = [ "10.0.0.1/24" ]; }} );\n'
                    f'workers = {{ cores = [ {core} ]; idle = "adaptive"; }};\nmemory = {{ huge_pages = "off"; }};\n'
                    f'management = {{ listen = "127.0.0.1:8445"; }};\ndata_folder = "{ops.folder}/other";\n')
    done = subprocess.run(ops.lb_command(ops.build / "mgmt/daemon/sluiced", "--config", conf), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
    assert done.returncode not in (0, 99) and re.search(said, done.stdout), done.stdout


def test_the_api_asks_for_a_token_and_stays_on_loopback(ops):
    assert ops.api.request("GET", "/api/v1/config", token=False)[0] == 401
    assert ops.api.request("GET", "/api/v1/config", headers={"Authorization": "Bearer wrong"})[0] == 401
    listening = ops.lb_run("ss", "-Hltn")
    assert all(line.split()[3].startswith(("127.", "[::1]")) for line in listening.splitlines()), listening


def ctl(lab, *args, **kwargs):
    return subprocess.run(lab.lb_command(lab.build / "mgmt/cli/sluicectl", "--server", f"https://127.0.0.1:{lab.api_port}",
                                         "--insecure", "--token-file", lab.folder / "data/admin.token", *args),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kwargs)


def test_sluicectl_applies_gets_explains_and_deletes(ops):
    document = {"server_groups": [{"id": "from-ctl", "members": [{"address": "10.78.0.11", "port": 80}]}]}
    assert ctl(ops, "apply", "-f", "-", input=json.dumps(document)).returncode == 0
    assert "from-ctl" in ctl(ops, "get", "server-groups").stdout
    assert ops.api.ok("GET", "/api/v1/server-groups/from-ctl")["members"][0]["port"] == 80
    assert "http-all" in ctl(ops, "explain", f"http://{VIP4}/x").stdout
    assert ctl(ops, "delete", "server-groups", "from-ctl").returncode == 0
    assert ctl(ops, "get", "server-groups", "from-ctl").returncode == 1
    assert ctl(ops, "delete", "server-groups", "all").returncode == 1  # still referenced
    done = ctl(ops, "status")
    assert done.returncode == 0 and "wan" in done.stdout
    refused = ctl(ops, "apply", "-f", "-", input='{"listeners": [{"id": "x", "load_balancer": "lb", "port": 0}]}')
    assert refused.returncode == 1 and "port" in refused.stdout


def test_sighup_reopens_the_access_log(ops):
    path = ops.folder / "access.log"
    code(ops, f"http://{VIP4}/before-the-rotation")
    wait_for(lambda: [r for r in ops.access_log() if r["path"] == "/before-the-rotation"], 30, "the last record in the old file")
    path.rename(ops.folder / "access.log.1")
    ops.sluiced.send_signal(signal.SIGHUP)
    wait_for(path.exists, 30, "a new file")
    code(ops, f"http://{VIP4}/after-the-rotation")
    wait_for(lambda: [r["path"] for r in ops.access_log()] == ["/after-the-rotation"], 30, "its record, and no other, in it")


def test_metrics_are_valid_for_prometheus(ops):
    _, headers, text = ops.api.request("GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain")
    sample = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\]|\\.)*",?)*\})? -?[0-9.e+]+(nan|inf)?$')
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families)) > 20
    for line in text.splitlines():
        assert line.startswith("#") or sample.match(line), line


def test_a_certificate_near_its_end_is_told_of_in_events_log_and_metrics(ops):
    made = Certificate(ops.folder, "soon", days=5)
    last = ops.api.ok("GET", "/api/v1/events")["last"]
    ops.api.ok("PUT", "/api/v1/certificates/soon", made.resource())

    def told():
        return [e for e in ops.api.ok("GET", f"/api/v1/events?after={last}")["items"] if e["type"] == "certificate_expiring"]
    wait_for(told, 30, "the event")
    assert [e["subject"] for e in told()] == ["soon"]
    left = re.search(r"expires in [45] days, at ", told()[0]["message"])  # 5, and all told within one second.
    assert left
    wait_for(lambda: f"certificate soon {left[0]}" in ops.log_text(), 30, "the line of the log")
    assert 4 * 86400 < ops.api.metric("sluice_certificate_expires_in_seconds", certificate="soon") <= 5 * 86400
    ops.api.ok("DELETE", "/api/v1/certificates/soon")


def core_limit(process):
    return re.search(r"Max core file size +(\S+) +(\S+)", Path(f"/proc/{process.pid}/limits").read_text()).groups()


def test_no_core_dump_has_its_keys_unless_it_is_asked_for():
    with Lab("slq") as lab:
        lab.start()
        assert core_limit(lab.sluiced) == ("0", "0")
        assert lab.stop() == 0
        lab.extra_config = "core_dumps = true;"
        before = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (4096, before[1]))
        try:
            lab.start()
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, before)
        assert core_limit(lab.sluiced)[0] == "4096"
        assert lab.stop() == 0


def test_a_list_of_revoked_certificates_near_its_end_is_told_of_in_events_log_and_metrics(ops):
    authority = Authority(ops.folder, "staff")
    authority.list_until(hours=20)
    last = ops.api.ok("GET", "/api/v1/events")["last"]
    ops.api.ok("PUT", "/api/v1/certificate-authorities/staff", authority.resource())

    def told():
        return [e for e in ops.api.ok("GET", f"/api/v1/events?after={last}")["items"] if e["type"] == "revocation_list_expiring"]
    wait_for(told, 30, "the event")
    assert [e["subject"] for e in told()] == ["staff"]
    left = re.search(r"expires in (20|19) hours, at ", told()[0]["message"])
    assert left
    wait_for(lambda: f"list of revoked certificates of authority staff {left[0]}" in ops.log_text(), 30, "the line of the log")
    assert 19 * 3600 < ops.api.metric("sluice_revocation_list_expires_in_seconds", certificate_authority="staff") <= 20 * 3600
    ops.api.ok("DELETE", "/api/v1/certificate-authorities/staff")


def test_huge_pages_are_used_when_they_are_there():
    knob = Path("/proc/sys/vm/nr_hugepages")
    before = knob.read_text()

    def free():
        return int(re.search(r"HugePages_Free: *(\d+)", Path("/proc/meminfo").read_text())[1])
    knob.write_text(str(int(before) + 320))  # those that are there may be others'
    try:
        had = free()
        if had < 320:
            pytest.skip("the kernel has no 320 huge pages of 2 MB to give")
        with Lab("slg", huge_pages="on") as lab:
            lab.start_nginx("b1")
            lab.start()
            lab.api.apply(basic_config())
            assert free() < had - 220
            assert lab.curl("-H", "Host: one.test", "-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/") == "200"
            assert lab.stop() == 0, lab.log_text()[-3000:]
    finally:
        knob.write_text(before)
