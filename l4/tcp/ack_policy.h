// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// When an ACK is owed (RFC 9293, 3.8.6.3; RFC 5681, 4.2). What is owed `now` leaves with the next output(),
/// which is once a loop, so that data of the user's answer carries it.

/// `bytes` arrived in order: every second segment at once, a single one after a while. What fills a gap, and what
/// is several segments by GRO or LRO: at once.
inline void owe_for_data(Connection& c, std::size_t bytes, bool filled_gap, Instant now) {
  if (++c.ack_debt.segments >= 2 || bytes > c.rcv_mss || filled_gap) {
    c.ack_debt.now = true;
  } else if (c.deadlines.ack == kNever) {
    c.deadlines.ack = now + c.env.config.delayed_ack;
  }
}

inline void owe_at_once(Connection& c) { c.ack_debt.now = true; }

}  // namespace sluice::l4::tcp
