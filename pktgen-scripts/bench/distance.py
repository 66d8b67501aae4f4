# SPDX-License-Identifier: Apache-2.0
"""Rounds at one distance between the cores. A hypervisor moves its virtual cores about: at one minute they share a cache, at the
next a line takes four times as long from one to the other, and what a packet from the other core costs goes with it (testpmd's
macswap: 61 or 200 cycles). Values of two distances are not of one machine and are not put into one ratio."""
import statistics
import subprocess

from bench import machine
from bench.figures import BenchError

PROGRAM = "pktgen-scripts/primitives/sluice-core-distance"
SAME = 1.4    # distances closer than this are one; they move by a factor of four, or by a tenth
PATIENCE = 3  # times as many rounds as wanted are measured before we take what is there


def cycles():
    """That a cache line takes from the generator's core to the balancer's and back."""
    words = ["nice", "-n", str(machine.PRIORITY), machine.program(PROGRAM), str(machine.LOAD_CORE), str(machine.LB_CORE)]
    return float(subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout)


def measured_round(sides, probe):
    """The values of one round and its distance, which is None if that changed under it."""
    seen, values = [probe()], {}
    for name, measure in sides.items():
        values[name] = measure()
        seen.append(probe())
    return values, statistics.median(seen) if max(seen) <= SAME * min(seen) else None


def at_one_distance(sides, run, probe=cycles):
    """`run.rounds` values of each side by name, interleaved, all of one distance, and the distance. Fewer where the cores never
    stayed that long; an error where not one round was of one distance."""
    groups = []
    for _ in range(PATIENCE * run.rounds):
        values, distance = measured_round(sides, probe)
        if distance is None:
            run.note("the cores moved under a round; once more")
            continue
        group = next((g for g in groups if max(distance, g[0][1]) <= SAME * min(distance, g[0][1])), None)
        if group is None:
            groups.append(group := [])
        group.append((values, distance))
        if len(group) == run.rounds:
            break
    if not groups:
        raise BenchError("the hypervisor moved the cores about in every round; measure again later")
    best = max(groups, key=len)
    return {name: [values[name] for values, _ in best] for name in sides}, statistics.median(d for _, d in best)
