# SPDX-License-Identifier: Apache-2.0
"""The lab whose appliance is a virtual machine with three ENIs, made by QEMU's virtio-net.

      namespace cl              the VM (TCG)                      namespace b1
      client, gateway --tap-- 00:06.0 eni1 | sluiced | eni2 00:07.0 --tap-- nginx
      172.16.1.253             vfio-pci, vIOMMU, DPDK                      172.16.2.11
                               00:05.0, the kernel's --tap-- namespace mg: the REST API's user, 172.16.0.1

sluiced runs with docs/samples/eni-vm.conf as it stands, so the addresses here are those of that file. The other ends of
the taps are opened inside the namespaces and given to QEMU; they go when it ends.
"""
import fcntl
import os
import re
import selectors
import socket
import struct
import subprocess
import time

from tests.support.lab import ROOT, Lab, Netns, run, wait_for
from tests.vm.guest_image import Kernel, build_image

VIP4, VIP6 = "172.16.1.100", "2001:db8:1::100"
CLIENT4, CLIENT6 = "172.16.1.253", "2001:db8:1::1"
BACKEND4, BACKEND6 = "172.16.2.11", "2001:db8:2::11"
HOST = "shop.test"
QUEUES = 2
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_MULTI_QUEUE, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x0100, 0x1000, 0x4000


