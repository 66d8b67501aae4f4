# SPDX-License-Identifier: Apache-2.0
"""Network namespaces that tests make, with the processes in them."""
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

# No offload that would hand frames over which never were on a wire (partial checksums, 64 KB segments).
NO_OFFLOADS = [word for feature in ("tx", "tso", "gso", "gro", "rxvlan", "txvlan") for word in (feature, "off")]
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command, **kwargs):
    """Runs to the end or raises with what the command said."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def wait_for(condition, seconds, what):
    """Polls until `condition` gives something true; fails loudly after `seconds`. The last look begins when they have passed: a
    look that took long is not the last one."""
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() > end
        last = condition()
        if last:
            return last
        if late:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def claim(prefix):
    """The names that begin with it, until the file that it returns is closed or this process is gone. What a run that was
    killed left there goes."""
    lock = open(f"/run/lock/sluice-lab-{prefix}", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise RuntimeError(f"another lab {prefix} runs; SLUICE_LAB_TAG=LETTER keeps them apart") from None
    for name in Path("/run/netns").glob(f"{prefix}-*"):
        Netns(name.name, made=True).close()
    return lock


class Netns:
    """A network namespace of our own, with the processes that run in it."""

    def __init__(self, name, made=False):
        self.name = name
        self.processes = []
        if made:
            return
        run("ip", "netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *args):
        return run("ip", "-n", self.name, *args)

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *map(str, args)]

    def run(self, *args, **kwargs):
        return run(*self.command(*args), **kwargs)

    def start(self, *args, **kwargs):
        process = subprocess.Popen(self.command(*args), start_new_session=True, **kwargs)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self):
        """This thread's sockets are made in the namespace, inside the `with`."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.name}", "rb") as there:
            self._setns(there)
            try:
                yield
            finally:
                self._setns(home)

    @staticmethod
    def _setns(file):
        if _libc.setns(file.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def quiet(self, device):
        self.run("ethtool", "-K", device, *NO_OFFLOADS)

    def close(self):
        for process in self.processes:
            stop(process)
        left = subprocess.run(["ip", "netns", "pids", self.name], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True).stdout.split()
        for pid in left:  # children of what we started; nobody else is in our namespace
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", self.name], check=False, stderr=subprocess.DEVNULL)


def stop(process, seconds=5):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
