// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Sends whatever may be sent now: SYN, retransmissions of a recovery, new data and FIN as far as both
/// windows allow, and an ACK when one is owed and nothing else carried it. Sets the timers that follow from
/// that.
void output(Connection& c, Instant now);

/// Whether the peer keeps what waits from leaving, by a window that holds less than a segment: sockstress, or
/// a reader that has gone. Never answered, it would hold connection and data for ever.
inline bool stalled(const Connection& c) { return c.stalled_at != kNever; }

/// Payload of a full segment with the options of the moment.
std::uint32_t segment_size(const Connection& c);
enum class SendResult : std::uint8_t { kSent, kNothingToSend, kPeerWindow, kCongestion, kPaced, kNoBuffer };
/// Sends at most one segment from snd_nxt on, of up to `mss` bytes, if the peer's window and `room` allow;
/// what stood in the way otherwise.
SendResult send_new(Connection& c, std::uint32_t room, std::uint32_t mss, Instant now);
/// Sends [from, to) of a segment again. False: no buffer.
bool resend(Connection& c, SentSegment& s, SeqNum from, SeqNum to, Instant now);

}  // namespace sluice::l4::tcp
