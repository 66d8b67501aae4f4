#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goodput of our TCP against that of the kernel's, over the same emulated link: client and server in two network
namespaces, tests/support/link between them in a third. The client is the kernel's TCP with CUBIC, or with BBR; the server is
ours (tcp_echo) or the kernel's with CUBIC; both directions. What arrives is compared byte by byte.

  goodput.py TCP_ECHO LINK [--quick | LOSS,RTT_MS[,bbr]...]

prints a table of ratios ours / kernel over loss x delay x direction. A LOSS that begins with "mark=" is of ECN marks instead. A
cell below 90 % is measured again, with other seeds, before it counts, and so is the lowest one when the mean is too low; the whole
fails when a cell stays below, or the mean (--quick: a few cells and short runs on a busy machine, 50 % and the mean 80 %). Needs
root; exits 77 (skipped) without."""

import math
import os
import socket
import statistics
import subprocess
import sys
import threading
import time

PREFIX = f"slg{os.getpid()}"
CLIENT, MIDDLE, SERVER = f"{PREFIX}c", f"{PREFIX}m", f"{PREFIX}s"
NO_OFFLOADS = "tx off tso off gso off gro off"
RATE = "40mbit"
PATTERN = bytes(i % 251 for i in range(251 * 1024))
DISCARD, GENERATE = 9, 19
# Losses are few in a run and each weighs much: a cell scatters by a third, the mean of a table by a tenth of that.
LEAST_CELL_WHEN_QUICK = 0.5


def sh(command, check=True):
    return subprocess.run(command, shell=True, check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def enter(namespace):
    """Sockets that this thread makes from now on live in the namespace."""
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    with open(f"/var/run/netns/{namespace}") as f:
        if libc.setns(f.fileno(), 0) != 0:
            raise OSError("setns")


def use(s, congestion="cubic"):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


class Network:
    """client c0 -- c1 | link | s1 -- s0 server"""

    def __init__(self):
        for name in (CLIENT, MIDDLE, SERVER):
            sh(f"ip netns add {name}; ip -n {name} link set lo up")
        for end, namespace in (("c", CLIENT), ("s", SERVER)):
            sh(f"ip -n {namespace} link add {end}0 type veth peer name {end}1 netns {MIDDLE}")
            sh(f"ip netns exec {namespace} ethtool -K {end}0 {NO_OFFLOADS}")
            sh(f"ip netns exec {MIDDLE} ethtool -K {end}1 {NO_OFFLOADS}")
            sh(f"ip -n {namespace} link set {end}0 up; ip -n {MIDDLE} link set {end}1 up")
        sh(f"ip -n {CLIENT} addr add 10.9.0.2/24 dev c0")
        # What one connection learns of the path must not help the next one of the kernel.
        for name in (CLIENT, SERVER):
            sh(f"ip netns exec {name} sysctl -qw net.ipv4.tcp_no_metrics_save=1 net.ipv4.tcp_ecn=1")

    def close(self):
        for name in (CLIENT, MIDDLE, SERVER):
            sh(f"ip netns del {name}", check=False)


class Link:
    """The emulator, for as long as the block runs."""

    def __init__(self, program, *words):
        self.process = subprocess.Popen(["ip", "netns", "exec", MIDDLE, program, "c1", "s1", *words],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.report = self.process.communicate()[0]


class KernelServer:
    """Ports 9 and 19 as tcp_echo has them."""

    def __init__(self):
        self.sockets = []
        sh(f"ip -n {SERVER} addr replace 10.9.0.1/24 dev s0")
        ready = threading.Event()
        threading.Thread(target=self._listen, args=(ready,), daemon=True).start()
        ready.wait()

    def _listen(self, ready):
        enter(SERVER)
        for port in (DISCARD, GENERATE):
            s = socket.socket()
            use(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("10.9.0.1", port))
            s.listen()
            self.sockets.append(s)
            threading.Thread(target=self._accept, args=(s, port), daemon=True).start()
        ready.set()

    def _accept(self, listener, port):
        try:
            while True:
                threading.Thread(target=self._serve, args=(listener.accept()[0], port), daemon=True).start()
        except OSError:
            pass  # closed

    @staticmethod
    def _serve(s, port):
        with s:
            if port == GENERATE:
                request = b""
                while not request.endswith(b"\n"):
                    request += s.recv(100)
                s.sendall(pattern(int(request)))
            else:
                while s.recv(1 << 18):
                    pass

    def stop(self):
        for s in self.sockets:
            s.shutdown(socket.SHUT_RDWR)
            s.close()
        sh(f"ip -n {SERVER} addr flush dev s0")


class OurServer:
    def __init__(self, program):
        self.process = subprocess.Popen(["ip", "netns", "exec", SERVER, program, "net_af_packet0,iface=s0",
                                         "10.9.0.1/24", "3600"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while (line := self.process.stdout.readline()) != "ready\n":
            assert line, "tcp_echo ended"
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        time.sleep(0.3)

    def stop(self):
        self.process.kill()
        self.process.wait()


def connect(port, congestion):
    s = socket.socket()
    use(s, congestion)
    s.settimeout(60)
    s.connect(("10.9.0.1", port))
    return s


def download(n, congestion):
    """Bytes a second from the server, from the request to the last byte."""
    with connect(GENERATE, congestion) as s:
        started = time.monotonic()
        s.sendall(b"%d\n" % n)
        got = bytearray()
        while block := s.recv(1 << 18):
            got += block
        took = time.monotonic() - started
    assert len(got) == n and got == pattern(n), "what arrived is not what was sent"
    return n / took


def upload(n, congestion):
    """Bytes a second to the server, until its FIN says that all has arrived."""
    with connect(DISCARD, congestion) as s:
        started = time.monotonic()
        s.sendall(pattern(n))
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
        return n / (time.monotonic() - started)


class Cell:
    """One path and peer: samples of both directions, ours and the kernel's in turn with the same seeds."""

    def __init__(self, words):
        self.loss, delay, *peer = words
        self.delay = float(delay)
        self.peer = peer[0] if peer else "cubic"
        # Another peer's algorithm shows where the peer sends.
        self.directions = ("down", "up") if self.peer == "cubic" else ("up",)
        self.samples = {(d, who): [] for d in self.directions for who in ("ours", "kernel")}

    def bytes_for(self, seconds):
        """What about so many seconds carry: the link's rate, or what a loss rate allows (Mathis et al. 1997)."""
        p = float(self.loss.removeprefix("mark=").rstrip("%")) / 100
        rate = 5e6 if p == 0 else min(5e6, 1.3 * 1448 / (self.delay / 1000 * math.sqrt(p)))
        return max(300_000, int(seconds * rate))

    def measure(self, program, echo, seconds, rounds):
        n = self.bytes_for(seconds)
        fault = self.loss if self.loss.startswith("mark=") else f"loss={self.loss}"
        for seed in range(self.rounds() + 1, self.rounds() + 1 + rounds):
            words = [fault, f"delay={self.delay / 2}ms", f"rate={RATE}", "queue=256k", f"seed={seed}"]
            for who in ("ours", "kernel"):
                for d in self.directions:
                    self.samples[d, who].append(self.transfer(d, who, program, echo, words, n))

    def transfer(self, direction, who, program, echo, words, n):
        """Over a link of its own, so that both stacks lose the same packets of a kernel that sends. It comes after the server:
        what a stack announces when it starts must not shift which packets of the transfer are lost."""
        server = OurServer(echo) if who == "ours" else KernelServer()
        try:
            with Link(program, *words) as link:
                sh(f"ip -n {CLIENT} neigh flush dev c0")
                rate = (download if direction == "down" else upload)(n, self.peer)
        finally:
            server.stop()
        if words[0].startswith("mark="):
            marked = sum(int(line.split()[-1]) for line in link.report.splitlines() if "marked" in line)
            assert marked > 0, "no packet could be marked: ECN was not agreed upon"
        return rate

    def rounds(self):
        return len(self.samples["up", "ours"])

    def median(self, direction, who):
        return statistics.median(self.samples[direction, who])

    def ratio(self, direction):
        return self.median(direction, "ours") / self.median(direction, "kernel")

    def ratios(self):
        return [self.ratio(d) for d in self.directions]

    def show(self):
        for d in self.directions:
            print(f"{self.loss:>9} {self.delay:>6} {self.peer:>5} {d:>5} {self.median(d, 'ours') / 1e6:8.2f} "
                  f"{self.median(d, 'kernel') / 1e6:8.2f}       {self.ratio(d):5.2f}", flush=True)


