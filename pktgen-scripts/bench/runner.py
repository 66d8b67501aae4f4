# SPDX-License-Identifier: Apache-2.0
"""Picks the benchmarks, prepares the machine, runs them and writes the figures down."""
import argparse
import contextlib
import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import machine
from bench.figures import BenchError, Figure
from tests.support.lab import ROOT

DAEMON = ("mgmt/daemon/sluiced", "mgmt/cli/sluicectl")


@dataclasses.dataclass(frozen=True)
class Benchmark:
    name: str
    run: Callable[["Run"], Iterable[Figure]]
    what: str             # one line: what is measured, against whom
    peers: tuple = ()     # programs that must be there
    targets: tuple = ()   # what to build for it


BENCHMARKS = {}


def benchmark(name, *, peers=(), targets=DAEMON):
    """Registers a function of a Run that gives Figures; its docstring says what it measures."""
    def register(function):
        BENCHMARKS[name] = Benchmark(name, function, " ".join(function.__doc__.split()), peers, targets)
        return function
    return register


class Run:
    """What a benchmark is given: how long and how often, things that several share, and a place to print."""

    def __init__(self, options, stack):
        self.quick, self.driver, self.anyway = options.quick, options.driver, options.anyway
        self.rounds = options.rounds or (1 if self.quick else 5)
        self.seconds = 2 if self.quick else 4
        self._stack, self._shared = stack, {}
        self.benchmark = None

    def shared(self, key, make):
        """Made once, closed when all is over."""
        if key not in self._shared:
            self._shared[key] = self._stack.enter_context(contextlib.closing(make()))
        return self._shared[key]

    @property
    def command(self):
        """Reproduces the figures of the benchmark that runs."""
        extra = ["--quick"] if self.quick else []
        extra += ["--anyway"] if self.anyway else []
        extra += ["--driver", self.driver] if self.driver != "af_packet" else []
        extra += ["--rounds", str(self.rounds)] if self.rounds != (1 if self.quick else 5) else []
        return shlex.join(["pktgen-scripts/bench.sh", self.benchmark.name, *extra])

    def interleave(self, sides):
        """`sides`: name to a function that measures once. Rounds over all of them, so that a slow minute of the machine
        hits all; the values by name."""
        values = {name: [] for name in sides}
        for _ in range(self.rounds):
            for name, measure in sides.items():
                values[name].append(measure())
        return values

    @staticmethod
    def note(text):
        print(f"  {text}", flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="\n".join(f"{b.name:16} {b.what}" for b in BENCHMARKS.values()))
    parser.add_argument("names", nargs="*", metavar="NAME", help="see below; all of them without a name")
    parser.add_argument("--quick", action="store_true", help="one short round; for a look, not for a figure")
    parser.add_argument("--rounds", type=int, help="of each side (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    parser.add_argument("--anyway", action="store_true", help="although others use the core; for a look, not for a figure")
    parser.add_argument("--driver", choices=["af_packet", "af_xdp"], default="af_packet", help="of Sluice's veth ports")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"--json {options.json}: there is no such folder")
    return options


def prepare(chosen, anyway):
    """Everything that can be known to be missing is found before the first second is spent."""
    if os.cpu_count() < 2:
        raise BenchError("two cores are needed: one for the load balancer, one for all else")
    subprocess.run([ROOT / "tests/support/deps.sh", "build", "demo", "test", "bench"], check=True)
    machine.require(sorted({p for b in chosen for p in b.peers}))
    targets = sorted({t for b in chosen for t in b.targets})
    done = subprocess.run([ROOT / "tests/support/build.sh", "release", "--quiet", *targets], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"building {' '.join(targets)}:\n{done.stdout[-4000:]}")
    if not anyway:
        machine.require_free_core()


def measure(chosen, options):
    figures = []
    with contextlib.ExitStack() as stack:
        run = Run(options, stack)
        for run.benchmark in chosen:
            print(f"{run.benchmark.name}: {run.benchmark.what}", flush=True)
            found = []
            for figure in run.benchmark.run(run):
                print(figure, flush=True)
                found.append(figure)
            if not found:
                raise BenchError(f"{run.benchmark.name}: gave no figure")
            figures += found
    return figures


def end(signum, _):
    """As an exception, so that everything that was started is stopped and removed."""
    raise BenchError(f"ended by {signal.Signals(signum).name}")


def main(arguments):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, end)
    chosen = [BENCHMARKS[name] for name in dict.fromkeys(options.names or BENCHMARKS)]
    try:
        with machine.only_bench():
            prepare(chosen, options.anyway)
            with machine.preferred_session():
                figures = measure(chosen, options)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 1
    except (BenchError, RuntimeError, TimeoutError, OSError, subprocess.SubprocessError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps([dataclasses.asdict(f) for f in figures], indent=2) + "\n", encoding="utf-8")
    return 0
