// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"

namespace sluice::l4::tcp {

/// The retransmission timeout of one connection, RFC 6298.
class RttEstimator {
 public:
  /// RFC 6298, 2.1: before the first sample.
  static constexpr Duration kInitialRto = std::chrono::seconds(1);

  void sample(Duration rtt);
  /// RFC 6298, 5.5: doubles until the next sample.
  void back_off() { backoff_ += backoff_ < 16; }
  void reset_back_off() { backoff_ = 0; }
  unsigned backoff() const { return backoff_; }
  Duration rto(Duration least, Duration most) const;
  Duration srtt() const { return srtt_; }
  bool has_sample() const { return srtt_ != Duration::zero(); }

  /// RFC 6298, 5.7: a SYN was lost and nothing has been measured.
  void assume_three_seconds() {
    three_seconds_ = true;
    backoff_ = 0;
  }

 private:
  Duration srtt_{0}, rttvar_{0};
  std::uint8_t backoff_ = 0;
  bool three_seconds_ = false;
};

}  // namespace sluice::l4::tcp
