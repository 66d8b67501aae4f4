// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "l7/tls/async_jobs.h"
#include "l7/tls/backend_context.h"
#include "l7/tls/chain_bio.h"
#include "l7/tls/early_data.h"
#include "l7/tls/status_request.h"
#include "l7/tls/takeover.h"
#include "l7/tls/ticket_sealer.h"
#include "l7/tls/tls_stream.h"

namespace sluice::l7::tls {

/// A handshake, by OpenSSL over the queues of one connection. When it is done, its keys go on to OwnRecords or its SSL to
/// OpensslRecords; or first the one and then the other, with this between them.
class Handshake {
 public:
  enum class Result {
    kNeedMore,   ///< Bytes from the peer.
    kNoBuffers,  ///< To send with: step again later.
    kPaused,     ///< An engine has its operation: step again when AsyncJobs says so, not before, and not free it either.
    kDone,
    kFailed,     ///< error() says why; an alert may be in `out`.
  };

  /// The server's. `context`: SSL_CTX. `tickets` and `staples` outlive the SSL. `job`: null: no
  /// engine. `early`: null: no early data. Check ready(): false when out of memory.
  Handshake(SSL_CTX* context, CipherQueues& queues, const TicketSource& tickets, const StapleSource& staples,
            std::unique_ptr<AsyncJob> job = nullptr, const EarlyDataSource* early = nullptr);
  /// The client's, to the server at `address`. `resume`: null: a full handshake.
  Handshake(SSL_CTX* context, CipherQueues& queues, const BackendTls& backend, const IpAddr& address, SSL_SESSION* resume);
  bool ready() const { return ssl_ != nullptr; }
  Result step();
  /// Whether the next step may need the private key, a key exchange or the peer's certificate to be verified, which costs a
  /// hundred times all else.
  bool costly() const { return !tap_.finished_sent() || (server_ && (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0); }
  /// Whether the last step came no further: a message is not whole yet.
  bool stands_still() const { return stands_still_; }
  /// The last step ended in kPaused.
  bool paused() const { return paused_; }
  /// After kNeedMore: early data was accepted, and ours has been sent. The SSL may seal from now on.
  bool early_accepted() const { return early_accepted_; }
  /// What has come of it since the last call. At most kMaxEarlyData altogether.
  BufChain take_early();
  /// The last step ended in kNoBuffers: a message of its own may be halfway sent.
  bool starved() const { return starved_; }
  const std::string& error() const { return error_; }
  /// After kFailed: for the peer's certificate, or its lack.
  bool peer_refused() const { return peer_refused_; }
  /// After kDone.
  SSL& ssl() { return *ssl_; }
  std::optional<RecordKeys> keys(RecordTools& tools) { return take_over(*ssl_, tap_, tools); }
  SslPtr take_ssl();
  /// For OpensslRecords, while this goes on listening.
  SslPtr share_ssl();
  SecretTap& tap() { return tap_; }

 private:
  void begin(SSL_CTX* context);
  bool do_handshake(int& result);
  int go_on();
  int read_early();
  Result outcome(int returned);
  void tell_of_providers(bool began_costly, Result r);

  CipherQueues& queues_;
  SecretTap tap_;
  std::unique_ptr<AsyncJob> job_;  ///< Outlives `ssl_`.
  SslPtr ssl_;
  std::string error_;
  BufChain early_;
  Buf early_room_;  ///< While reads_early_: what comes next goes here. There at each step that may end a pause.
  const bool server_;
  bool reads_early_ = false;  ///< Until its end, or it is known that there is none.
  bool early_accepted_ = false;
  bool starved_ = false;
  bool peer_refused_ = false;
  bool stands_still_ = false;
  bool paused_ = false;
};

/// What was agreed, but for the client's certificate. The views live as long as `ssl`.
SessionInfo describe(const SSL* ssl);

}  // namespace sluice::l7::tls
