// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "l7/tls/backend_context.h"
#include "tests/unit/l7_tls/harness.h"
#include "tests/unit/l7_tls/test_certificates.h"

/// OpenSSL servers over memory, and the connections of one worker to them.
namespace sluice::l7::tls::test {

/// A server that any number of connections may be made to.
struct Server {
  struct Options {
    PemPair pem;
    int version = 0;      ///< 0: any.
    std::string ciphers;  ///< Of that version.
    std::string clients;  ///< PEM of the authority whose clients alone may come. Empty: all may.
    bool tickets = true;
  };
  explicit Server(const Options& options);
  SslCtxPtr context;
};

/// The worker: its time, its TLS and its cache of sessions.
struct Worker {
  Instant now{std::chrono::seconds(100)};
  TimerWheel timers{now};
  TlsLayer layer{WorkerId{0}, sluice::test::buffers(), timers, 16};
  std::uint64_t full() const { return layer.backend_stats().handshakes.get(); }
  std::uint64_t resumed() const { return layer.backend_stats().handshakes_resumed.get(); }
};

/// One connection.
class BackendLink {
 public:
  BackendLink(Worker& worker, const Server& server, std::shared_ptr<const BackendTls> tls);
  ~BackendLink();

  /// Both handshakes done, and what came behind them.
  bool connect();
  /// Moves bytes until nothing moves any more.
  void exchange();
  /// One direction, one step. True: something moved.
  bool to_server();
  bool to_user();
  /// The server's side.
  void write(std::string_view text);
  bool server_ready() const { return SSL_is_init_finished(ssl.get()) != 0; }
  std::string server_name() const;
  /// Both directions, of that many bytes and some more.
  void expect_both_ways(std::size_t n);

  Worker& worker;
  FakeTcp tcp;  ///< To 10.0.0.2.
  User user;
  SslPtr ssl;
  std::size_t segment = 1400;
  std::string received, error;  ///< By the server.
  bool peer_closed = false;     ///< The server has got our close_notify.
};

/// `authority` empty: not verified.
std::shared_ptr<const BackendTls> tls_to(const std::string& server_name, const std::string& authority, BackendConfig config = {});

}  // namespace sluice::l7::tls::test
