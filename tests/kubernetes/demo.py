# SPDX-License-Identifier: Apache-2.0
"""What `demo.sh --kubernetes` shows: an Ingress becomes routes on the appliance. Each step checks what it shows."""
import argparse
import json
import signal
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
import cluster as kube  # noqa: E402
from k8s_site import Site  # noqa: E402
from tests.support.steps import Steps  # noqa: E402

HOST = "shop.demo.test"


class Show(Steps):
    def __init__(self, site):
        super().__init__()
        self.site = site

    def kubectl_apply(self, *objects):
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.site.cluster.kubectl("apply", "--validate=false", "-f", "-", input=document)

    def ingress(self):
        folder = self.site.cluster.folder
        pods = self.site.deploy("web", "default", replicas=3)
        pair = kube.certificate(folder, HOST)
        said = self.kubectl_apply(kube.tls_secret("shop-tls", pair),
                                  kube.ingress("shop", rules=[kube.rule(HOST, "web")],
                                               tls=[{"hosts": [HOST], "secretName": "shop-tls"}]))
        self.check("kubectl applies a Secret and an Ingress", "ingress" in said, said.replace("\n", "\n       "))
        vip = self.site.address_of(kube.ingress("shop"))
        self.site.settle()
        shown = self.site.cluster.kubectl("get", "ingress", "shop")
        self.check("its address appears", vip in shown, shown.strip().replace("\n", "\n       "))
        return vip, pods

    def https(self, vip):
        ca = self.site.cluster.folder / f"{HOST}.crt"
        done = self.site.lab.curl("--cacert", ca, "--resolve", f"{HOST}:443:{vip}", f"https://{HOST}/cart", check=False)
        self.check("curl gets the page over HTTPS, certificate verified", done.returncode == 0 and '"pod"' in done.stdout,
                   f"$ curl https://{HOST}/cart\n       {(done.stdout or done.stderr).strip()[:160]}")

    def rollout(self, vip, pods):
        """New pods come and are ready, old ones end, under load."""
        with self.site.load(HOST, vip, "-c8") as load:
            time.sleep(1)
            for i in range(3):
                old = pods.pop(0)
                pods.append(self.site.start_pod(f"web-v2-{i}", "web"))
                self.site.retire_pod(old, "web", "default", pods)
        self.check("a rollout of all three pods under load loses nothing", load.requests > 0,
                   f"{load.requests} requests, no failure" if load.requests else load.report)

    def a_wrong_object(self, vip):
        self.kubectl_apply(kube.ingress("broken", rules=[kube.rule("broken.demo.test", "nobody")]))
        kube.eventually(lambda: ("broken", "ServiceNotFound") in self.site.cluster.events("default"), "an Event")
        shown = self.site.cluster.kubectl("get", "events", "--field-selector", "involvedObject.name=broken", "-o",
                                          "custom-columns=REASON:.reason,MESSAGE:.message", "--no-headers")
        status = self.site.curl("http://broken.demo.test/", vip)[0], self.site.curl(f"http://{HOST}/", vip)[0]
        self.check("an Ingress without a Service answers 503, says so, and holds back nobody", status == (503, 200), shown)

    def clean_up(self):
        self.site.cluster.kubectl("delete", "ingress", "--all")
        left = self.site.lab.api.ok("GET", "/api/v1/config")
        self.check("with the last Ingress goes all that was made", not left["load_balancers"] and not left["rules"])


def hints(site, vip):
    print(f"""
Try next, in another terminal (as root):
  export KUBECONFIG={site.cluster.kubeconfig()}
  kubectl get ingress,events
  ip netns exec {site.lab.client.name} curl -k --resolve {HOST}:443:{vip} https://{HOST}/
API of the appliance https://127.0.0.1:{site.lab.api_port}/api/v1 (token: {site.lab.folder}/data/admin.token)
Log of the controller {site.controller.log}
Ctrl-C stops everything and cleans up.""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="demo.sh --kubernetes", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the show; the exit status says whether it worked")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print("Starting etcd, kube-apiserver, sluiced on DPDK ports over veth, and sluice-ingress between them")
    with Site() as site:
        show = Show(site)
        vip, pods = show.ingress()
        show.https(vip)
        show.rollout(vip, pods)
        show.a_wrong_object(vip)
        if not options.once:
            hints(site, vip)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print()
        show.clean_up()
    return show.verdict()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError, KeyboardInterrupt) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        sys.exit(1)
