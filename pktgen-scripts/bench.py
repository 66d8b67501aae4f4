# SPDX-License-Identifier: Apache-2.0
"""Requests per busy core-second of the load balancer: Sluice, nginx and HAProxy side by side in one run.

The load balancer has core 1 to itself; clients (h2load) and the backend (nginx) share core 0. All three balance the same
kept-alive requests over the same veth cables to the same backend. The interrupts of the balancer's own devices are
steered to core 1 (RPS), so that its share of the kernel's work is paid there. Cost is the time core 1 was not idle
(user, system and softirq, from /proc/stat). For Sluice, whose poll loop is never idle as the kernel counts it, cost is the
time in loops that did work, as its own counters tell it, and the core's softirq and interrupts on top, although many of
them fall into a busy loop and count twice; but never more than the time that the core was not idle. A wrong or missing
answer fails the run.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.support.lab import BACKENDS, VIP4, Lab, run, wait_for  # noqa: E402

BENCHES = {"http-small": ("http", {"nginx": 10.0, "haproxy": 8.0}), "https-small": ("https", {"nginx": 8.0, "haproxy": 8.0})}
BACKEND = BACKENDS["b1"][0]
CORE = 1
BODY = 1024

NGINX_LB = """
worker_processes 1; worker_cpu_affinity 10; error_log %(folder)s/lb-error.log; pid %(folder)s/lb.pid;
events { worker_connections 4096; multi_accept on; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; tcp_nodelay on;
  client_body_temp_path %(folder)s/lbtmp; proxy_temp_path %(folder)s/lbtmp; fastcgi_temp_path %(folder)s/lbtmp;
  uwsgi_temp_path %(folder)s/lbtmp; scgi_temp_path %(folder)s/lbtmp;
  upstream b { server %(backend)s:80; keepalive 256; keepalive_requests 100000000; }
  server { listen 10.77.0.1:80; listen 10.77.0.1:443 ssl; ssl_certificate %(folder)s/cert.pem;
    ssl_certificate_key %(folder)s/key.pem; ssl_protocols TLSv1.3; ssl_buffer_size 4k;
    location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; } }
}
"""
HAPROXY_LB = """
global
  nbthread 1
  cpu-map auto:1/1 1
  maxconn 8192
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend f
  bind 10.77.0.1:80
  bind 10.77.0.1:443 ssl crt %(folder)s/both.pem alpn http/1.1
  default_backend b
backend b
  server s %(backend)s:80
