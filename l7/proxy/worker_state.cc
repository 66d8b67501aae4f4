// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/worker_state.h"

#include <algorithm>
#include <utility>

#include "l7/proxy/client_session.h"
#include "l7/proxy/exchange.h"

namespace sluice::l7::proxy {

WorkerState::WorkerState(WorkerId worker, BufPool& buffer_pool, TimerWheel& wheel, Shared& shared_state,
                         upstream::Connector& connector, std::size_t max_connections)
    : id(worker),
      buffers(buffer_pool),
      timers(wheel),
      shared(shared_state),
      limiter(shared_state.meters, worker),
      pool(connector, wheel, shared_state.backends, worker, max_connections),
      heads(max_connections),
      random_(shared_state.process_seed[0] ^
              (shared_state.process_seed[1] + worker.value * 0x9e3779b97f4a7c15ull)),
      session_pool_(max_connections) {
  text.reserve(16 * 1024);
  cookie_text.reserve(16 * 1024);
}

WorkerState::~WorkerState() {
  reap();
  for (ClientSession* s : sessions_) session_pool_.destroy(s);
}

void WorkerState::adopt(const Snapshot* next, Instant now) {
  if (next == snapshot && (next == nullptr || next->revision == revision_)) return;
  snapshot = next;
  revision_ = next == nullptr ? 0 : next->revision;
  if (next == nullptr) return;
  for (const auto& [endpoint, l] : next->listeners) {
    if (l->router != nullptr) l->router->prepare(scratch);
  }
  for (std::size_t i = pickers_.size(); i < next->groups.size(); ++i) pickers_.emplace_back(random());
  close_sessions_without_listener(now);
}

void WorkerState::close_sessions_without_listener(Instant now) {
  const bool lost = std::any_of(endpoints_.begin(), endpoints_.end(),
                                [this](const Endpoint& e) { return !snapshot->listeners.contains(e); });
  endpoints_.clear();
  for (const auto& [endpoint, l] : snapshot->listeners) endpoints_.push_back(endpoint);
  if (!lost) return;
  for (ClientSession* s : sessions_) {
    if (!s->gone() && listener(s->flow().local) == nullptr) s->close_if_idle(now);
  }
}

void WorkerState::begin_drain(Instant now) {
  draining = true;
  for (ClientSession* s : sessions_) s->close_if_idle(now);
  pool.close_idle(now);
}

bool WorkerState::drained() const {
  if (exchanges_.size() != free_exchanges_.size()) return false;
  return std::none_of(sessions_.begin(), sessions_.end(),
                      [](const ClientSession* s) { return s->waits_for_client_acks(); });
}

ClientSession* WorkerState::new_session() {
  ClientSession* s = session_pool_.create(*this);
  if (s == nullptr) return nullptr;
  s->index_ = static_cast<std::uint32_t>(sessions_.size());
  sessions_.push_back(s);
  stats.connections.add();
  stats.connections_active.add();
  return s;
}

void WorkerState::session_gone(ClientSession* s) {
  stats.connections_active.sub();
  if (s->metered_) limiter.closed(*s->metered_);
  dead_sessions_.push_back(s);
}

void WorkerState::make_ready(ClientSession* s) {
  if (s->ready_) return;
  s->ready_ = true;
  ready_.push_back(s);
}

bool WorkerState::run_ready(Instant now) {
  if (ready_.empty()) return false;
  running_.swap(ready_);
  for (ClientSession* s : running_) {
    s->ready_ = false;
    s->run_ready(now);
  }
  running_.clear();
  return true;
}

Exchange* WorkerState::take_exchange() {
  if (free_exchanges_.empty()) {
    exchanges_.push_back(std::make_unique<Exchange>(*this));
    // Room for all of them, so that giving back never allocates.
    free_exchanges_.reserve(exchanges_.capacity());
    retired_exchanges_.reserve(exchanges_.capacity());
    return exchanges_.back().get();
  }
  Exchange* x = free_exchanges_.back();
  free_exchanges_.pop_back();
  return x;
}

void WorkerState::give_back(Exchange* x) { free_exchanges_.push_back(x); }
void WorkerState::retire(Exchange* x) { retired_exchanges_.push_back(x); }

void WorkerState::reap() {
  for (Exchange* x : retired_exchanges_) {
    x->clear();
    free_exchanges_.push_back(x);
  }
  retired_exchanges_.clear();
  pool.reap();
  if (dead_sessions_.empty()) return;
  std::erase_if(ready_, [](const ClientSession* s) { return s->gone(); });
  for (ClientSession* s : dead_sessions_) {
    sessions_[s->index_] = sessions_.back();
    sessions_[s->index_]->index_ = s->index_;
    sessions_.pop_back();
    session_pool_.destroy(s);
  }
  dead_sessions_.clear();
}

upstream::Picker& WorkerState::picker(GroupSlot g) { return pickers_[g.value]; }

std::uint64_t WorkerState::random() {
  // splitmix64 (Steele, Lea and Flood 2014).
  std::uint64_t z = (random_ += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

const Listener* WorkerState::listener(const Endpoint& local) const {
  if (snapshot == nullptr) return nullptr;
  const auto it = snapshot->listeners.find(local);
  return it == snapshot->listeners.end() ? nullptr : it->second.get();
}

}  // namespace sluice::l7::proxy
