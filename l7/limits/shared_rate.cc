// SPDX-License-Identifier: Apache-2.0
#include "l7/limits/shared_rate.h"

#include <algorithm>

namespace sluice::l7::limits {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kMaxBatch = 1024;

/// Tokens that are in the bucket. No overflow: two seconds of 10^9 are 2 * 10^18.
std::int64_t tokens(std::int64_t full_at, std::int64_t now, Duration depth, std::uint32_t per_second) {
  const std::int64_t room = now + depth.count() - std::max(full_at, now);
  return room <= 0 ? 0 : room * per_second / kSecond;
}

}  // namespace

bool SharedRate::take(Hand& hand, std::uint32_t per_second, std::uint32_t workers, Instant now, Duration depth) {
  if (hand.tokens > 0) {
    --hand.tokens;
    return true;
  }
  const std::int64_t batch = std::clamp(per_second / (128 * workers), 1u, kMaxBatch);
  const std::int64_t t = now.time_since_epoch().count();
  std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t n = std::min(batch, tokens(full_at, t, depth, per_second));
    if (n == 0) return false;
    const std::int64_t next = std::max(full_at, t) + n * kSecond / per_second;
    if (full_at_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) {
      hand.tokens = static_cast<std::uint32_t>(n - 1);
      return true;
    }
  }
}

bool SharedRate::has(const Hand& hand, std::uint32_t per_second, Instant now) const {
  return hand.tokens > 0 || tokens(full_at_.load(std::memory_order_relaxed), now.time_since_epoch().count(),
                                   kDepth, per_second) > 0;
}

}  // namespace sluice::l7::limits
