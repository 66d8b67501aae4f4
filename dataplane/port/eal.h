// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace sluice::port {

struct EalConfig {
  std::vector<std::string> pci_devices;  ///< These and no others are probed.
  std::vector<unsigned> worker_cores;    ///< Lcore i + 1 runs on worker_cores[i]; lcore 0 is the caller.
  bool huge_pages = true;
  unsigned memory_mb = 512;
  std::string file_prefix;
  std::vector<std::string> extra_args;
};

/// DPDK's environment. It can be started once a process, also when the first start failed; the caller's
/// thread becomes its main thread and is moved off the workers' cores, as are the threads that it makes
/// later.
Status start_eal(const EalConfig& config);
void stop_eal();

inline constexpr unsigned lcore_of_worker(unsigned worker) { return worker + 1; }

}  // namespace sluice::port
