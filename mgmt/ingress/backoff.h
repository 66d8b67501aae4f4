// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace sluice::mgmt::ingress {

/// Waits that double from `first` to `longest`, each between half and the whole, so that many clients do not
/// come back together.
class Backoff {
 public:
  using Milliseconds = std::chrono::milliseconds;
  Backoff(Milliseconds first, Milliseconds longest) : first_(first), longest_(longest), next_(first) {}

  Milliseconds next() {
    const auto whole = next_;
    next_ = std::min(longest_, next_ * 2);
    return Milliseconds(
        std::uniform_int_distribution<Milliseconds::rep>(whole.count() / 2, whole.count())(random_));
  }
  void reset() { next_ = first_; }

 private:
  Milliseconds first_, longest_, next_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace sluice::mgmt::ingress
