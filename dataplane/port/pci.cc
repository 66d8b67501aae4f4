// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/pci.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

namespace sluice::port {
namespace {

/// Kernel drivers under which DPDK's own work. Those of mlx4 and mlx5 stay with the kernel's.
constexpr std::array<std::string_view, 5> kUsable{"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core",
                                                  "mlx5_core"};

bool is_hex(std::string_view s) {
  return std::ranges::all_of(s, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

}  // namespace

bool is_pci_address(std::string_view d) {
  // dddd:bb:dd.f or bb:dd.f
  if (d.size() == 12 && d[4] == ':' && is_hex(d.substr(0, 4))) d.remove_prefix(5);
  return d.size() == 7 && is_hex(d.substr(0, 2)) && d[2] == ':' && is_hex(d.substr(3, 2)) && d[5] == '.' &&
         d[6] >= '0' && d[6] <= '7';
}

std::string why_no_pci_port(const std::string& address, const std::string& sysfs) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const fs::path device = fs::path(sysfs) / "bus/pci/devices" / address;
  if (!fs::exists(device, failed))
    return "there is no PCI device at this address (lspci shows what is there)";
  const std::string driver = fs::read_symlink(device / "driver", failed).filename();
  const std::string bind = "bind it to vfio-pci (dpdk-devbind.py --bind=vfio-pci " + address + ")";
  if (driver.empty()) return "no driver has this PCI device; " + bind;
  if (std::ranges::find(kUsable, driver) == kUsable.end()) {
    return "the kernel's driver " + driver + " has this PCI device; " + bind;
  }
  return "DPDK cannot use this PCI device, although " + driver + " has it; DPDK's lines above say why: " +
         "another process holds it, /dev/vfio may not be opened, its IOMMU group has devices of other "
         "drivers, " +
         "without an IOMMU hugepages are needed, or DPDK has no driver for it";
}

}  // namespace sluice::port
