#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The scripts of tests/packet/traces against the kernel's TCP, over a TUN device in a network namespace of this test's own: an
oracle for what our stack does with them (tcp_traces_test.cc). Where the two differ the script says so, and docs/tcp.md why.

  oracle.py TRACE_FOLDER DOCS_TCP_MD [WORD...]      only scripts whose name has one of the words

Needs root and /dev/net/tun; exits 77 (skipped) without."""

import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import time

from segment import packet

KERNEL, PEER = "10.9.7.1", "10.9.7.2"
LISTEN_PORT, PEER_PORT = 80, 5000
PEER_ISN = 0xfffffff0
FLAGS = (("S", 2), ("F", 1), ("R", 4), ("P", 8), ("U", 32), ("E", 64), ("W", 128), (".", 16))
SEGMENT = re.compile(r"(?P<flags>[SFRPUEW.]+) (?P<seq>-?\d+):-?\d+\((?P<length>\d+)\)(?: ack (?P<ack>-?\d+))?"
                     r"(?: win (?P<win>\d+))?(?: <(?P<options>[^>]*)>)?(?: \"(?P<text>[^\"]*)\")?$")
# How long to wait for what must come, and to see that nothing does.
PATIENCE, QUIET = 1.0, 0.03
ATTEMPTS = 6  # at a script: the kernel's timers go on while this process waits for a core
SYSCTLS = {"tcp_invalid_ratelimit": 0, "tcp_syncookies": 0, "tcp_ecn": 0, "tcp_fin_timeout": 60, "tcp_rfc1337": 0,
           "tcp_tw_reuse": 0, "tcp_no_metrics_save": 1}


class Mismatch(Exception):
    pass


def new_namespace():
    """This process, and what it starts, gets a network of its own; it goes with the process."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def open_tun():
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", b"slo0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI
    for command in ("ip link set lo up", f"ip addr add {KERNEL}/24 dev slo0", "ip link set slo0 up mtu 1500",
                    *(f"sysctl -qw net.ipv4.{k}={v}" for k, v in SYSCTLS.items())):
        subprocess.run(command.split(), check=True)
    return fd


class Segment:
    def __init__(self, flags, seq, length, ack):
        self.flags, self.seq, self.length, self.ack = flags, seq, length, ack

    def __str__(self):
        ack = "" if self.ack is None else f" ack {self.ack}"
        return f"{self.flags} {self.seq}:{self.seq + self.length}({self.length}){ack}"

    def matches(self, other):
        return ((self.flags, self.seq, self.length) == (other.flags, other.seq, other.length) and
                self.ack in (None, other.ack))


def signed(n):
    return (n + 0x80000000) % 0x100000000 - 0x80000000


