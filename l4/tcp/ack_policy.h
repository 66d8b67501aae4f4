// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// When an ACK is owed (RFC 9293, 3.8.6.3; RFC 5681, 4.2). What is owed `now` leaves with the next output(),
/// which is once a loop, so that data of the user's answer carries it.

/// In a row that follow a loss: as many as Linux takes.
constexpr std::uint8_t kQuickAcks = 16;

/// Something was lost, or arrived twice: the peer's window has become small, perhaps a single segment, whose ACK it
/// would wait for until the delay ends. So the next segments are acknowledged one by one.
inline void begin_quick_acks(Connection& c) { c.quick_acks = kQuickAcks; }

/// Data of ours answers what arrives, and carries the ACKs.
inline void end_quick_acks(Connection& c) { c.quick_acks = 0; }

/// `bytes` arrived in order: every second segment at once, a single one after a while. What fills a gap, what comes
/// soon after a loss, and what is several segments by GRO or LRO: at once.
inline void owe_for_data(Connection& c, std::size_t bytes, bool filled_gap, Instant now) {
  if (filled_gap) begin_quick_acks(c);
  const bool quick = c.quick_acks > 0;
  if (quick) --c.quick_acks;
  if (++c.ack_debt.segments >= 2 || bytes > c.rcv_mss || quick) {
    c.ack_debt.now = true;
  } else if (c.deadlines.ack == kNever) {
    c.deadlines.ack = now + c.env.config.delayed_ack;
  }
}

inline void owe_at_once(Connection& c) { c.ack_debt.now = true; }

}  // namespace sluice::l4::tcp
