# SPDX-License-Identifier: Apache-2.0
"""100,000 rules: how long a change takes to be in force, and what the traffic notices of it."""
import json
import re
import subprocess
import time

from bench import machine
from bench.figures import BenchError, bound, compare
from bench.runner import benchmark
from bench.sides import Sluice, sluice_config

RULES = 100_000
LIMIT_S = 2.0


def rules_of(count, generation):
    """Hosts of a hundred rules each, as a big shop has them. `generation` changes all of them."""
    action = {"type": "forward", "server_groups": [{"server_group": "b"}]}
    return [{"id": f"r{i}", "listener": "http", "hosts": [f"host-{i // 100}.shop.example"],
             "paths": [{"type": "prefix", "value": f"/v{generation}/tenants/{i % 17}/item-{i}"}], "action": action}
            for i in range(count)]


def publish(side, config):
    """Seconds from the PUT of a whole configuration to its answer, which comes when the workers have it."""
    body = json.dumps(config)
    begin = time.monotonic()
    side.lab.api.ok("PUT", "/api/v1/config", body)
    return time.monotonic() - begin


class Wrk:
    """Kept-alive requests in a closed loop from core 0, for a while."""

    def __init__(self, side, seconds):
        command = machine.on_core(machine.LOAD_CORE, "wrk", "--latency", "-t1", "-c8", f"-d{seconds}", "--timeout", "5",
                                  f"http://{side.target}/static/1k")
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(side.lab.client.command(*command), stdout=subprocess.PIPE, text=True)

    def p99_us(self):
        """At the end. A lost or wrong answer fails the run."""
        out, _ = self.process.communicate()
        found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
        if self.process.returncode != 0 or "Socket errors" in out or "Non-2xx" in out or not found:
            raise BenchError(f"requests were lost:\n{out}")
        return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[found[2]]


def p99_quiet(side, seconds):
    return Wrk(side, seconds).p99_us()


def p99_during_updates(side, seconds, configs):
    """Updates one after the other while the load runs."""
    load = Wrk(side, seconds)
    updates = 0
    while load.process.poll() is None:
        publish(side, configs[updates % 2])
        updates += 1
    return load.p99_us()


@benchmark("rules-100k", peers=("nginx", "wrk", "openssl", "curl"))
def rules_100k(run):
    """seconds to validate, compile, store and publish a change of all of 100,000 rules over REST (bound: 2 s), and p99 of
    requests while that goes on beside p99 without; the management's threads, the client and the backend share core 0"""
    count = RULES // 10 if run.quick else RULES
    side = Sluice(run.driver, "sbr")
    try:
        base = sluice_config(side.lab.folder)
        configs = [{**base, "rules": rules_of(count, generation)} for generation in (0, 1)]
        publish(side, configs[1])
        took = [publish(side, configs[n % 2]) for n in range(run.rounds)]
        rate = run.interleave({"quiet": lambda: p99_quiet(side, run.seconds),
                               "updates": lambda: p99_during_updates(side, run.seconds, configs)})
        side.verify("http", 80)
    finally:
        side.close()
    name = "rules-100k" if count == RULES else f"rules-{count // 1000}k (quick)"
    yield bound(f"{name}.publish", "s", took, LIMIT_S, command=run.command)
    yield compare(f"{name}.p99", "us with updates", rate["updates"], "without", rate["quiet"], less=True, command=run.command)
