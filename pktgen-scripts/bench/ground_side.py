# SPDX-License-Identifier: Apache-2.0
"""The appliance DPDK to DPDK: a measuring ground (ground.py) that several benchmarks share."""
from bench import machine
from bench.figures import BenchError
from ground import Failed, Ground

PKTGEN = "pktgen-scripts/sluice-pktgen"


class PinnedGround(Ground):
    """Whose generators have our priority, and keep to their core altogether; and whose workers have it."""

    def serving(self, pid):
        machine.settle_workers(pid)

    def command(self, *arguments, **kwargs):
        return machine.on_core(machine.LOAD_CORE, *super().command(*arguments, **kwargs))


class GroundSide:
    """A Ground that is stopped while others are measured on its core."""

    def __init__(self, key, share_core=False):
        self.ground = PinnedGround(key=key, memory_mb=256, core=machine.LB_CORE, generator_core=machine.LOAD_CORE,
                                   share_core=share_core)
        machine.stop(self.ground.sluiced.pid)

    def awake(self):
        return machine.awake(self.ground.sluiced.pid)

    def run(self, shape, seconds, *arguments):
        with self.awake():
            return measured(self.ground, shape, seconds, *arguments)

    @classmethod
    def of(cls, run, key="ecdsa"):
        """The one of this run with that kind of certificate."""
        return run.shared(f"ground-{key}", lambda: cls(key, run.anyway))

    def close(self):
        with machine.awake(self.ground.sluiced.pid):
            self.ground.close()


class GuestSide:
    """The same with ports of virtio, as on an ENI: checksums and segmentation are the port's, copying is the host's. A Ground
    for each run, because its sluiced has only one host."""

    def __init__(self, share_core=False):
        self.share_core = share_core

    def run(self, shape, seconds, *arguments):
        with PinnedGround("virtio", core=machine.LB_CORE, generator_core=machine.LOAD_CORE, share_core=self.share_core) as ground:
            return measured(ground, shape, seconds, *arguments)


def measured(ground, shape, seconds, *arguments):
    """The JSON of one run; anything wrong in it fails the benchmark."""
    try:
        return ground.run(shape, "--seconds", seconds, *arguments)
    except Failed as problem:
        raise BenchError(f"sluice-pktgen {shape}: {problem}") from problem
