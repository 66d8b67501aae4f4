#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast sluice-ingress is in a large cluster, and what it needs: bench.py [--ingresses N]. As root, after
`tests/support/build.sh release mgmt/daemon/sluiced mgmt/ingress/sluice-ingress`; a real kube-apiserver, one appliance."""
import argparse
import http.client
import re
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
import cluster as kube  # noqa: E402
from k8s_site import Site  # noqa: E402
from tests.support.lab import wait_for  # noqa: E402

NAMESPACE = "default"
LONG = 600  # seconds


def report(what, figure):
    print(f"{what:<70} {figure}", flush=True)


class Client:
    """Kept-alive requests from the client's namespace."""

    def __init__(self, site, vip):
        with site.lab.client.entered():
            self.connection = http.client.HTTPConnection(vip, 80, timeout=20)
            self.connection.connect()

    def pod(self, host):
        """What answers: a pod's body, or a status."""
        self.connection.request("GET", "/", headers={"Host": host})
        answer = self.connection.getresponse()
        body = answer.read()
        return body if answer.status == 200 else answer.status


class Busy:
    """Seconds of processor time that the controller and the appliance have needed since."""

    def __init__(self, site):
        self.processes = {"controller": site.controller.process.pid, "appliance": site.lab.sluiced.pid}
        self.before = {name: self.used(pid) for name, pid in self.processes.items()}

    @staticmethod
    def used(pid):
        """Of all threads but the appliance's worker, which polls."""
        total = 0
        for task in Path(f"/proc/{pid}/task").iterdir():
            if not re.search("worker|dpdk|rte", (task / "comm").read_text()):
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
        return total

    def seconds(self):
        return {name: self.used(pid) - self.before[name] for name, pid in self.processes.items()}

    def text(self):
        return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in self.seconds().items())


def first_service(site, count):
    """A controller that starts beside an empty appliance, in a cluster that has all of it."""
    begin = time.monotonic()
    site.controller = kube.Controller(site.cluster, [site.lab], site.lab.build)
    wait_for(lambda: site.controller.metric("sluice_ingress_ready") == 1, LONG, "the lists")
    listed, busy = time.monotonic(), Busy(site)
    wait_for(lambda: site.controller.metric("sluice_ingress_appliance_in_sync") == 1, LONG, "the appliance to have all")
    served = time.monotonic()
    report(f"{count} Ingresses: start of the controller to the end of the lists", f"{listed - begin:.2f} s")
    report(f"{count} Ingresses: end of the lists to all of them served (goal 5 s)", f"{served - listed:.2f} s ({busy.text()})")
    vip = site.address_of(kube.ingress("i00000", NAMESPACE))
    client = Client(site, vip)
    wrong = [i for i in range(0, count, max(1, count // 50)) if not isinstance(client.pod(f"h{i}.example"), bytes)]
    if wrong:
        raise RuntimeError(f"not served: {wrong}")
    begin, busy = time.monotonic(), Busy(site)
    path = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses/i{count - 1:05}"
    wait_for(lambda: site.cluster.ok("GET", path)["status"]["loadBalancer"].get("ingress"), LONG, "the last status")
    wait_for(lambda: site.controller.metric("sluice_ingress_status_writes_total") >= 2 * count, LONG, "all writes")
    report(f"{count} Ingresses: their statuses and finalizers written after", f"{time.monotonic() - begin:.1f} s ({busy.text()})")
    return vip


def endpoint_changes(site, vip, host, what, rounds=15):
    """Writing the slice to the first answer of the new pod."""
    client = Client(site, vip)
    pods = [site.start_pod(name, "web") for name in ("left", "right")]
    times, needed = [], {}
    for i in range(rounds):
        wanted = b'"left"' if i % 2 == 0 else b'"right"'
        begin, busy = time.monotonic(), Busy(site)
        site.cluster.apply(kube.endpoint_slice("web", [pods[i % 2]], NAMESPACE))
        while wanted not in client.pod(host):
            if time.monotonic() - begin > 60:
                raise RuntimeError(f"the endpoint change did not arrive within 60 s ({what})")
            time.sleep(0.002)
        times.append((time.monotonic() - begin) * 1000)
        for name, seconds in busy.seconds().items():
            needed.setdefault(name, []).append(seconds * 1000)
        time.sleep(0.3)
    report(f"{what}: endpoint change to the data plane, median of {rounds} (goal 200 ms)", f"{statistics.median(times):.0f} ms")
    report(f"{what}: the slowest of them", f"{max(times):.0f} ms")
    report(f"{what}: processor time of it, medians", ", ".join(f"{n} {statistics.median(t):.0f} ms" for n, t in needed.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ingresses", type=int, default=10_000)
    count = parser.parse_args().ingresses
    with Site() as site:
        site.deploy("web", NAMESPACE)
        vip = site.serve(kube.ingress("small", NAMESPACE, [kube.rule("small.example", "web")]))
        endpoint_changes(site, vip, "small.example", "1 Ingress")
        small = kube.ingress("small", NAMESPACE)
        site.cluster.delete(small)
        kube.eventually(lambda: site.cluster.get(small) is None, "the small one to go")
        site.settle()
        site.controller.stop()

        begin = time.monotonic()
        site.cluster.apply_many(kube.ingress(f"i{i:05}", NAMESPACE, [kube.rule(f"h{i}.example", "web")]) for i in range(count))
        report(f"(creating {count} Ingresses took", f"{time.monotonic() - begin:.0f} s)")
        vip = first_service(site, count)
        endpoint_changes(site, vip, "h0.example", f"{count} Ingresses")
        report(f"{count} Ingresses: translation of all of them",
               f"{site.controller.metric('sluice_ingress_reconcile_seconds') * 1000:.0f} ms")
        report(f"{count} Ingresses: resident memory of the controller",
               f"{site.controller.metric('sluice_ingress_resident_bytes') / (1 << 20):.0f} MiB")


if __name__ == "__main__":
    main()
