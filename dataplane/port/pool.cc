// SPDX-License-Identifier: Apache-2.0
#include "dataplane/port/pool.h"

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

namespace sluice::port {
namespace {

/// What is given back last is given out first: a worker's buffers stay in its caches, where a ring would lead it through
/// all of the memory. The lock of "stack" is taken for each half of a worker's own cache (hundreds of buffers), not for each.
const char* pool_operations() {
  if (const char* chosen = rte_mbuf_user_mempool_ops()) return chosen;  // --mbuf-pool-ops-name
  if (const char* hardware = rte_mbuf_platform_mempool_ops()) return hardware;
  return "stack";
}

}  // namespace

Pool make_pool(const char* name, unsigned count, std::uint16_t room, bool dense) {
  Pool pool(rte_mempool_create_empty(name, count, sizeof(rte_mbuf) + room, kPoolCache,
                                     sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
                                     dense ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0));
  if (!pool) return nullptr;
  rte_pktmbuf_pool_private sizes{};
  sizes.mbuf_data_room_size = room;
  if (rte_mempool_set_ops_byname(pool.get(), pool_operations(), nullptr) != 0 &&
      rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr) != 0)  // DPDK without its plugin "stack"
    return nullptr;
  rte_pktmbuf_pool_init(pool.get(), &sizes);
  const int populated = rte_mempool_populate_default(pool.get());
  if (populated < 0) {
    rte_errno = -populated;
    return nullptr;
  }
  rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
  return pool;
}

}  // namespace sluice::port
