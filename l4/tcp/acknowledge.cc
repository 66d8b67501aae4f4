// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/acknowledge.h"

#include <algorithm>

#include "l4/tcp/close.h"
#include "l4/tcp/recovery.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

/// RFC 2883, 4: the first block reports a duplicate when it lies below the ACK or within the second block.
std::optional<SackBlock> duplicate_report(const Segment& s) {
  const auto blocks = s.header.options.sacks();
  if (blocks.empty() || blocks[0].begin >= blocks[0].end) return std::nullopt;
  const SackBlock& b = blocks[0];
  const bool below = b.end <= s.ack();
  const bool within = blocks.size() > 1 && b.begin >= blocks[1].begin && b.end <= blocks[1].end;
  if (!below && !within) return std::nullopt;
  return b;
}

/// What the ACK and the SACK blocks say of the segments in flight. snd_una has not moved yet.
AckNews read_news(Connection& c, const Segment& s, Instant now) {
  AckNews news;
  news.acked = distance(c.snd_una, s.ack());
  news.in_flight_before = c.flight.in_flight();
  const auto& t = s.header.options.timestamp;
  if (c.timestamps.on && t) news.echo = t->echo;

  Instant newest{};
  const auto delivered = [&](const SentSegment& seg) {
    if (c.sack) rack_delivered(c, seg, s, now);
    mtu_probe_delivered(c, seg, now);
    if (seg.again) return;
    news.original = true;
    news.oldest_rtt = std::max(news.oldest_rtt, now - seg.sent_at);
    newest = std::max(newest, seg.sent_at);
    news.newest_rtt = now - newest;
  };
  news.delivered = c.flight.acknowledge(s.ack(), delivered);
  const Duration acked_rtt = news.oldest_rtt;
  if (c.sack) {
    news.sack_option = s.header.options.sack_count > 0;
    news.duplicate = duplicate_report(s);
    // A lie about what we have not sent in our memory is none of ours to count.
    if (news.duplicate &&
        (news.duplicate->end > c.snd_nxt || news.duplicate->begin < s.ack() - c.max_snd_wnd)) {
      news.duplicate.reset();
    }
    for (const SackBlock& b : s.header.options.sacks()) {
      // RFC 6675, 3; what lies below is a report of duplicates, what lies above is a lie.
      if (b.begin >= b.end || b.begin <= s.ack() || b.end > c.snd_nxt) continue;
      const std::uint32_t fresh = c.flight.sack(b, delivered);
      news.delivered += fresh;
      news.sack_news |= fresh > 0;
    }
  }
  news.oldest_rtt = acked_rtt;
  return news;
}

/// RFC 6298, 3 (Karn) and RFC 7323, 4: of a segment that was sent once, or the peer echoes when it was sent.
/// Once a round trip: the weights of RFC 6298 are made for that.
void take_rtt(Connection& c, const AckNews& news, Instant now) {
  constexpr std::uint32_t kSaneMs = 300'000;
  if (c.rtt.backoff() == 0 && c.snd_una <= c.rtt_mark) return;
  Duration rtt = news.oldest_rtt;
  if (rtt < Duration::zero()) {
    const std::uint32_t ms = c.timestamps.clock(now) - news.echo;
    if (news.echo == 0 || ms >= kSaneMs) return;
    rtt = std::chrono::milliseconds(std::max(ms, 1u));
  }
  c.rtt.sample(rtt);
  c.rtt_mark = c.snd_nxt;
}

/// snd_una has moved.
void on_forward(Connection& c, const AckNews& news, Instant now) {
  take_rtt(c, news, now);
  c.queue.acknowledge(std::min<std::size_t>(news.acked, c.queue.sent()));
  c.progress_at = now;
  c.tlp.restart = true;
  if (c.deadlines.persist) c.rtt.reset_back_off();  // it was that of the probes
  restart_retransmit(c, now);
  if (c.send_blocked && c.queue.size() <= c.snd_buffer / 2) {
    c.send_blocked = false;
    c.pending.writable = !c.fin_queued;
  }
}

/// RFC 5681, 2. With SACK it is news in the SACK blocks that counts, and RACK does.
bool is_duplicate(const Connection& c, const Segment& s, bool waiting) {
  return waiting && !c.sack && !c.deadlines.persist && s.ack() == c.snd_una && s.length() == 0 &&
         static_cast<std::uint32_t>(s.header.window) << c.snd_wscale == c.snd_wnd;
}

}  // namespace

void process_acknowledgement(Connection& c, const Segment& s, Instant now) {
  if (s.ack() < c.snd_una) return;  // old: its window is old as well
  const bool waiting = c.outstanding() > 0, forward = s.ack() > c.snd_una;
  const bool duplicate = is_duplicate(c, s, waiting);
  const SeqNum fin_at = c.queue_end();
  const bool fin_acked = c.fin_queued && !c.fin_acked && s.ack() > fin_at;
  AckNews news = read_news(c, s, now);
  news.duplicate_ack = duplicate;
  news.congestion = c.ecn.on && s.header.has(kEce);
  c.snd_una = s.ack();
  if (forward) on_forward(c, news, now);
  if (fin_acked) c.fin_acked = true;
  update_send_window(c, s);
  if (waiting) on_acknowledgement(c, news, now);
  // A peer that answers probes lives and may keep its window shut (RFC 9293, 3.8.6.1); but once we have shut
  // down there is perhaps nobody left who would end that.
  if (c.deadlines.persist && !c.fin_queued) probe_answered(c, now);
  if (forward && c.fin_acked) on_fin_acknowledged(c, now);
}

}  // namespace sluice::l4::tcp
