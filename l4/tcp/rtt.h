// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/clock.h"
#include "l4/tcp/seq_num.h"

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

  /// Karn: one segment that was sent once is timed at a time.
  void start_timing(SeqNum end, Instant now);
  void stop_timing() { timing_ = false; }
  bool timing() const { return timing_; }
  /// The time since the timed segment was sent, when `ack` covers it; negative otherwise.
  Duration finish_timing(SeqNum ack, Instant now);

 private:
  Duration srtt_{0}, rttvar_{0};
  Instant timed_at_{};
  SeqNum timed_end_;
  bool timing_ = false;
  std::uint8_t backoff_ = 0;
};

}  // namespace sluice::l4::tcp
