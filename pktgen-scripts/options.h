// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/ip.h"

namespace sluice::pktgen {

/// The command line. What a shape has too is empty unless given, and then wins.
struct Options {
  std::string shape;
  std::string shapes_folder;
  bool list = false;

  std::string clients, backends;  ///< Device strings of DPDK.
  unsigned core = 0;
  Endpoint target;
  std::vector<IpPrefix> client_addresses;  ///< Of the port.
  std::vector<IpPrefix> backend_addresses;
  IpPrefix client_net;  ///< More source addresses are drawn from here.
  std::uint16_t backend_port = 80;
  std::optional<MacAddr> target_mac;  ///< Packets only; else ARP finds it.

  std::optional<std::uint64_t> rate;
  std::optional<std::uint32_t> connections;
  double seconds = 5, warmup = 1;

  bool find_rate = false;     ///< Look for the highest rate that holds.
  double late_ms = 10;        ///< It holds while p99 is below this,
  double late_share = 0.001;  ///< and at most this share of what was due has not started at the end.

  std::string appliance, token_file;  ///< URL of the API; empty: not asked.
  std::string json;                   ///< "-": standard output instead of the table.

  bool huge_pages = true;
  unsigned memory_mb = 512;
  std::vector<std::string> eal;
  std::uint16_t mtu = 1500;
  bool share_core = false;
};

}  // namespace sluice::pktgen
