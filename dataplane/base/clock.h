// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

using Duration = std::chrono::nanoseconds;

/// The worker's monotonic clock. It has no `now()` on purpose: the worker reads the TSC once a loop and
/// hands the time down as an argument, so that every core below can be run under a manual clock.
struct WorkerClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<WorkerClock>;
  static constexpr bool is_steady = true;
};

/// A point on the worker's clock, nanoseconds since an arbitrary start.
using Instant = WorkerClock::time_point;

/// "No deadline".
inline constexpr Instant kNever = Instant::max();

}  // namespace sluice
