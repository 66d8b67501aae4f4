# SPDX-License-Identifier: Apache-2.0
"""The machine that is measured on: cores, priorities, programs. The load balancer has core 1 to itself; all else is on core 0."""
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench.figures import BenchError
from tests.support.lab import ROOT

LB_CORE, LOAD_CORE = 1, 0
PRIORITY = -10  # of everything that is measured, so that work in the background disturbs less
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
BUSY = ("user", "system", "irq", "softirq")  # "nice" is what gave way to us, and not ours


def core_seconds(kinds=BUSY, core=LB_CORE):
    """Time of these kinds (names of /proc/stat's columns) on a core since boot."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            values = dict(zip(COLUMNS, map(int, line.split()[1:9])))
            return sum(values[kind] for kind in kinds) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"there is no core {core}")


def require(programs):
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        raise BenchError(f"not installed: {', '.join(missing)} (tests/support/deps.sh bench installs what is measured against)")


def require_free_core(seconds=10.0, core=LB_CORE):
    """Somebody else's work at our priority or above would be in every figure. Niced work is not counted: it gives way."""
    window = 0.5
    for _ in range(max(1, int(seconds / window))):
        before = core_seconds(core=core)
        time.sleep(window)
        share = (core_seconds(core=core) - before) / window
        if share < 0.3:
            return
    raise BenchError(f"core {core} is taken: {share:.0%} of it is in use by others. Its busiest programs: {busiest(core)}")


def busiest(core):
    """For the error only: who ran last on this core, most used first."""
    listed = subprocess.run(["ps", "-eLo", "psr=,pcpu=,pid=,comm=", "--sort=-pcpu"], stdout=subprocess.PIPE, text=True,
                            check=False).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    return ", ".join(f"{r[3]} ({r[2]})" for r in rows if r[0] == str(core))[:120] or "unknown"


LOCK = Path(os.environ.get("SLUICE_BENCH_LOCK", "/run/lock/sluice-bench"))


@contextlib.contextmanager
def only_bench():
    """One benchmark at a time on a machine; released by the kernel however we end."""
    with open(LOCK, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise BenchError(f"core {LB_CORE} is taken: another benchmark is running ({LOCK})") from taken
        yield


def weigh_session(pid, nice=PRIORITY):
    """Where the kernel shares time between sessions (autogroup), a thread's own priority counts only inside its session.
    Returns what it was; None where sessions do not count."""
    path = Path(f"/proc/{pid}/autogroup")
    try:
        before = int(path.read_text().split()[-1])
        path.write_text(str(nice))
    except (OSError, IndexError, ValueError):
        return None
    return before


@contextlib.contextmanager
def preferred_session():
    """Our session, and what runs in it, goes before others, inside."""
    before = weigh_session("self")
    try:
        yield
    finally:
        if before is not None:
            weigh_session("self", before)


def family(pid):
    """A process and its children."""
    children = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    return [pid, *map(int, children)]


def process_seconds(pid):
    """User and system time so far of a process and its children, those that have ended included (proc_pid_stat(5))."""
    user = system = 0
    for process in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            own_user, own_system, ended_user, ended_system = map(int, fields[11:15])
            user, system = user + own_user + ended_user, system + own_system + ended_system
    tick = os.sysconf("SC_CLK_TCK")
    return user / tick, system / tick


def settle(pid, core=None):
    """Priority, and with `core` the place, of a process, its threads and its children."""
    weigh_session(pid)
    for process in family(pid):
        for task in os.listdir(f"/proc/{process}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, int(task), PRIORITY)
                if core is not None:
                    os.sched_setaffinity(int(task), {core})


def settle_workers(pid):
    """Priority for the threads that have the balancer's core to themselves; management keeps its own."""
    weigh_session(pid)
    for task in os.listdir(f"/proc/{pid}/task"):
        if os.sched_getaffinity(int(task)) == {LB_CORE}:
            os.setpriority(os.PRIO_PROCESS, int(task), PRIORITY)


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


@contextlib.contextmanager
def awake(pid):
    """A stopped process runs inside: one that polls must not take time from others that are measured on its core."""
    os.kill(pid, signal.SIGCONT)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            stop(pid)


def on_core(core, *command):
    """A command with its core and our priority in front."""
    return ["nice", "-n", str(PRIORITY), "taskset", "-c", str(core), *map(str, command)]


def program(name):
    """One of our own, as built for release."""
    path = ROOT / "build/release" / name
    if not path.exists():
        raise BenchError(f"{path} is not built")
    return path
