# SPDX-License-Identifier: Apache-2.0
"""Proxied HTTP and HTTPS requests per busy core-second of the load balancer."""
import re

from bench.figures import BenchError, amount, compare, spread
from bench.runner import benchmark
from bench.sides import FILES, all_sides

PEERS = ("nginx", "haproxy", "h2load", "curl", "openssl")
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


def over_veth(run, scheme, name, clients, targets):
    sides = all_sides(run)
    rates = run.interleave({side.name: lambda s=side: h2load(s, scheme, name, clients, run.seconds)
                            for side in sides.values()})
    for side, values in rates.items():
        run.note(f"{side + ' (veth)':28} {amount(sorted(values)[len(values) // 2])} {UNIT}, spread {spread(values):.0%}")
    for peer, target in targets.items():
        yield compare(f"{run.benchmark.name}.veth", UNIT, rates["sluice"], peer, rates[peer], target, command=run.command)


@benchmark("http-small", peers=PEERS)
def http_small(run):
    """kept-alive GET of 1 KB over HTTP, 64 clients; against nginx (target 10) and HAProxy (8), one worker each on core 1"""
    yield from over_veth(run, "http", "1k", 64, {"nginx": 10.0, "haproxy": 8.0})


@benchmark("https-small", peers=PEERS)
def https_small(run):
    """kept-alive GET of 1 KB over TLS 1.3, 64 clients; against nginx (target 8) and HAProxy"""
    yield from over_veth(run, "https", "1k", 64, {"nginx": 8.0, "haproxy": None})


@benchmark("https-1m", peers=PEERS)
def https_1m(run):
    """kept-alive GET of 1 MB over TLS 1.3, 8 clients; against nginx (target 3) and HAProxy"""
    yield from over_veth(run, "https", "1m", 8, {"nginx": 3.0, "haproxy": None})
