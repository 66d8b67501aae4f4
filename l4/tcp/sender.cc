// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/sender.h"

#include <algorithm>

#include "l4/tcp/ack_policy.h"
#include "l4/tcp/recovery.h"
#include "l4/tcp/retransmit.h"
#include "l4/tcp/transmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {
namespace {

/// Puts queue bytes [seq, seq + n) on the wire, and the FIN when `fin`. `seq` lies in the sent part, or right
/// at its end. `cut`: in segments of that size (0: one). False: no buffer.
bool send_range(Connection& c, SeqNum seq, std::uint32_t n, bool fin, Instant now, std::uint32_t cut = 0) {
  const std::uint32_t offset = distance(c.queue_begin(), seq);
  const bool again = seq < c.snd_nxt;
  BufChain payload;
  if (n > 0) {
    payload = again ? c.queue.share_sent(offset, n, c.env.buffers) : c.queue.send_next(n, c.env.buffers);
    if (payload.empty()) return false;
  }
  const bool last = offset + n == c.queue.size();
  std::uint8_t flags = kAck | (n > 0 && last ? kPsh : 0) | (fin ? kFin : 0), ecn = kNotEct;
  if (n > 0 && !again) {  // RFC 3168, 6.1.5: only what is sent for the first time may be marked
    flags |= ecn_flags_of_new_data(c);
    ecn = ecn_codepoint(c.ecn);
    end_quick_acks(c);
  }
  // A segment whose header finds no buffer is as good as lost on the wire once its bytes count as sent.
  const bool sent = transmit(c, seq, flags, std::move(payload), now, ecn, static_cast<std::uint16_t>(cut));
  if (!sent && (again || n == 0)) return false;
  if (again) c.env.stats.retransmits.add();
  if (c.snd_una == c.snd_nxt) c.progress_at = now;  // there was nothing to acknowledge until now
  c.last_sent_at = now;
  pacing_sent(c, n, now);
  return true;
}

/// RFC 9293, 3.8.6.2.1: whether `n` of `left` bytes are worth a segment. Nagle's rule is off: the proxy
/// writes whole messages.
bool worth_sending(const Connection& c, std::uint32_t n, std::uint32_t left, std::uint32_t mss) {
  return n >= mss || n == left || n >= c.max_snd_wnd / 2;
}

/// `n` of sequence space have left from snd_nxt on, in segments of up to `most`.
void sent_new(Connection& c, std::uint32_t n, std::uint32_t most, Instant now) {
  const SeqNum end = c.snd_nxt + n;
  while (c.snd_nxt < end) {
    const SeqNum next = min(c.snd_nxt + most, end);
    c.flight.sent(c.snd_nxt, next, now);
    c.snd_nxt = next;
  }
  if (comes_down(c)) c.recovery.prr.sent(n);
  c.tlp.restart = true;
}

/// RFC 5681, 4.1: after a pause the path is not known any more.
void restart_after_idle(Connection& c, Instant now) {
  if (c.outstanding() > 0 || !c.rtt.has_sample()) return;
  if (now - c.last_sent_at < current_rto(c)) return;
  c.congestion.cwnd = std::min(c.congestion.cwnd, initial_window(c.congestion.mss));
  shrink_send_buffer(c);
}

/// Whether `n` bytes may join what is in the network; if that is empty, they always may.
bool fits(Connection& c, std::uint32_t n, std::uint32_t room) {
  if (n <= room || pipe(c) == 0) return true;
  c.window_limited = true;
  return false;
}

/// The first segment that is believed lost, once more.
SendResult send_lost(Connection& c, Instant now) {
  SentSegment& s = *c.flight.first_lost();
  const std::uint32_t window = distance(s.begin, c.snd_una + c.snd_wnd);
  const bool fin_only = s.begin == c.queue_end();  // takes no room, as in send_new
  if (window == 0 && !fin_only) return SendResult::kPeerWindow;
  const std::uint32_t most = std::min(segment_size(c), std::max(window, 1u));
  c.flight.resize_lost(s, most);
  const std::uint32_t n = std::min(s.size(), most);  // less when there was no place to cut it
  if (!fits(c, n, congestion_room(c))) return SendResult::kCongestion;
  return resend(c, s, s.begin, s.begin + n, now) ? SendResult::kSent : SendResult::kNoBuffer;
}

/// New data as one packet of several full segments, as far as both windows and the pace allow; as one segment
/// where that is less than two, or where only the first of them may say CWR.
SendResult send_train(Connection& c, std::uint32_t room, std::uint32_t mss, Instant now) {
  const SeqNum seq = c.snd_nxt, end = c.queue_end() - (c.fin_queued ? 1 : 0);  // FIN goes with the last byte
  if (!c.env.config.segmentation || c.ecn.cwr_due || seq >= end) return send_new(c, room, mss, now);
  std::uint32_t n = std::min({distance(seq, end), distance(seq, c.snd_una + c.snd_wnd), room, net::kMaxCutPayload});
  if (n >= 2 * mss) n = std::min(n, pacing_burst(c, now));
  if (n < 2 * mss) return send_new(c, room, mss, now);
  n -= n % mss;
  if (!c.flight.has_place() || !send_range(c, seq, n, false, now, mss)) return SendResult::kNoBuffer;
  sent_new(c, n, mss, now);
  return SendResult::kSent;
}

/// What is new, now and then as a probe for larger segments.
SendResult send_next(Connection& c, std::uint32_t room, Instant now) {
  const std::uint32_t usual = segment_size(c);
  if (c.pmtu.probe_at > now) return send_train(c, room, usual, now);
  const std::uint32_t size = mtu_probe_size(c, usual, distance(c.snd_nxt, c.queue_end()), room, now);
  const SeqNum begin = c.snd_nxt;
  const SendResult r = send_new(c, room, size, now);
  if (r == SendResult::kSent && size > usual) mtu_probe_sent(c, begin, size, now);
  return r;
}

/// Everything that both windows allow: what was lost (RFC 6675, NextSeg (1)), then what is new (2).
SendResult send_all(Connection& c, Instant now) {
  restart_after_idle(c, now);
  for (;;) {
    const bool lost = c.flight.first_lost() != nullptr;
    const std::uint32_t room = congestion_room(c);
    if (room > 0 && (lost || c.queue.unsent() > 0) && pacing_waits(c, now)) return SendResult::kPaced;
    const SendResult r = lost ? send_lost(c, now) : send_next(c, room, now);
    if (r != SendResult::kSent) return r;
  }
}

/// A peer of jumbo frames may well have less room than one of them takes; what is then sent is half of its window (RFC 9293, 3.8.6.2.1).
constexpr std::uint32_t kUsualSegment = 1460;

void note_stall(Connection& c, SendResult r, Instant now) {
  if (r != SendResult::kPeerWindow || c.snd_wnd >= std::min<std::uint32_t>(c.snd_mss, std::max(kUsualSegment, c.max_snd_wnd / 2))) {
    c.stalled_at = kNever;
  } else if (!stalled(c)) {
    c.stalled_at = now;
  }
}

void send_synchronizing(Connection& c, Instant now) {
  if (c.syn_due) {
    if (!transmit_syn(c, now)) {
      c.deadlines.resume = now + kRetryAfter;
      return;
    }
    c.syn_due = false;
    c.last_sent_at = now;
    c.snd_nxt = c.iss + 1;
    arm_retransmit(c, now);
  } else if (c.ack_debt.now && c.state == State::kSynReceived) {
    transmit_ack(c, now);
  }
}

}  // namespace

