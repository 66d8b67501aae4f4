// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "l7/tls/openssl_util.h"
#include "l7/tls/tls_stream.h"

/// TLS in memory, without packets: an OpenSSL client, and on the other side either l7/tls as the appliance
/// runs it or the library by itself. Only the server's share of the time is counted. One thread.
namespace sluice::primitives {

/// A run whose numbers would mean nothing.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Adds up the time between go() and halt().
class Stopwatch {
 public:
  void go() { begin_ = std::chrono::steady_clock::now(); }
  void halt() { total_ += std::chrono::steady_clock::now() - begin_; }
  double seconds() const { return std::chrono::duration<double>(total_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::duration total_{};
};

/// Packet memory without hugepages or devices; once a process.
BufPool& start_buffers();
/// What a packet buffer holds: of a port that gives each packet of the wire as it came, an Ethernet MSS; of one that joins them
/// in its own buffers (LRO, as virtio's mergeable ones), its whole data room.
inline constexpr std::size_t kMssSegment = 1448, kLroSegment = 2048;
/// As packets bring it.
BufChain chain_of(std::string_view bytes, BufPool& pool, std::size_t segment = kMssSegment);

inline constexpr Instant kNow{
    std::chrono::seconds(100)};  ///< Nothing in here waits, so the clock stands still.

/// The client's side.
class Client {
 public:
  /// `session`: resume it; null: a full handshake. TLS 1.3 only.
  Client(SSL_CTX* context, SSL_SESSION* session);
  /// As if closed well: OpenSSL holds the session of a connection that was cut off for unfit to be resumed.
  ~Client() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Goes on with the handshake with what came; true: done.
  bool step(std::string_view from_server);
  std::string take_output();
  void write(std::string_view plain);
  std::string read(std::string_view from_server);
  /// A ticket that came with the handshake; the caller owns it.
  SSL_SESSION* take_session() { return SSL_get1_session(ssl_.get()); }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

 private:
  l7::tls::SslPtr ssl_;
};
l7::tls::SslCtxPtr client_context();

/// In place of a TCP connection.
class MemoryStream final : public l4::Stream {
 public:
  void set_events(l4::StreamEvents* e) override { events = e; }
  const FlowKey& flow() const override { return flow_; }
  void send(BufChain data, Instant) override { sent.append(std::move(data)); }
  std::size_t send_space() const override { return kSpace - std::min(kSpace, sent.size()); }
  std::size_t unsent_or_unacked() const override { return sent.size(); }
  void consumed(std::size_t, Instant) override {}
  void shutdown(Instant) override {}
  void abort(Instant) override {}

  l4::StreamEvents* events = nullptr;
  BufChain sent;

 private:
  static constexpr std::size_t kSpace = 1 << 20;
  FlowKey flow_{{IpAddr::v4(0x0a000001), 443}, {IpAddr::v4(0x0a000002), 40000}};
};

/// The server's side as the appliance has it, with the user of its stream.
class Appliance final : public l4::StreamEvents {
 public:
  Appliance(std::string_view chain_pem, std::string_view key_pem, BufPool& pool);
  void accept();
  /// Ciphertext from the client; what the server answers is in `below.sent`.
  void input(BufChain data) { below.events->on_data(std::move(data), kNow); }
  void flush() {
    layer_.shake_hands(kNow);
    layer_.flush(kNow);
  }
  void abort();
  std::string take_output();

  void on_open(Instant) override { open = true; }
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant) override {}
  void on_peer_closed(Instant) override {}
  void on_closed(l4::CloseReason, Instant) override;

  MemoryStream below;
  l7::tls::TlsStream* stream = nullptr;
  BufChain received;
  bool open = false;

 private:
  TimerWheel timers_{kNow};
  l7::tls::TicketKeys tickets_;
  l7::tls::TlsLayer layer_;
  std::shared_ptr<const l7::tls::ServerContext> context_;
};

/// {"handshakes":...}: rates of l7/tls and of the library by themselves, a second of the server's time.
std::string measure_handshakes(const std::string& certificate, const std::string& key, bool resumed,
                               double seconds);
/// For `seconds` in all: bytes a second of l7/tls, of IPsec-MB and of OpenSSL's EVP, sealing and opening AES-128-GCM records.
std::string measure_records(double seconds);

}  // namespace sluice::primitives