def mean_of(cells):
    return statistics.geometric_mean(r for cell in cells for r in cell.ratios())


def main():
    echo, program = (os.path.abspath(p) for p in sys.argv[1:3])
    quick = sys.argv[3:] == ["--quick"]
    if quick:
        words, seconds, rounds, least = [("0", 20), ("1%", 1), ("1%", 20), ("1%", 20, "bbr"), ("mark=1%", 1)], 1, 3, 0.8
    else:
        words = [tuple(c.split(",")) for c in sys.argv[3:]] or [
            (loss, delay) for delay in (1, 20, 100) for loss in ("0", "0.1%", "1%", "3%", "mark=1%")] + [
            (loss, delay, "bbr") for delay in (1, 20, 100) for loss in ("0", "1%", "3%")]
        seconds, rounds, least = 6, 5, 0.9
    least_cell, most_rounds = (LEAST_CELL_WHEN_QUICK, 9) if quick else (least, 20)
    cells = [Cell(w) for w in words]
    network = Network()
    try:
        enter(CLIENT)
        print(f"{'loss':>9} {'rtt ms':>6} {'peer':>5} {'':>5} {'ours':>8} {'kernel':>8} MB/s  ratio")
        for cell in cells:
            cell.measure(program, echo, seconds, rounds)
            while min(cell.ratios()) < least_cell and cell.rounds() < most_rounds:
                cell.measure(program, echo, seconds, rounds)
            cell.show()
        for _ in range(3):
            low = min(cells, key=lambda c: min(c.ratios()))
            if mean_of(cells) >= least or low.rounds() >= most_rounds:
                break
            low.measure(program, echo, seconds, rounds)
            low.show()
    finally:
        network.close()
    mean, lowest = mean_of(cells), min(min(cell.ratios()) for cell in cells)
    print(f"mean {mean:.2f}, least {lowest:.2f}")
    return 0 if mean >= least and lowest >= least_cell else 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root for network namespaces")
        sys.exit(77)
    sys.exit(main())
