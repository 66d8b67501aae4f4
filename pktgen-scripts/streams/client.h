// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/timer_wheel.h"
#include "l4/stream.h"
#include "pktgen-scripts/framing.h"
#include "pktgen-scripts/streams/list.h"
#include "pktgen-scripts/streams/tls_client.h"
#include "pktgen-scripts/window.h"

namespace sluice::pktgen {

class StreamApp;

/// One client: a connection at a time, an operation at a time. The application starts what it does; it tells
/// the application what came of it.
///
///            open()             handshakes done           start()
///   kClosed -------> kOpening ------------------> kReady --------> kBusy --+
///      ^                 |    (an operation that     ^               |     |
///      |                 |     has its connection:   +-- keep-alive -+     | the connection's last
///      |                 +---> kBusy at once)                              | operation
///      +------------------------------ kClosing <--------------------------+
class Client final : public l4::StreamEvents {
 public:
  enum class State : std::uint8_t { kClosed, kOpening, kReady, kBusy, kClosing };

  Client(StreamApp& app, std::uint32_t index) : app_(app), index_(index) {}

  /// Begins an operation that was meant for `intended`; kClosed: with a connection of its own.
  void start(Instant intended, Instant now);
  /// Opens a connection for later operations.
  void open(Instant now);
  /// Ends it in good order.
  void close(Instant now);
  /// The application lost patience.
  void timed_out(Instant now);
  State state() const { return state_; }
  /// An operation has begun, perhaps with its connection, and has not completed.
  bool operating() const;
  /// When the operation was meant to begin.
  Instant intended() const { return intended_; }

  // l4::StreamEvents
  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant) override {}
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;

  // The application's: in one list at a time.
  List<Client>* list = nullptr;
  Client *prev = nullptr, *next = nullptr;
  Instant waits_since{};

 private:
  void shake_hands(Instant now);
  void established(Instant now);
  void send_request(Instant now);
  void take(BufChain data, Instant now);
  void take_plaintext(Instant now);
  void feed(std::span<const std::uint8_t> bytes, Instant now);
  void completed(Instant now);
  void half_close(Instant now);
  void fail(Failure f, std::string why, Instant now);
  void gone(Instant now);
  void send_ciphertext(Instant now);
  bool slow() const;
  void read_slowly(Instant now);
  static void on_timer(void* self, Instant now);

  StreamApp& app_;
  l4::Stream* stream_ = nullptr;
  std::unique_ptr<TlsClient> tls_;
  MessageReader reader_;
  BufChain unread_;  // of a slow reader
  Timer timer_{&Client::on_timer, this};
  Instant intended_{};
  const std::uint32_t index_;
  State state_ = State::kClosed;
  bool established_ = false, peer_closed_ = false, shut_ = false;
};

}  // namespace sluice::pktgen
