// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/retransmit.h"

#include <algorithm>

#include "l4/tcp/keepalive.h"
#include "l4/tcp/pmtu.h"
#include "l4/tcp/recovery.h"
#include "l4/tcp/reset.h"
#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

/// When a peer that acknowledges nothing new is given up.
Instant give_up_at(const Connection& c) {
  return c.progress_at + (c.synchronized() ? c.env.config.user_timeout : c.env.config.syn_timeout);
}

void set_retransmit(Connection& c, Instant now) {
  c.deadlines.retransmit = std::min(now + current_rto(c), give_up_at(c));
}

void give_up(Connection& c, Instant now) {
  c.env.stats.timeouts.add();
  if (c.synchronized()) send_reset(c);
  finish(c, CloseReason::kTimeout, now);
}

/// RFC 9293, 3.8.6.1: one byte beyond the window, so that the peer must say what the window is. Most likely
/// it is refused: it counts as lost until the window opens.
void probe_window(Connection& c, Instant now) {
  c.env.stats.zero_window_probes.add();
  BufChain byte;
  if (c.queue.sent() > 0) {
    byte = c.queue.share_sent(0, 1, c.env.buffers);
    c.flight.first()->again = true;
  } else if (c.flight.has_place()) {
    byte = c.queue.send_next(1, c.env.buffers);
    if (byte.empty()) return;
    c.flight.sent(c.snd_una, c.snd_una + 1, now);
    c.snd_nxt = c.snd_una + 1;
  }
  if (!byte.empty()) transmit(c, c.snd_una, kAck, std::move(byte), now);
  c.flight.mark_all_lost(false);
}

void on_retransmit_timer(Connection& c, Instant now) {
  if (now >= give_up_at(c)) return give_up(c, now);
  if (!c.synchronized()) {
    c.syn_due = true;
    c.env.stats.retransmits.add();
  } else if (c.deadlines.persist) {
    probe_window(c, now);
  } else {
    c.env.stats.timeouts.add();
    on_timeout_loss(c, now);
    suspect_black_hole(c, now);
  }
  c.rtt.back_off();
  set_retransmit(c, now);
}

Instant stall_deadline(const Connection& c) {
  return stalled(c) ? c.stalled_at + c.env.config.persist_limit : kNever;
}

bool due(Instant& deadline, Instant now) {
  if (deadline > now) return false;
  deadline = kNever;
  return true;
}

}  // namespace

void give_up_stalled(Connection& c, Instant now) {
  c.env.stats.stalled_closed.add();
  reset_after_timeout(c, now);
}

Duration current_rto(const Connection& c) { return c.rtt.rto(c.env.config.min_rto, c.env.config.max_rto); }

void arm_retransmit(Connection& c, Instant now) {
  if (c.deadlines.retransmit == kNever) set_retransmit(c, now);
}

void restart_retransmit(Connection& c, Instant now) {
  c.deadlines.persist = false;
  c.deadlines.retransmit = kNever;
  if (c.outstanding() > 0) set_retransmit(c, now);
}

void probe_answered(Connection& c, Instant now) {
  c.progress_at = now;
  set_retransmit(c, now);
}

void arm_after_output(Connection& c, SendResult r, Instant now) {
  if (c.deadlines.persist) return arm_retransmit(c, now);  // a recovery may have stopped it
  if (c.flight.in_flight() > 0) return arm_retransmit(c, now);
  if (r == SendResult::kPeerWindow) {
    c.deadlines.persist = true;
    if (c.outstanding() == 0) c.progress_at = now;
    set_retransmit(c, now);
  } else {
    c.deadlines.retransmit = kNever;
  }
}

Instant next_deadline(const Connection& c) {
  const Deadlines& d = c.deadlines;
  return std::min({d.retransmit, d.probe, d.reorder, d.ack, d.linger, d.resume, stall_deadline(c),
                   keepalive_deadline(c)});
}

void on_deadline(Connection& c, Instant now) {
  due(c.deadlines.resume, now);  // output() follows
  if (due(c.deadlines.ack, now)) c.ack_debt.now = true;
  // RFC 8985, 8: a probe or a reordering timer comes before the timeout that it may spare.
  if (due(c.deadlines.reorder, now)) on_reorder_timer(c, now);
  if (due(c.deadlines.probe, now)) tlp_send_probe(c, now);
  if (due(c.deadlines.retransmit, now)) on_retransmit_timer(c, now);
  if (due(c.deadlines.linger, now)) {
    // The user has shut down and the peer never does: nobody else would end this.
    reset_after_timeout(c, now);
  }
  if (stall_deadline(c) <= now) give_up_stalled(c, now);
  if (keepalive_deadline(c) <= now) on_keepalive(c, now);
}

}  // namespace sluice::l4::tcp
