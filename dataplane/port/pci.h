// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace sluice::port {

/// "0000:00:05.0", or without the domain.
bool is_pci_address(std::string_view device);

/// Why DPDK has no port at this address (with domain), and what to do: as the kernel shows the device in
/// `sysfs`.
std::string why_no_pci_port(const std::string& address, const std::string& sysfs = "/sys");

}  // namespace sluice::port
