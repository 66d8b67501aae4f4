// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>

namespace sluice {

/// A small number that names one kind of thing only. `Tag` keeps a worker from being used as a backend.
template <class Tag>
struct Id {
  std::uint32_t value = 0;
  friend auto operator<=>(Id, Id) = default;
};

using WorkerId = Id<struct WorkerTag>;
/// DPDK port, in the order of the configuration file.
using PortId = Id<struct PortTag>;
/// Stable slot of one backend (address and port in a group) in the runtime tables. Survives rule updates.
using BackendSlot = Id<struct BackendTag>;
/// Stable slot of one server group. Index into Snapshot::groups.
using GroupSlot = Id<struct GroupTag>;

inline constexpr std::uint32_t kMaxWorkers = 64;

}  // namespace sluice
