// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/rcu.h"

#include <rte_rcu_qsbr.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <thread>

namespace sluice {

void Rcu::Free::operator()(rte_rcu_qsbr* q) const { std::free(q); }

Rcu::Rcu(std::size_t workers) {
  const auto threads = static_cast<std::uint32_t>(workers == 0 ? 1 : workers);
  const std::size_t size = RTE_ALIGN(rte_rcu_qsbr_get_memsize(threads), RTE_CACHE_LINE_SIZE);
  void* memory = std::aligned_alloc(RTE_CACHE_LINE_SIZE, size);
  if (memory == nullptr) throw std::bad_alloc();
  qsbr_.reset(static_cast<rte_rcu_qsbr*>(memory));
  rte_rcu_qsbr_init(qsbr_.get(), threads);
  // Registered but not online: synchronize() does not wait for a worker that has not come up.
  for (std::uint32_t i = 0; i < threads; ++i) rte_rcu_qsbr_thread_register(qsbr_.get(), i);
}

Rcu::~Rcu() = default;

void Rcu::online(WorkerId w) { rte_rcu_qsbr_thread_online(qsbr_.get(), w.value); }
void Rcu::offline(WorkerId w) { rte_rcu_qsbr_thread_offline(qsbr_.get(), w.value); }
void Rcu::quiescent(WorkerId w) { rte_rcu_qsbr_quiescent(qsbr_.get(), w.value); }

void Rcu::synchronize() {
  const std::uint64_t token = rte_rcu_qsbr_start(qsbr_.get());
  // Sleeps instead of rte_rcu_qsbr_synchronize()'s spinning: management may share a core with a worker that
  // it waits for.
  while (rte_rcu_qsbr_check(qsbr_.get(), token, false) == 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

}  // namespace sluice
