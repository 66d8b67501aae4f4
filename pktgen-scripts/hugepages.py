# SPDX-License-Identifier: Apache-2.0
"""Hugepages for the time that something needs them."""
from pathlib import Path


class NoHugePages(RuntimeError):
    """The kernel has none to give."""


class HugePages:
    """At least so many megabytes of free 2 MB pages from here on; close() puts the machine's setting back."""

    COUNT = Path("/proc/sys/vm/nr_hugepages")

    def __init__(self, megabytes):
        self.before = int(self.COUNT.read_text())
        lacking = (megabytes + 1) // 2 - self.free()
        if lacking > 0:
            self.COUNT.write_text(str(self.before + lacking))
        if self.free() * 2 < megabytes:
            self.close()
            raise NoHugePages(f"the kernel has no {megabytes} MB of free 2 MB hugepages")

    @staticmethod
    def free():
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("HugePages_Free:"):
                return int(line.split()[1])
        return 0

    def close(self):
        if int(self.COUNT.read_text()) > self.before:
            self.COUNT.write_text(str(self.before))
