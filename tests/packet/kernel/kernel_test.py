#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our TCP against the kernel's, through AF_PACKET on a veth pair between two network namespaces, IPv4 and IPv6, with
and without loss. Usage: kernel_test.py TCP_ECHO [TEST...]. Needs root; exits 77 (skipped) without."""

import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from segment import packet

OURS, THEIRS = f"sl-tcp-a{os.getpid()}", f"sl-tcp-b{os.getpid()}"
PATTERN = bytes(i % 251 for i in range(251 * 1024))


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


def sh(command, check=True):
    return subprocess.run(command, shell=True, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)


def enter(namespace):
    """Sockets that this thread makes from now on live in the namespace."""
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    with open(f"/var/run/netns/{namespace}") as f:
        if libc.setns(f.fileno(), 0) != 0:
            raise OSError("setns")


class Peer:
    """tcp_echo with its lines."""

    def __init__(self, seconds, *extra):
        command = ["ip", "netns", "exec", OURS, sys.argv_echo, "net_af_packet0,iface=sl0", "10.9.0.1/24,fd09::1/64",
                   str(seconds), *extra]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines = []
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            line = self.process.stdout.readline()
            self.lines.append(line.strip())
            if line.startswith("ready") or line == "":
                break
        if "ready" not in self.lines:
            raise RuntimeError("\n".join(self.lines))
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def stop(self):
        self.process.kill()
        self.process.wait()

    def counters(self):
        """Ends it; {name: value} of its counters, by the name before the labels."""
        self.process.terminate()
        self.process.wait(timeout=60)
        self.reader.join(timeout=60)
        found = {}
        for line in self.lines:
            name, brace, rest = line.partition("{")
            if brace and (number := rest.rpartition("} ")[2]):
                found[name] = found.get(name, 0) + float(number)
        return found


def setUpModule():
    sh(f"ip netns add {OURS}; ip netns add {THEIRS}")
    sh(f"ip -n {OURS} link add sl0 type veth peer name sl1 netns {THEIRS}")
    sh(f"ip -n {THEIRS} addr add 10.9.0.2/24 dev sl1; ip -n {THEIRS} addr add fd09::2/64 dev sl1 nodad")
    sh(f"ip -n {OURS} link set sl0 up; ip -n {THEIRS} link set sl1 up; ip -n {THEIRS} link set lo up")
    # Over veth the kernel would hand over segments larger than the MTU.
    sh(f"ip netns exec {THEIRS} ethtool -K sl1 tso off gso off gro off")
    enter(THEIRS)


def tearDownModule():
    sh(f"ip netns del {OURS}; ip netns del {THEIRS}", check=False)


class PassiveOpen(unittest.TestCase):
    """The kernel connects to us."""

    ADDRESSES = ("10.9.0.1", "fd09::1")

    @classmethod
    def setUpClass(cls):
        cls.peer = Peer(600)
        time.sleep(0.5)

    @classmethod
    def tearDownClass(cls):
        cls.peer.stop()

    def tearDown(self):
        self.loss(0)

    def loss(self, percent):
        for tool in ("iptables", "ip6tables"):
            sh(f"ip netns exec {THEIRS} {tool} -F", check=False)
            if percent:
                for chain in ("INPUT", "OUTPUT"):
                    sh(f"ip netns exec {THEIRS} {tool} -A {chain} -p tcp -m statistic --mode random "
                       f"--probability {percent / 100} -j DROP")

    def connect(self, address, port):
        s = socket.create_connection((address, port), timeout=20)
        s.settimeout(60)
        return s

    def download(self, address, n):
        with self.connect(address, 19) as s:
            s.sendall(b"%d\n" % n)
            got = bytearray()
            while block := s.recv(1 << 16):
                got += block
        self.assertEqual(len(got), n)
        self.assertTrue(got == pattern(n))

    def echo(self, address, n):
        data = pattern(n)
        with self.connect(address, 7) as s:
            sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            sender.start()
            got = bytearray()
            while block := s.recv(1 << 16):
                got += block
            sender.join()
        self.assertTrue(got == data)

    def test_download_arrives_whole(self):
        for address in self.ADDRESSES:
            started = time.monotonic()
            self.download(address, 50_000_000)
            print(f"  download {address}: {50 / (time.monotonic() - started):.0f} MB/s")

    def test_upload_and_echo_arrive_whole(self):
        for address in self.ADDRESSES:
            started = time.monotonic()
            self.echo(address, 20_000_000)
            print(f"  echo {address}: {20 / (time.monotonic() - started):.0f} MB/s each way")

    def test_with_one_percent_loss(self):
        self.loss(1)
        self.download("10.9.0.1", 5_000_000)
        self.echo("10.9.0.1", 2_000_000)

    def test_with_five_percent_loss(self):
        self.loss(5)
        self.download("fd09::1", 500_000)
        self.echo("fd09::1", 300_000)

    def test_many_short_connections(self):
        started = time.monotonic()
        for _ in range(300):
            with self.connect("10.9.0.1", 7) as s:
                s.sendall(b"ping")
                self.assertEqual(s.recv(10), b"ping")
        print(f"  300 connections in {time.monotonic() - started:.2f} s")

    def test_closed_port_refuses(self):
        with self.assertRaises(ConnectionRefusedError):
            self.connect("10.9.0.1", 81)

    def test_slow_reader_gets_everything(self):
        with self.connect("10.9.0.1", 19) as s:
            s.sendall(b"3000000\n")
            time.sleep(3)  # the window closes; probes keep the connection
            got = bytearray()
            while block := s.recv(1 << 16):
                got += block
        self.assertTrue(got == pattern(3_000_000))

    def test_half_close_by_the_client(self):
        with self.connect("10.9.0.1", 9) as s:
            s.sendall(pattern(1_000_000))
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(s.recv(1), b"")

    def test_reset_by_the_client_is_noticed(self):
        before = sum(line == "closed peer_reset" for line in self.peer.lines)
        s = self.connect("10.9.0.1", 7)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
        deadline = time.monotonic() + 60
        while (seen := sum(line == "closed peer_reset" for line in self.peer.lines)) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(seen, before + 1)


class Wire:
    """Segments of anybody's from a packet socket on their side."""

    def __init__(self):
        with open("/proc/net/arp") as table:
            mac = next(line.split()[3] for line in table if line.startswith("10.9.0.1 "))
        self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.raw.bind(("sl1", 0))
        self.ethernet = bytes.fromhex(mac.replace(":", "")) + self.raw.getsockname()[4] + b"\x08\x00"

    def send(self, source, port, to_port, flags, seq=0, ack=0, window=65535, options=b"", payload=b""):
        ip = packet((source, port), ("10.9.0.1", to_port), flags, seq, ack, window, options, payload)
        with contextlib.suppress(OSError):  # the queue is full
            self.raw.send(self.ethernet + ip)

    def close(self):
        self.raw.close()


