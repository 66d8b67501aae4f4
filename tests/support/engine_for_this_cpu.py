# SPDX-License-Identifier: Apache-2.0
"""qatengine's multi-buffer mode asks for a CPU of Intel, though others have all that it uses. Prints the path of an engine
that asks for this one: the given file, or a patched copy in the given folder.  engine_for_this_cpu.py ENGINE FOLDER"""
import sys
from pathlib import Path

INTEL = {b"\xfb": b"Genu", b"\xfa": b"ineI", b"\xf9": b"ntel"}  # by the operand byte of the comparison: EBX, EDX, ECX
AMD = {b"\xfb": b"Auth", b"\xfa": b"enti", b"\xf9": b"cAMD"}


def main(engine, folder):
    if "AuthenticAMD" not in Path("/proc/cpuinfo").read_text():
        return engine
    code = Path(engine).read_bytes()
    for operand, name in INTEL.items():
        assert code.count(b"\x81" + operand + name) == 1, "not the comparison that is looked for"
        code = code.replace(b"\x81" + operand + name, b"\x81" + operand + AMD[operand])
    copy = Path(folder) / "qatengine.so"
    copy.write_bytes(code)
    return copy


print(main(*sys.argv[1:]))
