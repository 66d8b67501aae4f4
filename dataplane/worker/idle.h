// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "dataplane/base/clock.h"
#include "dataplane/worker/runtime.h"

namespace sluice {

/// How long a worker sleeps after a loop: not at all while there was work lately; then longer and longer. A
/// packet that arrives meanwhile waits for kLongest at most.
class IdleGovernor {
 public:
  static constexpr unsigned kEmptyLoops = 300;  ///< Before the first sleep.
  static constexpr Duration kFirst = std::chrono::microseconds(10);
  static constexpr Duration kLongest = std::chrono::microseconds(250);

  explicit IdleGovernor(IdlePolicy policy) : policy_(policy) {}

  /// Zero: do not sleep. `deadline`: the next timer's.
  Duration after_loop(bool worked, Instant now, Instant deadline) {
    if (policy_ == IdlePolicy::kBusy) return Duration::zero();
    if (worked) {
      empty_ = 0;
      step_ = kFirst;
      return Duration::zero();
    }
    if (++empty_ < kEmptyLoops) return Duration::zero();
    const Duration room = deadline == kNever ? kLongest : std::max(deadline - now, Duration::zero());
    const Duration sleep = std::min(step_, room);
    step_ = std::min(step_ * 2, kLongest);
    return sleep;
  }

 private:
  IdlePolicy policy_;
  unsigned empty_ = 0;
  Duration step_ = kFirst;
};

}  // namespace sluice
