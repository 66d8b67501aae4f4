# SPDX-License-Identifier: Apache-2.0
"""The whole of it: a cluster, an appliance, a controller, and pods in the lab's backend namespaces."""
import json
import re
import signal
import subprocess
import sys

import cluster as kube
from cluster import PATIENCE, eventually
from tests.support.lab import BACKENDS, ROOT, Lab

POOL = "10.77.0.120-10.77.0.129"


class Site:
    def __init__(self, watch_cache=True):
        self.cluster = self.lab = self.controller = None
        self.pods = {}
        self.next_address = 0
        try:
            self.cluster = kube.Cluster(watch_cache)
            self.cluster.install()
            self.lab = make_lab("sk")
            self.start_controller()
        except BaseException:
            self.close()
            raise

    def start_controller(self, *labs, **kwargs):
        """A new one in the place of the one before, which must have ended; leading when this returns."""
        self.controller = kube.Controller(self.cluster, labs or self.controlled_labs(), self.lab.build, **kwargs)
        eventually(lambda: self.controller.metric("sluice_ingress_ready") == self.controller.metric("sluice_ingress_leader") == 1,
                   f"the controller to lead ({self.controller.log})")

    def controlled_labs(self):
        """Whose appliances its command line names."""
        return [self.lab]

    def restart_controller(self, *labs):
        self.controller.stop()
        self.start_controller(*labs)

    # -- pods

    def start_pod(self, name, service):
        """A pod that answers; returns its address. Serving before this returns."""
        backend = list(BACKENDS)[self.next_address % len(BACKENDS)]
        netns = self.lab.namespaces[backend]
        address = f"10.78.0.{30 + self.next_address % 200}"
        self.next_address += 1
        netns.ip("address", "replace", f"{address}/24", "dev", "eth0")
        process = netns.start(sys.executable, ROOT / "tests/kubernetes/pod.py", name, service, address, 3000)
        self.pods[address] = process
        eventually(lambda: subprocess.run(netns.command("curl", "-sfo", "/dev/null", f"http://{address}:3000/"), check=False)
                   .returncode == 0, f"pod {name}")
        return address

    def retire_pod(self, address, service, namespace, staying):
        """As a rollout ends a pod: it is marked as terminating, serves until that is known everywhere, and is gone."""
        process = self.pods.pop(address)
        self.cluster.apply(kube.endpoint_slice(service, staying, namespace, terminating=[address]))
        process.send_signal(signal.SIGUSR1)
        self.settle()
        process.terminate()
        process.wait(PATIENCE)
        self.cluster.apply(kube.endpoint_slice(service, staying, namespace))

    def deploy(self, name, namespace, replicas=1, **kwargs):
        """A Service with as many pods, as a Deployment would give it; returns their addresses."""
        addresses = [self.start_pod(f"{name}-{i}", name) for i in range(replicas)]
        self.cluster.apply(kube.service(name, namespace), kube.endpoint_slice(name, addresses, namespace, **kwargs))
        return addresses

    # -- waiting and asking

    def address_of(self, ingress):
        """The address that kubectl would show."""
        def addresses():
            there = self.cluster.get(ingress)
            return [i["ip"] for i in ((there or {}).get("status", {}).get("loadBalancer", {}).get("ingress") or [])]
        return eventually(addresses, f"address of {ingress['metadata']['name']}; controller:\n"
                          + self.controller.text()[-2000:])[0]

    def serve(self, *objects):
        """Applies, and waits until all of it is served; the address."""
        self.cluster.apply(*objects)
        ingresses = [o for o in objects if o["kind"] == "Ingress"]
        address = self.address_of(ingresses[-1])
        self.settle()
        return address

    def serve_web(self, namespace, host):
        """One pod, served at that host: (its address, the VIP)."""
        address = self.deploy("web", namespace)[0]
        vip = self.serve(kube.ingress("web", namespace, [kube.rule(host, "web")]))
        answering = self.pod(f"http://{host}/", vip)
        assert answering == "web-0", answering
        return address, vip

    def move_to(self, namespace, name, url, vip):
        """A new pod instead of the one of serve_web(), which the appliance has to follow; its address."""
        address = self.start_pod(name, "web")
        self.cluster.apply(kube.endpoint_slice("web", [address], namespace))
        eventually(lambda: self.pod(url, vip) == name, f"requests to go to {name}")
        return address

    def settle(self):
        """Until the appliances have whatever the cluster asks for now."""
        versions = dict(self.cluster.newest)
        eventually(lambda: self.controller.has_done(versions), "the appliances to follow")

    def revision(self, lab=None):
        """Of the configuration of this appliance, or the first."""
        return (lab or self.lab).api.ok("GET", "/api/v1/health")["revision"]

    def load(self, host, address, *arguments):
        """wrk against that host at that address, with these arguments besides, for as long as the block runs."""
        return Load(self.lab.client.start("wrk", "-t1", "-d300", *arguments, "-H", f"Host: {host}", f"http://{address}/",
                                          stdout=subprocess.PIPE, text=True))

    def curl(self, url, address, *args, check=True):
        """(status, parsed JSON or text, headers) of a request to that host at that address."""
        host = url.split("/")[2]
        done = self.lab.curl("-k", "-i", "--connect-to", f"{host}::{address}:", *args, url, check=False)
        if done.returncode != 0:
            if check:
                raise RuntimeError(f"curl {url}: {done.returncode} {done.stderr}")
            return 0, done.stderr, {}
        head, _, body = done.stdout.partition("\n\n") if "\r\n\r\n" not in done.stdout else done.stdout.partition("\r\n\r\n")
        lines = head.splitlines()
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        return status, json.loads(body) if body.startswith("{") else body, headers

    def pod(self, url, address):
        """The name of the pod that answers; or the status, when no pod does."""
        status, body, _ = self.curl(url, address)
        return body["pod"] if status == 200 else status

    def clear(self, namespace):
        for kind in ("ingresses", "services", "endpointslices"):
            group = {"services": "/api/v1", "ingresses": "/apis/networking.k8s.io/v1"}.get(kind, "/apis/discovery.k8s.io/v1beta1")
            self.cluster.request("DELETE", f"{group}/namespaces/{namespace}/{kind}")
        path = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"
        eventually(lambda: not self.cluster.ok("GET", path)["items"], "finalizers to be removed")
        for address in list(self.pods):
            self.pods.pop(address).terminate()

    def close(self):
        if self.controller:
            self.controller.stop()
        if self.lab:
            self.lab.close()
        if self.cluster:
            self.cluster.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Load:
    """A wrk that runs; it ends with the block, and `report` is what it said then."""

    def __init__(self, process):
        self.process, self.report = process, None

    @property
    def requests(self):
        """How many were answered; 0 if any failed."""
        made = re.search(r"(\d+) requests in", self.report)
        failed = "Non-2xx" in self.report or "Socket errors" in self.report
        return int(made[1]) if made and not failed else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)  # now it reports
        self.report = self.process.communicate(timeout=PATIENCE)[0]


def hosts(lab):
    """That its rules are for."""
    return {r["hosts"][0]["value"] for r in lab.api.ok("GET", "/api/v1/rules")["items"]}


def make_lab(prefix, pool=POOL):
    """An appliance beside us, with an address pool."""
    lab = Lab(prefix=prefix, own_namespace=False, api_port=kube.free_port())
    try:
        lab.start(PATIENCE)
        lab.api.apply({"address_pools": [{"id": "public", "scheme": "internet", "ranges": [pool]},
                                         {"id": "private", "scheme": "internal", "ranges": ["10.77.0.140-10.77.0.149"]}]})
    except BaseException:
        lab.close()
        raise
    return lab
