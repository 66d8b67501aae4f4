# SPDX-License-Identifier: Apache-2.0
"""Proxied HTTP and HTTPS requests per busy core-second of the load balancer."""
import re
import statistics

from bench.distance import PROGRAM as DISTANCE
from bench.distance import at_one_distance
from bench.figures import BenchError, amount, compare, spread
from bench.ground_side import PKTGEN, GroundSide, GuestSide
from bench.runner import DAEMON, benchmark
from bench.sides import FILES, all_sides

PEERS = ("nginx", "haproxy", "h2load", "curl", "openssl")
BUILD = (*DAEMON, PKTGEN, DISTANCE)
UNIT = "requests per busy core-second"


def h2load(side, scheme, name, clients, seconds):
    """Kept-alive GETs of one file for a while: requests per busy core-second. All answers are 200 and whole."""
    url = f"{scheme}://{side.target}/static/{name}"
    out, cost = side.load("h2load", "--h1", "-c", clients, "-D", seconds, url)
    requests, failed, errored = map(int, re.search(r"total, .*?(\d+) succeeded, (\d+) failed, (\d+) errored", out).groups())
    good = int(re.search(r"status codes: (\d+) 2xx, 0 3xx, 0 4xx, 0 5xx", out)[1]) if ", 0 3xx, 0 4xx, 0 5xx" in out else 0
    data = int(re.search(r"\((\d+)\) data", out)[1])
    begun = requests + clients  # some are cut off half way at the end, with their head or a part of their body
    if failed or errored or requests == 0 or not requests <= good <= begun:
        raise BenchError(f"{side.name}: wrong answers\n{out}")
    if not requests * FILES[name] <= data <= begun * FILES[name]:
        raise BenchError(f"{side.name}: {data} bytes in {requests} answers of {FILES[name]}\n{out}")
    return requests / cost


def side_by_side(run, scheme, name, clients, shape, targets):
    """All three over veth; and Sluice DPDK to DPDK, as it is meant to run, where its own busy cycles are all of its cost: on
    virtio ports, which like a NIC do checksums and segmentation, and on memif, which copies and does neither."""
    grounds = {"virtio": GuestSide(run.anyway), "memif": GroundSide.of(run)}
    sides = all_sides(run)
    rates, apart = at_one_distance(
        {**{f"sluice, {path}": lambda g=ground: g.run(shape, run.seconds)["appliance"]["requests_per_busy_second"]
            for path, ground in grounds.items()},
         **{side.name: lambda s=side: h2load(s, scheme, name, clients, run.seconds) for side in sides.values()}}, run)
    for side, values in rates.items():
        run.note(f"{side:28} {amount(statistics.median(values))} {UNIT}, spread {spread(values):.0%}")
    for own, path in (*((f"sluice, {path}", path) for path in grounds), ("sluice", "veth")):
        for peer, target in targets.items():
            yield compare(f"{run.benchmark.name}.{path}", f"{UNIT}, cores {apart:.0f} apart", rates[own], peer, rates[peer], target, command=run.command)


@benchmark("http-small", peers=PEERS, targets=BUILD)
def http_small(run):
    """kept-alive GET of 1 KB over HTTP, 64 clients; against nginx (target 10) and HAProxy (8), one worker each on core 1"""
    yield from side_by_side(run, "http", "1k", 64, "http-1k", {"nginx": 10.0, "haproxy": 8.0})


@benchmark("https-small", peers=PEERS, targets=BUILD)
def https_small(run):
    """kept-alive GET of 1 KB over TLS 1.3, 64 clients; against nginx (target 8) and HAProxy"""
    yield from side_by_side(run, "https", "1k", 64, "https-1k", {"nginx": 8.0, "haproxy": None})


@benchmark("https-1m", peers=PEERS, targets=BUILD)
def https_1m(run):
    """kept-alive GET of 1 MB over TLS 1.3, 8 clients; against nginx (target 3) and HAProxy"""
    yield from side_by_side(run, "https", "1m", 8, "https-1m", {"nginx": 3.0, "haproxy": None})
