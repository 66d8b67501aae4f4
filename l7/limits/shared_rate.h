// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice::l7::limits {

/// A token bucket of all workers: `per_second` (1 to 10^9) tokens a second, and as many at once. Lock-free. It is one
/// point in time, at which the bucket will be full again (GCRA, ITU-T I.371). Workers take tokens in batches, which
/// touches what is shared once in a batch. README.md says how exact that is.
class SharedRate {
 public:
  /// Tokens that one worker has fetched and not used. Its own.
  struct Hand {
    std::uint32_t tokens = 0;
  };

  bool take(Hand& hand, std::uint32_t per_second, std::uint32_t workers, Instant now) {
    return take(hand, per_second, workers, now, kDepth);
  }
  /// For what was let begin by has(): may overdraw by another second's worth.
  bool take_overdrawn(Hand& hand, std::uint32_t per_second, std::uint32_t workers, Instant now) {
    return take(hand, per_second, workers, now, 2 * kDepth);
  }
  /// Whether take() would find one. Takes none.
  bool has(const Hand& hand, std::uint32_t per_second, Instant now) const;
  /// Full. Nobody takes meanwhile.
  void reset() { full_at_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr Duration kDepth = std::chrono::seconds(1);
  bool take(Hand& hand, std::uint32_t per_second, std::uint32_t workers, Instant now, Duration depth);

  std::atomic<std::int64_t> full_at_{0};  ///< ns on the workers' clock.
};

}  // namespace sluice::l7::limits
