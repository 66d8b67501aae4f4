// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

struct Connection;
struct Segment;

/// Codepoints of the IP header's ECN field (RFC 3168, 5).
inline constexpr std::uint8_t kEcnMask = 0x03, kNotEct = 0x00, kEct0 = 0x02, kCe = 0x03;

/// Explicit congestion notification of one connection (RFC 3168).
struct Ecn {
  bool on = true;        ///< Offered; after the handshake: both sides have it.
  bool echo = false;     ///< CE has arrived: ECE on every segment until the peer's CWR.
  bool cwr_due = false;  ///< The window came down: CWR on the next new data.
  bool marks = true;     ///< New data is ECT(0).
  bool proven = false;   ///< Such data has arrived.
  bool reduced = false;  ///< The peer's ECE brought the window down, not yet acknowledged beyond `point`.
  bool coming_down = false;  ///< That, by PRR: what was in flight then is not acknowledged yet.
  SeqNum point;          ///< What was sent when the window last came down, for a loss or for ECE.
};

/// Flags of our SYN, or SYN,ACK (6.1.1). A SYN that had to be sent again asks no more: perhaps it was the
/// flags that did not pass (6.1.1.1).
std::uint8_t ecn_syn_flags(Connection& c);
/// The peer's SYN or SYN,ACK.
void ecn_take_syn(Connection& c, const Segment& s);
/// An acceptable segment (6.1.3): CE of its text, and CWR.
void ecn_segment_arrives(Connection& c, const Segment& s);
/// An acknowledgement with ECE (6.1.2): ssthresh comes down as after a loss, once for each window.
/// `flight`: FlightSize before it. False: it has come down already.
bool ecn_congestion_reported(Connection& c, std::uint32_t flight);
/// Ends PRR once what was in flight is acknowledged, or something else takes over.
void ecn_end_reduction(Connection& c);
/// New data: its CWR, if due, and the codepoint of its packet.
std::uint8_t ecn_flags_of_new_data(Connection& c);
inline std::uint8_t ecn_codepoint(const Ecn& e) { return e.on && e.marks ? kEct0 : kNotEct; }

}  // namespace sluice::l4::tcp
