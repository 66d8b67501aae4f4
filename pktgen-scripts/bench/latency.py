# SPDX-License-Identifier: Apache-2.0
"""Latency on schedule (open loop, no coordinated omission), DPDK to DPDK, while rules change and while they do not."""
import threading

from bench.figures import BenchError, compare
from bench.ground_side import PKTGEN, GroundSide
from bench.runner import DAEMON, benchmark

SHAPE = "http-1k"


class Updates:
    """Changes a rule of the listener under load again and again, inside the `with`."""

    def __init__(self, side):
        self.side, self.done, self.stop, self.problem = side, 0, threading.Event(), None
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        action = {"type": "forward", "server_groups": [{"server_group": "pktgen"}]}
        try:
            while not self.stop.wait(0.02):
                self.side.ground.api("PUT", "/api/v1/rules/bench", {
                    "id": "bench", "listener": "http", "hosts": [f"host-{self.done}.bench.test"],
                    "paths": [{"type": "prefix", "value": "/"}], "action": action})
                self.done += 1
        except (OSError, RuntimeError) as problem:
            self.problem = problem

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


NOT_STARTED = 0.001  # of what was due


def on_schedule(result):
    """The percentiles of a run that kept its rate."""
    due = result["offered_rate"] * result["seconds"]
    if result["not_started"] > NOT_STARTED * due:
        raise BenchError(f"{result['not_started']} of {due:.0f} requests were due and never started: no open loop")
    return result["latency_us"]


def quiet(side, rate, seconds):
    return on_schedule(side.run(SHAPE, seconds, "--rate", rate))


def updated(side, rate, seconds):
    with side.awake(), Updates(side) as updates:
        result = side.ground.run(SHAPE, "--seconds", seconds, "--rate", rate)
    if updates.problem or updates.done == 0:
        raise BenchError(f"rules did not change under load: {updates.problem}")
    return on_schedule(result)


@benchmark("latency", peers=("openssl",), targets=(*DAEMON, PKTGEN))
def latency(run):
    """proxied HTTP, 1 KB, at half of the closed loop's rate, on schedule: percentiles while rules change beside those while they
    do not (p99 unchanged: 0.9); the management's threads share core 0 with the generator"""
    side = GroundSide.of(run)
    rate = int(side.run(SHAPE, run.seconds)["rate"] / 2)
    run.note(f"{rate:,} requests a second")
    values = run.interleave({"quiet": lambda: quiet(side, rate, run.seconds),
                             "updates": lambda: updated(side, rate, run.seconds)})
    for name, target in (("p50", None), ("p99", 0.9), ("p99.9", None)):
        yield compare(f"latency.{name}", "us while rules change", [v[name] for v in values["updates"]], "without",
                      [v[name] for v in values["quiet"]], target, less=True, command=run.command)
