# SPDX-License-Identifier: Apache-2.0
"""The appliance DPDK to DPDK: a measuring ground (ground.py) that several benchmarks share."""
import ground
from bench import machine
from bench.figures import BenchError

PKTGEN = "pktgen-scripts/sluice-pktgen"


class PinnedGround(ground.Ground):
    """Whose generators have our priority, and keep to their core altogether."""

    def command(self, *arguments, **kwargs):
        return machine.on_core(machine.LOAD_CORE, *super().command(*arguments, **kwargs))


class GroundSide:
    """A Ground that is stopped while others are measured on its core."""

    def __init__(self, key, share_core=False):
        self.ground = PinnedGround(key=key, memory_mb=256, core=machine.LB_CORE, generator_core=machine.LOAD_CORE,
                                   share_core=share_core)
        machine.settle_workers(self.ground.sluiced.pid)
        machine.stop(self.ground.sluiced.pid)

    def awake(self):
        return machine.awake(self.ground.sluiced.pid)

    def run(self, shape, seconds, *arguments):
        """The JSON of one run; anything wrong in it fails the benchmark."""
        with self.awake():
            try:
                return self.ground.run(shape, "--seconds", seconds, *arguments)
            except ground.Failed as problem:
                raise BenchError(f"sluice-pktgen {shape}: {problem}") from problem

    @classmethod
    def of(cls, run, key="ecdsa"):
        """The one of this run with that kind of certificate."""
        return run.shared(f"ground-{key}", lambda: cls(key, run.anyway))

    def close(self):
        with machine.awake(self.ground.sluiced.pid):
            self.ground.close()
