// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/acknowledge.h"

#include <algorithm>

#include "l4/tcp/close.h"
#include "l4/tcp/recovery.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

/// RFC 6298, 3 (Karn) and RFC 7323, 4: a segment sent once was timed, or the peer echoes when it was sent.
void take_rtt(Connection& c, const Segment& s, Instant now) {
  constexpr std::uint32_t kSaneMs = 300'000;
  const Duration timed = c.rtt.finish_timing(s.ack(), now);
  if (timed >= Duration::zero()) return c.rtt.sample(timed);
  const auto& t = s.header.options.timestamp;
  if (c.rtt.timing() || !c.timestamps.on || !t || t->echo == 0) return;
  const std::uint32_t ms = c.timestamps.clock(now) - t->echo;
  if (ms < kSaneMs) c.rtt.sample(std::chrono::milliseconds(std::max(ms, 1u)));
}

/// snd_una moves up to the segment's acknowledgement.
void advance_una(Connection& c, const Segment& s, Instant now) {
  const std::uint32_t flight_before = c.flight();
  const SeqNum fin_at = c.queue_end();
  const std::uint32_t bytes = distance(c.snd_una, s.ack());
  const bool fin_acked = c.fin_queued && !c.fin_acked && s.ack() > fin_at;
  take_rtt(c, s, now);
  c.queue.acknowledge(std::min<std::size_t>(bytes, c.queue.sent()));
  c.snd_una = s.ack();
  c.snd_nxt = max(c.snd_nxt, c.snd_una);
  c.progress_at = now;
  on_forward_ack(c, bytes, flight_before, now);
  restart_retransmit(c, now);
  if (fin_acked) c.fin_acked = true;
  if (c.send_blocked && c.queue.size() <= c.env.config.send_buffer / 2) {
    c.send_blocked = false;
    c.pending.writable = !c.fin_queued;
  }
}

/// RFC 5681, 2; with SACK RFC 6675, 2: what counts is news in the SACK blocks.
bool is_duplicate(const Connection& c, const Segment& s, bool sack_news) {
  if (c.flight() == 0 || c.deadlines.persist) return false;
  if (c.sack) return sack_news;
  return s.ack() == c.snd_una && s.length() == 0 &&
         static_cast<std::uint32_t>(s.header.window) << c.snd_wscale == c.snd_wnd;
}

}  // namespace

void process_acknowledgement(Connection& c, const Segment& s, Instant now) {
  if (s.ack() < c.snd_una) return;  // old: its window is old as well
  const bool sack_news = record_sacks(c, s);
  const bool forward = s.ack() > c.snd_una;
  const bool duplicate = !forward && is_duplicate(c, s, sack_news);
  if (forward) advance_una(c, s, now);
  update_send_window(c, s);
  if (duplicate) on_duplicate_ack(c, now);
  // A peer that answers probes lives and may keep its window shut (RFC 9293, 3.8.6.1); but once we have shut
  // down there is perhaps nobody left who would end that.
  if (c.deadlines.persist && !c.fin_queued) probe_answered(c, now);
  if (forward && c.fin_acked) on_fin_acknowledged(c, now);
}

}  // namespace sluice::l4::tcp
