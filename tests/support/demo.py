# SPDX-License-Identifier: Apache-2.0
"""What demo.sh shows, step by step. Each step checks what it shows."""
import argparse
import json
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.support.lab import BACKENDS, VIP4, VIP6, Lab, run, wait_for  # noqa: E402
from tests.support.steps import Steps  # noqa: E402

SHOP, DOCS = "shop.demo.test", "docs.demo.test"


def example(certificate, key):
    """Two hosts with path rules on one load balancer, HTTP and HTTPS."""
    def group(name, *backends):
        return {"id": name, "members": [{"address": BACKENDS[b][0], "port": 80} for b in backends],
                "health_check": {"type": "http", "interval_ms": 1000, "timeout_ms": 1000, "path": "/health",
                                 "healthy_threshold": 1, "unhealthy_threshold": 2}}

    def rules(listener):
        def forward(name):
            return {"type": "forward", "server_groups": [{"server_group": name}]}
        return [
            {"id": f"{listener}-shop", "listener": listener, "hosts": [SHOP],
             "paths": [{"type": "prefix", "value": "/"}], "action": forward("web")},
            {"id": f"{listener}-shop-api", "listener": listener, "hosts": [SHOP],
             "paths": [{"type": "prefix", "value": "/api"}], "action": forward("api")},
            {"id": f"{listener}-shop-item", "listener": listener, "hosts": [SHOP],
             "paths": [{"type": "regex", "value": "/item/[0-9]+$"}], "action": forward("api")},
            {"id": f"{listener}-docs", "listener": listener, "hosts": [DOCS],
             "paths": [{"type": "prefix", "value": "/"}], "action": forward("web")},
            {"id": f"{listener}-docs-old", "listener": listener, "hosts": [DOCS],
             "paths": [{"type": "exact", "value": "/old"}],
             "action": {"type": "redirect", "status": 308, "path": "/new"}},
        ]

    return {
        "load_balancers": [{"id": "demo", "name": "demo", "addresses": [VIP4, VIP6]}],
        "certificates": [{"id": "demo", "certificate": certificate, "private_key": key}],
        "server_groups": [group("web", "b1", "b2"), group("api", "b3")],
        "listeners": [{"id": "http", "load_balancer": "demo", "port": 80, "protocol": "http"},
                      {"id": "https", "load_balancer": "demo", "port": 443, "protocol": "https",
                       "certificates": ["demo"]}],
        "rules": rules("http") + rules("https"),
    }


def make_certificate(folder):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=demo.test", "-addext", f"subjectAltName=DNS:{SHOP},DNS:{DOCS}",
        "-keyout", folder / "key.pem", "-out", folder / "cert.pem")
    return (folder / "cert.pem").read_text(), (folder / "key.pem").read_text()


