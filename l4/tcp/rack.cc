// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/rack.h"

#include "l4/tcp/connection.h"

namespace sluice::l4::tcp {
namespace {

constexpr std::uint8_t kWindowPersist = 16;
constexpr std::uint8_t kMaxWindowMult = 250;
constexpr std::uint16_t kDupThresh = 3;

/// RACK_sent_after().
bool sent_after(Instant t1, SeqNum end1, Instant t2, SeqNum end2) {
  return t1 > t2 || (t1 == t2 && end1 > end2);
}

/// As many segments as RFC 6675, IsLost() wants: discontiguous ranges, or bytes.
bool dup_thresh_sacked(const Connection& c) {
  return c.flight.sacked_ranges() >= kDupThresh || c.flight.sacked() > (kDupThresh - 1) * c.congestion.mss;
}

/// RACK_update_reo_wnd(), its result.
Duration reordering_window(const Connection& c) {
  const Rack& r = c.rack;
  if (!r.reordering_seen && (c.recovery.phase != Recovery::Phase::kOpen || dup_thresh_sacked(c))) {
    return Duration::zero();
  }
  return std::min(r.reo_wnd_mult * r.min_rtt.get() / 4, c.rtt.srtt());
}

}  // namespace

void rack_delivered(Connection& c, const SentSegment& s, const Segment& ack, Instant now) {
  Rack& r = c.rack;
  if (!r.valid) r.fack = s.begin;
  if (s.end > r.fack) {
    r.fack = s.end;
  } else if (s.end < r.fack && !s.again) {
    r.reordering_seen = true;
  }
  const Duration rtt = now - s.sent_at;
  if (s.again) {
    // The ACK may be of an earlier transmission: it echoes an older timestamp, or comes too soon.
    const auto& t = ack.header.options.timestamp;
    if (c.timestamps.on && t && t->echo != 0 &&
        static_cast<std::int32_t>(t->echo - c.timestamps.clock(s.sent_at)) < 0)
      return;
    if (rtt < r.min_rtt.get()) return;
  } else {
    r.min_rtt.sample(rtt, now);
  }
  if (r.valid && !sent_after(s.sent_at, s.end, r.sent_at, r.end)) return;
  r.valid = true;
  r.rtt = rtt;
  r.sent_at = s.sent_at;
  r.end = s.end;
}

void rack_adapt_window(Connection& c, bool duplicate, bool recovered) {
  Rack& r = c.rack;
  if (r.dsack_round && c.snd_una >= *r.dsack_round) r.dsack_round.reset();
  if (!r.dsack_round && duplicate) {
    r.dsack_round = c.snd_nxt;
    r.reo_wnd_mult = std::min<std::uint8_t>(r.reo_wnd_mult + 1, kMaxWindowMult);
    r.reo_wnd_persist = kWindowPersist;
  } else if (recovered && r.reo_wnd_persist > 0 && --r.reo_wnd_persist == 0) {
    r.reo_wnd_mult = 1;
  }
}

std::uint32_t rack_detect_losses(Connection& c, Instant now) {
  const Rack& r = c.rack;
  c.deadlines.reorder = kNever;
  if (!r.valid) return 0;
  const std::uint32_t before = c.flight.lost();
  const Duration wait = r.rtt + reordering_window(c);
  for (SentSegment* s = c.flight.first_sent(); s != nullptr;) {
    if (!sent_after(r.sent_at, r.end, s->sent_at, s->end)) break;  // nor are those that were sent later
    SentSegment* next = Flight::next_sent(*s);
    if (s->sent_at + wait <= now) {
      c.flight.mark_lost(*s);
    } else {
      c.deadlines.reorder = s->sent_at + wait;  // the last one's: one look for all of them
    }
    s = next;
  }
  return c.flight.lost() - before;
}

void rack_mark_losses_on_timeout(Connection& c, Instant now) {
  if (SentSegment* head = c.flight.first()) c.flight.mark_lost(*head);
  const Duration wait = c.rack.rtt + reordering_window(c);
  for (SentSegment* s = c.flight.first_sent(); s != nullptr && s->sent_at + wait <= now;) {
    SentSegment* next = Flight::next_sent(*s);
    c.flight.mark_lost(*s);
    s = next;
  }
}

}  // namespace sluice::l4::tcp
