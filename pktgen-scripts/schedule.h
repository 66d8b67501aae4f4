// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice::pktgen {

/// When operations are meant to start in an open loop: a fixed rate from a fixed beginning, whatever the
/// answers do. One that finds no free connection starts late, and its latency counts from here all the same,
/// so that a stall shows in all the operations that it delayed (no coordinated omission).
class Schedule {
 public:
  Schedule() = default;
  Schedule(Instant begin, double per_second) : begin_(begin), interval_ns_(1e9 / per_second) {}

  /// When the next one is meant to start.
  Instant next() const {
    return begin_ + Duration(static_cast<std::int64_t>(interval_ns_ * static_cast<double>(taken_)));
  }
  bool due(Instant now) const { return next() <= now; }
  /// Takes it.
  Instant take() {
    const Instant at = next();
    ++taken_;
    return at;
  }
  /// How many are due and not taken.
  std::uint64_t behind(Instant now) const {
    if (now < begin_) return 0;
    const auto due =
        static_cast<std::uint64_t>(static_cast<double>((now - begin_).count()) / interval_ns_) + 1;
    return due > taken_ ? due - taken_ : 0;
  }

 private:
  Instant begin_{};
  double interval_ns_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace sluice::pktgen
