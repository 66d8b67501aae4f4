// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// Loss recovery. With SACK losses are found by RACK-TLP (rack.h, tlp.h); without, by duplicate ACKs (RFC
/// 5681, 3.2 and RFC 6582). What is lost goes out first (sender.cc), as much as the pipe (RFC 6675) leaves of
/// the window, which PRR (prr.h) brings down. Limited transmit (RFC 3042) needs no rule: what was SACKed has
/// left the pipe. The congestion window changes here and in undo.cc.

/// Starts with the first window (RFC 6928), once the segment size is known.
void start_congestion(Connection& c);
/// Something came back; snd_una has moved.
void on_acknowledgement(Connection& c, const AckNews& news, Instant now);
/// RACK's reordering timer ran out.
void on_reorder_timer(Connection& c, Instant now);
/// The retransmission timer ran out.
void on_timeout_loss(Connection& c, Instant now);

/// PRR brings the window down to ssthresh, after a loss or ECE.
bool comes_down(const Connection& c);
/// Bytes in the network.
std::uint32_t pipe(const Connection& c);
/// Bytes that may be added to it now.
std::uint32_t congestion_room(const Connection& c);

}  // namespace sluice::l4::tcp
