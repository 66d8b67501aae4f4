// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/congestion_window.h"
#include "l4/tcp/hystart.h"

namespace sluice::l4::tcp {

/// CUBIC (RFC 9438), with HyStart++ in the first slow start.
class Cubic {
 public:
  void on_ack(CongestionWindow& w, const AckEvent& e);
  std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight);

 private:
  void begin_epoch(const CongestionWindow& w, Instant now);

  // Windows in segments, times in seconds, as the RFC has them.
  float w_max_ = 0, k_ = 0, w_est_ = 0, cwnd_prior_ = 0;
  float fraction_ = 0;  // bytes that cwnd has yet to grow by
  Instant epoch_start_{}, last_ack_{};
  bool epoch_ = false;
  bool first_slow_start_ = true;
  HyStart hystart_;
};

}  // namespace sluice::l4::tcp
