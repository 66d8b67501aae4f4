// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/buf.h"
#include "dataplane/base/drop.h"
#include "dataplane/base/object_pool.h"
#include "dataplane/net/packet.h"
#include "dataplane/net/rate_limit.h"
#include "l4/tcp/congestion.h"
#include "l4/tcp/flight.h"
#include "l4/tcp/reassembly.h"
#include "l4/tcp/secrets.h"
#include "l4/tcp/stack.h"

namespace sluice::l4::tcp {

/// Where segments go. The stack batches them; a test records them.
class SegmentOut {
 public:
  virtual ~SegmentOut() = default;
  virtual void put(net::OutPacket packet) = 0;
};

/// What the connections of one worker share. The core has no other way to the outside.
struct Env {
  Env(const Config& c, BufPool& b, DropCounters& d, SegmentOut& o)
      : config(c), buffers(b), drops(d), out(o), secrets(c.secret[0], c.secret[1]), resets(c.max_resets) {}

  /// Whether most packet buffers, which the workers share, are free: only then may a connection keep more
  /// than the first bounds of Config allow.
  bool plenty_of_buffers(Instant now) { return free_buffers(now) > at_start_ / 2; }
  /// Whether so few are left that those who hold them to no purpose must go.
  bool scarce_buffers(Instant now) { return free_buffers(now) < at_start_ / 16; }

  const Config config;
  BufPool& buffers;
  DropCounters& drops;
  SegmentOut& out;
  Stats stats;
  Secrets secrets;
  net::RateLimit resets;  ///< For segments of no connection: no flood of those makes us a source of another.
  // Room for connections at work. Where the first ends, out-of-order data is not kept; where the second does,
  // segments of a connection share a record.
  Reassembly::Pool blocks{1u << 18};
  Flight::Pool flight{1u << 20};
  CongestionControl::Pool congestion{config.congestion};

 private:
  /// Counting is not cheap: once a millisecond.
  unsigned free_buffers(Instant now) {
    if (now >= next_count_) {
      free_ = buffers.available();
      next_count_ = now + std::chrono::milliseconds(1);
    }
    return free_;
  }

  const unsigned at_start_ = buffers.available();  ///< Free ones: all but those that the ports wait with.
  Instant next_count_{Instant::min()};
  unsigned free_ = at_start_;
};

}  // namespace sluice::l4::tcp
