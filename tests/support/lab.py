# SPDX-License-Identifier: Apache-2.0
"""A small network around one sluiced, made of network namespaces: a client, the appliance, three backends.

        client ---- wan | sluiced | lan ---- switch ---- b1, b2, b3 (nginx)
     10.77.0.2  10.77.0.1          10.78.0.1          10.78.0.11 .. 13
     fd77::2    fd77::1            fd78::1            fd78::11 .. 13

VIPs are 10.77.0.100 and fd77::100, on the client's link. Everything carries the lab's prefix, nothing is routed
outside, and close() removes all of it, also after a failure half way.
"""
import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

from tests.support.netns import NO_OFFLOADS, Netns, claim, run, stop, wait_for

ROOT = Path(__file__).resolve().parents[2]
VIP4, VIP6 = "10.77.0.100", "fd77::100"
BACKENDS = {"b1": ("10.78.0.11", "fd78::11"), "b2": ("10.78.0.12", "fd78::12"), "b3": ("10.78.0.13", "fd78::13")}


def samples(text, name, **labels):
    """Values of a metric in Prometheus' text format whose labels contain these."""
    for line in text.splitlines():
        head, _, value = line.rpartition(" ")
        if (head == name or head.startswith(name + "{")) and all(f'{k}="{v}"' in head for k, v in labels.items()):
            yield float(value)


class Api:
    """The REST API of a sluiced, spoken from inside its namespace."""

    def __init__(self, lab):
        self.lab = lab

    def request(self, method, path, body=None, headers=None, token=True):
        """(status, headers, parsed JSON or text)"""
        head = {"Content-Type": "application/json", **(headers or {})}
        if token:
            head.setdefault("Authorization", "Bearer " + self.lab.token())
        context = ssl._create_unverified_context()
        with self.lab.lb_entered():
            connection = http.client.HTTPSConnection(self.lab.api_address, self.lab.api_port, timeout=30, context=context)
            connection.connect()
        try:
            connection.request(method, path, None if body is None else
                               body if isinstance(body, (bytes, str)) else json.dumps(body), head)
            answer = connection.getresponse()
            raw = answer.read().decode()
            kind = answer.headers.get_content_type()
            parsed = json.loads(raw) if kind.endswith("json") and raw else raw
            return answer.status, dict(answer.headers), parsed
        finally:
            connection.close()

    def ok(self, method, path, body=None, **kwargs):
        status, _, answer = self.request(method, path, body, **kwargs)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def apply(self, config):
        return self.ok("PUT", "/api/v1/config", config)

    def metric(self, name, **labels):
        """Sum over the samples of a metric whose labels contain these."""
        return sum(samples(self.request("GET", "/metrics")[2], name, **labels))


