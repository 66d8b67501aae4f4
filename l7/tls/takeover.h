// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "l7/tls/own_records.h"

namespace sluice::l7::tls {

/// Listens to one handshake for what its record layer will need and OpenSSL does not tell afterwards: the traffic
/// secrets of TLS 1.3, and how many records have been sent under the last of them (session tickets).
class SecretTap {
 public:
  SecretTap() = default;
  SecretTap(const SecretTap&) = delete;
  SecretTap& operator=(const SecretTap&) = delete;
  /// Until detach(), or the end of `ssl`.
  void attach(SSL* ssl);
  static void detach(SSL* ssl);
  /// All of ours has been sent: in TLS 1.3 only the client's Finished is missing then, and its certificate where it is asked
  /// for one.
  bool finished_sent() const { return finished_sent_; }
  /// For SSL_CTX_set_keylog_callback of the contexts that handshakes use.
  static void keylog(const SSL* ssl, const char* line);

 private:
  friend std::optional<RecordKeys> take_over(SSL& ssl, const SecretTap& tap, RecordTools& tools);
  static void on_message(int sent, int version, int type, const void* bytes, std::size_t size, SSL* ssl, void* self);

  Secret client_, server_;
  bool finished_sent_ = false;
  std::uint64_t sent_since_ = 0;
};

/// Keys and sequence numbers of a server's connection whose handshake is complete; the SSL is of no more use then, and is
/// not to send anything. Empty: its suite, or what was agreed besides, is not ours: records stay with OpenSSL.
std::optional<RecordKeys> take_over(SSL& ssl, const SecretTap& tap, RecordTools& tools);

}  // namespace sluice::l7::tls
