// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/recovery.h"

#include <algorithm>

#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

bool by_sack(const Connection& c) { return c.sack; }

std::uint32_t pipe(const Connection& c) {
  if (c.sacked == nullptr) return c.flight();
  return c.sacked->pipe(c.snd_una, c.recovery.high_rxt, c.snd_max, c.congestion.mss);
}

/// RFC 6675, 5, steps 4.1 to 4.4; RFC 6582, 3.2, step 2.
void enter_recovery(Connection& c, Instant now) {
  CongestionWindow& w = c.congestion;
  Recovery& r = c.recovery;
  c.env.stats.fast_retransmits.add();
  w.ssthresh = c.congestion_control.on_loss(w, c.flight(), now);
  r.active = true;
  r.rescue_used = false;
  r.point = c.snd_max;
  r.high_rxt = c.snd_una;
  w.cwnd = w.ssthresh + (by_sack(c) ? 0 : 3 * w.mss);
  // The first lost segment goes out whatever the window says.
  std::uint32_t n = w.mss;
  if (c.sacked != nullptr) {
    if (const auto hole = c.sacked->hole(c.snd_una)) n = std::min(n, distance(hole->begin, hole->end));
  }
  if (retransmit_range(c, c.snd_una, n, now)) r.high_rxt = c.snd_una + n;
  c.deadlines.retransmit = kNever;  // output() starts it anew
}

void leave_recovery(Connection& c) {
  CongestionWindow& w = c.congestion;
  c.recovery.active = false;
  // RFC 6582, 3.2, step 3, full acknowledgement (1): no burst. With SACK cwnd is ssthresh already.
  if (!by_sack(c)) w.cwnd = std::min(w.ssthresh, std::max(c.flight(), w.mss) + w.mss);
}

/// RFC 6582, 3.2, step 3, partial acknowledgement.
void on_partial_ack(Connection& c, std::uint32_t bytes, Instant now) {
  CongestionWindow& w = c.congestion;
  retransmit_range(c, c.snd_una, w.mss, now);
  w.cwnd -= std::min(w.cwnd, bytes);
  if (bytes >= w.mss) w.cwnd += w.mss;
  w.cwnd = std::max(w.cwnd, w.mss);
}

/// Whether the window was in full use, so that growing it means something (RFC 7661 in short).
void grow(Connection& c, std::uint32_t bytes, std::uint32_t flight_before, Instant now) {
  CongestionWindow& w = c.congestion;
  const bool full = c.window_limited || flight_before + w.mss > w.cwnd;
  c.window_limited = false;
  if (full) c.congestion_control.on_ack(w, bytes, c.rtt.srtt(), now);
}

/// The receiver took back what it had SACKed (RFC 2018, 8): it acknowledges up to a block, but not the block.
void notice_reneging(Connection& c) {
  if (!c.sacked->empty() && c.sacked->first() != c.snd_una) return;
  if (!c.sacked->empty()) {
    c.snd_nxt = c.snd_una;
    c.recovery.active = false;
    c.rtt.stop_timing();
  }
  c.forget_sacks();
}

}  // namespace

void start_congestion(Connection& c) {
  c.congestion.mss = full_segment(c);
  c.congestion.cwnd = initial_window(c.congestion.mss);
  // RFC 6928, 3: a SYN that had to be sent again says that the path is in trouble.
  if (c.rtt.backoff() > 0) c.congestion.cwnd = c.congestion.mss;
  c.recovery.point = c.iss;
}

bool record_sacks(Connection& c, const Segment& s) {
  if (!c.sack) return false;
  bool news = false;
  for (const SackBlock& b : s.header.options.sacks()) {
    // RFC 6675, 3; what lies below is a report of duplicates (RFC 2883), what lies above is a lie.
    if (b.begin >= b.end || b.begin <= max(s.ack(), c.snd_una) || b.end > c.snd_max) continue;
    if (c.sacked == nullptr) c.sacked = c.env.scoreboards.create();
    if (c.sacked == nullptr) return news;
    news |= c.sacked->add(b) > 0;
  }
  return news;
}

