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

/// What there is of a request while its head is not complete, or waits (kEarly). From a pool: one of many idle
/// connections has none.
struct UnfinishedHead {
  http1::RequestParser parser;
  Instant begun;
  Instant idle_until;             ///< The connection's, should nothing come but empty lines.
  std::uint16_t hello_wanted = 0; ///< TLS that is passed on: bytes of the ClientHello with which there is more to see.
};

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
  ~ClientSession() override;

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

  /// While the stream is open, and inside its on_closed.
  const FlowKey& flow() const { return stream_->flow(); }
  bool is_tls() const { return is_tls_; }
  /// Valid while the stream is open.
  ClientVerdict client_verdict() const;
  std::string_view tls_version() const {
    return is_tls_ ? tls().session().version : std::string_view();
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

  const tls::TlsStream& tls() const { return static_cast<const tls::TlsStream&>(*stream_); }
  void read_head(Instant now);
  void serve(const Listener* listener, bool early, Instant begun, Instant now);
  void await_rest(const UnfinishedHead& head, const Listener* listener, Instant now);
  Instant forget_head(const UnfinishedHead& head);
  void back_to_idle();
  void read_hello(Instant now);
  void head_timeout(Instant now);
  void become_idle(Instant now);
  void close_gracefully(Instant now);
  void linger_timeout(Instant now);
  void drop_input(Instant now);
  void abort(Instant now);

  WorkerState& worker_;
  l4::Stream* stream_ = nullptr;
  Exchange* exchange_ = nullptr;
  UnfinishedHead* head_ = nullptr;
  BufChain in_;
  Timer timer_;  // Handshake, idle, head, the exchange's wait for the client, or linger: by state.
  std::uint32_t index_ = 0;  // In WorkerState::sessions_.
  std::uint32_t requests_ = 0;
  std::optional<Limiter::Meters> metered_;  // Where it counts as open.
  std::uint32_t linger_bytes_ = 0;
  std::uint32_t unacked_seen_ = 0;
  std::uint8_t linger_rounds_ = 0;
  State state_ = State::kOpening;
  bool is_tls_ : 1 = false;
  bool peer_closed_ : 1 = false;
  bool ready_ : 1 = false;
  bool passthrough_ : 1 = false;  // TLS that is passed on: instead of requests there is one ClientHello.
};

}  // namespace sluice::l7::proxy
