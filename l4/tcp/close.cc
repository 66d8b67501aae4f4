// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/close.h"

#include "l4/tcp/ack_policy.h"
#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

void enter_time_wait(Connection& c, Instant now) {
  // The entry in the time-wait table has no debts: pay them first. If there is no buffer, the peer's FIN
  // comes again.
  if (c.ack_debt.now) transmit_ack(c, now);
  enter(c, State::kTimeWait, now);
}

}  // namespace

void close_sending(Connection& c, Instant now) {
  if (c.fin_queued) return;
  c.fin_queued = true;
  if (c.state == State::kEstablished) enter(c, State::kFinWait1, now);
  if (c.state == State::kCloseWait) enter(c, State::kLastAck, now);
  // SYN-SENT, SYN-RECEIVED: when established.
}

void on_fin_acknowledged(Connection& c, Instant now) {
  switch (c.state) {
    case State::kFinWait1:
      return enter(c, State::kFinWait2, now);
    case State::kClosing:
      return enter_time_wait(c, now);
    case State::kLastAck:
      return finish(c, CloseReason::kNormal, now);
    default:
      return;
  }
}

void on_peer_fin(Connection& c, Instant now) {
  c.rcv_nxt += 1;
  c.has_peer_fin = false;
  c.reassembly.clear();
  c.pending.peer_closed = true;
  owe_at_once(c);
  switch (c.state) {
    case State::kEstablished:
      return enter(c, State::kCloseWait, now);
    case State::kFinWait1:
      return enter(c, State::kClosing, now);
    case State::kFinWait2:
      return enter_time_wait(c, now);
    default:
      return;
  }
}

}  // namespace sluice::l4::tcp
