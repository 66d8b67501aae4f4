# SPDX-License-Identifier: Apache-2.0
"""What a million connections cost that say nothing, DPDK to DPDK. (Over TLS: tls.py.)"""
import contextlib
import threading
from pathlib import Path

from bench.figures import BenchError, bound
from bench.ground_side import PKTGEN, GroundSide
from bench.runner import DAEMON, benchmark

GIB = 1 << 30
CONNECTIONS = 1_000_000


def resident(side, most=False):
    """Bytes of sluiced, now or at `most` so far. Packet buffers are hugepages and no part of it."""
    member = "VmHWM:" if most else "VmRSS:"
    for line in Path(f"/proc/{side.ground.sluiced.pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(member):
            return int(line.split()[1]) * 1024
    raise BenchError("sluiced is gone")


class Peak:
    """The most that l4/tcp says it needs, inside the `with`."""

    def __init__(self, side):
        self.side, self.bytes, self.done = side, 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self.done.wait(0.1):
            self.bytes = max(self.bytes, self.side.ground.metric("sluice_tcp_memory_bytes"))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def hold(run, count):
    """Bytes that `count` connections need, of them those of l4/tcp; each answers a request in the end, so none was lost."""
    with contextlib.closing(GroundSide("ecdsa", run.anyway)) as side:  # fresh: nothing that an earlier round has freed
        before = resident(side)
        with side.awake(), Peak(side) as peak:
            result = side.ground.run("idle-tcp", "--seconds", 1, "--connections", count)
        if result["connections"] != count:
            raise BenchError(f"idle-tcp: {result['connections']} connections were open, not {count}")
        return resident(side, most=True) - before, peak.bytes


@benchmark("idle-tcp-memory", peers=("openssl",), targets=(*DAEMON, PKTGEN))
def idle_tcp_memory(run):
    """memory that 1 M established, idle TCP connections of an HTTP listener add, all of them open at once (bound: 1 GiB for 1 M), and
    the part of l4/tcp by its own count"""
    count = CONNECTIONS // 10 if run.quick else CONNECTIONS
    values = [hold(run, count) for _ in range(min(run.rounds, 2))]  # memory is no matter of luck
    name = "idle-tcp-memory" if count == CONNECTIONS else "idle-tcp-memory (quick)"
    for part, of in ((name, 0), (f"{name}.tcp", 1)):
        yield bound(part, "GiB for 1 M", [v[of] / count * CONNECTIONS / GIB for v in values], 1.0, command=run.command)