class Lab:
    """`driver`: af_packet, af_xdp or tap. `own_namespace` False puts sluiced beside the user (for the demo). The letter in
    SLUICE_LAB_TAG keeps labs of two work trees on one machine apart."""

    def __init__(self, prefix="slt", driver="af_packet", workers=1, own_namespace=True, api_port=8443, mtu=1500,
                 extra_config="", build=None, huge_pages="off"):
        self.prefix = prefix + os.environ.get("SLUICE_LAB_TAG", "")
        self.driver, self.workers, self.api_port, self.mtu = driver, workers, api_port, mtu
        self.extra_config, self.huge_pages = extra_config, huge_pages
        self.build = ROOT / "build" / (build or os.environ.get("SLUICE_BUILD", "release"))
        self.folder = Path(tempfile.mkdtemp(prefix=f"sluice-{self.prefix}-"))
        self.folder.chmod(0o755)
        self.namespaces = {}
        self.lb = None
        self.sluiced = None
        self.api_address = "127.0.0.1"
        self.api = Api(self)
        self.backend_pids = {}
        self.lock = claim(self.prefix)
        try:
            self._remove_devices()
            self._wire(own_namespace)
        except BaseException:
            self.close()
            raise

    # -- network

    def _wire(self, own_namespace):
        for name in ("cl", "sw", *BACKENDS):
            self.namespaces[name] = Netns(f"{self.prefix}-{name}")
        if own_namespace:
            self.lb = self.namespaces["lb"] = Netns(f"{self.prefix}-lb")
        switch = self.namespaces["sw"]
        switch.ip("link", "add", "br0", "type", "bridge")
        switch.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        switch.ip("link", "set", "br0", "up")
        self._cable(self.namespaces["cl"], "eth0", ("10.77.0.2/24", "fd77::2/64"), self.device("wan"))
        self._cable(switch, "lb", (), self.device("lan"))
        switch.ip("link", "set", "lb", "master", "br0")
        for name, (v4, v6) in BACKENDS.items():
            run("ip", "link", "add", f"{self.prefix}-x", "type", "veth", "peer", "name", f"{self.prefix}-y")
            run("ip", "link", "set", f"{self.prefix}-x", "netns", switch.name, "name", name)
            run("ip", "link", "set", f"{self.prefix}-y", "netns", self.namespaces[name].name, "name", "eth0")
            switch.ip("link", "set", name, "master", "br0", "up")
            self._address(self.namespaces[name], "eth0", (f"{v4}/24", f"{v6}/64"))
            switch.quiet(name)

    def device(self, port):
        """The appliance's end of a cable."""
        return f"{self.prefix}{port}"

    def _cable(self, netns, name, addresses, lb_end):
        run("ip", "link", "add", lb_end, "type", "veth", "peer", "name", f"{self.prefix}-y")
        run("ip", "link", "set", f"{self.prefix}-y", "netns", netns.name, "name", name)
        self._address(netns, name, addresses)
        if self.lb:
            run("ip", "link", "set", lb_end, "netns", self.lb.name)
        self.lb_run("sysctl", "-qw", f"net.ipv6.conf.{lb_end}.disable_ipv6=1")
        self.lb_run("ethtool", "-K", lb_end, *NO_OFFLOADS)
        self.lb_run("ip", "link", "set", lb_end, "mtu", self.mtu, "up")

    def _address(self, netns, device, addresses):
        for address in addresses:
            netns.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        netns.quiet(device)
        netns.ip("link", "set", device, "mtu", self.mtu, "up")

    def lb_command(self, *args):
        return self.lb.command(*args) if self.lb else [str(a) for a in args]

    def lb_run(self, *args):
        return run(*self.lb_command(*args))

    def lb_entered(self):
        return self.lb.entered() if self.lb else contextlib.nullcontext()

    @property
    def client(self):
        return self.namespaces["cl"]

    # -- backends

    def start_nginx(self, name, extra=""):
        """A real nginx in that backend's namespace; answers with its name, and serves and takes files."""
        folder = self.folder / name
        (folder / "www/static").mkdir(parents=True, exist_ok=True)
        for sub in ("tmp", "www/upload"):
            (folder / sub).mkdir(exist_ok=True)
            (folder / sub).chmod(0o777)
        (folder / "www").chmod(0o777)
        (folder / "nginx.conf").write_text(NGINX % {"folder": folder, "name": name, "extra": extra})
        process = self.namespaces[name].start("nginx", "-c", folder / "nginx.conf", "-p", folder, "-g", "daemon off;",
                                              stderr=subprocess.DEVNULL)
        self.backend_pids[name] = process
        wait_for(lambda: subprocess.run(self.namespaces[name].command("curl", "-sfo", "/dev/null", "http://127.0.0.1/"),
                                        check=False).returncode == 0, 30, f"nginx on {name}")
        return process

    def kill_nginx(self, name):
        """Master and workers at once, as a host that dies."""
        process = self.backend_pids.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def static_file(self, name, size, backends=tuple(BACKENDS)):
        """The same random bytes on each backend as /static/NAME; returns the path of one copy."""
        first = self.folder / backends[0] / "www/static" / name
        with open(first, "wb") as out, open("/dev/urandom", "rb") as source:
            for left in range(size, 0, -(1 << 20)):
                out.write(source.read(min(left, 1 << 20)))
        for other in backends[1:]:
            target = self.folder / other / "www/static" / name
            target.unlink(missing_ok=True)
            os.link(first, target)
        return first

    # -- sluiced

    def vdev(self, index, port):
        device = self.device(port)
        if self.driver == "af_packet":
            queues = f",qpairs={self.workers}" if self.workers > 1 else ""
            return f"net_af_packet{index},iface={device}{queues}"
        if self.driver == "af_xdp":
            return f"net_af_xdp{index},iface={device}"
        return f"net_tap{index},iface={device}t"

    def config_text(self):
        cores = ", ".join(str(1 + i) if os.cpu_count() > 1 + i else str(i % os.cpu_count())
                          for i in range(self.workers)) if self.workers == 1 else "0, 1"
        return SLUICED % {"wan": self.vdev(0, "wan"), "lan": self.vdev(1, "lan"), "cores": cores, "mtu": self.mtu,
                          "data": self.folder / "data", "log": self.folder / "access.log", "api": self.api_port,
                          "prefix": f"{self.prefix}{os.getpid()}", "extra": self.extra_config, "huge": self.huge_pages}

    def start(self, seconds=60):
        """Starts sluiced and waits until its API answers."""
        self.launch()
        wait_for(self._serving, seconds, f"sluiced; its log:\n{self.log_text()[-3000:]}")
        return self

    def launch(self):
        """Starts sluiced without waiting for it."""
        conf = self.folder / "sluice.conf"
        conf.write_text(self.config_text())
        self.log = open(self.folder / "sluiced.log", "ab")
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99:disable_coredump=0:detect_stack_use_after_return=0",
                   LSAN_OPTIONS=f"suppressions={ROOT}/tests/support/lsan.supp:print_suppressions=0",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99")
        self.sluiced = subprocess.Popen(self.lb_command(self.build / "mgmt/daemon/sluiced", "--config", conf),
                                        stdout=self.log, stderr=subprocess.STDOUT, env=env)
        if self.driver == "tap":
            self._bridge_taps()

    def _bridge_taps(self):
        for port in ("wan", "lan"):
            tap = self.device(port) + "t"
            wait_for(lambda t=tap: subprocess.run(self.lb_command("ip", "link", "show", t), check=False,
                                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
                     or self.sluiced.poll() is not None, 20, f"{tap} to appear")
            bridge = self.device(port) + "b"
            self.lb_run("ip", "link", "add", bridge, "type", "bridge")
            self.lb_run("sysctl", "-qw", f"net.ipv6.conf.{bridge}.disable_ipv6=1", f"net.ipv6.conf.{tap}.disable_ipv6=1")
            for end in (tap, self.device(port)):
                self.lb_run("ip", "link", "set", end, "master", bridge)
                self.lb_run("ip", "link", "set", end, "up")
            self.lb_run("ip", "link", "set", bridge, "up")

    def _serving(self):
        if self.sluiced.poll() is not None:
            raise RuntimeError(f"sluiced ended with status {self.sluiced.returncode}:\n{self.log_text()[-4000:]}")
        try:
            return self.api.request("GET", "/healthz", token=False)[0] == 200
        except OSError:
            return False

    def stop(self, seconds=40):
        """Graceful stop; returns the exit status."""
        if self.sluiced is None:
            return None
        if self.sluiced.poll() is None:
            self.sluiced.send_signal(signal.SIGTERM)
            try:
                self.sluiced.wait(seconds)
            except subprocess.TimeoutExpired:
                self.sluiced.kill()
                self.sluiced.wait()
        status, self.sluiced = self.sluiced.returncode, None
        self.log.close()
        return status

    def token(self):
        return (self.folder / "data/admin.token").read_text().split()[-1]

    def log_text(self):
        return (self.folder / "sluiced.log").read_text(errors="replace")

    def access_log(self):
        """Its records so far. The last line may still be on its way into the file."""
        path = self.folder / "access.log"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return [json.loads(line) for line in whole.splitlines()]

    # -- client

    def curl(self, *args, check=True, timeout=60):
        """curl in the client's namespace; returns its output."""
        done = subprocess.run(self.client.command("curl", "-sS", "--max-time", timeout, *args), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace", check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"curl {args}: {done.returncode} {done.stderr}")
        return done.stdout if check else done

    def close(self):
        with contextlib.suppress(Exception):
            self.stop(seconds=10)
        for netns in self.namespaces.values():
            netns.close()
        if not self.lb:
            self._remove_devices()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()

    def _remove_devices(self):
        """Those beside us, of a lab without a namespace for the appliance."""
        for port in ("wan", "lan"):
            for device in (self.device(port), self.device(port) + "b", self.device(port) + "t"):
                subprocess.run(["ip", "link", "del", device], check=False, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def basic_config(**listener):
    """Both hosts on b1..b3, HTTP and HTTPS, v4 and v6 VIPs. An appliance that gets no time for seconds does not give up a member."""
    patience = {"connect_timeout_ms": 20000}
    members = [{"address": v4, "port": 80} for v4, _ in BACKENDS.values()]
    return {
        "load_balancers": [{"id": "lb", "addresses": [VIP4, VIP6]}],
        "server_groups": [{"id": "all", "members": members, **patience},
                          {"id": "one", "members": members[:1], **patience}],
        "listeners": [{"id": "http", "load_balancer": "lb", "port": 80, **listener},
                      {"id": "https", "load_balancer": "lb", "port": 443, "protocol": "https", **listener}],
        "rules": [{"id": f"{entry}-{group}", "listener": entry, "hosts": hosts, "paths": paths,
                   "action": {"type": "forward", "server_groups": [{"server_group": group}]}}
                  for entry in ("http", "https")
                  for group, hosts, paths in (("all", [], [{"type": "prefix", "value": "/"}]),
                                              ("one", ["one.test"], [{"type": "prefix", "value": "/"}]))],
    }


NGINX = """
worker_processes 1;
error_log %(folder)s/error.log;
pid %(folder)s/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path %(folder)s/tmp; proxy_temp_path %(folder)s/tmp; fastcgi_temp_path %(folder)s/tmp;
  uwsgi_temp_path %(folder)s/tmp; scgi_temp_path %(folder)s/tmp;
  client_max_body_size 0;
  keepalive_requests 1000000;
  keepalive_timeout 60;
  default_type text/plain;
  server {
    listen 80 reuseport backlog=4096; listen [::]:80 reuseport backlog=4096;
    root %(folder)s/www;
    location / {
      return 200 "backend=%(name)s host=$host uri=$request_uri proto=$http_x_forwarded_proto for=$http_x_forwarded_for id=$http_x_request_id\\n";
    }
    location /static/ { }
    location /upload/ { dav_methods PUT; }
    %(extra)s
  }
}
"""

SLUICED = """
ports = (
  { name = "wan"; device = "%(wan)s"; mtu = %(mtu)s; addresses = [ "10.77.0.1/24", "fd77::1/64" ]; },
  { name = "lan"; device = "%(lan)s"; mtu = %(mtu)s; addresses = [ "10.78.0.1/24", "fd78::1/64" ]; }
);
workers = { cores = [ %(cores)s ]; idle = "adaptive"; };
memory = { huge_pages = "%(huge)s"; memory_mb = 512; file_prefix = "%(prefix)s"; };
management = { listen = "127.0.0.1:%(api)s"; };
data_folder = "%(data)s";
log = { level = "info"; access_log = "%(log)s"; };
%(extra)s
"""
