# SPDX-License-Identifier: Apache-2.0
"""Sluice, nginx and HAProxy as load balancers over the same veth network, each in a lab of its own, and what each costs.

Softirqs of the balancer's devices are steered to core 1 and those of its clients and backends to core 0 (RPS), so that each pays
its own share of the kernel's work. What nginx and HAProxy cost is the time that core 1 was in use: user, system, interrupts and
softirqs. Sluice polls, so the core is always in use; its cost is the time of loops that did work, as its own counters tell, and on top the core's interrupts and
softirqs, although many of them fall into a busy loop and count twice; but never more than the time that the core was in use.
"""
import contextlib
import signal
import subprocess
import time

from bench import machine
from bench.figures import BenchError
from tests.support.lab import BACKENDS, VIP4, Lab, run, wait_for

BACKEND = BACKENDS["b1"][0]
FILES = {"1k": 1024, "1m": 1 << 20}
PORTS = {"http": 80, "https": 443, "https-rsa": 444}  # 443 has an ECDSA P-256 certificate, 444 one with RSA-2048
KEYS = {"ecdsa": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("-newkey", "rsa:2048")}

NGINX_LB = """
user root; worker_processes 1; worker_cpu_affinity 10; worker_rlimit_nofile 65536;
error_log %(folder)s/lb-error.log; pid %(folder)s/lb.pid;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; tcp_nodelay on;
  client_body_temp_path %(folder)s/lbtmp; proxy_temp_path %(folder)s/lbtmp; fastcgi_temp_path %(folder)s/lbtmp;
  uwsgi_temp_path %(folder)s/lbtmp; scgi_temp_path %(folder)s/lbtmp;
  proxy_buffers 64 16k; proxy_buffer_size 16k; proxy_busy_buffers_size 256k; proxy_max_temp_file_size 0;
  ssl_protocols TLSv1.3; ssl_session_cache off; ssl_session_tickets on; ssl_buffer_size 16k;
  upstream b { server %(backend)s:80; keepalive 256; keepalive_requests 100000000; }
  server { listen 10.77.0.1:80; listen 10.77.0.1:443 ssl; ssl_certificate %(folder)s/ecdsa.pem;
    ssl_certificate_key %(folder)s/ecdsa.key; include %(folder)s/location.conf; }
  server { listen 10.77.0.1:444 ssl; ssl_certificate %(folder)s/rsa.pem; ssl_certificate_key %(folder)s/rsa.key;
    include %(folder)s/location.conf; }
}
"""
NGINX_LOCATION = """
location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr; }
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
  bind 10.77.0.1:443 ssl crt %(folder)s/ecdsa.both alpn http/1.1
  bind 10.77.0.1:444 ssl crt %(folder)s/rsa.both alpn http/1.1
  default_backend b
backend b
  server s %(backend)s:80
"""


def certificate(folder, kind):
    """KIND.pem, KIND.key and both in KIND.both."""
    key, chain = folder / f"{kind}.key", folder / f"{kind}.pem"
    run("openssl", "req", "-x509", *KEYS[kind], "-nodes", "-days", "2", "-subj", "/CN=bench.test", "-keyout", key, "-out", chain)
    (folder / f"{kind}.both").write_text(chain.read_text() + key.read_text())