class Run:
    """One script."""

    def __init__(self, tun, port):
        self.tun = tun
        self.local, self.remote = LISTEN_PORT, port
        self.iss = None
        self.listener = self.socket = None
        self.got, self.seen = "", []
        self.start = time.monotonic()

    def close(self):
        for s in (self.socket, self.listener):
            if s is not None:
                with contextlib.suppress(OSError):
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
        self.drain()

    def drain(self):
        while select.select([self.tun], [], [], QUIET)[0]:
            os.read(self.tun, 65536)

    # ---- The wire

    def send(self, text):
        m = SEGMENT.match(text)
        if m is None:
            raise Mismatch(f"cannot be read: {text}")
        seq, length = int(m["seq"]), int(m["length"])
        payload = (m["text"] or "".join(chr(ord("a") + (seq - 1 + i) % 26) for i in range(length))).encode()
        flags = sum(bit for letter, bit in FLAGS if letter in m["flags"])
        options = b""
        for option in filter(None, (m["options"] or "").split(",")):
            word = option.split()
            if word[0] == "mss":
                options += struct.pack("!BBH", 2, 4, int(word[1]))
            elif word[0] == "sackOK":
                options += b"\1\1\4\2"
            else:
                raise Mismatch(f"option {option}")
        ack = 0 if m["ack"] is None else (self.iss or 0) + int(m["ack"])
        os.write(self.tun, packet((PEER, self.remote), (KERNEL, self.local), flags, PEER_ISN + seq, ack, int(m["win"] or 60000),
                                  options, payload))

    def receive(self, seconds):
        """The next segment of ours to the peer, or None."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self.tun], [], [], left)[0]:
            ip = os.read(self.tun, 65536)
            if ip[0] >> 4 != 4 or ip[9] != 6 or ip[12:16] != socket.inet_aton(KERNEL):
                continue
            tcp = ip[(ip[0] & 15) * 4:]
            source, destination, seq, ack, offset, flags = struct.unpack("!HHIIBB", tcp[:14])
            if self.socket is not None and self.listener is None:
                self.local = source  # of a connection that the kernel opened
            if (source, destination) != (self.local, self.remote):
                continue
            if flags & 2 and self.iss is None:
                self.iss = seq
            return Segment("".join(letter for letter, bit in FLAGS if flags & bit), signed(seq - (self.iss or 0)),
                           len(tcp) - (offset >> 4) * 4, signed(ack - PEER_ISN) if flags & 16 else None)
        return None

    def news(self, seconds, wanted=None):
        """As receive(), without what the kernel sends again because no answer came, unless it is what is wanted."""
        while (s := self.receive(seconds)) is not None:
            takes_room = s.length > 0 or "S" in s.flags or "F" in s.flags
            again = takes_room and any(s.matches(old) for old in self.seen)
            if again and not (wanted and wanted.matches(s)):
                continue
            self.seen.append(s)
            return s
        return None

    def expect(self, text):
        m = SEGMENT.match(text)
        wanted = Segment(m["flags"], int(m["seq"]), int(m["length"]), None if m["ack"] is None else int(m["ack"]))
        actual = self.news(PATIENCE, wanted)
        if actual is None or not wanted.matches(actual):
            raise Mismatch(f"expected {wanted}, got {actual}")

    def nothing(self):
        if (s := self.news(QUIET)) is not None:
            raise Mismatch(f"not expected: {s}")

    # ---- The user

    def listen(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((KERNEL, LISTEN_PORT))
        self.listener.listen()
        self.listener.setblocking(False)

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex((PEER, self.remote))

    def established(self, options):
        self.listen()
        self.send(f"S 0:0(0) win 60000 {options or '<mss 1000>'}")
        self.expect("S. 0:0(0) ack 1")
        self.send(". 1:1(0) ack 1 win 60000")
        self.event("open")
        self.start = time.monotonic()

    def wait_for(self, what, condition):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if condition():
                return
            time.sleep(0.005)
        raise Mismatch(f"the user is not told: {what}; it has {self.got!r}")

    def opened(self):
        if self.socket is None:
            with contextlib.suppress(BlockingIOError):
                self.socket, _ = self.listener.accept()
                self.socket.setblocking(False)
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.socket is not None
        return bool(select.select([], [self.socket], [], 0)[1]) and self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    def read(self, expected):
        with contextlib.suppress(BlockingIOError):
            block = self.socket.recv(len(expected) - len(self.got) if expected else 1)
            if not expected:
                return block == b""
            self.got += block.decode()
        if self.got == expected and expected:
            self.got = ""
            return True
        return False

    def event(self, event):
        kind, _, rest = event.partition(" ")
        if kind == "open":
            self.wait_for(event, self.opened)
        elif kind == "data":
            self.wait_for(event, lambda: self.read(rest))
        elif event == "peer closed":
            self.wait_for(event, lambda: self.read(""))
        elif event != "closed normal":
            wanted = {"peer_reset": "ECONNRESET", "refused": "ECONNREFUSED", "broken_pipe": "EPIPE"}[rest]
            number = getattr(errno, wanted)
            self.wait_for(event, lambda: self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == number)

    # ---- The script

    def line(self, line):
        word, _, rest = line.partition(" ")
        if word == "kernel":
            self.line(rest)
        elif word in ("ours", "difference", "closed"):
            pass
        elif word == "peer":
            self.send(rest)
        elif word.startswith("stack"):
            self.expect(rest)
        elif word == "nothing":
            self.nothing()
        elif word == "forget":
            self.iss, self.seen = None, []
        elif word == "at":
            seconds = float(rest[:-2]) / 1000 if rest.endswith("ms") else float(rest[:-1])
            time.sleep(max(0, self.start + seconds - time.monotonic()))
        elif word == "user":
            self.event(rest)
        elif word == "listen":
            self.listen()
        elif word == "connect":
            self.connect()
        elif word == "established":
            self.established(rest)
        elif word == "send":
            self.socket.send(rest.strip('"').encode())
        elif word == "shutdown":
            self.socket.shutdown(socket.SHUT_WR)
        elif word == "abort":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
            self.socket = None
        else:
            raise Mismatch("no such line")


def read_traces(folder):
    for path in sorted(pathlib.Path(folder).glob("*.trace")):
        name, lines = None, []
        for line in path.read_text().splitlines():
            if line.startswith("== "):
                if name:
                    yield name, lines
                name, lines = f"{path.stem}: {line[3:]}", []
            elif line and not line.startswith("#"):
                lines.append(line)
        yield name, lines


def play(tun, port, lines, text):
    """What is wrong, or None."""
    run = Run(tun, port)
    at = ""
    try:
        for at in lines:
            if at.startswith("difference ") and at.removeprefix("difference ") not in text:
                raise Mismatch("docs/tcp.md does not explain it")
            run.line(at)
        return None
    except (Mismatch, OSError) as e:
        return f"    at: {at}\n    {e}"
    finally:
        run.close()


def main():
    folder, docs, *words = sys.argv[1:]
    text = " ".join(pathlib.Path(docs).read_text().split())
    new_namespace()
    tun = open_tun()
    passed, failures = 0, []
    for number, (name, lines) in enumerate(read_traces(folder)):
        if words and not any(w in name for w in words):
            continue
        for attempt in range(ATTEMPTS):  # each with a port of its own: TIME-WAIT of the last does not matter
            wrong = play(tun, PEER_PORT + ATTEMPTS * number + attempt, lines, text)
            if wrong is None:
                break
        if wrong is None:
            passed += 1
        else:
            failures.append(f"{name}\n{wrong}")
    for f in failures:
        print(f"FAILED {f}")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures or not passed else 0


if __name__ == "__main__":
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: needs root and /dev/net/tun")
        sys.exit(77)
    sys.exit(main())
