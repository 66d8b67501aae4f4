// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/newreno.h"

#include <algorithm>

namespace sluice::l4::tcp {

void NewReno::on_ack(CongestionWindow& w, const AckEvent& e) {
  if (w.cwnd < w.ssthresh) {  // slow start
    w.cwnd += std::min(e.bytes, e.limit * w.mss);
    return;
  }
  acked_ += e.bytes;
  if (acked_ >= w.cwnd) {  // congestion avoidance: one segment a window
    acked_ -= w.cwnd;
    w.cwnd += w.mss;
  }
}

std::uint32_t NewReno::on_loss(const CongestionWindow& w, std::uint32_t flight) {
  acked_ = 0;
  return std::max(flight / 2, 2 * w.mss);  // RFC 5681, equation 4
}

}  // namespace sluice::l4::tcp
