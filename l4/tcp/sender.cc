// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/sender.h"

#include <algorithm>

#include "l4/tcp/recovery.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

/// Puts queue bytes [seq, seq + n) on the wire, and the FIN when `fin`. `seq` may lie anywhere in the sent
/// part, or right at its end. False: no buffer.
bool send_range(Connection& c, SeqNum seq, std::uint32_t n, bool fin, Instant now) {
  const std::uint32_t offset = distance(c.queue_begin(), seq);
  const bool again = offset < c.queue.sent();
  BufChain payload;
  if (n > 0) {
    payload = again ? c.queue.share_sent(offset, n, c.env.buffers) : c.queue.send_next(n, c.env.buffers);
    if (payload.empty()) return false;
  }
  const bool last = offset + n == c.queue.size();
  const std::uint8_t flags = kAck | (n > 0 && last ? kPsh : 0) | (fin ? kFin : 0);
  const SeqNum end = seq + n + (fin ? 1 : 0);
  if (end <= c.snd_max) c.env.stats.retransmits.add();
  // A segment whose header finds no buffer is as good as lost on the wire once its bytes count as sent.
  const bool sent = transmit(c, seq, flags, std::move(payload), now);
  if (!sent && (again || n == 0)) return false;
  if (seq < c.snd_max) {
    c.rtt.stop_timing();  // Karn: what is sent twice is not timed
  } else if (!c.rtt.timing()) {
    c.rtt.start_timing(end, now);
  }
  if (c.snd_una == c.snd_max) c.progress_at = now;  // there was nothing to acknowledge until now
  c.snd_max = max(c.snd_max, end);
  c.last_sent_at = now;
  return true;
}

/// RFC 9293, 3.8.6.2.1: whether `n` of `left` bytes are worth a segment. Nagle's rule is off: the proxy
/// writes whole messages.
bool worth_sending(const Connection& c, std::uint32_t n, std::uint32_t left, std::uint32_t mss) {
  return n >= mss || n == left || n >= c.max_snd_wnd / 2;
}

/// RFC 5681, 4.1: after a pause the path is not known any more.
void restart_after_idle(Connection& c, Instant now) {
  if (c.flight() > 0 || !c.rtt.has_sample()) return;
  if (now - c.last_sent_at < current_rto(c)) return;
  c.congestion.cwnd = std::min(c.congestion.cwnd, initial_window(c.congestion.mss));
}

/// Everything that both windows allow from snd_nxt on.
SendResult send_forward(Connection& c, Instant now) {
  restart_after_idle(c, now);
  for (;;) {
    const SendResult r = send_one(c, congestion_room(c), now);
    if (r != SendResult::kSent) return r;
  }
}

void send_synchronizing(Connection& c, Instant now) {
  if (c.syn_due) {
    if (!transmit_syn(c, now)) {
      c.deadlines.retry = now + kRetryAfter;
      return;
    }
    c.syn_due = false;
    if (c.snd_max == c.iss) c.rtt.start_timing(c.iss + 1, now);
    c.snd_nxt = c.snd_max = c.iss + 1;
    arm_retransmit(c, now);
  } else if (c.ack_debt.now && c.state == State::kSynReceived) {
    transmit_ack(c, now);
  }
}

}  // namespace

bool retransmit_range(Connection& c, SeqNum seq, std::uint32_t n, Instant now) {
  const SeqNum end = c.queue_end();
  const std::uint32_t bytes = std::min(n, distance(seq, end));
  const bool fin = c.fin_sent() && !c.fin_acked && seq + bytes == end && (bytes < n || bytes == 0);
  if (bytes == 0 && !fin) return true;
  return send_range(c, seq, bytes, fin, now);
}

SendResult send_one(Connection& c, std::uint32_t congestion_room, Instant now) {
  if (c.snd_nxt < c.snd_max && c.sacked != nullptr) c.snd_nxt = c.sacked->skip(c.snd_nxt);
  const std::uint32_t mss = c.snd_mss - static_cast<std::uint32_t>(option_bytes(c));
  const SeqNum end = c.queue_end();
  const std::uint32_t left = distance(c.snd_nxt, end);
  const bool fin_left = c.fin_queued && !c.fin_acked && c.snd_nxt <= end;
  if (left == 0 && !fin_left) return SendResult::kNothingToSend;

  std::uint32_t n = std::min(left, mss);
  if (c.snd_nxt < c.snd_max) {  // again: not over the border of what was sent, nor into what was SACKed
    n = std::min(n, distance(c.snd_nxt, min(c.snd_max, end)));
    if (c.sacked != nullptr) {
      if (const auto hole = c.sacked->hole(c.snd_nxt)) n = std::min(n, distance(c.snd_nxt, hole->end));
    }
  }
  const std::uint32_t window = distance(c.snd_nxt, c.snd_una + c.snd_wnd);
  if (n > window) {
    if (window == 0 || !worth_sending(c, window, left, mss)) return SendResult::kPeerWindow;
    n = window;
  }
  // FIN takes no room in the peer's buffer, so it does not wait for a window of its own.
  const bool fin = fin_left && n == left;
  if (c.snd_nxt > c.snd_una && n > congestion_room) {
    c.window_limited = true;
    return SendResult::kCongestion;
  }
  if (!send_range(c, c.snd_nxt, n, fin, now)) return SendResult::kNoBuffer;
  c.snd_nxt = c.snd_nxt + n + (fin ? 1 : 0);
  return SendResult::kSent;
}

void output(Connection& c, Instant now) {
  if (c.state == State::kClosed || c.state == State::kTimeWait) return;
  c.deadlines.retry = kNever;
  if (!c.synchronized()) return send_synchronizing(c, now);

  SendResult r = SendResult::kNothingToSend;
  if (c.may_send_data() && !c.deadlines.persist) {
    r = c.recovery.active ? send_in_recovery(c, now) : SendResult::kSent;
    if (r == SendResult::kSent) r = send_forward(c, now);
  }
  if (c.ack_debt.now && !transmit_ack(c, now)) r = SendResult::kNoBuffer;
  if (r == SendResult::kNoBuffer) c.deadlines.retry = now + kRetryAfter;
  arm_after_output(c, r, now);
}

}  // namespace sluice::l4::tcp
