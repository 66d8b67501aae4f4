// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/recovery.h"

#include <algorithm>

#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

using Phase = Recovery::Phase;

constexpr std::uint8_t kDupThresh = 3;
// RFC 9406, 4.2: L has no bound where there is pacing. Some 64 KB, which is what receivers merge.
constexpr std::uint32_t kPacedLimit = 64;

/// FlightSize before the ACKs that came with this one.
std::uint32_t flight_before(const Connection& c, const AckNews& news) {
  return std::max(c.flight_size, c.outstanding() + news.acked);
}

/// What ssthresh becomes, once a loss event (RFC 5681, 3.1). `flight`: FlightSize when the loss was found, if the window
/// was not in use; where it was, RFC 9438, 4.6 allows the window itself, which has grown with the ACKs of this batch and has
/// not been filled yet.
void reduce(Connection& c, std::uint32_t flight) {
  if (c.ecn.reduced) return;  // RFC 3168, 6.1.2: for this window it is
  undo_arm(c);
  c.ecn.cwr_due = true;
  c.ecn.point = c.snd_nxt;
  c.congestion.ssthresh = c.congestion_control.on_loss(c.congestion, c.window_limited ? c.congestion.cwnd : flight);
}

void begin_prr(Connection& c, const AckNews& news) {
  const std::uint32_t known = c.flight.sacked() - std::min(c.flight.sacked(), news.delivered);
  c.recovery.prr.begin(c.outstanding() + news.acked - known);
}

void enter_fast_recovery(Connection& c, const AckNews& news) {
  c.env.stats.fast_retransmits.add();
  ecn_end_reduction(c);
  if (mtu_probe_alone_is_lost(c)) {
    c.undo.armed = false;
    c.congestion.ssthresh = c.congestion.cwnd;
  } else {
    reduce(c, flight_before(c, news));
  }
  c.recovery.phase = Phase::kFast;
  c.recovery.point = c.snd_nxt;
  begin_prr(c, news);
  c.tlp.end.reset();
  c.deadlines.retransmit = kNever;  // output() starts it anew
}

void leave(Connection& c) {
  Recovery& r = c.recovery;
  if (r.phase == Phase::kFast) c.congestion.cwnd = c.congestion.ssthresh;
  r.phase = Phase::kOpen;
  r.dup_acks = 0;
  r.arrived = 0;
  c.undo.until = c.snd_nxt;
  c.undo.over = true;
  c.undo.frto = Undo::Frto::kNone;
}

/// ECE: what is in flight comes down by PRR, as after a loss. A pause until it has would be a hole in the ACK clock from then
/// on.
void come_down(Connection& c, const AckNews& news) {
  if (!ecn_congestion_reported(c, flight_before(c, news))) return;
  CongestionWindow& w = c.congestion;
  c.ecn.coming_down = pipe(c) > w.ssthresh;
  if (c.ecn.coming_down) return begin_prr(c, news);
  w.cwnd = std::min(w.cwnd, w.ssthresh);
}

/// Whether the window was in full use, so that growing it means something (RFC 7661 in short).
void grow(Connection& c, const AckNews& news, Instant now) {
  CongestionWindow& w = c.congestion;
  if (c.ecn.reduced) return;
  const bool full = c.window_limited || news.in_flight_before + w.mss > w.cwnd;
  if (!full || news.acked == 0) return;
  AckEvent e{.bytes = news.acked,
             .rtt = news.newest_rtt,
             .srtt = c.rtt.srtt(),
             .una = c.snd_una,
             .nxt = c.snd_nxt,
             .now = now};
  if (paced(c, news.in_flight_before)) e.limit = kPacedLimit;
  if (c.recovery.phase == Phase::kTimeout) e.limit = 1;  // RFC 3465, 2.3
  c.congestion_control.on_ack(w, e);
  const std::uint32_t buffer = std::min(c.env.config.max_send_buffer, 2 * w.cwnd);
  if (buffer > c.snd_buffer && c.env.plenty_of_buffers(now)) c.snd_buffer = buffer;
}

/// The receiver took back what it had SACKed (RFC 2018, 8): it acknowledges up to a block, but not the block.
void notice_reneging(Connection& c) {
  const SentSegment* head = c.flight.first();
  if (head != nullptr && head->state == SentSegment::State::kSacked) c.flight.mark_all_lost(true);
}

/// RFC 5681, 3.2 and RFC 6582, 3.2, for a peer without SACK. Each duplicate says that some segment has
/// arrived; a partial ACK, that the next one is lost too. Returns the bytes newly lost.
std::uint32_t count_duplicates(Connection& c, AckNews& news) {
  Recovery& r = c.recovery;
  SentSegment* head = c.flight.first();
  if (head == nullptr) return 0;
  const std::uint32_t before = c.flight.lost();
  if (news.duplicate_ack) {
    c.env.stats.duplicate_acks.add();
    if (r.dup_acks < UINT8_MAX) ++r.dup_acks;
    const std::uint32_t room =
        c.flight.in_flight() - std::min(c.flight.in_flight(), r.arrived + head->size());
    news.delivered = std::min(c.congestion.mss, room);
    r.arrived += news.delivered;
    // Below `point` after a timeout the duplicates are echoes of what was sent again (RFC 6582, 4).
    const bool fresh = r.phase == Phase::kOpen && c.snd_una >= r.point;
    if (r.dup_acks >= kDupThresh && fresh) c.flight.mark_lost(*head);
  } else if (news.acked > 0) {
    const std::uint32_t known = std::min(r.arrived, news.acked);
    r.arrived -= known;
    news.delivered -= std::min(news.delivered, known);
    r.dup_acks = 0;
    if (r.phase == Phase::kOpen) r.arrived = 0;
    if (r.phase == Phase::kFast && c.snd_una < r.point && !head->again) c.flight.mark_lost(*head);
  }
  return c.flight.lost() - before;
}

}  // namespace

