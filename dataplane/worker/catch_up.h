// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/clock.h"

namespace sluice {

/// After a time in which the machine did not let the worker run, timers wait until what has arrived meanwhile is read: an
/// answer that lies in the ring is not late. Of one worker, asked once a loop.
class CatchUp {
 public:
  static constexpr Duration kStall = std::chrono::milliseconds(20);  ///< Between two loops: far above any nap or burst.
  static constexpr Duration kLongest = std::chrono::milliseconds(20);  ///< Who sends on does not hold the timers.

  /// `more_waits`: a port gave as many frames as were asked for.
  bool timers_may_run(bool more_waits, Instant now) {
    if (now - last_ > kStall) until_ = now + kLongest;
    last_ = now;
    return !more_waits || now >= until_;
  }

 private:
  Instant last_{}, until_{};
};

}  // namespace sluice
