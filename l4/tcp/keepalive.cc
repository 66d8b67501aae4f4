// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/keepalive.h"

#include "l4/tcp/reset.h"
#include "l4/tcp/transmit.h"
#include "l4/tcp/window.h"

namespace sluice::l4::tcp {

Instant keepalive_deadline(const Connection& c) {
  if (c.state != State::kEstablished && c.state != State::kCloseWait) return kNever;
  if (c.outstanding() > 0 || c.queue.size() > 0) return kNever;
  return c.heard_at + c.env.config.keepalive_idle + c.keepalive_probes * c.env.config.keepalive_interval;
}

void on_keepalive(Connection& c, Instant now) {
  if (c.keepalive_probes >= c.env.config.keepalive_probes) return reset_after_timeout(c, now);
  shrink_receive_buffer(c);
  shrink_send_buffer(c);
  ++c.keepalive_probes;
  c.env.stats.keepalive_probes.add();
  transmit(c, c.snd_nxt - 1, kAck, {}, now);  // below the peer's window: it must answer
}

}  // namespace sluice::l4::tcp
