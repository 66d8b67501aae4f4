// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "dataplane/base/clock.h"

namespace sluice::net {

/// Token bucket: `per_second` on average, as many at once.
class RateLimit {
 public:
  explicit RateLimit(unsigned per_second)
      : step_(Duration(std::chrono::seconds(1)) / per_second), depth_(std::chrono::seconds(1)) {}
  bool allow(Instant now) {
    // `full_` is when the bucket will be full again; each token moves it by one step.
    const Instant next = std::max(full_, now) + step_;
    if (next - now > depth_) return false;
    full_ = next;
    return true;
  }

 private:
  Duration step_, depth_;
  Instant full_{};
};

}  // namespace sluice::net
