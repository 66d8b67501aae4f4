// SPDX-License-Identifier: Apache-2.0
#include "l7/proxy/client_session.h"

#include <utility>

#include "l7/http1/head_scanner.h"
#include "l7/proxy/exchange.h"

namespace sluice::l7::proxy {
namespace {

/// How long a closed connection may take to be closed by the client, too, and how much it may still send
/// meanwhile: enough that a client which is still sending its body reads our answer before a RST could
/// destroy it.
constexpr Duration kLinger = std::chrono::seconds(5);
constexpr std::uint32_t kLingerBytes = 1024 * 1024;

/// A client that acknowledges nothing of what is left for that long is given up.
constexpr int kMaxLingerRounds = 12;

}  // namespace

ClientSession::ClientSession(WorkerState& worker)
    : worker_(worker),
      timer_([](void* self, Instant now) { static_cast<ClientSession*>(self)->on_timer(now); }, this) {}

ClientSession::~ClientSession() {
  if (head_ != nullptr) worker_.heads.destroy(head_);
}

void ClientSession::attach(l4::Stream& stream, const tls::TlsStream* tls, Instant now) {
  stream_ = &stream;
  is_tls_ = tls != nullptr;
  const Listener* l = worker_.listener(flow().local);
  passthrough_ = l != nullptr && l->protocol == ListenerProtocol::kTlsPassthrough;
  if (l != nullptr) metered_ = worker_.limiter.opened(*l);
  worker_.timers.arm(timer_, now + (l == nullptr ? kLinger : l->header_timeout));
}

ClientVerdict ClientSession::client_verdict() const {
  if (!is_tls_) return {};
  const tls::SessionInfo info = tls().session();
  return {info.client_asked, info.client_certificate};
}

void ClientSession::discard() {
  state_ = State::kGone;
  worker_.session_gone(this);
}

void ClientSession::on_open(Instant now) {
  if (state_ == State::kOpening) become_idle(now);
}

void ClientSession::become_idle(Instant now) {
  state_ = State::kIdle;
  const Listener* l = worker_.listener(flow().local);
  if (l == nullptr || (worker_.draining && requests_ > 0)) {
    close_gracefully(now);
    return;
  }
  worker_.timers.arm(timer_, now + l->idle_timeout);
}

void ClientSession::on_data(BufChain data, Instant now) {
  worker_.stats.bytes_in.add(data.size());
  if (state_ == State::kClosing) {
    linger_bytes_ += static_cast<std::uint32_t>(data.size());
    if (linger_bytes_ > kLingerBytes)
      abort(now);
    else
      stream_->consumed(data.size(), now);
    return;
  }
  in_.append(std::move(data));
  http1::compact(in_, worker_.buffers);  // Tiny TLS records must not pin a buffer each.
  if (state_ == State::kExchange)
    exchange_->on_client_data(now);
  else if (state_ != State::kEarly && !ready_)
    read_head(now);
}

void ClientSession::on_writable(Instant now) {
  if (state_ == State::kExchange)
    exchange_->on_client_writable(now);
  else if (state_ == State::kEarly && tls().handshake_complete())
    serve(worker_.listener(flow().local), false, forget_head(*head_), now);
  else if ((state_ == State::kIdle || state_ == State::kHead) && !in_.empty())
    worker_.make_ready(this);
}

void ClientSession::on_peer_closed(Instant now) {
  peer_closed_ = true;
  switch (state_) {
    case State::kExchange:
      exchange_->on_client_half_closed(now);
      return;
    case State::kIdle:
      if (!in_.empty()) return;  // Pipelined requests wait for their turn; read_head() ends it after them.
      [[fallthrough]];
    case State::kOpening:
    case State::kHead:
      close_gracefully(now);
      return;
    case State::kEarly:  // It will have come with the end of the handshake.
    case State::kClosing:
    case State::kGone:
      return;
  }
}

void ClientSession::on_closed(l4::CloseReason, Instant now) {
  Exchange* x = std::exchange(exchange_, nullptr);
  if (state_ == State::kEarly)
    worker_.retire(x);  // Nothing has begun.
  else if (x != nullptr)
    x->on_client_gone(now);
  state_ = State::kGone;
  stream_ = nullptr;
  timer_.disarm();
  in_.clear();
  worker_.session_gone(this);
}

void ClientSession::run_ready(Instant now) {
  if (state_ == State::kIdle || state_ == State::kHead) read_head(now);
}

/// The head is not complete. `head` may be one on the stack.
void ClientSession::await_rest(const UnfinishedHead& head, const Listener* listener, Instant now) {
  if (head_ != nullptr) return;
  head_ = worker_.heads.create(head);
  state_ = State::kHead;
  worker_.timers.arm(timer_, now + listener->header_timeout);
}

/// When the head began that is complete now, or goes otherwise.
Instant ClientSession::forget_head(const UnfinishedHead& head) {
  const Instant begun = head.begun;
  if (head_ != nullptr) worker_.heads.destroy(std::exchange(head_, nullptr));
  return begun;
}

void ClientSession::read_hello(Instant now) {
  const Listener* listener = worker_.listener(flow().local);
  if (state_ == State::kIdle && listener == nullptr) return close_gracefully(now);
  UnfinishedHead fresh{http1::RequestParser({}), now, timer_.deadline()};
  UnfinishedHead& head = head_ == nullptr ? fresh : *head_;
  if (in_.size() < head.hello_wanted && !peer_closed_) return;
  const tls::ClientHello hello = tls::read_client_hello(in_);
  if (hello.result == tls::ClientHello::Result::kNeedMore) {
    head.hello_wanted = static_cast<std::uint16_t>(hello.wanted);
    return peer_closed_ ? close_gracefully(now) : await_rest(head, listener, now);
  }
  timer_.disarm();
  state_ = State::kExchange;
  exchange_ = worker_.take_exchange();
  exchange_->pass_through(*this, listener, hello, forget_head(head), now);
}

void ClientSession::read_head(Instant now) {
  if (passthrough_) return read_hello(now);
  if (stream_->send_space() == 0) return;  // A pipelining client that does not read: on_writable goes on.
  const Listener* listener = worker_.listener(flow().local);
  if (state_ == State::kIdle && listener == nullptr) return close_gracefully(now);
  UnfinishedHead fresh{http1::RequestParser(listener == nullptr ? http1::Limits() : listener->limits), now,
                       timer_.deadline()};
  UnfinishedHead& head = head_ == nullptr ? fresh : *head_;
  Exchange* x = worker_.take_exchange();
  const bool early = is_tls_ && tls().early();
  const std::size_t before = in_.size();
  const http1::ParseResult result = head.parser.parse(in_, x->request_storage(), x->request(), worker_.buffers);
  if (before != in_.size()) stream_->consumed(before - in_.size(), now);
  switch (result.status) {
    case http1::ParseStatus::kNeedMore:
      worker_.give_back(x);
      if (peer_closed_) return close_gracefully(now);
      if (in_.empty()) return back_to_idle();
      return await_rest(head, listener, now);
    case http1::ParseStatus::kError:
      timer_.disarm();
      state_ = State::kExchange;
      exchange_ = x;
      x->refuse(*this, listener, result.http_status, result.reason, forget_head(head), now);
      return;
    case http1::ParseStatus::kComplete:
      timer_.disarm();
      exchange_ = x;
      // RFC 8470, 3: what must not be served now is served later, on_writable. TLS has a time for that.
      if (early && !x->may_be_early() && !tls().handshake_complete()) {
        if (head_ == nullptr) head_ = worker_.heads.create(head);
        state_ = State::kEarly;
      } else {
        serve(listener, early && x->may_be_early(), forget_head(head), now);
      }
      return;
  }
}

/// Only empty lines have come, as may stand before a request (RFC 9112, 2.2): still idle, and no longer than before.
void ClientSession::back_to_idle() {
  if (head_ == nullptr) return;
  state_ = State::kIdle;
  worker_.timers.arm(timer_, head_->idle_until);
  forget_head(*head_);
}

void ClientSession::serve(const Listener* listener, bool early, Instant begun, Instant now) {
  state_ = State::kExchange;
  if (listener == nullptr)
    exchange_->refuse(*this, nullptr, 503, "listener_removed", begun, now);
  else
    exchange_->serve(*this, *listener, early, begun, now);
}

void ClientSession::send(BufChain data, Instant now) {
  worker_.stats.bytes_out.add(data.size());
  stream_->send(std::move(data), now);
}

bool ClientSession::may_keep_alive(std::uint32_t max_requests) const {
  return !worker_.draining && (max_requests == 0 || requests_ + 1 < max_requests);
}

void ClientSession::exchange_done(bool keep_alive, Instant now) {
  exchange_ = nullptr;
  ++requests_;
  timer_.disarm();
  if (!keep_alive || (peer_closed_ && in_.empty())) {
    close_gracefully(now);
    return;
  }
  become_idle(now);
  if (state_ == State::kIdle && !in_.empty()) worker_.make_ready(this);
}

void ClientSession::exchange_aborted(Instant now) {
  exchange_ = nullptr;
  if (state_ != State::kGone) abort(now);
}

void ClientSession::close_if_idle(Instant now) {
  if (state_ == State::kIdle && in_.empty()) close_gracefully(now);
}

bool ClientSession::waits_for_client_acks() const {
  switch (state_) {
    case State::kHead:
    case State::kEarly:
    case State::kExchange:
      return true;
    case State::kIdle:
      return !in_.empty();
    case State::kClosing:
      return stream_->unsent_or_unacked() > 0;
    case State::kOpening:
    case State::kGone:
      return false;
  }
  return false;
}

void ClientSession::on_timer(Instant now) {
  switch (state_) {
    case State::kOpening:
      abort(now);
      return;
    case State::kIdle:
      close_gracefully(now);
      return;
    case State::kHead:
      head_timeout(now);
      return;
    case State::kExchange:
      exchange_->on_client_timeout(now);
      return;
    case State::kClosing:
      linger_timeout(now);
      return;
    case State::kEarly:
    case State::kGone:
      return;
  }
}

void ClientSession::head_timeout(Instant now) {
  if (passthrough_) return close_gracefully(now);
  Exchange* x = worker_.take_exchange();
  state_ = State::kExchange;
  exchange_ = x;
  x->refuse(*this, worker_.listener(flow().local), 408, "header_timeout", forget_head(*head_), now);
}

void ClientSession::close_gracefully(Instant now) {
  state_ = State::kClosing;
  if (head_ != nullptr) forget_head(*head_);
  drop_input(now);
  linger_bytes_ = 0;
  linger_rounds_ = 0;
  stream_->shutdown(now);
  unacked_seen_ = static_cast<std::uint32_t>(stream_->unsent_or_unacked());
  worker_.timers.arm(timer_, now + kLinger);
}

void ClientSession::drop_input(Instant now) {
  const std::size_t n = in_.size();
  in_.clear();
  if (n > 0) stream_->consumed(n, now);
}

// A slow client may need long for the rest of a response: it gets it as long as it goes on reading.
void ClientSession::linger_timeout(Instant now) {
  const auto unacked = static_cast<std::uint32_t>(stream_->unsent_or_unacked());
  if (unacked == 0) {
    abort(now);
    return;
  }
  if (std::exchange(unacked_seen_, unacked) != unacked) linger_rounds_ = 0;
  if (++linger_rounds_ > kMaxLingerRounds)
    abort(now);
  else
    worker_.timers.arm(timer_, now + kLinger);
}

void ClientSession::abort(Instant now) {
  state_ = State::kGone;
  timer_.disarm();
  in_.clear();
  worker_.session_gone(this);
  std::exchange(stream_, nullptr)->abort(now);
}

}  // namespace sluice::l7::proxy
