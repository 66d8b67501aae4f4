// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "dataplane/base/counter.h"
#include "dataplane/base/ids.h"
#include "l7/limits/shared_rate.h"

namespace sluice::l7 {

/// Slot of a load balancer or a listener in the table of meters. Survives rule updates.
using MeterSlot = Id<struct MeterTag>;

namespace limits {

/// Which limit refused something.
enum class Refusal : std::uint8_t { kMaxConnections, kConnectionRate, kSourceRate, kHandshakeRate, kRequestRate };
inline constexpr std::size_t kRefusals = 5;
/// "max_connections", as it is called in metrics.
std::string_view to_string(Refusal r);

/// How much is let in. 0: as much as comes.
struct Limits {
  std::uint32_t max_connections = 0;
  std::uint32_t connections_per_second = 0;
  std::uint32_t connections_per_second_per_source = 0;
  std::uint32_t handshakes_per_second = 0;
  std::uint32_t requests_per_second = 0;
  friend bool operator==(const Limits&, const Limits&) = default;
};

/// What is counted of load balancers and listeners, beside the snapshot so that a rule change resets nothing. Slots are
/// given out by management (compile), which reuses one only after the grace period, when active() is 0, and after reset().
class MeterTable {
 public:
  static constexpr std::uint32_t kCapacity = 65536;

  /// What one worker did. The second cache line is written with each request, the first with each connection.
  struct alignas(64) PerWorker {
    Counter active;  ///< Gauge: connections open.
    Counter connections;
    std::array<Counter, kRefusals> refused;
    SharedRate::Hand connection_tokens;
    alignas(64) Counter requests;
    SharedRate::Hand request_tokens, handshake_tokens;
  };
  /// What all workers take from.
  struct alignas(64) Rates {
    SharedRate connections, handshakes;
    alignas(64) SharedRate requests;
  };

  /// Slot 0 is ready for use; others after their reset().
  explicit MeterTable(std::uint32_t workers);

  PerWorker& at(MeterSlot s, WorkerId w) { return rows_[w.value][s.value / kChunk][s.value % kChunk]; }
  const PerWorker& at(MeterSlot s, WorkerId w) const { return rows_[w.value][s.value / kChunk][s.value % kChunk]; }
  Rates& rates(MeterSlot s) { return rates_[s.value / kChunk][s.value % kChunk]; }
  /// Connections open over all workers; a sum of relaxed reads.
  std::uint64_t active(MeterSlot s) const;
  std::uint32_t workers() const { return static_cast<std::uint32_t>(rows_.size()); }

  /// Makes the slot ready for a new owner. Management, while no snapshot names it.
  void reset(MeterSlot s);

 private:
  static constexpr std::uint32_t kChunk = 256;  ///< Memory comes in chunks, as slots are used.
  template <class T>
  using Chunks = std::vector<std::unique_ptr<T[]>>;

  std::vector<Chunks<PerWorker>> rows_;  // By worker.
  Chunks<Rates> rates_;
};

}  // namespace limits
}  // namespace sluice::l7
