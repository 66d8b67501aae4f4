// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Sends whatever may be sent now: SYN, retransmissions of a recovery, new data and FIN as far as both
/// windows allow, and an ACK when one is owed and nothing else carried it. Sets the timers that follow from
/// that.
void output(Connection& c, Instant now);

/// Sends bytes [seq, seq + n) again. False: no buffer.
bool retransmit_range(Connection& c, SeqNum seq, std::uint32_t n, Instant now);
/// Sends at most one segment from snd_nxt; what stood in the way otherwise.
enum class SendResult : std::uint8_t { kSent, kNothingToSend, kPeerWindow, kCongestion, kNoBuffer };
SendResult send_one(Connection& c, std::uint32_t congestion_room, Instant now);

}  // namespace sluice::l4::tcp
