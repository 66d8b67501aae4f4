// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/base/counter.h"
#include "dataplane/base/ids.h"

namespace sluice::l7 {

/// Runtime state of backends, beside the snapshot so that a rule change resets nothing. Slots are given out by
/// management (compile), which reuses one only after the grace period and after reset().
class BackendTable {
 public:
  static constexpr std::uint32_t kCapacity = 65536;

  enum class Health : std::uint8_t {
    kUnknown,  ///< Not probed yet, or no health check: may be used.
    kUp,
    kDown,
  };

  /// What one worker did with one backend.
  struct PerWorker {
    Counter active;        ///< Gauge: requests in flight.
    Counter requests;
    Counter connections;   ///< Opened.
    Counter connect_failures;
    Counter failures;      ///< Requests that ended in 502 or 504 by this backend's doing.
  };

  explicit BackendTable(std::uint32_t workers);

  Health health(BackendSlot s) const { return health_[s.value].load(std::memory_order_relaxed); }
  bool usable(BackendSlot s) const { return health(s) != Health::kDown; }
  /// Writer: the worker that probes the slot (slot % workers).
  void set_health(BackendSlot s, Health h) { health_[s.value].store(h, std::memory_order_relaxed); }

  PerWorker& at(BackendSlot s, WorkerId w) { return rows_[w.value][s.value]; }
  const PerWorker& at(BackendSlot s, WorkerId w) const { return rows_[w.value][s.value]; }
  /// Requests in flight over all workers; a sum of relaxed reads.
  std::uint64_t active(BackendSlot s) const;
  /// Management, while no snapshot names the slot.
  void reset(BackendSlot s);
  std::uint32_t workers() const { return workers_; }

 private:
  std::uint32_t workers_;
  std::unique_ptr<std::atomic<Health>[]> health_;
  std::unique_ptr<std::unique_ptr<PerWorker[]>[]> rows_;
};

}  // namespace sluice::l7