def open_tap(netns, name, queues):
    """File descriptors of a new tap device in the namespace, one a queue."""
    fds = []
    with netns.entered():
        for _ in range(queues):
            fds.append(os.open("/dev/net/tun", os.O_RDWR))
            flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | (_IFF_MULTI_QUEUE if queues > 1 else 0)
            fcntl.ioctl(fds[-1], _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fds


class VmLab(Lab):
    """`iommu` False is what most clouds offer: no IOMMU, so DPDK goes over uio and physical addresses."""

    def __init__(self, prefix="slv", iommu=True):
        self.iommu = iommu
        self.heard = b""  # from the guest's shell
        self.admin_token = None
        self.running = False  # the appliance in the machine
        super().__init__(prefix)
        self.api_address = "172.16.0.10"

    # -- network

    def _wire(self, own_namespace):
        addresses = {"cl": (f"{CLIENT4}/24", f"{CLIENT6}/64", "fe80::1/64"), "b1": (f"{BACKEND4}/24", f"{BACKEND6}/64"),
                     "mg": ("172.16.0.1/24",)}
        self.taps = {}
        for name, own in addresses.items():
            netns = self.namespaces[name] = Netns(f"{self.prefix}-{name}")
            self.taps[name] = open_tap(netns, "eth0", 1 if name == "mg" else QUEUES)
            for address in own:
                netns.ip("address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
            netns.ip("link", "set", "eth0", "up")
        # With software RSS, QEMU never wakes a tap queue whose packet found another queue's ring full: what a client has in
        # flight fits into the ring.
        self.namespaces["cl"].run("sysctl", "-qw", "net.ipv4.tcp_wmem=4096 65536 131072")
        self.lb = self.namespaces["mg"]  # where the API is spoken from

    # -- machine

    def _nic(self, name, slot, options):
        fds = self.taps[name]
        queues = f",mq=on,vectors={2 * len(fds) + 2}" if len(fds) > 1 else ""
        return ["-netdev", f"tap,id={name},vhost=off,{'fds' if queues else 'fd'}={':'.join(map(str, fds))}",
                "-device", f"virtio-net-pci,netdev={name},addr={slot},disable-legacy=on{queues}{options}"]

    def start(self, seconds=200):
        """Boots, and waits until the guest's API answers."""
        kernel = Kernel()
        image = self.folder / "initramfs"
        build_image(image, kernel, self.build / "mgmt/daemon/sluiced", ROOT / "docs/samples/eni-vm.conf")
        behind = ",iommu_platform=on" if self.iommu else ""
        driver = "vfio-pci intel_iommu=on" if self.iommu else "uio_pci_generic"
        command = ["setpriv", "--pdeathsig", "KILL",  # no machine without its test
                   "qemu-system-x86_64", "-machine", "q35,accel=tcg,kernel-irqchip=split", "-cpu", "max", "-smp", "3",
                   "-m", "2048", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-serial", f"file:{self.folder}/console", "-serial", "stdio",
                   "-monitor", f"unix:{self.folder}/monitor,server=on,wait=off",
                   "-kernel", kernel.image, "-initrd", image,
                   # On a host with too little time to give, the kernel would find its timer broken.
                   "-append", f"no_timer_check console=ttyS0 quiet panic=-1 hugepages=512 nic_driver={driver}",
                   *(["-device", "intel-iommu,intremap=on,caching-mode=on"] if self.iommu else []),
                   *self._nic("mg", 5, ""), *self._nic("cl", 6, behind + ",rss=on"), *self._nic("b1", 7, behind)]
        with open(self.folder / "qemu.log", "wb") as log:
            self.sluiced = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=log, pass_fds=sum(self.taps.values(), []),
                                            start_new_session=True)
        self._close_taps()
        os.set_blocking(self.sluiced.stdout.fileno(), False)
        wait_for(self._serving, seconds, "the guest's API")
        self.running = True
        self.admin_token = self.sh("cat /var/lib/sluice/admin.token")[1].split()[-1]
        return self

    def sh(self, command, seconds=90):
        """Runs a shell command in the guest: (exit status, what it wrote)."""
        mark = f"mark-{time.monotonic_ns()}"
        self.sluiced.stdin.write(f"{{ {command}\n}} </dev/null 2>&1; echo {mark} $?\n".encode())
        self.sluiced.stdin.flush()
        end = time.monotonic() + seconds
        found = None
        with selectors.DefaultSelector() as ready:
            ready.register(self.sluiced.stdout, selectors.EVENT_READ)
            while not (found := re.search(rb"(.*)" + mark.encode() + rb" (\d+)\r?\n", self.heard, re.S)):
                if time.monotonic() > end or self.sluiced.poll() is not None:
                    raise TimeoutError(f"{command!r} in the guest: no end within {seconds} s; so far {self.heard!r}")
                if ready.select(0.5):
                    self.heard += os.read(self.sluiced.stdout.fileno(), 65536)
        self.heard = self.heard[found.end():]
        return int(found[2]), found[1].decode(errors="replace").replace("\r\n", "\n")

    # -- the client

    def get(self, path, *args, vip=VIP4):
        """curl over HTTPS that verifies the certificate; an address stands for the name."""
        where = f"[{vip}]" if ":" in vip else vip
        return self.curl("--cacert", self.folder / "cert.pem", "--connect-to", f"{HOST}:443:{where}:443", *args,
                         f"https://{HOST}{path}", timeout=90)

    # -- the appliance in the machine

    def serve(self, edit="", seconds=120):
        """Starts it, with the sample configuration after a sed script, and waits until its API answers."""
        self._launch(edit)
        wait_for(lambda: self._ended() or self._serving(), seconds, "the appliance's start")
        if self._ended():
            raise RuntimeError(f"sluiced ended with status {self._ended()}")
        self.running = True

    def end(self, seconds=120):
        """Asks it to stop: (exit status, its log)."""
        self.running = False
        self.sh("kill -TERM $(pidof sluiced)")
        return self._result(seconds)

    def fail_to_serve(self, edit="", seconds=120):
        """(exit status, its log) of a start that must not come to serving."""
        self._launch(edit)
        return self._result(seconds)

    def _launch(self, edit):
        self.sh(f"rm -f /run/sluiced.status; serve '{edit}' >/dev/null 2>&1 &")

    def _ended(self):
        """Its exit status in digits, nothing while it runs."""
        return self.sh("cat /run/sluiced.status 2>/dev/null")[1].strip()

    def _result(self, seconds):
        return int(wait_for(self._ended, seconds, "the appliance's end")), self.sh("cat /run/sluiced.log")[1]

    def bind(self, address):
        """To the driver that DPDK goes over."""
        self.sh(f"bind-nic {'vfio-pci' if self.iommu else 'uio_pci_generic'} {address}")

    def monitor(self, command):
        """A command of QEMU's monitor."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.folder / "monitor"))
            for words in ("", command + "\n"):
                connection.sendall(words.encode())
                said = b""
                while not said.endswith(b"(qemu) "):
                    said += connection.recv(4096)

    def token(self):
        return self.admin_token

    def log_text(self):
        return "".join((self.folder / name).read_text(errors="replace") for name in ("qemu.log", "console")
                       if (self.folder / name).exists())

    def _close_taps(self):
        for fd in sum(self.taps.values(), []):
            os.close(fd)
        self.taps = {}

    def stop(self, seconds=5):
        """Ends the machine, whatever it does."""
        self._close_taps()
        if self.sluiced is not None:
            self.sluiced.kill()
            self.sluiced.wait()
        self.sluiced = None
