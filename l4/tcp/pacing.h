// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/clock.h"
#include "l4/tcp/seq_num.h"

namespace sluice::l4::tcp {

struct Connection;

/// Spreads a window over the round trip instead of sending it as a burst that a queue on the path must take:
/// at twice the window a round trip in slow start, 1.25 times later. A flight no larger than the first window
/// (RFC 6928) goes out as it is, so that small responses pay nothing; nor is there pacing without a measured
/// round trip, or with one so short that the timing wheel could not part it.
struct Pacer {
  Instant next{};            ///< When what was sent is through at that rate.
  std::uint32_t flight = 0;  ///< The largest FlightSize since about a round trip,
  SeqNum flight_until;       ///< which counts until this is acknowledged.
};

/// Whether the connection is one that is paced, now that `in_network` bytes are in flight.
bool paced(const Connection& c, std::uint32_t in_network);
/// Whether more has to wait, until c.deadlines.resume.
bool pacing_waits(Connection& c, Instant now);
/// Bytes that may leave together now; no less than a segment.
std::uint32_t pacing_burst(const Connection& c, Instant now);

/// `n` bytes went out.
void pacing_sent(Connection& c, std::uint32_t n, Instant now);
/// All went out that may, for now.
void pacing_notes_flight(Connection& c);

}  // namespace sluice::l4::tcp
