// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "dataplane/base/timer_wheel.h"
#include "l4/stream.h"
#include "l7/http1/parser.h"
#include "l7/proxy/headers.h"
#include "l7/proxy/worker_state.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::proxy {

/// One client connection. Requests on it are served strictly one after the other; bytes behind the running
/// request stay in the input, unconsumed, so that TCP's window holds a client that pipelines.
///
///   kOpening -> kIdle -> kHead -> kExchange -> kIdle ...
///                 |        +-> kEarly -+   (the request was early data, and has to wait for the end of TLS' handshake)
///                 |        |          |
///                 +--------+----------+--> kClosing (FIN sent; what still comes is dropped, for a bounded
///                 time)
///                                     +--> kGone    (closed or aborted; freed at the next reap)
///
/// Owned by its WorkerState.
class ClientSession final : public l4::StreamEvents {
 public:
  explicit ClientSession(WorkerState& worker);

  /// Before any event. `tls` is the same stream when it is TLS, else null.
  void attach(l4::Stream& stream, const tls::TlsStream* tls, Instant now);

  /// Instead of attach(): there is no stream after all.
  void discard();

  // For the exchange that runs on this connection.
  l4::Stream& stream() { return *stream_; }
  BufChain& input() { return in_; }
  bool peer_closed() const { return peer_closed_; }
  void send(BufChain data, Instant now);
  /// The client has to send or to read within that time, or Exchange::on_client_timeout comes.
  void wait_for_client(Duration d, Instant now) { worker_.timers.arm(timer_, now + d); }
  void stop_waiting() { timer_.disarm(); }
  /// False: after the current response the connection ends (drain, last request allowed).
  bool may_keep_alive(std::uint32_t max_requests) const;
  /// The exchange is over and all of its response is with the stream.
  void exchange_done(bool keep_alive, Instant now);
  /// The exchange is over and the client must see that its response is not complete.
  void exchange_aborted(Instant now);

  const FlowKey& flow() const { return flow_; }
  bool is_tls() const { return tls_ != nullptr; }
  /// Valid while the stream is open.
  ClientVerdict client_verdict() const;
  std::string_view tls_version() const {
    return tls_ == nullptr ? std::string_view() : tls_->session().version;
  }

  // For WorkerState.
  void run_ready(Instant now);
  /// Closes the connection when no request has begun on it.
  void close_if_idle(Instant now);
  bool waits_for_client_acks() const;
  bool gone() const { return state_ == State::kGone; }

 private:
  friend struct WorkerState;
  enum class State : std::uint8_t { kOpening, kIdle, kHead, kEarly, kExchange, kClosing, kGone };

  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;
  void on_timer(Instant now);

  void read_head(Instant now);
  void serve(const Listener* listener, bool early, Instant now);
  bool begin_head(const Listener* listener, Instant now);
  void read_hello(Instant now);
  void head_timeout(Instant now);
  void become_idle(Instant now);
  void close_gracefully(Instant now);
  void linger_timeout(Instant now);
  void drop_input(Instant now);
  void abort(Instant now);

  WorkerState& worker_;
  l4::Stream* stream_ = nullptr;
  const tls::TlsStream* tls_ = nullptr;
  Exchange* exchange_ = nullptr;
  BufChain in_;
  http1::RequestParser parser_{http1::Limits{}};
  Timer timer_;  // Handshake, idle, head, the exchange's wait for the client, or linger: by state.
  Instant head_started_{}, idle_until_{};
  FlowKey flow_;
  std::size_t index_ = 0;  // In WorkerState::sessions_.
  ClientSession* next_dead_ = nullptr;
  std::size_t linger_bytes_ = 0;
  int linger_rounds_ = 0;
  std::size_t unacked_seen_ = 0;
  std::uint32_t requests_ = 0;
  std::optional<Limiter::Meters> metered_;  // Where it counts as open.
  State state_ = State::kOpening;
  bool peer_closed_ = false;
  bool ready_ = false;
  bool passthrough_ = false;          // TLS that is passed on: instead of requests there is one ClientHello.
  std::uint16_t hello_wanted_ = 0;    // Bytes with which there is more to see of it.
};

}  // namespace sluice::l7::proxy
