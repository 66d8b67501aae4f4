// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "l4/tcp/congestion_window.h"

namespace sluice::l4::tcp {

/// HyStart++ (RFC 9406): leaves slow start when the round trip begins to grow, by way of a slower phase (CSS)
/// that is taken back when the growth was a whim.
class HyStart {
 public:
  /// One ACK of slow start: grows cwnd, and sets ssthresh when slow start is over.
  void on_ack(CongestionWindow& w, const AckEvent& e);

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  void end_round(CongestionWindow& w, const AckEvent& e);

  // Microseconds.
  std::uint32_t last_round_min_ = kNone, round_min_ = kNone, css_baseline_ = kNone;
  SeqNum window_end_;
  std::uint8_t samples_ = 0;
  std::uint8_t css_rounds_ = 0;
  bool css_ = false, started_ = false;
};

}  // namespace sluice::l4::tcp
