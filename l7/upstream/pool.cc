// SPDX-License-Identifier: Apache-2.0
#include "l7/upstream/pool.h"

#include <utility>

namespace sluice::l7::upstream {
namespace {

/// How long a closing connection waits for the peer's FIN before it is reset.
constexpr Duration kCloseWait = std::chrono::seconds(5);

ConnectFailure failure_of(l4::CloseReason reason) {
  switch (reason) {
    case l4::CloseReason::kRefused:
      return ConnectFailure::kRefused;
    case l4::CloseReason::kUnreachable:
      return ConnectFailure::kUnreachable;
    case l4::CloseReason::kTimeout:
      return ConnectFailure::kTimeout;
    case l4::CloseReason::kNoResources:
      return ConnectFailure::kNoResources;
    case l4::CloseReason::kProtocolError:
      return ConnectFailure::kTls;
    case l4::CloseReason::kNormal:
    case l4::CloseReason::kPeerReset:
      return ConnectFailure::kReset;
  }
  return ConnectFailure::kReset;
}

}  // namespace

std::string_view to_string(ConnectFailure f) {
  switch (f) {
    case ConnectFailure::kNone:
      return "none";
    case ConnectFailure::kRefused:
      return "connection_refused";
    case ConnectFailure::kUnreachable:
      return "unreachable";
    case ConnectFailure::kTimeout:
      return "connect_timeout";
    case ConnectFailure::kReset:
      return "reset_while_connecting";
    case ConnectFailure::kNoResources:
      return "no_resources";
    case ConnectFailure::kTls:
      return "tls";
  }
  return "none";
}

Connection::Connection(Pool& pool, const Target& target, ConnectionUser* user)
    : pool_(pool),
      user_(user),
      timer_([](void* self, Instant now) { static_cast<Connection*>(self)->on_timer(now); }, this),
      address_(target.address),
      tls_(target.tls),
      slot_(target.slot) {}

void Connection::on_open(Instant now) {
  if (state_ != State::kConnecting) return;
  state_ = State::kBusy;
  timer_.disarm();
  pool_.backends_.at(slot_, pool_.worker_).connections.add();
  user_->on_upstream_open(now);
}

void Connection::on_data(BufChain data, Instant now) {
  switch (state_) {
    case State::kBusy:
      user_->on_upstream_data(std::move(data), now);
      return;
    // Nothing was asked: an answer to nobody (RFC 9112, 9.2) must never become the next request's.
    case State::kIdle:
      pool_.abort(this, now);
      return;
    case State::kClosing:
      stream_->consumed(data.size(), now);
      return;
    case State::kConnecting:
    case State::kGone:
      return;
  }
}

void Connection::on_writable(Instant now) {
  if (state_ == State::kBusy) user_->on_upstream_writable(now);
}

void Connection::on_peer_closed(Instant now) {
  peer_closed_ = true;
  if (state_ == State::kBusy)
    user_->on_upstream_peer_closed(now);
  else if (state_ == State::kIdle)
    pool_.close(this, now);
}

void Connection::on_closed(l4::CloseReason reason, Instant now) {
  stream_ = nullptr;
  const std::string_view detail = tls_stream_ == nullptr ? std::string_view() : tls_stream_->last_error();
  tls_stream_ = nullptr;
  const State was = state_;
  ConnectionUser* user = user_;
  pool_.gone(this);
  if (was == State::kConnecting) {
    pool_.backends_.at(slot_, pool_.worker_).connect_failures.add();
    user->on_connect_failed(failure_of(reason), detail, now);
  } else if (was == State::kBusy) {
    user->on_upstream_closed(reason, detail, now);
  }
}

void Connection::on_timer(Instant now) {
  switch (state_) {
    case State::kConnecting: {
      ConnectionUser* user = user_;
      pool_.backends_.at(slot_, pool_.worker_).connect_failures.add();
      pool_.abort(this, now);
      user->on_connect_failed(ConnectFailure::kTimeout, {}, now);
      return;
    }
    case State::kIdle:
      pool_.close(this, now);
      return;
    case State::kClosing:
      pool_.abort(this, now);
      return;
    case State::kBusy:
    case State::kGone:
      return;
  }
}

Pool::Pool(Connector& connector, TimerWheel& timers, BackendTable& backends, WorkerId worker,
           std::size_t max_connections)
    : connector_(connector),
      timers_(timers),
      backends_(backends),
      worker_(worker),
      connections_(max_connections) {}

Pool::~Pool() {
  while (!all_.empty()) destroy(all_.back());
}

void Pool::destroy(Connection* c) {
  all_[c->index_] = all_.back();
  all_[c->index_]->index_ = c->index_;
  all_.pop_back();
  connections_.destroy(c);
}

Connection* Pool::take_idle(BackendSlot slot, const Endpoint& address, const Tls& tls, ConnectionUser* user,
                            Instant now) {
  if (slot.value >= idle_lists_.size()) return nullptr;
  while (Connection* c = idle_lists_[slot.value].newest) {
    unlink_idle(c);
    c->timer_.disarm();
    c->state_ = Connection::State::kBusy;  // Out of the list, also for close().
    if (c->address_ == address && c->tls_ == tls) {
      c->user_ = user;
      c->reused_ = true;
      return c;
    }
    close(c, now);
  }
  return nullptr;
}

Connection* Pool::open(const Target& target, ConnectionUser* user, ConnectFailure* failure, Instant now) {
  Connection* c = connections_.create(*this, target, user);
  if (c == nullptr) {
    *failure = ConnectFailure::kNoResources;
    return nullptr;
  }
  const Connecting result = connector_.connect(target.address, target.tls, c, now);
  if (result.stream == nullptr) {
    backends_.at(target.slot, worker_).connect_failures.add();
    *failure = failure_of(result.reason);
    connections_.destroy(c);
    return nullptr;
  }
  c->index_ = all_.size();
  all_.push_back(c);
  c->stream_ = result.stream;
  c->tls_stream_ = result.tls;
  timers_.arm(c->timer_, now + target.connect_timeout);
  return c;
}

void Pool::put_back(Connection* c, Duration keep_alive, std::size_t max_idle, Instant now) {
  c->user_ = nullptr;
  if (c->peer_closed_ || max_idle == 0 || keep_alive <= Duration::zero()) {
    close(c, now);
    return;
  }
  if (c->slot_.value >= idle_lists_.size()) idle_lists_.resize(c->slot_.value + 1);
  IdleList& list = idle_lists_[c->slot_.value];
  while (list.count >= max_idle) close(list.oldest, now);
  c->state_ = Connection::State::kIdle;
  c->prev_ = nullptr;
  c->next_ = list.newest;
  (list.newest == nullptr ? list.oldest : list.newest->prev_) = c;
  list.newest = c;
  ++list.count;
  ++idle_;
  timers_.arm(c->timer_, now + keep_alive);
}

void Pool::close(Connection* c, Instant now) {
  if (c->state_ == Connection::State::kIdle) unlink_idle(c);
  c->user_ = nullptr;
  c->state_ = Connection::State::kClosing;
  c->stream_->shutdown(now);
  timers_.arm(c->timer_, now + kCloseWait);
}

void Pool::abort(Connection* c, Instant now) {
  if (c->state_ == Connection::State::kGone) return;
  l4::Stream* stream = std::exchange(c->stream_, nullptr);
  c->tls_stream_ = nullptr;
  gone(c);
  if (stream != nullptr) stream->abort(now);
}

void Pool::close_idle(Instant now) {
  for (IdleList& list : idle_lists_) {
    while (list.newest != nullptr) close(list.newest, now);
  }
}

void Pool::reap() {
  while (dead_ != nullptr) {
    destroy(std::exchange(dead_, dead_->next_));
  }
}

void Pool::unlink_idle(Connection* c) {
  IdleList& list = idle_lists_[c->slot_.value];
  (c->prev_ == nullptr ? list.newest : c->prev_->next_) = c->next_;
  (c->next_ == nullptr ? list.oldest : c->next_->prev_) = c->prev_;
  c->prev_ = c->next_ = nullptr;
  --list.count;
  --idle_;
}

void Pool::gone(Connection* c) {
  if (c->state_ == Connection::State::kIdle) unlink_idle(c);
  c->state_ = Connection::State::kGone;
  c->user_ = nullptr;
  c->tls_ = nullptr;
  c->timer_.disarm();
  c->next_ = dead_;
  dead_ = c;
}

}  // namespace sluice::l7::upstream