void start_congestion(Connection& c) {
  c.congestion.mss = full_segment(c);
  c.congestion.cwnd = initial_window(c.congestion.mss);
  // RFC 6928, 3: a SYN that had to be sent again says that the path is in trouble.
  if (c.rtt.backoff() > 0) c.congestion.cwnd = c.congestion.mss;
  c.recovery.point = c.ecn.point = c.iss;
}

void on_acknowledgement(Connection& c, const AckNews& ack, Instant now) {
  AckNews news = ack;
  Recovery& r = c.recovery;
  CongestionWindow& w = c.congestion;
  if (news.sack_news) c.env.stats.duplicate_acks.add();
  notice_reneging(c);
  const bool probe_lost = tlp_detects_loss(c, news);
  if (undo_proven(c, news)) {
    undo_now(c);
    r.phase = Phase::kOpen;
    r.dup_acks = 0;
    r.arrived = 0;
  }
  const bool recovered = r.phase != Phase::kOpen && c.snd_una >= r.point;
  if (recovered) leave(c);
  // It follows, or it would seem to lie ahead after 2 GiB.
  if (r.phase == Phase::kOpen) r.point = max(r.point, c.snd_una);
  if (c.snd_una >= c.ecn.point) ecn_end_reduction(c);
  if (c.snd_una > c.ecn.point) {
    c.ecn.reduced = false;
    c.ecn.point = c.snd_una - 1;  // it follows, as recovery's does
  }
  c.ecn.proven |= news.original;
  if (news.congestion) come_down(c, news);
  std::uint32_t newly_lost = 0;
  if (c.sack) {
    rack_adapt_window(c, news.duplicate.has_value(), recovered);
    if (!frto_waits(c.undo)) newly_lost = rack_detect_losses(c, now);
  } else {
    newly_lost = count_duplicates(c, news);
  }
  if (newly_lost > 0 && r.phase == Phase::kOpen) {
    enter_fast_recovery(c, news);
  } else if (probe_lost && r.phase == Phase::kOpen) {
    reduce(c, flight_before(c, news));  // RFC 8985, 7.4.2: repaired already
    c.undo.armed = false;                     // so nothing sent again later says anything of it
    c.ecn.coming_down = false;
    w.cwnd = w.ssthresh;
    return;
  }
  if (comes_down(c)) {
    if (news.delivered > 0)
      w.cwnd = r.prr.on_ack(news.delivered, pipe(c), w.ssthresh, w.mss, news.acked > 0 && newly_lost == 0);
  } else if (!recovered && !frto_waits(c.undo)) {
    grow(c, news, now);
  }
}

void on_reorder_timer(Connection& c, Instant now) {
  if (rack_detect_losses(c, now) == 0) return;
  if (c.recovery.phase == Phase::kOpen) enter_fast_recovery(c, {});
  if (c.recovery.phase == Phase::kFast) {
    c.congestion.cwnd = c.recovery.prr.on_ack(0, pipe(c), c.congestion.ssthresh, c.congestion.mss, false);
  }
}

void on_timeout_loss(Connection& c, Instant now) {
  Recovery& r = c.recovery;
  // RFC 5681, 3.1: ssthresh is set once for the same data; fast recovery has done it already.
  const bool first = c.rtt.backoff() == 0;
  const bool open = r.phase == Phase::kOpen;
  if (first && r.phase != Phase::kFast) reduce(c, c.outstanding());
  r.phase = Phase::kTimeout;
  c.ecn.coming_down = false;
  // Where no marked packet has come through yet, it may be the mark that they are dropped for.
  c.ecn.marks = c.ecn.marks && c.ecn.proven;
  r.dup_acks = 0;
  r.arrived = 0;
  r.point = c.snd_nxt;
  c.tlp.end.reset();
  c.deadlines.reorder = c.deadlines.probe = kNever;
  c.undo.frto = Undo::Frto::kNone;
  if (first && open) frto_begin(c);
  if (frto_waits(c.undo)) {
    c.flight.mark_lost(*c.flight.first());
  } else {
    // RFC 2018, 8: a receiver may take its reports back: believe them through one timeout only.
    if (!first || !c.sack) c.flight.mark_all_lost(!first);
    rack_mark_losses_on_timeout(c, now);
  }
  c.congestion.cwnd = c.flight.in_flight() + c.congestion.mss;  // the loss window: one segment goes
}

bool comes_down(const Connection& c) { return c.recovery.phase == Phase::kFast || c.ecn.coming_down; }

std::uint32_t pipe(const Connection& c) {
  const std::uint32_t n = c.flight.in_flight();
  return n - std::min(n, c.recovery.arrived);
}

std::uint32_t congestion_room(const Connection& c) {
  const std::uint32_t used = pipe(c);
  return c.congestion.cwnd > used ? c.congestion.cwnd - used : 0;
}

}  // namespace sluice::l4::tcp
