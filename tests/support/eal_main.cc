// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "tests/support/eal.h"

namespace sluice::test {
namespace {

rte_mempool* make_pool(const char* name, unsigned count, std::uint16_t room) {
  rte_mempool* p = rte_pktmbuf_pool_create(name, count, 0, 0, room, SOCKET_ID_ANY);
  if (p == nullptr) {
    std::fprintf(stderr, "mempool %s: %s\n", name, rte_strerror(rte_errno));
    std::abort();
  }
  return p;
}

std::optional<BufPool> g_pool;  // NOLINT: one a test process
rte_mempool* g_data = nullptr;  // NOLINT
rte_mempool* g_refs = nullptr;  // NOLINT

}  // namespace

void start_eal(const char* program) {
  if (g_pool) return;
  std::string args[] = {program,       "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m", "128",
                        "--lcores=0",  "--log-level=error"};
  char* argv[std::size(args) + 1] = {};
  for (std::size_t i = 0; i < std::size(args); ++i) argv[i] = args[i].data();
  if (rte_eal_init(static_cast<int>(std::size(args)), argv) < 0) {
    std::fprintf(stderr, "EAL: %s\n", rte_strerror(rte_errno));
    std::abort();
  }
  g_data = make_pool("data", 8191, RTE_MBUF_DEFAULT_BUF_SIZE);
  g_refs = make_pool("refs", 16383, 0);
  g_pool.emplace(g_data, g_refs);
}

BufPool& buffers() { return *g_pool; }

std::size_t free_buffers() { return rte_mempool_avail_count(g_data) + rte_mempool_avail_count(g_refs); }

Buf buf_of(std::string_view text) {
  Buf b = buffers().alloc();
  std::memcpy(b.append(text.size()), text.data(), text.size());
  return b;
}

BufChain chain_of(std::string_view text, std::size_t segment) {
  BufChain out;
  for (; !text.empty(); text.remove_prefix(std::min(segment, text.size()))) {
    out.push_back(buf_of(text.substr(0, segment)));
  }
  return out;
}

}  // namespace sluice::test

// Weak, so that a fuzz target brings its own entry.
__attribute__((weak)) int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  sluice::test::start_eal(argv[0]);
  return RUN_ALL_TESTS();
}
