// SPDX-License-Identifier: Apache-2.0
#include "pktgen-scripts/streams/client.h"

#include <fmt/format.h>

#include <utility>

#include "pktgen-scripts/streams/stream_app.h"

namespace sluice::pktgen {
namespace {

constexpr Duration kSlowReadEvery = std::chrono::milliseconds(5);

Failure failure_of(l4::CloseReason r) {
  switch (r) {
    case l4::CloseReason::kRefused:
      return Failure::kRefused;
    case l4::CloseReason::kUnreachable:
      return Failure::kUnreachable;
    case l4::CloseReason::kTimeout:
      return Failure::kConnect;
    case l4::CloseReason::kNoResources:
      return Failure::kResources;
    default:
      return Failure::kReset;
  }
}

Failure failure_of(Verdict v) {
  switch (v) {
    case Verdict::kStatus:
      return Failure::kStatus;
    case Verdict::kBody:
      return Failure::kBody;
    default:
      return Failure::kHead;
  }
}

}  // namespace

bool Client::slow() const { return app_.shape().read_rate != 0; }

bool Client::operating() const {
  return state_ == State::kBusy || (state_ == State::kOpening && app_.shape().connection_each());
}

// ---- What the application starts

void Client::open(Instant now) {
  state_ = State::kOpening;
  peer_closed_ = shut_ = false;
  reader_ = MessageReader();
  app_.wait(*this, now);
  const l4::tcp::ConnectResult r = app_.connect(index_, this, now);
  stream_ = r.stream;
  if (stream_ == nullptr) fail(failure_of(r.reason), "connect: " + std::string(l4::to_string(r.reason)), now);
}

void Client::start(Instant intended, Instant now) {
  intended_ = intended;
  if (state_ == State::kClosed) return open(now);
  send_request(now);
}

void Client::close(Instant now) {
  if (state_ == State::kClosed || state_ == State::kClosing) return;
  timer_.disarm();
  app_.wait(*this, now);
  state_ = State::kClosing;
  half_close(now);
}

void Client::timed_out(Instant now) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(app_.shape().timeout).count();
  switch (state_) {
    case State::kOpening:
      return fail(established_ || tls_ ? Failure::kTls : Failure::kConnect,
                  fmt::format("no connection to {} within {} ms", app_.target(), ms), now);
    case State::kClosing:
      return fail(Failure::kTimeout, fmt::format("the connection did not end within {} ms", ms), now);
    default:
      return fail(Failure::kTimeout, fmt::format("no whole answer within {} ms", ms), now);
  }
}

// ---- What the stream tells

void Client::on_open(Instant now) {
  if (state_ != State::kOpening) return;  // closed before it opened
  if (app_.tls() == nullptr) return established(now);
  tls_ = std::make_unique<TlsClient>(*app_.tls(), app_.buffers());
  shake_hands(now);
}

void Client::shake_hands(Instant now) {
  const TlsClient::Step step = tls_->handshake();
  send_ciphertext(now);
  if (step == TlsClient::Step::kFailed) return fail(Failure::kTls, tls_->error(), now);
  if (step == TlsClient::Step::kDone) established(now);
}

void Client::established(Instant now) {
  established_ = true;
  app_.opened();
  if (app_.shape().kind == Shape::Kind::kConnect) {
    // The first of many that resume waits for what they need.
    if (app_.shape().tls.resume && app_.tls()->session() == nullptr) {
      state_ = State::kBusy;
      return;
    }
    return completed(now);
  }
  if (app_.shape().connection_each()) return send_request(now);
  state_ = State::kReady;
  app_.ready(*this);
}

void Client::send_request(Instant now) {
  state_ = State::kBusy;
  app_.wait(*this, now);
  if (tls_ != nullptr) {
    if (!tls_->write(app_.request_bytes())) return fail(Failure::kTls, tls_->error(), now);
    return send_ciphertext(now);
  }
  BufChain request = app_.request();
  if (request.empty()) return fail(Failure::kResources, "out of packet buffers", now);
  stream_->send(std::move(request), now);
}

void Client::on_data(BufChain data, Instant now) {
  if (!slow()) return take(std::move(data), now);
  unread_.append(std::move(data));
  if (!timer_.armed()) app_.timers().arm(timer_, now + kSlowReadEvery);
}

void Client::read_slowly(Instant now) {
  const auto share = static_cast<std::size_t>(static_cast<double>(app_.shape().read_rate) * 1e-9 *
                                              static_cast<double>(kSlowReadEvery.count()));
  const std::size_t n = std::min(unread_.size(), std::max<std::size_t>(share, 1));
  BufChain data = unread_.take_front(n, app_.buffers());
  if (data.empty()) return fail(Failure::kResources, "out of packet buffers", now);
  take(std::move(data), now);
  if (stream_ == nullptr) return;
  if (!unread_.empty()) {
    if (!timer_.armed()) app_.timers().arm(timer_, now + kSlowReadEvery);
  } else if (peer_closed_) {
    on_peer_closed(now);
  }
}