std::uint32_t segment_size(const Connection& c) {
  return c.snd_mss - static_cast<std::uint32_t>(option_bytes(c));
}

bool resend(Connection& c, SentSegment& s, SeqNum from, SeqNum to, Instant now) {
  const SeqNum text_end = min(to, c.queue_end());
  const std::uint32_t n = distance(from, text_end);
  if (!send_range(c, from, n, to > text_end, now)) return false;
  undo_sent_again(c, static_cast<std::uint32_t>(to - from), now);
  if (comes_down(c)) c.recovery.prr.sent(n);
  c.flight.sent_again(s, now);
  return true;
}

SendResult send_new(Connection& c, std::uint32_t room, std::uint32_t mss, Instant now) {
  const SeqNum seq = c.snd_nxt;
  const std::uint32_t left = distance(seq, c.queue_end());
  const bool fin_left = c.fin_queued && !c.fin_sent();
  if (left == 0 && !fin_left) return SendResult::kNothingToSend;

  std::uint32_t n = std::min(left, mss);
  const std::uint32_t window = distance(seq, c.snd_una + c.snd_wnd);
  if (n > window) {
    if (window == 0 || !worth_sending(c, window, left, mss)) return SendResult::kPeerWindow;
    n = window;
  }
  // FIN takes no room in the peer's buffer, so it does not wait for a window of its own.
  const bool fin = fin_left && n == left;
  if (!fits(c, n, room)) return SendResult::kCongestion;
  if (!c.flight.has_place() || !send_range(c, seq, n, fin, now)) return SendResult::kNoBuffer;
  const std::uint32_t length = n + (fin ? 1 : 0);
  sent_new(c, length, length, now);
  return SendResult::kSent;
}

void output(Connection& c, Instant now) {
  if (c.state == State::kClosed || c.state == State::kTimeWait) return;
  c.deadlines.resume = kNever;
  c.window_limited = false;
  if (!c.synchronized()) return send_synchronizing(c, now);

  SendResult r = SendResult::kNothingToSend;
  if (c.may_send_data() && !c.deadlines.persist) {
    r = send_all(c, now);
    note_stall(c, r, now);
  }
  c.flight_size = c.outstanding();
  pacing_notes_flight(c);
  if (c.ack_debt.now && !transmit_ack(c, now)) r = SendResult::kNoBuffer;
  if (r == SendResult::kNoBuffer) c.deadlines.resume = now + kRetryAfter;
  arm_after_output(c, r, now);
  tlp_schedule(c, now);
}

}  // namespace sluice::l4::tcp
