#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our TCP against the kernel's, through AF_PACKET on a veth pair between two network namespaces, IPv4 and IPv6, with
and without loss. Usage: kernel_test.py TCP_ECHO. Needs root; exits 77 (skipped) without."""

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

OURS, THEIRS = f"sl-tcp-a{os.getpid()}", f"sl-tcp-b{os.getpid()}"
PATTERN = bytes(i % 251 for i in range(251 * 1024))


def pattern(n):
    return (PATTERN * (n // len(PATTERN) + 1))[:n]


def sh(command, check=True):
    return subprocess.run(command, shell=True, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)


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
        deadline = time.time() + 20
        while time.time() < deadline:
            line = self.process.stdout.readline()
            self.lines.append(line.strip())
            if line.startswith("ready") or line == "":
                break
        if "ready" not in self.lines:
            raise RuntimeError("\n".join(self.lines))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def stop(self):
        self.process.kill()
        self.process.wait()


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
        cls.peer = Peer(300)
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
            started = time.time()
            self.download(address, 50_000_000)
            print(f"  download {address}: {50 / (time.time() - started):.0f} MB/s")

    def test_upload_and_echo_arrive_whole(self):
        for address in self.ADDRESSES:
            started = time.time()
            self.echo(address, 20_000_000)
            print(f"  echo {address}: {20 / (time.time() - started):.0f} MB/s each way")

    def test_with_one_percent_loss(self):
        self.loss(1)
        self.download("10.9.0.1", 5_000_000)
        self.echo("10.9.0.1", 2_000_000)

    def test_with_five_percent_loss(self):
        self.loss(5)
        self.download("fd09::1", 500_000)
        self.echo("fd09::1", 300_000)

    def test_many_short_connections(self):
        started = time.time()
        for _ in range(300):
            with self.connect("10.9.0.1", 7) as s:
                s.sendall(b"ping")
                self.assertEqual(s.recv(10), b"ping")
        print(f"  300 connections in {time.time() - started:.2f} s")

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
        time.sleep(0.5)
        self.assertEqual(sum(line == "closed peer_reset" for line in self.peer.lines), before + 1)


class Flood(unittest.TestCase):
    """SYNs with forged sources, as fast as one thread sends them, while real clients come."""

    def test_clients_connect_through_a_flood_of_syns(self):
        peer = Peer(120)
        flooding = threading.Event()
        flooding.set()
        sent = [0]
        thread = threading.Thread(target=self.flood, args=(flooding, sent))
        thread.start()
        try:
            while sent[0] < 10_000:  # the backlog of 4,096 is full
                time.sleep(0.05)
            good, before = 0, sent[0]
            for _ in range(300):
                time.sleep(0.003)
                with contextlib.suppress(OSError), socket.create_connection(("10.9.0.1", 7), timeout=10) as s:
                    s.settimeout(10)
                    s.sendall(b"ping")
                    good += s.recv(10) == b"ping"
        finally:
            flooding.clear()
            thread.join()
            peer.stop()
        print(f"  {good} of 300 through {sent[0]} SYNs")
        self.assertGreaterEqual(good, 297)
        self.assertGreater(sent[0], before + 1000)

    @staticmethod
    def flood(flooding, sent):
        enter(THEIRS)
        with open("/proc/net/arp") as table:
            mac = next(line.split()[3] for line in table if line.startswith("10.9.0.1 "))
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("sl1", 0))
        ethernet = bytes.fromhex(mac.replace(":", "")) + raw.getsockname()[4] + b"\x08\x00"
        destination = socket.inet_aton("10.9.0.1")
        random.seed(1)
        while flooding.is_set():
            for _ in range(50):
                source = socket.inet_aton(f"10.9.0.{random.randrange(3, 250)}")
                tcp = struct.pack("!HHIIBBHHH4s", random.randrange(1024, 65536), 7, random.getrandbits(32), 0, 0x60, 2, 65535,
                                  0, 0, b"\x02\x04\x05\xb4")
                total = checksum(source + destination + struct.pack("!HH", 6, len(tcp)) + tcp)
                tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
                ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + source + destination
                ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
                raw.send(ethernet + ip + tcp)
            sent[0] += 50
            time.sleep(0.002)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


class ActiveOpen(unittest.TestCase):
    """We connect to the kernel."""

    def wait_for(self, peer, line):
        deadline = time.time() + 10
        while line not in peer.lines and time.time() < deadline:
            time.sleep(0.05)
        self.assertIn(line, peer.lines)

    def test_upload_to_a_kernel_server_arrives_whole(self):
        for family, theirs in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")):
            with socket.socket(family) as listener:
                listener.bind((theirs, 0))
                listener.listen()
                listener.settimeout(20)
                peer = Peer(60, "--connect", theirs, str(listener.getsockname()[1]), "5000000")
                try:
                    with listener.accept()[0] as s:
                        s.settimeout(20)
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
    unittest.main(argv=[sys.argv[0], "-v"])
