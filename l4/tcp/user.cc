// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/user.h"

#include "l4/tcp/close.h"
#include "l4/tcp/reset.h"
#include "l4/tcp/state.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {

void user_send(Connection& c, BufChain data) {
  if (c.fin_queued || c.state == State::kClosed || c.state == State::kTimeWait) return;
  c.queue.push(std::move(data), c.env.buffers);
  if (user_send_space(c) == 0) c.send_blocked = true;
}

std::size_t user_send_space(const Connection& c) {
  const std::size_t bound = c.snd_buffer;
  return c.queue.size() >= bound ? 0 : bound - c.queue.size();
}

void user_consumed(Connection& c, std::size_t n) { credit_consumed(c, n); }

void user_shutdown(Connection& c, Instant now) {
  if (c.state != State::kClosed && c.state != State::kTimeWait) close_sending(c, now);
}

void user_abort(Connection& c, Instant now) {
  // RFC 9293, 3.10.5: states in which the peer believes in the connection.
  if (c.state >= State::kSynReceived && c.state != State::kTimeWait) send_reset(c);
  c.pending = {};
  enter(c, State::kClosed, now);
}

}  // namespace sluice::l4::tcp