class Show(Steps):
    """The steps, and how each is checked."""

    def __init__(self, lab):
        super().__init__()
        self.lab = lab

    def curl(self, what, expected, *args):
        done = self.lab.curl("--cacert", str(self.lab.folder / "cert.pem"), *args, check=False, timeout=10)
        command = "curl " + " ".join(a for a in args)
        self.check(what, done.returncode == 0 and expected in done.stdout,
                   f"$ {command}\n       {(done.stdout or done.stderr).strip()[:300]}")

    def requests(self):
        to4 = ("--resolve", f"{SHOP}:443:{VIP4}", "--resolve", f"{DOCS}:443:{VIP4}")
        http = ("--resolve", f"{SHOP}:80:{VIP4}", "--resolve", f"{DOCS}:80:{VIP4}")
        to6 = ("--resolve", f"{SHOP}:443:[{VIP6}]")
        self.curl("HTTP, routed by host", f"host={SHOP}", *http, f"http://{SHOP}/")
        self.curl("HTTPS, certificate verified, prefix /api goes to b3", "backend=b3", *to4, f"https://{SHOP}/api/v1/items")
        self.curl("HTTPS over IPv6", "proto=https", *to6, f"https://{SHOP}/cart")
        self.curl("a regular expression", "backend=b3", *to4, f"https://{SHOP}/item/42")
        self.curl("another host", f"host={DOCS}", *to4, f"https://{DOCS}/guide")
        self.curl("a redirect", f"https://{DOCS}/new", *to4, "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
                  f"https://{DOCS}/old")
        self.curl("an unknown host is answered 404", "404", "-o", "/dev/null", "-w", "%{http_code}", f"http://{VIP4}/")
        seen = {self.lab.curl(*http, f"http://{SHOP}/{i}").split()[0] for i in range(8)}
        self.check("round robin over both web backends", seen == {"backend=b1", "backend=b2"}, ", ".join(sorted(seen)))

    def a_backend_dies(self):
        self.lab.kill_nginx("b1")
        http = ("--resolve", f"{SHOP}:80:{VIP4}")
        answers = [self.lab.curl(*http, "-w", " %{http_code}", f"http://{SHOP}/{i}", check=False).stdout for i in range(20)]
        good = sum(a.endswith(" 200") for a in answers)
        self.check("b1 is killed: 20 of 20 requests still answered", good == 20, f"{good} of 20")

    def management(self):
        ctl = self.lab.lb_command(self.lab.build / "mgmt/cli/sluicectl", "--server",
                                  f"https://127.0.0.1:{self.lab.api_port}", "--insecure", "--token-file",
                                  self.lab.folder / "data/admin.token")
        done = subprocess.run([*ctl, "explain", f"https://{SHOP}/api/v1/items"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        self.check("sluicectl explain says which rule decides", done.returncode == 0 and "https-shop-api" in done.stdout,
                   f"$ sluicectl explain https://{SHOP}/api/v1/items\n       " + done.stdout.strip().replace("\n", "\n       "))
        requests = self.lab.api.metric("sluice_http_requests_total")
        self.check("metrics count the requests", requests >= 20, f"sluice_http_requests_total {requests:.0f}")
        return ctl


def bring_up(driver):
    """A lab that carries traffic: AF_XDP where it works, else AF_PACKET."""
    for candidate in [driver] if driver else ["af_xdp", "af_packet"]:
        lab = Lab("sld", driver=candidate, own_namespace=False)
        try:
            lab.start()
            lab.api.apply({"load_balancers": [{"id": "demo", "addresses": [VIP4, VIP6]}]})
            wait_for(lambda one=lab: subprocess.run(one.client.command("ping", "-c1", "-W1", VIP4), check=False,
                                                    stdout=subprocess.DEVNULL).returncode == 0, 5, "ping of the VIP")
            return lab
        except (RuntimeError, TimeoutError) as error:
            lab.close()
            if driver or candidate == "af_packet":
                raise
            print(f"  {candidate} does not work here ({str(error).splitlines()[0]}); trying the next")
    raise AssertionError("unreachable")


def hints(lab, ctl):
    ctl = " ".join(str(c) for c in ctl)
    print(f"""
Try next, in another terminal (as root):
  ip netns exec {lab.client.name} curl -k --resolve {SHOP}:443:{VIP4} https://{SHOP}/api/hello
  {ctl} status
  {ctl} get rules
  {ctl} explain https://{DOCS}/old
API      https://127.0.0.1:{lab.api_port}/api/v1   (OpenAPI: /api/v1/openapi.json, token: {lab.folder}/data/admin.token)
Metrics  https://127.0.0.1:{lab.api_port}/metrics
Logs     {lab.folder}/sluiced.log, {lab.folder}/access.log
Ctrl-C stops everything and cleans up.""", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="demo.sh", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the show; the exit status says whether it worked")
    parser.add_argument("--driver", choices=["af_xdp", "af_packet", "tap"])
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    print("Making namespaces for a client and three backends, starting sluiced")
    with bring_up(options.driver) as lab:
        print(f"sluiced runs on DPDK ports over veth ({lab.driver}); VIPs {VIP4} and {VIP6}")
        for name in BACKENDS:
            lab.start_nginx(name, extra="location = /health { return 200; }")
        show = Show(lab)
        document = lab.folder / "example.json"
        document.write_text(json.dumps(example(*make_certificate(lab.folder)), indent=2))
        document.chmod(0o600)
        lab.api.apply(json.loads(document.read_text()))
        print("Applied an example over REST: two hosts, path rules, HTTP and HTTPS listeners")
        show.requests()
        show.a_backend_dies()
        ctl = show.management()
        lab.start_nginx("b1", extra="location = /health { return 200; }")
        hints(lab, ctl) if not options.once else None
        try:
            if not options.once:
                signal.pause()
        except KeyboardInterrupt:
            print()
        status = lab.stop()
        show.check("graceful stop", status == 0, f"exit status {status}")
    return show.verdict()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError, KeyboardInterrupt) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        sys.exit(1)
