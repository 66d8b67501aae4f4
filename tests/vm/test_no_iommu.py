# SPDX-License-Identifier: Apache-2.0
"""Without an IOMMU, as on most clouds: uio_pci_generic (Debian's kernels have no no-IOMMU mode of vfio), physical addresses."""
import pytest

from tests.vm.conftest import check_bodies_both_ways
from tests.vm.vm_lab import VIP4, VIP6

IOMMU = False


@pytest.mark.parametrize("vip,path", [(VIP4, "/"), (VIP6, "/v6")])
def test_https_with_a_verified_certificate_is_answered_by_the_backend(vm, vip, path):
    assert vm.get(path, vip=vip).startswith(f"backend=b1 host=shop.test uri={path} proto=https for=")


def test_big_bodies_arrive_byte_for_byte_both_ways(vm):
    check_bodies_both_ways(vm, VIP4)


def test_a_start_without_hugepages_is_refused_with_the_reason(stopped):
    status, log = stopped.fail_to_serve('s/huge_pages = "on"; memory_mb = 1024/huge_pages = "off"; memory_mb = 128/')
    assert status == 1
    assert "port eni1" in log and "without an IOMMU hugepages are needed" in log
