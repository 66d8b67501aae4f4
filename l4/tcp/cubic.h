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

  /// What a loss changes. Windows in segments, times in seconds, as the RFC has them.
  struct Memory {
    Instant epoch_start{}, last_ack{};
    float w_max = 0, k = 0, w_est = 0, cwnd_prior = 0;
    float fraction = 0;  ///< Bytes that cwnd has yet to grow by.
    bool epoch = false;
    bool first_slow_start = true;
  };
  Memory memory() const { return m_; }
  void restore(const Memory& m) { m_ = m; }

 private:
  void begin_epoch(const CongestionWindow& w, Instant now);

  Memory m_;
  HyStart hystart_;
};

}  // namespace sluice::l4::tcp
