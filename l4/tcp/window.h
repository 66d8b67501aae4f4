// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// The receive window (RFC 9293, 3.8.6; RFC 7323, 2).
///
/// What the user holds is charged against rcv_buffer; what waits for reassembly lies within the window
/// already. A buffer counts at least kLeastCharge bytes, however little of it is used: a peer that sends tiny
/// segments closes its own window instead of pinning 2 KB with each byte.
inline constexpr std::uint32_t kLeastCharge = 512;

/// Smallest shift with which all of the buffer can be advertised.
std::uint8_t window_shift(const Config& config);

/// Bytes that the peer may send beyond rcv_nxt, as last advertised.
inline std::uint32_t receive_window(const Connection& c) { return distance(c.rcv_nxt, c.rcv_adv); }

/// The window field of the next segment; advances rcv_adv. Not for SYN, whose field is never scaled.
std::uint16_t advertise_window(Connection& c);

/// The user gets these bytes.
void charge_delivered(Connection& c, const BufChain& data);
/// The user has done with `n` of them. May owe the peer a window update (RFC 9293, 3.8.6.2.2: silly windows
/// are not offered).
void credit_consumed(Connection& c, std::size_t n);
/// Whether delivered data holds so much memory that more is refused although it lies within the window.
bool overcharged(const Connection& c);

/// Once a round trip: twice the buffer when half of it came through and the user kept up, so that the window
/// is not what limits a long path.
void grow_receive_buffer(Connection& c, Instant now);

/// After a pause the path is not known any more: the first bounds again. What was promised to the peer stays
/// promised; a user whose data is above the bound hears when there is room.
void shrink_receive_buffer(Connection& c);
void shrink_send_buffer(Connection& c);

/// RFC 9293, 3.10.7.4, fifth step: SND.WND from a segment that is newer than the last one that set it.
void update_send_window(Connection& c, const Segment& s);

}  // namespace sluice::l4::tcp
