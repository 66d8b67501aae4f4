// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "dataplane/base/clock.h"
#include "l4/tcp/flight.h"

namespace sluice::l4::tcp {

struct Connection;
struct Segment;

/// The smallest round trip of the last one to two `kSpan`s.
class MinRtt {
 public:
  static constexpr Duration kSpan = std::chrono::seconds(60);
  void sample(Duration rtt, Instant now) {
    if (now - since_ >= kSpan) {
      before_ = now - since_ < 2 * kSpan ? recent_ : Duration::max();
      recent_ = Duration::max();
      since_ = now;
    }
    recent_ = std::min(recent_, rtt);
  }
  /// Zero: no sample yet.
  Duration get() const {
    const Duration least = std::min(recent_, before_);
    return least == Duration::max() ? Duration::zero() : least;
  }

 private:
  Duration recent_ = Duration::max(), before_ = Duration::max();
  Instant since_{};
};

/// RACK (RFC 8985): a segment is lost when one that was sent sufficiently later has been delivered.
struct Rack {
  Instant sent_at{};  ///< RACK.xmit_ts: of the delivered segment that was sent last.
  Duration rtt{0};
  MinRtt min_rtt;
  SeqNum end;   ///< RACK.end_seq: its end.
  SeqNum fack;  ///< RACK.fack: the highest delivered.
  bool valid = false;
  bool reordering_seen = false;
  std::uint8_t reo_wnd_mult = 1;
  std::uint8_t reo_wnd_persist = 16;
  std::optional<SeqNum> dsack_round;
};

/// Steps 1 to 3 of section 6.2, for each segment that `ack` newly delivers, before it leaves the flight.
void rack_delivered(Connection& c, const SentSegment& s, const Segment& ack, Instant now);
/// Step 4, once an ACK: `duplicate`, the ACK had a D-SACK block; `recovered`, it ended a recovery.
void rack_adapt_window(Connection& c, bool duplicate, bool recovered);
/// Step 5: marks what is lost, arms the reordering timer for what may be. Returns the bytes newly lost.
std::uint32_t rack_detect_losses(Connection& c, Instant now);
/// Section 6.3, on a retransmission timeout: what must be lost by now.
void rack_mark_losses_on_timeout(Connection& c, Instant now);

}  // namespace sluice::l4::tcp
