#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where the worker's time goes, by module: one shape DPDK to DPDK under `perf record` of the worker's thread.

        profile.py SHAPE... [--seconds N] [--driver memif|vhost] [--functions N]

Samples are of cpu-clock, so no hardware counters are needed. Code that was inlined counts for the place where it is written;
what lies in headers of DPDK or of the C++ library counts for the file of ours that it was inlined into.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from ground import ROOT, Ground

MODULE = re.compile(r"(?:^|/)((?:dataplane|l4|l7|mgmt)/(?:[a-z0-9]+(?=/))?)[^/]*")
LIBRARIES = {"libcrypto": "OpenSSL", "libssl": "OpenSSL", "librte": "driver and DPDK", "libc.so": "libc", "libhs": "Hyperscan",
             "[kernel": "kernel", "libgcc": "libc", "ld-linux": "libc", "[vdso]": "libc", "libstdc++": "libc"}


def worker_thread(pid):
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as name:
            if "worker" in name.read():
                return task
    raise RuntimeError("sluiced has no worker thread")


def record(ground, shape, seconds, out):
    """Runs the shape and samples the worker in the middle of it; what the generator measured."""
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "9973", "-t", worker_thread(ground.sluiced.pid), "-o", str(out),
               "--", "sleep", str(seconds)]
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        perf = beside.submit(lambda: time.sleep(1.5) or subprocess.run(command, check=True))
        result = ground.run(shape, "--seconds", seconds + 1, "--warmup", 1)
        perf.result()  # its failure is ours
    return result


def samples(data):
    """(object, address, symbol) of each sample, and where the program's code was mapped."""
    text = subprocess.run(["perf", "script", "-i", data, "--show-mmap-events", "-F", "comm,event,ip,sym,dso"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    maps, found = [], []
    for line in text.splitlines():
        mapped = re.search(r"\[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (0x[0-9a-f]+|0) .*?\]: .x.. .*/sluiced$", line) or \
            re.search(r"\[0x([0-9a-f]+)\(0x([0-9a-f]+)\) @ (0x[0-9a-f]+|0) .*?\]: r-xp .*/sluiced$", line)
        if mapped:
            maps.append((int(mapped[1], 16), int(mapped[2], 16), int(mapped[3], 16)))
        hit = re.search(r"cpu-clock:?\S*\s+([0-9a-f]+) (.*) \((\S+)\)$", line)
        if hit:
            found.append((hit[3], int(hit[1], 16), hit[2]))
    return maps, found


def places(program, addresses):
    """File of ours for each address: the innermost one among those inlined into one another."""
    asked = "\n".join(hex(a) for a in addresses)
    text = subprocess.run(["addr2line", "-a", "-i", "-e", program], input=asked, stdout=subprocess.PIPE, text=True, check=True).stdout
    out, current = {}, None
    for line in text.splitlines():
        if line.startswith("0x"):
            current = int(line, 16)
        elif current not in out:
            ours = MODULE.search(line.rpartition(":")[0].replace("build/release/../../", ""))
            if ours and "/usr/" not in line:
                out[current] = ours[1].rstrip("/")
    return out


def by_module(program, maps, found):
    def offset(address):
        for start, size, pgoff in maps:
            if start <= address < start + size:
                return address - start + pgoff
        return None
    own = {a: offset(a) for o, a, _ in found if o.endswith("/sluiced")}
    where = places(program, sorted({o for o in own.values() if o is not None}))
    shares = collections.Counter()
    for name, address, _ in found:
        if address in own:
            shares[where.get(own[address], "other")] += 1
        else:
            base = name.rpartition("/")[2]
            shares[next((label for start, label in LIBRARIES.items() if base.startswith(start)), base)] += 1
    return shares


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="+", metavar="SHAPE")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--driver", choices=["memif", "vhost", "virtio"], default="memif")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="the N functions with most samples as well")
    options = parser.parse_args()
    program = ROOT / "build/release/mgmt/daemon/sluiced"
    with Ground(options.driver) as ground:
        for shape in options.shapes:
            data = ground.folder / f"{Path(shape).stem}.data"
            result = record(ground, shape, options.seconds, data)
            maps, found = samples(data)
            shares = by_module(program, maps, found)
            total = sum(shares.values())
            if total == 0:
                raise RuntimeError(f"{shape}: no samples")
            per = "request" if result["appliance"].get("cycles_per_request") else "packet"
            print(f"{shape}: {result['appliance']['cycles_per_' + per]:,.0f} busy cycles a {per}, {total:,} samples")
            for module, n in shares.most_common():
                if n / total >= 0.005:
                    print(f"  {n / total:5.1%}  {module}")
            for (symbol, name), n in collections.Counter((s, o.rpartition("/")[2]) for o, _, s in found).most_common(options.functions):
                print(f"    {n / total:5.1%}  {name:12} {symbol[:100]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
