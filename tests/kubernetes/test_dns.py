# SPDX-License-Identifier: Apache-2.0
"""ExternalNames and a real DNS, dnsmasq, both in a network namespace of their own. Without a cluster: stand-ins play it."""
import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import cluster as kube
import pytest
from cluster import eventually
from stand_ins import make_pair, running
from tests.support.lab import samples
from tests.support.netns import Netns, claim

NAME = "db.lab.example"


class Dns:
    """dnsmasq, which answers for lab.example only; all that runs in the namespace asks it."""

    def __init__(self, folder):
        prefix = "dns" + os.environ.get("SLUICE_LAB_TAG", "")
        self.lock = claim(prefix)
        self.netns = Netns(f"{prefix}-x")
        self.hosts = folder / "hosts"
        self.resolv = Path("/etc/netns") / self.netns.name  # `ip netns exec` puts it in the place of /etc
        self.resolv.mkdir(parents=True, exist_ok=True)
        (self.resolv / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:12 attempts:1\n")
        self.process = None

    def start(self, *addresses):
        self.write(addresses)
        self.process = self.netns.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                                        "--pid-file=", "--user=root", "--listen-address=127.0.0.1", "--bind-interfaces",
                                        "--local=/lab.example/", f"--addn-hosts={self.hosts}", stderr=subprocess.DEVNULL)
        eventually(lambda: "127.0.0.1:53 " in self.netns.run("ss", "-lnu"), "dnsmasq")

    def write(self, addresses):
        self.hosts.write_text("".join(f"{a} {NAME}\n" for a in addresses))

    def say(self, *addresses):
        self.write(addresses)
        self.process.send_signal(signal.SIGHUP)  # it reads the file anew

    def stop(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        with contextlib.suppress(AttributeError):
            self.stop()
        self.netns.close()
        shutil.rmtree(self.resolv, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.resolv.parent.rmdir()  # when nobody else has something there
        self.lock.close()


@pytest.fixture
def dns(tmp_path):
    one = Dns(tmp_path)
    try:
        yield one
    finally:
        one.close()


def external(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "ExternalName", "externalName": name, "ports": [{"name": "http", "port": 8080}]}}


def test_an_external_name_follows_the_dns_and_stays_when_that_is_away(dns, tmp_path):
    dns.start("203.0.113.1", "2001:db8::1")
    with dns.netns.entered():
        api, appliance = make_pair()
    api.put("services", external(NAME))
    port = kube.free_port()

    def members():
        return {m["address"] for g in appliance.held("server_groups") for m in g["members"] if not m.get("drain")}

    def metric(name, **labels):
        page = subprocess.run(dns.netns.command("curl", "-s", f"http://127.0.0.1:{port}/metrics"), stdout=subprocess.PIPE, text=True,
                              check=False).stdout
        return sum(samples(page, name, **labels))

    with running(tmp_path, api, appliance, "--no-leader-election", "--external-names", "--dns-interval", "1", "--linger", "0",
                 netns=dns.netns, port=port):
        eventually(lambda: members() == {"203.0.113.1", "2001:db8::1"}, "A and AAAA")
        dns.say("203.0.113.2", "203.0.113.3")
        eventually(lambda: members() == {"203.0.113.2", "203.0.113.3"}, "other records")
        dns.say("203.0.113.3", "127.0.0.1", "169.254.169.254")
        eventually(lambda: members() == {"203.0.113.3"}, "records that lead to the appliance itself to be left out")
        eventually(lambda: metric("sluice_ingress_notices", reason="ExternalNameRefused") == 1, "that to be said")

        dns.say()  # NXDOMAIN
        eventually(lambda: members() == set(), "a name that is gone to have no servers")
        eventually(lambda: metric("sluice_ingress_notices", reason="ExternalNameNotFound") == 1, "that to be said")
        dns.say("203.0.113.4")
        eventually(lambda: members() == {"203.0.113.4"}, "the name to come back")
        assert metric("sluice_ingress_name_failures_total") == 0

        for away in (lambda: dns.process.send_signal(signal.SIGSTOP), dns.stop):  # silent; nobody at the port
            failures = metric("sluice_ingress_name_failures_total")
            away()
            eventually(lambda f=failures: metric("sluice_ingress_name_failures_total") >= f + 2, "failures")
            assert members() == {"203.0.113.4"}
        api.put("ingresses", kube.ingress("second", rules=[kube.rule("second.example", "web")]))
        eventually(lambda: "second.example" in appliance.hosts(), "all else to go on")
        dns.start("2001:db8::5")
        eventually(lambda: members() == {"2001:db8::5"}, "the DNS that is back")
