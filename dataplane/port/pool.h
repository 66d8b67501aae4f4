// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mempool.h>

#include <cstdint>
#include <memory>

namespace sluice::port {

/// Buffers that each thread of the EAL keeps for itself (RTE_MEMPOOL_CACHE_MAX_SIZE).
inline constexpr unsigned kPoolCache = 512;

struct PoolFree {
  void operator()(rte_mempool* p) const { rte_mempool_free(p); }
};
using Pool = std::unique_ptr<rte_mempool, PoolFree>;

/// `count` packet buffers with `room` bytes each, headroom included. `dense`: no device reads them by physical address, so
/// they may lie across pages. Otherwise DPDK puts none over a page's border, which with 4 KB pages wastes half the memory; and
/// AF_XDP, which registers the pool as its UMEM, takes for granted that there are no gaps. Null, with rte_errno: no memory.
Pool make_pool(const char* name, unsigned count, std::uint16_t room, bool dense);

}  // namespace sluice::port
