// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/base/timer_wheel.h"
#include "l7/tls/openssl_util.h"
#include "l7/tls/tls_stream.h"
#include "tests/support/eal.h"

/// An OpenSSL client over memory, a stream in place of TCP, and a user that writes down its events: a TLS connection
/// without packets, under a manual clock. Both sides of the stream contract are checked all the time.
namespace sluice::l7::tls::test {

/// In place of a TCP connection. Fails the test when it is touched after its end or overrun.
class FakeTcp final : public l4::Stream {
 public:
  static constexpr std::size_t kWindow = 256 * 1024;
  static constexpr std::size_t kSendBound = 256 * 1024;

  void set_events(l4::StreamEvents* e) override { events = e; }
  const FlowKey& flow() const override { return flow_; }
  void send(BufChain data, Instant now) override;
  std::size_t send_space() const override;
  std::size_t unsent_or_unacked() const override { return sent.size(); }
  void consumed(std::size_t n, Instant now) override;
  void shutdown(Instant now) override;
  void abort(Instant now) override;

  /// The peer's side.
  void deliver(std::string_view bytes, std::size_t segment, Instant now);
  std::string take(std::size_t n, Instant now);  ///< Acknowledged by the peer.
  void peer_fin(Instant now);
  void close(l4::CloseReason reason, Instant now);
  std::size_t window() const { return bound_in - unconsumed; }
  bool gone() const { return aborted || closed; }

  l4::StreamEvents* events = nullptr;
  std::string sent;             ///< Not acknowledged.
  std::size_t unconsumed = 0;   ///< Delivered, not consumed.
  std::size_t bound_in = kWindow, bound_out = kSendBound;
  std::function<void()> after_delivery;  ///< The rest of the loop that delivered.
  bool fin_sent = false, aborted = false, closed = false;

 private:
  FlowKey flow_{{IpAddr::v4(0x0a000001), 443}, {IpAddr::v4(0x0a000002), 40000}};
  bool was_full_ = false;
};

/// The user of the plaintext stream. Hooks run inside the event.
class User final : public l4::StreamEvents {
 public:
  void on_open(Instant now) override;
  void on_data(BufChain data, Instant now) override;
  void on_writable(Instant now) override;
  void on_peer_closed(Instant now) override;
  void on_closed(l4::CloseReason reason, Instant now) override;

  /// All calls on the stream go through here: no event may come inside.
  void send(std::string_view text, Instant now);
  void consumed(std::size_t n, Instant now);
  void shutdown(Instant now);
  void abort(Instant now);

  TlsStream* stream = nullptr;
  bool auto_consume = true;
  std::string received, error;
  SessionInfo info;
  std::string server_name, alpn;  ///< Copies of the views in info.
  ClientCertificate certificate;  ///< Copy of the one in info.
  std::vector<std::string> log;   ///< "open", "peer_closed", "closed normal", "writable"
  std::size_t unconsumed = 0;
  bool open = false, peer_closed = false, ended = false;
  std::optional<l4::CloseReason> closed;
  std::function<void()> in_open, in_data, in_writable, in_peer_closed, in_closed;

 private:
  void event(const char* name);
  bool in_call_ = false;
};

/// An OpenSSL client.
class Client {
 public:
  struct Options {
    std::string server_name, alpn;  ///< alpn in wire format.
    int min_version = 0, max_version = 0;
    std::string sigalgs, ciphers, ciphersuites;  ///< Suites up to TLS 1.2, and of 1.3.
    std::string groups;
    SSL_SESSION* session = nullptr;
    bool asks_status = false;  ///< status_request (RFC 6066, 8).
    std::string certificate, key;  ///< PEM, shown when it is asked for; a chain, leaf first.
  };
  explicit Client(const Options& options);
  ~Client();
  bool handshake();  ///< True: done.
  void input(std::string_view bytes);
  std::string output();
  void write(std::string_view text);
  void write_early(std::string_view text);  ///< Before handshake(); the session must allow it.
  void read();  ///< Into `received`; sets peer_closed upon close_notify.
  X509* peer() { return SSL_get0_peer_certificate(ssl.get()); }

  SslCtxPtr context;
  SslPtr ssl;
  std::string received, error;
  std::string pending;  ///< Ciphertext on its way to the server.
  bool peer_closed = false, failed = false;
  std::vector<SSL_SESSION*> sessions;  ///< From tickets.
};

/// One client of a layer that has many, with the stream below and the user above.
struct Peer {
  explicit Peer(const Client::Options& options) : client(options) {}
  FakeTcp tcp;
  User user;
  Client client;
};

/// The same at each call.
const TicketKeys& some_ticket_keys();

/// Client and server side of one connection, and the time.
class Pair {
 public:
  struct Options {
    Client::Options client;
    std::size_t segment = 1400;
    std::uint32_t worker = 0;
    std::size_t max_sessions = 16;
    const TicketKeys* tickets = &some_ticket_keys();
    const Staples* staples = nullptr;
    ReplayGuard* replays = nullptr;
  };
  Pair(std::shared_ptr<const ServerContext> context, Options options);
  explicit Pair(std::shared_ptr<const ServerContext> context) : Pair(std::move(context), Options()) {}

  /// Both handshakes done.
  bool connect();
  /// Moves bytes until nothing moves any more. `rounds` bounds it.
  void exchange(int rounds = 10000);
  /// One direction, one step. True: something moved.
  bool to_server();
  bool to_client();
  void advance(Duration d);

  Instant now{std::chrono::seconds(100)};
  TimerWheel timers{now};
  FakeTcp tcp;
  User user;
  Client client;
  std::unique_ptr<TlsLayer> layer;
  std::size_t segment;
};

std::shared_ptr<const ServerContext> make_context(const ServerConfig& config = {}, std::uint32_t workers = 1);

}  // namespace sluice::l7::tls::test
