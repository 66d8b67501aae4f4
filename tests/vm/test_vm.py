# SPDX-License-Identifier: Apache-2.0
"""sluiced in a virtual machine, on virtio-net PCI devices behind a vIOMMU: what it is on a cloud's ENIs."""
import pytest

from tests.vm.vm_lab import VIP4, VIP6

URL = "https://shop.test"


def get(vm, path, *args, vip=VIP4):
    """curl that verifies the certificate; an address stands for the name."""
    where = f"[{vip}]" if ":" in vip else vip
    return vm.curl("--cacert", vm.folder / "cert.pem", "--connect-to", f"shop.test:443:{where}:443", *args, URL + path,
                   timeout=30)


@pytest.mark.parametrize("vip,path", [(VIP4, "/"), (VIP4, "/v6"), (VIP6, "/"), (VIP6, "/v6")])
def test_https_with_a_verified_certificate_is_answered_by_the_backend(vm, vip, path):
    answer = get(vm, path, vip=vip)
    assert answer.startswith(f"backend=b1 host=shop.test uri={path} proto=https for=")
