# SPDX-License-Identifier: Apache-2.0
"""What the VM boots: Debian's cloud kernel, and an initramfs with busybox, sluiced and all that it loads.

The kernel's package is unpacked into a cache folder and never installed: no boot loader, no hook of this machine sees it.
"""
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from tests.support.lab import ROOT, run

CACHE = Path("/var/cache/sluice")
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
MODULES = ("virtio_pci", "virtio_net", "vfio-pci", "uio_pci_generic")
# Of DPDK's plugins those that a virtio-net PCI device needs; each is in the image once, or it would register twice.
PLUGINS = ("librte_bus_pci", "librte_bus_vdev", "librte_mempool_ring", "librte_mempool_stack", "librte_net_virtio")


class Kernel:
    """The cloud kernel that is cached here, or else fetched through apt, which checks its signature."""

    def __init__(self):
        self.folder = next(CACHE.glob("kernel-*"), None) or self._fetch()
        self.image, = self.folder.glob("boot/vmlinuz-*")
        self.version = self.image.name.removeprefix("vmlinuz-")

    @staticmethod
    def _fetch():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            os.chmod(scratch, 0o777)  # apt downloads as its own user
            Kernel._download(scratch)
            package, = Path(scratch).glob("*.deb")
            tree = Path(scratch) / "tree"
            run("dpkg-deb", "-x", package, tree)
            version = next((tree / "lib/modules").iterdir()).name
            run("depmod", "-b", tree, version)
            return tree.rename(CACHE / f"kernel-{version}")  # whole or not at all

    @staticmethod
    def _download(folder):
        """The package lists may be missing or name a version that the mirror has replaced: then once more with new ones."""
        for attempt in (1, 2):
            try:
                depends = run("apt-cache", "depends", "--important", "linux-image-cloud-amd64")
                package = re.search(r"Depends: (linux-image-\S+)", depends)[1]
                run("apt-get", "download", "-qq", package, cwd=folder)
                return
            except (RuntimeError, TypeError):
                if attempt == 2:
                    raise
                run("apt-get", "update", "-qq")

    def modules(self):
        """Their files, in an order in which each finds what it needs."""
        files = []
        for module in MODULES:
            shown = run("modprobe", "-d", self.folder, "-S", self.version, "--show-depends", module)
            files += re.findall(r"^insmod (\S+)", shown, re.M)
        return [Path(f) for f in dict.fromkeys(files)]


class Archive:
    """An initramfs in the making: the newc format of cpio, see the kernel's driver-api/early-userspace/buffer-format."""

    def __init__(self, path):
        self.out = open(path, "wb")
        self.have = set()

    def _entry(self, name, mode, body, rdev=(0, 0)):
        if name in self.have:
            return
        self.have.add(name)
        raw = name.encode() + b"\0"
        numbers = (len(self.have), mode, 0, 0, 1, 0, len(body), 0, 0, *rdev, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % n for n in numbers) + raw
        self.out.write(head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4))

    def folder(self, path):
        for parent in [*reversed(Path(path).parents), Path(path)]:
            if parent.name:
                self._entry(str(parent).lstrip("/"), stat.S_IFDIR | 0o755, b"")

    def file(self, path, content, mode=0o644):
        self.folder(Path(path).parent)
        self._entry(str(path).lstrip("/"), stat.S_IFREG | mode, content)

    def link(self, path, target):
        self.folder(Path(path).parent)
        self._entry(str(path).lstrip("/"), stat.S_IFLNK | 0o777, str(target).encode())

    def device(self, path, major, minor):
        self.folder(Path(path).parent)
        self._entry(str(path).lstrip("/"), stat.S_IFCHR | 0o600, b"", (major, minor))

    def close(self):
        self._entry("TRAILER!!!", 0, b"")
        self.out.close()


def add_library(archive, path):
    """The file once, at its real place, and a link for the name under which it was asked for."""
    real = path.resolve()
    archive.file(real, real.read_bytes(), 0o755)
    if path != real:
        archive.link(path, real)


def add_program(archive, name, path, scratch):
    """A program or plugin without its debug information, and the libraries that it is linked with."""
    stripped = Path(scratch) / "stripped"
    run("strip", "-o", stripped, path)
    archive.file(name, stripped.read_bytes(), 0o755)
    for library in re.findall(r"(?:=> )?(/\S+) \(0x", run("ldd", path)):
        add_library(archive, Path(os.path.realpath(os.path.dirname(library))) / os.path.basename(library))


def build_image(path, kernel, sluiced, conf):
    """`conf` becomes /etc/sluice/sluice.conf, tests/vm/init runs as the first process."""
    archive = Archive(path)
    # /lib and /lib64 are links to /usr/lib and /usr/lib64, as on Debian.
    for name in ("bin", "lib", "lib64", "sbin"):
        archive.folder(f"/usr/{name}")
        archive.link(f"/{name}", f"usr/{name}")
    archive.link("/var/run", "/run")
    for name in ("proc", "sys", "dev", "run", "tmp", "dev/hugepages", "var/lib/sluice", "var/log/sluice"):
        archive.folder(f"/{name}")
    archive.device("/dev/console", 5, 1)
    archive.file("/usr/bin/busybox", Path(shutil.which("busybox")).read_bytes(), 0o755)
    archive.link("/usr/bin/sh", "busybox")
    archive.file("/init", (ROOT / "tests/vm/init").read_bytes(), 0o755)
    archive.file("/etc/sluice/sluice.conf", conf.read_bytes())
    with tempfile.TemporaryDirectory() as scratch:
        add_program(archive, "/usr/bin/sluiced", sluiced, scratch)
        for plugin in PLUGINS:
            found, = LIBRARIES.glob(f"dpdk/pmds-*/{plugin}.so.*.*")
            add_program(archive, found, found, scratch)
            archive.link(LIBRARIES / found.name.rpartition(".")[0], found)
    for number, module in enumerate(kernel.modules()):
        archive.file(f"/modules/{number:02}-{module.name}", module.read_bytes())
    archive.close()

