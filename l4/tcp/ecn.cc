// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/ecn.h"

#include <algorithm>
#include <utility>

#include "l4/tcp/ack_policy.h"
#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {

std::uint8_t ecn_syn_flags(Connection& c) {
  if (c.state == State::kSynReceived) return c.ecn.on ? kEce : 0;
  if (c.rtt.backoff() > 0) c.ecn.on = false;
  return c.ecn.on ? kEce | kCwr : 0;
}

void ecn_take_syn(Connection& c, const Segment& s) {
  // A SYN,ACK with both comes from a host that reflects what it does not know.
  c.ecn.on = c.ecn.on && s.header.has(kEce) && s.header.has(kCwr) != s.has_ack();
}

void ecn_segment_arrives(Connection& c, const Segment& s) {
  if (!c.ecn.on) return;
  if (s.header.has(kCwr)) c.ecn.echo = false;
  if (!s.ce || s.payload.empty()) return;
  c.env.stats.ecn_marks_in.add();
  if (!std::exchange(c.ecn.echo, true)) owe_at_once(c);  // the sooner the peer knows, the better
}

bool ecn_congestion_reported(Connection& c, std::uint32_t flight) {
  // For that window it has come down already.
  if (c.snd_una <= c.ecn.point || c.recovery.phase != Recovery::Phase::kOpen) return false;
  c.env.stats.ecn_reductions.add();
  CongestionWindow& w = c.congestion;
  w.ssthresh = c.congestion_control.on_loss(w, c.window_limited ? w.cwnd : flight);
  c.undo.armed = false;
  c.ecn.reduced = true;
  c.ecn.point = c.snd_nxt;
  c.ecn.cwr_due = true;
  return true;
}

void ecn_end_reduction(Connection& c) {
  if (std::exchange(c.ecn.coming_down, false)) c.congestion.cwnd = c.congestion.ssthresh;
}

std::uint8_t ecn_flags_of_new_data(Connection& c) {
  return std::exchange(c.ecn.cwr_due, false) && c.ecn.on ? kCwr : 0;
}

}  // namespace sluice::l4::tcp
