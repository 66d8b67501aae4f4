// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/undo.h"

#include <algorithm>

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {
namespace {

/// RFC 3522, 3.2, step 5: the first acceptable ACK is of the original transmission.
bool by_timestamp(const Connection& c, const AckNews& news) {
  const Undo& u = c.undo;
  if (!c.timestamps.on || !u.any_again || news.acked == 0 || news.echo == 0) return false;
  return static_cast<std::int32_t>(news.echo - u.first_again) < 0;
}

/// RFC 3708: all that was sent again arrived twice.
bool by_duplicates(Connection& c, const AckNews& news) {
  Undo& u = c.undo;
  if (!u.any_again || !news.duplicate) return false;
  u.unproven -= std::min(u.unproven, distance(news.duplicate->begin, news.duplicate->end));
  return u.unproven == 0;
}

/// RFC 5682, 2.1 and 3.1: the first ACK after the timeout lets two new segments out (2b); if the second
/// acknowledges what was never sent again, the originals are arriving (3b).
bool by_frto(Connection& c, const AckNews& news) {
  Undo& u = c.undo;
  const bool more = news.acked > 0 && c.snd_una < c.recovery.point;
  if (u.frto == Undo::Frto::kNone) return false;
  if (news.acked == 0 && news.delivered == 0 && !news.duplicate_ack) return false;
  switch (u.frto) {
    case Undo::Frto::kNone:
      return false;
    case Undo::Frto::kHeadSent:
      if (!more || c.queue.unsent() == 0) {
        c.congestion.cwnd = c.congestion.mss;
        break;
      }
      u.frto = Undo::Frto::kNewDataSent;
      c.congestion.cwnd = c.flight.in_flight() + 2 * c.congestion.mss;
      return false;
    case Undo::Frto::kNewDataSent:
      if (news.acked > 0 && news.original) return true;
      c.congestion.cwnd = 3 * c.congestion.mss;
      break;
  }
  // A genuine loss: go on as after any timeout.
  u.frto = Undo::Frto::kNone;
  c.flight.mark_all_lost(false);
  return false;
}

}  // namespace

void undo_arm(Connection& c) {
  Undo& u = c.undo;
  u.armed = true;
  u.over = false;
  u.frto = Undo::Frto::kNone;
  u.cwnd = c.congestion.cwnd;
  u.ssthresh = c.congestion.ssthresh;
  c.congestion_control.remember();
  u.unproven = 0;
  u.any_again = false;
}

void undo_sent_again(Connection& c, std::uint32_t bytes, Instant now) {
  Undo& u = c.undo;
  if (!u.armed) return;
  if (!u.any_again) u.first_again = c.timestamps.clock(now);
  u.any_again = true;
  u.unproven += bytes;
}

bool undo_proven(Connection& c, const AckNews& news) {
  Undo& u = c.undo;
  if (u.over && c.snd_una > u.until) u.armed = false;
  if (!u.armed) return false;
  const bool frto = by_frto(c, news), duplicates = by_duplicates(c, news);
  if (by_timestamp(c, news) || frto || duplicates) return true;
  return false;
}

void undo_now(Connection& c) {
  Undo& u = c.undo;
  c.congestion.cwnd = std::max(c.congestion.cwnd, u.cwnd);
  c.congestion.ssthresh = std::max(c.congestion.ssthresh, u.ssthresh);
  c.congestion_control.restore();
  u.armed = false;
  u.frto = Undo::Frto::kNone;
  c.ecn.cwr_due = false;
  c.flight.revive_lost();
  c.rtt.reset_back_off();
  c.env.stats.spurious_recoveries.add();
}

void frto_begin(Connection& c) {
  if (c.undo.armed && !c.timestamps.on) c.undo.frto = Undo::Frto::kHeadSent;
}

}  // namespace sluice::l4::tcp
