# SPDX-License-Identifier: Apache-2.0
"""Handshakes and records beside what the libraries do by themselves, and the memory of idle connections."""
import json
import resource
import subprocess
import time

from bench import machine
from bench.figures import BenchError, bound, compare
from bench.ground_side import PKTGEN, GroundSide
from bench.runner import DAEMON, benchmark
from bench.sides import PORTS, Sluice, all_sides
from tests.support.lab import VIP4

PRIMITIVES, CLIENT = "pktgen-scripts/primitives/sluice-primitives", "pktgen-scripts/primitives/sluice-tls-client"
BUILD = (*DAEMON, PRIMITIVES, CLIENT, PKTGEN)
PEERS = ("nginx", "haproxy", "openssl", "curl")
UNIT = "handshakes per busy core-second"


def primitives(*arguments):
    """One JSON object of sluice-primitives, run on the balancer's core."""
    done = subprocess.run(machine.on_core(machine.LB_CORE, machine.program(PRIMITIVES), *arguments), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"sluice-primitives {' '.join(map(str, arguments))}: status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def beside_the_library(run, key, kind, target):
    """The whole appliance DPDK to DPDK, a connection each; its l7/tls alone, in memory; and the library by itself."""
    side = GroundSide.of(run, key)
    files = [side.ground.folder / f"{key}.{end}" for end in ("crt", "key")]

    def appliance():
        a = side.run(run.benchmark.name, run.seconds)["appliance"]
        return a["handshakes"] / a["busy_seconds"]
    rounds = run.interleave({"appliance": appliance, "memory": lambda: primitives("handshakes", kind, *files, run.seconds)})
    library = [r["library"] for r in rounds["memory"]]
    yield compare(f"{run.benchmark.name}.memif", UNIT, rounds["appliance"], "library", library, target, command=run.command)
    yield compare(f"{run.benchmark.name}.memory", UNIT, [r["sluice"] for r in rounds["memory"]], "library", library,
                  command=run.command)


def over_veth(run, port, kind):
    """The whole appliance and the kernel's network, and the same of nginx and HAProxy."""
    def measure(side):
        out, cost = side.load(machine.program(CLIENT), side.target, port, run.seconds, 16, kind)
        return json.loads(out)["handshakes"] / cost
    sides = all_sides(run)
    rates = run.interleave({name: lambda s=side: measure(s) for name, side in sides.items()})
    for peer in ("nginx", "haproxy"):
        yield compare(f"{run.benchmark.name}.veth", UNIT, rates["sluice"], peer, rates[peer], command=run.command)


@benchmark("tls-full-ecdsa", peers=PEERS, targets=BUILD)
def tls_full_ecdsa(run):
    """full TLS 1.3 handshakes, ECDSA P-256 and X25519; against the library by itself in memory (target 0.95), nginx, HAProxy"""
    yield from beside_the_library(run, "ecdsa", "full", 0.95)
    yield from over_veth(run, PORTS["https"], "full")


@benchmark("tls-full-rsa", peers=PEERS, targets=BUILD)
def tls_full_rsa(run):
    """full TLS 1.3 handshakes, RSA-2048 and X25519; against the library by itself in memory (target 0.95), nginx, HAProxy"""
    yield from beside_the_library(run, "rsa", "full", 0.95)
    yield from over_veth(run, PORTS["https-rsa"], "full")


@benchmark("tls-resumed", peers=PEERS, targets=BUILD)
def tls_resumed(run):
    """resumed TLS 1.3 handshakes (ticket, X25519); against the library by itself in memory (target 0.95), nginx, HAProxy"""
    yield from beside_the_library(run, "ecdsa", "resumed", 0.95)
    yield from over_veth(run, PORTS["https"], "resumed")


@benchmark("records", targets=(PRIMITIVES,))
def records(run):
    """AES-128-GCM records through l7/tls, packet buffers in and out; against IPsec-MB's bare cipher over the same segments and in one
    piece (16 KB: target 0.8), and EVP's"""
    rounds = [primitives("records", run.seconds) for _ in range(run.rounds)]
    for what in rounds[0]:
        values = {side: [r[what][side] / 1e9 for r in rounds] for side in rounds[0][what]}
        target = 0.8 if "_16384" in what else None
        for peer, side, aim in (
            ("ipsec-mb, same segments", "ipsec_mb_segments", target),
            ("ipsec-mb, one piece", "ipsec_mb", target),
            ("openssl-evp", "evp", None),
        ):
            yield compare(f"records.{what}", "GB/s", values["sluice"], peer, values[side], aim, command=run.command)


GIB = 1 << 30
MILLION = 1_000_000
BUFFER = 2304  # bytes of memory behind a packet buffer: 128 of head, 128 of headroom, 2048


def memory_in_use(side):
    """Bytes: what is resident, and packet buffers in use, which are resident from the start."""
    with open(f"/proc/{side.lab.sluiced.pid}/status", encoding="utf-8") as lines:
        resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024
    used = side.lab.api.metric("sluice_buffers") - side.lab.api.metric("sluice_buffers_free")
    return resident + used * BUFFER


def hold_idle(side, count):
    """Bytes that an idle TLS connection costs the appliance, over `count` of them."""
    before = memory_in_use(side)
    command = side.lab.client.command(*machine.on_core(machine.LOAD_CORE, machine.program(CLIENT), VIP4, PORTS["https"],
                                                       "idle", count))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        answer = client.stdout.readline()
        time.sleep(0.5)  # the last ones are open here before they are there
        open_now = side.lab.api.metric("sluice_tls_sessions")
        after = memory_in_use(side)
        _, errors = client.communicate()
    if client.returncode != 0 or not answer or json.loads(answer)["open"] != count or open_now != count:
        raise BenchError(f"idle connections: {count} wanted, {open_now:.0f} open; {errors.strip()}")
    return (after - before) / count


@benchmark("idle-tls-memory", peers=("nginx", "openssl", "curl"), targets=BUILD)
def idle_tls_memory(run):
    """resident memory of 1 M idle TLS 1.3 connections, EXTRAPOLATED from the few thousand that are opened (bound: 4 GiB)"""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 1000 if run.quick else min(20000, files - 500)  # a socket each on the client's side
    bytes_each = []
    for _ in range(run.rounds):
        side = Sluice(run.driver, "sbi")  # fresh: what an earlier round has freed would be used again
        try:
            side.lab.client.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
            side.lab.api.ok("PATCH", "/api/v1/listeners/https", {"idle_timeout_ms": 3600000})
            bytes_each.append(hold_idle(side, count))
        finally:
            side.close()
    run.note(f"{bytes_each[len(bytes_each) // 2]:,.0f} bytes each, measured with {count:,} connections")
    yield bound("idle-tls-memory", "GiB for 1 M (extrapolated)", [b * MILLION / GIB for b in bytes_each], 4.0,
                command=run.command)
