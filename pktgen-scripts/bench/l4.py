# SPDX-License-Identifier: Apache-2.0
"""Packets: what the appliance does with one beside dpdk-testpmd, in busy cycles of the core, over the same memif ports.

Cycles and not packets a second, because on two cores the generator is the slower side: testpmd counts the cycles of the polls
that found packets (--record-core-cycles) as Sluice's workers do.
"""
import contextlib
import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

from bench import machine
from bench.distance import PROGRAM as DISTANCE
from bench.distance import at_one_distance
from bench.figures import BenchError, compare
from bench.ground_side import GroundSide, PKTGEN
from bench.runner import DAEMON, benchmark
from hugepages import HugePages

BUILD = (*DAEMON, PKTGEN, DISTANCE)
PEERS = ("dpdk-testpmd", "openssl")
MEMORY_MB = 256
WARMUP_S = 0.3
TESTPMD_MAC = "02:00:00:00:00:01"  # it takes every frame


def cycles_a_packet(said, least, most):
    """Of the last statistics that testpmd printed under load, if they are of as many packets as it was sent."""
    found = re.findall(r"CPU cycles/packet=([\d.]+) \(total cycles=\d+ / total \S+ packets=(\d+)\)", said)
    if not found:
        raise BenchError(f"dpdk-testpmd counted nothing:\n{said[-1000:]}")
    cycles, packets = float(found[-1][0]), int(found[-1][1])
    if not least <= packets <= most:
        raise BenchError(f"dpdk-testpmd counted {packets} packets, and not {least:.0f} to {most:.0f}")
    return cycles


class Testpmd:
    """One forwarding core on core 1, one memif port that the generator connects to. For one round: when the generator goes,
    testpmd's statistics lose their zero point, and the next round's cycles would be divided by the packets of all so far."""

    def __init__(self, mode, share_core):
        self.share_core = share_core
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-testpmd-"))
        self.device = f"socket={self.folder}/port.sock,socket-abstract=no"
        self.pages = HugePages(2 * MEMORY_MB)  # its own and a generator's
        self.said = open(self.folder / "log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            ["nice", "-n", str(machine.PRIORITY), "stdbuf", "-oL", "dpdk-testpmd", "-l", f"{machine.LOAD_CORE},{machine.LB_CORE}", "--main-lcore",
             str(machine.LOAD_CORE), "--in-memory", f"--file-prefix=sluice-testpmd{mode}", "--no-pci", "-m", str(MEMORY_MB),
             "--vdev", f"net_memif0,role=server,{self.device}", "--", "-i", "--nb-cores=1", f"--forward-mode={mode}",
             "--record-core-cycles", "--total-num-mbufs=16384"],
            stdin=subprocess.PIPE, stdout=self.said, stderr=subprocess.STDOUT, text=True)
        self.wait_for("testpmd> ")

    def text(self):
        self.said.flush()
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def wait_for(self, words, seconds=30, after=0):
        end = time.monotonic() + seconds
        while words not in self.text()[after:]:
            if self.process.poll() is not None or time.monotonic() > end:
                raise BenchError(f"dpdk-testpmd does not say {words!r}:\n{self.text()[-2000:]}")
            time.sleep(0.05)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def measure(self, shape, seconds):
        """Busy cycles a packet that it forwarded. Asked for while the load runs: with the generator goes the memif
        connection, and with that the port's counters."""
        begin = len(self.text())
        self.say("start")
        with self.generator(shape, seconds) as load:
            while load.poll() is None:
                time.sleep(0.2)
                self.say("show fwd stats all")
            said, _ = load.communicate()
        self.say("stop")
        self.wait_for("Done.", after=begin)
        if load.returncode != 0:
            raise BenchError(f"dpdk-testpmd under {shape}: {said.strip()}\n{self.text()[begin:][-1000:]}")
        result = json.loads((self.folder / "result.json").read_text(encoding="utf-8"))
        if result["answers"]["returned"] < 0.5 * result["count"]:
            raise BenchError(f"dpdk-testpmd sent back {result['answers']['returned']} of {result['count']} packets")
        # Wide: the warm-up's rate is its own, and the last statistics may lack the last moment.
        return cycles_a_packet(self.text()[begin:], 0.8 * result["count"], 1.3 * result["count"] * (1 + WARMUP_S / seconds))

    def generator(self, shape, seconds):
        command = machine.on_core(machine.LOAD_CORE, machine.program(PKTGEN), "--shape", shape, "--core", machine.LOAD_CORE,
                                  "--clients", f"net_memif0,role=client,{self.device}", "--target", "10.77.0.100",
                                  "--target-mac", TESTPMD_MAC, "--seconds", seconds, "--warmup", WARMUP_S, "--memory", MEMORY_MB,
                                  "--json", self.folder / "result.json", *(["--share-core"] if self.share_core else []))
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def close(self):
        if self.process.poll() is None:
            self.say("quit")
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.said.close()
        self.pages.close()
        subprocess.run(["rm", "-rf", self.folder], check=True)


def testpmd_round(run, mode):
    with contextlib.closing(Testpmd(mode, run.anyway)) as testpmd:
        return testpmd.measure("l4-forward", run.seconds)


def received_cycles(result):
    """Busy cycles of the appliance for each packet that it received, whatever became of it."""
    if result["lost"] > result["count"] * 0.01:
        raise BenchError(f"{result['shape']}: {result['lost']} of {result['count']} packets did not reach the appliance")
    return result["appliance"]["busy_cycles"] / result["appliance"]["packets_received"]


@benchmark("l4-forward", peers=PEERS, targets=BUILD)
def l4_forward(run):
    """busy cycles a received packet, 64 B, 1 M flows, beside dpdk-testpmd macswap (design: 0.8 of its rate). L4 FORWARDING IS
    NOT THERE YET: measured is the receive path, to a counted drop (udp), to a RST (segments), to TCP (10,000 connections)"""
    shapes = {"udp": "l4-udp", "segments": "l4-segments", "established": "l4-established", "imix": "l4-imix"}
    ground = GroundSide.of(run)
    sides = {name: lambda s=shape: received_cycles(ground.run(s, run.seconds)) for name, shape in shapes.items()}
    values, apart = at_one_distance({**sides, "macswap": lambda: testpmd_round(run, "macswap")}, run)
    for name in shapes:
        yield compare(f"l4-forward.receive-{name}", f"busy cycles a packet, cores {apart:.0f} apart", values[name], "macswap", values["macswap"],
                      less=True, command=run.command)


@benchmark("l4-connect", peers=PEERS, targets=BUILD)
def l4_connect(run):
    """TCP connections opened and closed a busy core-second through the full stack (design: 1 M/s at L4, WHICH IS NOT THERE
    YET), and busy cycles of each of their packets beside dpdk-testpmd 5tswap"""
    ground = GroundSide.of(run)

    def connect():
        a = ground.run("tcp-connect", run.seconds)["appliance"]
        return a["connections"] / a["busy_seconds"], a["busy_cycles"] / a["packets_received"]
    values, apart = at_one_distance({"sluice": connect, "5tswap": lambda: testpmd_round(run, "5tswap")}, run)
    yield compare("l4-connect.tcp", "connections per busy core-second", [v[0] for v in values["sluice"]], "design",
                  [1e6] * len(values["sluice"]), 1.0, command=run.command)
    yield compare("l4-connect.packet", f"busy cycles a packet, cores {apart:.0f} apart", [v[1] for v in values["sluice"]], "5tswap", values["5tswap"],
                  less=True, command=run.command)
