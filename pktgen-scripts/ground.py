#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The measuring ground: one sluiced, with sluice-pktgen at both of its ports, DPDK to DPDK.

        sluice-pktgen, clients ---- wan | sluiced | lan ---- sluice-pktgen, backends
     10.77.0.2, fd77::2      10.77.0.1             10.78.0.1       10.78.0.2, fd78::2

The VIPs are those of tests/support/lab.py. No network namespace and no kernel network code takes part, except the API on
loopback. As a program: ground.py SHAPE... [--driver memif|vhost|virtio] prints what each shape gives.
"""
import argparse
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "pktgen-scripts")]
from hugepages import HugePages  # noqa: E402
from tests.support.lab import VIP4, VIP6, samples, stop  # noqa: E402

API_PORTS = iter(range(18443 + os.getpid() % 1000 * 8, 65000))

CONF = """
ports = (
  { name = "wan"; device = "%(wan)s"; addresses = [ "10.77.0.1/24", "fd77::1/64" ]; },
  { name = "lan"; device = "%(lan)s"; addresses = [ "10.78.0.1/24", "fd78::1/64" ]; }
);
routes = ( { destination = "198.18.0.0/15"; gateway = "10.77.0.2"; }, { destination = "2001:2::/48"; gateway = "fd77::2"; } );
workers = { cores = [ %(cores)s ]; idle = "%(idle)s"; drain_timeout_s = 3; };
memory = { huge_pages = "%(huge)s"; memory_mb = %(memory)d; file_prefix = "sluice-ground-%(pid)d"; eal_arguments = [ %(eal)s ]; };
management = { listen = "127.0.0.1:%(api)d"; metrics_auth = false; };
data_folder = "%(folder)s/data";
log = { level = "info"; access_log = ""; };
"""


class Failed(RuntimeError):
    """sluice-pktgen ended without a result. `status`: its exit status."""

    def __init__(self, status, said):
        super().__init__(said.strip() or f"sluice-pktgen ended with status {status}")
        self.status = status


class Ground:
    """Each run() is one sluice-pktgen against the one sluiced, which stays up in between. `driver`:
    memif;
    vhost: vhost-user, with sluiced as the host side;
    virtio: the same with sluiced as the guest side, as on a virtual machine's ENI: its port has checksum offload and TSO, and
    the copying is the host's, which is sluice-pktgen. Such a port waits for its host when it is opened, and for no second
    one: sluiced begins with each run(), and serves until the next."""

    def __init__(self, driver="memif", build=None, core="1", generator_core=0, huge_pages=True, memory_mb=512, idle="adaptive",
                 share_core=False, key="ecdsa"):
        self.build = ROOT / "build" / (build or os.environ.get("SLUICE_BUILD", "release"))
        self.driver, self.core, self.generator_core = driver, core, generator_core
        self.huge_pages, self.memory_mb, self.idle, self.share_core = huge_pages, memory_mb, idle, share_core
        self.api_port = next(API_PORTS)
        self.folder = Path(tempfile.mkdtemp(prefix=f"sluice-ground{os.environ.get('SLUICE_LAB_TAG', '')}-"))
        self.sluiced = None
        self.certificate = self._certificate(key)
        self.pages = HugePages(2 * memory_mb) if huge_pages else None  # of sluiced and of one generator
        try:
            if self.driver != "virtio":
                self._start()
                self._take_up()
        except BaseException:
            self.close()
            raise

    # -- sluiced

    def device(self, port, ours):
        """DPDK's words for one end of the cable at wan or lan; `ours`: sluiced's."""
        index, socket = {"wan": 0, "lan": 1}[port], self.folder / f"{port}.sock"
        if self.driver == "memif":
            role = "server" if ours else "client"
            return f"net_memif{index},role={role},socket={socket},socket-abstract=no"
        guest = f"net_virtio_user{index},path={socket},queue_size=1024"
        if self.driver == "virtio":
            return f"{guest},server=1,mrg_rxbuf=1" if ours else f"net_vhost{index},iface={socket},client=1,tso=1"
        return f"net_vhost{index},iface={socket}" if ours else guest

    @property
    def eal(self):
        # virtio-user hands its memory over as a handful of files.
        return [] if self.driver == "memif" else ["--single-file-segments"]

    def _start(self):
        conf = self.folder / "sluice.conf"
        conf.write_text(CONF % {
            "wan": self.device("wan", True), "lan": self.device("lan", True), "cores": self.core, "idle": self.idle,
            "huge": "on" if self.huge_pages else "off", "memory": self.memory_mb, "pid": os.getpid(), "api": self.api_port,
            "folder": self.folder, "eal": ", ".join(f'"{e}"' for e in self.eal)})
        self.log = open(self.folder / "sluiced.log", "wb")
        self.sluiced = subprocess.Popen([self.build / "mgmt/daemon/sluiced", "--config", conf], stdout=self.log,
                                        stderr=subprocess.STDOUT, start_new_session=True)

    def _take_up(self, host=None):
        """As soon as sluiced serves: what it balances. It never does when its ports' host has ended."""
        end = time.monotonic() + 90
        while not self._serving():
            if self.sluiced.poll() is not None:
                raise RuntimeError(f"sluiced ended with status {self.sluiced.returncode}:\n{self.log_text()}")
            if host is not None and host.poll() is not None:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"sluiced does not serve its API:\n{self.log_text()}")
            time.sleep(0.05)
        self.serving(self.sluiced.pid)
        self.configure()

    def serving(self, pid):
        """For those who have something to do with a process that has just begun to serve."""

    def _serving(self):
        try:
            return self.api("GET", "/healthz") is not None
        except OSError:
            return False

    def api(self, method, path, body=None):
        request = urllib.request.Request(f"https://127.0.0.1:{self.api_port}{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        if self.token_file.exists():
            request.add_header("Authorization", "Bearer " + self.token_file.read_text().split()[-1])
        try:
            with urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context()) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as refusal:
            raise RuntimeError(f"{method} {path}: {refusal.code} {refusal.read().decode()}") from refusal
        return json.loads(text) if text.startswith("{") else text

    def configure(self, **listener):
        """HTTP on 80 and HTTPS on 443 of both VIPs, to the generator's backends. Left out: access logs, bounds that a load
        would meet."""
        certificate, private_key = self.certificate
        common = {"load_balancer": "lb", "access_log": False, "max_requests_per_connection": 100000000,
                  "header_timeout_ms": 3600000, "idle_timeout_ms": 3600000,
                  "default_action": {"type": "forward", "server_groups": [{"server_group": "pktgen"}]}, **listener}
        self.api("PUT", "/api/v1/config", {
            "load_balancers": [{"id": "lb", "addresses": [VIP4, VIP6]}],
            "server_groups": [{"id": "pktgen", "members": [{"address": "10.78.0.2", "port": 80}]}],
            "certificates": [{"id": "pktgen", "certificate": certificate, "private_key": private_key}],
            "listeners": [{"id": "http", "port": 80, **common},
                          {"id": "https", "port": 443, "protocol": "https", "certificates": ["pktgen"], **common}]})

    def _certificate(self, key):
        kind = {"ecdsa": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}[key]
        files = [self.folder / f"{key}.crt", self.folder / f"{key}.key"]
        subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj", "/CN=pktgen.test",
                        "-out", files[0], "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)
        return [f.read_text() for f in files]

    @property
    def token_file(self):
        return self.folder / "data/admin.token"

    def log_text(self):
        return (self.folder / "sluiced.log").read_text(errors="replace")[-4000:]

    def metric(self, name, **labels):
        """Sum over the samples of a metric whose labels contain these."""
        return sum(samples(self.api("GET", "/metrics"), name, **labels))

    def resident_mb(self):
        """What sluiced holds in memory, hugepages not counted."""
        for line in Path(f"/proc/{self.sluiced.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("sluiced is gone")

    # -- sluice-pktgen

    def command(self, shape, *arguments, target=VIP4):
        out = [self.build / "pktgen-scripts/sluice-pktgen", "--shape", shape, "--core", self.generator_core,
               "--clients", self.device("wan", False), "--backends", self.device("lan", False), "--target", target,
               "--hugepages", "on" if self.huge_pages else "off", "--memory", self.memory_mb,
               "--appliance", f"https://127.0.0.1:{self.api_port}", "--token-file", self.token_file]
        out += ["--share-core"] if self.share_core else []
        for argument in self.eal:
            out.append(f"--eal={argument}")
        return [str(x) for x in [*out, *arguments]]

    def run(self, shape, *arguments, target=VIP4, timeout=600, show=False):
        """The JSON of one run, or Failed. `show`: lets its progress through."""
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        done = self.generate(self.command(shape, *arguments, "--json", result, target=target), timeout, stdout=subprocess.PIPE,
                             stderr=None if show else subprocess.PIPE)
        if done.returncode != 0:
            raise Failed(done.returncode, (done.stderr or "").strip().rpartition("sluice-pktgen: ")[2])
        if self.sluiced.poll() is not None:
            raise RuntimeError(f"sluiced ended with status {self.sluiced.returncode}:\n{self.log_text()}")
        return json.loads(result.read_text())

    def generate(self, command, timeout=None, **streams):
        """One sluice-pktgen from its beginning to its end: the process, which has ended."""
        guest = self.driver == "virtio"
        if guest:
            if self.sluiced is not None:
                self.stop()
            self._start()
        with subprocess.Popen(command, text=True, **streams) as generator:
            try:
                if guest:
                    self._take_up(generator)
                out, err = generator.communicate(timeout=timeout)
            except BaseException:
                generator.kill()
                raise
        return subprocess.CompletedProcess(command, generator.returncode, out, err)

    def stop(self, seconds=20):
        """Ends sluiced in good order; its exit status."""
        process, self.sluiced = self.sluiced, None
        status = stop(process, seconds)
        self.log.close()
        return status

    def close(self):
        if self.sluiced is not None:
            self.stop()
        if self.pages is not None:
            self.pages.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="+", metavar="SHAPE", help="name or file; sluice-pktgen --list names them")
    parser.add_argument("--driver", choices=["memif", "vhost", "virtio"], default="memif")
    parser.add_argument("--no-huge", action="store_true", help="without hugepages")
    parser.add_argument("--key", choices=["ecdsa", "rsa"], default="ecdsa", help="of the appliance's certificate")
    parser.add_argument("--memory", type=int, default=512, help="MB for packets, of each side")
    parser.add_argument("--build", default="release")
    options, passed_on = parser.parse_known_args()
    with Ground(options.driver, options.build, huge_pages=not options.no_huge, key=options.key, memory_mb=options.memory) as ground:
        for shape in options.shapes:
            done = ground.generate(ground.command(shape, *passed_on))
            if done.returncode != 0:
                return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
