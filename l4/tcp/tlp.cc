// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/tlp.h"

#include <algorithm>

#include "l4/tcp/connection.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/sender.h"

namespace sluice::l4::tcp {
namespace {

// 7.2: the peer may delay the ACK of a single segment by so much.
constexpr Duration kMaxAckDelay = std::chrono::milliseconds(200);
// Two round trips of a LAN are less than the wheel's ticks and the peer's scheduling.
constexpr Duration kSlack = std::chrono::milliseconds(2);

bool may_probe(const Connection& c) {
  return c.sack && c.synchronized() && !c.tlp.end && c.recovery.phase == Recovery::Phase::kOpen &&
         c.flight.in_flight() > 0 && c.flight.sacked() == 0 && c.flight.lost() == 0 && !c.deadlines.persist &&
         c.rtt.backoff() == 0;
}

}  // namespace

void tlp_schedule(Connection& c, Instant now) {
  if (!may_probe(c)) {
    c.deadlines.probe = kNever;
    return;
  }
  if (!std::exchange(c.tlp.restart, false)) return;
  Duration pto = std::chrono::seconds(1);
  if (c.rtt.has_sample()) {
    pto = 2 * c.rtt.srtt() + kSlack;
    if (c.flight.in_flight() <= c.congestion.mss) pto += kMaxAckDelay;
  }
  c.deadlines.probe = std::min(now + pto, c.deadlines.retransmit);
}

void tlp_send_probe(Connection& c, Instant now) {
  if (!may_probe(c)) return;
  SentSegment* last = c.flight.last();
  // New data if there is some (its ACK is then as good), else the last segment once more.
  const SeqNum before = c.snd_nxt;
  c.tlp.again = send_new(c, UINT32_MAX, segment_size(c), now) != SendResult::kSent;
  if (c.tlp.again) {
    const std::uint32_t n = std::min(last->size(), segment_size(c));
    if (!resend(c, *last, last->end - n, last->end, now)) return;
  }
  c.env.stats.tail_probes.add();
  c.tlp.end = c.snd_nxt;
  if (c.snd_nxt > before) c.tlp.again = false;
  c.deadlines.retransmit = kNever;  // 7.3: the timeout counts from now; output() starts it
}

bool tlp_detects_loss(Connection& c, const AckNews& news) {
  Tlp& t = c.tlp;
  if (!t.end || c.snd_una < *t.end) return false;
  bool over = !t.again;
  bool lost = false;
  if (t.again && news.duplicate && news.duplicate->end == *t.end) {
    over = true;  // both arrived
  } else if (t.again && c.snd_una > *t.end) {
    over = lost = true;
  } else if (t.again && news.acked == 0 && !news.sack_option) {
    over = true;
  }
  if (over) t.end.reset();
  return lost;
}

}  // namespace sluice::l4::tcp