void on_forward_ack(Connection& c, std::uint32_t bytes, std::uint32_t flight_before, Instant now) {
  Recovery& r = c.recovery;
  if (c.sacked != nullptr) {
    c.sacked->acknowledge(c.snd_una);
    notice_reneging(c);
  }
  r.dup_acks = 0;
  if (!r.active) return grow(c, bytes, flight_before, now);
  if (c.snd_una >= r.point) return leave_recovery(c);
  r.high_rxt = max(r.high_rxt, c.snd_una);
  if (!by_sack(c)) on_partial_ack(c, bytes, now);
}

void on_duplicate_ack(Connection& c, Instant now) {
  Recovery& r = c.recovery;
  c.env.stats.duplicate_acks.add();
  if (r.active) {
    if (!by_sack(c)) c.congestion.cwnd += c.congestion.mss;  // RFC 6582: a segment has left the network
    return;
  }
  if (r.dup_acks < UINT8_MAX) ++r.dup_acks;
  const bool lost = r.dup_acks >= Scoreboard::kDupThresh ||
                    (c.sacked != nullptr && c.sacked->is_lost(c.snd_una, c.congestion.mss));
  // RFC 6582, 3.2, step 2 and RFC 6675, 5.1: one reduction a window, none for the echoes of a timeout.
  if (lost && c.snd_una >= r.point && c.flight() > 0) enter_recovery(c, now);
}

void on_timeout_loss(Connection& c, Instant now) {
  CongestionWindow& w = c.congestion;
  // RFC 5681, 3.1: ssthresh is set once for the same data.
  if (c.rtt.backoff() == 0) w.ssthresh = c.congestion_control.on_loss(w, c.flight(), now);
  w.cwnd = w.mss;
  c.recovery.active = false;
  c.recovery.dup_acks = 0;
  c.recovery.point = c.snd_max;
  // A receiver may renege (RFC 2018, 8): believe its reports through one timeout only.
  if (c.rtt.backoff() > 0) c.forget_sacks();
}

std::uint32_t congestion_room(const Connection& c) {
  const CongestionWindow& w = c.congestion;
  const Recovery& r = c.recovery;
  std::uint32_t used = distance(c.snd_una, c.snd_nxt);
  std::uint32_t limit = w.cwnd;
  if (r.active) {
    if (by_sack(c)) used = pipe(c);
  } else {
    if (c.sacked != nullptr && c.snd_nxt < c.snd_max)
      used -= std::min(used, c.sacked->bytes_below(c.snd_nxt));
    // RFC 3042: each of the first two duplicates lets one new segment out.
    if (c.snd_nxt == c.snd_max) limit += std::min<std::uint32_t>(r.dup_acks, 2) * w.mss;
  }
  return limit > used ? limit - used : 0;
}

SendResult send_in_recovery(Connection& c, Instant now) {
  if (!by_sack(c)) return SendResult::kSent;
  Recovery& r = c.recovery;
  const std::uint32_t mss = c.congestion.mss;
  for (;;) {
    const std::uint32_t room = congestion_room(c);
    if (room < mss) return SendResult::kCongestion;
    const auto hole = c.sacked == nullptr ? std::nullopt : c.sacked->hole(max(r.high_rxt, c.snd_una));
    if (hole && c.sacked->is_lost(hole->begin, mss)) {  // NextSeg (1)
      const std::uint32_t n = std::min(mss, distance(hole->begin, hole->end));
      if (!retransmit_range(c, hole->begin, n, now)) return SendResult::kNoBuffer;
      r.high_rxt = hole->begin + n;
      continue;
    }
    const SendResult fresh = send_one(c, room, now);  // NextSeg (2)
    if (fresh == SendResult::kSent) continue;
    if (fresh == SendResult::kNoBuffer) return fresh;
    if (hole) {  // NextSeg (3)
      const std::uint32_t n = std::min(mss, distance(hole->begin, hole->end));
      if (!retransmit_range(c, hole->begin, n, now)) return SendResult::kNoBuffer;
      r.high_rxt = hole->begin + n;
      continue;
    }
    if (r.rescue_used) return fresh;
    r.rescue_used = true;  // NextSeg (4): the end of the window, once
    const SeqNum known = c.sacked == nullptr ? max(c.snd_una, r.high_rxt) : c.sacked->highest();
    const SeqNum from = max(known, c.snd_max - mss);
    if (from < c.snd_max && !retransmit_range(c, from, distance(from, c.snd_max), now))
      return SendResult::kNoBuffer;
  }
}

}  // namespace sluice::l4::tcp
