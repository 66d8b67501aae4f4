// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

/// When to ask. `random` is from 0 to 1, so that appliances which began together do not ask together. Times are Unix seconds.
namespace sluice::mgmt::ocsp {

inline constexpr std::int64_t kFirstRetry = 10, kLastRetry = 3600;  ///< Seconds.

/// After a good answer: at half of its life, or, where it came later than that, at half of what is left; up to a tenth of the
/// wait earlier.
constexpr std::int64_t refresh_at(std::int64_t this_update, std::int64_t next_update, std::int64_t now, double random) {
  const std::int64_t half = this_update + (next_update - this_update) / 2;
  const std::int64_t wait = half > now ? half - now : (next_update - now) / 2;
  return now + std::max(kFirstRetry, wait - static_cast<std::int64_t>(0.1 * random * static_cast<double>(wait)));
}

/// After so many failures in a row, from 1: 10 s, doubled up to an hour, up to a half of it less.
constexpr std::int64_t retry_after(unsigned failures, double random) {
  std::int64_t wait = kFirstRetry;
  for (unsigned i = 1; i < failures && wait < kLastRetry; ++i) wait *= 2;
  wait = std::min(wait, kLastRetry);
  return wait - static_cast<std::int64_t>(0.5 * random * static_cast<double>(wait));
}

}  // namespace sluice::mgmt::ocsp
