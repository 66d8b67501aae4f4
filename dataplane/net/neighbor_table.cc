// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/neighbor_table.h"

#include <bit>
#include <utility>

namespace sluice::net {

NeighborTable::Entry::Entry(NeighborTable& table, PortId p, const IpAddr& a)
    : owner(table),
      port(p),
      address(a),
      timer(
          [](void* self, Instant now) {
            auto& e = *static_cast<Entry*>(self);
            e.owner.on_timer(e, now);
          },
          this) {}

NeighborTable::NeighborTable(const Limits& limits, TimerWheel& timers, DropCounters& drops,
                             NeighborActions& actions)
    : limits_(limits),
      timers_(timers),
      drops_(drops),
      actions_(actions),
      buckets_(std::bit_ceil(limits.neighbors)),
      entries_(limits.neighbors, 64),
      pending_(limits.pending, 64) {}

NeighborTable::~NeighborTable() {
  while (oldest_ != nullptr) {
    Entry& e = *oldest_;
    while (Pending* p = pop_pending(e)) pending_.destroy(p);
    unlink_age(e);
    entries_.destroy(&e);
  }
}

std::size_t NeighborTable::bucket_of(PortId port, const IpAddr& address) const {
  return hash_value(Endpoint{address, static_cast<std::uint16_t>(port.value)}, 0) & (buckets_.size() - 1);
}

NeighborTable::Entry* NeighborTable::find(PortId port, const IpAddr& address) const {
  Entry* e = buckets_[bucket_of(port, address)];
  while (e != nullptr && (e->address != address || e->port != port)) e = e->chain;
  return e;
}

std::optional<NeighborTable::State> NeighborTable::state(PortId port, const IpAddr& address) const {
  const Entry* e = find(port, address);
  if (e == nullptr) return std::nullopt;
  return e->state;
}

const MacAddr* NeighborTable::lookup(PortId port, const IpAddr& address, Instant now) {
  Entry* e = find(port, address);
  if (e == nullptr) return nullptr;
  e->used = true;
  switch (e->state) {
    case State::kReachable:
    case State::kProbing:
      return &e->mac;
    case State::kStale:
      probe(*e, false, now);
      return &e->mac;
    case State::kIncomplete:
    case State::kFailed:
      return nullptr;
  }
  return nullptr;
}

void NeighborTable::enqueue(PortId port, const IpAddr& address, OutPacket packet, Instant now) {
  Entry* e = find(port, address);
  if (e == nullptr) {
    if (entries_.live() == entries_.limit()) evict_one(now);
    e = create(port, address);
    if (e == nullptr) return drops_.add(DropReason::kNeighborQueueFull);
    enter(*e, State::kIncomplete, now);
    solicit(*e, now);
  }
  if (e->state == State::kFailed) return drops_.add(DropReason::kNeighborUnresolved);
  if (e->waiting == limits_.pending_per_neighbor) {
    pending_.destroy(pop_pending(*e));
    drops_.add(DropReason::kNeighborQueueFull);
  }
  Pending* p = pending_.create();
  if (p == nullptr) return drops_.add(DropReason::kNeighborQueueFull);
  p->packet = std::move(packet);
  (e->last == nullptr ? e->first : e->last->next) = p;
  e->last = p;
  ++e->waiting;
}

bool NeighborTable::update(const NeighborUpdate& u, Instant now) {
  using Kind = NeighborUpdate::Kind;
  Entry* e = find(u.port, u.address);
  if (e == nullptr) {
    if (u.kind != Kind::kAsked || entries_.live() >= limits_.neighbors / 4 * 3) return false;
    e = create(u.port, u.address);
    if (e == nullptr) return false;
    e->mac = u.mac;
    enter(*e, State::kStale, now);
    return true;
  }
  if (e->state == State::kIncomplete || e->state == State::kFailed) {
    e->mac = u.mac;
    enter(*e, u.kind == Kind::kAnswered ? State::kReachable : State::kStale, now);
    flush(*e, now);
    return true;
  }
  if (e->mac == u.mac) {
    if (u.kind != Kind::kAnswered) return true;
    enter(*e, State::kReachable, now);
    return true;
  }
  // Another link address. Believed only when everybody was asked, that is after the known one kept silent.
  if (u.kind == Kind::kAnswered && u.override_mac && e->state == State::kProbing && e->solicits > kSolicits) {
    e->mac = u.mac;
    enter(*e, State::kReachable, now);
    return true;
  }
  if (!u.override_mac || (e->state == State::kProbing && (e->contested || e->solicits > kSolicits)))
    return false;
  probe(*e, true, now);
  return true;
}

void NeighborTable::forget(PortId port) {
  for (Entry* e = oldest_; e != nullptr; e = e->newer) {
    if (e->port != port || (e->state != State::kReachable && e->state != State::kProbing)) continue;
    e->state = State::kStale;
    e->contested = false;
  }
}

/// The one place where a state changes, with the time that it may last.
void NeighborTable::enter(Entry& e, State next, Instant now) {
  e.state = next;
  e.contested = false;
  e.used = false;
  e.solicits = 0;
  unlink_age(e);
  link_newest(e);
  switch (next) {
    case State::kReachable:
      timers_.arm(e.timer, now + kReachableTime);
      break;
    case State::kStale:
      timers_.arm(e.timer, now + kStaleTime);
      break;
    case State::kFailed:
      timers_.arm(e.timer, now + kFailedTime);
      break;
    case State::kIncomplete:
    case State::kProbing:
      break;  // solicit() arms
  }
}

void NeighborTable::probe(Entry& e, bool contested, Instant now) {
  enter(e, State::kProbing, now);
  e.contested = contested;
  // Contested: one unicast request, then everybody.
  e.solicits = contested ? kSolicits - 1 : 0;
  solicit(e, now);
}

void NeighborTable::solicit(Entry& e, Instant now) {
  const bool unicast = e.state == State::kProbing && e.solicits < kSolicits;
  timers_.arm(e.timer, now + (e.contested && unicast ? kContest : kRetransmit));
  ++e.solicits;
  actions_.solicit(e.port, e.address, unicast ? &e.mac : nullptr, now);
}

void NeighborTable::on_timer(Entry& e, Instant now) {
  switch (e.state) {
    case State::kReachable:
      if (e.used) return probe(e, false, now);
      return enter(e, State::kStale, now);
    case State::kStale:
    case State::kFailed:
      return remove(e, now);
    case State::kIncomplete:
      if (e.solicits < kSolicits) return solicit(e, now);
      break;
    case State::kProbing:
      if (e.solicits < 2 * kSolicits) return solicit(e, now);
      break;
  }
  enter(e, State::kFailed, now);
  fail_pending(e, now);
}

NeighborTable::Entry* NeighborTable::create(PortId port, const IpAddr& address) {
  Entry* e = entries_.create(*this, port, address);
  if (e == nullptr) return nullptr;
  Entry*& head = buckets_[bucket_of(port, address)];
  e->chain = std::exchange(head, e);
  link_newest(*e);
  return e;
}

void NeighborTable::remove(Entry& e, Instant now) {
  Entry** at = &buckets_[bucket_of(e.port, e.address)];
  while (*at != &e) at = &(*at)->chain;
  *at = e.chain;
  unlink_age(e);
  fail_pending(e, now);
  entries_.destroy(&e);
}

/// The entry that changed longest ago goes, of those that are neither in use nor being asked: a flood from spoofed
/// on-link sources must not push out the gateway.
void NeighborTable::evict_one(Instant now) {
  for (Entry* e = oldest_; e != nullptr; e = e->newer) {
    if (e->state != State::kFailed && e->state != State::kStale) continue;
    return remove(*e, now);
  }
}

void NeighborTable::flush(Entry& e, Instant now) {
  const PortId port = e.port;
  const MacAddr mac = e.mac;
  while (Pending* p = pop_pending(e)) {
    OutPacket packet = std::move(p->packet);
    pending_.destroy(p);
    actions_.resolved(port, mac, std::move(packet), now);
  }
}

void NeighborTable::fail_pending(Entry& e, Instant now) {
  while (Pending* p = pop_pending(e)) {
    OutPacket packet = std::move(p->packet);
    pending_.destroy(p);
    drops_.add(DropReason::kNeighborUnresolved);
    actions_.unresolved(std::move(packet), now);
  }
}

NeighborTable::Pending* NeighborTable::pop_pending(Entry& e) {
  Pending* p = e.first;
  if (p == nullptr) return nullptr;
  e.first = p->next;
  if (e.first == nullptr) e.last = nullptr;
  --e.waiting;
  return p;
}

void NeighborTable::link_newest(Entry& e) {
  e.older = newest_;
  e.newer = nullptr;
  (newest_ == nullptr ? oldest_ : newest_->newer) = &e;
  newest_ = &e;
}

void NeighborTable::unlink_age(Entry& e) {
  (e.older == nullptr ? oldest_ : e.older->newer) = e.newer;
  (e.newer == nullptr ? newest_ : e.newer->older) = e.older;
  e.older = e.newer = nullptr;
}

}  // namespace sluice::net
