// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "l7/tls/own_records.h"

namespace sluice::l7::tls {

/// Listens to one handshake, and to what OpenSSL does behind it, for what a record layer of ours will need and OpenSSL does
/// not tell afterwards: the traffic secrets of TLS 1.3, and how many records have been sent and read under the last of
/// them. Also for a client's sessions, which servers of TLS 1.3 send when the handshake is over.
class SecretTap {
 public:
  SecretTap() = default;
  SecretTap(const SecretTap&) = delete;
  SecretTap& operator=(const SecretTap&) = delete;
  /// Until detach(), or the end of `ssl`.
  void attach(SSL* ssl);
  static void detach(SSL* ssl);
  /// All of ours has been sent. A server of TLS 1.3 then misses only the client's Finished, and its certificate where it
  /// asks for one.
  bool finished_sent() const { return finished_sent_; }
  /// The alert internal_error has been sent (RFC 8446, 6): it failed for no fault of the peer's that OpenSSL knows of.
  bool internal_error() const { return internal_error_; }
  /// A client's: the server has sent a ticket.
  bool ticket_seen() const { return ticket_seen_; }
  /// A client's: the newest session, once. Null: there is none.
  SessionPtr take_session() { return std::move(session_); }
  /// For SSL_CTX_set_keylog_callback of the contexts that handshakes use.
  static void keylog(const SSL* ssl, const char* line);
  /// For SSL_CTX_sess_set_new_cb of clients' contexts.
  static int keep_session(SSL* ssl, SSL_SESSION* session);

 private:
  friend std::optional<RecordKeys> take_over(SSL& ssl, const SecretTap& tap, RecordTools& tools);
  static void on_message(int sent, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void* self);

  Secret client_, server_;
  SessionPtr session_;
  bool finished_sent_ = false, finished_read_ = false, ticket_seen_ = false;
  bool internal_error_ = false;
  bool rekeyed_ = false;  ///< By KeyUpdate: its secrets are not told.
  std::uint64_t sent_since_ = 0, read_since_ = 0;
};

/// Keys and sequence numbers of a connection whose handshake is complete, at either end of it. Changes nothing. Empty: its
/// suite, or what was agreed besides, is not ours, or OpenSSL holds bytes that it has read: records stay with OpenSSL.
std::optional<RecordKeys> take_over(SSL& ssl, const SecretTap& tap, RecordTools& tools);

}  // namespace sluice::l7::tls
