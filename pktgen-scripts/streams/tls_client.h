// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dataplane/base/buf.h"
#include "dataplane/base/result.h"
#include "l7/tls/chain_bio.h"
#include "l7/tls/openssl_util.h"
#include "pktgen-scripts/shape.h"

namespace sluice::pktgen {

struct SessionFree {
  void operator()(SSL_SESSION* s) const { SSL_SESSION_free(s); }
};
using SessionPtr = std::unique_ptr<SSL_SESSION, SessionFree>;

/// What all clients of a worker share: what they offer, and the newest session to resume.
class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> make(const TlsShape& shape, const std::string& host);

  SSL_CTX* get() { return context_.get(); }
  const TlsShape& shape() const { return shape_; }
  const std::string& host() const { return host_; }
  SSL_SESSION* session() { return session_.get(); }
  void keep(SSL_SESSION* s) { session_.reset(s); }
  /// Plaintext on its way to be checked.
  std::span<std::uint8_t> scratch() { return {scratch_.get(), kScratch}; }

 private:
  static constexpr std::size_t kScratch = 16384;  // a record
  TlsContext(const TlsShape& shape, std::string host) : shape_(shape), host_(std::move(host)) {}
  TlsShape shape_;
  std::string host_;
  l7::tls::SslCtxPtr context_;
  SessionPtr session_;
  std::unique_ptr<std::uint8_t[]> scratch_ = std::make_unique<std::uint8_t[]>(kScratch);
};

/// The client's end of one TLS connection: ciphertext in and out as chains. No I/O of its own.
class TlsClient {
 public:
  TlsClient(TlsContext& context, BufPool& buffers);

  enum class Step : std::uint8_t { kMore, kDone, kFailed };
  void receive(BufChain data) { queues_.in.append(std::move(data)); }
  /// Until kDone; then it is what the shape wants, or kFailed.
  Step handshake();
  /// kDone: `got` bytes lie in the scratch; kMore: there are none now.
  Step read(std::size_t& got);
  bool write(std::span<const std::uint8_t> bytes);
  void close_notify() { SSL_shutdown(ssl_.get()); }
  /// What is to be sent.
  BufChain output() { return std::move(queues_.out); }
  /// The peer's close_notify was read.
  bool peer_closed() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  const std::string& error() const { return error_; }

 private:
  Step failed(std::string why);
  std::optional<std::string> unexpected() const;

  TlsContext& context_;
  l7::tls::CipherQueues queues_;
  l7::tls::SslPtr ssl_;
  bool wants_resumed_ = false;
  std::string error_;
};

}  // namespace sluice::pktgen
