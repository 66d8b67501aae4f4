// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "dataplane/net/packet.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

struct Connection;
struct SentSegment;

/// The way back up after segments had to become smaller (RFC 4821): now and then one larger segment of new
/// data, with others behind it. Its loss alone is no sign of congestion.
struct PathMtu {
  std::uint16_t ceiling = 0;  ///< MSS before it came down; 0: it never did.
  std::uint16_t refused = 0;  ///< An MSS that did not pass since; 0: none.
  std::uint16_t probing = 0;  ///< That of the probe in flight; 0: none.
  SeqNum probe;               ///< Where that begins.
  Instant probe_at = kNever;  ///< The next may go.
};

/// ICMP errors about a connection. RFC 5927: anybody can send one, so the quoted sequence number must be in
/// flight. Too big (RFC 1191, RFC 8201): smaller segments, within bounds, and what is in flight goes out
/// again. Unreachable: ends a connection only while it is being opened (5927, 6); later it is a hint, and
/// retransmission decides.
void icmp_error_arrives(Connection& c, const net::IcmpError& e, Instant now);

/// A retransmission timeout: where large segments vanish without a word (RFC 2923, 2.1), the second one for
/// the same data goes on with segments that pass everywhere.
void suspect_black_hole(Connection& c, Instant now);

/// Now that one is due: payload of a segment that is a probe, if `left` bytes and `room` in the congestion window
/// allow; else `usual`.
std::uint32_t mtu_probe_size(Connection& c, std::uint32_t usual, std::uint32_t left, std::uint32_t room,
                             Instant now);
/// The probe has left, from `begin` on with `size` bytes.
void mtu_probe_sent(Connection& c, SeqNum begin, std::uint32_t size, Instant now);
/// This segment was acknowledged: perhaps the probe.
void mtu_probe_delivered(Connection& c, const SentSegment& s, Instant now);
/// Whether nothing but the probe is lost.
bool mtu_probe_alone_is_lost(const Connection& c);

}  // namespace sluice::l4::tcp
