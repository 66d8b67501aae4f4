// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/pacing.h"

#include <algorithm>

#include "dataplane/base/timer_wheel.h"
#include "l4/tcp/connection.h"
#include "l4/tcp/recovery.h"

namespace sluice::l4::tcp {
namespace {

constexpr Duration kLeastRtt = 4 * TimerWheel::kTick;
/// With what a train of segments begins. In its course a timer that fires late makes up for all that it
/// missed, up to a quarter of a round trip: a worker that was kept from its core must not lose rate.
constexpr Duration kCredit = 2 * TimerWheel::kTick;

/// Bytes a smoothed round trip.
std::uint64_t rate(const Connection& c) {
  const CongestionWindow& w = c.congestion;
  std::uint64_t window = std::max(w.cwnd, c.flight.in_flight());
  // PRR leaves the window where the pipe is; what it comes down to is ssthresh.
  if (comes_down(c)) window = std::max<std::uint64_t>(window, w.ssthresh);
  return w.cwnd < w.ssthresh ? 2 * window : window + window / 4;
}

/// When the train that leaves now was due.
Instant due(const Connection& c, Instant now) {
  const bool idle = now - c.pacer.next > std::max(kCredit, c.rtt.srtt() / 4);
  return idle ? now - kCredit : c.pacer.next;
}

}  // namespace

bool paced(const Connection& c, std::uint32_t in_network) {
  return c.rtt.srtt() >= kLeastRtt && in_network >= initial_window(c.congestion.mss) && c.env.config.pacing;
}

bool pacing_waits(Connection& c, Instant now) {
  if (c.pacer.next <= now) return false;
  const std::uint32_t in_network = pipe(c);
  if (!paced(c, in_network)) return false;
  // With half of the window out it is the window, not the user, that bounds the rate: it may grow. So it may where half
  // was out a moment ago: ACKs that come faster than the pace leave the flight low until this has caught up.
  if (2 * std::max(in_network, c.pacer.flight) >= c.congestion.cwnd) c.window_limited = true;
  c.deadlines.resume = c.pacer.next;
  return true;
}

std::uint32_t pacing_burst(const Connection& c, Instant now) {
  const std::uint32_t in_network = pipe(c), mss = c.congestion.mss, first = initial_window(mss);
  if (!c.env.config.pacing || c.rtt.srtt() < kLeastRtt) return UINT32_MAX;
  if (in_network < first) return std::max(first - in_network, mss);
  const auto earned = static_cast<std::uint64_t>(std::max((now - due(c, now)).count(), Duration::rep{0}));
  const std::uint64_t bytes = earned * rate(c) / static_cast<std::uint64_t>(c.rtt.srtt().count());
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes + mss, UINT32_MAX));
}

void pacing_sent(Connection& c, std::uint32_t n, Instant now) {
  if (!paced(c, pipe(c))) return;
  const auto takes = static_cast<std::uint64_t>(c.rtt.srtt().count()) * n / rate(c);
  c.pacer.next = due(c, now) + Duration(static_cast<std::int64_t>(takes));
}

void pacing_notes_flight(Connection& c) {
  const std::uint32_t flight = c.outstanding();
  if (flight < c.pacer.flight && c.snd_una < c.pacer.flight_until) return;
  c.pacer.flight = flight;
  c.pacer.flight_until = c.snd_nxt;
}

}  // namespace sluice::l4::tcp
