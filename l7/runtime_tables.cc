// SPDX-License-Identifier: Apache-2.0
#include "l7/runtime_tables.h"

#include <new>

namespace sluice::l7 {

BackendTable::BackendTable(std::uint32_t workers)
    : workers_(workers),
      health_(std::make_unique<std::atomic<Health>[]>(kCapacity)),
      rows_(std::make_unique<std::unique_ptr<PerWorker[]>[]>(workers)) {
  for (std::uint32_t i = 0; i < kCapacity; ++i) health_[i].store(Health::kUnknown, std::memory_order_relaxed);
  for (std::uint32_t w = 0; w < workers; ++w) rows_[w] = std::make_unique<PerWorker[]>(kCapacity);
}

std::uint64_t BackendTable::active(BackendSlot s) const {
  std::uint64_t sum = 0;
  for (std::uint32_t w = 0; w < workers_; ++w) sum += rows_[w][s.value].active.get();
  return sum;
}

void BackendTable::reset(BackendSlot s) {
  health_[s.value].store(Health::kUnknown, std::memory_order_relaxed);
  for (std::uint32_t w = 0; w < workers_; ++w) {
    // A tunnel or a long download that began under the old snapshot still counts in `active` and will take
    // itself off: only what nobody writes any more starts at zero again.
    PerWorker& row = rows_[w][s.value];
    row.requests.sub(row.requests.get());
    row.connections.sub(row.connections.get());
    row.connect_failures.sub(row.connect_failures.get());
    row.failures.sub(row.failures.get());
  }
}

}  // namespace sluice::l7
