# SPDX-License-Identifier: Apache-2.0
"""Time from the start of the process to the first answer that a client gets."""
import contextlib
import socket
import time

from bench import machine
from bench.figures import BenchError, bound
from bench.runner import benchmark
from bench.sides import certificate, sluice_config
from hugepages import HugePages
from tests.support.lab import VIP4, Lab, wait_for

LIMIT_S = 2.0
MEMORY_MB = 512  # of the lab's sluiced


def ask(lab):
    """One GET from the client's namespace with short patience: the whole answer, or b"" while nobody is there."""
    with contextlib.suppress(OSError), lab.client.entered():
        with socket.create_connection((VIP4, 80), timeout=0.05) as s:
            s.settimeout(1.0)
            s.sendall(b"GET /static/1k HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: s.recv(65536), b""))
    return b""


def time_to_answer(lab, want):
    begin = time.monotonic()
    lab.launch()
    answer = b""
    while not answer:
        if lab.sluiced.poll() is not None or time.monotonic() - begin > 30:
            raise BenchError(f"sluiced does not serve:\n{lab.log_text()[-2000:]}")
        answer = ask(lab)
    took = time.monotonic() - begin
    if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(want):
        raise BenchError(f"a wrong answer after the start: {answer[:200]!r}")
    if lab.stop() != 0:
        raise BenchError(f"sluiced did not stop well:\n{lab.log_text()[-2000:]}")
    return took


@benchmark("start", peers=("nginx", "curl", "openssl"))
def start(run):
    """seconds from the start of sluiced on free hugepages, with a stored configuration, to the first proxied answer (2 s)"""
    with contextlib.closing(HugePages(MEMORY_MB)), Lab("sbt", huge_pages="on") as lab:
        lab.start_nginx("b1")
        want = lab.static_file("1k", 1024, ("b1",)).read_bytes()
        for kind in ("ecdsa", "rsa"):
            certificate(lab.folder, kind)
        lab.start()
        lab.api.apply(sluice_config(lab.folder))
        wait_for(lambda: ask(lab).endswith(want), 10, "the first answer")
        lab.stop()
        machine.settle(lab.backend_pids["b1"].pid, machine.LOAD_CORE)
        took = [time_to_answer(lab, want) for _ in range(run.rounds)]
    yield bound("start", "s", took, LIMIT_S, command=run.command)
