// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/limiter.h"

namespace sluice::l7::proxy {

using limits::Refusal;

std::optional<DropReason> Limiter::refuses(const Listener& listener, const IpAddr& source, Instant now) {
  const Metered &own = listener.own, &all = listener.balancer;
  for (const Metered* m : {&own, &all}) {
    if (!full(*m)) continue;
    refuse(*m, Refusal::kMaxConnections);
    return DropReason::kTcpMaxConnections;
  }
  if (const auto rate = all.limits.connections_per_second;
      rate != 0 && !meters_.rates(all.slot).connections.has(row(all).connection_tokens, rate, now)) {
    refuse(all, Refusal::kConnectionRate);
    return DropReason::kTcpConnectionRate;
  }
  // Its first act would be a handshake.
  if (const auto rate = own.limits.handshakes_per_second;
      rate != 0 && !meters_.rates(own.slot).handshakes.has(row(own).handshake_tokens, rate, now)) {
    refuse(own, Refusal::kHandshakeRate);
    return DropReason::kTcpHandshakeRate;
  }
  if (const auto rate = own.limits.connections_per_second_per_source;
      rate != 0 && !listener.source_rates->has(source, rate, now)) {
    refuse(own, Refusal::kSourceRate);
    return DropReason::kTcpSourceRate;
  }
  return std::nullopt;
}

bool Limiter::admit(const Listener& listener, const IpAddr& source, Instant now) {
  const Metered &own = listener.own, &all = listener.balancer;
  for (const Metered* m : {&own, &all}) {
    if (full(*m)) return refuse(*m, Refusal::kMaxConnections);
  }
  // The source first: what one does too much is not charged to all.
  if (const auto rate = own.limits.connections_per_second_per_source;
      rate != 0 && !listener.source_rates->take_overdrawn(source, rate, now)) {
    return refuse(own, Refusal::kSourceRate);
  }
  if (const auto rate = all.limits.connections_per_second;
      rate != 0 && !meters_.rates(all.slot).connections.take_overdrawn(row(all).connection_tokens, rate,
                                                                       meters_.workers(), now)) {
    return refuse(all, Refusal::kConnectionRate);
  }
  return true;
}

bool Limiter::begin_handshake(const Listener& listener, Instant now) {
  const Metered& own = listener.own;
  const auto rate = own.limits.handshakes_per_second;
  if (rate == 0) return true;
  auto& bucket = meters_.rates(own.slot).handshakes;
  if (bucket.take_overdrawn(row(own).handshake_tokens, rate, meters_.workers(), now)) return true;
  return refuse(own, Refusal::kHandshakeRate);
}

bool Limiter::begin_request(const Listener& listener, Instant now) {
  const Metered& all = listener.balancer;
  Row& mine = row(all);
  mine.requests.add();
  const auto rate = all.limits.requests_per_second;
  if (rate == 0) return true;
  if (meters_.rates(all.slot).requests.take(mine.request_tokens, rate, meters_.workers(), now)) return true;
  return refuse(all, Refusal::kRequestRate);
}

Limiter::Meters Limiter::opened(const Listener& listener) {
  for (const Metered* m : {&listener.own, &listener.balancer}) {
    row(*m).connections.add();
    row(*m).active.add();
  }
  return {listener.own.slot, listener.balancer.slot};
}

void Limiter::closed(const Meters& meters) {
  for (const MeterSlot s : {meters.own, meters.balancer}) meters_.at(s, worker_).active.sub();
}

}  // namespace sluice::l7::proxy