void Client::take(BufChain data, Instant now) {
  const std::size_t n = data.size();
  app_.results().bytes.add(n);
  if (tls_ != nullptr) {
    tls_->receive(std::move(data));
    if (state_ == State::kOpening) shake_hands(now);
    if (tls_ != nullptr && state_ != State::kOpening) take_plaintext(now);
  } else {
    for (const rte_mbuf* m = data.front(); m != nullptr && stream_ != nullptr; m = BufChain::next(m)) {
      feed(BufChain::view(m), now);
    }
  }
  if (stream_ != nullptr) stream_->consumed(n, now);
}

void Client::take_plaintext(Instant now) {
  std::size_t got = 0;
  TlsClient::Step step;
  while ((step = tls_->read(got)) == TlsClient::Step::kDone) {
    feed(app_.tls()->scratch().first(got), now);
    if (tls_ == nullptr) return;  // that failed
  }
  if (step == TlsClient::Step::kFailed && state_ != State::kClosing)
    return fail(Failure::kTls, tls_->error(), now);
  send_ciphertext(now);
  const bool waits_for_session = state_ == State::kBusy && app_.shape().kind == Shape::Kind::kConnect;
  if (waits_for_session && app_.tls()->session() != nullptr) completed(now);
}

void Client::feed(std::span<const std::uint8_t> bytes, Instant now) {
  if (state_ == State::kClosing && app_.shape().kind == Shape::Kind::kConnect) return;
  if (state_ != State::kBusy) return fail(Failure::kHead, "bytes that nobody asked for", now);
  std::string why;
  const Verdict v = reader_.feed(bytes, app_.response_rules(), why);
  if (v == Verdict::kMore) return;
  if (v == Verdict::kComplete) return completed(now);
  fail(failure_of(v), "answer: " + why, now);
}

void Client::on_peer_closed(Instant now) {
  peer_closed_ = true;
  if (!unread_.empty()) return;  // read_slowly() comes back
  switch (state_) {
    case State::kBusy:
      return fail(Failure::kClosedEarly, "closed by the target while an answer was due", now);
    case State::kOpening:
      return fail(tls_ != nullptr ? Failure::kTls : Failure::kClosedEarly,
                  "closed by the target while opening", now);
    case State::kReady:
      if (app_.shape().kind == Shape::Kind::kIdle) {
        return fail(Failure::kClosedEarly, "an idle connection was closed by the target", now);
      }
      return close(now);
    default:
      return half_close(now);
  }
}

void Client::on_closed(l4::CloseReason reason, Instant now) {
  stream_ = nullptr;
  if (state_ == State::kClosing && reason == l4::CloseReason::kNormal) return gone(now);
  const char* const when = state_ == State::kOpening ? "connecting"
                           : state_ == State::kBusy  ? "an answer was due"
                                                     : "idle or closing";
  const Failure f = state_ != State::kOpening && reason == l4::CloseReason::kTimeout ? Failure::kTimeout
                                                                                     : failure_of(reason);
  fail(f, fmt::format("{} while {} ({})", l4::to_string(reason), when, app_.target()), now);
}

// ---- Ends

void Client::completed(Instant now) {
  app_.completed(now - intended_);
  if (app_.shape().connection_each() || reader_.close()) {
    state_ = State::kClosing;
    app_.wait(*this, now);
    // Of a lone request the server ends the connection, as it was asked to.
    if (app_.shape().kind == Shape::Kind::kConnect || peer_closed_) half_close(now);
    return;
  }
  state_ = State::kReady;
  if (app_.shape().think == Duration::zero()) return app_.ready(*this);
  app_.leave(*this);
  app_.timers().arm(timer_, now + app_.shape().think);
}

void Client::half_close(Instant now) {
  if (std::exchange(shut_, true) || stream_ == nullptr) return;
  if (tls_ != nullptr) {
    tls_->close_notify();
    send_ciphertext(now);
  }
  stream_->shutdown(now);
}

void Client::fail(Failure f, std::string why, Instant now) {
  app_.results().fail(f, std::move(why));
  if (stream_ != nullptr) std::exchange(stream_, nullptr)->abort(now);
  gone(now);
}

void Client::gone(Instant) {
  timer_.disarm();
  tls_.reset();
  unread_.clear();
  state_ = State::kClosed;
  app_.closed(*this, std::exchange(established_, false));
}

void Client::send_ciphertext(Instant now) {
  BufChain out = tls_->output();
  if (!out.empty() && stream_ != nullptr) stream_->send(std::move(out), now);
}

void Client::on_timer(void* self, Instant now) {
  auto& c = *static_cast<Client*>(self);
  if (!c.unread_.empty()) return c.read_slowly(now);
  if (c.state_ == State::kReady) c.app_.ready(c);
}

}  // namespace sluice::pktgen
