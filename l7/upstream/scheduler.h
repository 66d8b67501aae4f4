// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "l7/runtime_tables.h"
#include "l7/snapshot.h"

namespace sluice::l7::upstream {

/// Which member of a server group gets the next request. One Picker for each GroupSlot and worker, kept over
/// snapshots: it knows members by their BackendSlot, so a rule update that leaves the members as they are
/// does not restart the rotation, and members that come or go leave the others' turn as it was. Touched by
/// its worker only. Allocates only when the members of the group have changed.
class Picker {
 public:
  /// Up to this many members, least connections looks at all of them; above, at two drawn by lot, which costs
  /// the same for any number and does not send every worker to the same member at once.
  static constexpr std::size_t kExactScan = 16;

  /// `seed` should differ between workers (hash of process seed, worker and slot), or all begin with the same
  /// member.
  explicit Picker(std::uint64_t seed = 0) : random_(seed) {}

  /// Index into `group.members`, by `group.scheduler`. Members with weight 0, that are down, or whose slot is
  /// in `tried` never come out. None left: nullopt (the caller answers 503, or 502 when something was tried).
  std::optional<std::uint32_t> pick(const ServerGroup& group, const BackendTable& backends,
                                    std::span<const BackendSlot> tried = {});

 private:
  /// A member's turn in smooth weighted round robin.
  struct Turn {
    BackendSlot slot;
    std::int64_t current = 0;
  };

  void adopt(std::span<const Member> members);
  std::uint64_t next_random();
  std::optional<std::uint32_t> two_choices(const ServerGroup& group, const BackendTable& backends,
                                           std::span<const BackendSlot> tried);

  std::uint64_t random_;
  std::vector<Turn> turns_;  ///< In the order of the group's members.
};

/// The group of a ForwardAction for one request, in proportion to the weights; `random` is any uniform
/// number. Groups with weight 0 never; null when there is no other.
const WeightedGroup* pick_group(std::span<const WeightedGroup> groups, std::uint64_t random);

}  // namespace sluice::l7::upstream
