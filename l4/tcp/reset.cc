// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/reset.h"

#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {

void send_reset(Connection& c) {
  Header h;
  h.seq = bare_seq(c);
  h.ack = c.rcv_nxt;
  h.flags = kRst | kAck;
  c.env.stats.resets_out.add();
  transmit_header(c.env, c.flow, h);
}

void reset_after_timeout(Connection& c, Instant now) {
  send_reset(c);
  finish(c, CloseReason::kTimeout, now);
}

void answer_with_reset(Env& env, const FlowKey& flow, const Segment& s) {
  if (s.rst()) return;
  Header h;
  if (s.has_ack()) {
    h.seq = s.ack();
    h.flags = kRst;
  } else {
    h.ack = s.seq() + s.length();
    h.flags = kRst | kAck;
  }
  env.stats.resets_out.add();
  transmit_header(env, flow, h);
}

void challenge_ack(Connection& c, Instant now) {
  if (now < c.next_challenge) return;
  c.next_challenge = now + kChallengeInterval;
  transmit_ack(c, now);
}

void acknowledge_unacceptable(Connection& c, const Segment& s, Instant now) {
  if (s.payload.empty()) return challenge_ack(c, now);
  transmit_ack(c, now);
}

}  // namespace sluice::l4::tcp
