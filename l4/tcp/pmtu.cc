// SPDX-License-Identifier: Apache-2.0
#include "l4/tcp/pmtu.h"

#include <algorithm>
#include <utility>

#include "l4/tcp/connection.h"
#include "l4/tcp/handshake.h"
#include "l4/tcp/sender.h"
#include "l4/tcp/state.h"
#include "l4/tcp/transmit.h"

namespace sluice::l4::tcp {
namespace {

// A path that passes less is not believed: RFC 1191's plateau above the minimum for IPv4, RFC 8200's minimum
// for IPv6.
constexpr std::uint16_t kLeastMtu4 = 552, kLeastMtu6 = 1280;

// What nearly every path passes: RFC 8899's BASE_PLPMTU for UDP over IPv6, with room for a tunnel's header.
constexpr std::uint16_t kBaseMtu = 1280;

// RFC 8201, 4: a larger MTU is not tried within five minutes after a message said so, better ten. What only
// timeouts suggested may have been an outage.
constexpr Duration kAskAgain = std::chrono::minutes(10), kDoubtBlackHole = std::chrono::seconds(30);

void use_mtu(Connection& c, std::uint16_t mtu, Instant probe_at) {
  const std::uint16_t mss = mss_of(mtu, c.flow.remote.address);
  if (mss >= c.snd_mss) return;
  c.pmtu.ceiling = std::max(c.pmtu.ceiling, c.snd_mss);
  c.pmtu.refused = c.pmtu.probing = 0;
  c.pmtu.probe_at = probe_at;
  c.snd_mss = mss;
  if (!c.synchronized()) return;
  c.congestion.mss = full_segment(c);
  // RFC 1191, 6.4: what was too big is lost without congestion.
  c.flight.mark_all_lost(false);
}

void on_too_big(Connection& c, std::uint16_t mtu, Instant now) {
  const std::uint16_t told = std::max(mtu, c.flow.remote.address.is_v4() ? kLeastMtu4 : kLeastMtu6);
  // Of a probe: how large the next one is to be.
  const std::uint16_t mss = mss_of(told, c.flow.remote.address);
  if (mss > c.snd_mss && mss < c.pmtu.probing) c.pmtu.ceiling = mss;
  use_mtu(c, told, now + kAskAgain);
}

void probe_failed(Connection& c, Instant now) {
  constexpr std::uint16_t kNearEnough = 32;
  PathMtu& p = c.pmtu;
  const bool told = p.ceiling < p.probing;
  p.refused = told || p.probing - c.snd_mss <= kNearEnough ? 0 : p.probing;
  p.probing = 0;
  p.probe_at = told ? now : now + kAskAgain;
}

}  // namespace

void suspect_black_hole(Connection& c, Instant now) {
  constexpr unsigned kTimeouts = 1;  // backed off before this one
  const SentSegment* head = c.flight.first();
  if (c.rtt.backoff() < kTimeouts || head == nullptr ||
      head->size() + kTimestampBytes < mss_of(kBaseMtu, c.flow.remote.address))
    return;
  const std::uint16_t before = c.snd_mss;
  use_mtu(c, kBaseMtu, now + kDoubtBlackHole);
  if (c.snd_mss < before) c.env.stats.black_holes.add();
}

std::uint32_t mtu_probe_size(Connection& c, std::uint32_t usual, std::uint32_t left, std::uint32_t room,
                             Instant now) {
  PathMtu& p = c.pmtu;
  if (p.probing != 0) {  // nothing was heard of the last one
    probe_failed(c, now);
    return usual;
  }
  const std::uint32_t mss = p.refused == 0 ? p.ceiling : (c.snd_mss + p.refused) / 2u;
  const std::uint32_t size = mss - (c.snd_mss - usual);
  // As much has to follow as shows, by what arrives, that the probe did not.
  const std::uint32_t window = distance(c.snd_nxt, c.snd_una + c.snd_wnd);
  const bool safe = c.recovery.phase == Recovery::Phase::kOpen && c.flight.lost() == 0;
  return safe && std::min({left, room, window}) >= size + 4 * usual ? size : usual;
}

void mtu_probe_sent(Connection& c, SeqNum begin, std::uint32_t size, Instant now) {
  c.pmtu.probing = static_cast<std::uint16_t>(c.snd_mss + (size - segment_size(c)));
  c.pmtu.probe = begin;
  c.pmtu.probe_at = now + kAskAgain;
  c.env.stats.mtu_probes.add();
}

void mtu_probe_delivered(Connection& c, const SentSegment& s, Instant now) {
  PathMtu& p = c.pmtu;
  if (p.probing == 0 || s.begin != p.probe) return;
  if (s.again) return probe_failed(c, now);
  c.snd_mss = std::exchange(p.probing, 0);
  c.congestion.mss = full_segment(c);
  p.probe_at = c.snd_mss < p.ceiling ? now + kAskAgain : kNever;
}

bool mtu_probe_alone_is_lost(const Connection& c) {
  const SentSegment* s = c.flight.first_lost();
  return c.pmtu.probing != 0 && s != nullptr && s->begin == c.pmtu.probe && s->size() == c.flight.lost();
}

void icmp_error_arrives(Connection& c, const net::IcmpError& e, Instant now) {
  const SeqNum quoted(e.tcp_seq);
  if (quoted < c.snd_una || quoted >= c.snd_nxt) return;
  switch (e.kind) {
    case net::IcmpError::Kind::kTooBig:
      return on_too_big(c, e.mtu, now);
    case net::IcmpError::Kind::kUnreachable:
    case net::IcmpError::Kind::kPortUnreachable:
      if (c.state == State::kSynSent) finish(c, CloseReason::kUnreachable, now);
      return;
    case net::IcmpError::Kind::kTimeExceeded:
      return;
  }
}

}  // namespace sluice::l4::tcp
