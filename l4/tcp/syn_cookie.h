// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

/// SYN cookies (RFC 4987, 3.6): a SYN,ACK for which nothing is remembered. Its sequence number holds the time
/// and the MSS under a keyed hash; the low bits of its timestamp hold the window scale, SACK and ECN, so that
/// a client with timestamps loses nothing. One without keeps only its MSS.

/// For how long an answer may come: two to three of the cookie's time steps.
inline constexpr Duration kCookieLife = std::chrono::seconds(2 * 64);

/// Answers a SYN. False: no buffer.
bool send_syn_cookie(Env& env, const FlowKey& flow, const Segment& syn, std::uint16_t mtu, Instant now);
/// The SYN that a segment's acknowledgement proves to have been answered so; its ISS was ACK - 1. Empty: it
/// was not.
std::optional<Segment> check_syn_cookie(const Env& env, const FlowKey& flow, const Segment& ack, Instant now);

}  // namespace sluice::l4::tcp
