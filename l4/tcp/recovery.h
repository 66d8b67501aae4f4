// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"
#include "l4/tcp/sender.h"

namespace sluice::l4::tcp {

/// Loss recovery: RFC 6675 when both sides have SACK, RFC 6582 (NewReno) otherwise, limited transmit (RFC
/// 3042) before it. The congestion window changes here and nowhere else.

/// Starts with the first window (RFC 6928), once the segment size is known.
void start_congestion(Connection& c);
/// Takes in the SACK blocks of a segment. True: they said something new.
bool record_sacks(Connection& c, const Segment& s);
/// `bytes` of sequence space were acknowledged; snd_una has moved.
void on_forward_ack(Connection& c, std::uint32_t bytes, std::uint32_t flight_before, Instant now);
/// RFC 5681, 2 (or, with SACK, RFC 6675, 2): one more duplicate ACK.
void on_duplicate_ack(Connection& c, Instant now);
/// The retransmission timer ran out.
void on_timeout_loss(Connection& c, Instant now);

/// Bytes that may be added to the network now.
std::uint32_t congestion_room(const Connection& c);
/// RFC 6675, 5, step C: what NextSeg() says, while the pipe has room. kSent: send_forward() may go on.
SendResult send_in_recovery(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
