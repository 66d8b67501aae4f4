// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "l7/tls/chain_bio.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {

/// The server's handshake, by OpenSSL over the queues of one connection. When it is done the SSL goes on to Records;
/// what takes over keys and sequence numbers one day starts there, and nothing in here changes.
class Handshake {
 public:
  enum class Result {
    kNeedMore,   ///< Bytes from the peer.
    kNoBuffers,  ///< To send with: step again later.
    kDone,
    kFailed,     ///< error() says why; an alert may be in `out`.
  };

  /// `context`: SSL_CTX. Check ready(): false when out of memory.
  Handshake(SSL_CTX* context, CipherQueues& queues);
  bool ready() const { return ssl_ != nullptr; }
  Result step();
  const std::string& error() const { return error_; }
  /// After kDone.
  SslPtr take_ssl() { return std::move(ssl_); }

 private:
  CipherQueues& queues_;
  SslPtr ssl_;
  std::string error_;
};

/// What was agreed. The views live as long as `ssl`.
SessionInfo describe(const SSL* ssl);

}  // namespace sluice::l7::tls