"""


def core_seconds(*kinds):
    """Time of these kinds (names of /proc/stat's columns) on the balancer's core since boot."""
    columns = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{CORE} "):
            values = dict(zip(columns, map(int, line.split()[1:9])))
            return sum(values[k] for k in kinds) / os.sysconf("SC_CLK_TCK")
    raise RuntimeError(f"/proc/stat has no core {CORE}")


class Side:
    """One load balancer in its own lab. started() before, stop() after each round would cost more than it shows, so
    each side stays up, idle, while the others are measured."""

    name = ""
    target = "10.77.0.1"

    def __init__(self, prefix, driver="af_packet"):
        self.lab = Lab(prefix, driver=driver)
        self.lab.start_nginx("b1")
        self.lab.static_file("1k", BODY, ("b1",))
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=bench.test", "-keyout", self.lab.folder / "key.pem", "-out", self.lab.folder / "cert.pem")
        for process in self.lab.backend_pids.values():
            self.pin(process.pid, 0)
        for port in ("wan", "lan"):  # the softirq of what arrives at the balancer runs on its core
            self.lab.lb_run("sh", "-c", f"echo {1 << CORE:x} > /sys/class/net/{self.lab.device(port)}/queues/rx-0/rps_cpus")

    @staticmethod
    def pin(pid, core):
        for task in [str(pid), *subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True,
                                               check=False).stdout.split()]:
            run("taskset", "-acp", core, task)

    def values(self):
        return {"folder": self.lab.folder, "backend": BACKEND}

    def addresses(self):
        for port, addresses in (("wan", ("10.77.0.1/24",)), ("lan", ("10.78.0.1/24",))):
            for address in addresses:
                self.lab.lb.ip("address", "add", address, "dev", self.lab.device(port))

    def counters(self):
        """What cost() needs, in seconds so far."""
        return {"core": core_seconds("user", "nice", "system", "irq", "softirq")}

    @staticmethod
    def cost(spent):
        return spent["core"]

    def measure(self, scheme, seconds, clients):
        url = f"{scheme}://{self.target}/static/1k"
        before = self.counters()
        done = run("taskset", "-c", 0, *self.lab.client.command("h2load", "--h1", "-c", clients, "-D", seconds, url))
        cost = self.cost({name: now - before[name] for name, now in self.counters().items()})
        match = re.search(r"(\d+) total, .*?(\d+) succeeded, (\d+) failed, (\d+) errored", done)
        requests, failed = int(match[2]), int(match[3]) + int(match[4])
        if failed or f"status codes: {requests} 2xx" not in done or requests == 0:
            raise RuntimeError(f"{self.name}: wrong answers\n{done}")
        return requests / cost, cost / seconds

    def close(self):
        self.lab.close()


class Nginx(Side):
    name = "nginx"

    def __init__(self):
        super().__init__("sbn")
        self.addresses()
        (self.lab.folder / "lbtmp").mkdir()
        (self.lab.folder / "lb.conf").write_text(NGINX_LB % self.values())
        self.lab.lb.start("nginx", "-c", self.lab.folder / "lb.conf", "-g", "daemon off;", stderr=subprocess.DEVNULL)


class Haproxy(Side):
    name = "haproxy"

    def __init__(self):
        super().__init__("sbh")
        self.addresses()
        folder = self.lab.folder
        (folder / "both.pem").write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
        (folder / "lb.cfg").write_text(HAPROXY_LB % self.values())
        self.lab.lb.start("haproxy", "-db", "-f", folder / "lb.cfg", stderr=subprocess.DEVNULL)


class Sluice(Side):
    name = "sluice"
    target = VIP4

    def __init__(self, driver):
        super().__init__("sbs", driver)
        self.lab.start()
        group = {"id": "b", "members": [{"address": BACKEND, "port": 80}]}
        action = {"type": "forward", "server_groups": [{"server_group": "b"}]}
        certificate = {"id": "c", "certificate": (self.lab.folder / "cert.pem").read_text(),
                       "private_key": (self.lab.folder / "key.pem").read_text()}
        common = {"load_balancer": "lb", "max_requests_per_connection": 100000000, "access_log": False,
                  "default_action": action}
        self.lab.api.apply({
            "load_balancers": [{"id": "lb", "addresses": [VIP4]}], "server_groups": [group], "certificates": [certificate],
            "listeners": [{"id": "http", "port": 80, **common},
                          {"id": "https", "port": 443, "protocol": "https", "certificates": ["c"], **common}]})

    def counters(self):
        return {**super().counters(), "busy": self.lab.api.metric("sluice_worker_busy_seconds"),
                "interrupts": core_seconds("irq", "softirq")}

    @staticmethod
    def cost(spent):
        return min(spent["busy"] + spent["interrupts"], spent["core"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="one short round; for a look, not for a figure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--driver", choices=["af_packet", "af_xdp"], default="af_packet", help="of Sluice's ports")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name in options.names:
        if name not in BENCHES:
            parser.error(f"unknown benchmark {name!r}; there are {', '.join(BENCHES)}")
    if os.cpu_count() < 2:
        parser.error("two cores are needed: one for the load balancer, one for clients and backend")
    rounds, seconds = (1, 2) if options.quick else (options.rounds, 4)

    sides, figures = [], []
    try:
        for start in (lambda: Sluice(options.driver), Nginx, Haproxy):
            sides.append(start())
        for side in sides:
            wait_for(lambda s=side: "200" in s.lab.curl("-k", "-o", "/dev/null", "-w", "%{http_code}",
                                                        f"https://{s.target}/static/1k", check=False).stdout, 10, side.name)
        for name in options.names or BENCHES:
            scheme, targets = BENCHES[name]
            results = {side.name: [] for side in sides}
            for _ in range(rounds):
                for side in sides:  # interleaved: a slow minute of the machine hits all of them
                    results[side.name].append(side.measure(scheme, seconds, options.clients))
                    time.sleep(0.2)
            figures += report(name, results, targets)
    finally:
        for side in sides:
            side.close()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def report(name, results, targets):
    rates = {side: [rate for rate, _ in rows] for side, rows in results.items()}
    load = {side: statistics.median(share for _, share in rows) for side, rows in results.items()}
    own = statistics.median(rates["sluice"])
    print(f"{name}: kept-alive GET of {BODY} bytes, requests per busy core-second of the load balancer")
    for side, values in rates.items():
        spread = (max(values) - min(values)) / statistics.median(values)
        print(f"  {side:8} {statistics.median(values):10,.0f}   spread {spread:4.0%}   core in use {load[side]:4.0%}")
    figures = []
    for peer, target in targets.items():
        ratios = [a / b for a, b in zip(rates["sluice"], rates[peer])]
        ratio = statistics.median(ratios)
        spread = (max(ratios) - min(ratios)) / ratio
        verdict = "reached" if ratio >= target else "not reached"
        print(f"  ratio to {peer}: {ratio:.2f} (target {target:g}: {verdict}), spread {spread:.0%}", flush=True)
        figures.append({"name": name, "value": own, "unit": "requests per busy core-second", "peer": peer,
                        "peer_value": statistics.median(rates[peer]), "ratio": ratio, "target": target,
                        "ok": ratio >= target, "spread": spread, "command": f"pktgen-scripts/bench.sh {name}"})
    return figures


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (RuntimeError, TimeoutError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(1)
