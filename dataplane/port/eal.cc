// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/eal.h"

#include <dirent.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <set>

namespace sluice::port {
namespace {

std::string join(const std::set<unsigned>& cores) {
  std::string out;
  for (const unsigned c : cores) out += (out.empty() ? "" : ",") + std::to_string(c);
  return out;
}

std::set<unsigned> allowed_cores() {
  std::set<unsigned> out;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return out;
  for (unsigned c = 0; c < CPU_SETSIZE; ++c) {
    if (CPU_ISSET(c, &set)) out.insert(c);
  }
  return out;
}

/// "--lcores" value: the caller on what the workers leave over (on everything where they leave nothing).
Result<std::string> lcore_map(const std::vector<unsigned>& workers) {
  const std::set<unsigned> allowed = allowed_cores();
  std::set<unsigned> rest = allowed;
  if (workers.empty()) return Error{"no worker cores are configured"};
  for (const unsigned c : workers) {
    if (!allowed.contains(c)) {
      return Error{"worker core " + std::to_string(c) + " does not exist here; this process may use cores " +
                   join(allowed)};
    }
    if (std::ranges::count(workers, c) != 1) {
      return Error{"worker core " + std::to_string(c) +
                   " is named twice; each worker needs a core of its own"};
    }
    rest.erase(c);
  }
  std::string map = "0@(" + join(rest.empty() ? allowed : rest) + ")";
  for (unsigned i = 0; i < workers.size(); ++i) {
    map += "," + std::to_string(lcore_of_worker(i)) + "@" + std::to_string(workers[i]);
  }
  return map;
}

/// Megabytes in free hugepages of all sizes.
std::size_t free_huge_mb() {
  std::size_t kilobytes = 0;
  DIR* dir = opendir("/sys/kernel/mm/hugepages");
  if (dir == nullptr) return 0;
  while (const dirent* e = readdir(dir)) {
    std::size_t page_kb = 0;
    if (std::sscanf(e->d_name, "hugepages-%zukB", &page_kb) != 1) continue;
    std::size_t pages = 0;
    std::ifstream(std::string("/sys/kernel/mm/hugepages/") + e->d_name + "/free_hugepages") >> pages;
    kilobytes += pages * page_kb;
  }
  closedir(dir);
  return kilobytes / 1024;
}

Status check_huge_pages(unsigned memory_mb) {
  const std::size_t have = free_huge_mb();
  if (have >= memory_mb) return Ok{};
  return Error{"memory: " + std::to_string(memory_mb) + " MB of hugepages are wanted and " +
               std::to_string(have) + " MB are free; reserve some (echo " +
               std::to_string(memory_mb / 2 + 64) +
               " > /proc/sys/vm/nr_hugepages), lower the memory size, or switch hugepages off"};
}

}  // namespace

Status start_eal(const EalConfig& config) {
  static std::atomic<bool> started{false};
  auto map = lcore_map(config.worker_cores);
  if (!map) return map.error();
  if (config.huge_pages) {
    if (Status s = check_huge_pages(config.memory_mb); !s) return s;
  }
  if (started.exchange(true)) return Error{"DPDK's EAL can be started once a process only"};

  std::vector<std::string> args{"sluice",
                                "--lcores=" + *map,
                                "--main-lcore=0",
                                "--no-telemetry",
                                "--log-level=warning",
                                "--log-level=pmd.net.memif:error",  // warns that it serves one process only
                                "-m",
                                std::to_string(config.memory_mb)};
  if (config.huge_pages) {
    args.insert(args.end(), {"--in-memory", "--file-prefix=" + config.file_prefix});
  } else {
    args.insert(args.end(), {"--no-huge", "--no-shconf"});  // 22.11 refuses --no-huge with --in-memory
  }
  if (config.pci_devices.empty()) args.push_back("--no-pci");
  for (const std::string& d : config.pci_devices) args.insert(args.end(), {"-a", d});
  args.insert(args.end(), config.extra_args.begin(), config.extra_args.end());

  std::vector<char*> argv;
  for (std::string& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  if (rte_eal_init(static_cast<int>(args.size()), argv.data()) < 0) {
    std::string line;
    for (const std::string& a : args) line += " " + a;
    return Error{"DPDK's EAL does not start (" + std::string(rte_strerror(rte_errno)) +
                 "), arguments:" + line};
  }
  return Ok{};
}

void stop_eal() {
  // What was probed and never became a Port. Closed later, by DPDK itself, it would be unmapped from the
  // IOMMU page by page, with a complaint about each.
  std::uint16_t id;
  RTE_ETH_FOREACH_DEV(id) rte_eth_dev_close(id);
  rte_eal_cleanup();
}

}  // namespace sluice::port
