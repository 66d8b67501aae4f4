// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice::pktgen {

/// Durations in buckets whose width grows with the value: exact below 128 ns, within 1/128 above, up to 2^40
/// ns (18 minutes); what is longer counts in the last bucket. Recording costs a few instructions and no
/// memory.
class Histogram {
 public:
  void record(Duration d) {
    const std::uint64_t ns = d.count() < 0 ? 0 : static_cast<std::uint64_t>(d.count());
    ++buckets_[index(ns)];
    ++count_;
    sum_ += ns;
    min_ = std::min(min_, ns);
    max_ = std::max(max_, ns);
  }

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }

  std::uint64_t count() const { return count_; }
  Duration max() const { return Duration(max_); }
  Duration min() const { return Duration(count_ == 0 ? 0 : min_); }
  Duration mean() const { return Duration(count_ == 0 ? 0 : sum_ / count_); }

  /// The smallest value that at least `percent` of all do not exceed, by the upper edge of its bucket; zero
  /// when nothing was recorded.
  Duration percentile(double percent) const {
    if (count_ == 0) return Duration::zero();
    const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
    const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen >= rank) return Duration(std::min(upper_edge(i), max_));
    }
    return max();
  }

 private:
  static constexpr unsigned kSubBits = 7;
  static constexpr unsigned kSub = 1u << kSubBits;
  static constexpr unsigned kMaxBits = 40;
  static constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) * std::size_t{kSub};

  /// Group 0 holds the values below kSub; group g those with g + kSubBits bits, in steps of 2^(g - 1).
  static std::size_t index(std::uint64_t ns) {
    if (ns < kSub) return ns;
    const auto group = static_cast<unsigned>(std::bit_width(ns)) - kSubBits;
    const std::size_t at = std::size_t{group} * kSub + ((ns >> (group - 1)) - kSub);
    return std::min(at, kBuckets - 1);
  }
  static std::uint64_t upper_edge(std::size_t i) {
    if (i < kSub) return i;
    const auto group = static_cast<unsigned>(i / kSub);
    return ((i % kSub + kSub + 1) << (group - 1)) - 1;
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0, sum_ = 0, min_ = UINT64_MAX, max_ = 0;
};

}  // namespace sluice::pktgen