class Attacker(threading.Thread):
    """`attack(wire)`, a bounded number of segments, again and again for as long as the block runs, which begins behind the first."""

    def __init__(self, attack):
        super().__init__()
        self.attack, self.running, self.rounds = attack, True, 0

    def run(self):
        enter(THEIRS)
        with contextlib.closing(Wire()) as wire:
            while self.running:
                self.attack(wire)
                self.rounds += 1
                time.sleep(0.002)

    def __enter__(self):
        self.start()
        deadline = time.monotonic() + 60
        while self.rounds == 0 and self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.running = False
        self.join()


HELD_AT_LEAST = 90  # of 100 connections
RESETS_A_SECOND = 10_000  # max_resets in l4/tcp/stack.h
SYN, RST, ACK = 2, 4, 16
MSS_1460 = b"\x02\x04\x05\xb4"


def forged(flags, to_port, options=b""):
    """Fifty segments with forged sources, seeded so that a run can be had again."""
    chance = random.Random(1)

    def attack(wire):
        for _ in range(50):
            wire.send(f"10.9.0.{chance.randrange(3, 250)}", chance.randrange(1024, 65536), to_port, flags,
                      chance.getrandbits(32), chance.getrandbits(32), options=options)
    return attack


class Attack(unittest.TestCase):
    """Floods and peers that hold on, while real clients come: none may fail for it."""

    def setUp(self):
        self.peer = None

    def tearDown(self):
        if self.peer:
            self.peer.stop()
        sh(f"ip netns exec {THEIRS} iptables -F", check=False)

    def start_peer(self, *words):
        self.peer = Peer(300, *words)
        with socket.create_connection(("10.9.0.1", 7), timeout=30):  # the neighbour is known
            pass

    def clients(self, count):
        """How many of so many get their answer."""
        good = 0
        for _ in range(count):
            time.sleep(0.003)
            with contextlib.suppress(OSError), socket.create_connection(("10.9.0.1", 7), timeout=30) as s:
                s.settimeout(30)
                s.sendall(b"ping")
                good += s.recv(10) == b"ping"
        return good

    def test_clients_connect_through_a_flood_of_syns(self):
        self.start_peer()
        with Attacker(forged(SYN, 7, MSS_1460)) as attacker:
            deadline = time.monotonic() + 60
            while attacker.rounds < 200 and time.monotonic() < deadline:  # the backlog of 4,096 is full
                time.sleep(0.05)
            before = attacker.rounds
            good = self.clients(300)
        print(f"  {good} of 300 through {attacker.rounds * 50} SYNs")
        self.assertGreaterEqual(good, 297)
        self.assertGreater(attacker.rounds, before + 20)
        self.assertGreater(self.peer.counters()["sluice_tcp_syn_cookies_sent_total"], 0)

    def test_clients_connect_through_floods_of_acks_and_resets(self):
        for flags in (ACK, RST, RST | ACK):
            self.start_peer()
            with socket.create_connection(("10.9.0.1", 7), timeout=60) as lasting:
                started = time.monotonic()
                with Attacker(forged(flags, 7)) as attacker:
                    good = self.clients(100)
                took = time.monotonic() - started
                lasting.sendall(b"still there")
                self.assertEqual(lasting.recv(100), b"still there")
            print(f"  {good} of 100 through {attacker.rounds * 50} segments of flags {flags}")
            self.assertGreaterEqual(good, 99)
            self.assertGreater(attacker.rounds, 0)
            resets = self.peer.counters().get("sluice_tcp_resets_out_total", 0)
            self.assertLess(resets, RESETS_A_SECOND * (took + 2))  # a second's worth at once, and one of slack
            if flags == ACK:
                self.assertGreater(resets, 0)

    def test_segments_blindly_injected_into_a_connection_change_nothing(self):
        self.start_peer()
        with socket.create_connection(("10.9.0.1", 7), timeout=60) as s:
            port, chance = s.getsockname()[1], random.Random(2)

            def inject(wire):
                for flags in (RST, SYN, ACK, RST | ACK, SYN | ACK):
                    wire.send("10.9.0.2", port, 7, flags, chance.getrandbits(32), chance.getrandbits(32), payload=b"evil")

            with Attacker(inject) as attacker:
                for i in range(200):
                    word = b"%06d" % i
                    s.sendall(word)
                    self.assertEqual(s.recv(100), word)
                    time.sleep(0.005)
        self.assertGreater(attacker.rounds, 0)
        print(f"  200 answers through {attacker.rounds * 5} injected segments")

    def hold(self, count, window):
        """Connections of one who asks for much and opens a window of so many bytes: sockstress."""
        sh(f"ip netns exec {THEIRS} iptables -A OUTPUT -p tcp --sport 30000:39999 --tcp-flags RST RST -j DROP")
        with contextlib.closing(Wire()) as wire:
            wire.raw.settimeout(0.2)
            opened, last = 0, time.monotonic()
            for port in range(30000, 30000 + count):
                wire.send("10.9.0.2", port, 19, SYN, 1000, options=MSS_1460)
            # All that there is room for; most of it must come, whatever time that takes.
            while opened < count and time.monotonic() < last + (60 if opened < HELD_AT_LEAST else 6):
                try:
                    frame = wire.raw.recv(2048)
                except TimeoutError:
                    continue
                tcp = frame[14 + (frame[14] & 15) * 4:]
                source, port, seq, _, _, flags = struct.unpack("!HHIIBB", tcp[:14])
                if source == 19 and flags & (SYN | ACK) == SYN | ACK:
                    wire.send("10.9.0.2", port, 19, ACK, 1001, seq + 1, window, payload=b"200000\n")
                    opened, last = opened + 1, time.monotonic()
        return opened

    def test_clients_connect_while_others_hold_all_connections_by_closed_or_tiny_windows(self):
        for window in (0, 4):
            self.start_peer("--connections", "100")
            held = self.hold(150, window)
            self.assertGreaterEqual(held, HELD_AT_LEAST)
            good = self.clients(30)
            counters = self.peer.counters()
            evicted = counters.get("sluice_tcp_stalled_evicted_total", 0)
            print(f"  window {window}: {good} of 30 while {held} are held, {evicted:.0f} evicted")
            self.assertEqual(good, 30, counters)
            self.assertGreater(evicted, 0, counters)


class ActiveOpen(unittest.TestCase):
    """We connect to the kernel."""

    def wait_for(self, peer, line):
        deadline = time.monotonic() + 30
        while line not in peer.lines and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertIn(line, peer.lines)

    def test_upload_to_a_kernel_server_arrives_whole(self):
        for family, theirs in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")):
            with socket.socket(family) as listener:
                listener.bind((theirs, 0))
                listener.listen()
                listener.settimeout(60)
                peer = Peer(60, "--connect", theirs, str(listener.getsockname()[1]), "5000000")
                try:
                    with listener.accept()[0] as s:
                        s.settimeout(60)
                        got = bytearray()
                        while block := s.recv(1 << 16):
                            got += block
                        s.sendall(b"thanks")
                    self.assertTrue(got == pattern(5_000_000))
                    self.wait_for(peer, "closed normal")
                finally:
                    peer.stop()

    def test_refusal_is_told(self):
        peer = Peer(60, "--connect", "10.9.0.2", "9", "1")
        try:
            self.wait_for(peer, "closed refused")
        finally:
            peer.stop()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root for network namespaces")
        sys.exit(77)
    sys.argv_echo = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[2:]])
