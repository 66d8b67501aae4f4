// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/state.h"

#include "l4/tcp/close.h"

namespace sluice::l4::tcp {

std::string_view to_string(State s) {
  switch (s) {
    case State::kClosed:
      return "CLOSED";
    case State::kSynSent:
      return "SYN-SENT";
    case State::kSynReceived:
      return "SYN-RECEIVED";
    case State::kEstablished:
      return "ESTABLISHED";
    case State::kFinWait1:
      return "FIN-WAIT-1";
    case State::kFinWait2:
      return "FIN-WAIT-2";
    case State::kCloseWait:
      return "CLOSE-WAIT";
    case State::kClosing:
      return "CLOSING";
    case State::kLastAck:
      return "LAST-ACK";
    case State::kTimeWait:
      return "TIME-WAIT";
  }
  return "?";
}

namespace {

/// Nothing is sent or received any more.
void let_go(Connection& c) {
  c.queue.clear();
  c.reassembly.clear();
  c.flight.clear();
  c.deadlines = {};
  c.stalled_at = kNever;
  c.ack_debt = {};
  c.syn_due = false;
}

void on_established(Connection& c, Instant now) {
  c.accepted = true;
  c.pending.opened = true;
  c.progress_at = now;
  (c.passive ? c.env.stats.connections_accepted : c.env.stats.connections_opened).add();
  if (c.fin_queued) enter(c, State::kFinWait1, now);
}

}  // namespace

void enter(Connection& c, State next, Instant now) {
  c.state = next;
  switch (next) {
    case State::kEstablished:
      on_established(c, now);
      break;
    case State::kFinWait2:
      c.deadlines.linger = now + c.env.config.fin_wait_2;
      break;
    case State::kTimeWait:
      let_go(c);
      c.pending.closed = true;
      c.pending.reason = CloseReason::kNormal;
      break;
    case State::kClosed:
      let_go(c);
      break;
    default:
      break;
  }
}

void finish(Connection& c, CloseReason reason, Instant now) {
  if (!c.accepted) c.env.stats.connections_failed.add();
  enter(c, State::kClosed, now);
  c.pending.writable = false;
  c.pending.closed = true;
  c.pending.reason = reason;
}

}  // namespace sluice::l4::tcp
