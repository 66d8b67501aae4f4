// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <mutex>
#include <unordered_map>

#include <openssl/ssl.h>

namespace sluice::mgmt::rest {

/// Knows the TLS connections of the server, so that none of them can hold one of its few threads for ever, a
/// byte at a time, and a stop need not wait for them. Any thread.
class ConnectionWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ConnectionWatch(std::chrono::seconds longest) : longest_(longest) {}
  /// Connections of this context are watched from the first byte of their handshake until they are freed.
  /// Once.
  void attach(SSL_CTX& context);

  /// Ends the connections that are older than allowed; their threads see an end of file.
  void expire(Clock::time_point now);
  void end_all() { expire(Clock::time_point::max()); }

 private:
  static void on_state(const SSL* ssl, int where, int);
  static void on_free(void*, void* entry, CRYPTO_EX_DATA*, int, long, void*);

  struct Entry {
    ConnectionWatch* owner;
    int fd;
  };
  void add(SSL* ssl);
  void remove(int fd);

  const std::chrono::seconds longest_;
  std::mutex mutex_;
  std::unordered_map<int, Clock::time_point> began_;
};

}  // namespace sluice::mgmt::rest
