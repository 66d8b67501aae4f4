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

// What nearly every path passes: RFC 8899's BASE_PLPMTU for UDP over IPv6, with room for a tunnel's header.
constexpr std::uint16_t kBaseMtu = 1280;

void use_mtu(Connection& c, std::uint16_t mtu) {
  const std::uint16_t mss = mss_of(mtu, c.flow.remote.address);
  if (mss >= c.snd_mss) return;
  c.snd_mss = mss;
  if (!c.synchronized()) return;
  c.congestion.mss = full_segment(c);
  // RFC 1191, 6.4: what was too big is lost without congestion.
  c.flight.mark_all_lost(false);
}

void on_too_big(Connection& c, std::uint16_t mtu) {
  use_mtu(c, std::max(mtu, c.flow.remote.address.is_v4() ? kLeastMtu4 : kLeastMtu6));
}

}  // namespace

void suspect_black_hole(Connection& c) {
  constexpr unsigned kTimeouts = 1;  // backed off before this one
  const SentSegment* head = c.flight.first();
  if (c.rtt.backoff() < kTimeouts || head == nullptr ||
      head->size() + kTimestampBytes < mss_of(kBaseMtu, c.flow.remote.address))
    return;
  const std::uint16_t before = c.snd_mss;
  use_mtu(c, kBaseMtu);
  if (c.snd_mss < before) c.env.stats.black_holes.add();
}

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
