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
constexpr std::size_t kLingerBytes = 1024 * 1024;

/// A client that acknowledges nothing of what is left for that long is given up.
constexpr int kMaxLingerRounds = 12;

}  // namespace

ClientSession::ClientSession(WorkerState& worker)
    : worker_(worker),
      timer_([](void* self, Instant now) { static_cast<ClientSession*>(self)->on_timer(now); }, this) {}

void ClientSession::attach(l4::Stream& stream, const tls::TlsStream* tls, Instant now) {
  stream_ = &stream;
  tls_ = tls;
  flow_ = stream.flow();
  const Listener* l = worker_.listener(flow_.local);
  passthrough_ = l != nullptr && l->protocol == ListenerProtocol::kTlsPassthrough;
  if (l != nullptr) metered_ = worker_.limiter.opened(*l);
  worker_.timers.arm(timer_, now + (l == nullptr ? kLinger : l->header_timeout));
}

ClientVerdict ClientSession::client_verdict() const {
  if (tls_ == nullptr) return {};
  const tls::SessionInfo info = tls_->session();
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
  const Listener* l = worker_.listener(flow_.local);
  if (l == nullptr || (worker_.draining && requests_ > 0)) {
    close_gracefully(now);
    return;
  }
  idle_until_ = now + l->idle_timeout;
  worker_.timers.arm(timer_, idle_until_);
}

void ClientSession::on_data(BufChain data, Instant now) {
  worker_.stats.bytes_in.add(data.size());
  if (state_ == State::kClosing) {
    linger_bytes_ += data.size();
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
  else if (state_ == State::kEarly && tls_->handshake_complete())
    serve(worker_.listener(flow_.local), false, now);
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
  tls_ = nullptr;
  timer_.disarm();
  in_.clear();
  worker_.session_gone(this);
}

void ClientSession::run_ready(Instant now) {
  if (state_ == State::kIdle || state_ == State::kHead) read_head(now);
}

/// False: there is no listener any more, and the connection ends.
bool ClientSession::begin_head(const Listener* listener, Instant now) {
  if (listener == nullptr) {
    close_gracefully(now);
    return false;
  }
  state_ = State::kHead;
  head_started_ = now;
  worker_.timers.arm(timer_, now + listener->header_timeout);
  return true;
}

void ClientSession::read_hello(Instant now) {
  const Listener* listener = worker_.listener(flow_.local);
  if (state_ == State::kIdle && !begin_head(listener, now)) return;
  if (in_.size() < hello_wanted_ && !peer_closed_) return;
  const tls::ClientHello hello = tls::read_client_hello(in_);
  if (hello.result == tls::ClientHello::Result::kNeedMore) {
    hello_wanted_ = static_cast<std::uint16_t>(hello.wanted);
    if (peer_closed_) close_gracefully(now);
    return;
  }
  timer_.disarm();
  state_ = State::kExchange;
  exchange_ = worker_.take_exchange();
  exchange_->pass_through(*this, listener, hello, head_started_, now);
}

void ClientSession::read_head(Instant now) {
  if (passthrough_) return read_hello(now);
  if (stream_->send_space() == 0) return;  // A pipelining client that does not read: on_writable goes on.
  const Listener* listener = worker_.listener(flow_.local);
  if (state_ == State::kIdle) {
    if (!begin_head(listener, now)) return;
    parser_ = http1::RequestParser(listener->limits);
  }
  Exchange* x = worker_.take_exchange();
  const bool early = tls_ != nullptr && tls_->early();
  const std::size_t before = in_.size();
  const http1::ParseResult result = parser_.parse(in_, x->request_storage(), x->request(), worker_.buffers);
  if (before != in_.size()) stream_->consumed(before - in_.size(), now);
  switch (result.status) {
    case http1::ParseStatus::kNeedMore:
      worker_.give_back(x);
      if (peer_closed_) {
        close_gracefully(now);
      } else if (in_.empty()) {
        // Only empty lines, as may stand before a request (RFC 9112, 2.2): still idle, and no longer than
        // before.
        state_ = State::kIdle;
        worker_.timers.arm(timer_, idle_until_);
      }
      return;
    case http1::ParseStatus::kError:
      timer_.disarm();
      state_ = State::kExchange;
      exchange_ = x;
      x->refuse(*this, listener, result.http_status, result.reason, head_started_, now);
      return;
    case http1::ParseStatus::kComplete:
      timer_.disarm();
      exchange_ = x;
      // RFC 8470, 3: what must not be served now is served later, on_writable. TLS has a time for that.
      if (early && !x->may_be_early() && !tls_->handshake_complete())
        state_ = State::kEarly;
      else
        serve(listener, early && x->may_be_early(), now);
      return;
  }
}

void ClientSession::serve(const Listener* listener, bool early, Instant now) {
  state_ = State::kExchange;
  if (listener == nullptr)
    exchange_->refuse(*this, nullptr, 503, "listener_removed", head_started_, now);
  else
    exchange_->serve(*this, *listener, early, head_started_, now);
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
  x->refuse(*this, worker_.listener(flow_.local), 408, "header_timeout", head_started_, now);
}

void ClientSession::close_gracefully(Instant now) {
  state_ = State::kClosing;
  drop_input(now);
  linger_bytes_ = 0;
  linger_rounds_ = 0;
  stream_->shutdown(now);
  unacked_seen_ = stream_->unsent_or_unacked();
  worker_.timers.arm(timer_, now + kLinger);
}

void ClientSession::drop_input(Instant now) {
  const std::size_t n = in_.size();
  in_.clear();
  if (n > 0) stream_->consumed(n, now);
}

// A slow client may need long for the rest of a response: it gets it as long as it goes on reading.
void ClientSession::linger_timeout(Instant now) {
  const std::size_t unacked = stream_->unsent_or_unacked();
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
  tls_ = nullptr;
  worker_.session_gone(this);
  std::exchange(stream_, nullptr)->abort(now);
}

}  // namespace sluice::l7::proxy
