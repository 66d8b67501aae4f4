// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/congestion_window.h"

namespace sluice::l4::tcp {

/// RFC 5681, 3.1, with appropriate byte counting (RFC 3465).
class NewReno {
 public:
  void on_ack(CongestionWindow& w, const AckEvent& e);
  std::uint32_t on_loss(const CongestionWindow& w, std::uint32_t flight);

  struct Memory {};  ///< Nothing that would be missed.
  Memory memory() const { return {}; }
  void restore(const Memory&) {}

 private:
  std::uint32_t acked_ = 0;  // towards the next increase in congestion avoidance
};

}  // namespace sluice::l4::tcp
