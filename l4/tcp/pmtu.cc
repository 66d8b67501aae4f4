// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/pmtu.h"

#include <algorithm>

#include "l4/tcp/handshake.h"
#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

// A path that passes less is not believed: RFC 1191's plateau above the minimum for IPv4, RFC 8200's minimum
// for IPv6.
constexpr std::uint16_t kLeastMtu4 = 552, kLeastMtu6 = 1280;

void on_too_big(Connection& c, std::uint16_t mtu) {
  const bool v4 = c.flow.remote.address.is_v4();
  const std::uint16_t mss = mss_of(std::max(mtu, v4 ? kLeastMtu4 : kLeastMtu6), c.flow.remote.address);
  if (mss >= c.snd_mss) return;
  c.snd_mss = mss;
  if (!c.synchronized()) return;
  c.congestion.mss = full_segment(c);
  // RFC 1191, 6.4: what was too big is lost without congestion.
  c.flight.mark_all_lost(false);
}

}  // namespace

void icmp_error_arrives(Connection& c, const net::IcmpError& e, Instant now) {
  const SeqNum quoted(e.tcp_seq);
  if (quoted < c.snd_una || quoted >= c.snd_nxt) return;
  switch (e.kind) {
    case net::IcmpError::Kind::kTooBig:
      return on_too_big(c, e.mtu);
    case net::IcmpError::Kind::kUnreachable:
    case net::IcmpError::Kind::kPortUnreachable:
      if (c.state == State::kSynSent) finish(c, CloseReason::kUnreachable, now);
      return;
    case net::IcmpError::Kind::kTimeExceeded:
      return;
  }
}

}  // namespace sluice::l4::tcp