class Side:
    """One load balancer with its client and backend. All sides stay up, idle, while the others are measured."""

    name = ""
    target = "10.77.0.1"

    def __init__(self, prefix, driver="af_packet"):
        self.lab = Lab(prefix, driver=driver)
        try:
            self.lab.start_nginx("b1")
            self.files = {name: self.lab.static_file(name, size, ("b1",)) for name, size in FILES.items()}
            for kind in KEYS:
                certificate(self.lab.folder, kind)
            self.steer()
            self.serve()
            machine.settle(self.lab.backend_pids["b1"].pid, machine.LOAD_CORE)
            for scheme, port in PORTS.items():
                self.verify(scheme.split("-", maxsplit=1)[0], port)
        except BaseException:
            self.close()
            raise

    def steer(self):
        """What arrives at the balancer is received on its core, and what arrives at the others on theirs, whoever sent it."""
        places = self.lab.namespaces
        for where, device, core in ((places["lb"], self.lab.device("wan"), machine.LB_CORE),
                                    (places["lb"], self.lab.device("lan"), machine.LB_CORE),
                                    (places["cl"], "eth0", machine.LOAD_CORE), (places["sw"], "lb", machine.LOAD_CORE),
                                    (places["sw"], "b1", machine.LOAD_CORE), (places["b1"], "eth0", machine.LOAD_CORE)):
            where.run("sh", "-c", f"echo {1 << core:x} > /sys/class/net/{device}/queues/rx-0/rps_cpus")

    def serve(self):
        raise NotImplementedError

    def verify(self, scheme, port):
        """The bytes that come through are the backend's."""
        for name, path in self.files.items():
            out = self.lab.folder / "answer"
            url = f"{scheme}://{self.target}:{port}/static/{name}"
            wait_for(lambda u=url: self.lab.curl("-kfo", out, u, check=False).returncode == 0, 10, f"{self.name}: {url}")
            if out.read_bytes() != path.read_bytes():
                raise BenchError(f"{self.name}: {url} gives wrong bytes")

    def values(self):
        return {"folder": self.lab.folder, "backend": BACKEND}

    def kernel_network(self):
        """What a balancer on kernel sockets needs: addresses, and the offloads that the lab turns off for Sluice's ports,
        which want frames as on a wire."""
        for port, address in (("wan", "10.77.0.1/24"), ("lan", "10.78.0.1/24")):
            self.lab.lb.ip("address", "add", address, "dev", self.lab.device(port))
        places = self.lab.namespaces
        for where, device in (("lb", self.lab.device("wan")), ("lb", self.lab.device("lan")), ("cl", "eth0"), ("sw", "lb"),
                              ("sw", "b1"), ("b1", "eth0")):
            places[where].run("ethtool", "-K", device, "tx", "on", "tso", "on", "gso", "on", "gro", "on")

    def counters(self):
        """What cost() needs, in seconds so far."""
        return {"core": machine.core_seconds(), "interrupts": machine.core_seconds(("irq", "softirq"))}

    def cost(self, spent):
        """Busy core-seconds of the balancer, of what counters() came to."""
        raise NotImplementedError

    def awake(self):
        """A context in which the balancer runs; outside, one that polls is stopped when others are measured on its core."""
        return contextlib.nullcontext()

    def load(self, *command):
        """Runs a load generator on core 0 in the client's namespace: (its output, busy core-seconds of the balancer)."""
        with self.awake():
            return self.measured(command)

    def measured(self, command):
        before = self.counters()
        done = subprocess.run(self.lab.client.command(*machine.on_core(machine.LOAD_CORE, *command)), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        cost = self.cost({name: now - before[name] for name, now in self.counters().items()})
        if done.returncode != 0:
            raise BenchError(f"{self.name}: {' '.join(map(str, command))}: status {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout, cost

    def close(self):
        self.lab.close()


FOREIGN = 0.05  # of a round


def foreign_seconds(spent):
    """At least so much of the core's time was somebody else's. Where the kernel counts interrupts by its tick, a process's
    system time has those that hit it: then the second term says too little, but the first never has any."""
    return max(spent["user"] - spent["own_user"],
               spent["core"] - spent["interrupts"] - spent["own_user"] - spent["own_system"])


class Peer(Side):
    """On kernel sockets. All time of the core is its cost, so the core must have been its own."""

    prefix = ""

    def __init__(self, anyway=False):
        self.anyway, self.process = anyway, None
        super().__init__(self.prefix)

    def launch(self, *command):
        self.process = self.lab.lb.start("nice", "-n", machine.PRIORITY, *command, stderr=subprocess.DEVNULL)
        machine.weigh_session(self.process.pid)

    def counters(self):
        user, system = machine.process_seconds(self.process.pid)
        return {**super().counters(), "user": machine.core_seconds(("user",)), "own_user": user, "own_system": system,
                "wall": time.monotonic()}

    def cost(self, spent):
        share = foreign_seconds(spent) / spent["wall"]
        if share > FOREIGN:
            problem = f"{self.name}: {share:.0%} of a round of core {machine.LB_CORE} went to somebody else"
            if not self.anyway:
                raise BenchError(f"{problem}. Its busiest programs: {machine.busiest(machine.LB_CORE)}")
            print(f"  {problem}", flush=True)
        return spent["core"]


class Nginx(Peer):
    name, prefix = "nginx", "sbn"

    def serve(self):
        self.kernel_network()
        folder = self.lab.folder
        (folder / "lbtmp").mkdir()
        (folder / "location.conf").write_text(NGINX_LOCATION)
        (folder / "lb.conf").write_text(NGINX_LB % self.values())
        self.launch("nginx", "-c", folder / "lb.conf", "-g", "daemon off;")


class Haproxy(Peer):
    name, prefix = "haproxy", "sbh"

    def serve(self):
        self.kernel_network()
        config = self.lab.folder / "lb.cfg"
        config.write_text(HAPROXY_LB % self.values())
        self.launch("haproxy", "-db", "-f", config)


class Sluice(Side):
    name = "sluice"
    target = VIP4
    sleeps = False

    def __init__(self, driver="af_packet", prefix="sbs"):
        super().__init__(prefix, driver)

    def serve(self):
        self.lab.start()
        self.lab.api.apply(sluice_config(self.lab.folder))
        machine.settle_workers(self.lab.sluiced.pid)

    def awake(self):
        return machine.awake(self.lab.sluiced.pid) if self.sleeps else super().awake()

    def close(self):
        if self.sleeps and self.lab.sluiced:
            self.lab.sluiced.send_signal(signal.SIGCONT)
        super().close()

    def counters(self):
        return {**super().counters(), "busy": self.lab.api.metric("sluice_worker_busy_seconds")}

    def cost(self, spent):
        return min(spent["busy"] + spent["interrupts"], spent["core"])


def sluice_config(folder):
    """HTTP, HTTPS with ECDSA and HTTPS with RSA, all to the one backend."""
    action = {"type": "forward", "server_groups": [{"server_group": "b"}]}
    common = {"load_balancer": "lb", "max_requests_per_connection": 100000000, "access_log": False, "default_action": action}
    return {
        "load_balancers": [{"id": "lb", "addresses": [VIP4]}],
        "server_groups": [{"id": "b", "members": [{"address": BACKEND, "port": 80}]}],
        "certificates": [{"id": kind, "certificate": (folder / f"{kind}.pem").read_text(),
                          "private_key": (folder / f"{kind}.key").read_text()} for kind in KEYS],
        "listeners": [{"id": "http", "port": 80, **common},
                      {"id": "https", "port": 443, "protocol": "https", "certificates": ["ecdsa"], **common},
                      {"id": "https-rsa", "port": 444, "protocol": "https", "certificates": ["rsa"], **common}]}


def all_sides(run):
    """The three of them, shared by the benchmarks of one run."""
    sides = [run.shared("sluice", lambda: Sluice(run.driver)), run.shared("nginx", lambda: Nginx(run.anyway)),
             run.shared("haproxy", lambda: Haproxy(run.anyway))]
    if not sides[0].sleeps:
        sides[0].sleeps = True
        machine.stop(sides[0].lab.sluiced.pid)
    return {side.name: side for side in sides}
