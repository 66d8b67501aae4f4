// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

/// The congestion window of a connection, bytes (RFC 5681, 2).
struct CongestionWindow {
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = UINT32_MAX;
  std::uint32_t mss = 536;  ///< SMSS: payload of a full segment.
};

/// What an algorithm is told of an acknowledgement.
struct AckEvent {
  std::uint32_t bytes = 0;  ///< Acknowledged.
  std::uint32_t limit = 8;  ///< Segments by which slow start may grow (L of RFC 3465 and RFC 9406).
  Duration rtt{-1};         ///< Of the newest segment that was sent once; negative: none.
  Duration srtt{0};
  SeqNum una, nxt;  ///< After the acknowledgement.
  Instant now{};
};

}  // namespace sluice::l4::tcp
