// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_cycles.h>

#include "dataplane/base/clock.h"

namespace sluice {

/// The time stamp counter as an Instant. All workers share one origin, so that their times can be compared.
class TscClock {
 public:
  TscClock()
      : origin_(rte_rdtsc()),
        hz_(rte_get_tsc_hz()),
        scale_(static_cast<std::uint64_t>((Wide{1'000'000'000} << 32) / hz_)) {}
  static std::uint64_t cycles() { return rte_rdtsc(); }
  Instant at(std::uint64_t cycles) const {
    const Wide scaled = Wide{cycles - origin_} * scale_;
    return Instant(kEpoch + Duration(static_cast<std::int64_t>(scaled >> 32)));
  }
  Instant now() const { return at(cycles()); }
  std::uint64_t hz() const { return hz_; }

 private:
  __extension__ using Wide = unsigned __int128;
  /// Not zero, so that an Instant that nobody has set is in the past.
  static constexpr Duration kEpoch = std::chrono::hours(1);
  std::uint64_t origin_, hz_;
  std::uint64_t scale_;  // nanoseconds a cycle, times 2^32: a division a loop would be felt
};

}  // namespace sluice
